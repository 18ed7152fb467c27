"""Tables of scores that users bring: names are texts, rows fit their header, and a gap is no number."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from brainmark.analysis.score_tables import read_table
from brainmark.core.errors import DataError

MODELS = ["1.1", "1.10", "001", "1", "NA", "nan", "None", "True", "1e5", "100000"]


@pytest.mark.parametrize("long", [False, True])
def test_models_whose_names_look_like_numbers_stay_apart(tmp_path: Path, long: bool) -> None:
    """The models 1.1 and 1.10 were two values for one cell, or one took the scores of the other."""
    path = tmp_path / "a.csv"
    head, middle = ("model,benchmark,value", ",V4,") if long else ("model,V4", ",")
    path.write_text("\n".join([head, *(f"{name}{middle}{k / 8}" for k, name in enumerate(MODELS))]))
    table, _, _ = read_table(path)
    assert table.index.tolist() == MODELS and table["V4"].tolist() == [k / 8 for k in range(len(MODELS))]


def test_benchmarks_and_families_whose_names_look_like_numbers_stay_apart(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    path.write_text("model,family,1.1,1.10\na,01,0.5,0.25\nb,1,NA,n/a\n")
    table, families, _ = read_table(path)
    assert table.columns.tolist() == ["1.1", "1.10"] and families == {"a": "01", "b": "1"}
    np.testing.assert_array_equal(table.to_numpy(), [[0.5, 0.25], [np.nan, np.nan]])


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ("model,x\na,1,\nb,2,\n", "line 2 has 3 fields, the header 2"),
        ("model,x,x\na,1,2\n", "columns 2, 3 are both called 'x'"),
        ("model;x\na;1\n", "its header is one field"),
        ("model,x\na,1\n,2\n", "line 3 names no model"),
        ("model,x\na,TRUE\n", "line 2: x is 'TRUE', which is no number"),
        ("model,x\na,1\na,2\n", "two values for 'a'"),
        ('model,x\na,"1\nb,2\n', "line 2 opens a quote"),
    ],
)
def test_a_table_that_does_not_fit_is_refused_with_its_line(tmp_path: Path, content: str, words: str) -> None:
    path = tmp_path / "a.csv"
    path.write_text(content)
    with pytest.raises(DataError, match=words):
        read_table(path)
