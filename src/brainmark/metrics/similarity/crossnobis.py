"""Distances between patterns in units of their noise, and distances that noise does not inflate.

The squared distance between two noisy patterns is too large by the variance of the noise, even for equal conditions.
The crossnobis distance multiplies differences measured in different repetitions instead: its expected value is the true
squared (Mahalanobis) distance, and 0 for equal conditions, so single values may be negative (Walther et al. 2016,
NeuroImage).
"""

from __future__ import annotations

from brainmark.core.libraries import np
from brainmark.metrics._arrays.backend import as_float64, as_numpy, check_memory
from brainmark.metrics._arrays.shapes import Array, Bool, Float, Real
from brainmark.metrics.statistics.averages import divide


def noise_precision(repeats: Real[Array, "repetition condition neuroid"]) -> Float[np.ndarray, "neuroid neuroid"]:
    """Return the inverse noise covariance between neuroids, shrunk towards its diagonal mean (Ledoit & Wolf 2004).

    Parameters
    ----------
    repeats : (repetition, condition, neuroid); NaN: a whole pattern that was not measured.

    Returns
    -------
    (neuroid, neuroid)

    Raises
    ------
    ValueError : no condition has two repetitions, or nothing varies between repetitions.
    """
    repeats = as_float64(as_numpy(repeats))
    present = _present(repeats)
    number = present.sum(axis=0)
    if not (number > 1).any():
        raise ValueError("noise needs at least one condition with two repetitions")
    filled = np.where(present[..., None], repeats, 0.0)
    mean = filled.sum(axis=0) / np.maximum(number, 1)[:, None]
    residual = (repeats - mean)[present & (number > 1)]
    # Residuals of a condition with m repetitions have lost 1/m of the variance.
    weight = np.sqrt(number / np.maximum(number - 1, 1))
    residual = residual * np.broadcast_to(weight, present.shape)[present & (number > 1)][:, None]
    return np.linalg.inv(ledoit_wolf(residual))


def ledoit_wolf(residuals: Real[Array, "sample neuroid"]) -> Float[np.ndarray, "neuroid neuroid"]:
    """Return covariance (neuroid, neuroid) of (sample, neuroid) with mean 0, shrunk (Ledoit & Wolf 2004, eq. 14)."""
    residuals = as_float64(as_numpy(residuals))
    level, share = shrinkage(residuals)
    if not level > 0:
        raise ValueError("nothing varies between repetitions: the noise covariance is zero")
    samples, size = residuals.shape
    return (1 - share) * (residuals.T @ residuals / samples) + share * level * np.eye(size)


def shrinkage(residuals: Real[Array, "sample neuroid"]) -> tuple[float, float]:
    """Return mean variance and the share of it to which the covariance is shrunk (Ledoit & Wolf 2004).

    Works on whichever of the two sizes is smaller.
    """
    residuals = as_float64(as_numpy(residuals))
    samples, size = residuals.shape
    lengths = (residuals**2).sum(axis=1)
    product = residuals.T @ residuals if size <= samples else residuals @ residuals.T
    squares = float((product**2).sum()) / samples**2
    level = float(lengths.sum()) / samples / size
    spread = squares - size * level**2
    error = (float((lengths**2).mean()) - squares) / samples
    if not spread > 1e-12 * squares:
        return level, 1.0
    return level, min(max(error / spread, 0.0), 1.0)


def crossnobis_rdm(
    repeats: Real[Array, "repetition condition neuroid"], precision: Real[Array, "neuroid neuroid"] | None = None
) -> Float[np.ndarray, "condition condition"]:
    """Return unbiased squared distances between conditions, from products of different repetitions only.

    Parameters
    ----------
    repeats : (repetition, condition, neuroid); NaN: a whole pattern that was not measured.
    precision : (neuroid, neuroid), see `noise_precision`; None: the identity (cross-validated Euclidean distance).

    Returns
    -------
    (condition, condition): a'a + b'b - 2 a'b in the metric of `precision`, each product the mean over all pairs of
    different repetitions that measured both, zero on the diagonal; NaN for conditions without two repetitions. With
    every pattern measured, the mean of (a - b)' precision (a - b) over pairs of different repetitions. Where some lack
    conditions, a pattern that all share adds noise (no bias): take off, in each repetition, the mean over conditions
    that none lacks.
    """
    if repeats.ndim != 3:
        raise ValueError(f"repeats have {repeats.ndim} dimensions; expected (repetition, condition, neuroid)")
    repeats = as_float64(as_numpy(repeats))
    precision = None if precision is None else as_float64(as_numpy(precision))
    conditions, copies = repeats.shape[1], 2 if precision is None else 3
    needed = 8 * (6 * conditions**2 + copies * repeats.size)
    check_memory(needed, np.empty(0), f"an RDM of {conditions} conditions")
    present = _present(repeats)
    filled = np.where(present[..., None], repeats, 0.0)
    if present.all():  # a common pattern then changes no difference but its rounding
        filled = filled - filled.mean(axis=(0, 1))
    projected = filled if precision is None else filled @ precision
    seen = present.astype(float)
    total, number = projected.sum(axis=0) @ filled.sum(axis=0).T, seen.sum(axis=0)[:, None] * seen.sum(axis=0)
    same = sum(a @ b.T for a, b in zip(projected, filled, strict=True))
    products = divide(total - same, number - seen.T @ seen)
    products = (products + products.T) / 2
    square = np.diagonal(products)
    distances = square[:, None] + square[None, :] - 2 * products
    np.fill_diagonal(distances, 0.0)
    return distances


def _present(repeats: Float[np.ndarray, "repetition condition neuroid"]) -> Bool[np.ndarray, "repetition condition"]:
    """Return which patterns (repetition, condition) were measured."""
    missing = np.isnan(repeats)
    gone = np.asarray(missing.all(axis=2))
    partly = np.argwhere(missing.any(axis=2) & ~gone)
    if len(partly):
        r, c = partly[0]
        raise ValueError(f"the pattern of condition {c} in repetition {r} is measured in part only: leave neuroids out")
    return np.logical_not(gone)
