"""Subjects that know words alone: counted n-grams, and properties of words that models must do better than."""

from __future__ import annotations

import functools
import hashlib
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import ClassVar

from brainmark.core.cards import Domain
from brainmark.core.errors import NotApplicable
from brainmark.core.experiment import Experiment, NextWord, Prefer, Rate, Read, Record
from brainmark.core.libraries import np, xr
from brainmark.models.networks.kneser_ney import KneserNey
from brainmark.models.subjects.observer import answered
from brainmark.models.subjects.text_parts import HALF_BITS, RATED, parts_of_contexts, placed, word_counts
from brainmark.models.subjects.text_regions import LANGUAGE_REGIONS
from brainmark.models.subjects.tokens import join_parts, parts_of_tokens
from brainmark.models.subjects.units import recorded

WORD = re.compile(r"\w+(?:[-'’.,]\w+)*|[^\w\s]")
"""A word with what is inside it (well-known, don't, 2.5), or one sign of punctuation."""
SENTENCE_ENDS = frozenset(".!?")
LETTER_BITS = float(np.log2(27))  # of 26 letters and the space, all equally probable
EMBEDDED = 300  # units of random vectors


@dataclass(frozen=True, eq=False)
class WordText:
    """A text that comes in parts, as words.

    Attributes
    ----------
    parts : as presented.
    words : of the whole text, in order.
    part : (words,) the part that each word belongs to.
    """

    parts: tuple[str, ...]
    words: tuple[str, ...]
    part: np.ndarray

    def per_part(self, values: np.ndarray) -> np.ndarray:
        """Sums (parts, ...) of the values (words, ...) of each part's words."""
        sums = np.zeros((len(self.parts), *values.shape[1:]))
        np.add.at(sums, self.part, values)
        return sums


def word_text(parts: Sequence[str], space_before: Sequence[bool] | None = None) -> WordText:
    """Return the words of a text in parts; a word that reaches over two parts belongs to the one in which it begins."""
    text, spans = join_parts(parts, space_before)
    found = list(WORD.finditer(text))
    offsets = np.array([m.span() for m in found], np.int64).reshape(-1, 2)
    return WordText(tuple(parts), tuple(m[0] for m in found), parts_of_tokens(text, spans, offsets))


Bits = Callable[[Sequence[WordText]], list[np.ndarray]]
"""Texts -> surprisal (parts,) of the parts of each."""
Features = Callable[[Sequence[WordText]], list[np.ndarray]]
"""Texts -> what is known of the parts of each: (parts, units)."""


@dataclass(frozen=True, eq=False)
class WordSubject:
    """A subject that is a few functions of the words of a text.

    Attributes
    ----------
    identifier : name.
    units : what its units stand for.
    features : see `Features`; what it records, for every region.
    bits : see `Bits`; None: it predicts nothing.
    best : the most probable next word after the words of a text; None: it predicts none.
    digest : of what it learnt from; called when it has learnt.
    """

    domain: ClassVar[Domain] = "language"
    identifier: str
    units: tuple[str, ...]
    features: Features
    bits: Bits | None = None
    best: Callable[[Sequence[str]], str] | None = None
    digest: Callable[[], str] | None = None

    @property
    def weights_digest(self) -> str | None:
        """sha256 over what it learnt; None: it learnt nothing."""
        return None if self.digest is None else self.digest()

    def perform(self, experiment: Experiment) -> xr.DataArray:
        """Record: presentation x neuroid [x time_bin]. Prefer: x choice. Read, Rate: values; NextWord: words.

        Raises
        ------
        NotApplicable : another modality, region or question; or it predicts nothing.
        """
        ask, stimuli = experiment.ask, experiment.stimuli
        if stimuli.modality != "text":
            raise NotApplicable(f"{self.identifier} knows words, it cannot take stimuli of modality {stimuli.modality}")
        match ask:
            case Record():
                return self._record(experiment, ask)
            case Read():  # how long a part is read grows with its bits; correlations do not depend on how much
                return answered(experiment, self._bits(experiment))
            case NextWord():
                return answered(experiment, self._next_words(experiment))
            case Prefer():
                bits = self._bits(experiment).reshape(-1, ask.group)
                odds = np.exp2(bits.min(axis=1, keepdims=True) - bits)
                return answered(experiment, odds / odds.sum(axis=1, keepdims=True), np.arange(ask.group))
            case Rate(fitting=None, group=1) if ask.question in RATED:
                share = 1 / (1 + self._bits(experiment) / word_counts(stimuli) / HALF_BITS)
                return answered(experiment, ask.low + (ask.high - ask.low) * share)
            case _:
                raise NotApplicable(
                    f"{self.identifier} knows words by themselves; it cannot answer {type(ask).__name__}"
                )

    def _record(self, experiment: Experiment, ask: Record) -> xr.DataArray:
        if ask.region not in LANGUAGE_REGIONS:
            raise NotApplicable(
                f"{self.identifier} stands for no region {ask.region!r}; it can record {', '.join(LANGUAGE_REGIONS)}"
            )
        if ask.eccentricity is not None:
            raise NotApplicable(f"{self.identifier}: its units have no receptive fields")
        values = _of_parts(experiment, self.features).astype(np.float32)
        return recorded(values, {"unit": np.array(self.units)}, experiment)

    def _bits(self, experiment: Experiment) -> np.ndarray:
        """Surprisal (presentations,) of the parts."""
        if self.bits is None:
            raise NotApplicable(f"{self.identifier} predicts no words, so it has no surprisal; it records")
        return _of_parts(experiment, self.bits)

    def _next_words(self, experiment: Experiment) -> np.ndarray:
        best = self.best
        if best is None:
            raise NotApplicable(f"{self.identifier} predicts no next word")

        def of_texts(texts: Sequence[WordText]) -> list[np.ndarray]:
            ends = [np.searchsorted(t.part, np.arange(len(t.parts)), side="right") for t in texts]
            return [
                np.array([best(t.words[:end]) for end in some.tolist()], dtype=object)
                for t, some in zip(texts, ends, strict=True)
            ]

        return _of_parts(experiment, of_texts).astype(str)


def _of_parts(experiment: Experiment, values: Callable[[Sequence[WordText]], list[np.ndarray]]) -> np.ndarray:
    """Compute the values of all contexts, in the order of the presentations."""
    texts = [word_text(parts, spaces) for parts, spaces in parts_of_contexts(experiment)]
    return placed(experiment, np.concatenate(values(texts)))


# --- what they know --------------------------------------------------------------------------------------------------


def ngram_subject(identifier: str, make: Callable[[], KneserNey]) -> WordSubject:
    """Return a subject that predicts words by counts; `make` is called when it first reads. It records its bits."""
    made = functools.cache(make)

    def bits(texts: Sequence[WordText]) -> list[np.ndarray]:
        words = made().surprisals([text.words for text in texts])
        return [text.per_part(values) for text, values in zip(texts, words, strict=True)]

    return WordSubject(
        identifier,
        ("surprisal",),
        lambda texts: [values[:, None] for values in bits(texts)],
        bits,
        lambda words: made().best(words),
        lambda: made().digest,
    )


def lengths(texts: Sequence[WordText]) -> list[np.ndarray]:
    """Characters of each part: (parts, 1)."""
    return [np.array([[float(len(part.strip()))] for part in text.parts]) for text in texts]


def typing_bits(texts: Sequence[WordText]) -> list[np.ndarray]:
    """Bits of each part if every letter, and the space after it, were drawn by itself."""
    return [LETTER_BITS * (values[:, 0] + (values[:, 0] > 0)) for values in lengths(texts)]


def counts(texts: Sequence[WordText]) -> list[np.ndarray]:
    """Words of each part, 1 where it is one: convolved with a haemodynamic response, the rate at which words come."""
    return [_counted(text)[:, None] for text in texts]


def positions(texts: Sequence[WordText]) -> list[np.ndarray]:
    """Words up to the end of each part, in its text and in its sentence: (parts, 2)."""
    return [np.stack([np.cumsum(_counted(text)), _within_sentences(text)], axis=1) for text in texts]


def _counted(text: WordText) -> np.ndarray:
    """Words (parts,) of each part; punctuation is none."""
    return text.per_part(np.array([float(any(map(str.isalnum, word))) for word in text.words]))


def _within_sentences(text: WordText) -> np.ndarray:
    places: list[float] = []
    place = 0.0
    for part, count in zip(text.parts, _counted(text), strict=True):
        place += count
        places.append(place)
        if part.rstrip("\"'”’)] ")[-1:] in SENTENCE_ENDS and part.strip():
            place = 0.0
    return np.array(places, float)


def random_vectors(texts: Sequence[WordText], seed: int) -> list[np.ndarray]:
    """Mean of the vectors of each part's words; a word's vector is drawn from its letters (in lower case) and seed.

    A part without a word is all zeros.
    """

    @functools.cache
    def vector(word: str) -> np.ndarray:
        key = hashlib.sha256(f"{seed}:{word}".encode()).digest()[:8]
        return np.random.default_rng(int.from_bytes(key, "little")).standard_normal(EMBEDDED)

    made: list[np.ndarray] = []
    for text in texts:
        values = np.array([vector(word.lower()) for word in text.words]).reshape(-1, EMBEDDED)
        counts = np.bincount(text.part, minlength=len(text.parts))[:, None]
        made.append(text.per_part(values) / np.maximum(counts, 1))
    return made


__all__ = [
    "EMBEDDED", "LETTER_BITS", "WORD", "WordSubject", "WordText", "counts", "lengths", "ngram_subject", "positions",
    "random_vectors", "typing_bits", "word_text",
]  # fmt: skip
