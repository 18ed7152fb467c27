"""Tables that leave the store, and scores of others that come in."""

from __future__ import annotations

import csv
import io
import json
from pathlib import Path

import pytest

from brainmark.core import DataError, Score
from brainmark.core.score import Failure
from brainmark.store.exchange import FIELDS, export_table, import_table, tabulate
from brainmark.store.queries import Wanted, list_latest
from brainmark.store.results import ResultStore

TABLE = "who,bench,score,low,high\nalexnet,V4-pls,0.41,0.4,0.42\n1.10,V4-pls,0.3,,\ngabor,V4-pls,,,\n=A1(),IT,0.2,,\n"
COLUMNS = {"model": "who", "benchmark": "bench", "value": "score"}


@pytest.fixture
def table(tmp_path: Path) -> Path:
    path = tmp_path / "published.csv"
    path.write_text(TABLE)
    return path


def test_published_scores_are_added_once_and_stand_apart(store: ResultStore, table: Path) -> None:
    store.put({}, Score("V4-pls", "alexnet", 0.9, 0.9, None, None))
    asked = {"source": "Someone 2026", "convention": "brainscore", "columns": COLUMNS}
    assert import_table(store, table, **asked) == (3, 0, 1)
    assert import_table(store, table, **asked) == (0, 3, 1)
    rows = list_latest(store, Wanted(benchmarks=["V4-pls"]))
    assert [(r.model, r.value, r.low, r.source, r.convention) for r in rows] == [
        ("alexnet", 0.9, None, "measured", ""),
        ("alexnet", 0.41, 0.4, "Someone 2026", "brainscore"),
        ("1.10", 0.3, None, "Someone 2026", "brainscore"),
    ]


def test_what_leaves_holds_all_and_says_why_a_score_is_missing(store: ResultStore, table: Path) -> None:
    import_table(store, table, source="Someone 2026", columns=COLUMNS)
    store.put({}, Failure("V4-pls", "hmax", "model", "it is broken"))
    rows = list_latest(store, records=True)
    plain = json.loads(export_table(rows, ".json"))
    assert plain == tabulate(rows)
    assert [(one["model"], one["status"], one["reason"]) for one in plain if one["value"] is None] == [
        ("hmax", "failed", "it is broken")
    ]
    read = list(csv.DictReader(io.StringIO(export_table(rows, ".csv").decode())))
    assert tuple(read[0]) == FIELDS
    assert [float(one["value"]) for one in read if one["value"]] == [one["value"] for one in plain if one["value"]]
    assert "'=A1()" in {one["model"] for one in read}, "a spreadsheet computes nothing from it"


def test_parquet_holds_the_same(store: ResultStore, table: Path) -> None:
    pandas = pytest.importorskip("pandas")
    pytest.importorskip("pyarrow", reason="needs pyarrow")
    import_table(store, table, source="Someone 2026", columns=COLUMNS)
    rows = list_latest(store)
    read = pandas.read_parquet(io.BytesIO(export_table(rows, ".parquet")))
    assert read["value"].tolist() == [row.value for row in rows]


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (("0.41", "high"), r"published\.csv: line 2: score is 'high', which is no number"),
        (("0.41", "0.5"), r"line 2: the value 0\.5 is outside its interval, 0\.4 to 0\.42"),
        (("0.42", ""), "line 2: an interval has two ends"),
        (("1.10", "alexnet"), "line 3: 'alexnet' on 'V4-pls' stands in line 2 already"),
        (("1.10", ""), "line 3: names no model"),
        (("score", "scores"), r"has no column 'score' among .*; did you mean 'scores'\?"),
        (("0.3", "inf"), "line 3"),
    ],
)
def test_a_table_with_a_mistake_is_refused_whole(store: ResultStore, table: Path, change, reason: str) -> None:
    table.write_text(TABLE.replace(*change))
    with pytest.raises(DataError, match=reason):
        import_table(store, table, source="Someone 2026", columns=COLUMNS)
    assert list_latest(store) == []


@pytest.mark.parametrize("source", ["", " ", "measured"])
def test_scores_of_others_say_where_they_come_from(store: ResultStore, table: Path, source: str) -> None:
    with pytest.raises(DataError, match="say where these scores were published"):
        import_table(store, table, source=source, columns=COLUMNS)
    with pytest.raises(DataError, match="'task' is no column of scores"):
        import_table(store, table, source="Someone", columns={"task": "bench"})
