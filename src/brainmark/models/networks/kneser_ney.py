"""Interpolated, modified Kneser-Ney smoothing of word n-grams (Chen & Goodman 1999), over all strings of letters.

The n-grams of each length are a sorted array of integers, ``node of the first n - 1 words x words + last word``, so
counting is sorting and looking up is bisection: a million words take seconds, and texts are read all at once.

Below the words lies a model of spelling: single words are interpolated with it rather than with a uniform
distribution, so every string has a probability, known words and unknown ones add up to one, and nothing is mapped to
an "unknown" symbol.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TypeAlias

from brainmark.core.libraries import np

BEGIN = "\x02"
"""Stands before each text; it is never predicted."""
END = "\x03"
"""Stands after the letters of a word."""
CHARACTERS = 0x110000  # of Unicode
SPELLING = 6  # letters, the longest that spelling looks at
FALLBACK = (0.5, 1.0, 1.5)  # discounts where there are too few n-grams to estimate them (as KenLM's)

Base: TypeAlias = "Callable[[Sequence[str]], np.ndarray]"
"""Words -> log2 of their probabilities where nothing but the word itself is known: (words,)."""


@dataclass(frozen=True, eq=False)
class Level:
    """n-grams of one length.

    Attributes
    ----------
    keys : (nodes,) sorted; node i is the n-gram keys[i].
    kept : (nodes,) log2 of the count less its discount, over the sum of the counts after its context.
    missing : (nodes of one word less,) log2 of the mass left to shorter contexts: 0 where nothing follows.
    """

    keys: np.ndarray
    kept: np.ndarray
    missing: np.ndarray

    def find(self, context: np.ndarray, word: np.ndarray, words: int) -> np.ndarray:
        """Return the nodes of contexts followed by words; -1 where there is none."""
        key = np.where((context >= 0) & (word >= 0), context * words + word, -1)
        at = np.minimum(np.searchsorted(self.keys, key), len(self.keys) - 1)
        return np.where(self.keys[at] == key, at, -1)


class KneserNey:
    """A model of the next word given up to `order` - 1 words before it.

    Parameters
    ----------
    texts : each a sequence of words; no context reaches from one into another.
    order : longest n-gram, from 1; no longer than the longest text.
    base : log2 probabilities of words by themselves; None: by their spelling, learnt from the words that occur.

    Raises
    ------
    ValueError : no word, or an order below 1.
    """

    def __init__(self, texts: Sequence[Sequence[str]], order: int, base: Base | None = None) -> None:
        if order < 1:
            raise ValueError(f"the order of n-grams is {order}; give 1 or more")
        types = sorted({word for text in texts for word in text})
        if not types:
            raise ValueError("n-grams need at least one word to count")
        self.order = min(order, 1 + max(map(len, texts)))  # no n-gram is longer than a text with its beginning
        self.words = [BEGIN, *types]
        self._ids = {word: i for i, word in enumerate(self.words)}
        self.base: Base = base or Spelling(types)
        self.levels = _levels(*self._encode(texts), self.order, len(self.words))
        self._best: dict[tuple[int, int], int] = {}

    def __contains__(self, word: str) -> bool:
        """Return whether a word was counted."""
        return word in self._ids

    def _encode(self, texts: Sequence[Sequence[str]]) -> tuple[np.ndarray, np.ndarray]:
        """Return ids of all words, -1 for unknown ones, each text after `BEGIN`, and the place of each in its text."""
        get = self._ids.get
        ids = np.array([i for text in texts for i in (0, *(get(word, -1) for word in text))], np.int64)
        lengths = np.array([len(text) + 1 for text in texts])
        return ids, np.arange(len(ids)) - np.repeat(np.cumsum(lengths) - lengths, lengths)

    def surprisals(self, texts: Sequence[Sequence[str]]) -> list[np.ndarray]:
        """Return the surprisal (bits) of each word of each text given what comes before it in its text."""
        if not texts:
            return []
        ids, place = self._encode(texts)
        spoken = place >= 1
        result = np.zeros(len(ids))
        result[spoken] = self.base([word for text in texts for word in text])
        context = np.zeros(len(ids), np.int64)
        for level in self.levels:
            node = level.find(context, ids, len(self.words))
            result = np.where(spoken, _mix(level, context, node, result), result)
            context = np.where(spoken, np.roll(node, 1), -1)
        ends = np.cumsum([len(text) for text in texts])
        return np.split(-result[spoken], ends[:-1])

    def best(self, before: Sequence[str]) -> str:
        """Return the most probable word after the words of a text; punctuation is no word.

        Of those that are equally probable it is the first by the alphabet.
        """
        contexts = [0]
        ids, _ = self._encode([list(before)[max(0, len(before) - self.order) :]])
        ids = ids if len(before) < self.order else ids[1:]
        for length in range(1, min(self.order - 1, len(ids)) + 1):
            node = np.zeros(1, np.int64)
            for level, word in zip(self.levels, ids[len(ids) - length :], strict=False):
                node = level.find(node, word[None], len(self.words))
            contexts.append(int(node[0]))
        return self.words[self._best_of(contexts)]

    def _best_of(self, contexts: Sequence[int]) -> int:
        """Return the best word after contexts of 0, 1, ... words (nodes; -1: never seen).

        It is among those seen after the longest context, or the best after a shorter one: others keep their order.
        """
        seen = [node for node in contexts if node >= 0]
        key = len(seen) - 1, seen[-1]
        if key not in self._best:
            level, words = self.levels[key[0]], len(self.words)
            low, high = np.searchsorted(level.keys, [key[1] * words, (key[1] + 1) * words])
            candidates = level.keys[low:high] - key[1] * words
            if len(seen) > 1:
                candidates = np.append(candidates, self._best_of(seen[:-1]))
            values = self._at(seen, candidates)
            self._best[key] = int(candidates[values == values.max()].min())
        return self._best[key]

    def _at(self, contexts: Sequence[int], candidates: np.ndarray) -> np.ndarray:
        """Return log2 probabilities of words after contexts of 0, 1, ... words; -inf for what is no word."""
        result = self._base_of_words[candidates]
        for level, node in zip(self.levels, contexts, strict=False):
            context = np.full(len(candidates), node)
            result = _mix(level, context, level.find(context, candidates, len(self.words)), result)
        return np.where(self._is_word[candidates], result, -np.inf)

    @cached_property
    def _is_word(self) -> np.ndarray:
        spoken = np.array([any(map(str.isalnum, word)) for word in self.words])
        return spoken if spoken.any() else np.arange(len(self.words)) > 0

    @cached_property
    def _base_of_words(self) -> np.ndarray:
        return np.append(-np.inf, self.base(self.words[1:]))

    @cached_property
    def digest(self) -> str:
        """sha256 over words and counts."""
        whole = hashlib.sha256("\n".join(self.words).encode())
        for level in self.levels:
            whole.update(level.keys.tobytes() + level.kept.tobytes() + level.missing.tobytes())
        return whole.hexdigest()


class Spelling:
    """Probability of a word as a string of letters: n-grams of letters, over all characters of Unicode."""

    def __init__(self, words: Sequence[str]) -> None:
        self._letters = KneserNey([[*word, END] for word in words], SPELLING, _any_character)

    def __call__(self, words: Sequence[str]) -> np.ndarray:
        """Return log2 probabilities (words,) of words; the probabilities of all strings add up to 1."""
        once = list(dict.fromkeys(words))
        letters = self._letters.surprisals([[*word, END] for word in once])
        known = {word: -float(values.sum()) for word, values in zip(once, letters, strict=True)}
        return np.array([known[word] for word in words])


def _any_character(letters: Sequence[str]) -> np.ndarray:
    return np.full(len(letters), -np.log2(CHARACTERS))


def _mix(level: Level, context: np.ndarray, node: np.ndarray, shorter: np.ndarray) -> np.ndarray:
    """Mix what was counted after a context with what follows the shorter context (Chen & Goodman, eq. 2)."""
    missing = np.where(context >= 0, level.missing[np.maximum(context, 0)], 0.0)
    kept = np.where(node >= 0, level.kept[np.maximum(node, 0)], -np.inf)
    return np.logaddexp2(kept, missing + shorter)


def _levels(ids: np.ndarray, place: np.ndarray, order: int, words: int) -> list[Level]:
    keys: list[np.ndarray] = []
    nodes: list[np.ndarray] = []  # of the n-gram that ends at each position; -1 where the text is too young
    context = np.zeros(len(ids), np.int64)
    for n in range(1, order + 1):
        whole = place >= n - 1
        found, inverse = np.unique(context[whole] * words + ids[whole], return_inverse=True)
        node = np.full(len(ids), -1, np.int64)
        node[whole] = inverse
        keys.append(found)
        nodes.append(node)
        context = np.roll(node, 1)
    return [
        _smooth(keys[n], _counts(nodes, place, n, len(keys[n])), words, len(keys[n - 1]) if n else 1)
        for n in range(order)
    ]


def _counts(nodes: Sequence[np.ndarray], place: np.ndarray, n: int, size: int) -> np.ndarray:
    """Count n-grams of `n` + 1 words: their occurrences if they are the longest, else the words that come before them.

    Those at the beginning of a text have nothing before them, and are counted as they occur; `BEGIN` alone is not.
    """
    if n + 1 == len(nodes):
        return np.bincount(nodes[n][place >= max(n, 1)], minlength=size)
    counts = np.bincount(nodes[n][place == n], minlength=size) if n else np.zeros(size, np.int64)
    longer = np.flatnonzero(place >= n + 1)
    _, first = np.unique(nodes[n + 1][longer], return_index=True)
    return counts + np.bincount(nodes[n][longer[first]], minlength=size)


def _smooth(keys: np.ndarray, counts: np.ndarray, words: int, contexts: int) -> Level:
    context = keys // words
    taken = np.minimum(np.array([0.0, *discounts(counts)])[np.minimum(counts, 3)], counts)
    total = np.bincount(context, counts, contexts)
    with np.errstate(divide="ignore", invalid="ignore"):
        missing = np.log2(np.where(total > 0, np.bincount(context, taken, contexts) / total, 1.0))
        kept = np.log2(np.where(total[context] > 0, (counts - taken) / total[context], 0.0))
    return Level(keys, kept, missing)


def discounts(counts: np.ndarray) -> tuple[float, float, float]:
    """Return what is taken off counts of 1, of 2 and of more (Chen & Goodman 1999, equation 26)."""
    n1, n2, n3, n4 = (int((counts == k).sum()) for k in range(1, 5))
    if min(n1, n2, n3) == 0:
        return FALLBACK
    share = n1 / (n1 + 2 * n2)
    found = (1 - 2 * share * n2 / n1, 2 - 3 * share * n3 / n2, 3 - 4 * share * n4 / n3)
    return found if all(0 < d < k for k, d in enumerate(found, start=1)) else FALLBACK
