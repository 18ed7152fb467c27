"""Outcomes of an older state are told apart: what they depend on, and the code and libraries that made them."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from brainmark.core import Failure, Score, registry
from brainmark.core.score import Stamp
from brainmark.run import stale
from brainmark.run.scoring import GivenBenchmark, GivenModel, add_code, depend_on
from brainmark.run.stale import Present, explain_stamp
from brainmark.run.stamp import code_digest
from brainmark.store.database import close_databases
from brainmark.store.queries import list_latest
from brainmark.store.results import BEFORE, ResultStore

BENCHMARK = "Cowley2023.V4-ridge"
STAMP = Stamp(
    created="2026-11-30T10:00:00+00:00", brainmark="0.1.0", commit=None, code=code_digest(), python="3.11",
    packages={"numpy": "0.9"}, hardware={}, experiment="", target="", model="", seed=0, seconds=1.0, peak_memory=1,
)  # fmt: skip


@pytest.fixture
def store(tmp_path: Path):
    yield ResultStore.open(f"sqlite:///{tmp_path / 'scores.sqlite'}")
    close_databases()


def keep(store: ResultStore, model: str = "pixels") -> None:
    depends_on = depend_on(GivenModel("pixels"), GivenBenchmark(BENCHMARK))
    assert depends_on
    store.put(depends_on, Score(BENCHMARK, model, 0.5, 0.4, 0.8, (0.4, 0.6), stamp=STAMP))


def rows(store: ResultStore):
    return list_latest(store, records=True)


def test_a_score_of_today_is_not_older(store: ResultStore) -> None:
    keep(store)
    (row,) = rows(store)
    assert Present().is_older(row) is False
    assert Present().explain(row) == ()


def test_a_raised_version_makes_scores_older_and_is_told(store: ResultStore, monkeypatch: pytest.MonkeyPatch) -> None:
    keep(store)
    entry = registry.metrics["ridge"]
    raised = replace(entry, card=entry.card.model_copy(update={"version": 9}))
    monkeypatch.setitem(registry.metrics._entries, "ridge", raised)
    (row,) = rows(store)
    assert Present().is_older(row) is True
    assert Present().explain(row) == (f"metric ridge: version was {entry.card.version}, now 9",)


def test_scores_in_another_precision_are_no_older(store: ResultStore) -> None:
    depends_on = depend_on(GivenModel("pixels"), GivenBenchmark(BENCHMARK))
    assert depends_on
    store.put(depends_on | {"recording: precision": "bfloat16"}, Score(BENCHMARK, "pixels", 0.5, 0.4, 0.8, None))
    (row,) = rows(store)
    assert Present().is_older(row) is False


def test_rows_of_before_are_history_and_break_nothing(store: ResultStore) -> None:
    """Their key held a digest of all code, so that it cannot be known which of them would be the same today."""
    former = {"model pixels": "1" * 64, "code of brainmark": "3" * 64, "numpy": "2.0"}
    store.put(former, Score(BENCHMARK, "pixels", 0.5, 0.4, 0.8, (0.4, 0.6), stamp=STAMP))
    (row,) = rows(store)
    assert Present().is_older(row) is True
    assert Present().explain(row) == (BEFORE,)
    keep(store)
    (row,) = rows(store)
    assert Present().is_older(row) is False, "the newest row is the present score"
    assert len(rows(store)) == 1


def test_what_is_not_known_is_not_called_older(store: ResultStore) -> None:
    keep(store, model="a-model-of-others")
    store.put({"published by X": "t.csv"}, Score(BENCHMARK, "pixels", 0.5, 0.4, 0.8, None), source="X")
    store.put({"a": "1"}, Failure("Nowhere.V4-ridge", "pixels", "model", "no"))
    store.put({"a": "1"}, Failure(BENCHMARK, "some_module_here:make", "model", "no"))
    assert {row.model: Present().is_older(row) for row in rows(store)} == {
        "a-model-of-others": None, "pixels": None, "some_module_here:make": None,
    }  # fmt: skip


def test_older_code_and_libraries_are_told(store: ResultStore, monkeypatch: pytest.MonkeyPatch) -> None:
    keep(store)
    (row,) = rows(store)
    monkeypatch.setattr(stale, "versions", lambda: {"numpy": "0.9", "torch": "2"})
    assert explain_stamp(row) == ()
    monkeypatch.setattr(stale, "versions", lambda: {"numpy": "1.0", "torch": "2"})
    assert explain_stamp(row) == ("numpy was 0.9, now 1.0",)
    monkeypatch.setattr(stale, "code_digest", lambda: "0" * 64)
    code = f"code of brainmark was {code_digest()[:12]}…, now 000000000000…"
    assert explain_stamp(row) == (code, "numpy was 0.9, now 1.0")
    assert Present().explain(row) == (), "such a score still holds"


def test_a_failure_of_today_is_not_older_and_one_of_other_code_is(
    store: ResultStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    depends_on = depend_on(GivenModel("pixels"), GivenBenchmark(BENCHMARK))
    assert depends_on
    store.put(add_code(depends_on), Failure(BENCHMARK, "pixels", "not_applicable", "it has no neurons"))
    (row,) = rows(store)
    assert Present().is_older(row) is False
    monkeypatch.setattr("brainmark.run.scoring.code_digest", lambda: "another")
    assert Present().is_older(row) is True
    assert [told for told in Present().explain(row) if told.startswith("code was")]
