"""Means at nodes, against sums done by hand."""

from __future__ import annotations

import math

import pytest

from brainmark.analysis.hierarchy import node_scores
from brainmark.core import BenchmarkCard
from brainmark.core.score import ControlScore, Failure, Score
from brainmark.core.tree import tree

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


def made(benchmark: str, value: float, half: float | None = 0.1, ceiling: float | None = 0.8, control: float = 0.0):
    interval = None if half is None else (value - half, value + 2 * half)
    return Score(benchmark, "m", value, value, ceiling, interval, controls={"shuffled": ControlScore(control, control)})


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
    assert scores[V4, "m"].says() == "3 of 3 benchmarks"


def test_errors_add_within_data_and_are_independent_between():
    scores = node_scores(ROOTS, FULL, CARDS)
    assert scores[(*V4, "A2001"), "m"].interval == pytest.approx((0.4, 0.7))  # as wide as one alone
    side = math.sqrt(0.05**2 + 0.05**2)
    assert scores[V4, "m"].interval == pytest.approx((0.7 - side, 0.7 + 2 * side))


def test_a_dataset_shared_by_two_studies_joins_their_errors():
    cards = {**CARDS, "B2002.V4-pls": card("V4", "A")}
    scores = node_scores(tree(cards), FULL, cards)
    assert scores[V4, "m"].interval == pytest.approx((0.6, 0.9))


def test_what_is_missing_is_counted_by_reason_and_never_zero():
    outcomes = [
        FULL[0],
        Failure("A2001.V4-rdm", "m", "not_applicable", "no such region"),
        Failure("B2002.V4-pls", "m", "resource", "out of memory"),
    ]
    scores = node_scores(ROOTS, outcomes, CARDS)
    assert scores[V4, "m"].value == pytest.approx(0.4)
    assert scores[V4, "m"].says() == "1 of 3 benchmarks, 1 not applicable, 1 failed (resource)"
    assert not scores[V4, "m"].complete
    it = scores[(*V4[:2], "IT"), "m"]
    assert (it.value, it.interval, it.control, it.says()) == (None, None, None, "0 of 1 benchmark, 1 not run")
    assert scores[("average_vision",), "m"].to_dict()["missing"] == {
        "not applicable": 1, "failed (resource)": 1, "not run": 1,
    }  # fmt: skip


def test_raw_values_count_in_engineering_alone():
    raw = [made("C2003.IT-pls", 0.3, ceiling=None), made("D2004-top1", 0.7, ceiling=None, half=None)]
    scores = node_scores(ROOTS, raw, CARDS)
    assert scores[("average_vision",), "m"].value is None
    assert scores[("average_vision",), "m"].missing == {"not run": 3, "without a ceiling": 1}
    assert scores[("engineering_vision",), "m"].value == pytest.approx(0.7)
    assert scores[("engineering_vision",), "m"].interval is None


def test_one_benchmark_without_an_interval_leaves_the_mean_without():
    scores = node_scores(ROOTS, [*FULL[:2], made("B2002.V4-pls", 0.9, half=None)], CARDS)
    assert scores[V4, "m"].interval is None
    assert scores[(*V4, "A2001"), "m"].interval is not None


def test_the_report_shows_means_at_nodes_and_what_is_missing():
    from brainmark.analysis.report import render_report

    outcomes = [*FULL[:2], Failure("B2002.V4-pls", "m", "not_applicable", "no such region")]
    page = render_report(outcomes, cards=CARDS)
    table = page[page.index('<section id="tree"') : page.index('<section id="reading"')]
    assert "neural_<wbr>vision" in table
    assert "0.500<small>[0.400, 0.700]</small>" in table
    assert "2 of 3 benchmarks, 1 not applicable" in table
    assert '<section id="tree"' not in render_report(outcomes, cards={})
