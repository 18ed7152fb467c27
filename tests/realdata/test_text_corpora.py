"""The corpora that are trained on, as published."""

from __future__ import annotations

import pytest

from brainmark.data.fetch import where
from brainmark.data.readers import corpora

SOURCES = (*corpora.BROWN.sources, *corpora.WIKITEXT.sources, *corpora.BOOKS.sources)
pytestmark = [
    pytest.mark.realdata,
    pytest.mark.skipif(any(where(s).path is None for s in SOURCES), reason="the corpora are not at hand"),
]


def test_training_and_held_out_text_are_apart() -> None:
    trained, held_out = corpora.brown_files("train"), corpora.brown_files("held out")
    assert (len(trained), len(held_out)) == (450, 50)
    assert not set(trained) & set(held_out)
    assert list(held_out)[:2] == ["ca10", "ca20"]
    assert not set(corpora.wikitext("train")) & set(corpora.wikitext("held out"))


def test_alice_is_not_in_the_books() -> None:
    books = corpora.books()
    assert len(books) > 6000
    assert not any("White Rabbit" in paragraph or "Alice" in paragraph.split() for paragraph in books)
