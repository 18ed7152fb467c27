"""Similarity of distributions of tuning properties as published (Marques et al. 2021)."""

from __future__ import annotations

from brainmark.brainscore.metrics.assemblies import single
from brainmark.core.comparison import Comparison
from brainmark.core.errors import InvalidMeasurement
from brainmark.core.libraries import np
from brainmark.metrics._arrays.shapes import Real
from brainmark.metrics.tuning.distributions import distribution_similarity


def ks_similarity(model: Real[np.ndarray, " bin"], data: Real[np.ndarray, " bin"]) -> float:
    """1 - D / D_max of two histograms (bin,), D the Kolmogorov-Smirnov distance, D_max the largest one from `data`."""
    return float(distribution_similarity(model, data))


def property_similarity(
    model: Real[np.ndarray, " unit"],
    data: Real[np.ndarray, " cell"],
    bins: Real[np.ndarray, " edge"],
    resamples: int = 1000,
    seed: int = 0,
) -> Comparison:
    """Mean similarity between the cells and as many units, drawn with replacement, again and again.

    Parameters
    ----------
    model, data : (unit,) and (cell,); values beyond the outer edges count into the outer bins, NaN nowhere.
    bins : edges.
    resamples : draws.
    seed : with ``numpy.random.seed`` of the same number before it, the published code, which is not seeded, draws the
        same units.

    Returns
    -------
    Comparison with one value; the error is the standard deviation over draws. Both are 0 if every tenth draw fails.
    """
    if len(bins) < 3:
        raise InvalidMeasurement("a distribution needs at least two bins")
    which, cells = (_binned(np.asarray(v, float), np.asarray(bins, float)) for v in (model, data))
    count = len(bins) - 1
    histogram = np.bincount(cells[cells >= 0], minlength=count)
    generator = np.random.RandomState(seed)
    drawn = np.stack([_histogram(generator.choice(which, len(cells)), count) for _ in range(resamples)])
    values = np.atleast_1d(distribution_similarity(drawn, histogram[None]))
    if np.isnan(values).sum() > 100:  # published: a tenth of 1000, whatever the number of draws
        return single(0.0, 0.0)
    return single(float(np.nanmean(values)), float(np.nanstd(values)))


def _binned(values: np.ndarray, bins: np.ndarray) -> np.ndarray:
    """Bin of each value; the last edge belongs to the last bin; -1: NaN."""
    known = np.isfinite(values) | np.isinf(values)
    inside = np.clip(np.where(known, values, bins[0]), bins[0], bins[-1])
    place = np.minimum(np.searchsorted(bins, inside, side="right") - 1, len(bins) - 2)
    return np.where(known, place, -1)


def _histogram(which: np.ndarray, count: int) -> np.ndarray:
    return np.bincount(which[which >= 0], minlength=count)
