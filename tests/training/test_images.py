"""Images to train on, and what is held out of them."""

from __future__ import annotations

import pytest
import torch

from brainmark.core import DataError
from brainmark.training.images import Images, image_task, split
from brainmark.training.recipes import RECIPES, ImageRecipe


def test_held_out_images_are_not_trained_on() -> None:
    images = Images(
        torch.arange(100, dtype=torch.uint8).view(100, 1, 1, 1).expand(-1, 4, 4, 3), torch.zeros(100).long()
    )
    training, held_out = split(images, 0)
    one, other = (set(part.pixels[:, 0, 0, 0].tolist()) for part in (training, held_out))
    assert (len(one), len(other)) == (95, 5)
    assert one | other == set(range(100))
    assert not torch.equal(split(images, 1)[1].pixels, held_out.pixels)


def test_too_few_images_for_a_batch() -> None:
    images = Images(torch.zeros(15, 8, 8, 3, dtype=torch.uint8), torch.zeros(15).long())
    recipe = RECIPES["cifar-resnet"].change(batch=16)
    assert isinstance(recipe, ImageRecipe)
    with pytest.raises(DataError, match="batches of 16, but there are 14 images"):
        image_task(recipe, images, 0)


def test_images_must_have_labels() -> None:
    with pytest.raises(ValueError, match="with 3 labels"):
        Images(torch.zeros(4, 8, 8, 3, dtype=torch.uint8), torch.zeros(3))
