"""The conventions of the published benchmarks: how a score is made from a metric and its ceiling."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

from brainmark.brainscore.metrics.assemblies import one_value
from brainmark.core.comparison import Comparison
from brainmark.core.errors import InvalidMeasurement
from brainmark.core.libraries import np


@dataclass(frozen=True)
class PublishedConvention:
    """A `core.convention.Convention` with a published normalisation: all units count, and there is no interval.

    Attributes
    ----------
    ratio : (metric's comparison, ceiling's) -> value of the score.
    one_number : comparison (of a metric, a control or a ceiling) -> number.
    """

    ratio: Callable[[Comparison, Comparison], float]
    one_number: Callable[[Comparison], float] = one_value

    def align(self, raw: Comparison, ceiling: Comparison | None) -> tuple[Comparison, Comparison | None]:
        """Return both as they are."""
        return raw, ceiling

    def center(self, comparison: Comparison) -> float:
        """Return the published number of a comparison."""
        return self.one_number(comparison)

    def normalize(self, raw: Comparison, ceiling: Comparison | None) -> float:
        """Return the published value of the score."""
        return self.one_number(raw) if ceiling is None else self.ratio(raw, ceiling)

    def draw(self, raw: Comparison, ceiling: Comparison | None, seed: int) -> tuple[np.ndarray, np.ndarray]:
        """Return no draws: nothing is published about them."""
        return np.empty(0), np.empty(0)


def _explain_over_time(score: Comparison, ceiling: Comparison) -> float:
    """Return mean r^2 over mean reliability; bins without either do not count."""
    known = np.isfinite(score.array) & np.isfinite(ceiling.array)
    return float((score.array[known] ** 2).mean() / ceiling.array[known].mean()) if known.any() else math.nan


def _divide_halvings(score: Comparison, ceiling: Comparison) -> float:
    """Return r / sqrt(ceiling) in each halving of the trials, averaged."""
    if score.splits is None or ceiling.splits is None:
        raise InvalidMeasurement("score and ceiling are divided halving by halving; one has none")
    return float((score.splits.values[:, 0] / np.sqrt(ceiling.splits.values[:, 0])).mean())


def _divide(score: Comparison, ceiling: Comparison) -> float:
    return one_value(score) / one_value(ceiling)


EXPLAINED_VARIANCE = PublishedConvention(lambda score, ceiling: one_value(score) ** 2 / one_value(ceiling))
"""Recordings: r^2 / reliability, each the median over neuroids of a split, averaged over splits."""

OVER_TIME = PublishedConvention(_explain_over_time, Comparison.aggregate)
"""Recordings with time bins: published is one value a bin (see `Score.units`); the whole is ours."""

IMAGE_LEVEL = PublishedConvention(_divide_halvings)
"""Image-level behaviour: r / sqrt(ceiling)."""

BOUNDED_RATIO = PublishedConvention(lambda score, ceiling: min(max(_divide(score, ceiling), 0.0), 1.0))
"""Error consistency: score / ceiling within 0 and 1."""

RATIO = PublishedConvention(_divide)
"""Object solution times: score / ceiling."""

PLAIN = PublishedConvention(lambda score, _: one_value(score))
"""Accuracy: as it is."""
