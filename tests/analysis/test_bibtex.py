"""Citations as they are read."""

from __future__ import annotations

from brainmark.analysis.bibtex import citations


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
