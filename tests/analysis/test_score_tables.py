"""Tables of scores from outcomes and from files."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from brainmark.analysis.score_tables import families_of, make_table, read_table, select_columns
from brainmark.core import DataError, Failure, Score, UnknownName


def score(model: str, benchmark: str, value: float, **details: float) -> Score:
    return Score(benchmark, model, value, value, None, None, details=details)


def test_outcomes_become_a_table_with_details() -> None:
    table = make_table([score("a", "B", 0.5, bits=2.0), score("b", "B", 0.6), Failure("C", "a", "model", "broke")])
    assert table.loc["a", "B"] == 0.5
    assert table.loc["a", "B:bits"] == 2
    assert np.isnan(table.loc["a", "C"])
    assert np.isnan(table.loc["b", "B:bits"])
    assert select_columns(table, ["*", "B:bits"]) == ["B", "C", "B:bits"]
    with pytest.raises(UnknownName, match="unknown column 'D'"):
        select_columns(table, ["D"])


def test_wide_and_long_files_are_the_same_table(tmp_path: Path) -> None:
    wide, long = tmp_path / "wide.csv", tmp_path / "long.tsv"
    wide.write_text("model,family,t1,t2\na,x,1,2\nb,y,3,\n")
    rows = ["a\tx\tt1\tone\t1", "a\tx\tt2\ttwo\t2", "b\ty\tt1\tone\t3"]
    long.write_text("\n".join(["model\tfamily\ttask\tcategory\tscore", *rows]))
    one, families, none = read_table(wide)
    other, same, categories = read_table(long)
    np.testing.assert_array_equal(one, [[1, 2], [3, np.nan]])
    np.testing.assert_array_equal(one, other)
    assert list(one.columns) == list(other.columns) == ["t1", "t2"]
    assert families == same == {"a": "x", "b": "y"}
    assert (none, categories) == ({}, {"t1": "one", "t2": "two"})


def test_what_score_printed_is_a_table(tmp_path: Path) -> None:
    path = tmp_path / "scores.json"
    outcomes = [score("a", "B", 0.5, bits=2.0), Failure("B", "b", "model", "broke")]
    path.write_text(json.dumps([o.to_dict() for o in outcomes]))
    assert read_table(path)[0].to_dict() == {"B": {"a": 0.5}, "B:bits": {"a": 2.0}}


@pytest.mark.parametrize(
    ("name", "content", "reason"),
    [
        ("a.csv", "name,x\na,1\n", "no column 'model' among name, x"),
        ("a.csv", "model,x\na,1\na,2\n", "two values for 'a'"),
        ("a.csv", "model,task,score\na,t,1\na,t,2\n", "two values for"),
        ("a.csv", "model,x\na,good\n", "line 2: x is 'good', which is no number"),
        ("a.csv", "model,family,x\na,f,1\na,g,2\n", "model 'a' is of more than one family"),
        ("a.csv", "", "is empty"),
        ("a.json", "{", "is not a table"),
        ("a.json", "[]", "holds no score"),
        ("none.csv", None, "cannot be read"),
    ],
)
def test_files_that_are_no_tables(name: str, content: str | None, reason: str, tmp_path: Path) -> None:
    path = tmp_path / name
    if content is not None:
        path.write_text(content)
    with pytest.raises(DataError, match=reason):
        read_table(path)


def test_families_are_stated_or_known() -> None:
    names = ["a", "checkpoint:runs/x@4", "checkpoint:runs/x", "ngram-2", "ngram-3@10%", "nobody"]
    table = make_table(score(name, "B", 1.0) for name in names)
    assert families_of(table, {"a": "mine"}) == {
        "a": "mine", "checkpoint:runs/x@4": "checkpoint:runs/x", "checkpoint:runs/x": "checkpoint:runs/x",
        "ngram-2": "ngram", "ngram-3@10%": "ngram",
    }  # fmt: skip
