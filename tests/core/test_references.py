from __future__ import annotations

import re

import pytest

from brainmark.core.cards import MetricCard
from brainmark.core.errors import InvalidRegistration
from brainmark.core.references import FILE, bibtex


def test_keys_become_the_entries_of_the_file():
    both = bibtex("hoerl1970 golub1979")
    assert re.findall(r"(?m)^@article\{(\w+),$", both) == ["hoerl1970", "golub1979"]
    assert both.count("{") == both.count("}")


def test_bibtex_passes_and_a_card_holds_bibtex():
    own = "@misc{own, title={Own}, year={2026}}"
    assert bibtex(own) == own
    card = MetricCard(summary="One", licence="MIT", cite="golub1979", compares="recordings")
    assert card.cite == bibtex("golub1979")


def test_an_unknown_key_is_refused_with_the_nearest():
    with pytest.raises(
        InvalidRegistration, match=r"'golub1978' is no key of references\.bib; did you mean 'golub1979'"
    ):
        bibtex("hoerl1970 golub1978")


def test_the_file_is_sorted_and_holds_each_work_once():
    text = FILE.read_text(encoding="utf-8")
    keys = re.findall(r"(?m)^@\w+\{([^,]+),$", text)
    assert keys == sorted(set(keys))
    titles = [" ".join(t.lower().split()) for t in re.findall(r"(?m)^  title = \{(.+(?:\n      .+)*)\}", text)]
    assert len(titles) == len(set(titles)) == len(keys)
