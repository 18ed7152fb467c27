"""Six old books, word by word: text that small language models here are trained on, and n-grams are counted in."""

from __future__ import annotations

from brainmark.core import DatasetCard, datasets
from brainmark.core.dataset import Dataset
from brainmark.data.readers.corpora import BOOKS, BOOKS_CITE, BOOKS_LICENCE, each_book
from brainmark.data.readers.words import in_words

CARD = DatasetCard(
    summary="Running text of six books whose copyright has ended, word by word; models here are trained on it.",
    licence=BOOKS_LICENCE,
    cite=BOOKS_CITE,
    domain="language",
    species=("none",),
    regions=(),
    modality="text",
    sources=BOOKS.sources,
)


@datasets.add("ClassicBooks", card=CARD)
def load() -> Dataset:
    """Words: presentation; one text a book, paragraphs follow each other."""
    return in_words("ClassicBooks", CARD, {title: " ".join(book) for title, book in each_book().items()})
