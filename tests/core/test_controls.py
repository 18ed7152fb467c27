"""The control in which a model's twin with random weights stands in for it; targets of groups and of runs."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pandas as pd
import pytest
import xarray as xr

from brainmark.core import (
    Benchmark,
    BenchmarkCard,
    Control,
    Experiment,
    InvalidMeasurement,
    ModelCard,
    NotApplicable,
    Prefer,
    Read,
    Stimuli,
    models,
    shuffled,
    untrained_twin,
)
from brainmark.core import controls as module
from brainmark.core.registry import Entry
from brainmark.metrics.behavior.choices import accuracy
from brainmark.metrics.behavior.judgements import judgement_correlation

CITE = "@article{a, title = {T}, year = {2000}}"
CARD = BenchmarkCard(
    summary="s", licence="MIT", cite=CITE, domain="language", species=("human",), region="behavior", parent="behavior",
    datasets=("D",), metric="judgement_correlation",
)  # fmt: skip
COUNT = 24
TEXTS = Stimuli(
    "words",
    "text",
    pd.DataFrame({"stimulus_id": [f"w{k}" for k in range(COUNT)], "text": [f"w{k}" for k in range(COUNT)]}),
)
TIMES = xr.DataArray(
    np.random.default_rng(0).normal(size=COUNT),
    dims="presentation",
    coords={"stimulus_id": ("presentation", TEXTS.ids)},
)


@dataclass
class Reader:
    """Reads with so much noise, and counts how often it was asked."""

    identifier: str
    noise: float
    asked: int = 0

    def perform(self, experiment: Experiment) -> xr.DataArray:
        self.asked += 1
        times = TIMES + self.noise * np.random.default_rng(1).normal(size=COUNT)
        return times.assign_coords(stimulus_id=("presentation", experiment.stimuli.ids))


MODEL_CARD = ModelCard(summary="s", licence="MIT", cite=CITE, domain="language", family="f", regions=())


@pytest.fixture
def twin() -> Iterator[Reader]:
    """The model ``known`` has an untrained twin, and ``other`` has none."""
    untrained = Reader("known:random", 5.0)

    def find(name: str) -> Entry[Any, ModelCard] | None:
        return Entry("model", name, lambda: untrained, MODEL_CARD) if name == "known:random" else None

    models._finders.insert(0, find)  # pyright: ignore[reportPrivateUsage]  # before those that refuse unknown twins
    module._TWINS.clear()  # pyright: ignore[reportPrivateUsage]
    yield untrained
    models._finders.remove(find)  # pyright: ignore[reportPrivateUsage]


def benchmark(*controls: Control) -> Benchmark:
    return Benchmark("B-x", CARD, Experiment(TEXTS, Read("surprisal")), TIMES, judgement_correlation(), None, controls)


def test_the_twin_answers_in_the_place_of_the_model(twin: Reader) -> None:
    score = benchmark(untrained_twin(), shuffled())(Reader("known", 0.1))
    assert set(score.controls) == {"untrained twin", "shuffled"}
    expected = np.corrcoef(twin.perform(benchmark().experiment).values, TIMES.values)[0, 1]
    assert score.controls["untrained twin"].raw == pytest.approx(expected)
    assert score.raw > score.controls["untrained twin"].raw


def test_the_twin_is_asked_once_for_the_same_experiment(twin: Reader) -> None:
    for _ in range(3):
        benchmark(untrained_twin())(Reader("known", 0.1))
    assert twin.asked == 1
    other = replace(benchmark(untrained_twin()), experiment=Experiment(TEXTS, Read("reading_time")))
    other(Reader("known", 0.1))
    assert twin.asked == 2


def test_the_twin_is_asked_again_about_the_same_texts_under_other_names(twin: Reader) -> None:
    ids = [f"again-{k}" for k in range(COUNT)]
    renamed = Stimuli("words", "text", TEXTS.table.set_axis(pd.Index(ids, name="stimulus_id")))
    first = benchmark(untrained_twin())
    target = TIMES.assign_coords(stimulus_id=("presentation", ids))
    second = replace(first, experiment=Experiment(renamed, Read("surprisal")), target=target)
    assert second.experiment.digest == first.experiment.digest
    scores = [asked(Reader("known", 0.1)) for asked in (first, second)]
    assert twin.asked == 2
    assert scores[0].controls["untrained twin"].raw == pytest.approx(scores[1].controls["untrained twin"].raw)


@pytest.mark.parametrize("name", ["other", "known:random", "known:random=3", ""])
def test_who_has_no_twin_is_scored_without(twin: Reader, name: str) -> None:
    assert set(benchmark(untrained_twin(), shuffled())(Reader(name, 0.1)).controls) == {"shuffled"}
    assert twin.asked == 0


def test_a_control_that_does_not_apply_is_left_out_and_one_that_fails_is_not(twin: Reader) -> None:
    def refuse(*_: object) -> Any:
        raise NotApplicable("not here")

    def fail(*_: object) -> Any:
        raise InvalidMeasurement("broken")

    assert benchmark(Control("refusing", refuse, per_model=True))(Reader("known", 0.1)).controls == {}
    with pytest.raises(InvalidMeasurement, match="broken"):
        benchmark(Control("failing", fail, per_model=True))(Reader("known", 0.1))


def test_targets_of_groups_have_one_presentation_a_group() -> None:
    ids = TEXTS.ids[::2]
    shares = np.eye(2)[np.arange(len(ids)) % 2]
    coords = {
        "stimulus_id": ("presentation", ids),
        "label": ("presentation", np.arange(len(ids)) % 2),
        "choice": np.arange(2),
    }
    target = xr.DataArray(shares, dims=("presentation", "choice"), coords=coords)
    made = Benchmark("B-p", CARD, Experiment(TEXTS, Prefer(2)), target, accuracy(resamples=0))
    assert made.metric(target, made.target).aggregate() == 1.0
    with pytest.raises(InvalidMeasurement, match="12 presentations do not match 24 stimuli"):
        Benchmark("B-p", CARD, Experiment(TEXTS, Read("surprisal")), target, accuracy())


def test_targets_of_a_run_need_no_presentations() -> None:
    start = 2000.0 * np.arange(5)
    run = xr.DataArray(
        np.ones((5, 1)),
        dims=("time_bin", "neuroid"),
        coords={
            "time_bin_start": ("time_bin", start),
            "time_bin_end": ("time_bin", start + 2000),
            "neuroid_id": ("neuroid", ["n"]),
            "region": ("neuroid", ["LIFG"]),
        },
    )
    made = Benchmark("B-r", CARD, Experiment(TEXTS, Read("surprisal")), run, judgement_correlation())
    assert made.target.sizes["time_bin"] == 5
