"""Whoever says a device or a precision gets it: for networks and metrics, by function and by command."""

from __future__ import annotations

from functools import cache
from typing import Any

import numpy as np
import pandas as pd
import pytest
import xarray as xr

torch = pytest.importorskip("torch")
from torch import nn  # noqa: E402

import brainmark  # noqa: E402
from brainmark.core import Benchmark, BenchmarkCard, Experiment, NextWord, Read, Record, Stimuli  # noqa: E402
from brainmark.core.devices import compute_on, gather_notes, in_use  # noqa: E402
from brainmark.core.errors import ResourceError, UnknownName  # noqa: E402
from brainmark.core.score import Score  # noqa: E402
from brainmark.models.activations import extract  # noqa: E402
from brainmark.models.activations.extract import Extractor  # noqa: E402
from brainmark.models.subjects.vision import VisionSubject  # noqa: E402
from brainmark.testing.pretended import pretend_devices  # noqa: E402


@cache
def make_benchmark(metric: str = "ridge") -> Benchmark:
    rng = np.random.default_rng(0)
    images, ids = rng.integers(0, 255, (24, 32, 32, 3), dtype=np.uint8), [f"image-{i}" for i in range(24)]
    stimuli = Stimuli(
        "toy", "image", pd.DataFrame({"n": range(24)}, pd.Index(ids, name="stimulus_id")), media=tuple(images)
    )
    coords = {
        "stimulus_id": ("presentation", ids),
        "neuroid_id": ("neuroid", ["a", "b", "c"]),
        "region": ("neuroid", ["IT"] * 3),
    }
    seen = images.reshape(24, -1)[:, ::97] / 255.0 @ rng.standard_normal((32, 3))
    target = xr.DataArray(seen, dims=("presentation", "neuroid"), coords=coords)
    made = brainmark.load_metric(metric, resamples=20)
    card = BenchmarkCard(
        summary="toy", licence="MIT", cite="@misc{toy, title = {Toy}}", domain="vision", species=("none",), region="IT",
        parent="IT", datasets=("toy",), metric=metric, simulated=True,
    )  # fmt: skip
    return Benchmark("Toy2001.IT-ridge", card, Experiment(stimuli, Record("IT")), target, made)


def make_subject(seed: int = 0) -> VisionSubject:
    torch.manual_seed(seed)
    net = nn.Sequential(nn.Conv2d(3, 8, 5, stride=4), nn.ReLU(), nn.Conv2d(8, 6, 3, stride=2), nn.AdaptiveAvgPool2d(3))
    return VisionSubject("tiny", net, {"IT": "3"}, size=32)


def test_a_score_on_a_device_is_the_score_on_the_cpu():
    """The device was reachable from nowhere: networks and metrics computed on the CPU, whatever was there."""
    near = brainmark.score(make_subject(), make_benchmark(), cache=False)
    with pretend_devices() as devices:
        far = brainmark.score(make_subject(), make_benchmark(), cache=False, device="pretended:1")
    assert devices.done["pretended:1"] > 0 and not devices.done["pretended:0"]
    assert far.value == pytest.approx(near.value, abs=1e-5)
    assert (near.stamp.device, far.stamp.device) == ("cpu", "pretended:1")  # pyright: ignore


def test_what_the_caller_does_between_scores_is_not_on_the_device():
    with pretend_devices():
        outcomes = brainmark.score_all(
            [make_subject(0), make_subject(1)], [make_benchmark()], cache=False, device="pretended:1"
        )
        for outcome in outcomes:
            assert isinstance(outcome, Score) and outcome.stamp and outcome.stamp.device == "pretended:1"
            assert in_use().device == "cpu"


def test_a_precision_is_told_and_changes_the_score_a_little():
    single, half = (
        brainmark.score(make_subject(), make_benchmark(), cache=False, precision=p) for p in ("float32", "bfloat16")
    )
    assert (single.stamp.precision, half.stamp.precision) == ("float32", "bfloat16")  # pyright: ignore
    assert 0 < abs(single.value - half.value) < 0.05


def test_a_device_that_is_not_here_stops_before_anything_is_computed():
    def never(*_: Any) -> Any:
        raise AssertionError("it was run")

    subject = make_subject()
    subject.module.register_forward_pre_hook(never)
    for call in (brainmark.score, lambda m, b, **o: brainmark.score_all([m], [b], **o)):
        with pytest.raises(UnknownName, match=r"unknown device 'cuda:9'.*here"):
            call(subject, make_benchmark(), cache=False, device="cuda:9")


def test_a_network_of_ones_own_device_keeps_it():
    """A subject may say its own device, which counts before that of the run."""
    with pretend_devices() as devices:
        subject = make_subject()
        subject = VisionSubject("tiny", subject.module, {"IT": "3"}, size=32, device="pretended:0")
        brainmark.score(subject, make_benchmark(), cache=False, device="cpu")
    assert devices.done["pretended:0"] and not devices.done["pretended:1"]


@pytest.mark.parametrize(
    "ask", [Record("language_system"), Read("surprisal"), NextWord()], ids=lambda a: type(a).__name__
)
def test_a_language_network_answers_on_a_device_as_on_the_cpu(ask: Any):
    texts = ["The", "mouse", "that", "the", "cat", "saw", "ran"]
    stimuli = Stimuli("words", "text", pd.DataFrame({"text": texts, "context": 0}, pd.Index(texts, name="stimulus_id")))
    experiment, subject = Experiment(stimuli, ask), brainmark.load_model("tiny-gpt")
    near = subject.perform(experiment)
    with pretend_devices() as devices, compute_on("pretended:1"):
        far = subject.perform(experiment)
    assert devices.done["pretended:1"]
    if near.dtype.kind == "f":
        np.testing.assert_allclose(far.values, near.values, rtol=1e-5, atol=1e-5)
    else:
        assert (far.values == near.values).all()


@pytest.mark.parametrize("name", ["gabor", "hmax", "voneblock", "cifar-resnet"])
def test_networks_of_our_own_answer_on_a_device_as_on_the_cpu(name: str):
    """One that computes in part on the CPU, or on the first device, would end the run on a second GPU."""
    images = tuple(np.random.default_rng(0).integers(0, 255, (2, 32, 32, 3), dtype=np.uint8))
    stimuli = Stimuli(
        "toy", "image", pd.DataFrame({"n": range(2)}, pd.Index(["a", "b"], name="stimulus_id")), media=images
    )
    experiment, subject = Experiment(stimuli, Record("IT")), brainmark.load_model(name)
    near = subject.perform(experiment).values
    with pretend_devices() as devices, compute_on("pretended:1"):
        far = subject.perform(experiment).values
    assert devices.done["pretended:1"] and not devices.done["pretended:0"]
    np.testing.assert_allclose(far, near, rtol=0, atol=1e-5 * np.abs(near).max())


# --- memory ----------------------------------------------------------------------------------------------------------


class Crowded(nn.Module):
    """A network for which the memory of its device is too small if more than `most` stimuli pass together."""

    def __init__(self, most: int, message: str = "") -> None:
        super().__init__()
        self.layer, self.most, self.message, self.seen = nn.Linear(4, 3), most, message, list[int]()

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        self.seen.append(len(x))
        if len(x) > self.most:
            raise RuntimeError(self.message) if self.message else torch.OutOfMemoryError("CUDA out of memory.")
        return self.layer(x)


MEDIA = np.random.default_rng(0).random((32, 4), dtype=np.float32)


@pytest.mark.parametrize("message", ["", "MPS backend out of memory (MPS allocated: 9 GB)"], ids=["cuda", "mps"])
def test_a_batch_that_does_not_fit_on_a_device_is_halved(message: str):
    """The run ended, although half of the batch would have fitted."""
    network = Crowded(8, message)
    wanted = Extractor(network, batch=8)(MEDIA, ["layer"])["layer"]
    with pretend_devices(), compute_on("pretended:1"), gather_notes() as notes:
        found = Extractor(network, batch=16)(MEDIA, ["layer"])["layer"]
    np.testing.assert_allclose(found, wanted, atol=1e-6)
    assert list(notes) == ["the memory of pretended:1 ran out: 8 stimuli were shown at a time, not 16"]


def test_it_is_halved_once_and_then_a_failure_of_resources():
    network = Crowded(3)
    with pretend_devices(), compute_on("pretended:1"), pytest.raises(ResourceError, match="ran out with 8 stimuli"):
        Extractor(network, batch=16)(MEDIA, ["layer"])
    assert [n for n in network.seen if n > 3] == [16, 8]


def test_batches_are_planned_for_the_memory_of_the_device(monkeypatch: pytest.MonkeyPatch):
    network = nn.Sequential(nn.Linear(4, 2**16), nn.Linear(2**16, 3))
    room = {"cpu": 2**40, "pretended": 2**23}
    monkeypatch.setattr(extract, "available_memory", lambda device=None: room["cpu" if device is None else device.type])
    with pretend_devices(), compute_on("pretended:1"):
        assert (
            Extractor(network).plan(MEDIA, ["1"]).batch < 8 < Extractor(network, device="cpu").plan(MEDIA, ["1"]).batch
        )
        room["pretended"] = 2**10
        with pytest.raises(ResourceError, match="of the memory of pretended:1 are free; take 'cpu'"):
            Extractor(network).plan(MEDIA, ["1"])


def test_texts_that_do_not_fit_together_are_read_apart():
    """What ran out was taken for a fault of the model."""
    subject = brainmark.load_model("tiny-gpt")
    stimuli = Stimuli(
        "texts",
        "text",
        pd.DataFrame({"text": list("abcdefgh"), "context": range(8)}, pd.Index(list("abcdefgh"), name="stimulus_id")),
    )
    experiment = Experiment(stimuli, Record("language_system"))
    near, most = subject.perform(experiment), [2]

    def refuse(_: nn.Module, __: Any, options: dict[str, Any]) -> None:
        if len(options["input_ids"]) > most[0]:
            raise torch.OutOfMemoryError("CUDA out of memory.")

    handle = subject.module.register_forward_pre_hook(refuse, with_kwargs=True)
    try:
        with pretend_devices(), compute_on("pretended:1"), gather_notes() as notes:
            np.testing.assert_allclose(subject.perform(experiment).values, near.values, rtol=1e-5, atol=1e-5)
            assert notes and all("memory ran out: tiny-gpt read" in one for one in notes)
            most[0] = 0
            with pytest.raises(ResourceError, match="memory ran out"):
                subject.perform(experiment)
    finally:
        handle.remove()


def test_a_metric_that_does_not_fit_on_a_device_is_computed_on_the_cpu():
    class Knows:
        identifier = "knows"

        def perform(self, experiment: Experiment) -> xr.DataArray:
            return make_benchmark().target.copy()

    near = brainmark.score(Knows(), make_benchmark(), cache=False)
    with pretend_devices(largest=100):
        far = brainmark.score(Knows(), make_benchmark(), cache=False, device="pretended:1")
    assert far.value == pytest.approx(near.value, abs=1e-12)
    note = "the metric 'ridge' was computed on the CPU, since it does not fit into the memory of pretended:1"
    assert set(far.notes) - set(near.notes) == {note}
