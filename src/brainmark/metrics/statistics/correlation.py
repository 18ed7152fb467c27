"""Correlation of predictions with recordings, for all neuroids at once, with and without resampled presentations."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from array_api_compat import device

from brainmark.core.libraries import np
from brainmark.metrics._arrays.backend import as_float64, as_numpy, like, namespace
from brainmark.metrics._arrays.shapes import Array, Bool, Float, Real

FEWEST_ROWS = 3
"""Of fewer rows, r is 1, -1 or undefined."""
_FLAT = 1e-24  # a sum of squares about the mean below this share of that about 0 is rounding error of a constant
_FLAT_RESAMPLED = 1e-12  # the same against the largest resample, where weighted means are taken off in one pass


def pearson(x: Real[Array, "presentation neuroid"], y: Real[Array, "presentation neuroid"]) -> Float[Array, " neuroid"]:
    """Return the Pearson correlation of the columns of `x` and `y`, (n, q) each -> (q,); NaN if one is constant."""
    x, y = as_float64(x), as_float64(y)
    xp = namespace(x, y)
    x_mean, y_mean = xp.mean(x, axis=0), xp.mean(y, axis=0)
    xc, yc = x - x_mean, y - y_mean
    xx, yy, n = column_products(xc, xc), column_products(yc, yc), x.shape[0]
    flat = _is_flat(xx, n, x_mean) | _is_flat(yy, n, y_mean)
    return _ratio(column_products(xc, yc), xx, yy, flat)


def _is_flat(squares: Array, n: Array | int, mean: Array) -> Array:
    """Return where `n` values with sums of `squares` about their `mean` are one value, but for its rounding."""
    return squares <= _FLAT * (squares + n * mean**2)


def never_varies(x: Real[Array, "row neuroid"]) -> Bool[Array, " neuroid"]:
    """Return which columns of `x` (n, q) hold one value alone, but for its rounding: there is no r with them."""
    x = as_float64(x)
    mean = namespace(x).mean(x, axis=0)
    x = x - mean
    return _is_flat(column_products(x, x), x.shape[0], mean)


def pearson_of_blocks(
    blocks: Iterable[tuple[Float[np.ndarray, " row *neuroid"], Float[np.ndarray, " row *neuroid"]]],
) -> Float[np.ndarray, "*neuroid"]:
    """Correlate along the first axis two arrays (n, ..., q) that come in blocks of rows, float64 -> (..., q).

    Blocks are read while they are in the cache, and overwritten.
    """
    shift: tuple[np.ndarray, np.ndarray] | None = None
    n, sums, products = 0, [0.0, 0.0], [0.0, 0.0, 0.0]
    for block in blocks:
        if shift is None:  # about a value close to the mean, one pass loses no digits
            shift = block[0].mean(axis=0), block[1].mean(axis=0)
        x, y = (np.subtract(part, mean, out=part) for part, mean in zip(block, shift, strict=True))
        n += len(x)
        sums = [total + part.sum(axis=0) for total, part in zip(sums, (x, y), strict=True)]
        pairs = (x, x), (y, y), (x, y)
        products = [t + np.einsum("n...,n...->...", *pair) for t, pair in zip(products, pairs, strict=True)]
    if shift is None:
        raise ValueError("no block of rows")
    xx, yy, xy = (t - sums[i] * sums[j] / n for t, (i, j) in zip(products, ((0, 0), (1, 1), (0, 1)), strict=True))
    flat = _is_flat(xx, n, shift[0] + sums[0] / n) | _is_flat(yy, n, shift[1] + sums[1] / n)
    return _ratio(xy, xx, yy, flat)


def column_products(x: Real[Array, "row column"], y: Real[Array, "row column"]) -> Real[Array, " column"]:
    """Return the sum of the products of two arrays (n, q) along the first axis."""
    if isinstance(x, np.ndarray):
        return np.einsum("nq,nq->q", x, y)  # makes no array of products
    return namespace(x, y).sum(x * y, axis=0)


def weighted_pearson(
    x: Float[np.ndarray, " row"], y: Float[np.ndarray, " row"], counts: Real[np.ndarray, "draw row"]
) -> Float[np.ndarray, " draw"]:
    """Return `pearson` of two vectors when row i counts counts[:, i] times; NaN where one of them is constant."""
    return resample_pearson(x[:, None], y[:, None], [len(x)], counts, correct=False)[:, 0]


def fold_pearson(
    x: Real[Array, "row neuroid"], y: Real[Array, "row neuroid"], sizes: Sequence[int]
) -> Float[Array, " neuroid"]:
    """Return the correlation of the columns within each fold, averaged over folds in proportion to their size.

    Out-of-fold predictions must not be pooled before they are correlated. What one fold tests, the others train on;
    hence mean and scale of a fold's predictions depend on the rows that it lacks, and pooled predictions of a mapping
    without any knowledge correlate negatively with the target (r of -.1 with a penalty chosen by fold, -1 with a bare
    intercept). Within a fold, training and test rows are independent: r is 0 on average without a relation.
    Small folds attenuate r; each is corrected by `correct_attenuation`.

    Parameters
    ----------
    x, y : (n, q), rows in the order of the folds.
    sizes : rows of each fold; they add up to n. Folds of fewer than three rows cannot be correlated and do not count.

    Returns
    -------
    (q,) float64; folds in which `x` or `y` is constant do not count, NaN where none does.
    """
    xp = namespace(x, y)
    parts = [correct_attenuation(pearson(x[a:b], y[a:b]), b - a) for a, b in _segments(sizes) if b - a >= FEWEST_ROWS]
    if not parts:
        return xp.full((x.shape[1],), float("nan"), dtype=xp.float64, device=device(x))
    return _average(xp.stack(parts), like(np.array([s for s in sizes if s >= FEWEST_ROWS], float)[:, None], x))


def resample_pearson(
    x: Real[Array, "row neuroid"],
    y: Real[Array, "row neuroid"],
    sizes: Sequence[int],
    counts: Real[np.ndarray, "draw row"],
    correct: bool = True,
    block: int = 4096,
) -> Float[np.ndarray, "draw neuroid"]:
    """Return `fold_pearson` under resampled presentations; with `correct` False and a single fold, `pearson`.

    Parameters
    ----------
    x, y : (n, q), rows in the order of the folds.
    sizes : rows of each fold.
    counts : (resamples, n), how often each row counts.
    correct : apply `correct_attenuation`.
    block : neuroids done together; bounds the memory.

    Returns
    -------
    (resamples, q) float64; NaN where a column is constant in every fold of a resample.
    """
    q = x.shape[1]
    if not len(counts):
        return np.empty((0, q))
    xp = namespace(x, y)
    total = [np.empty((len(counts), 0))]
    for start in range(0, q, block):
        left, right = as_float64(x[:, start : start + block]), as_float64(y[:, start : start + block])
        summed = weight = xp.zeros((len(counts), left.shape[1]), dtype=xp.float64, device=device(x))
        for a, b in _segments(sizes):
            w = like(counts[:, a:b].astype(np.float64), x)
            r, size = _weighted_pearson(left[a:b], right[a:b], w)
            r = correct_attenuation(r, size) if correct else r
            known = xp.isfinite(r)
            summed = summed + xp.where(known, size * r, 0.0)
            weight = weight + xp.where(known, size + 0.0 * r, 0.0)
        total.append(as_numpy(xp.where(weight > 0, summed / xp.where(weight > 0, weight, 1.0), float("nan"))))
    return np.concatenate(total, axis=1)


def correct_attenuation(
    r: Float[Array, "*stack neuroid"], n: int | Real[Array, "*#stack #neuroid"]
) -> Float[Array, "*stack neuroid"]:
    """Correct the attenuation of r in small samples: r 2F1(1/2, 1/2; (n - 2) / 2; 1 - r^2), to third order.

    Olkin & Pratt 1958, Ann. Math. Stat. 29, eq. 2.3: unbiased under bivariate normality. 0 and 1 stay as they are.
    `n` is the sample size, a number or an array that broadcasts; it is taken as 5 at least.
    """
    xp = namespace(r)
    c = (max(n, 5) - 2) / 2 if isinstance(n, int) else (xp.where(n > 5, n, 5.0) - 2) / 2
    z = 1 - r * r
    series = 1 + z / (4 * c) * (1 + z * 9 / (8 * (c + 1)) * (1 + z * 25 / (12 * (c + 2))))
    return xp.clip(r * series, -1.0, 1.0)


def _weighted_pearson(x: Array, y: Array, w: Array) -> tuple[Array, Array]:
    """Return correlations (resamples, q) of one fold under weights (resamples, n), and their sums (resamples, 1)."""
    xp = namespace(x, y)
    # the unweighted means are taken off first: the products below then keep their digits
    x_mean, y_mean = xp.mean(x, axis=0), xp.mean(y, axis=0)
    xc, yc = x - x_mean, y - y_mean
    size = xp.sum(w, axis=1)[:, None]
    share = 1 / xp.where(size > 0, size, 1.0)
    sx, sy = w @ xc, w @ yc
    xx = w @ (xc * xc) - sx * sx * share
    yy = w @ (yc * yc) - sy * sy * share
    flat = (xx <= _FLAT_RESAMPLED * xp.max(xx, axis=0)) | (yy <= _FLAT_RESAMPLED * xp.max(yy, axis=0))
    flat = flat | _is_flat(xx, size, x_mean) | _is_flat(yy, size, y_mean)
    few = xp.sum(xp.astype(w > 0, xp.int64), axis=1)[:, None] < FEWEST_ROWS  # copies of a row are not further rows
    return _ratio(w @ (xc * yc) - sx * sy * share, xx, yy, flat | few), size


def _ratio(cross: Array, xx: Array, yy: Array, flat: Array) -> Array:
    xp = namespace(cross)
    r = cross / xp.sqrt(xp.where(flat, 1.0, xx * yy))
    return xp.where(flat, float("nan"), xp.clip(r, -1.0, 1.0))


def _average(r: Array, weight: Array) -> Array:
    """Return the weighted mean along the first axis over the entries that are not NaN."""
    xp = namespace(r)
    known = xp.isfinite(r)
    total = xp.sum(xp.where(known, weight + 0.0 * r, 0.0), axis=0)
    summed = xp.sum(xp.where(known, weight * r, 0.0), axis=0)
    return xp.where(total > 0, summed / xp.where(total > 0, total, 1.0), float("nan"))


def _segments(sizes: Sequence[int]) -> Iterator[tuple[int, int]]:
    end = 0
    for size in sizes:
        yield end, end + size
        end += size
