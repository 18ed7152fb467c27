"""Layers that are chosen by their depth."""

from __future__ import annotations

import warnings

import pytest
from torch import nn

from brainmark.core.errors import ModelError
from brainmark.models.described.depth import guess_layers


@pytest.fixture(autouse=True)
def quiet():
    """What the tests want to hear they ask for."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message=".*layers chosen by their depth")
        yield


def test_layers_are_chosen_by_depth_among_blocks_and_stages_are_looked_into():
    stages = nn.Sequential(*(nn.Sequential(nn.Conv2d(8, 8, 1), nn.ReLU()) for _ in range(10)))
    network = nn.Sequential(nn.Conv2d(3, 8, 1), stages, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(8, 4))
    guess = guess_layers(
        network, 16
    )  # 12 weighted layers: shares .2, .4, .6, .9 end nearest to the 2nd, 5th, 7th, 11th
    assert guess.regions == {"V1": "1.0.1", "V2": "1.3.1", "V4": "1.5.1", "IT": "3"}
    assert guess.last == "3"


def test_a_network_that_does_not_take_images_says_so():
    with pytest.raises(ModelError, match=r"Linear does not take an image \(1, 3, 16, 16\)"):
        guess_layers(nn.Linear(7, 3), 16)


def test_layers_that_run_twice_are_not_chosen():
    class Twice(nn.Module):
        def __init__(self):
            super().__init__()
            self.a, self.b = nn.Conv2d(3, 3, 1), nn.Conv2d(3, 3, 1)

        def forward(self, x):
            return self.b(self.a(self.a(x)))

    assert set(guess_layers(Twice(), 8).regions.values()) == {"b"}
