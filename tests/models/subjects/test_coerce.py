"""What becomes a subject, and what is refused."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch
from torch import Tensor, nn

from brainmark.core.experiment import Ask, Experiment, Record, Setting
from brainmark.core.measurement import check_answer
from brainmark.core.stimuli import Stimuli
from brainmark.models.subjects.coerce import as_subject
from brainmark.models.subjects.vision import Readout, VisionSubject


def pictures(count: int = 4, pixels: int = 32) -> Stimuli:
    images = np.random.default_rng(0).integers(0, 256, (count, pixels, pixels, 3), np.uint8)
    table = pd.DataFrame({"stimulus_id": [f"picture {i}" for i in range(count)]})
    return Stimuli("pictures", "image", table, list(images))


class Maps(nn.Module):
    """Shows the input itself, its map of local means, and a head."""

    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.input, self.means, self.head = nn.Identity(), nn.AvgPool2d(4), nn.Linear(3, 5)

    def forward(self, x: Tensor) -> Tensor:
        return self.head(self.means(self.input(x)).mean((2, 3)))


def subject(**changes: Any) -> VisionSubject:
    fields: dict[str, Any] = {
        "identifier": "maps",
        "network": Maps(),
        "regions": {"V1": "input", "V2": Readout("input", pool=8), "V4": "means", "IT": "output"},
        "degrees": 8.0,
        "size": 32,
    }
    return VisionSubject(**fields | changes)


def ask(question: Ask, **setting: Any) -> Experiment:
    return Experiment(pictures(), question, Setting(**setting))


def test_any_module_becomes_a_subject():
    net = nn.Sequential(nn.AdaptiveAvgPool2d(2), nn.Flatten())
    wrapped = as_subject(net)
    assert wrapped.identifier == "Sequential"
    experiment = ask(Record("V4"))
    answer = check_answer(wrapped.perform(experiment), experiment, "net")
    assert answer.sizes["neuroid"] == 12
    pooled = as_subject(net, "mine", regions={"V1": "0"}, mean=(0,) * 3, std=(1,) * 3, size=32)
    image = pictures().media[0].astype(float) / 255
    expected = image.reshape(2, 16, 2, 16, 3).mean((1, 3)).transpose(2, 0, 1).ravel()
    np.testing.assert_allclose(pooled.perform(ask(Record("V1"))).values[0], expected, atol=1e-5)


def test_subjects_pass_through_and_other_things_are_refused():
    mine = subject()
    assert as_subject(mine) is mine
    with pytest.raises(TypeError, match="a int is not a subject"):
        as_subject(3)
    with pytest.raises(TypeError, match=r"the class Maps is not a subject.*call it first"):
        as_subject(Maps)

    class Nameless:
        def perform(self, _: Experiment) -> None: ...

    with pytest.raises(TypeError, match="no `identifier`"):
        as_subject(Nameless())
