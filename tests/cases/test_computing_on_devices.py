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
from brainmark.core.devices import compute_on, in_use  # noqa: E402
from brainmark.core.errors import UnknownName  # noqa: E402
from brainmark.core.score import Score  # noqa: E402
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
