"""Numbers, names and citations as they are read."""

from __future__ import annotations

import math

import pytest

from brainmark.analysis.bibtex import citations
from brainmark.core.wording import breakable, detail, duration, interval, memory, number, plural, short_hash


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


def test_memory_plural_hash():
    assert (memory(800 * 2**20), memory(3 * 2**29)) == ("800 MiB", "1.5 GiB")
    assert [plural("property"), plural("neuroid"), plural("neuroid", 1)] == ["properties", "neuroids", "neuroid"]
    assert short_hash("a" * 64) == f'<code title="{"a" * 64}">{"a" * 12}…</code>'
    assert short_hash("<b>") == '<code title="&lt;b&gt;">&lt;b&gt;</code>'
    assert short_hash(None) == "not stated"


def test_names_break_after_separators_and_are_escaped():
    assert breakable("A2023.V4-pls<i>") == "A2023.<wbr>V4-<wbr>pls&lt;i&gt;"


def test_each_entry_once_with_title_year_and_link():
    two = '@article{b, title={On {V4}, and\n more}, year = 2019, doi={https://doi.org/10.1/x(1)}}\n@misc{A, title="T"}'
    found = citations([two, '@misc{A, title="T"}\n', "@book{c, url = {ftp://x}, author={N}}"])
    assert [c.key for c in found] == ["A", "b", "c"]
    assert [c.title for c in found] == ["T", "On V4, and more", "c"]
    assert [c.year for c in found] == ["", "2019", ""]
    assert [c.link for c in found] == [None, "https://doi.org/10.1/x%281%29", None]


def test_an_address_is_a_link_only_if_it_is_of_the_web():
    linked, refused = citations(
        ["@misc{a, title={t}, url={https://example.org/p}}", "@misc{b, title={t}, url={javascript:alert(1)}}"]
    )
    assert linked.link == "https://example.org/p"
    assert refused.link is None
