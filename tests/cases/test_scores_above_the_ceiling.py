"""A score whose whole interval is above the ceiling is marked: no model predicts data better than they do."""

from __future__ import annotations

import io
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import xarray as xr
from rich.console import Console

import brainmark
from brainmark.analysis.report import write_report
from brainmark.analysis.table import make_markdown
from brainmark.cli.tables import make_leaderboard
from brainmark.core import Benchmark, BenchmarkCard, Comparison, Experiment, Record, Stimuli, metrics
from brainmark.core.score import ABOVE_CEILING, Score, make_score

IDS = [f"image-{i}" for i in range(40)]
CARD = BenchmarkCard(
    summary="toy", licence="MIT", cite="@misc{toy, title = {Toy}}", domain="vision", species=("none",), region="IT",
    parent="IT", datasets=("toy",), metric="ridge", simulated=True,
)  # fmt: skip


class Spy:
    """A model that has read the responses, noise and all, that it is compared with."""

    identifier = "spy"

    def __init__(self, benchmark: Benchmark) -> None:
        self.known = benchmark.mean_target

    def perform(self, experiment: Experiment) -> xr.DataArray:
        return self.known.copy()


class Truth(Spy):
    """A model that knows what was behind the responses."""

    identifier = "truth"

    def perform(self, experiment: Experiment) -> xr.DataArray:
        return self.known.copy(data=draw_signal())


def draw_signal() -> np.ndarray:
    return np.random.default_rng(0).standard_normal((len(IDS), 6))


@pytest.fixture(scope="module")
def benchmark() -> Benchmark:
    trials = draw_signal() + 1.2 * np.random.default_rng(1).standard_normal((4, len(IDS), 6))
    names = {"neuroid_id": ("neuroid", list("abcdef")), "region": ("neuroid", ["IT"] * 6), "repetition": range(4)}
    target = xr.DataArray(
        trials, dims=("repetition", "presentation", "neuroid"), coords={"stimulus_id": ("presentation", IDS), **names}
    )
    stimuli = Stimuli("toy", "text", pd.DataFrame({"text": IDS}, pd.Index(IDS, name="stimulus_id")))
    options: dict[str, Any] = {"resamples": 100}
    ceiling = metrics["ridge"].ceiling(target, **options)  # pyright: ignore
    made = metrics["ridge"].load(**options)
    return Benchmark("Toy2001.IT-ridge", CARD, Experiment(stimuli, Record("IT")), target, made, ceiling)


def test_a_model_that_read_the_responses_is_marked_in_all_tables(benchmark: Benchmark, tmp_path: Path):
    """It got 1.2 with an interval above 1, and stood first without a word."""
    spy = brainmark.score(Spy(benchmark), benchmark, cache=False)
    assert spy.value > 1.1 and spy.interval and spy.interval[0] > 1
    assert spy.above_ceiling
    assert [note for note in spy.notes if note.startswith(ABOVE_CEILING) and "may have read these responses" in note]
    console = Console(width=160, record=True, file=io.StringIO())
    console.print(make_leaderboard([spy]))
    shown = console.export_text()
    assert "> ceiling" in shown and ABOVE_CEILING in shown
    assert " > ceiling<br>" in make_markdown([], [spy], {spy.benchmark: CARD})
    page = write_report([spy], tmp_path / "report.html", title="toy", cards={}, where_from={}).read_text("utf-8")
    assert page.count('<small class="mark">&gt; ceiling</small>') == 2  # in the leaderboard, and among the scores


def test_the_true_model_is_not(benchmark: Benchmark):
    truth = brainmark.score(Truth(benchmark), benchmark, cache=False)
    assert not truth.above_ceiling
    assert not [note for note in truth.notes if note.startswith(ABOVE_CEILING)]


@pytest.mark.parametrize(
    ("changes", "above"),
    [({}, True), ({"interval": (0.99, 1.4)}, False), ({"interval": None}, False), ({"ceiling": None}, False)],
    ids=["all of it", "not all of it", "no interval", "no ceiling"],
)
def test_what_counts_is_the_lower_end(changes: dict[str, Any], above: bool):
    assert replace(Score("b", "m", 1.2, 0.9, 0.75, (1.01, 1.4)), **changes).above_ceiling is above


def test_without_an_interval_nothing_is_said():
    """As of published conventions, whose values have none."""
    raw, top = (Comparison(xr.DataArray(np.full(3, v), dims="neuroid")) for v in (0.9, 0.6))
    assert not make_score("b", "m", raw, top, {}).notes
