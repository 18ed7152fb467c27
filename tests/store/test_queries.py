from __future__ import annotations

from dataclasses import replace

import pytest
from sqlalchemy import update

from brainmark.core import DataError, Score
from brainmark.core.score import Failure, Stamp
from brainmark.store.queries import Wanted, explain_change, list_history, list_latest
from brainmark.store.results import ResultStore
from brainmark.store.schema import scores

STAMP = Stamp("2026-11-02T10:00:00+00:00", "0.1", None, "c0de", "3.11", {}, {}, "e", "t", "m", 0, 1.5, 1000)


def scored(model: str, benchmark: str, value: float, day: int = 2) -> Score:
    stamp = replace(STAMP, created=f"2026-11-{day:02d}T10:00:00+00:00")
    return Score(benchmark, model, value, value / 2, 0.5, (value - 0.1, value + 0.1), stamp=stamp)


@pytest.fixture
def filled(store: ResultStore) -> ResultStore:
    store.put({"code": "1"}, scored("resnet-18", "V4", 0.3, 2))
    store.put({"code": "1"}, scored("gabor", "V4", 0.4, 2))
    store.put({"code": "1"}, Failure("V4", "hmax", "model", "it is broken"))
    store.put({"code": "1"}, Failure("V4", "gpt", "not_applicable", "it has no eyes"))
    store.put({"code": "1"}, scored("resnet-18", "IT", 0.6, 3))
    store.put({"code": "2", "numpy": "2.1"}, scored("resnet-18", "V4", 0.35, 5))
    store.put({}, scored("resnet-18", "V4", 0.9, 1), source="Someone 2020", convention="brainscore")
    return store


def names(rows) -> list[tuple[str, str, float | None]]:
    return [(row.benchmark, row.model, row.value) for row in rows]


def test_the_present_table_holds_the_newest_of_each_by_benchmark_and_value(filled: ResultStore) -> None:
    assert names(list_latest(filled, Wanted(sources=["measured"]))) == [
        ("IT", "resnet-18", 0.6), ("V4", "gabor", 0.4), ("V4", "resnet-18", 0.35),
        ("V4", "gpt", None), ("V4", "hmax", None),
    ]  # fmt: skip


def test_published_scores_stand_beside_those_that_were_measured(filled: ResultStore) -> None:
    rows = list_latest(filled, Wanted(models=["resnet*"], benchmarks=["V4"]))
    assert [(r.source, r.convention, r.value) for r in rows] == [
        ("Someone 2020", "brainscore", 0.9),
        ("measured", "", 0.35),
    ]


def test_patterns_statuses_and_days_choose(filled: ResultStore) -> None:
    mine = Wanted(sources=["measured"])
    assert names(list_latest(filled, replace(mine, models=["h*", "gpt"], statuses=["failed"]))) == [
        ("V4", "hmax", None)
    ]
    assert names(list_latest(filled, replace(mine, benchmarks=["[IV]T"]))) == [("IT", "resnet-18", 0.6)]
    as_of = replace(mine, models=["resnet-18"], as_of="2026-11-03")
    assert names(list_latest(filled, as_of)) == [("IT", "resnet-18", 0.6), ("V4", "resnet-18", 0.3)]
    assert names(list_latest(filled, replace(as_of, as_of="2026-11-02"))) == [("V4", "resnet-18", 0.3)]
    assert list_latest(filled, replace(mine, models=["no such"])) == []
    with pytest.raises(DataError, match="unknown status 'done'; it is one of scored"):
        Wanted(statuses=["done"])


def test_the_history_says_why_a_score_moved(filled: ResultStore) -> None:
    rows = [row for row in list_history(filled, "resnet-18", "V4") if row.source == "measured"]
    assert [row.value for row in rows] == [0.3, 0.35]
    assert explain_change(*rows) == ("code was 1, now 2", "numpy was absent, now 2.1")


def test_a_row_that_was_edited_is_left_out_of_tables(filled: ResultStore) -> None:
    with filled.engine.begin() as connection:
        connection.execute(update(scores).where(scores.c.model == "gabor").values(value=1.97))
    with pytest.warns(UserWarning, match="damaged or was changed: 'gabor' on 'V4'"):
        assert "gabor" not in [row.model for row in list_latest(filled)]
