"""Numbers, sizes and times as a reader sees them."""

from __future__ import annotations

import math

import pytest

from brainmark.core.wording import bytes_text, detail, duration, interval, number, plural


@pytest.mark.parametrize(
    ("value", "text"),
    [(0.1234, "0.123"), (-0.1, "−0.100"), (-0.0001, "0.000"), (None, "none"), (math.nan, "undefined"),
     (-math.inf, "undefined"), (123456.0, "1.23e+05")],
)  # fmt: skip
def test_number(value, text):
    assert number(value) == text


def test_interval():
    assert interval((-0.5, 0.25), 2) == "[−0.50, 0.25]"
    assert interval(None) == "no interval"


@pytest.mark.parametrize(("value", "text"), [(4005.0, "4005"), (0.25, "0.2500"), (-3.0, "−3"), (math.nan, "undefined")])
def test_detail(value, text):
    assert detail(value) == text


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(0, "0.0 s"), (0.01, "< 0.1 s"), (0.44, "0.4 s"), (12.4, "12 s"), (59.7, "1 min 0 s"), (200, "3 min 20 s"),
     (7500, "2 h 5 min")],
)  # fmt: skip
def test_duration(seconds, text):
    assert duration(seconds) == text


def test_plural():
    found = [plural("property"), plural("neuroid"), plural("neuroid", 1), plural("stimulus", 0)]
    assert found == ["properties", "neuroids", "neuroid", "stimuli"]


@pytest.mark.parametrize(
    ("size", "text"),
    [(0, "0 B"), (999, "999 B"), (1000, "1.0 kB"), (2_560_128, "2.6 MB"), (123_456_789, "123 MB"), (4e15, "4000 TB"),
     (None, "unknown size")],
)  # fmt: skip
def test_bytes_text(size: float | None, text: str):
    assert bytes_text(size) == text
