"""Ridge and least squares with one penalty for all targets, as matrices (test, train) that are applied to the targets.

With one penalty for all, predictions are a fixed matrix times the training targets, and the leave-one-out error of
all targets together depends on them through YY' alone: the cost hardly grows with their number.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np

from brainmark.metrics.features import Features
from brainmark.metrics.splits import Fold

_NULL = 1e-14  # eigenvalues below this share of the largest, times rows, are rounding error of the products
_UNSURE = 1e-9  # below this share, products no longer tell a small singular value from none
_BATCH = 2**19  # numbers that several penalties hold at once: few enough to stay in the cache


class Spectrum:
    """Principal components of the training rows of a fold, from products of presentations or of features."""

    def __init__(self, features: Features, fold: Fold) -> None:
        self.features, self.fold, self.n = features, fold, len(fold.train)
        part = features.take(fold.train)
        self.part = np.asarray(part.array)
        self.values, self.vectors = np.linalg.eigh(self.part if part.dual else self.part.T @ self.part)

    @property
    def sure(self) -> bool:
        """Whether the rows surely determine every direction (in dual form, but for the one that centring takes)."""
        smallest = self.values[1] if self.features.dual and len(self.values) > 1 else self.values[0]
        return bool(smallest > _UNSURE * self.values[-1])

    def matrix(self, alpha: float) -> np.ndarray:
        """Return the predictions (test, train) per unit of the centred training targets."""
        keep = self.values > _NULL * self.n * self.values[-1]
        values, vectors = self.values[keep], self.vectors[:, keep]
        train, test = self.fold
        if self.features.dual:
            kernel = np.asarray(self.features.array)
            rows = kernel[np.ix_(test, train)] - kernel[np.ix_(train, train)].mean(axis=0)
            rows -= rows.mean(axis=1, keepdims=True)  # weights of centred targets add up to zero
            return (rows @ vectors / (values + alpha)) @ vectors.T
        x = np.asarray(self.features.array)
        rows = (x[test] - x[train].mean(axis=0)) @ vectors / (values + alpha)
        return rows @ (self.part @ vectors).T

    def left(self) -> tuple[np.ndarray, np.ndarray]:
        """Return eigenvalues (r,) that are not rounding error and the components' scores (n, r) of unit length."""
        keep = self.values > _NULL * self.n * self.values[-1]
        values, vectors = self.values[keep], self.vectors[:, keep]
        return values, vectors if self.features.dual else (self.part @ vectors) / np.sqrt(values)


def best_alpha(spectrum: Spectrum, y: np.ndarray, alphas: Sequence[float], products: np.ndarray | None = None) -> float:
    """Return the penalty with the smallest leave-one-out error over all rows and targets; ties go to the first.

    Parameters
    ----------
    spectrum : of the training rows.
    y : (n, q) centred training targets.
    alphas : penalties to choose from.
    products : (n, n) yy', if it is known.
    """
    values, left = spectrum.left()
    n, r = left.shape
    penalties = np.asarray(alphas, float)
    squared = left * left
    complete = r == n - 1  # nothing but the mean lies outside the components: what does is rounding error
    if y.shape[1] > r:  # all targets together, through their products
        products = y @ y.T if products is None else products
        projected = products @ left
        within = left.T @ projected
        cross = 0.0 * projected if complete else projected - left @ within
        outer = np.diag(products) - np.sum(left * (2 * projected - left @ within), axis=1)
        outer = 0.0 * outer if complete else outer
        errors = [_error(values, left, squared, within, outer, cross, a) for a in _chunks(penalties, n * r)]
    else:
        scores = left.T @ y
        rest = 0.0 * y if complete else y - left @ scores
        errors = [_direct_error(values, left, squared, scores, rest, a) for a in _chunks(penalties, n * y.shape[1])]
    return float(penalties[int(np.argmin(np.concatenate(errors)))])


def _free(values: np.ndarray, squared: np.ndarray, alphas: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """What is left unexplained of each component (r, k), and 1 - leverage of each row (n, k), with an intercept."""
    unexplained = alphas / (values[:, None] + alphas)
    n, r = squared.shape
    outside = 0.0 if r == n - 1 else 1 - 1 / n - squared.sum(axis=1, keepdims=True)
    return unexplained, outside + squared @ unexplained


def _error(
    values: np.ndarray,
    left: np.ndarray,
    squared: np.ndarray,
    within: np.ndarray,
    outer: np.ndarray,
    cross: np.ndarray,
    alphas: np.ndarray,
) -> np.ndarray:
    """Summed squared leave-one-out errors (k,), from the products of the targets.

    Residuals are e = rest + left @ (unexplained * scores). `within`, `cross` and `outer` are the products of scores
    with scores, of rests with scores, and of rests with themselves.
    """
    unexplained, free = _free(values, squared, alphas)
    scaled = left[:, None, :] * unexplained.T[None]  # (n, k, r)
    n, k, r = scaled.shape
    spread = (scaled.reshape(n * k, r) @ within).reshape(n, k, r)
    if cross.any():
        spread += 2 * cross[:, None, :]
    residual = np.einsum("nkr,nkr->nk", spread, scaled) + outer[:, None]
    return np.sum(residual / free**2, axis=0)


def _direct_error(
    values: np.ndarray,
    left: np.ndarray,
    squared: np.ndarray,
    scores: np.ndarray,
    rest: np.ndarray,
    alphas: np.ndarray,
) -> np.ndarray:
    """The same from the targets themselves, where they are fewer than components."""
    unexplained, free = _free(values, squared, alphas)
    r, q = scores.shape
    shrunk = (scores[:, None, :] * unexplained[:, :, None]).reshape(r, -1)
    residual = (left @ shrunk).reshape(len(left), len(alphas), q)
    residual += rest[:, None, :]
    return np.sum(np.einsum("nkq,nkq->nk", residual, residual) / free**2, axis=0)


def _chunks(alphas: np.ndarray, size: int) -> Iterator[np.ndarray]:
    step = max(1, _BATCH // max(size, 1))
    for start in range(0, len(alphas), step):
        yield alphas[start : start + step]
