from __future__ import annotations

import json
import os
import random
import signal
import subprocess
import sys
import time
import warnings
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import xarray as xr
from sqlalchemy import delete, func, select, update

from brainmark.core import ControlScore, DataError, Score
from brainmark.core.score import Failure
from brainmark.store.database import close_databases
from brainmark.store.results import KeptCard, ResultStore, key_of
from brainmark.store.schema import arrays, cards, scores

KEY = key_of("me", "X.V4-m", "committed")
NOW = {"code": "1", "numpy": "2.0"}


@pytest.fixture
def score() -> Score:
    units = xr.Dataset({"raw": ("neuroid", [0.1, 0.2, np.nan])}, coords={"neuroid_id": ("neuroid", ["a", "b", "c"])})
    controls = {"shuffled": ControlScore(0.01, 0.008)}
    return Score("X.V4-m", "me", 0.5, 0.4, 0.8, (0.4, 0.6), units=units, controls=controls, notes=("careful",))


def count(store: ResultStore, table=scores) -> int:
    with store.engine.connect() as connection:
        return connection.execute(select(func.count()).select_from(table)).scalar_one()


def test_a_score_comes_back_whole(store: ResultStore, score: Score) -> None:
    assert store.get(KEY, NOW) is None
    drawn = replace(score, draws=np.array([0.4, np.nan, 0.6]))
    store.put(NOW, drawn)
    again = store.get(KEY, NOW)
    assert isinstance(again, Score)
    assert again.to_dict() == score.to_dict()
    np.testing.assert_array_equal(again.draws, drawn.draws)
    xr.testing.assert_identical(again.units, score.units)
    assert replace(again, value=1.0).units is not None, "a changed copy keeps its units"


def test_a_failure_comes_back_as_one(store: ResultStore) -> None:
    failures = [Failure("X", "me", "model", "it is broken"), Failure("X", "you", "not_applicable", "no V4")]
    for failure in failures:
        store.put(NOW, failure)
        assert store.get(key_of(failure.subject, "X", "committed"), NOW) == failure


def test_an_outcome_holds_as_long_as_all_is_as_it_was(store: ResultStore, score: Score) -> None:
    store.put({"code": "1"}, score)
    assert store.get(KEY, {"code": "1", "metric": "2"}) is None
    assert store.find_changes(KEY, {"code": "1", "metric": "2"}) == ("metric was absent, now 2",)
    assert store.get(KEY, {"code": "2"}) is None
    assert store.get("cd" + KEY[2:], {"code": "1"}) is None
    assert store.find_changes(KEY, {"code": "2"}) == ("code was 1, now 2",)
    assert store.find_changes(KEY, {}) == ("code was 1, now absent",)
    store.put({"code": "2"}, replace(score, value=0.7))
    newer, older = store.get(KEY, {"code": "2"}), store.get(KEY, {"code": "1"})
    assert isinstance(newer, Score) and isinstance(older, Score)
    assert (newer.value, older.value) == (0.7, 0.5)


def test_what_is_there_is_not_added_again(store: ResultStore, score: Score) -> None:
    card = KeptCard("model", "me", '{"a": 1}')
    for _ in range(3):
        store.put(NOW, score, model_card=card, benchmark_card=card)
    store.put({"code": "2"}, score, model_card=card)
    assert (count(store), count(store, arrays), count(store, cards)) == (2, 1, 1)


def test_a_score_that_succeeds_after_a_failure_is_added(store: ResultStore, score: Score) -> None:
    store.put(NOW, Failure("X.V4-m", "me", "resource", "out of memory"))
    store.put(NOW, score)
    assert isinstance(store.get(KEY, NOW), Score)
    assert count(store) == 2


def test_numbers_that_are_not_finite_are_not_kept(store: ResultStore, score: Score) -> None:
    with pytest.raises(DataError, match=r"the outcome of me on X.V4-m: a number of it is not finite"):
        store.put(NOW, replace(score, value=float("nan")))
    assert count(store) == 0


@pytest.mark.parametrize(
    ("column", "value"),
    [("value", 0.9), ("low", None), ("status", "failed"), ("benchmark", "Y"), ("key", KEY), ("created", "2001-01-01"),
     ("record_digest", "0" * 64), ("source", "elsewhere"), ("arrays", None)],
)  # fmt: skip
def test_an_edited_row_is_not_served(store: ResultStore, score: Score, column: str, value: object) -> None:
    store.put(NOW, replace(score, subject="you") if column == "key" else score)
    with store.engine.begin() as connection:
        connection.execute(update(scores).values({column: value}))
    if column == "source":  # is another score then
        assert store.get(KEY, NOW) is None
        return
    with pytest.warns(UserWarning, match=r"damaged or was changed: '.*' on '.*' \(row \d+ of the store\)"):
        assert store.get(KEY, NOW) is None


def test_an_edited_record_and_edited_units_are_not_served(store: ResultStore, score: Score) -> None:
    store.put(NOW, score)
    with store.engine.begin() as connection:
        record = connection.execute(select(scores.c.record)).scalar_one()
        connection.execute(update(scores).values(record=record.replace("0.5", "1.5")))
        content = connection.execute(select(arrays.c.content)).scalar_one()
        connection.execute(update(arrays).values(content=content[:200] + b"x" + content[201:]))
    with pytest.warns(UserWarning, match="damaged or was changed: 'me'"):
        assert store.get(KEY, NOW) is None
    with store.engine.begin() as connection:
        connection.execute(update(scores).values(record=record))
    again = store.get(KEY, NOW)
    assert isinstance(again, Score)
    with pytest.raises(DataError, match=r"the units .* of a score are damaged"):
        _ = again.units
    with store.engine.begin() as connection:
        connection.execute(update(scores).values(arrays=None))
        connection.execute(delete(arrays))
    with pytest.raises(DataError, match=r"the units .* are damaged"):
        again.draws  # noqa: B018


def test_flipped_bits_are_not_served(tmp_path: Path, score: Score) -> None:
    """Of single bits that were flipped in records, more than a third changed a number without an error."""
    path = tmp_path / "scores.sqlite"
    names = [f"model {number}" for number in range(20)]
    keys = [key_of(name, score.benchmark, "committed") for name in names]
    store = ResultStore.open(f"sqlite:///{path}")
    for name in names:
        store.put(NOW, replace(score, subject=name))
    with store.engine.connect() as connection:
        connection.exec_driver_sql("PRAGMA wal_checkpoint(TRUNCATE)")
    close_databases()
    whole, generator, right = path.read_bytes(), random.Random(0), score.to_dict()
    for trial in range(60):
        damaged = bytearray(whole)
        damaged[generator.randrange(len(damaged))] ^= 1 << generator.randrange(8)
        place = tmp_path / f"{trial}.sqlite"
        place.write_bytes(damaged)
        try:
            opened = ResultStore.open(f"sqlite:///{place}")
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                served = [outcome for key in keys if (outcome := opened.get(key, NOW))]
            assert all(outcome.to_dict() | {"subject": "me"} == right for outcome in served)
        except DataError as error:
            assert str(place) in str(error)
        close_databases()


PUT_MANY = """
import sys
from brainmark.core.score import Failure
from brainmark.store.database import close_databases
from brainmark.store.results import ResultStore
store, worker = ResultStore.open(sys.argv[1]), int(sys.argv[2])
for number in range(20):
    store.put({"code": "1"}, Failure("X", f"model {number}", "model", "no"))
    store.put({"code": "1"}, Failure("X", f"{number} of {worker}", "model", "no"))
"""


def test_processes_write_beside_each_other(url: str) -> None:
    workers = [subprocess.Popen([sys.executable, "-c", PUT_MANY, url, str(worker)]) for worker in range(1, 4)]
    assert [worker.wait(120) for worker in workers] == [0, 0, 0]
    assert count(ResultStore.open(url)) == 20 + 3 * 20


WRITER = """
import sys
from brainmark.core.score import Failure
from brainmark.store.database import close_databases
from brainmark.store.results import ResultStore
store = ResultStore.open(sys.argv[1])
for number in range(10**6):
    store.put({"code": "1"}, Failure("X", f"model {number}", "model", "no"))
    print(number, flush=True)
"""


@pytest.mark.skipif(sys.platform == "win32", reason="no SIGKILL")
def test_what_was_kept_survives_a_kill(url: str) -> None:
    with subprocess.Popen([sys.executable, "-c", WRITER, url], stdout=subprocess.PIPE, text=True) as writer:
        assert writer.stdout
        for line in writer.stdout:
            if int(line) == 10:
                time.sleep(random.Random(1).random() / 10)
                os.kill(writer.pid, signal.SIGKILL)
                break
        kept = max([10, *(int(line) for line in writer.stdout.read().split())])
    store = ResultStore.open(url)
    assert kept + 1 <= count(store) <= kept + 2
    assert all(store.get(key_of(f"model {number}", "X", "committed"), {"code": "1"}) for number in range(kept + 1))


def test_the_record_is_json_that_others_can_read(store: ResultStore, score: Score) -> None:
    store.put(NOW, score)
    with store.engine.connect() as connection:
        record = connection.execute(select(scores.c.record)).scalar_one()
    assert json.loads(record) == {"depends_on": NOW, "outcome": json.loads(json.dumps(score.to_dict()))}
