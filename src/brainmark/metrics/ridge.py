"""Ridge regression and ordinary least squares over the folds of a cross-validation, penalty chosen inside each fold."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property
from typing import Literal

import numpy as np

from brainmark.core.errors import InvalidMeasurement
from brainmark.metrics.backend import Array, as_float64, as_numpy, like, namespace, transpose
from brainmark.metrics.features import Features, prepare
from brainmark.metrics.splits import Fold

Selection = Literal["gcv", "loo"]

_DETERMINED = 1e-9  # eigenvalues above this share of the largest are known to half their digits
_RANK = 1e-13  # eigenvalues of the products below this share of the largest are rounding error (times n)


def relative_alphas(features: Features, alphas: Sequence[float]) -> np.ndarray:
    """Penalties in units of the mean squared length of the centred features, so that their scale does not matter."""
    array, xp = features.array, namespace(features.array)
    trace = float(xp.sum(xp.linalg.diagonal(array) if features.dual else array * array))
    return np.asarray(alphas, float) * trace / features.n


def ridge_predictions(
    features: Array | Features,
    y: Array,
    folds: Sequence[Fold],
    alphas: Sequence[float] | np.ndarray,
    per_target: bool = True,
    selection: Selection = "gcv",
) -> tuple[Array, Array]:
    """Predict each fold's test rows by ridge regression with an intercept, fitted on its training rows.

    Parameters
    ----------
    features : (n, p) or prepared.
    y : (n, q) without NaN.
    folds : training and test rows.
    alphas : penalties on the squared weights, in the units of the features' sums of squares (scikit-learn's alpha).
        With several, one is chosen on the training rows of each fold; ties go to the larger one.
    per_target : a penalty for each target, or one for all.
    selection : by leave-one-out error ("loo", as scikit-learn's RidgeCV) or its rotation-invariant form, generalised
        cross-validation ("gcv": Golub, Heath & Wahba 1979), at a small part of the cost.

    Returns
    -------
    predictions (m, q) float64, rows in the order of the folds' test rows; chosen penalties (folds, q).
    """
    penalties = np.sort(np.atleast_1d(np.asarray(alphas, float)))[::-1]
    if penalties.size == 0 or not (np.isfinite(penalties) & (penalties >= 0)).all():
        raise InvalidMeasurement("ridge needs finite penalties that are not negative")
    features, y = prepare(features), as_float64(y)
    if len(penalties) == 1 and penalties[0] > 0 and _complementary(folds, features.n):
        chosen = like(np.full((len(folds), y.shape[1]), penalties[0]), y)
        return _left_out(features, y, folds, float(penalties[0])), chosen
    return _each_fold(features, y, folds, penalties, per_target, selection)


def ols_predictions(features: Array | Features, y: Array, folds: Sequence[Fold]) -> Array:
    """Predict each fold's test rows by least squares with an intercept; of least norm where it is not unique.

    Returns
    -------
    predictions (m, q) float64, rows in the order of the folds' test rows.
    """
    features, y = prepare(features), as_float64(y)
    quick = left_out_least_squares(features, y, folds)
    return _each_fold(features, y, folds, np.zeros(1), True, "gcv")[0] if quick is None else quick


def left_out_least_squares(features: Features, y: Array, folds: Sequence[Fold]) -> Array | None:
    """Least squares for all folds from one factorisation, as `_left_out`; None where some fold does not allow it.

    The identity divides by what the rows of a fold do not decide alone. It needs folds whose other rows determine all
    weights, and features that are far from collinear.
    """
    if features.dual or not _complementary(folds, features.n):
        return None
    xp, a = namespace(features.array), features.array
    values, vectors = xp.linalg.eigh(transpose(a) @ a)
    if not bool(values[0] > _DETERMINED * values[-1]):
        return None
    left = (a @ vectors) / xp.sqrt(values)
    error = y - xp.mean(y, axis=0)
    error = error - left @ (transpose(left) @ error)
    parts: list[Array] = []
    for fold in folds:
        test = like(fold.test, a)
        rows = left[test]
        block = _eye(len(test), a) - rows @ transpose(rows) - 1 / features.n
        if not bool(xp.linalg.eigvalsh(block)[0] > _DETERMINED**0.5):
            return None
        parts.append(y[test] - xp.linalg.solve(block, error[test]))
    return xp.concat(parts, axis=0)


def _complementary(folds: Sequence[Fold], n: int) -> bool:
    return all(len(f.train) + len(f.test) == n for f in folds)


def _left_out(features: Features, y: Array, folds: Sequence[Fold], alpha: float) -> Array:
    """Leave-group-out predictions from one factorisation: y_t - (I - H_tt)^-1 e_t.

    H is the hat matrix of all rows, with an intercept that is not penalised; e = (I - H) y. On centred rows,
    I - H = alpha (K + alpha)^-1 - 11'/n.
    """
    xp = namespace(y)
    error = y - xp.mean(y, axis=0)
    a, n = features.array, features.n
    tests = [like(fold.test, y) for fold in folds]
    if features.dual:
        maker = alpha * xp.linalg.inv(a + alpha * _eye(n, a))
        error = maker @ error
        blocks = [maker[test][:, test] for test in tests]
    else:
        values, vectors = xp.linalg.eigh(transpose(a) @ a)
        half = (a @ vectors) / xp.sqrt(xp.where(values > 0, values, 0.0) + alpha)  # H = half half' + 11'/n
        error = error - half @ (transpose(half) @ error)
        blocks = [_eye(len(test), a) - half[test] @ transpose(half[test]) for test in tests]
    parts = [y[t] - xp.linalg.solve(block - 1 / n, error[t]) for t, block in zip(tests, blocks, strict=True)]
    return xp.concat(parts, axis=0)


def _each_fold(
    features: Features,
    y: Array,
    folds: Sequence[Fold],
    alphas: np.ndarray,
    per_target: bool,
    selection: Selection,
) -> tuple[Array, Array]:
    xp = namespace(y)
    q = y.shape[1]
    judged = y if per_target or len(alphas) == 1 else _same_products(y)
    predictions: list[Array] = []
    chosen: list[Array] = []
    for fold in folds:
        train, test = like(fold.train, y), like(fold.test, y)
        part = judged[train] if len(alphas) > 1 else judged[train, :1]
        spectrum = Spectrum(features, train, part - xp.mean(part, axis=0))
        best = _best(spectrum, alphas, per_target, selection)
        penalty = xp.zeros(q, dtype=xp.float64, device=y.device) + like(alphas, y)[best if per_target else best[:1]]
        if len(np.unique(as_numpy(best))) * len(fold.test) < q:
            predictions.append(_smooth(spectrum, features, train, test, y, penalty))
        else:
            mean = xp.mean(y[train], axis=0)
            spectrum = spectrum if part.shape[1] == q else Spectrum(features, train, y[train] - mean)
            predictions.append(spectrum.predict(features, train, test, penalty) + mean)
        chosen.append(penalty)
    return xp.concat(predictions, axis=0), xp.stack(chosen)


def _same_products(y: Array) -> Array:
    """Targets (n, min(q, n)) with the same products YY', on which errors summed over targets depend alone."""
    xp = namespace(y)
    if y.shape[1] <= y.shape[0]:
        return y
    values, vectors = xp.linalg.eigh(y @ transpose(y))
    return vectors * xp.sqrt(xp.where(values > 0, values, 0.0))


def _smooth(spectrum: Spectrum, features: Features, train: Array, test: Array, y: Array, penalty: Array) -> Array:
    """Predict rows `test` of many targets with few penalties: one smoother matrix (test, n) for each penalty."""
    xp = namespace(y)
    found = xp.zeros((test.shape[0], y.shape[1]), dtype=xp.float64, device=y.device)
    for alpha in np.unique(as_numpy(penalty)):
        smoother = xp.zeros((test.shape[0], y.shape[0]), dtype=xp.float64, device=y.device)
        smoother[:, train] = spectrum.hat(features, train, test, float(alpha)) + 1 / spectrum.n
        columns = penalty == float(alpha)
        if bool(xp.all(columns)):
            return smoother @ y
        found[:, columns] = smoother @ y[:, columns]
    return found


class Spectrum:
    """Training rows in the coordinates of their principal components, in which every penalty is a rescaling.

    values : (r,) eigenvalues of the centred products; vectors : their eigenvectors; left : (n, r) orthonormal.
    """

    def __init__(self, features: Features, train: Array, y: Array) -> None:
        xp = namespace(y)
        part = features.take(train)
        self.n, self.y = part.n, y
        a = part.array
        values, vectors = xp.linalg.eigh(a if part.dual else transpose(a) @ a)
        keep = values > values[-1] * _RANK * max(values.shape[0], part.n)
        self.values, self.vectors = values[keep], vectors[:, keep]
        root = xp.sqrt(self.values)
        self.left = self.vectors if part.dual else (a @ self.vectors) / root

    @cached_property
    def z(self) -> Array:
        """Targets (r, q) in the coordinates of the components."""
        return transpose(self.left) @ self.y

    def shrinkage(self, alpha: float) -> Array:
        """Eigenvalues (r,) of the hat matrix without its intercept."""
        return self.values / (self.values + alpha)

    def predict(self, features: Features, train: Array, test: Array, alpha: Array) -> Array:
        """Predict rows `test`, without the mean; `alpha` (q,)."""
        xp = namespace(self.y)
        root = 1.0 if features.dual else xp.sqrt(self.values)[:, None]
        return self._centred(features, train, test) @ (self.vectors @ (self.z * root / (self.values[:, None] + alpha)))

    def hat(self, features: Features, train: Array, test: Array, alpha: float) -> Array:
        """Weights (test, train) by which predictions of rows `test`, less the mean, follow from training targets."""
        xp = namespace(self.y)
        scale = (1.0 if features.dual else xp.sqrt(self.values)) / (self.values + alpha)
        return (self._centred(features, train, test) @ self.vectors * scale) @ transpose(self.left)

    def _centred(self, features: Features, train: Array, test: Array) -> Array:
        """Rows `test` less the mean training row; dual: their products with the training rows (both centred)."""
        xp, a = namespace(self.y), features.array
        if not features.dual:
            return a[test] - xp.mean(a[train], axis=0)
        rows = a[test][:, train] - xp.mean(a[train][:, train], axis=0)
        return rows - xp.mean(rows, axis=1)[:, None]


def _best(spectrum: Spectrum, alphas: np.ndarray, per_target: bool, selection: Selection) -> Array:
    """Position (q,) of the best penalty for each target, the same for all unless `per_target`."""
    xp = namespace(spectrum.y)
    q = spectrum.y.shape[1]
    if len(alphas) == 1:
        return xp.zeros(q, dtype=xp.int64, device=spectrum.y.device)
    errors = (gcv_errors if selection == "gcv" else loo_errors)(spectrum, alphas)
    if per_target:
        return xp.argmin(errors, axis=0)
    return xp.zeros(q, dtype=xp.int64, device=errors.device) + xp.argmin(xp.sum(errors, axis=1))


def gcv_errors(spectrum: Spectrum, alphas: np.ndarray) -> Array:
    """Generalised cross-validation error (alphas, q): residual sum of squares over (n - 1 - trace H)^2."""
    xp = namespace(spectrum.y)
    squares = spectrum.z * spectrum.z
    outside = xp.sum(spectrum.y * spectrum.y, axis=0) - xp.sum(squares, axis=0)
    outside = xp.where(outside > 0, outside, xp.zeros_like(outside))
    shrink = xp.stack([spectrum.shrinkage(float(a)) for a in alphas])
    residual = ((1 - shrink) ** 2) @ squares + outside
    free = (spectrum.n - 1) - xp.sum(shrink, axis=1)
    return _infinite_where(free <= 1e-9 * spectrum.n, residual, free)


def loo_errors(spectrum: Spectrum, alphas: np.ndarray) -> Array:
    """Mean squared leave-one-out error (alphas, q): residuals over 1 - leverage, the intercept fitted anew."""
    xp = namespace(spectrum.y)
    squared_left = spectrum.left * spectrum.left
    rows: list[Array] = []
    for alpha in alphas:
        shrink = spectrum.shrinkage(float(alpha))
        free = 1 - 1 / spectrum.n - squared_left @ shrink
        residual = spectrum.y - spectrum.left @ (shrink[:, None] * spectrum.z)
        known = free > 1e-9
        scaled = residual / xp.where(known, free, xp.ones_like(free))[:, None]
        error = xp.mean(scaled * scaled, axis=0)
        rows.append(error if bool(xp.all(known)) else xp.full_like(error, float("inf")))
    return xp.stack(rows)


def _infinite_where(bad: Array, residual: Array, free: Array) -> Array:
    xp = namespace(residual)
    error = residual / xp.where(bad, xp.ones_like(free), free * free)[:, None]
    return xp.where(bad[:, None], xp.full_like(error, float("inf")), error)


def _eye(n: int, other: Array) -> Array:
    xp = namespace(other)
    return xp.eye(n, dtype=xp.float64, device=other.device)
