"""Conventions: how the values of units become one score. The default one also gives it an interval."""

from __future__ import annotations

import math
import zlib
from dataclasses import replace
from typing import Literal, Protocol

from brainmark.core.comparison import Comparison, center
from brainmark.core.libraries import np, scipy

FEW_UNITS = 5
"""Below this number of units, percentiles of their draws say little; intervals are then marked as too narrow."""


class Convention(Protocol):
    """How a comparison becomes one number, and how that number is normalised by the ceiling.

    A plug-in gives its benchmarks a convention of its own with an object that has these four methods.
    """

    def align(self, raw: Comparison, ceiling: Comparison | None) -> tuple[Comparison, Comparison | None]:
        """Return both with NaN for the units that shall not count."""
        ...

    def center(self, comparison: Comparison) -> float:
        """Return the one number of a comparison: of a metric, a control or a ceiling."""
        ...

    def normalize(self, raw: Comparison, ceiling: Comparison | None) -> float:
        """Return the value of the score; without a ceiling, the number itself."""
        ...

    def draw(self, raw: Comparison, ceiling: Comparison | None, seed: int) -> tuple[np.ndarray, np.ndarray]:
        """Return the centres (draw,) of both under resampling; empty where the convention has no interval."""
        ...


class RatioOfCentres:
    """The default convention: centre of the metric / centre of the ceiling.

    One unit with a poor ceiling cannot carry such a value. Units without a reliable signal count in both centres, with
    a ceiling of 0 (`Comparison.count_all`); units whose ceiling is not known count in neither. Draws resample stimuli
    (the replicates) and units jointly.
    """

    def align(self, raw: Comparison, ceiling: Comparison | None) -> tuple[Comparison, Comparison | None]:
        """Where both share their units, leave out those without either value."""
        ceiling = None if ceiling is None else ceiling.count_all()
        if ceiling is None or ceiling.unit != raw.unit or ceiling.values.shape != raw.values.shape:
            return raw, ceiling
        values, top = raw.array, ceiling.array
        known = np.isfinite(values) & np.isfinite(top)
        if known.all():
            return raw, ceiling
        return (
            replace(raw, values=raw.values.copy(data=np.where(known, values, np.nan))),
            replace(ceiling, values=ceiling.values.copy(data=np.where(known, top, np.nan))),
        )

    def center(self, comparison: Comparison) -> float:
        """Return the median or the mean over units, as the comparison says."""
        return comparison.aggregate()

    def normalize(self, raw: Comparison, ceiling: Comparison | None) -> float:
        """Return the ratio of both centres."""
        return raw.aggregate() if ceiling is None else raw.aggregate() / ceiling.aggregate()

    def draw(self, raw: Comparison, ceiling: Comparison | None, seed: int) -> tuple[np.ndarray, np.ndarray]:
        """Draw units, and add what all units share under each draw of stimuli.

        Drawing units already brings in the error of each unit; from the replicates only what all units share with a
        draw of stimuli is added (`share_errors`), or that error would count three times (Owen 2007, Ann. Appl.
        Stat. 1, 386).
        """
        if raw.replicates is None:
            return np.empty(0), np.empty(0)
        resampled = [raw] if ceiling is None or ceiling.replicates is None else [raw, ceiling]
        replicates = [c.replicates for c in resampled if c.replicates is not None]
        count = min(map(len, replicates))
        shifts = share_errors([r[:count] - c.array for r, c in zip(replicates, resampled, strict=True)])
        generator = np.random.default_rng([seed, 1, *_number_units(raw)])
        units = generator.integers(raw.values.size, size=(count, raw.values.size))
        draws = _draw_centres(raw.array, units, raw.center) + shifts[0]
        if ceiling is None:
            return draws, np.empty(0)
        if len(shifts) == 1:
            return draws, np.full(count, ceiling.aggregate())
        if ceiling.values.size != raw.values.size:
            units = generator.integers(ceiling.values.size, size=(count, ceiling.values.size))
        return draws, _draw_centres(ceiling.array, units, ceiling.center) + shifts[1]


DEFAULT = RatioOfCentres()


def _number_units(comparison: Comparison) -> list[int]:
    """Return a number that tells units of different names apart, so that only the same units are drawn together."""
    name = f"{comparison.unit}_id" if f"{comparison.unit}_id" in comparison.values.coords else comparison.unit
    if name not in comparison.values.coords:
        return []
    return [zlib.crc32("\n".join(comparison.values.coords[name].values.astype(str)).encode())]


def _draw_centres(values: np.ndarray, units: np.ndarray, how: Literal["median", "mean"]) -> np.ndarray:
    """Return centres (draw,) of drawn units (draw, unit).

    Draws of few units scatter less than their mean does, and have the tails of a normal distribution: deviations of
    the mean are stretched from the percentiles that they have to those of Student's t. Medians need no such thing.
    """
    centres = center(values[units], how)
    known = int(np.isfinite(values).sum())
    if how == "median" or known < 2:
        return centres
    return stretch_draws(centres, known, center(values[None], how))


def stretch_draws(draws: np.ndarray, count: int, middle: np.ndarray | None = None) -> np.ndarray:
    """Return draws of `count` things, spread about `middle` (None: their mean) by `student_stretch`."""
    known = np.isfinite(draws)
    mean = np.where(known, draws, 0).sum(axis=0) / np.maximum(known.sum(axis=0), 1) if middle is None else middle
    return mean + student_stretch(count) * (draws - mean)


def student_stretch(units: int) -> float:
    """Return by how much draws of some units are spread too little for a 95 % interval, by Student's t.

    Below `FEW_UNITS` it grows no further: their percentiles then say little anyway.
    """
    count = max(units, FEW_UNITS)
    return math.sqrt(count / (count - 1)) * float(scipy.special.stdtrit(count - 1, 0.975)) / 1.959964


def share_errors(errors: list[np.ndarray]) -> np.ndarray:
    """Return what all units have in common of their errors (replicate, unit) under each draw: (arrays, replicate).

    The mean over units holds that, and the units' own errors divided by their number. It is scaled linearly, so that
    its covariance (between metric and ceiling as well) loses the latter. A single unit keeps all of its error.
    """
    means = np.stack([center(e, "mean") for e in errors])
    means = np.where(np.isfinite(means), means, 0.0)
    total = np.atleast_2d(np.cov(means))
    own = np.zeros_like(total)
    for i, one in enumerate(errors):
        for j, other in enumerate(errors):
            if one.shape == other.shape and one.shape[1] > 1:
                rest = (one - means[i][:, None]) * (other - means[j][:, None])
                own[i, j] = center(rest.reshape(1, -1), "mean")[0] / (one.shape[1] - 1)
    middle = means.mean(1, keepdims=True)
    return middle + _take_root(total - own) @ np.linalg.pinv(_take_root(total)) @ (means - middle)


def _take_root(covariance: np.ndarray) -> np.ndarray:
    """Return the square root of a symmetric matrix, negative eigenvalues taken as 0."""
    values, vectors = np.linalg.eigh(covariance)
    return (vectors * np.sqrt(np.maximum(values, 0.0))) @ vectors.T
