"""Praat TextGrids: what Praat writes is read, what it does not write is named."""

from __future__ import annotations

from pathlib import Path

import pytest

from brainmark.core import DataError
from brainmark.data.readers.textgrid import Interval, read_intervals

GRID = '''File type = "ooTextFile"
Object class = "TextGrid"

xmin = 0
xmax = 2.5
tiers? <exists>
size = 3
item []:
    item [1]:
        class = "IntervalTier"
        name = "word"
        xmin = 0
        xmax = 2.5
        intervals: size = 3
        intervals [1]:
            xmin = 0
            xmax = 1.25
            text = "she said ""no"""
        intervals [2]:
            xmin = 1.25
            xmax = 2e0
            text = ""
        intervals [3]:
            xmin = 2
            xmax = 2.5
            text = "naïve
café"
    item [2]:
        class = "TextTier"
        name = "clicks"
        xmin = 0
        xmax = 2.5
        points: size = 1
        points [1]:
            number = 1
            mark = "x"
    item [3]:
        class = "IntervalTier"
        name = "phone"
        xmin = 0
        xmax = 2.5
        intervals: size = 1
        intervals [1]:
            xmin = 0
            xmax = 2.5
            text = "a"
'''
WORDS = [Interval(0, 1.25, 'she said "no"'), Interval(1.25, 2.0, ""), Interval(2.0, 2.5, "naïve\ncafé")]


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16"])
def test_tiers_are_told_apart(tmp_path: Path, encoding: str) -> None:
    path = tmp_path / "a.TextGrid"
    path.write_text(GRID, encoding)
    assert read_intervals(path, "word") == WORDS
    assert read_intervals(path, "phone") == [Interval(0, 2.5, "a")]


@pytest.mark.parametrize(
    ("content", "tier", "message"),
    [
        (GRID, "clicks", r"no tier of intervals 'clicks' .* \['phone', 'word'\]"),
        (GRID.replace('text = ""\n', ""), "word", "2 intervals in tier 'word'; it announces 3"),
        (GRID.replace("xmax = 1.25", "xmax = late"), "word", "a time that is no number"),
        ("a,b\n1,2\n", "word", "no Praat TextGrid"),
    ],
)
def test_damage_is_named(tmp_path: Path, content: str, tier: str, message: str) -> None:
    path = tmp_path / "b.TextGrid"
    path.write_text(content, "utf-8")
    with pytest.raises(DataError, match=message):
        read_intervals(path, tier)


def test_bytes_that_are_no_text_are_named(tmp_path: Path) -> None:
    path = tmp_path / "c.TextGrid"
    path.write_bytes(b"\x00\xff\xfe\x80")
    with pytest.raises(DataError, match="cannot be read"):
        read_intervals(path, "word")
