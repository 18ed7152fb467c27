"""How frequent words are, counted in running text at hand: nine files of ten of the Brown corpus.

Words count without punctuation around them and without case. One is added to every count, so that words that do not
occur have a frequency, too.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from functools import cache

from brainmark.core.libraries import np
from brainmark.data.readers.corpora import brown

_AROUND = ".,;:!?\"'()[]{}-`“”‘’…"


def log_frequency(words: Sequence[str]) -> np.ndarray:
    """Return log2 of the relative frequency of each word, (word,)."""
    counts = _counts()
    total = sum(counts.values()) + len(counts) + 1
    return np.log2(np.array([counts[plain(word)] + 1 for word in words], float) / total)


def plain(word: str) -> str:
    """Return a word as it is counted."""
    return word.strip(_AROUND).casefold()


@cache
def _counts() -> Counter[str]:
    counts = Counter(plain(word) for paragraph in brown("train") for word in paragraph.split())
    del counts[""]
    return counts


__all__ = ["log_frequency", "plain"]
