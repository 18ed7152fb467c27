"""When objects are solved: from images through a recurrent network, its commitment to time and the metric."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
import torch
import xarray as xr
from torch import Tensor, nn

from brainmark.core import Comparison, Experiment, NotApplicable, Record, Setting, Stimuli
from brainmark.metrics.time.temporal import solution_times
from brainmark.models.subjects.vision import Readout, Steps, VisionSubject

BINS = tuple((float(t), float(t + 10)) for t in range(70, 250, 10))
LABELS = ("bear", "car", "dog")
SIDE, IMAGES, CELLS = 6, 90, 40
FULL, ENOUGH = 100 / 255, 4.5  # amplitude at contrast 1; of contrast, summed over bins of 10 ms


class RampingIT(nn.Module):
    """A population that says what it sees once it has gathered enough contrast; its noise belongs to the image."""

    def __init__(self, ramps: bool) -> None:
        super().__init__()
        weights = torch.randn((CELLS, 3 * SIDE * SIDE), generator=torch.Generator().manual_seed(0)) / SIDE
        self.register_buffer("weights", weights)
        self.ramps, self.it = ramps, nn.Identity()

    def forward(self, images: Tensor) -> Tensor:
        seen = (images - 0.5).flatten(1)
        contrast = seen.square().mean(1, keepdim=True).sqrt() / FULL
        noise = seen[:, :CELLS] * 97 % 1 - 0.5
        pattern = seen / contrast @ self.get_buffer("weights").T
        gathered = torch.zeros_like(contrast)
        for _ in BINS:
            gathered = gathered + contrast
            strength = (gathered - ENOUGH).clamp(0, 1) if self.ramps else torch.ones_like(contrast)
            state = self.it(strength * pattern + noise)
        return state


@pytest.fixture(scope="module")
def shown() -> tuple[Stimuli, np.ndarray, np.ndarray]:
    """Three patterns in many contrasts; labels and contrasts."""
    random = np.random.default_rng(0)
    patterns = random.choice([-1.0, 1.0], (3, SIDE, SIDE, 3))
    labels, contrast = np.arange(IMAGES) % 3, random.uniform(0.3, 1.0, IMAGES)
    pixels = 127.5 + 100 * contrast[:, None, None, None] * patterns[labels]
    pixels = pixels + random.normal(0, 6, pixels.shape)
    media = list(np.clip(np.rint(pixels), 0, 255).astype(np.uint8))
    names = [f"image{i}" for i in range(IMAGES)]
    return Stimuli("patterns", "image", pd.DataFrame({"stimulus_id": names}), media), labels, contrast


def times_of(shown: tuple[Stimuli, np.ndarray, np.ndarray], ramps: bool) -> Comparison:
    stimuli, labels, contrast = shown
    regions = {"IT": Readout("it", time=Steps(70, 10, len(BINS)))}
    subject = VisionSubject("ramp", RampingIT(ramps), regions, degrees=8.0, size=SIDE)
    recorded = subject.perform(Experiment(stimuli, Record("IT", BINS), Setting(degrees=8.0)))
    assert recorded.sizes == {"presentation": IMAGES, "neuroid": CELLS, "time_bin": len(BINS)}
    brain = xr.DataArray(
        70 + 10 * ENOUGH / contrast,  # fainter, later
        dims=("presentation",),
        coords={
            "label": ("presentation", np.array(LABELS)[labels]),
            "threshold": ("presentation", np.full(IMAGES, 3.0)),
        },
    )
    return solution_times(resamples=0)(recorded, brain)


def test_solution_times_of_a_ramping_it_are_recovered(shown: tuple[Stimuli, np.ndarray, np.ndarray]):
    found = times_of(shown, ramps=True)
    assert found.details["share of images solved"] > 0.7
    assert found.aggregate() > 0.9


def test_an_it_without_dynamics_has_none(shown: tuple[Stimuli, np.ndarray, np.ndarray]):
    with pytest.raises(NotApplicable, match="alike in all time bins"):
        times_of(shown, ramps=False)
