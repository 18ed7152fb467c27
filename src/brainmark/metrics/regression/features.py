"""Prepares features for regression: one matrix of products that all folds, penalties and targets share."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from array_api_compat import device

from brainmark.core.errors import InvalidMeasurement
from brainmark.core.libraries import np
from brainmark.metrics._arrays.backend import (
    all_finite,
    as_float64,
    block_width,
    centre,
    check_memory,
    column_means,
    detach,
    gram,
    like,
    namespace,
    plain,
)  # fmt: skip
from brainmark.metrics._arrays.inputs import check_kind, check_numbers
from brainmark.metrics._arrays.scale import rescale
from brainmark.metrics._arrays.shapes import Array, Bool, Float, Integer, Real
from brainmark.metrics.statistics.correlation import column_products, never_varies
from brainmark.metrics.statistics.splits import Fold

_RESIDUE = 1e-13  # share of a target's magnitude below which differences of its predictions are rounding
_DIRECTIONS = 8  # that may hold nearly all variance
_NEARLY_NOTHING = 1e-3  # of the variance: single precision is then off by 1e-4 of the rest


@dataclass(frozen=True, eq=False)
class Features:
    """Features of a model, centred over all presentations.

    Exactly one of the two is held: `kernel` when features outnumber presentations (dual form), else `x` (primal).

    Attributes
    ----------
    kernel : (n, n) float64, products of presentations over features.
    x : (n, p) float64.
    n, p : presentations, features.
    power : features were divided by 2**power, their products by its square (`rescale`).
    """

    kernel: Float[Array, "n n"] | None
    x: Float[Array, "n p"] | None
    n: int
    p: int
    power: int = 0

    @property
    def dual(self) -> bool:
        """Whether the products are those of presentations."""
        return self.kernel is not None

    @property
    def array(self) -> Float[Array, "n _"]:
        """The array that is held."""
        return self.kernel if self.kernel is not None else self.x

    def take(self, rows: Bool[Array, " row"] | Integer[Array, " row"]) -> Features:
        """Return the features of some presentations, centred anew, in the form in which they are held."""
        if self.kernel is not None:
            return Features(centre_products(self.kernel[rows][:, rows]), None, len(rows), self.p, self.power)
        return Features(None, centre(self.array[rows]), len(rows), self.p, self.power)


def prepare(
    x: Bool[Array, "n p"] | Real[Array, "n p"] | Features, dual: bool | None = None, wide: bool = False
) -> Features:
    """Compute what every regression on these features shares.

    Parameters
    ----------
    x : (n, p) features; float32 stays float32 until products are added up in float64. `Features` pass unchanged.
    dual : form; None takes the smaller one.
    wide : take products of presentations in float64, whatever the features come in.

    Raises
    ------
    ResourceError : the products would not fit into memory; InvalidMeasurement : fewer than 3 presentations, no feature.
    """
    if isinstance(x, Features):
        return x
    if isinstance(x, np.ndarray):
        check_kind(x, "features")
    return _prepare(detach(x), dual, wide)


def _prepare(x: Array, dual: bool | None, wide: bool) -> Features:
    if x.ndim != 2:
        raise InvalidMeasurement(f"features have {x.ndim} dimensions; expected (presentation, feature)")
    n, p = int(x.shape[0]), int(x.shape[1])
    if n < 3 or p < 1:
        raise InvalidMeasurement(f"features of {n} presentations and {p} units cannot be used for regression")
    if isinstance(x, np.ndarray):
        check_numbers(x, "features")
    elif not all_finite(x):
        raise InvalidMeasurement("features hold NaN or infinite values; a model must answer every presentation")
    if dual is None:
        dual = p >= n
    check_memory(memory_needed(n, p, 0, dual=dual), x, f"regression on features ({n}, {p})")
    x, power = rescale(plain(x))
    if dual:
        kernel = gram(x, wide)
        if not wide and x.dtype == namespace(x).float32 and _few_directions(kernel):
            kernel = gram(x, wide=True)
        return Features(kernel, None, n, p, power)
    wide_x = namespace(x).astype(x, namespace(x).float64, copy=True)
    wide_x -= namespace(x).mean(wide_x, axis=0)
    return Features(None, wide_x, n, p, power)


def _few_directions(kernel: Float[Array, "n n"]) -> bool:
    """Return whether a few directions hold nearly all variance, next to which single precision loses the others.

    Such are a unit of a scale of its own, or an offset of each presentation: as many steps of a pivoted Cholesky
    factorisation leave next to nothing.
    """
    xp = namespace(kernel)
    left = xp.linalg.diagonal(kernel) + 0.0
    total, rows = float(xp.sum(left)), xp.zeros((0, left.shape[0]), dtype=left.dtype, device=device(left))
    for _ in range(min(_DIRECTIONS, left.shape[0] // 2)):
        pivot = int(xp.argmax(left))
        row = kernel[pivot] - rows[:, pivot] @ rows
        if not float(row[pivot]) > 0:
            break
        row = row / row[pivot] ** 0.5
        rows = xp.concat([rows, row[None]], axis=0)
        left = xp.clip(left - row * row, min=0.0)
    return float(xp.sum(left)) < _NEARLY_NOTHING * total


def settle_constants(
    predicted: Float[Array, "test neuroid"], y: Real[Array, "presentation neuroid"], folds: Sequence[Fold]
) -> Float[Array, "test neuroid"]:
    """Return predictions (m, q) in which what is one value in the test rows of a fold, but for rounding, is one value.

    So it is where the training rows hold one value, which is then predicted, and where nothing that was fitted tells
    the test rows apart. Correlations with the rounding that is left would be anything between -1 and 1.

    Parameters
    ----------
    predicted : rows in the order of the test rows of the folds.
    y : (n, q) targets.
    """
    xp, start, settled = namespace(y), 0, False
    share = max(_RESIDUE, 4 * float(xp.finfo(predicted.dtype).eps)) ** 2
    wide = as_float64(y)
    least = share * column_products(wide, wide) / y.shape[0]
    for fold in folds:
        part = predicted[start : start + len(fold.test)]
        untrained = _hold_one_value(y, fold)
        constant = untrained | _differ_by_rounding(part, len(part) * least)
        if bool(xp.any(constant)):
            predicted = predicted if settled else xp.asarray(predicted, copy=True)
            settled = True
            value = xp.where(untrained, column_means(y[like(fold.train, y)]), column_means(part))
            predicted[start : start + len(part)] = xp.where(constant, xp.astype(value, part.dtype), part)
        start += len(part)
    return predicted


def _hold_one_value(y: Real[Array, "presentation neuroid"], fold: Fold) -> Bool[Array, " neuroid"]:
    """Return which targets hold one value in all training rows, but for rounding; few are looked at in all rows."""
    xp, few = namespace(y), np.unique(fold.train[[0, len(fold.train) // 2, -1]])
    found = never_varies(y[like(few, y)])
    if bool(xp.any(found)):
        columns = xp.nonzero(found)[0]
        found[columns] = never_varies(y[like(fold.train, y)][:, columns])
    return found


def _differ_by_rounding(part: Float[Array, "row neuroid"], limit: Float[Array, " neuroid"]) -> Bool[Array, " neuroid"]:
    """Return where sums of squares about the mean are within a `limit`; few columns are looked at in all rows."""
    xp, few = namespace(part), as_float64(part[like(np.array([0, len(part) // 2, len(part) - 1]), part)])
    spread = xp.max(few, axis=0) - xp.min(few, axis=0)
    found = spread * spread <= 4 * limit
    if bool(xp.any(found)):
        columns = xp.nonzero(found)[0]
        rest = as_float64(part[:, columns])
        rest = rest - xp.mean(rest, axis=0)
        found[columns] = column_products(rest, rest) <= limit[columns]
    return found


def centre_products(products: Float[Array, "n n"]) -> Float[Array, "n n"]:
    """Return the products (n, n) of rows of which the mean row has been taken off."""
    xp = namespace(products)
    mean = xp.mean(products, axis=0)
    mean = mean - 0.5 * xp.mean(mean)
    made = products - mean
    made -= mean[:, None]
    return made


def memory_needed(n: int, p: int, q: int, folds: int = 10, dual: bool | None = None) -> int:
    """Estimate the bytes that a regression of `q` neuroids on `p` features over `n` presentations takes at its peak.

    Features, targets themselves are not counted. The larger terms: products (n, n) or features in float64 (n, p) and
    products (p, p); their eigenvectors for one fold; predictions of all folds (n, q) and their working copies.
    """
    if dual is None:
        dual = p >= n
    m = min(n, p)
    products = n * n + n * min(p, block_width(n)) if dual else n * p + folds * min(m * m, 2**25)
    return 8 * (products + 3 * m * m + 4 * n * q)
