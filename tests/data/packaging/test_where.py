"""Conditions choose rows of tables and trials of recordings."""

from __future__ import annotations

from typing import Any

import pytest

TRIALS = """stimulus_id,u1,rt,quality,good,note
im00,0,350,good,true,a
im01,1,1200,mua,false,NA
im02,2,2500,good,TRUE,b c
im03,3,,noise,true,"1.0"
"""


@pytest.mark.parametrize(
    ("where", "kept"),
    [
        ("rt < 2000", [0, 1]),
        ("rt >= 1200", [1, 2]),
        ("rt<=350", [0]),
        ("rt > 350 and quality == 'good'", [2]),
        (["rt > 350", "quality == 'good'"], [2]),
        ("quality in ['good', 'mua']", [0, 1, 2]),
        ("quality not in ('good', 'mua')", [3]),
        ("quality != 'good'", [1, 3]),
        ('quality = "noise"', [3]),
        ("good == True", [0, 2, 3]),
        ("good == false", [1]),
        ("note == 'b c'", [2]),
        ("note == 1", [3]),
        ("rt in [350, 2500.0]", [0, 2]),
        ({"quality": "good", "rt": "> 1000"}, [2]),
        ({"rt": "<= 1200"}, [0, 1]),
        ({"quality": ["good", "noise"]}, [0, 2, 3]),
        ({"good": True}, [0, 2, 3]),
        ({"rt": 350}, [0]),
        ({"note": "!= 'a'"}, [1, 2, 3]),
    ],
)
def test_conditions_choose_rows(lab: Any, where: Any, kept: list[int]) -> None:
    (lab.folder / "t.csv").write_text(TRIALS)
    source = {"file": "t.csv", "neuroids": "u1", "where": where, "region": "V4", "subject": "Ada", "units": "Hz"}
    assert lab.prepared(source).measurement.values.ravel().tolist() == kept


@pytest.mark.parametrize(
    ("where", "words"),
    [
        ("rt <", "write a column, a sign"),
        ("rt < fast", "'fast' is no value; texts stand in quotes"),
        ("quality == good", "texts stand in quotes: quality == 'good'"),
        ("quality < 'good'", "< compares numbers"),
        ("quality in 'good'", "in needs a list"),
        ("rt < __import__('os').getpid()", "is no value"),
        ({"rt": None}, "neither text, number"),
        (3, "say where.COLUMN = VALUE"),
        ("quality == 'Good'", "where leaves nothing: no row has quality == 'Good'; there are 'good', 'mua', 'noise'"),
        ("speed < 3", "no column 'speed'"),
        ("quality < 3", "column 'quality' holds 'good' in line 2, which is no number"),
    ],
)
def test_conditions_that_cannot_be_are_refused(lab: Any, where: Any, words: str) -> None:
    (lab.folder / "t.csv").write_text(TRIALS)
    source = {"file": "t.csv", "neuroids": "u1", "where": where, "region": "V4", "subject": "Ada", "units": "Hz"}
    assert any(words in problem for problem in lab.refused(source))


def test_rows_without_the_field_are_told_of(lab: Any) -> None:
    (lab.folder / "t.csv").write_text(TRIALS)
    source = {"file": "t.csv", "neuroids": "u1", "where": "rt < 2000", "region": "V4", "subject": "Ada", "units": "Hz"}
    assert any("1 rows without 'rt' do not fulfil rt < 2000" in note for note in lab.prepared(source).notes)
