"""Ridge regression and least squares for all folds from one factorisation, whose rows left out are then undone."""

from __future__ import annotations

from collections.abc import Sequence

from array_api_compat import device

from brainmark.core.libraries import np
from brainmark.metrics._arrays.backend import (
    as_float64,
    column_means,
    inverse_cholesky,
    like,
    namespace,
    take_rows,
    times_upper,
    transpose,
)  # fmt: skip
from brainmark.metrics._arrays.shapes import Array, Float, Real, Shaped
from brainmark.metrics.regression.features import Features
from brainmark.metrics.regression.spectrum import DETERMINED
from brainmark.metrics.statistics.splits import Fold

_TOGETHER = 2**22  # numbers of the rows of several folds that are handled together


def predict_left_out(
    features: Features,
    y: Real[Array, "presentation neuroid"],
    folds: Sequence[Fold],
    alpha: float = 0.0,
    scaled: bool = False,
) -> Float[Array, "test neuroid"] | None:
    """Fit all folds with one penalty, or none, from one factorisation; None where some fold forbids it.

    The identity divides by what the rows of a fold do not decide alone. It needs rows that surely determine all
    weights, also without those of a fold; or, if features outnumber presentations, rows that are surely independent.
    `scaled` judges features that all vary after scaling them: those of any units are then determined. With a penalty
    all weights are determined; rounding alone can forbid it.
    """
    if not are_complementary(folds, features.n):
        return None
    tests = [fold.test for fold in folds]
    if features.dual:
        return _predict_dual(features, keep_float(y), tests, alpha)
    return _predict_primal(features, keep_float(y), tests, alpha, scaled)


def keep_float(y: Real[Array, "*axes"]) -> Real[Array, "*axes"]:
    """Return floating-point numbers as they are, others in float64."""
    xp = namespace(y)
    return y if y.dtype in (xp.float32, xp.float64) else as_float64(y)


def are_complementary(folds: Sequence[Fold], n: int) -> bool:
    """Return whether each fold trains on all of n rows that it does not test."""
    return all(len(f.train) + len(f.test) == n for f in folds)


def _predict_primal(
    features: Features, y: Array, tests: Sequence[np.ndarray], alpha: float, scaled: bool
) -> Array | None:
    """Predict left-out groups, y_t - (I - H_tt)^-1 e_t, from one factorisation; None where rounding forbids it.

    H is the hat matrix of all rows, with an intercept that is not penalised; e = (I - H) y. On centred rows,
    H = half half' + 11'/n, where half = X L^-T with LL' = X'X + alpha.
    """
    xp, a, n = namespace(y), features.array, features.n
    inverse = _sure_inverse(transpose(a) @ a, alpha, scaled)
    if inverse is None:
        return None
    error = y - column_means(y)
    explained = inverse @ transpose(transpose(error) @ a)
    parts: list[Array] = []
    for group in _groups(tests, _TOGETHER // features.p):
        rows, places = np.unique(np.concatenate(group), return_inverse=True)  # random folds share rows
        own = take_rows(a, like(rows, y), xp.empty((len(rows), features.p), dtype=xp.float64, device=device(a)))
        half = times_upper(own, inverse, own)
        rest = error[like(rows, y)] - half @ explained
        for test, place in zip(group, np.split(places, np.cumsum([len(test) for test in group])[:-1]), strict=True):
            at = like(place, y)
            part, own_error = half[at], rest[at]
            many = len(test) > features.p  # I + P (I - P'P)^-1 P' with H_tt = PP' is then the smaller inverse
            if many:
                part = xp.concat([part, xp.full_like(part[:, :1], n**-0.5)], axis=1)
            between = transpose(part) @ part if many else part @ transpose(part) + 1 / n
            lower = inverse_cholesky(_eye(len(between), a) - between)
            if lower is None or _squares(lower) > DETERMINED**-0.5:  # else the smallest eigenvalue is above 3e-5
                return None
            inner = transpose(part) @ own_error if many else own_error
            solved = transpose(lower) @ (lower @ inner)
            parts.append(y[like(test, y)] - (own_error + part @ solved if many else solved))
    return xp.concat(parts, axis=0)


def _groups(tests: Sequence[np.ndarray], most: int) -> list[list[np.ndarray]]:
    """Share tests out to groups, in their order, of at most so many rows together, or of one test."""
    groups: list[list[np.ndarray]] = []
    for test in tests:
        if groups and sum(map(len, groups[-1])) + len(test) <= most:
            groups[-1].append(test)
        else:
            groups.append([test])
    return groups


def _predict_dual(features: Features, y: Array, tests: Sequence[np.ndarray], alpha: float) -> Array | None:
    """Predict the same from products of presentations: y_t - (M_tt)^-1 (My)_t with M = (K + alpha)^-1 less its mean.

    M is (I - H) / alpha, and without a penalty the limit of that: the pseudoinverse of the centred products.
    """
    xp, n = namespace(features.array), features.n
    kernel = features.array
    share = float(xp.sum(xp.linalg.diagonal(kernel))) / n / n  # fills the direction that centring leaves empty
    inverse = _sure_inverse(kernel + share, alpha)
    if inverse is None:
        return None
    constant = 1 / (n * (share * n + alpha))
    mean = column_means(y)
    places = [like(test, y) for test in tests]
    if y.shape[1] > n:
        whole = transpose(inverse) @ inverse - constant
        return multiply_smoothers(xp.concat([smooth_left_out(whole, test) for test in places], axis=0), y, mean)
    error = transpose(inverse) @ (inverse @ (y - mean))
    parts: list[Array] = []
    for test in places:
        columns = inverse[:, test]
        parts.append(y[test] - xp.linalg.inv(transpose(columns) @ columns - constant) @ error[test])
    return xp.concat(parts, axis=0)


def multiply_smoothers(
    smoothers: Float[Array, "m n"], y: Real[Array, "n q"], mean: Real[Array, " q"]
) -> Float[Array, "m q"]:
    """Return the product of smoothers (m, n), whose rows add up to 1, with targets (n, q) that have a mean (q,).

    In the precision of the targets: rounded once more they would not lose more, and there are many.
    """
    xp = namespace(y)
    mean = xp.astype(mean, y.dtype)
    made = xp.astype(smoothers, y.dtype) @ (y - mean)
    made += mean
    return made


def _sure_inverse(products: Array, alpha: float, scaled: bool = False) -> Array | None:
    """Return the inverse Cholesky factor of products + alpha; None if eigenvalues differ by more than rounding allows.

    `products` are overwritten. `scaled`: eigenvalues count after scaling to a diagonal of 1, which the rounding of a
    factor does not notice (van der Sluis 1969, Numer. Math. 14): units of any scale then determine their weights.
    """
    xp = namespace(products)
    lengths = xp.linalg.diagonal(products) + alpha
    largest = float(xp.sum(lengths)) - alpha * (len(lengths) - 1)
    along = xp.arange(len(lengths), device=device(products))
    products[along, along] = lengths
    inverse = inverse_cholesky(products)
    if inverse is None:
        return None
    sure = _squares(inverse) * largest < 1 / DETERMINED
    if scaled and not sure:
        sure = _squares(inverse * xp.sqrt(lengths)) * len(lengths) < 1 / DETERMINED
    return inverse if sure else None


def _squares(x: Array) -> float:
    """Return the sum of squares."""
    flat = namespace(x).reshape(x, (-1,))
    return float(flat @ flat)


def smooth_left_out(m: Float[Array, "n n"], test: Shaped[Array, " test"]) -> Float[Array, "test n"]:
    """Return the smoother (test, n) of the rows `test` from all others: I_t - (M_tt)^-1 M_t."""
    rows = m[test]
    smoother = -namespace(m).linalg.inv(rows[:, test]) @ rows
    smoother[:, test] = 0.0
    return smoother


def _eye(n: int, other: Array) -> Array:
    xp = namespace(other)
    return xp.eye(n, dtype=xp.float64, device=device(other))
