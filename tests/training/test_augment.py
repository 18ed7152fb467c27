"""Variants of images: what may change and what not."""

from __future__ import annotations

import colorsys

import numpy as np
import pytest
import torch

from brainmark.training.augment import _resize_crop, _turn_hue, as_floats, crop_and_flip, simclr_view
from brainmark.training.images import contrastive_loss, normalise


def generator(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def photographs(count: int = 50, size: int = 8, seed: int = 0) -> torch.Tensor:
    values = np.random.default_rng(seed).integers(1, 256, (count, size, size, 3))
    return torch.from_numpy(values.astype(np.uint8))


def test_every_shifted_image_is_a_shift_of_the_image_or_its_mirror() -> None:
    images = photographs()
    changed = crop_and_flip(images, generator(), margin=2)
    assert changed.shape == images.shape
    mirrored = 0
    seen = set()
    for before, after in zip(images, changed, strict=True):
        padded = torch.nn.functional.pad(before, (0, 0, 2, 2, 2, 2))
        found = [
            (flip, y, x)
            for flip in (False, True)
            for y in range(5)
            for x in range(5)
            if torch.equal(padded[y : y + 8, x : x + 8].flip(1 if flip else ()), after)
        ]
        assert len(found) == 1
        mirrored += found[0][0]
        seen.add(found[0][1:])
    assert 15 < mirrored < 35
    assert len(seen) > 15


@pytest.mark.parametrize("change", [crop_and_flip, lambda p, g: simclr_view(as_floats(p), g)])
def test_the_same_seed_gives_the_same_variants(change) -> None:
    images = photographs()
    assert torch.equal(change(images, generator(1)), change(images, generator(1)))
    assert not torch.equal(change(images, generator(1)), change(images, generator(2)))


def test_views_are_images() -> None:
    view = simclr_view(as_floats(photographs()), generator())
    assert view.shape == (50, 3, 8, 8)
    assert view.min() >= 0 and view.max() <= 1


def test_crops_of_a_ramp_are_magnified_parts_of_it() -> None:
    """A horizontal ramp stays one; its slope is that of the magnification, its sign that of the mirror."""
    ramp = torch.linspace(0, 1, 32).expand(200, 3, 32, 32)
    crops = _resize_crop(ramp, generator())
    assert torch.allclose(crops, crops[:, :, :1], atol=1e-5)  # rows stay alike
    slopes = (crops[:, 0, 0, 20] - crops[:, 0, 0, 12]) / (ramp[:, 0, 0, 20] - ramp[:, 0, 0, 12])
    assert (slopes < 0).float().mean() == pytest.approx(0.5, abs=0.12)
    widths = slopes.abs()
    assert widths.max() <= 1.001
    assert widths.min() >= np.sqrt(0.2 * 3 / 4) - 0.01


def test_hue_turns_keep_luma_and_a_full_turn_keeps_all() -> None:
    images = as_floats(photographs())
    luma = torch.tensor([0.299, 0.587, 0.114])
    turned = _turn_hue(images, torch.linspace(-3, 3, 50))
    assert torch.allclose(
        torch.einsum("c,ncyx->nyx", luma, turned), torch.einsum("c,ncyx->nyx", luma, images), atol=1e-4
    )
    assert torch.allclose(_turn_hue(images, torch.full((50,), 2 * np.pi)), images, atol=1e-3)
    red = torch.tensor([0.6, 0.4, 0.4]).view(1, 3, 1, 1)
    hue = [colorsys.rgb_to_hsv(*_turn_hue(red, torch.tensor([a])).flatten().tolist())[0] for a in (0.0, 0.5)]
    assert abs(hue[0] - hue[1]) > 0.03


def test_contrastive_loss_from_its_definition() -> None:
    """Equation 1 of Chen et al. 2020, term by term."""
    vectors = torch.nn.functional.normalize(torch.randn(8, 5, generator=generator(3)))
    loss, found = contrastive_loss(vectors, 0.5)
    cosines = (vectors @ vectors.T / 0.5).double().numpy()
    terms, right = [], []
    for i in range(8):
        j = (i + 4) % 8
        others = [k for k in range(8) if k != i]
        terms.append(-np.log(np.exp(cosines[i, j]) / np.exp(cosines[i, others]).sum()))
        right.append(max(others, key=lambda k: cosines[i, k]) == j)
    assert float(loss) == pytest.approx(np.mean(terms), rel=1e-5)
    assert found == pytest.approx(np.mean(right))


def test_normalised_images_have_zero_mean_for_the_mean_colour() -> None:
    from brainmark.models.sources.checkpoint import MEAN, STD

    mean = torch.tensor(MEAN).view(1, 3, 1, 1).expand(1, 3, 4, 4)
    assert normalise(mean).abs().max() < 1e-6
    assert torch.allclose(normalise(mean + torch.tensor(STD).view(1, 3, 1, 1)), torch.ones(1), atol=1e-5)
