"""Order, groups, colour and mean of the leaderboard."""

from __future__ import annotations

import pytest

from brainmark.analysis.leaderboard import NO_REGION, arrange
from brainmark.core.cards import BenchmarkCard
from brainmark.core.score import ControlScore, Failure, Score

CITE = "@misc{k, title = {t}}"


def card(region: str, simulated: bool = False) -> BenchmarkCard:
    return BenchmarkCard(
        summary="s", licence="l", cite=CITE, domain="vision", species=("macaque",), region=region, parent=region,
        datasets=("d",), metric="m", simulated=simulated,
    )  # fmt: skip


def score(model: str, benchmark: str, value: float, ceiling: float | None = 0.5, **controls: float) -> Score:
    made = {n: ControlScore(v, v) for n, v in controls.items()}
    return Score(benchmark, model, value, value, ceiling, None, controls=made)


def test_columns_follow_the_hierarchy_and_simulated_ones_come_last():
    cards = {"a": card("IT"), "b": card("V1"), "c": card("V4", True), "d": card("arcuate"), "f": card("V4")}
    board = arrange([score("m", b, 0.1) for b in "abcdef"], cards)
    assert [c.name for c in board.columns] == ["b", "f", "a", "d", "e", "c"]
    assert board.groups == (("V1", 1), ("V4", 1), ("IT", 1), ("arcuate", 1), (NO_REGION, 1), ("V4 (simulated)", 1))


def test_mean_leaves_out_simulated_raw_and_missing_and_orders_by_coverage():
    cards = {"real": card("V1"), "other": card("V4"), "fake": card("V4", True), "raw": card("V1")}
    outcomes = [
        score("whole", "real", 0.2), score("whole", "other", 0.4), score("whole", "fake", 0.9),
        score("whole", "raw", 9.0, ceiling=None),
        score("half", "real", 0.8), Failure("other", "half", "model", "why"),
        score("better", "real", 0.3), score("better", "other", 0.5),
        score("nothing", "fake", 1.0),
    ]  # fmt: skip
    board = arrange(outcomes, cards)
    assert board.counted == 2
    assert [(r.model, r.known) for r in board.rows] == [("better", 2), ("whole", 2), ("half", 1), ("nothing", 0)]
    assert [r.mean for r in board.rows] == [pytest.approx(0.4), pytest.approx(0.3), 0.8, None]


@pytest.mark.parametrize(
    ("value", "floor", "heat", "beaten"),
    [(0.6, 0.2, 0.5, False), (0.2, 0.2, 0.0, True), (0.1, 0.2, 0.0, True), (1.3, 0.2, 1.0, False),
     (0.6, -0.2, 2 / 3, False)],
)  # fmt: skip
def test_colour_runs_from_the_best_control_to_the_ceiling(value, floor, heat, beaten):
    cell = arrange([score("m", "b", value, shuffled=floor - 0.1, pixels=floor)], {}).rows[0].cells[0]
    assert cell.heat == pytest.approx(heat)
    assert cell.beaten is beaten


def test_no_colour_without_a_place_between_control_and_ceiling():
    cells = [
        arrange([outcome], {}).rows[0].cells[0]
        for outcome in (
            score("m", "b", 0.6, ceiling=None), score("m", "b", 0.6, pixels=1.0), score("m", "b", -2.0, ceiling=-0.1),
            Failure("b", "m", "model", "why"),
        )
    ]  # fmt: skip
    assert [c.heat for c in cells] == [None] * 4
    assert [c.mark for c in cells] == ["raw", "", "unusable ceiling", ""]
    assert [c.is_failure for c in cells] == [False, False, False, True]
