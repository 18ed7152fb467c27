"""Subjects made of n-gram counts or of properties of single words."""

from __future__ import annotations

import functools
import hashlib
import math
import re
import unicodedata
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import ClassVar, TypeAlias

from brainmark.core.cards import Domain
from brainmark.core.errors import InvalidModel, NotApplicable
from brainmark.core.experiment import Experiment, NextWord, Prefer, Rate, Read, Record
from brainmark.core.libraries import np, xr
from brainmark.core.signs import find_spelling, write_plainly
from brainmark.models import subjects
from brainmark.models.networks.kneser_ney import KneserNey
from brainmark.models.subjects.readout import LANGUAGE_REGIONS
from brainmark.models.subjects.tokens import join_parts, parts_of_contexts, parts_of_tokens, restore_order
from brainmark.models.subjects.units import as_recording

_MARKS = (  # on letters, before and after which a word goes on: Latin, Cyrillic, Hebrew, Arabic, Devanagari
    "\u0300-\u036f\u0483-\u0489\u0591-\u05c7\u0610-\u061a\u064b-\u065f\u0670\u06d6-\u06ed"
    "\u0900-\u0903\u093a-\u094f\u0962\u0963"
)
_LETTERS = rf"\w[\w{_MARKS}]*"
WORD = re.compile(rf"{_LETTERS}(?:[-'’.,]{_LETTERS})*|[^\w\s]")
"""A word with what is inside it (well-known, don't, 2.5), or one sign of punctuation."""
SENTENCE_ENDS = frozenset(".!?")
LETTER_BITS = math.log2(27)  # of 26 letters and the space, all equally probable
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
        """Return the sums (parts, ...) of the values (words, ...) of each part's words."""
        sums = np.zeros((len(self.parts), *values.shape[1:]))
        np.add.at(sums, self.part, values)
        return sums


def word_text(parts: Sequence[str], space_before: Sequence[bool] | None = None) -> WordText:
    """Return the words of a text in parts; a word that reaches over two parts belongs to the one in which it begins."""
    text, spans = join_parts(parts, space_before)
    found = list(WORD.finditer(text))
    offsets = np.array([m.span() for m in found], np.int64).reshape(-1, 2)
    return WordText(tuple(parts), tuple(m[0] for m in found), parts_of_tokens(text, spans, offsets))


Bits: TypeAlias = "Callable[[Sequence[WordText]], list[np.ndarray]]"
"""Texts -> surprisal (parts,) of the parts of each."""
Features: TypeAlias = "Callable[[Sequence[WordText]], list[np.ndarray]]"
"""Texts -> what is known of the parts of each: (parts, units)."""


@dataclass(frozen=True, eq=False)
class WordSubject:
    """A subject that is a few functions of the words of a text.

    Attributes
    ----------
    identifier : name.
    features : see `Features`; what it records, for every region.
    units : names of its units; none: they have no names.
    bits : see `Bits`; None: it predicts nothing.
    best : the most probable next word after the words of a text; None: it predicts none.
    digest : of what it learnt from; called when it has learnt.
    regions : that it stands for.

    Raises
    ------
    InvalidModel : no region.
    """

    domain: ClassVar[Domain] = "language"
    identifier: str
    features: Features
    units: tuple[str, ...] = ()
    bits: Bits | None = None
    best: Callable[[Sequence[str]], str] | None = None
    digest: Callable[[], str] | None = None
    regions: tuple[str, ...] = LANGUAGE_REGIONS

    def __post_init__(self) -> None:
        if not self.regions:
            raise InvalidModel(f"{self.identifier}: regions is empty; name the regions that its units stand for")

    @property
    def weights_digest(self) -> str | None:
        """sha256 over what it learnt; None: it learnt nothing."""
        return None if self.digest is None else self.digest()

    def perform(self, experiment: Experiment) -> xr.DataArray:
        """Record: presentation x neuroid [x time_bin]. Prefer: x choice. Read, Rate: values; NextWord: words.

        How long a part is read grows with its bits; correlations do not depend on how much.

        Raises
        ------
        NotApplicable : another modality, region or question; or it predicts nothing.
        """
        ask, stimuli = experiment.ask, experiment.stimuli
        if stimuli.modality != "text":
            raise NotApplicable(f"{self.identifier} takes words and cannot take stimuli of modality {stimuli.modality}")
        match ask:
            case Record():
                self._check_record(ask)
                values = self._of_parts(experiment, self.features).astype(np.float32)
                return as_recording(values, {"unit": np.array(self.units)} if self.units else {}, experiment)
            case NextWord():
                return subjects.as_answer(experiment, self._of_parts(experiment, self._next_words).astype(str))
            case Read() | Prefer():
                return subjects.answer_from_bits(experiment, self._of_parts(experiment, self._predict))
            case Rate(fitting=None, group=1) if ask.question in subjects.RATED:
                return subjects.answer_from_bits(experiment, self._of_parts(experiment, self._predict))
            case _:
                raise NotApplicable(f"{self.identifier} uses single words only; it cannot answer {type(ask).__name__}")

    def _check_record(self, ask: Record) -> None:
        if ask.region not in self.regions:
            raise NotApplicable(
                f"{self.identifier} has no region {ask.region!r}; it can record {', '.join(self.regions)}"
            )
        if ask.eccentricity is not None:
            raise NotApplicable(f"{self.identifier}: its units have no receptive fields")

    def _predict(self, texts: Sequence[WordText]) -> list[np.ndarray]:
        if self.bits is None:
            raise NotApplicable(f"{self.identifier} predicts no words, so it has no surprisal; it can only be recorded")
        return self.bits(texts)

    def _next_words(self, texts: Sequence[WordText]) -> list[np.ndarray]:
        best = self.best
        if best is None:
            raise NotApplicable(f"{self.identifier} predicts no next word")
        ends = [np.searchsorted(t.part, np.arange(len(t.parts)), side="right") for t in texts]
        return [
            np.array([best(text.words[:end]) for end in some.tolist()], dtype=object)
            for text, some in zip(texts, ends, strict=True)
        ]

    def _of_parts(self, experiment: Experiment, values: Features) -> np.ndarray:
        """Compute the values of the parts of all contexts, in the order of the presentations."""
        texts = [word_text(parts, spaces) for parts, spaces in parts_of_contexts(experiment)]
        return restore_order(experiment, np.concatenate(values(texts)))


# --- what they know --------------------------------------------------------------------------------------------------


def ngram_subject(identifier: str, make: Callable[[], KneserNey]) -> WordSubject:
    """Return a subject that predicts words by counts, and records its bits; `make` is called when it is first used.

    A word that was not counted as it is written has the probability of its plain spelling: ``don’t`` that of ``don't``.
    """
    made = functools.cache(make)

    def known(words: Sequence[str]) -> list[str]:
        return [find_spelling(word, made()) or write_plainly(word) for word in words]

    def bits(texts: Sequence[WordText]) -> list[np.ndarray]:
        words = made().surprisals([known(text.words) for text in texts])
        return [text.per_part(values) for text, values in zip(texts, words, strict=True)]

    return WordSubject(
        identifier,
        lambda texts: [values[:, None] for values in bits(texts)],
        ("surprisal",),
        bits,
        lambda words: made().best(known(words)),
        lambda: made().digest,
    )


def lengths(texts: Sequence[WordText]) -> list[np.ndarray]:
    """Return the characters of each part, a letter with its accents counted once: (parts, 1)."""
    return [np.array([[float(len(unicodedata.normalize("NFC", part).strip()))] for part in t.parts]) for t in texts]


def typing_bits(texts: Sequence[WordText]) -> list[np.ndarray]:
    """Return the bits of each part if every letter, and the space after it, were drawn by itself."""
    return [LETTER_BITS * (values[:, 0] + (values[:, 0] > 0)) for values in lengths(texts)]


def counts(texts: Sequence[WordText]) -> list[np.ndarray]:
    """Return the words of each part, 1 where it is one: convolved with a haemodynamic response, the rate of words."""
    return [_count_words(text)[:, None] for text in texts]


def positions(texts: Sequence[WordText]) -> list[np.ndarray]:
    """Return the words up to the end of each part, in its text and in its sentence: (parts, 2)."""
    return [np.stack([np.cumsum(_count_words(text)), _within_sentences(text)], axis=1) for text in texts]


def _count_words(text: WordText) -> np.ndarray:
    """Return the words (parts,) of each part; punctuation is none."""
    return text.per_part(np.array([float(any(map(str.isalnum, word))) for word in text.words]))


def _within_sentences(text: WordText) -> np.ndarray:
    places: list[float] = []
    place = 0.0
    for part, count in zip(text.parts, _count_words(text), strict=True):
        place += count
        places.append(place)
        if part.rstrip("\"'”’)] ")[-1:] in SENTENCE_ENDS and part.strip():
            place = 0.0
    return np.array(places, float)


def random_vectors(texts: Sequence[WordText], seed: int) -> list[np.ndarray]:
    """Average the vectors of each part's words; a vector is drawn from the word's letters (lower case) and the seed.

    A part without a word is all zeros.
    """

    @functools.cache
    def vector(word: str) -> np.ndarray:
        key = hashlib.sha256(f"{seed}:{word}".encode()).digest()[:8]
        return np.random.default_rng(int.from_bytes(key, "little")).standard_normal(EMBEDDED)

    made: list[np.ndarray] = []
    for text in texts:
        values = np.array([vector(write_plainly(word).lower()) for word in text.words]).reshape(-1, EMBEDDED)
        counts = np.bincount(text.part, minlength=len(text.parts))[:, None]
        made.append(text.per_part(values) / np.maximum(counts, 1))
    return made
