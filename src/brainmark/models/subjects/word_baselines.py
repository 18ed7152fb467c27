"""Baselines for models of reading: counted n-grams, and properties of single words.

``ngram-3@10%`` is the trigram model of a tenth of the text; any share can be given.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from functools import cache, partial

from brainmark.core.cards import ModelCard
from brainmark.core.errors import InvalidModel
from brainmark.core.libraries import np
from brainmark.core.registry import Entry, models
from brainmark.core.subject import Subject
from brainmark.data.readers.corpora import books, brown, wikitext
from brainmark.models.networks.kneser_ney import KneserNey
from brainmark.models.subjects.readout import LANGUAGE_REGIONS
from brainmark.models.subjects.word_models import (
    EMBEDDED,
    WORD,
    WordSubject,
    WordText,
    counts,
    lengths,
    ngram_subject,
    positions,
    random_vectors,
    typing_bits,
)

ORDERS = {2: "bigrams", 3: "trigrams", 4: "4-grams", 5: "5-grams"}
_SHARED = re.compile(r"(ngram-([1-9])|word-frequency)@(\d+(?:\.\d+)?)%")


def _card(summary: str, family: str, cite: str, *tags: str) -> ModelCard:
    return ModelCard(
        summary=summary,
        licence="MIT",
        cite=cite,
        domain="language",
        family=family,
        regions=LANGUAGE_REGIONS,
        tags=("baseline", *tags),
    )


@cache
def _words(share: float) -> list[tuple[str, ...]]:
    """Return the paragraphs of the corpora as words; of a share, the paragraphs spread evenly over them."""
    whole = [*books(), *wikitext("train"), *brown("train")]
    count = max(1, round(share * len(whole)))
    return [tuple(WORD.findall(whole[i * len(whole) // count])) for i in range(count)]


@cache
def count_ngrams(order: int, share: float = 1.0) -> KneserNey:
    """Return the n-grams of a share of the corpora, counted once for each process."""
    return KneserNey(_words(share), order)


def _ngrams(name: str, order: int, share: float = 1.0) -> Subject:

    return ngram_subject(name, partial(count_ngrams, order, share))


_COUNTED = "counted in six old books, wikitext-2 and the Brown corpus, Kneser-Ney smoothing"
_WORDS = "brainmark_words"
_NGRAM_CITE = "chen1999 merity2017 francis1979"


def _add_ngrams(order: int, called: str) -> None:
    def make() -> Subject:
        return _ngrams(f"ngram-{order}", order)

    make.__name__ = make.__qualname__ = f"ngram_{order}"
    summary = f"Surprisal by {called}: {_COUNTED}."
    models.add(f"ngram-{order}", card=_card(summary, "ngram", _NGRAM_CITE, "surprisal"))(make)


for _order, _called in ORDERS.items():
    _add_ngrams(_order, _called)


@models.add(
    "word-frequency",
    card=_card(f"Surprisal of each word by its frequency alone: {_COUNTED}.", "ngram", _NGRAM_CITE, "surprisal"),
)
def word_frequency() -> Subject:
    """Return the subject."""
    return _ngrams("word-frequency", 1)


@models.add_finder
def find_share(name: str) -> Entry[Subject, ModelCard] | None:
    """Return ``ngram-3@10%``: n-grams of a share of the text; None for other names.

    Raises
    ------
    InvalidModel : a share of nothing, or of more than all.
    """
    match = _SHARED.fullmatch(name)
    if match is None:
        return None
    order, percent = int(match[2] or 1), float(match[3])
    if not 0 < percent <= 100:
        raise InvalidModel(f"{name}: the share of the text must be above 0 % and at most 100 %")

    def share() -> Subject:
        return _ngrams(name, order, percent / 100)

    summary = f"Surprisal by n-grams of up to {order} words of {percent:g} % of the text: {_COUNTED}."
    return Entry("model", name, share, _card(summary, "ngram", _NGRAM_CITE, "surprisal"))


@models.add(
    "word-length",
    card=_card(
        "Characters of each word; surprisal as if letters were drawn one by one.", "words", "brainmark_words", "control"
    ),
)
def word_length() -> Subject:
    """Return the subject."""
    return WordSubject("word-length", lengths, ("characters",), typing_bits)


@models.add(
    "word-position",
    card=_card(
        "Place of each word in its text and in its sentence, counted in words.", "words", "brainmark_words", "control"
    ),
)
def word_position() -> Subject:
    """Return the subject."""
    return WordSubject("word-position", positions, ("in text", "in sentence"))


@models.add(
    "word-rate",
    card=_card("How many words come: 1 for each word, and nothing else.", "words", _WORDS, "control"),
)
def word_rate() -> Subject:
    """Return the subject."""
    return WordSubject("word-rate", counts, ("words",))


@models.add(
    "random-embedding",
    card=_card(
        "A random vector for each word: which word it is, and nothing of its meaning.",
        "words",
        "brainmark_words",
        "control",
    ),
)
def random_embedding(seed: int = 0) -> Subject:
    """Return the subject, vectors drawn with `seed`."""

    def features(texts: Sequence[WordText]) -> list[np.ndarray]:
        return random_vectors(texts, seed)

    return WordSubject("random-embedding", features, tuple(f"dimension {i}" for i in range(EMBEDDED)))
