"""Compares single units with single neuroids: each neuroid is predicted by one unit, or by a matching of units.

Every choice is made on training presentations and judged on test presentations.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from array_api_compat import device

from brainmark.core.comparison import Comparison
from brainmark.core.errors import InvalidMeasurement, MethodError, ResourceError
from brainmark.core.libraries import np, scipy, xr
from brainmark.core.registry import metric
from brainmark.metrics._arrays.backend import as_float64, as_numpy, check_memory, like, namespace, transpose
from brainmark.metrics._arrays.inputs import Recording, check_numbers, recordings, unit_coordinates
from brainmark.metrics._arrays.scale import times_power
from brainmark.metrics._arrays.shapes import Array, Float, Integer, Real
from brainmark.metrics.regression.features import Features, prepare
from brainmark.metrics.regression.predictivity import (
    TEN_FOLDS,
    Predictivity,
    labels_of,
    pair,
)  # fmt: skip
from brainmark.metrics.statistics.ceilings import split_half
from brainmark.metrics.statistics.correlation import fold_pearson, never_varies, resample_pearson
from brainmark.metrics.statistics.resampling import draws
from brainmark.metrics.statistics.splits import Fold, Splitter

Partners = Literal["best", "one-to-one"]

_CACHED = 2**18  # correlations that stay in the cache


@metric(
    "single_unit", summary="Cross-validated r of each neuroid with the one unit of the model that suits it best.",
    cite="khosla2024", compares="recordings", ceiling=split_half, ceiling_over=("repetition",), on_device=True,
    tags=("matching",),
    version=2,
)  # fmt: skip
def single_unit(
    partners: Partners = "best", splits: Splitter | None = None, resamples: int = 1000, seed: int = 0
) -> Predictivity:
    """Return the metric that predicts each neuroid by one unit of the model.

    Parameters
    ----------
    partners : "best" takes the unit with the highest r on the training rows (a unit may serve several neuroids);
        "one-to-one" gives each neuroid a unit of its own, so that the sum of r over neuroids is largest.
    """

    def predict(features: Features, y: Array, folds: Sequence[Fold]) -> tuple[Array, tuple[str, ...]]:
        return match_units(features, y, folds, partners), ()

    return Predictivity(predict, splits or TEN_FOLDS, resamples, seed, dual=False, on_device=True)


def match_units(
    features: Real[Array, "presentation unit"] | Features,
    y: Real[Array, "presentation neuroid"],
    folds: Sequence[Fold],
    partners: Partners = "best",
) -> Float[Array, "_ neuroid"]:
    """Return, for each fold's test rows, the answer of each neuroid's partner: (m, q) in the order of the folds.

    It is NaN where a neuroid holds one value in all training rows, which no unit correlates with.

    Features (n, p) are used in primal form; one-to-one needs p >= q.

    Raises
    ------
    InvalidMeasurement : too few units for one-to-one, or features in dual form.
    """
    features = prepare(features, dual=False)
    if features.x is None:
        raise InvalidMeasurement("single units cannot be matched from products of presentations: prepare(dual=False)")
    x, y = features.x, as_float64(y)
    xp = namespace(x)
    if partners == "one-to-one" and features.p < y.shape[1]:
        raise InvalidMeasurement(f"one-to-one matching needs as many units as neuroids: {features.p} < {y.shape[1]}")
    trains = [like(fold.train, x) for fold in folds]
    if partners == "best":
        chosen = _best(x, y, trains)
    else:
        chosen = [like(_assign(as_numpy(cross_correlation(x[rows], y[rows]))), x) for rows in trains]
    found = [
        xp.where(never_varies(y[rows]), float("nan"), x[like(f.test, x)][:, units])
        for f, rows, units in zip(folds, trains, chosen, strict=True)
    ]
    return times_power(xp.concat(found, axis=0), features.power)


def _best(x: Array, y: Array, trains: Sequence[Array]) -> list[Array]:
    """Return for each set of rows the unit (q,) that correlates best with each neuroid, the first one of several.

    Units pass in blocks that stay in the cache, whatever their number.
    """
    xp = namespace(x)
    wanted = [_standardize(y[rows]) for rows in trains]
    best = [xp.full((y.shape[1],), -xp.inf, dtype=x.dtype, device=device(x)) for _ in trains]
    chosen = [xp.zeros(y.shape[1], dtype=xp.int64, device=device(x)) for _ in trains]
    step = max(64, _CACHED // max(x.shape[0], y.shape[1]))
    for start in range(0, x.shape[1], step):
        block = x[:, start : start + step]
        for k, rows in enumerate(trains):
            units, varies = _standardize(block[rows])
            neuroids, known = wanted[k]
            r = transpose(neuroids) @ units
            r = xp.where(known[:, None] & varies, r, -1.0)
            top = xp.max(r, axis=1)
            better = top > best[k]
            chosen[k] = xp.where(better, xp.argmax(r, axis=1) + start, chosen[k])
            best[k] = xp.where(better, top, best[k])
    return chosen


def cross_correlation(
    x: Real[Array, "presentation unit"], y: Real[Array, "presentation neuroid"]
) -> Float[Array, "unit neuroid"]:
    """Return Pearson r of every column of `x` (n, p) with every column of `y` (n, q): (p, q); of a constant column -1.

    -1 is what a partner without any variation is worth when partners are chosen: never taken if there is another.
    """
    x, y = as_float64(x), as_float64(y)
    p, q = int(x.shape[1]), int(y.shape[1])
    check_memory(8 * (3 * p * q + 2 * len(x) * (p + q)), x, f"a correlation of {p} units with {q} neuroids")
    (units, varies), (neuroids, known) = _standardize(x), _standardize(y)
    return namespace(x, y).where(varies[:, None] & known, transpose(units) @ neuroids, -1.0)


def _standardize(a: Array) -> tuple[Array, Array]:
    """Return the columns of `a` (n, k) with mean 0 and length 1, and which of them vary (k,)."""
    xp = namespace(a)
    centred = a - xp.mean(a, axis=0)
    norm = xp.sqrt(xp.sum(centred * centred, axis=0))
    ok = norm > 1e-12 * xp.sqrt(xp.sum(a * a, axis=0))
    centred /= xp.where(ok, norm, xp.ones_like(norm))
    return centred, ok


def _assign(r: Float[np.ndarray, "unit neuroid"]) -> Integer[np.ndarray, " neuroid"]:

    units, neuroids = scipy.optimize.linear_sum_assignment(r, maximize=True)
    return units[np.argsort(neuroids)]


MOST_PAIRS = 500_000
"""Pairs of units and neuroids of a soft matching; more take minutes for each fold."""


@metric(
    "soft_matching",
    summary="Cross-validated r under the best soft matching of units and neuroids (optimal transport).",
    cite="khosla2024", compares="recordings", ceiling=split_half, ceiling_over=("repetition",), tags=("matching",),
)  # fmt: skip
@dataclass(frozen=True)
class SoftMatching:
    """Metric: correlation under the best soft matching of units and neuroids (Khosla & Williams 2024).

    Weights T (p, q) with equal shares for all units and for all neuroids maximise the summed r over training rows
    (optimal transport); the value of neuroid j is q times the sum of T_ij r_ij over test rows. Symmetric in model and
    brain, invariant to the order of units and to nothing else. With p = q it is one-to-one matching. Units that do
    not vary take their share and give nothing; a neuroid that has no other partner has no value.

    Attributes
    ----------
    splits, resamples, seed : as in `predictivity.Predictivity`.
    """

    splits: Splitter | None = None
    resamples: int = 1000
    seed: int = 0

    def __call__(self, prediction: Recording, target: Recording) -> Comparison:
        """Compare recordings (presentation, neuroid) without missing values, labelled or as plain arrays.

        Raises
        ------
        InvalidMeasurement : NaN in either, presentations that do not correspond.
        ResourceError : more pairs than can be matched in minutes.
        """
        prediction, target = recordings(prediction, target)
        x, y = pair(prediction, target)
        x = np.asarray(x, float)
        check_numbers(x, "prediction")
        if not np.isfinite(y).all():
            raise InvalidMeasurement("target holds values that were not measured; soft matching needs all")
        q = y.shape[1]
        if x.shape[1] != q and x.shape[1] * q > MOST_PAIRS:
            raise ResourceError(
                f"soft matching of {x.shape[1]} units with {q} neuroids is a linear program over > {MOST_PAIRS} "
                "pairs: give fewer units (pool or project the layer), or use single_unit"
            )
        folds = (self.splits or TEN_FOLDS)(len(y), labels_of(prediction, target))
        counts = draws(len(y), self.resamples, self.seed)
        per_fold, sizes = np.full((len(folds), q), np.nan), np.array([len(f.test) for f in folds], float)
        replicates, weight = np.zeros((self.resamples, q)), np.zeros((self.resamples, q))
        for k, fold in enumerate(folds):
            plan = transport(cross_correlation(x[fold.train], y[fold.train]))
            units, neuroids = np.nonzero(plan)
            share = np.zeros((len(units), q))
            share[np.arange(len(units)), neuroids] = q * plan[units, neuroids]
            share[:, never_varies(y[fold.train])] = 0  # all units suit them alike
            pairs = x[np.ix_(fold.test, units)], y[np.ix_(fold.test, neuroids)]
            r = fold_pearson(*pairs, [len(fold.test)])
            per_fold[k] = np.where(np.isfinite(r) @ share > 0, np.nan_to_num(r) @ share, np.nan)
            drawn = counts[:, fold.test]
            size = drawn.sum(1, keepdims=True)
            under_draws = resample_pearson(*pairs, [len(fold.test)], drawn)
            replicates += size * (np.nan_to_num(under_draws) @ share)
            weight += size * (np.isfinite(under_draws) @ share > 0)  # what a fold leaves undefined does not count
        known = np.isfinite(per_fold)
        total = sizes @ known
        values = np.where(total > 0, (sizes @ np.nan_to_num(per_fold)) / np.maximum(total, 1), np.nan)
        units_of = unit_coordinates(target)
        return Comparison(
            values=xr.DataArray(values, dims="neuroid", coords=units_of),
            splits=xr.DataArray(per_fold, dims=("split", "neuroid"), coords=units_of),
            replicates=np.where(weight > 0, replicates / np.maximum(weight, 1), np.nan) if self.resamples else None,
            center="mean",
        )


def transport(r: Float[Array, "unit neuroid"]) -> Float[np.ndarray, "unit neuroid"]:
    """Return the plan (p, q) with row sums 1/p and column sums 1/q that maximises the sum of plan * r, exactly."""
    r = as_numpy(r)
    p, q = r.shape
    if p == q:
        plan = np.zeros((p, q))
        plan[_assign(r), np.arange(q)] = 1 / q
        return plan

    rows = scipy.sparse.kron(scipy.sparse.eye(p), np.ones((1, q)))
    columns = scipy.sparse.kron(np.ones((1, p)), scipy.sparse.eye(q))
    sums = np.concatenate([np.full(p, 1 / p), np.full(q, 1 / q)])
    found = scipy.optimize.linprog(
        -r.reshape(-1), A_eq=scipy.sparse.vstack([rows, columns]).tocsc(), b_eq=sums, method="highs"
    )
    if found.x is None:
        raise MethodError(f"the soft matching of {p} units with {q} neuroids was not found: {found.message}")
    plan = np.where(found.x > 1e-12, found.x, 0.0)
    return plan.reshape(p, q)
