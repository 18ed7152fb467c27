"""Ridge regression and ordinary least squares over the folds of a cross-validation, penalty chosen inside each fold.

Which algorithm runs follows from the question, for n presentations, p units and q targets. The first that fits is
taken; one that says where rounding forbids it hands on to the next. All give the same numbers up to rounding.

=====================================  ====================================================  ========================
asked for                              also needed                                           algorithm
=====================================  ====================================================  ========================
one penalty of several for all         p >= n; more than 3 folds that leave rows out of all  `_one_for_all`
targets, by leave-one-out error        n; at most 16 penalties; unless rounding forbids it
the same                               q > n                                                 `_one_for_many`
one penalty, or least squares          folds that leave rows out of all n; unless rounding   `predict_left_out`
                                       forbids it
anything                                                                                     `_each_fold`
=====================================  ====================================================  ========================

`_each_fold` decomposes the training rows of each fold once for all penalties (`Spectrum`), and takes the cheapest way
from there to predictions: with one penalty for all of more targets than a fold tests, a smoother (test, n) for each
fold, and one product at the end; with few penalties beside the targets, a smoother for each penalty; else weights.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

from array_api_compat import device

from brainmark.core.errors import InvalidMeasurement
from brainmark.core.libraries import np
from brainmark.metrics._arrays.backend import (
    as_float64,
    as_numpy,
    column_means,
    gram,
    like,
    namespace,
    transpose,
)  # fmt: skip
from brainmark.metrics._arrays.scale import rescale, times_power
from brainmark.metrics._arrays.shapes import Array, Float, Real
from brainmark.metrics.regression.features import Features, centre_products, prepare, settle_constants
from brainmark.metrics.regression.left_out import (
    are_complementary,
    keep_float,
    multiply_smoothers,
    predict_left_out,
    smooth_left_out,
)
from brainmark.metrics.regression.spectrum import DETERMINED, FEW, Spectrum, gcv_errors, loo_errors, sum_loo_errors
from brainmark.metrics.statistics.splits import Fold

Selection = Literal["gcv", "loo"]


def relative_alphas(features: Features, alphas: Sequence[float]) -> Float[np.ndarray, " alpha"]:
    """Return penalties in units of the mean squared length of the centred features, so that scale does not matter."""
    array, xp = features.array, namespace(features.array)
    trace = float(xp.sum(xp.linalg.diagonal(array) if features.dual else array * array))
    return np.asarray(alphas, float) * trace / features.n * 4.0**features.power


def ridge_predictions(
    features: Real[Array, "presentation unit"] | Features,
    y: Real[Array, "presentation neuroid"],
    folds: Sequence[Fold],
    alphas: Sequence[float] | Real[np.ndarray, " alpha"],
    per_target: bool = True,
    selection: Selection = "loo",
) -> tuple[Float[Array, "test neuroid"], Float[Array, "fold neuroid"]]:
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
        cross-validation ("gcv": Golub, Heath & Wahba 1979), at a part of the cost. Where features outnumber
        presentations, "gcv" takes the least penalty for some targets, whose predictions are then poor.

    Returns
    -------
    predictions (m, q), rows in the order of the folds' test rows; chosen penalties (folds, q). In float64; predictions
    of more targets than presentations, which one penalty serves, have the targets' precision.
    """
    penalties = np.sort(np.atleast_1d(np.asarray(alphas, float)))[::-1]
    if penalties.size == 0 or not (np.isfinite(penalties) & (penalties >= 0)).all():
        raise InvalidMeasurement("ridge needs finite penalties that are not negative")
    features = prepare(features)
    y, power = rescale(keep_float(y))
    unit = 4.0**features.power  # of the products of features
    found, chosen = _predict(features, y, folds, penalties / unit, per_target, selection)
    return times_power(settle_constants(found, y, folds), power), chosen * unit


def _predict(
    features: Features, y: Array, folds: Sequence[Fold], penalties: np.ndarray, per_target: bool, selection: Selection
) -> tuple[Array, Array]:
    """Predict with penalties that descend, in the units in which features are held."""
    many = y.shape[1] > features.n
    y = y if many else as_float64(y)
    if selection == "loo" and not per_target and len(penalties) > 1:
        shared = _one_for_all(features, y, folds, penalties) if _worth_sharing(features, folds, penalties) else None
        if shared is None and many:
            shared = _one_for_many(features, y, folds, penalties)
        if shared is not None:
            return shared
    y = as_float64(y)
    if len(penalties) == 1 and penalties[0] > 0:
        found = predict_left_out(features, y, folds, float(penalties[0]), scaled=True)
        if found is not None:
            return found, like(np.full((len(folds), y.shape[1]), penalties[0]), y)
    return _each_fold(features, y, folds, penalties, per_target, selection)


def ols_predictions(
    features: Real[Array, "presentation unit"] | Features, y: Real[Array, "presentation neuroid"], folds: Sequence[Fold]
) -> Float[Array, "test neuroid"]:
    """Predict each fold's test rows by least squares with an intercept; of least norm where it is not unique.

    Returns
    -------
    predictions (m, q) float64, rows in the order of the folds' test rows.
    """
    features, (y, power) = _varying(prepare(features)), rescale(as_float64(y))
    found = predict_left_out(features, y, folds, scaled=True)
    if found is None:
        found = _each_fold(features, y, folds, np.zeros(1), True, "gcv")[0]
    return times_power(settle_constants(found, y, folds), power)


def _varying(features: Features) -> Features:
    """Leave out units that do not vary: least squares give them no weight, but the rounding of their mean has one."""
    if features.x is None:
        return features
    xp, x, n = namespace(features.x), features.x, features.n
    mean = column_means(x)  # as large as what is left of a constant, far smaller for what varies
    varies = n * mean * mean < 1e-4 * xp.vecdot(x, x, axis=0)
    kept = int(xp.sum(xp.astype(varies, xp.int64)))
    return features if kept in (0, features.p) else Features(None, x[:, varies], n, kept, features.power)


def _each_fold(
    features: Features, y: Array, folds: Sequence[Fold], alphas: np.ndarray, per_target: bool, selection: Selection
) -> tuple[Array, Array]:
    xp = namespace(y)
    q = y.shape[1]
    judged = y if per_target or len(alphas) == 1 else _same_products(y)
    together = not per_target and max(len(fold.test) for fold in folds) < q  # one product for all folds, at the end
    predictions: list[Array] = []
    chosen: list[Array] = []
    for fold in folds:
        train, test = like(fold.train, y), like(fold.test, y)
        part = judged[train] if len(alphas) > 1 else judged[train, :1]
        spectrum = Spectrum(features, train, part - xp.mean(part, axis=0), float(alphas.min()))
        best = _best(spectrum, alphas, per_target, selection)
        penalty = xp.zeros(q, dtype=xp.float64, device=device(y)) + like(alphas, y)[best if per_target else best[:1]]
        if together:
            predictions.append(_smoother(spectrum, features, train, test, float(penalty[0])))
        elif len(np.unique(as_numpy(best))) * len(fold.test) < q:
            predictions.append(_smooth(spectrum, features, train, test, y, penalty))
        else:
            mean = xp.mean(y[train], axis=0)
            if spectrum.y.shape[1] != q:
                spectrum = Spectrum(features, train, y[train] - mean, float(alphas.min()))
            predictions.append(spectrum.predict(features, train, test, penalty) + mean)
        chosen.append(penalty)
    stacked = xp.concat(predictions, axis=0)
    return stacked @ y if together else stacked, xp.stack(chosen)


def _worth_sharing(features: Features, folds: Sequence[Fold], alphas: np.ndarray) -> bool:
    """Return whether `_one_for_all` serves these folds, at three products a penalty instead of one for each fold."""
    enough = len(folds) > 3 and min(len(fold.train) for fold in folds) > 2
    return features.dual and enough and len(alphas) <= FEW and are_complementary(folds, features.n)


def _one_for_all(features: Features, y: Array, folds: Sequence[Fold], alphas: np.ndarray) -> tuple[Array, Array] | None:
    """Choose one penalty for all targets by leave-one-out error on the training rows of each fold, from one spectrum.

    M, as in `_predict_dual`, is M - W M_t: without the rows t, where W = M_:t (M_tt)^-1. Leave-one-out residuals are
    (My)_i / M_ii; the sum of their squares over targets follows from S = MYY'M, which loses the rows t likewise.
    None where rounding forbids it.
    """
    xp, n, kernel = namespace(y), features.n, features.array
    share = float(xp.sum(xp.linalg.diagonal(kernel))) / n / n  # fills the direction that centring leaves empty
    values, vectors = xp.linalg.eigh(kernel + share)
    lowest = float(alphas.min())
    if not values[0] + lowest > DETERMINED * (values[-1] + lowest):
        return None
    products, tests = gram(y, wide=True), [like(fold.test, y) for fold in folds]

    def whole(alpha: float) -> Array:
        half = vectors / xp.sqrt(values + alpha)
        return half @ transpose(half) - 1 / (n * (share * n + alpha))

    errors = np.empty((len(folds), len(alphas)))
    for a, alpha in enumerate(alphas):
        m = whole(float(alpha))
        s = m @ products @ m
        errors[:, a] = [_sum_left_out_errors(m, s, test) for test in tests]
    best = alphas[errors.argmin(axis=1)]
    smoothers: dict[int, Array] = {}
    for alpha in np.unique(best):
        m = whole(float(alpha))
        smoothers |= {int(k): smooth_left_out(m, tests[k]) for k in np.flatnonzero(best == alpha)}
    made = multiply_smoothers(xp.concat([smoothers[k] for k in range(len(folds))], axis=0), y, column_means(y))
    return made, xp.zeros((len(folds), y.shape[1]), dtype=xp.float64, device=device(y)) + like(best, y)[:, None]


def _sum_left_out_errors(m: Array, s: Array, test: Array) -> float:
    """Return the sum of the squared leave-one-out residuals of the rows that are not tested, see `_one_for_all`."""
    xp = namespace(m)
    columns = m[:, test]
    w = columns @ xp.linalg.inv(columns[test])
    free = xp.linalg.diagonal(m) - xp.sum(w * columns, axis=1)
    columns = s[:, test]
    total = xp.linalg.diagonal(s) + xp.sum(w * (w @ columns[test] - 2 * columns), axis=1)
    free[test], total[test] = 1.0, 0.0
    known = free > DETERMINED * xp.linalg.diagonal(m)
    return float(xp.sum(xp.where(known, total / xp.where(known, free, 1.0) ** 2, float("inf"))))


def _one_for_many(features: Features, y: Array, folds: Sequence[Fold], alphas: np.ndarray) -> tuple[Array, Array]:
    """Choose one penalty for more targets than presentations, by leave-one-out error, which their products decide."""
    xp = namespace(y)
    whole = gram(y, wide=True)
    smoothers: list[Array] = []
    chosen: list[Array] = []
    for fold in folds:
        train, test = like(fold.train, y), like(fold.test, y)
        spectrum = Spectrum(features, train, alpha=float(alphas.min()))
        errors = sum_loo_errors(spectrum, alphas, centre_products(whole[train][:, train]))
        alpha = float(alphas[int(xp.argmin(errors))])
        smoothers.append(_smoother(spectrum, features, train, test, alpha))
        chosen.append(xp.full((y.shape[1],), alpha, dtype=xp.float64, device=device(y)))
    mean = column_means(y)
    return multiply_smoothers(xp.concat(smoothers, axis=0), y, mean), xp.stack(chosen)


def _same_products(y: Array) -> Array:
    """Return targets (n, min(q, n)) with the same products YY', on which errors summed over targets depend alone."""
    xp = namespace(y)
    if y.shape[1] <= y.shape[0]:
        return y
    values, vectors = xp.linalg.eigh(y @ transpose(y))
    return vectors * xp.sqrt(xp.where(values > 0, values, 0.0))


def _smooth(spectrum: Spectrum, features: Features, train: Array, test: Array, y: Array, penalty: Array) -> Array:
    """Predict rows `test` of many targets with few penalties: one smoother matrix for each penalty."""
    xp = namespace(y)
    found = xp.empty((test.shape[0], y.shape[1]), dtype=xp.float64, device=device(y))
    for alpha in np.unique(as_numpy(penalty)):
        columns = penalty == float(alpha)
        found[:, columns] = _smoother(spectrum, features, train, test, float(alpha)) @ y[:, columns]
    return found


def _smoother(spectrum: Spectrum, features: Features, train: Array, test: Array, alpha: float) -> Array:
    """Return the matrix (test, n) that takes targets to their predictions."""
    xp = namespace(features.array)
    smoother = xp.zeros((test.shape[0], features.n), dtype=xp.float64, device=device(features.array))
    smoother[:, train] = spectrum.hat(features, train, test, alpha) + 1 / spectrum.n
    return smoother


def _best(spectrum: Spectrum, alphas: np.ndarray, per_target: bool, selection: Selection) -> Array:
    """Return the position (q,) of the best penalty for each target, the same for all unless `per_target`."""
    xp, q = namespace(spectrum.z), spectrum.z.shape[1]
    if len(alphas) == 1:
        return xp.zeros(q, dtype=xp.int64, device=device(spectrum.z))
    if per_target:
        return xp.argmin((gcv_errors if selection == "gcv" else loo_errors)(spectrum, alphas), axis=0)
    total = sum_loo_errors(spectrum, alphas) if selection == "loo" else xp.sum(gcv_errors(spectrum, alphas), axis=1)
    return xp.zeros(q, dtype=xp.int64, device=device(total)) + xp.argmin(total)
