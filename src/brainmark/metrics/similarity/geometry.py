"""Similarity of two sets of patterns over the same stimuli: kernel alignment, shape distances, dimensionality.

All functions take arrays (stimulus, neuroid), NumPy or torch, and work in whichever of the two sizes is smaller.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from typing import Any

from array_api_compat import array_namespace, device

from brainmark.core.errors import InvalidMeasurement
from brainmark.core.libraries import np
from brainmark.metrics._arrays.backend import check_memory, plain
from brainmark.metrics._arrays.products import cross, gram, sum_of_squares
from brainmark.metrics._arrays.scale import rescale
from brainmark.metrics._arrays.shapes import Array, Float, Integer, Real
from brainmark.metrics.similarity.rdm import rdm_matrix

_OFF_CENTRE = 1e-5  # rounding of a mean beside the spread of patterns, above which it shows
_EVEN = 20  # stimuli of equal length that weigh as much as theirs: below, single precision is not enough


def linear_cka(x: Real[Array, "stimulus neuroid"], y: Real[Array, "stimulus _"], unbiased: bool = True) -> float:
    """Return the centred kernel alignment with linear kernels (Kornblith et al. 2019).

    Parameters
    ----------
    x, y : (stimulus, neuroid), numbers of neuroids may differ.
    unbiased : with the unbiased estimator of HSIC (Song et al. 2012, eq. 5), whose expected value is 0 for unrelated
        patterns. The biased one approaches 1 when neuroids outnumber stimuli, whatever the patterns.

    Returns
    -------
    At most 1; the unbiased one may be slightly negative. NaN where one side has no (estimated) variance.

    Raises
    ------
    ValueError : different numbers of stimuli, or fewer than 4 (unbiased) or 2.
    """
    return linear_ckas(x, y, (None,), unbiased)[0]


def linear_ckas(
    x: Real[Array, "stimulus neuroid"],
    y: Real[Array, "stimulus _"],
    subsets: Sequence[Integer[np.ndarray, " _"] | None],
    unbiased: bool = True,
) -> list[float]:
    """Return linear CKA of several subsets of the stimuli, from one product of all.

    Parameters
    ----------
    x, y, unbiased : as `linear_cka`.
    subsets : different rows of `x` and `y`, in any order; None: all.
    """
    fewest = 4 if unbiased else 2
    x, y = _pair(x, y, fewest, narrow=True)
    small = next((rows for rows in subsets if rows is not None and len(rows) < fewest), None)
    if small is not None:
        raise InvalidMeasurement(f"a subset of {len(small)} stimuli; at least {fewest} are needed")
    xp = array_namespace(x, y)
    squares = _square_lengths(x), _square_lengths(y)
    if unbiased and any(map(_uneven, squares)):
        x, y = xp.astype(x, xp.float64, copy=False), xp.astype(y, xp.float64, copy=False)
        squares = _square_lengths(x), _square_lengths(y)
    sides = x, y
    kernel = cache(lambda side: gram(sides[side]))
    pairs = [(0, 1), (0, 0)] if y is x else [(0, 1), (0, 0), (1, 1)]
    whole = {pair: _product_if_smaller(*(sides[side] for side in pair)) for pair in pairs}
    totals = {pair: 0.0 if product is None else sum_of_squares(product) for pair, product in whole.items()}
    found: list[float] = []
    for rows in subsets:
        size = x.shape[0] if rows is None else len(rows)
        mean = cache(lambda side, rows=rows: _mean_of(sides[side], rows))
        lengths = cache(lambda side, rows=rows, mean=mean: _lengths(sides[side], squares[side], rows, mean(side)))
        part = cache(lambda side, rows=rows: _part_of_kernel(kernel(side), rows, hollow=unbiased))

        def criterion(pair: tuple[int, int], size: int, rows: Any, mean: Any, lengths: Any, part: Any) -> float:
            """HSIC of two sides, in whichever space is smaller."""
            product = whole[pair]
            if product is None:
                total = _sum(xp, part(pair[0]) * part(pair[1]))
            elif rows is None:
                total = totals[pair]
            else:
                means = mean(pair[0]), mean(pair[1])
                total = _squares_of_neuroids(sides[pair[0]], sides[pair[1]], product, totals[pair], rows, means)
            if not unbiased:
                return total / size**2
            # Rows of a centred kernel sum to zero; without its diagonal they sum to minus that diagonal.
            a, b = lengths(pair[0]), lengths(pair[1])
            both = float(a @ b)
            return _song(size, total - (0 if product is None else both), both, -float(a.sum()), -float(b.sum()))

        values = [criterion(pair, size, rows, mean, lengths, part) for pair in pairs]
        value, own_x, own_y = values[0], values[1], values[-1]
        found.append(value / (own_x * own_y) ** 0.5 if own_x > 0 and own_y > 0 else float("nan"))
    return found


def _product_if_smaller(x: Float[Array, "stimulus neuroid"], y: Float[Array, "stimulus _"]) -> Any:
    """Return X'Y where it takes less work than the two kernels over stimuli; None where it does not."""
    p, q, count = x.shape[1], y.shape[1], x.shape[0]
    return cross(x, y) if p * q <= count * (p + q) / 2 else None


def _square_lengths(x: Float[Array, "stimulus neuroid"]) -> Float[Array, " stimulus"]:
    """Return the squared lengths of the patterns, float64."""
    xp = array_namespace(x)
    return xp.astype(xp.vecdot(x, x), xp.float64)


def _uneven(squares: Float[Array, " stimulus"]) -> bool:
    """Return whether a few stimuli outweigh the others, so that sums without these few are small differences."""
    return float(squares.sum()) ** 2 < _EVEN * float(squares @ squares)


def _mean_of(x: Float[Array, "stimulus neuroid"], rows: Integer[np.ndarray, " row"] | None) -> Any:
    """Return the mean of a subset of centred patterns, from those left out: the mean of all is zero. None for all."""
    if rows is None:
        return None
    xp = array_namespace(x)
    return -xp.sum(x[_others(rows, x.shape[0])], axis=0, dtype=xp.float64) / len(rows)


def _lengths(x: Any, squares: Any, rows: Integer[np.ndarray, " row"] | None, mean: Any) -> Float[Array, " row"]:
    """Return the squared distances (float64) of the stimuli of a subset from its mean, given those from that of all."""
    if rows is None:
        return squares
    xp = array_namespace(x)
    return squares[rows] - 2 * xp.astype(x @ xp.astype(mean, x.dtype), xp.float64)[rows] + mean @ mean


def _squares_of_neuroids(
    x: Any, y: Any, whole: Any, total: float, rows: Integer[np.ndarray, " row"], means: Any
) -> float:
    """Return the sum of squares of X'Y of a subset after centring, from the product of all less those left out.

    `total` is the sum of squares of the `whole` product.
    """
    xp, left = array_namespace(x), _others(rows, x.shape[0])
    sides = ((x, means[0]),) if y is x else ((x, means[0]), (y, means[1]))
    # the mean of the subset is taken off as one more pattern that is left out
    taken = [xp.concat([a[left], xp.astype(len(rows) ** 0.5 * m, a.dtype)[None]], axis=0) for a, m in sides]
    part = cross(taken[0], taken[-1])
    found = sum_of_squares(xp.subtract(whole, part, out=part if part.dtype == whole.dtype else None))
    if found > total / 4:  # otherwise most of it is taken off, and digits with it
        return found
    return sum_of_squares(cross(*(a[rows] - xp.astype(mean, a.dtype) for a, mean in zip((x, y), means, strict=True))))


def _part_of_kernel(kernel: Any, rows: Integer[np.ndarray, " row"] | None, hollow: bool) -> Any:
    """Return the products of every two stimuli of a subset about their mean, without the diagonal if `hollow`."""
    xp = array_namespace(kernel)
    if rows is not None:
        kernel = kernel[rows[:, None], rows[None, :]]
        mean = xp.mean(kernel, axis=0)
        kernel = kernel - mean[:, None] - mean[None, :] + xp.mean(mean)
    if hollow:
        kernel = kernel + 0 if rows is None else kernel  # other subsets need the diagonal
        index = xp.arange(kernel.shape[0], device=device(kernel))
        kernel[index, index] = 0
    return kernel


def _others(rows: Integer[np.ndarray, " row"], count: int) -> Integer[np.ndarray, " rest"]:
    """Return the stimuli that do not belong to a subset."""
    rest = np.ones(count, bool)
    rest[rows] = False
    return np.flatnonzero(rest)


def _song(count: int, product: float, rows: float, total_k: float, total_m: float) -> float:
    """Return unbiased HSIC from the sums that it needs (Song et al. 2012, eq. 5)."""
    pairs = total_k * total_m / ((count - 1) * (count - 2))
    return (product + pairs - 2 / (count - 2) * rows) / (count * (count - 3))


def _sum(xp: Any, values: Any) -> float:
    """Return the sum in double precision: the terms of HSIC nearly cancel when neuroids outnumber stimuli."""
    return float(xp.sum(values, dtype=xp.float64))


def gaussian_kernel(x: Real[Array, "stimulus neuroid"], width: float = 1.0) -> Float[Array, "stimulus stimulus"]:
    """Return exp(-d^2 / (2 (width * median d)^2)), (stimulus, stimulus); the median is over different stimuli.

    NaN where half of the stimuli do not differ: the kernel then has no width.
    """
    count = x.shape[0]
    check_memory(8 * 6 * count**2, x, f"a comparison of {count} stimuli")
    squared = rdm_matrix(x, "squared_euclidean")
    xp = array_namespace(squared)
    above = xp.sort(squared[xp.triu(xp.ones_like(squared), k=1) > 0])
    pairs = count * (count - 1) // 2
    median = (above[(pairs - 1) // 2] ** 0.5 + above[pairs // 2] ** 0.5) / 2
    return xp.exp(-squared / (2 * (width * (median if float(median) > 0 else xp.nan)) ** 2))


def procrustes_similarity(
    x: Real[Array, "stimulus neuroid"], y: Real[Array, "stimulus _"], whiten: float = 0.0, centred: bool = False
) -> float:
    """Return the cosine between two shapes after the best rotation: ||X'Y||_* / (||X||_F ||Y||_F), 0 to 1.

    The angle itself is a metric between shapes (Williams et al. 2021, NeurIPS, eq. 12). The nuclear norm is computed in
    the space of the stimuli where neuroids outnumber them.

    Parameters
    ----------
    x, y : (stimulus, neuroid)
    whiten : 0: blind to rotations; 1: each side is whitened first, blind to every invertible linear map (canonical
        correlations; needs many more stimuli than neuroids); between: the mixture (1 - whiten) X + whiten X C^(-1/2)
        with the covariance C.
    centred : columns are centred already.
    """
    if not 0 <= whiten <= 1:
        raise ValueError(f"whiten is between 0 and 1, not {whiten}")
    x, y = (x, y) if centred else _pair(x, y, 2)
    x, y = _whiten(x, whiten), _whiten(y, whiten)
    xp = array_namespace(x, y)
    size = (float(xp.sum(x * x)) * float(xp.sum(y * y))) ** 0.5
    if not size > 0:
        return float("nan")
    x, y = _compact(x), _compact(y)
    return min(float(xp.sum(xp.linalg.svdvals(x.T @ y))) / size, 1.0)


def _whiten(x: Real[Array, "stimulus neuroid"], share: float) -> Float[Array, "stimulus _"]:
    if share == 0:
        return x
    xp = array_namespace(x)
    left, values, _ = xp.linalg.svd(x, full_matrices=False)
    rounding = float(xp.max(values)) * max(x.shape) * float(xp.finfo(x.dtype).eps)
    whitened = xp.where(values > rounding, xp.ones_like(values) * x.shape[0] ** 0.5, xp.zeros_like(values))
    return left * ((1 - share) * values + share * whitened)


def _compact(x: Float[Array, "stimulus _"]) -> Float[Array, "stimulus _"]:
    """Return rotated patterns with at most as many columns as stimuli and the same Gram matrix."""
    if x.shape[1] <= x.shape[0]:
        return x
    xp = array_namespace(x)
    values, vectors = xp.linalg.eigh(x @ x.T)
    return vectors * xp.sqrt(xp.clip(values, min=0))


def _pair(
    x: Real[Array, "stimulus neuroid"], y: Real[Array, "stimulus other"], fewest: int, narrow: bool = False
) -> tuple[Float[Array, "stimulus neuroid"], Float[Array, "stimulus other"]]:
    """Check, rescale and centre two sets of patterns; whole numbers become float64.

    Both get the precision of the more precise side, or with `narrow` of the other one.
    """
    if x.ndim != 2 or y.ndim != 2 or x.shape[0] != y.shape[0]:
        shapes = f"{tuple(x.shape)} and {tuple(y.shape)}"
        raise InvalidMeasurement(
            f"patterns have shapes {shapes}; expected (stimulus, neuroid) twice, of the same stimuli"
        )
    if x.shape[0] < fewest:
        raise InvalidMeasurement(f"{x.shape[0]} stimuli; at least {fewest} are needed")
    same = x is y
    xp = array_namespace(x, y)
    x = _centre(xp, rescale(plain(x))[0])
    y = x if same else _centre(xp, rescale(plain(y))[0])
    if x.dtype != y.dtype:
        x, y = (xp.astype(a, xp.float32 if narrow else xp.float64, copy=False) for a in (x, y))
    return x, y


def _centre(xp: Any, x: Any) -> Any:
    """Subtract the mean of each neuroid; neuroids that vary by less than the rounding of that mean become zero."""
    mean = xp.astype(xp.sum(x, axis=0, keepdims=True, dtype=xp.float64) / x.shape[0], x.dtype)
    if not bool(xp.all(xp.isfinite(mean))):
        raise InvalidMeasurement("patterns hold NaN or infinite values: leave out neuroids that lack a stimulus")
    rest = x - mean
    floor = 4 * float(xp.finfo(x.dtype).eps) * xp.abs(mean[0])
    flat = xp.abs(rest[0]) <= floor
    if bool(xp.any(flat)):  # a neuroid that is constant is so at the first stimulus
        within = rest[:, flat]
        rest[:, flat] = xp.where(xp.max(xp.abs(within), axis=0) <= floor[flat], 0.0, within)
    if float(xp.max(floor)) > _OFF_CENTRE * float(xp.sum(rest[0] * rest[0]) / rest.shape[1]) ** 0.5:
        rest -= xp.astype(xp.mean(xp.astype(rest, xp.float64), axis=0), rest.dtype)  # what rounding left of large means
    return rest
