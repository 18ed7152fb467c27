"""Lists of non-words: what could be said and means nothing, in the place of the words of sentences."""

from __future__ import annotations

import re
from collections.abc import Sequence

import numpy as np

_ONSETS = tuple(
    "b d f g h k l m n p r s t v w z bl br ch cl cr dr fl fr gl gr pl pr sh sk sl sm sn sp st sw th tr".split(" ")
)
_NUCLEI = tuple("a e i o u ai ea ee ou oo".split(" "))
_CODAS = ("",) * 3 + tuple("b d g k l m n p r s t v ck ft lk lt mp nd nk nt rd rk rn rt sh sk sp st th".split(" "))
_TRIES = 200


def non_word_lists(sentences: Sequence[str], seed: int = 0) -> list[str]:
    """Return, for each sentence, a list of as many non-words, each of as many letters as the word in its place.

    They are drawn from syllables that English allows, all in lower case, and are none of the words of the sentences
    (up to a plural s). Equal words get equal non-words; the same sentences and seed give the same lists.

    Parameters
    ----------
    sentences : what they stand in for.
    seed : of the draws.
    """
    words = [[_letters(word) for word in sentence.split()] for sentence in sentences]
    taken = {word for listed in words for word in listed}
    generator = np.random.default_rng(seed)
    made: dict[str, str] = {}
    for word in sorted(taken - {""}):
        made[word] = _non_word(len(word), taken | set(made.values()), generator)
    return [" ".join(made[word] for word in listed if word) for listed in words]


def _letters(word: str) -> str:
    return re.sub(r"[\W\d_]+", "", word.lower())


def _non_word(length: int, taken: set[str], generator: np.random.Generator) -> str:
    """Draw a non-word of `length` letters; of very few letters there may be no other than those taken."""
    drawn = ""
    for _ in range(_TRIES):
        drawn = ""
        while len(drawn) < length:
            drawn += _ONSETS[generator.integers(len(_ONSETS))]
            drawn += _NUCLEI[generator.integers(len(_NUCLEI))] + _CODAS[generator.integers(len(_CODAS))]
        drawn = drawn[:length]
        if drawn not in taken and drawn.removesuffix("s") not in taken and f"{drawn}s" not in taken:
            break
    return drawn


__all__ = ["non_word_lists"]
