"""Means at nodes, against sums done by hand."""

from __future__ import annotations

import functools
import math
from dataclasses import replace

import numpy as np
import pytest
import xarray as xr

from brainmark.analysis.hierarchy import node_scores
from brainmark.core import BenchmarkCard, Comparison
from brainmark.core.score import ControlScore, Failure, Score, interval_of, make_score
from brainmark.core.tree import tree
from brainmark.metrics.statistics.resampling import draws

CITE = "@article{a, title = {T}, year = {2000}}"


def card(parent: str, dataset: str) -> BenchmarkCard:
    return BenchmarkCard(
        summary="s", licence="MIT", cite=CITE, parent=parent, domain="vision", species=("macaque",), region=parent,
        metric="pls", datasets=(dataset,),
    )  # fmt: skip


CARDS = {
    "A2001.V4-pls": card("V4", "A"),
    "A2001.V4-rdm": card("V4", "A"),
    "B2002.V4-pls": card("V4", "B"),
    "C2003.IT-pls": card("IT", "C"),
    "D2004-top1": card("engineering", "D"),
}
ROOTS = tree(CARDS)
V4 = ("average_vision", "neural_vision", "V4")


NORMAL = np.random.default_rng(0).normal(size=(3, 2000))


def made(
    benchmark: str,
    value: float,
    errors: np.ndarray | None = NORMAL[0],
    ceiling: float | None = 0.8,
    control: float = 0.0,
    spread: float = 0.1,
) -> Score:
    """A score with draws of a known spread."""
    drawn = None if errors is None else value + spread * (errors - np.median(errors))
    interval = None if drawn is None else interval_of(drawn, value)
    controls = {"shuffled": ControlScore(control, control)}
    return Score(benchmark, "m", value, value, ceiling, interval, controls=controls, draws=drawn)


def width(interval: tuple[float, float] | None) -> float:
    assert interval is not None
    return interval[1] - interval[0]


FULL = [
    made("A2001.V4-pls", 0.4, control=0.1),
    made("A2001.V4-rdm", 0.6, control=0.3),
    made("B2002.V4-pls", 0.9, control=0.2),
    made("C2003.IT-pls", 0.3, control=0.5),
]


def test_studies_average_over_metrics_first_and_regions_over_studies():
    scores = node_scores(ROOTS, FULL, CARDS)
    assert scores[(*V4, "A2001"), "m"].value == pytest.approx(0.5)
    assert scores[V4, "m"].value == pytest.approx((0.5 + 0.9) / 2)
    assert scores[("average_vision",), "m"].value == pytest.approx((0.7 + 0.3) / 2)
    assert scores[V4, "m"].control == pytest.approx((0.2 + 0.2) / 2)
    assert scores[(*V4[:2], "IT"), "m"].beaten
    assert not scores[V4, "m"].beaten
    assert scores[V4, "m"].complete
    assert scores[V4, "m"].describe() == "3 of 3 benchmarks"


def test_errors_of_one_draw_go_together_as_far_as_they_do_in_the_data():
    alone = width(FULL[0].interval)
    a2001 = (*V4, "A2001")
    scores = node_scores(ROOTS, FULL, CARDS)
    assert scores[a2001, "m"].interval == pytest.approx((0.5 - 0.196, 0.5 + 0.196), abs=0.01)  # the same errors
    assert width(scores[a2001, "m"].interval) == pytest.approx(alone)
    opposite = [FULL[0], made("A2001.V4-rdm", 0.6, -NORMAL[0])]
    assert width(node_scores(ROOTS, opposite, CARDS)[a2001, "m"].interval) == pytest.approx(0, abs=1e-12)
    other = [FULL[0], made("A2001.V4-rdm", 0.6, NORMAL[1])]
    assert width(node_scores(ROOTS, other, CARDS)[a2001, "m"].interval) == pytest.approx(alone / math.sqrt(2), rel=0.05)


def test_errors_of_different_data_are_independent_whatever_their_draws():
    scores = node_scores(ROOTS, FULL, CARDS)  # all hold the very same draws
    assert width(scores[V4, "m"].interval) == pytest.approx(width(FULL[0].interval) / math.sqrt(2), rel=0.05)


def test_a_dataset_shared_by_two_studies_joins_their_errors():
    cards = {**CARDS, "B2002.V4-pls": card("V4", "A")}
    scores = node_scores(tree(cards), FULL, cards)
    assert width(scores[V4, "m"].interval) == pytest.approx(width(FULL[0].interval))


def test_a_node_with_one_benchmark_has_its_interval():
    scores = node_scores(ROOTS, FULL, CARDS)
    assert scores[(*V4[:2], "IT"), "m"].interval == pytest.approx(FULL[3].interval)


def test_draws_that_one_score_lacks_count_for_none():
    short = made("A2001.V4-rdm", 0.6)
    short = replace(short, draws=np.where(np.arange(500) % 5 == 0, np.nan, short.draws[:500]))
    found = node_scores(ROOTS, [FULL[0], short], CARDS)[(*V4, "A2001"), "m"].interval
    kept = NORMAL[0][:500][np.arange(500) % 5 != 0]
    assert width(found) == pytest.approx(0.1 * np.ptp(np.percentile(kept, [2.5, 97.5])), rel=1e-6)


@functools.cache
def simulated_intervals() -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Over simulated experiments: node minus truth (0), lower and upper end of its interval, and of full sharing.

    Study A2001 has two metrics of the same stimuli and neuroids, whose stimulus effects correlate by -.6 and whose
    neuroid effects by .8; B2002 has its own.
    """
    generator = np.random.default_rng(1)
    stimuli, neuroids, rows = 60, 40, []
    counts = draws(stimuli, 300) / stimuli
    root = [np.linalg.cholesky([[1, r], [r, 1]]) for r in (-0.6, 0.8)]
    names = {n: [f"{n}{i}" for i in range(neuroids)] for n in "AB"}

    def score(benchmark: str, study: str, table: np.ndarray) -> Score:
        one = xr.DataArray(table.mean(axis=0), dims="neuroid", coords={"neuroid_id": ("neuroid", names[study])})
        return make_score(benchmark, "m", Comparison(one, replicates=counts @ table, center="mean"), PERFECT, {})

    for _ in range(400):
        of_stimuli = root[0] @ generator.normal(size=(2, stimuli))
        of_neuroids = root[1] @ generator.normal(size=(2, neuroids))
        a = 1 + of_stimuli[:, :, None] + of_neuroids[:, None, :] + generator.normal(size=(2, stimuli, neuroids))
        b = 1 + generator.normal(size=(stimuli, 1)) + generator.normal(size=(1, neuroids))
        outcomes = [score("A2001.V4-pls", "A", a[0]), score("A2001.V4-rdm", "A", a[1]), score("B2002.V4-pls", "B", b)]
        node = node_scores(ROOTS, outcomes, CARDS)[V4, "m"]
        shared = sum(width(o.interval) for o in outcomes[:2]) / 2
        rows.append([node.value - 1, *node.interval, math.hypot(shared / 2, width(outcomes[2].interval) / 2)])
    found = np.array(rows)
    return found[:, 0], found[:, 1:3] - 1, found[:, 3]


PERFECT = Comparison(xr.DataArray([1.0], dims="whole"))


def test_intervals_of_nodes_hold_the_truth_as_often_as_they_say():
    error, ends, _ = simulated_intervals()
    covered = ((ends[:, 0] < 0) & (ends[:, 1] > 0)).mean()
    assert 0.925 <= covered <= 0.975  # two standard errors of 400 experiments about .95
    assert np.ptp(ends, axis=1).mean() == pytest.approx(2 * 1.96 * error.std(), rel=0.12)


def test_intervals_of_nodes_are_narrower_than_if_errors_were_shared_entirely():
    _, ends, shared = simulated_intervals()
    assert np.ptp(ends, axis=1).mean() < 0.92 * shared.mean()


def test_what_is_missing_is_counted_by_reason_and_never_zero():
    outcomes = [
        FULL[0],
        Failure("A2001.V4-rdm", "m", "not_applicable", "no such region"),
        Failure("B2002.V4-pls", "m", "resource", "out of memory"),
    ]
    scores = node_scores(ROOTS, outcomes, CARDS)
    assert scores[V4, "m"].value == pytest.approx(0.4)
    assert scores[V4, "m"].describe() == "1 of 3 benchmarks, 1 not applicable, 1 failed (resource)"
    assert not scores[V4, "m"].complete
    it = scores[(*V4[:2], "IT"), "m"]
    assert (it.value, it.interval, it.control, it.describe()) == (None, None, None, "0 of 1 benchmark, 1 not run")
    assert scores[("average_vision",), "m"].to_dict()["missing"] == {
        "not applicable": 1, "failed (resource)": 1, "not run": 1,
    }  # fmt: skip


def test_raw_values_count_in_engineering_alone():
    raw = [made("C2003.IT-pls", 0.3, ceiling=None), made("D2004-top1", 0.7, ceiling=None, errors=None)]
    scores = node_scores(ROOTS, raw, CARDS)
    assert scores[("average_vision",), "m"].value is None
    assert scores[("average_vision",), "m"].missing == {"not run": 3, "without a ceiling": 1}
    assert scores[("engineering_vision",), "m"].value == pytest.approx(0.7)
    assert scores[("engineering_vision",), "m"].interval is None


def test_one_benchmark_without_an_interval_leaves_the_mean_without():
    scores = node_scores(ROOTS, [*FULL[:2], made("B2002.V4-pls", 0.9, errors=None)], CARDS)
    assert scores[V4, "m"].interval is None
    assert scores[(*V4, "A2001"), "m"].interval is not None


def test_the_report_shows_means_at_nodes_and_what_is_missing():
    from brainmark.analysis.report import render_report

    outcomes = [*FULL[:2], Failure("B2002.V4-pls", "m", "not_applicable", "no such region")]
    page = render_report(outcomes, cards=CARDS)
    table = page[page.index('<section id="tree"') : page.index('<section id="reading"')]
    assert "neural_<wbr>vision" in table
    low, high = (0.5 + end - 0.4 for end in FULL[0].interval or ())  # draws of both are the same
    assert f"0.500<small>[{low:.3f}, {high:.3f}]</small>" in table
    assert "2 of 3 benchmarks, 1 not applicable" in table
    assert '<section id="tree"' not in render_report(outcomes, cards={})
