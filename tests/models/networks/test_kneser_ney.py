"""Kneser-Ney by sorted arrays against the definition with dictionaries, and against what every distribution is."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Sequence

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from brainmark.models.networks.kneser_ney import BEGIN, CHARACTERS, KneserNey, Spelling, discounts

TEXTS = [
    ["the", "cat", "sat", "on", "the", "mat", "."],
    ["the", "dog", "sat", "on", "the", "cat", "."],
    ["a", "dog", "saw", "the", "cat", "and", "the", "cat", "saw", "a", "dog", "."],
    [],
    ["the", "mat", "."],
]


class Slow:
    """Chen & Goodman 1999, equations 2 and 26, by dictionaries of tuples."""

    def __init__(self, texts: Sequence[Sequence[str]], order: int) -> None:
        self.words = sorted({w for t in texts for w in t})
        self.order = order
        raw: list[Counter[tuple[str, ...]]] = [Counter() for _ in range(order + 1)]
        before: list[dict[tuple[str, ...], set[str]]] = [defaultdict(set) for _ in range(order + 1)]
        for text in texts:
            whole = [BEGIN, *text]
            for end in range(1, len(whole)):
                for n in range(1, order + 1):
                    if end - n + 1 >= 0:
                        gram = tuple(whole[end - n + 1 : end + 1])
                        raw[n][gram] += 1
                        if end - n >= 0:
                            before[n][gram].add(whole[end - n])
        self.counts = [
            Counter({g: c if n == order or g[0] == BEGIN else len(before[n][g]) for g, c in raw[n].items()})
            for n in range(order + 1)
        ]
        self.taken = [(0.0, 0.0, 0.0, 0.0)] + [
            (0.0, *discounts(np.array(list(self.counts[n].values())))) for n in range(1, order + 1)
        ]

    def probability(self, word: str, before: Sequence[str]) -> float:
        result = 1 / (len(self.words) + 1)
        for n in range(1, self.order + 1):
            if len(before) < n - 1:
                break
            context = tuple(before[len(before) - n + 1 :])
            after = {g[-1]: c for g, c in self.counts[n].items() if g[:-1] == context}
            if not after:
                continue
            total, taken = sum(after.values()), self.taken[n]
            missing = sum(min(taken[min(c, 3)], c) for c in after.values()) / total
            count = after.get(word, 0)
            result = max(count - taken[min(count, 3)], 0) / total + missing * result
        return result


def uniform(size: int):
    return lambda words: np.full(len(words), -np.log2(size))


def random_texts(seed: int, count: int = 40) -> list[list[str]]:
    generator = np.random.default_rng(seed)
    weights = 1 / np.arange(1, 13)
    return [
        list(generator.choice(list("abcdefghijkl"), size=generator.integers(1, 15), p=weights / weights.sum()))
        for _ in range(count)
    ]


@pytest.mark.parametrize("order", [1, 2, 3, 4, 5])
@pytest.mark.parametrize("texts", [TEXTS, random_texts(0), random_texts(1, 200)], ids=["few", "some", "many"])
def test_it_is_the_definition(order: int, texts: list[list[str]]) -> None:
    slow = Slow(texts, order)
    fast = KneserNey(texts, order, uniform(len(slow.words) + 1))
    asked = [*texts[:5], ["the", "cat", "never", "sat", "."], ["zz", "a", "b"], random_texts(9, 1)[0]]
    for text, found in zip(asked, fast.surprisals(asked), strict=True):
        wanted = [-np.log2(slow.probability(word, [BEGIN, *text[:i]])) for i, word in enumerate(text)]
        np.testing.assert_allclose(found, wanted, rtol=1e-10)


@settings(max_examples=20)
@given(st.integers(0, 1000), st.integers(1, 5), st.lists(st.sampled_from(list("abcxyz")), max_size=6))
def test_words_that_can_follow_add_up_to_one(seed: int, order: int, before: list[str]) -> None:
    """With a uniform base over the known words and one unknown."""
    texts = random_texts(seed, 12)
    known = sorted({w for t in texts for w in t})
    model = KneserNey(texts, order, uniform(len(known) + 1))
    follow = model.surprisals([[*before, word] for word in [*known, "?"]])
    assert sum(2.0 ** -s[-1] for s in follow) == pytest.approx(1, abs=1e-9)


@pytest.mark.parametrize("order", [1, 2, 3, 5])
def test_the_best_word_is_the_most_probable(order: int) -> None:
    texts = random_texts(3, 60)
    model = KneserNey(texts, order)
    for before in [[], *[t[:i] for t in random_texts(4, 8) for i in range(1, len(t))], ["?"], ["?", "a"]]:
        options = model.surprisals([[*before, word] for word in model.words[1:]])
        bits = np.array([s[-1] for s in options])
        assert bits[model.words.index(model.best(before)) - 1] == pytest.approx(bits.min(), abs=1e-12)


STEMS = ("walk", "talk", "jump", "look", "cook", "book", "call", "fall", "mark", "park", "work", "climb", "sing")


def test_spelling_knows_what_words_look_like() -> None:
    words = [stem + end for stem in STEMS for end in ("", "s", "ed", "ing") if stem + end != "parking"]
    likely, unlikely, foreign = Spelling(words)(["parking", "gnikrap", "歩くことができ"])
    assert likely > unlikely + 10 > foreign + 20


def test_all_characters_of_unicode_can_follow() -> None:
    letters = Spelling(STEMS)._letters
    for before in ([], ["w"], list("wal"), ["?"]):
        bits = np.array([s[-1] for s in letters.surprisals([[*before, c] for c in [*letters.words[1:], "\x00"]])])
        known, unknown = 2.0 ** -bits[:-1], 2.0 ** -bits[-1]
        assert known.sum() + unknown * (CHARACTERS - len(known)) == pytest.approx(1, abs=1e-9)


def test_a_word_of_a_megabyte_has_finite_surprisal() -> None:
    (bits,) = KneserNey(TEXTS, 3).surprisals([["\N{GRINNING FACE}" * 100_000]])
    assert np.isfinite(bits).all()
    assert bits[0] > 1e5


def test_no_texts_no_words_and_no_order() -> None:
    model = KneserNey(TEXTS, 2)
    assert model.surprisals([]) == []
    assert [len(s) for s in model.surprisals([[], ["the"], []])] == [0, 1, 0]
    with pytest.raises(ValueError, match="at least one word"):
        KneserNey([[]], 2)
    with pytest.raises(ValueError, match="order of n-grams is 0"):
        KneserNey(TEXTS, 0)


def test_texts_together_are_as_texts_alone() -> None:
    model = KneserNey(random_texts(5), 4)
    asked = random_texts(6, 10)
    for text, together in zip(asked, model.surprisals(asked), strict=True):
        np.testing.assert_array_equal(model.surprisals([text])[0], together)


def test_the_digest_is_of_the_counts() -> None:
    one, same, other = (KneserNey(texts, 2).digest for texts in (TEXTS, list(TEXTS), TEXTS[1:]))
    assert one == same != other
