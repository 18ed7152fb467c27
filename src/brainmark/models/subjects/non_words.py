"""Lists of non-words: what could be said and means nothing, in the place of the words of sentences."""

from __future__ import annotations

import re
from collections.abc import Sequence

from brainmark.core.libraries import np

_TRIES = 200
_VOWELS, _CONSONANTS = "aeiou", "bdfgklmnprstvz"
_CLUSTERS = ("bl", "br", "cl", "cr", "dr", "fl", "fr", "gl", "gr", "pl", "pr", "sk", "sl", "sm", "sn", "sp", "st", "tr")
_ENDINGS = ("bd", "fk", "gd", "mf", "pf", "vd", "vg", "zb")
"""What can be said, and no English word ends with."""


def non_word_lists(sentences: Sequence[str], seed: int = 0) -> list[str]:
    """Return, for each sentence, a list of as many non-words, each of as many letters as the word in its place.

    Syllables as in English, all in lower case, and an ending that no English word has. Equal words get equal non-words,
    different ones different non-words where there are enough of their length; the same sentences and seed give the
    same lists.

    Parameters
    ----------
    sentences : what they stand in for.
    seed : of the draws.
    """
    words = [[_letters(word) for word in sentence.split()] for sentence in sentences]
    generator = np.random.default_rng(seed)
    made: dict[str, str] = {}
    for word in sorted({word for listed in words for word in listed if word}):
        made[word] = _non_word(len(word), set(made.values()), generator)
    return [" ".join(made[word] for word in listed if word) for listed in words]


def _letters(word: str) -> str:
    return re.sub(r"[\W\d_]+", "", word.lower())


def _non_word(length: int, taken: set[str], generator: np.random.Generator) -> str:
    """Draw a non-word of `length` letters, another than those taken if there is one."""
    drawn = ""
    for _ in range(_TRIES):
        drawn = _drawn(length, generator)
        if drawn not in taken:
            break
    return drawn


def _drawn(length: int, generator: np.random.Generator) -> str:
    """Consonants and vowels in turn, a pair of consonants at most at the beginning, and an ending."""
    if length < 3:
        return "zvk"[generator.integers(3)] + "u" * (length - 1)
    ending = _ENDINGS[generator.integers(len(_ENDINGS))]
    body = _VOWELS[generator.integers(len(_VOWELS))]
    while len(body) < length - 2:
        if body[0] in _VOWELS and length - 2 - len(body) == 2 and generator.integers(2):
            return _CLUSTERS[generator.integers(len(_CLUSTERS))] + body + ending
        letters = _CONSONANTS if body[0] in _VOWELS else _VOWELS
        body = letters[generator.integers(len(letters))] + body
    return body + ending


__all__ = ["non_word_lists"]
