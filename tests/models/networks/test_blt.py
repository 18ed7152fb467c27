from __future__ import annotations

from collections import defaultdict
from typing import Any, cast

import numpy as np
import pandas as pd
import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional

from brainmark.core import Experiment, Record, Setting, Stimuli, check_answer, models
from brainmark.models.networks.blt import AREAS, AreaNetwork, Kind, RecurrentArea, blt

NARROW = (8, 8, 12, 16)


def picture(seed: int, *shape: int) -> Tensor:
    return torch.randn(shape or (2, 3, 64, 64), generator=torch.Generator().manual_seed(seed))


def course(network: AreaNetwork, images: Tensor) -> dict[str, list[Tensor]]:
    found: dict[str, list[Tensor]] = defaultdict(list)

    def note(area: str) -> Any:
        return lambda _, __, output: found[area].append(output.clone())

    for name, area in network.areas.items():
        area.register_forward_hook(note(name))
    with torch.inference_mode():
        network.eval()(images)
    return found


def area_of(network: AreaNetwork, name: str) -> RecurrentArea:
    return cast(RecurrentArea, network.areas[name])


@pytest.mark.parametrize("kind", ["B", "BL", "BT", "BLT"])
def test_connections_are_those_of_the_name(kind: Kind):
    network = blt(kind, channels=NARROW)
    for name in AREAS:
        area = area_of(network, name)
        assert (area.lateral is not None) == ("L" in kind)
        assert (area.feedback is not None) == ("T" in kind and name != "IT")


def test_with_one_step_of_delay_areas_begin_one_after_the_other():
    states = course(blt("BLT", channels=NARROW, steps=7), picture(0))
    assert [len(states[name]) for name in AREAS] == [7, 6, 5, 4]
    assert [tuple(states[name][-1].shape[1:]) for name in AREAS] == [(8, 16, 16), (8, 8, 8), (12, 4, 4), (16, 2, 2)]


def test_states_are_the_published_sum_normalised_and_rectified():
    network = blt("BLT", channels=NARROW, steps=6)
    states = course(network, picture(0))
    v1, v2, v4 = (states[name] for name in ("V1", "V2", "V4"))  # V2 begins at step 1, V4 at step 2
    area, step = area_of(network, "V2"), 4
    with torch.inference_mode():
        below = functional.max_pool2d(v1[step - 1], 2)
        convolution = cast(nn.Sequential, area.feed)[1]
        above = cast(nn.Module, area.feedback)(v4[step - 1 - 2])
        enlarged = above.repeat_interleave(2, 2).repeat_interleave(2, 3)
        total = convolution(below) + cast(nn.Module, area.lateral)(v2[step - 1 - 1]) + enlarged
        flat = total.flatten(1)
        expected = (total - flat.mean(1).view(-1, 1, 1, 1)) / flat.var(1, correction=0).add(1e-5).sqrt().view(
            -1, 1, 1, 1
        )
    torch.testing.assert_close(v2[step - 1], expected.relu(), atol=1e-5, rtol=1e-4)


@pytest.mark.parametrize("kind", ["BL", "BT", "BLT"])
def test_recurrent_areas_go_on_changing_and_stay_bounded(kind: Kind):
    states = course(blt(kind, channels=NARROW), picture(0))
    for name in AREAS if "L" in kind else AREAS[:-1]:
        one, other = states[name][-1], states[name][0]
        assert (one - other).abs().mean() > 0.01 * other.abs().mean(), name
    assert max(float(s[-1].abs().max()) for s in states.values()) < 20


def test_a_network_with_bottom_up_connections_alone_takes_one_step():
    states = course(blt("B", channels=NARROW), picture(0))
    assert {len(s) for s in states.values()} == {1}


def test_feedback_reaches_v1_after_two_steps():
    """Another feedback from V2 to V1 changes V1 from its third state on: V2 first runs at step 1."""
    one, other = (blt("BT", channels=NARROW, steps=5) for _ in range(2))
    with torch.no_grad():
        cast(nn.Conv2d, area_of(other, "V1").feedback).weight.mul_(2)
    first, second = course(one, picture(0))["V1"], course(other, picture(0))["V1"]
    assert [torch.equal(a, b) for a, b in zip(first, second, strict=True)] == [True, True, False, False, False]


@pytest.mark.parametrize("name", ["blt-b", "blt-blt"])
def test_subjects_answer_for_every_region(name: str):
    images = np.random.default_rng(0).integers(0, 256, (2, 30, 30, 3), np.uint8)
    stimuli = Stimuli("two", "image", pd.DataFrame({"stimulus_id": ["a", "b"]}), list(images))
    subject = models[name].load()
    for region in models[name].card.regions:
        experiment = Experiment(stimuli, Record(region), Setting(degrees=8.0))
        answer = check_answer(subject.perform(experiment), experiment, name)
        assert answer.sizes["neuroid"] <= 30_000
