"""Praat TextGrids: intervals of time with their labels, read from the long text format."""

from __future__ import annotations

import re
from pathlib import Path
from typing import NamedTuple

from brainmark.core import DataError
from brainmark.data.readers.damage import explain_damage
from brainmark.data.readers.text import read_text

_TIER = re.compile(r'class\s*=\s*"(?P<kind>[^"]*)"\s*name\s*=\s*"(?P<name>(?:[^"]|"")*)"')
_INTERVAL = re.compile(r'xmin\s*=\s*(\S+)\s*xmax\s*=\s*(\S+)\s*text\s*=\s*"((?:[^"]|"")*)"')
_COUNT = re.compile(r"intervals\s*:\s*size\s*=\s*(\d+)")


class Interval(NamedTuple):
    """One labelled stretch of time, in seconds."""

    start: float
    end: float
    text: str


def read_intervals(path: Path, tier: str) -> list[Interval]:
    """Return the intervals of one tier, in order; quotes that Praat doubles are single again.

    Raises
    ------
    DataError : the file is no TextGrid in the long text format, has no such tier, or lacks some of its intervals.
    """
    text = read_text(path)
    if '"TextGrid"' not in text[:200]:
        raise DataError(f"{path}: no Praat TextGrid")
    starts = [(m["name"].replace('""', '"'), m["kind"], m.end()) for m in _TIER.finditer(text)]
    ends = [*(position for *_, position in starts[1:]), len(text)][: len(starts)]
    tiers = {name: text[start:end] for (name, kind, start), end in zip(starts, ends, strict=True) if "Interval" in kind}
    if tier not in tiers:
        raise DataError(f"{path}: has no tier of intervals {tier!r} in the long text format, only {sorted(tiers)}")
    with explain_damage(path, f"tier {tier!r} has a time that is no number"):
        found = [Interval(float(a), float(b), t.replace('""', '"')) for a, b, t in _INTERVAL.findall(tiers[tier])]
    count = _COUNT.search(tiers[tier])
    if count is None or len(found) != int(count[1]):
        raise DataError(
            f"{path}: {len(found)} intervals in tier {tier!r}; it announces {count[1] if count else 'none'}"
        )
    return found
