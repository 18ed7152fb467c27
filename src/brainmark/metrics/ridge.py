"""Ridge regression and ordinary least squares over the folds of a cross-validation, penalty chosen inside each fold."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import cached_property
from typing import Literal

import numpy as np

from brainmark.core.errors import InvalidMeasurement
from brainmark.metrics.backend import Array, as_float64, as_numpy, inverse_cholesky, like, namespace, transpose
from brainmark.metrics.features import Features, centred_products, prepare
from brainmark.metrics.splits import Fold

Selection = Literal["gcv", "loo"]

_DETERMINED = 1e-9  # eigenvalues above this share of the largest are known to half their digits
_FEW = 16  # penalties up to which they are their own basis
_TOGETHER = 2**19  # numbers of a chunk of rows: few enough to stay in the cache
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
        left_out = _left_out_dual if features.dual else _left_out_primal
        found = left_out(features, y, [like(fold.test, y) for fold in folds], float(penalties[0]))
        if found is not None:
            return found, like(np.full((len(folds), y.shape[1]), penalties[0]), y)
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

    The identity divides by what the rows of a fold do not decide alone. It needs rows that surely determine all
    weights, also without those of a fold; or, if features outnumber presentations, rows that are surely independent.
    """
    if not _complementary(folds, features.n):
        return None
    tests = [like(fold.test, y) for fold in folds]
    return _left_out_dual(features, y, tests, 0.0) if features.dual else _left_out_primal(features, y, tests, 0.0)


def _complementary(folds: Sequence[Fold], n: int) -> bool:
    return all(len(f.train) + len(f.test) == n for f in folds)


def _left_out_primal(features: Features, y: Array, tests: Sequence[Array], alpha: float) -> Array | None:
    """Leave-group-out predictions y_t - (I - H_tt)^-1 e_t from one factorisation; None where rounding forbids it.

    H is the hat matrix of all rows, with an intercept that is not penalised; e = (I - H) y. On centred rows,
    H = half half' + 11'/n, where half = X L^-T with LL' = X'X + alpha.
    """
    xp, a, n = namespace(y), features.array, features.n
    inverse = _sure_inverse(transpose(a) @ a, alpha)
    if inverse is None:
        return None
    error = y - xp.mean(y, axis=0)
    error = error - a @ (transpose(inverse) @ (inverse @ transpose(transpose(error) @ a)))
    parts: list[Array] = []
    for test in tests:
        rows = _times_upper(a[test], inverse)
        block = inverse_cholesky(_eye(len(test), a) - rows @ transpose(rows) - 1 / n)
        if block is None or float(xp.sum(block * block)) > _DETERMINED**-0.5:  # its smallest eigenvalue is above 3e-5
            return None
        parts.append(y[test] - transpose(block) @ (block @ error[test]))
    return xp.concat(parts, axis=0)


def _left_out_dual(features: Features, y: Array, tests: Sequence[Array], alpha: float) -> Array | None:
    """The same from products of presentations: y_t - (M_tt)^-1 (My)_t with M = (K + alpha)^-1 less its mean.

    M is (I - H) / alpha, and without a penalty the limit of that: the pseudoinverse of the centred products.
    """
    xp, n = namespace(y), features.n
    kernel = features.array
    share = float(xp.sum(xp.linalg.diagonal(kernel))) / n / n  # fills the direction that centring leaves empty
    inverse = _sure_inverse(kernel + share, alpha)
    if inverse is None:
        return None
    constant = 1 / (n * (share * n + alpha))
    centred = y - xp.mean(y, axis=0)
    many = y.shape[1] > n
    error = (transpose(inverse) @ inverse) @ centred if many else transpose(inverse) @ (inverse @ centred)
    parts: list[Array] = []
    for test in tests:
        columns = inverse[:, test]
        parts.append(y[test] - xp.linalg.inv(transpose(columns) @ columns - constant) @ error[test])
    return xp.concat(parts, axis=0)


def _sure_inverse(products: Array, alpha: float) -> Array | None:
    """Inverse of the Cholesky factor of products + alpha; None if eigenvalues differ by more than rounding allows.

    `products` are overwritten.
    """
    xp = namespace(products)
    largest = float(xp.sum(xp.linalg.diagonal(products))) + alpha
    along = xp.arange(products.shape[0], device=products.device)
    products[along, along] += alpha
    inverse = inverse_cholesky(products)
    if inverse is None:
        return None
    return inverse if float(xp.sum(inverse * inverse)) * largest < 1 / _DETERMINED else None


def _times_upper(a: Array, lower: Array) -> Array:
    """Return ``a @ lower.T`` for a lower triangle, by blocks: half of the products are with zeros."""
    xp = namespace(a)
    made = xp.empty_like(a)
    step = max(64, -(-lower.shape[0] // 4))
    for start in range(0, lower.shape[0], step):
        end = min(start + step, lower.shape[0])
        made[:, start:end] = a[:, :end] @ transpose(lower[start:end, :end])
    return made


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
    summed = selection == "loo" and not per_target and len(alphas) > 1
    whole = y @ transpose(y) if summed and q > y.shape[0] else None
    judged = y if per_target or summed or len(alphas) == 1 else _same_products(y)
    predictions: list[Array] = []
    chosen: list[Array] = []
    for fold in folds:
        train, test = like(fold.train, y), like(fold.test, y)
        if whole is not None:
            spectrum = Spectrum(features, train)
            best = xp.argmin(summed_loo_errors(spectrum, alphas, centred_products(whole[train][:, train])))[None]
        else:
            part = judged[train] if len(alphas) > 1 else judged[train, :1]
            spectrum = Spectrum(features, train, part - xp.mean(part, axis=0))
            best = _best(spectrum, alphas, per_target, selection)
        penalty = xp.zeros(q, dtype=xp.float64, device=y.device) + like(alphas, y)[best if per_target else best[:1]]
        if len(np.unique(as_numpy(best))) * len(fold.test) < q:
            predictions.append(_smooth(spectrum, features, train, test, y, penalty))
        else:
            mean = xp.mean(y[train], axis=0)
            if whole is not None or spectrum.y.shape[1] != q:
                spectrum = Spectrum(features, train, y[train] - mean)
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

    values : (r,) eigenvalues of the centred products; vectors : their eigenvectors; left : (n, r) orthonormal; y :
    centred targets (n, q), if it was given them; determined : whether rounding leaves no doubt about the rank.
    """

    def __init__(self, features: Features, train: Array, y: Array | None = None) -> None:
        xp = namespace(features.array)
        part = features.take(train)
        self.n, self._y = part.n, y
        a = part.array
        values, vectors = xp.linalg.eigh(a if part.dual else transpose(a) @ a)
        smallest = values[min(1, len(values) - 1)] if part.dual else values[0]  # centring takes one in dual form
        self.determined = bool(smallest > _DETERMINED * values[-1])
        keep = values > values[-1] * _RANK * max(values.shape[0], part.n)
        self.values, self.vectors = values[keep], vectors[:, keep]
        root = xp.sqrt(self.values)
        self.left = self.vectors if part.dual else (a @ self.vectors) / root

    @property
    def y(self) -> Array:
        """Centred targets (n, q)."""
        if self._y is None:
            raise InvalidMeasurement("this spectrum was made without targets")
        return self._y

    @cached_property
    def z(self) -> Array:
        """Targets (r, q) in the coordinates of the components."""
        return transpose(self.left) @ self.y

    def shrinkage(self, alpha: float) -> Array:
        """Eigenvalues (r,) of the hat matrix without its intercept."""
        return self.values / (self.values + alpha)

    def predict(self, features: Features, train: Array, test: Array, alpha: Array) -> Array:
        """Predict rows `test`, without the mean; `alpha` (q,)."""
        xp = namespace(self.values)
        root = 1.0 if features.dual else xp.sqrt(self.values)[:, None]
        return self._centred(features, train, test) @ (self.vectors @ (self.z * root / (self.values[:, None] + alpha)))

    def hat(self, features: Features, train: Array, test: Array, alpha: float) -> Array:
        """Weights (test, train) by which predictions of rows `test`, less the mean, follow from training targets."""
        xp = namespace(self.values)
        scale = (1.0 if features.dual else xp.sqrt(self.values)) / (self.values + alpha)
        return (self._centred(features, train, test) @ self.vectors * scale) @ transpose(self.left)

    def _centred(self, features: Features, train: Array, test: Array) -> Array:
        """Rows `test` less the mean training row; dual: their products with the training rows (both centred)."""
        xp, a = namespace(features.array), features.array
        if not features.dual:
            return a[test] - xp.mean(a[train], axis=0)
        rows = a[test][:, train] - xp.mean(a[train][:, train], axis=0)
        return rows - xp.mean(rows, axis=1)[:, None]


def _best(spectrum: Spectrum, alphas: np.ndarray, per_target: bool, selection: Selection) -> Array:
    """Position (q,) of the best penalty for each target, the same for all unless `per_target`."""
    xp, q = namespace(spectrum.z), spectrum.z.shape[1]
    if len(alphas) == 1:
        return xp.zeros(q, dtype=xp.int64, device=spectrum.z.device)
    if per_target:
        return xp.argmin((gcv_errors if selection == "gcv" else loo_errors)(spectrum, alphas), axis=0)
    total = summed_loo_errors(spectrum, alphas) if selection == "loo" else xp.sum(gcv_errors(spectrum, alphas), axis=1)
    return xp.zeros(q, dtype=xp.int64, device=total.device) + xp.argmin(total)


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


def summed_loo_errors(spectrum: Spectrum, alphas: np.ndarray, products: Array | None = None) -> Array:
    """Squared leave-one-out errors (alphas,), summed over rows and targets, at a cost that hardly grows with either.

    What a penalty leaves unexplained of the components, u = alpha / (values + alpha), is a smooth function of their
    eigenvalues: as many penalties as one likes lie in a space of a few dimensions, u = basis @ weights, almost
    exactly. Residuals are rest + left @ (u z); over targets, their squares are quadratic forms of the weights.

    Parameters
    ----------
    spectrum : of the training rows.
    alphas : penalties.
    products : (n, n) centred yy' of many targets, in the place of the spectrum's own.
    """
    xp, left = namespace(spectrum.left), spectrum.left
    n, r = left.shape
    if not r:  # no feature varies: penalties make no difference
        return xp.zeros(len(alphas), dtype=xp.float64, device=left.device)
    complete = r == n - 1  # nothing but the mean lies outside the components: what does is rounding error
    squared = left * left
    unexplained = like(alphas, left) / (spectrum.values[:, None] + like(alphas, left))
    outside = 0.0 if complete else 1 - 1 / n - xp.sum(squared, axis=1)[:, None]
    free = outside + squared @ unexplained
    scale = xp.max(unexplained, axis=0)
    basis, weights = _smooth_basis(unexplained / xp.where(scale > 0, scale, 1.0))
    weights = weights * scale
    inner = _of_targets(spectrum, basis, complete) if products is None else _of_products(left, basis, products)
    width = r if products is not None else spectrum.z.shape[1]
    errors = xp.zeros(len(alphas), dtype=xp.float64, device=left.device)
    step = max(1, _TOGETHER // (basis.shape[1] * width))
    for start in range(0, n, step):
        rows = slice(start, start + step)
        quadratic, linear, constant = inner(rows)
        total = xp.sum((quadratic @ weights) * weights, axis=1)
        if not complete:
            total = total + 2 * (linear @ weights) + constant[:, None]
        known = free[rows] > (0.0 if complete else 1e-9)
        errors = errors + xp.sum(xp.where(known, total / xp.where(known, free[rows], 1.0) ** 2, float("inf")), axis=0)
    return errors


def _smooth_basis(unexplained: Array) -> tuple[Array, Array]:
    """Factors (r, b) and (b, k) of functions (r, k) of the eigenvalues, b no more than their number needs."""
    xp = namespace(unexplained)
    if unexplained.shape[1] <= _FEW:
        return unexplained, xp.eye(unexplained.shape[1], dtype=xp.float64, device=unexplained.device)
    u, values, v = xp.linalg.svd(unexplained, full_matrices=False)
    keep = values > values[0] * 1e-12
    return u[:, keep] * values[keep], v[keep]


Inner = Callable[[slice], tuple[Array, Array, Array]]
"""Some rows -> products over targets of what the basis leaves of them (n, b, b), with the rest (n, b), of that (n,)."""


def _of_targets(spectrum: Spectrum, basis: Array, complete: bool) -> Inner:
    """Products from the targets themselves."""
    xp, y = namespace(basis), spectrum.y
    (r, b), q = basis.shape, spectrum.z.shape[1]
    weighted = xp.reshape(basis[:, :, None] * spectrum.z[:, None, :], (r, b * q))

    def inner(rows: slice) -> tuple[Array, Array, Array]:
        left = spectrum.left[rows]
        parts = xp.reshape(left @ weighted, (len(left), b, q))
        rest = 0.0 * y[rows] if complete else y[rows] - left @ spectrum.z
        linear = (parts @ rest[:, :, None])[:, :, 0]
        return parts @ transpose(parts), linear, xp.sum(rest * rest, axis=1)

    return inner


def _of_products(components: Array, basis: Array, products: Array) -> Inner:
    """Products from those of the targets (n, n), of which there may then be many."""
    xp, (r, b) = namespace(basis), basis.shape
    projected = products @ components
    within = transpose(components) @ projected
    own = xp.linalg.diagonal(products)
    functions = xp.asarray(transpose(basis), copy=True)

    def inner(rows: slice) -> tuple[Array, Array, Array]:
        left = components[rows]
        parts = left[:, None, :] * functions
        half = xp.reshape(xp.reshape(parts, (len(left) * b, r)) @ within, (len(left), b, r))
        cross = projected[rows] - left @ within
        rest = own[rows] - xp.sum(left * (projected[rows] + cross), axis=1)
        return half @ transpose(parts), (left * cross) @ basis, rest

    return inner


def _infinite_where(bad: Array, residual: Array, free: Array) -> Array:
    xp = namespace(residual)
    error = residual / xp.where(bad, xp.ones_like(free), free * free)[:, None]
    return xp.where(bad[:, None], xp.full_like(error, float("inf")), error)


def _eye(n: int, other: Array) -> Array:
    xp = namespace(other)
    return xp.eye(n, dtype=xp.float64, device=other.device)
