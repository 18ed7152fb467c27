"""How alike are two sets of patterns over the same stimuli: kernel alignment, shape distances, dimensionality.

All functions take arrays (stimulus, neuroid), NumPy or torch, and work in whichever of the two sizes is smaller.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from array_api_compat import array_namespace, device

from brainmark.core.errors import InvalidMeasurement
from brainmark.core.libraries import np
from brainmark.metrics._arrays.backend import check_memory, plain
from brainmark.metrics._arrays.products import Patterns, Subset, complement, cross, sum_of_squares
from brainmark.metrics._arrays.shapes import Array, Float, Integer, Real
from brainmark.metrics.similarity.rdm import rdm_matrix


def linear_cka(x: Real[Array, "stimulus neuroid"], y: Real[Array, "stimulus _"], unbiased: bool = True) -> float:
    """Centred kernel alignment with linear kernels (Kornblith et al. 2019).

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
    """Linear CKA of several subsets of the stimuli, from one product of all.

    Parameters
    ----------
    x, y, unbiased : as `linear_cka`.
    subsets : different rows of `x` and `y`, in any order; None: all.
    """
    fewest = 4 if unbiased else 2
    x, y = _paired(x, y, fewest)
    small = next((rows for rows in subsets if rows is not None and len(rows) < fewest), None)
    if small is not None:
        raise InvalidMeasurement(f"a subset of {len(small)} stimuli; at least {fewest} are needed")
    if y.dtype != x.dtype:  # products are as precise as the less precise side
        x, y = (a.astype(np.float32) if isinstance(a, np.ndarray) else a.float() for a in (x, y))
    one = Patterns(x)
    other = one if y is x else Patterns(y)
    if unbiased and (one.uneven or other.uneven):
        same = other is one
        one = one.widened()
        other = one if same else other.widened()
    criteria = [_linear_hsic(*pair, unbiased, subsets) for pair in ((one, other), (one, one), (other, other))]
    found: list[float] = []
    for rows in subsets:
        a = Subset(one, rows)
        b = a if other is one else Subset(other, rows)
        pairs = (a, b), (a, a), (b, b)
        found.append(_alignment(*(criterion(*pair) for criterion, pair in zip(criteria, pairs, strict=True))))
    return found


def gaussian_kernel(x: Real[Array, "stimulus neuroid"], width: float = 1.0) -> Float[Array, "stimulus stimulus"]:
    """exp(-d^2 / (2 (width * median d)^2)), (stimulus, stimulus); the median is over different stimuli.

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


def _song(count: int, product: float, rows: float, total_k: float, total_m: float) -> float:
    """Unbiased HSIC from the sums that it needs (Song et al. 2012, eq. 5)."""
    pairs = total_k * total_m / ((count - 1) * (count - 2))
    return (product + pairs - 2 / (count - 2) * rows) / (count * (count - 3))


Criterion = Callable[[Subset, Subset], float]


def _linear_hsic(x: Patterns, y: Patterns, unbiased: bool, subsets: Sequence[np.ndarray | None]) -> Criterion:
    """Return HSIC of linear kernels as a function of the same stimuli on both sides, in whichever space is smaller."""
    p, q, total = x.values.shape[1], y.values.shape[1], len(x.lengths)
    by_neuroids = p * q <= total * (p + q) / 2
    products = _products_of_neuroids(x, y, subsets) if by_neuroids else _products_of_stimuli(hollow=unbiased)

    def criterion(a: Subset, b: Subset) -> float:
        squares, count = products(a, b), len(a.lengths)
        if not unbiased:
            return squares / count**2
        # Rows of a centred kernel sum to zero; without its diagonal they sum to minus that diagonal.
        both = float(a.lengths @ b.lengths)
        squares -= both if by_neuroids else 0
        return _song(count, squares, both, -float(a.lengths.sum()), -float(b.lengths.sum()))

    return criterion


def _products_of_neuroids(x: Patterns, y: Patterns, subsets: Sequence[np.ndarray | None]) -> Criterion:
    """Sum of squares of X'Y after centring; of a subset, less what the stimuli left out add to it."""
    xp, whole = x.xp, cross(x.values, y.values)
    total, whole = sum_of_squares(whole), xp.astype(whole, x.values.dtype, copy=False)
    shares = _shares(x, y, whole, subsets)

    def less(a: Subset, b: Subset) -> float:
        both = _sum(xp, a.kernel_of_others * b.kernel_of_others)
        shift = _sum(xp, a.narrow_mean @ whole * b.narrow_mean) - a.shadow_of_others @ b.shadow_of_others
        moved = len(a.lengths) * (a.mean @ a.mean) * (b.mean @ b.mean) - 2 * shift
        return float(total - 2 * xp.sum(shares[a.left]) + both + len(a.lengths) * moved)

    def squares(a: Subset, b: Subset) -> float:
        if a.rows is None:
            return total
        found = less(a, b) if a.few else 0.0
        if found > total / 4:  # otherwise most of it is taken off, and digits with it
            return found
        part = a.centred()
        return sum_of_squares(cross(part, part if b is a else b.centred()))

    return squares


def _shares(x: Patterns, y: Patterns, products: Any, subsets: Sequence[np.ndarray | None]) -> Any:
    """Product x_i' X'Y y_i (stimulus,) of each stimulus that some larger subset leaves out."""
    xp, values, count = x.xp, x.values, len(x.lengths)
    shares = xp.zeros(count, dtype=xp.float64, device=device(values))
    left = [complement(rows, count) for rows in subsets if rows is not None and 2 * len(rows) > count]
    if not left:
        return shares
    stimuli = np.unique(np.concatenate(left))
    for some in np.array_split(stimuli, 1 + len(stimuli) // 4096):
        shares[some] = xp.astype(xp.vecdot(values[some] @ products, y.values[some]), xp.float64)
    return shares


def _products_of_stimuli(hollow: bool) -> Criterion:
    """Sum of the products of two centred kernels, without their diagonals if `hollow`."""

    def part(side: Subset) -> Any:
        xp, kernel, rows = side.whole.xp, side.whole.kernel, side.rows
        if rows is not None:
            kernel = kernel[rows[:, None], rows[None, :]]
            mean = xp.mean(kernel, axis=0)
            kernel = kernel - mean[:, None] - mean[None, :] + xp.mean(mean)
        if hollow:
            kernel = kernel + 0 if rows is None else kernel  # other subsets need the diagonal
            index = xp.arange(kernel.shape[0], device=device(kernel))
            kernel[index, index] = 0
        return kernel

    def squares(a: Subset, b: Subset) -> float:
        kernel = part(a)
        return _sum(a.whole.xp, kernel * (kernel if b is a else part(b)))

    return squares


def _sum(xp: Any, values: Any) -> float:
    """Sum in double precision: the terms of HSIC nearly cancel when neuroids outnumber stimuli."""
    return float(xp.sum(values, dtype=xp.float64))


def _alignment(cross: float, own_x: float, own_y: float) -> float:
    if not (own_x > 0 and own_y > 0):
        return float("nan")
    return cross / (own_x * own_y) ** 0.5


def procrustes_similarity(
    x: Real[Array, "stimulus neuroid"], y: Real[Array, "stimulus _"], whiten: float = 0.0, centred: bool = False
) -> float:
    """Cosine of the angle between two shapes, after the best rotation: ||X'Y||_* / (||X||_F ||Y||_F), 0 to 1.

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
    x, y = (x, y) if centred else _paired(x, y, 2)
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


def _paired(
    x: Real[Array, "stimulus neuroid"], y: Real[Array, "stimulus other"], fewest: int
) -> tuple[Float[Array, "stimulus neuroid"], Float[Array, "stimulus other"]]:
    """Check and centre two sets of patterns; whole numbers become float64."""
    if x.ndim != 2 or y.ndim != 2 or x.shape[0] != y.shape[0]:
        shapes = f"{tuple(x.shape)} and {tuple(y.shape)}"
        raise InvalidMeasurement(
            f"patterns have shapes {shapes}; expected (stimulus, neuroid) twice, of the same stimuli"
        )
    if x.shape[0] < fewest:
        raise InvalidMeasurement(f"{x.shape[0]} stimuli; at least {fewest} are needed")
    same = x is y
    xp = array_namespace(x, y)
    x = _centred(xp, plain(x))
    return x, x if same else _centred(xp, plain(y))


def _centred(xp: Any, x: Any) -> Any:
    """Subtract the mean of each neuroid; neuroids that vary by less than the rounding of that mean become zero."""
    mean = xp.astype(xp.sum(x, axis=0, keepdims=True, dtype=xp.float64) / x.shape[0], x.dtype)
    rest = x - mean
    floor = 4 * float(xp.finfo(x.dtype).eps) * xp.abs(mean[0])
    flat = xp.abs(rest[0]) <= floor
    if bool(xp.any(flat)):  # a neuroid that is constant is so at the first stimulus
        within = rest[:, flat]
        rest[:, flat] = xp.where(xp.max(xp.abs(within), axis=0) <= floor[flat], 0.0, within)
    return rest
