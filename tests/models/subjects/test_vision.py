from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch
from torch import Tensor, nn

from brainmark.core.errors import InvalidModel, ModelError, NotApplicable, UnknownName
from brainmark.core.experiment import Ask, Choose, Experiment, Read, Record, Setting
from brainmark.core.measurement import check_answer
from brainmark.core.stimuli import Stimuli
from brainmark.models.subjects.coerce import as_subject
from brainmark.models.subjects.screen import Screen
from brainmark.models.subjects.vision import Head, Readout, Steps, VisionSubject


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


@pytest.mark.parametrize("region", ["V1", "V2", "V4", "IT"])
def test_answers_keep_the_contract(region: str):
    experiment = ask(Record(region))
    answer = check_answer(subject().perform(experiment), experiment, "maps")
    assert answer.dtype == np.float32
    assert set(answer.coords) == {"stimulus_id", "neuroid_id", "region", "layer", "channel", "x", "y"}
    assert set(answer.region.values) == {region}


def test_input_is_the_screen_scaled_to_one_in_the_order_channel_row_column():
    answer = subject().perform(ask(Record("V1"), degrees=4.0))
    seen = Screen(8, 32).show(pictures().media[1], 4.0)
    np.testing.assert_allclose(answer.values[1].reshape(3, 32, 32), seen.transpose(2, 0, 1) / 255, atol=1e-6)


def test_mean_and_std_normalise_the_channels():
    plain = subject().perform(ask(Record("V1"))).values.reshape(4, 3, -1)
    normal = subject(mean=(0.1, 0.2, 0.3), std=(1.0, 2.0, 4.0)).perform(ask(Record("V1"))).values.reshape(4, 3, -1)
    expected = (plain - np.array([0.1, 0.2, 0.3])[:, None]) / np.array([1.0, 2.0, 4.0])[:, None]
    np.testing.assert_allclose(normal, expected, atol=1e-6)


def test_centres_of_units_lie_where_they_look():
    answer = subject().perform(ask(Record("V1")))
    first, last = answer.isel(neuroid=0), answer.isel(neuroid=-1)
    assert (float(first.x), float(first.y)) == (-3.875, 3.875)  # left, top
    assert (float(last.x), float(last.y)) == (3.875, -3.875)
    right_of_first = answer.isel(neuroid=1)
    assert (float(right_of_first.x), float(right_of_first.y)) == (-3.625, 3.875)
    assert list(answer.channel.values[:: 32 * 32]) == [0, 1, 2]


def test_pooled_centres_are_means_of_the_pooled_units():
    answer = subject().perform(ask(Record("V2")))
    full = subject().perform(ask(Record("V4")))
    assert answer.sizes["neuroid"] == 3 * 64
    np.testing.assert_allclose(answer.x, full.x)
    np.testing.assert_allclose(answer.values, full.values, atol=1e-6)


def test_readout_with_given_geometry():
    readout = Readout("means", first=0.5, step=4.0)
    answer = subject(regions={"V1": readout}).perform(ask(Record("V1")))
    np.testing.assert_allclose(np.unique(answer.x), (0.5 + 4 * np.arange(8) - 16) / 4)
    np.testing.assert_allclose(np.unique(answer.y), -(0.5 + 4 * np.arange(8) - 16)[::-1] / 4)


def test_units_without_a_map_are_centred_on_fixation():
    answer = subject().perform(ask(Record("IT", eccentricity=0.5)))
    assert answer.sizes["neuroid"] == 5
    assert not answer.x.values.any() and not answer.y.values.any()


@pytest.mark.parametrize("region", ["V1", "V2"])
def test_eccentricity_gives_single_units_near_fixation(region: str):
    whole = subject().perform(ask(Record("V1")))
    near = subject().perform(ask(Record(region, eccentricity=1.0)))
    distance = np.hypot(whole.x, whole.y)
    assert near.sizes["neuroid"] == int((distance <= 1.0).sum()) > 0
    assert float(np.hypot(near.x, near.y).max()) <= 1.0
    np.testing.assert_array_equal(near.values, whole.values[:, distance.values <= 1.0])
    np.testing.assert_array_equal(near.channel, whole.channel[distance.values <= 1.0])


def test_eccentricity_keeps_at_least_the_nearest_position():
    near = subject().perform(ask(Record("V1", eccentricity=0.01)))
    assert near.sizes["neuroid"] == 3
    assert abs(float(near.x[0])) == abs(float(near.y[0])) == 0.125


def test_time_bins_of_a_static_network_are_alike():
    experiment = ask(Record("IT", time_bins=((0, 50), (50, 100), (70, 170))))
    answer = check_answer(subject().perform(experiment), experiment, "maps")
    assert answer.dims == ("presentation", "neuroid", "time_bin")
    assert list(answer.time_bin_end.values) == [50, 100, 170]
    assert (answer.values == answer.values[:, :, :1]).all()


def test_same_experiment_same_bits():
    one, two = (subject().perform(ask(Record("IT"))) for _ in range(2))
    assert one.identical(two)


def test_trials_of_a_deterministic_network_are_one():
    assert "repetition" not in subject().perform(ask(Record("IT"), trials=5)).dims


def test_trials_of_a_stochastic_network_are_repetitions():
    class Noisy(nn.Module):
        def forward(self, x: Tensor) -> Tensor:
            return x.mean((2, 3)) + 0.1 * torch.randn(len(x), 3)

    noisy = subject(network=Noisy(), regions={"IT": "output"}, stochastic=True)
    experiment = ask(Record("IT"), trials=200, seed=3)
    answer = check_answer(noisy.perform(experiment), experiment, "noisy")
    assert answer.dims == ("presentation", "neuroid", "repetition")
    assert float(answer.std("repetition").mean()) == pytest.approx(0.1, rel=0.1)
    assert answer.identical(noisy.perform(experiment))
    single = noisy.perform(ask(Record("IT"), seed=3))
    assert single.dims == ("presentation", "neuroid")
    assert (single.values != noisy.perform(ask(Record("IT"), seed=4)).values).all()


@pytest.mark.parametrize(
    ("question", "reason"),
    [
        (Record("A1"), "no layer for region 'A1'; it records V1, V2, V4, IT while it sees images"),
        (Choose(("cat", "dog")), "no head that names classes"),
        (Read("surprisal"), "cannot answer Read"),
    ],
)
def test_what_it_cannot_do_is_not_applicable(question: Ask, reason: str):
    with pytest.raises(NotApplicable, match=reason):
        subject().perform(ask(question))


def test_other_modalities_are_not_applicable():
    words = Stimuli("words", "text", pd.DataFrame({"stimulus_id": ["a"], "text": ["b"]}))
    with pytest.raises(NotApplicable, match="modality 'text'"):
        subject().perform(Experiment(words, Record("IT")))


def test_a_network_is_made_once_when_first_needed():
    made: list[Maps] = []

    def make() -> Maps:
        made.append(Maps())
        return made[-1]

    lazy = subject(network=make)
    assert not made
    lazy.perform(ask(Record("IT")))
    lazy.perform(ask(Record("IT")))
    assert len(made) == 1


def test_a_factory_that_makes_no_network_is_named():
    with pytest.raises(ModelError, match="its factory made a int"):
        subject(network=lambda: 3).perform(ask(Record("IT")))


def test_a_layer_that_is_not_there_is_named():
    with pytest.raises(UnknownName, match="did you mean 'means'"):
        subject(regions={"IT": "mean"}).perform(ask(Record("IT")))


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"identifier": " "}, r"identifier is ' '; give the model a name"),
        ({"network": 3}, r"'maps': network is 3; give a torch\.nn\.Module, or a function"),
        ({"regions": ["IT"]}, r"'maps': regions is \['IT'\]; map each region to a layer, e\.g\. \{'IT': 'output'\}"),
        ({"regions": {}}, r"regions is \{\}; map each region"),
        ({"regions": {0: "output"}}, r"a key of regions is 0; regions are named by text"),
        ({"regions": {"IT": None}}, r"regions\['IT'\] is None; name a layer"),
        ({"degrees": 0}, r"degrees is 0; give the width of the field of view"),
        ({"degrees": float("nan")}, r"degrees is nan"),
        ({"degrees": "8"}, r"degrees is '8'"),
        ({"size": 0}, r"size is 0; give the width of the network's input in pixels"),
        ({"size": 224.0}, r"size is 224\.0"),
        ({"size": True}, r"size is True"),
        ({"mean": (0.0, 0.0)}, r"mean is \(0\.0, 0\.0\); give three finite numbers"),
        ({"mean": "123"}, r"mean is '123'"),
        ({"mean": (0.0, 0.0, float("inf"))}, r"mean is \(0\.0, 0\.0, inf\)"),
        ({"std": (0, 0, 0)}, r"std is \(0, 0, 0\); inputs are divided by it: give positive numbers"),
        ({"std": 1.0}, r"std is 1\.0; give three finite numbers"),
        ({"batch": 0}, r"batch is 0; give a number of stimuli, or None"),
    ],
)
def test_what_describes_no_network_is_refused_when_it_is_said(changes: dict[str, Any], reason: str):
    with pytest.raises(InvalidModel, match=reason) as caught:
        subject(**changes)
    assert caught.value.kind == "contract"


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"layer": ""}, "layer is ''; name a layer"),
        ({"pool": 0}, "pool is 0; give rows and columns"),
        ({"first": 0.5}, "step is None; give first and step together"),
        ({"step": 4.0}, "first is None; give first and step together"),
        ({"first": float("nan"), "step": 4.0}, "first is nan"),
        ({"first": 0.5, "step": 0.0}, r"step is 0\.0; give a positive number"),
    ],
)
def test_what_describes_no_readout_is_refused(changes: dict[str, Any], reason: str):
    fields: dict[str, Any] = {"layer": "means"} | changes
    with pytest.raises(InvalidModel, match=f"Readout: {reason}"):
        Readout(**fields)


def test_numbers_of_other_libraries_describe_a_network_as_well():
    plain = subject(mean=(0.5,), std=(0.25, 0.25, 0.25)).perform(ask(Record("IT")))
    array = subject(mean=np.full(3, 0.5), std=[0.25] * 3, size=np.int64(32), degrees=np.float32(8), batch=np.int32(2))
    np.testing.assert_allclose(array.perform(ask(Record("IT"))), plain, atol=1e-6)


def test_no_regions_are_not_all_regions():
    with pytest.raises(InvalidModel, match=r"regions is \{\}"):
        as_subject(Maps(), regions={})


def test_bins_are_answered_by_the_steps_they_overlap():
    steps = Steps(start=100, step=50, count=3)  # 100-150, 150-200, 200-250 ms
    weights = steps.weights([(100, 150), (125, 175), (100, 250), (140, 160), (240, 400), (0, 110)])
    thirds = [1 / 3, 1 / 3, 1 / 3]
    expected = [[1, 0, 0], [0.5, 0.5, 0], thirds, [0.5, 0.5, 0], [0, 0, 1], [1, 0, 0]]
    np.testing.assert_allclose(weights, expected)


def test_before_the_first_and_after_the_last_step_the_nearest_holds():
    np.testing.assert_array_equal(Steps(100, 50, 2).weights([(0, 100), (20, 30), (200, 300)]), [[1, 0], [1, 0], [0, 1]])


def test_without_bins_all_steps_count_alike():
    np.testing.assert_allclose(Steps(100, 50, 4).weights(()), [[0.25] * 4])


class Ramp(nn.Module):
    """One layer that runs three times in a pass, and doubles its input each time."""

    def __init__(self) -> None:
        super().__init__()
        self.block = nn.Sequential(nn.Flatten(), nn.Identity())

    def forward(self, x: Tensor) -> Tensor:
        for k in range(3):
            y = self.block(x * 2.0**k)
        return y


def test_steps_of_a_recurrent_network_become_milliseconds():
    ramp = subject(network=Ramp(), regions={"IT": Readout("block", time=Steps(100, 50, 3)), "V4": "block"})
    bins = ((0.0, 50.0), (100.0, 150.0), (125.0, 175.0), (100.0, 250.0), (250.0, 300.0))
    experiment = ask(Record("IT", time_bins=bins))
    answer = check_answer(ramp.perform(experiment), experiment, "ramp")
    first = answer.isel(time_bin=1).values
    np.testing.assert_allclose(answer.values, first[:, :, None] * [1, 1, 1.5, 7 / 3, 4], rtol=1e-5)
    mean = ramp.perform(ask(Record("IT")))
    np.testing.assert_allclose(mean.values, first * 7 / 3, rtol=1e-5)
    np.testing.assert_allclose(ramp.perform(ask(Record("V4"))).values, first * 4, rtol=1e-6)


def test_several_readouts_of_one_pass_are_those_of_single_passes():
    several = subject()
    together = several.record_from(ask(Record("V4")), [Readout("input", pool=8), Readout("means"), Readout("output")])
    for one, layer in zip(together, (Readout("input", pool=8), "means", "output"), strict=True):
        assert one.identical(subject(regions={"V4": layer}).perform(ask(Record("V4"))))
    with pytest.raises(InvalidModel, match="a layer is recorded twice among means, means"):
        several.record_from(ask(Record("V4")), [Readout("means"), Readout("means", pool=2)])


class Remembers(nn.Module):
    """Adds how often it has run."""

    def __init__(self) -> None:
        super().__init__()
        self.runs = 0

    def forward(self, x: Tensor) -> Tensor:
        self.runs += 1
        return x.mean((2, 3)) + 0.01 * self.runs


class Draws(nn.Module):
    def forward(self, x: Tensor) -> Tensor:
        return nn.functional.dropout(x.mean((2, 3)), training=True) + 0.1


@pytest.mark.parametrize("network", [Remembers(), Draws()])
def test_a_network_that_answers_otherwise_when_asked_again_is_refused(network: nn.Module):
    with pytest.raises(
        ModelError, match=r"'output' of \w+ gives another answer to the first stimulus.*stochastic=True"
    ):
        subject(network=network, regions={"IT": "output"}).perform(ask(Record("IT")))


WRONG: dict[str, Any] = {"cat": "cat", "time": (0, 10, 2)}  # of types that a checker would refuse


@pytest.mark.parametrize(
    ("make", "reason"),
    [
        (lambda: Steps(float("nan"), 10, 2), r"Steps: start is nan; give ms"),
        (lambda: Steps(0, 0, 2), r"Steps: step is 0; give a positive"),
        (lambda: Steps(0, 10, 0), r"Steps: count is 0; give the number"),
        (lambda: Head(" "), r"Head: layer is ' '; name the layer"),
        (lambda: Head(classes=WRONG["cat"]), r"Head: classes is 'cat'; give 'imagenet'"),
        (lambda: Head(classes=("cat",)), r"Head: classes is \('cat',\)"),
        (lambda: Head(classes=("cat", "cat")), r"Head: classes is \('cat', 'cat'\)"),
        (lambda: Readout("a", time=WRONG["time"]), r"Readout: time is \(0, 10, 2\); give Steps"),
        (lambda: subject(head="output"), r"head is 'output'; give Head"),
        (lambda: subject(behavior=3), r"behavior is 3; name a layer"),
        (lambda: subject(similarity="l2"), r"similarity is 'l2'; give 'cosine' or 'dot'"),
    ],
)
def test_what_describes_no_commitment_is_refused(make: Callable[[], object], reason: str):
    with pytest.raises(InvalidModel, match=reason):
        make()
