"""Units of a network that prefer sentences to non-words: the localizer of the language network, for models."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from brainmark.core.errors import InvalidStimuli
from brainmark.core.libraries import np
from brainmark.models.sources.arguments import is_finite, refuse

if TYPE_CHECKING:
    from brainmark.models.subjects.language import LanguageSubject

TOKENS = 12
"""Of each text as many tokens are read, so that both kinds are of one length."""


@dataclass(frozen=True, eq=False)
class Localization:
    """How much each unit prefers sentences.

    Attributes
    ----------
    t : layer -> Welch's t (units,) of absolute activations, sentences against non-words.
    """

    t: Mapping[str, np.ndarray]

    def units(self, share: float = 0.01) -> dict[str, list[int]]:
        """Return the `share` of all units, over all layers together, that prefer sentences most.

        Raises
        ------
        InvalidModel : not a share, or fewer than one unit.
        """
        return self._by_layer(self._order()[: self._count(share)])

    def random_units(self, share: float = 0.01, seed: int = 0) -> dict[str, list[int]]:
        """Return as many units drawn from all others: the control of an ablation."""
        count = self._count(share)
        others = self._order()[count:]
        if len(others) < count:
            raise refuse("random_units", "share", share, "more than half of the units leaves no others to draw from")
        return self._by_layer(np.random.default_rng(seed).choice(others, count, replace=False))

    def _order(self) -> np.ndarray:
        """All units, those that prefer sentences most first; of equals, the earlier."""
        return np.argsort(-np.concatenate(list(self.t.values())), kind="stable")

    def _count(self, share: float) -> int:
        total = sum(len(t) for t in self.t.values())
        count = int(share * total) if is_finite(share) and 0 < share <= 1 else 0
        if not count:
            raise refuse("a localization", "share", share, f"give a share of its {total} units, at least one of them")
        return count

    def _by_layer(self, chosen: np.ndarray) -> dict[str, list[int]]:
        starts = np.cumsum([0, *(len(t) for t in self.t.values())])
        found: dict[str, list[int]] = {}
        for layer, first, stop in zip(self.t, starts[:-1].tolist(), starts[1:].tolist(), strict=True):
            inside = np.sort(chosen[(chosen >= first) & (chosen < stop)]) - first
            if len(inside):
                found[layer] = inside.tolist()
        return found


def localize(
    subject: LanguageSubject,
    sentences: Sequence[str],
    non_words: Sequence[str],
    layers: Sequence[str] = (),
    tokens: int | None = TOKENS,
) -> Localization:
    """Compare absolute activations to sentences and to lists of non-words, at the last token, in all layers.

    After Fedorenko et al. 2010 (J Neurophysiol) for people and AlKhamissi et al. 2025 (NAACL) for models. Units that
    never change get 0.

    Parameters
    ----------
    sentences, non_words : at least two texts each; see `non_words.non_word_lists`.
    layers : names; none: all blocks.
    tokens : of each text that are read; None: all.

    Raises
    ------
    InvalidStimuli : fewer than two texts of a kind, or one without tokens.
    """
    names = list(layers) or subject.reader.blocks()
    first, second = (_activations(subject, texts, names, tokens) for texts in (sentences, non_words))
    return Localization({name: _welch(a, b) for name, a, b in zip(names, first, second, strict=True)})


def _activations(
    subject: LanguageSubject, texts: Sequence[str], layers: Sequence[str], tokens: int | None
) -> list[np.ndarray]:
    """Absolute activations (texts, units) of each layer at the last token."""
    if len(texts) < 2:
        raise InvalidStimuli(f"a localizer compares at least two texts of each kind; there are {len(texts)}")
    values, sizes = subject.represent(texts, layers, tokens)
    return np.split(np.abs(values), np.cumsum(sizes)[:-1].tolist(), axis=1)


def _welch(first: np.ndarray, second: np.ndarray) -> np.ndarray:
    """Welch's t (units,), float64."""
    a, b = first.astype(np.float64), second.astype(np.float64)
    spread = a.var(axis=0, ddof=1) / len(a) + b.var(axis=0, ddof=1) / len(b)
    difference = a.mean(axis=0) - b.mean(axis=0)
    return np.divide(difference, np.sqrt(spread), out=np.zeros_like(difference), where=spread > 0)


__all__ = ["TOKENS", "Localization", "localize"]
