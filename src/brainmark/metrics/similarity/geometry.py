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
from brainmark.metrics._arrays.shapes import Array, Bool, Float, Integer, Real
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


def rbf_cka(
    x: Real[Array, "stimulus neuroid"], y: Real[Array, "stimulus _"], width: float = 1.0, unbiased: bool = True
) -> float:
    """Centred kernel alignment with Gaussian kernels.

    Parameters
    ----------
    x, y, unbiased : as `linear_cka`.
    width : standard deviation of the kernel, in medians of the distances between stimuli on its side.
    """
    x, y = _paired(x, y, 4 if unbiased else 2)
    _check_room(x, 8)
    k, m = gaussian_kernel(x, width), gaussian_kernel(y, width)
    cross, own_x, own_y = (hsic(a, b, unbiased) for a, b in ((k, m), (k, k), (m, m)))
    return _alignment(cross, own_x, own_y, floor=1e-12)  # entries are at most 1: less is rounding


def gaussian_kernel(x: Real[Array, "stimulus neuroid"], width: float = 1.0) -> Float[Array, "stimulus stimulus"]:
    """exp(-d^2 / (2 (width * median d)^2)), (stimulus, stimulus); the median is over different stimuli."""
    _check_room(x, 6)
    squared = rdm_matrix(x, "squared_euclidean")
    xp = array_namespace(squared)
    count = squared.shape[0]
    above = xp.sort(squared[xp.triu(xp.ones_like(squared), k=1) > 0])
    pairs = count * (count - 1) // 2
    median = (above[(pairs - 1) // 2] ** 0.5 + above[pairs // 2] ** 0.5) / 2
    if not float(median) > 0:
        return xp.ones_like(squared)
    return xp.exp(-squared / (2 * (width * median) ** 2))


def hsic(k: Real[Array, "stimulus stimulus"], m: Real[Array, "stimulus stimulus"], unbiased: bool = True) -> float:
    """Hilbert-Schmidt independence criterion of two kernel matrices (stimulus, stimulus)."""
    k, m = plain(k), plain(m)
    xp = array_namespace(k, m)
    count = k.shape[0]
    if not unbiased:
        rows_k, rows_m = xp.mean(k, axis=1), xp.mean(m, axis=1)
        centred = k - rows_k[:, None] - rows_k[None, :] + xp.mean(rows_k)
        return _sum(xp, centred * (m - rows_m[:, None])) / count**2
    hollow = 1 - xp.eye(count, dtype=k.dtype, device=device(k))
    k, m = k * hollow, m * hollow
    rows_k, rows_m = xp.sum(k, axis=1), xp.sum(m, axis=1)
    return _song(count, _sum(xp, k * m), _sum(xp, rows_k * rows_m), _sum(xp, rows_k), _sum(xp, rows_m))


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


def _alignment(cross: float, own_x: float, own_y: float, floor: float = 0.0) -> float:
    if not (own_x > floor and own_y > floor):
        return float("nan")
    return cross / (own_x * own_y) ** 0.5


def procrustes_similarity(
    x: Real[Array, "stimulus neuroid"], y: Real[Array, "stimulus _"], centred: bool = False
) -> float:
    """Cosine of the angle between two shapes, after the best rotation: ||X'Y||_* / (||X||_F ||Y||_F), 0 to 1.

    Columns are centred here unless they already are (`centred`). The nuclear norm is computed in the space of the
    stimuli where neuroids outnumber them.
    """
    x, y = (x, y) if centred else _paired(x, y, 2)
    xp = array_namespace(x, y)
    size = (float(xp.sum(x * x)) * float(xp.sum(y * y))) ** 0.5
    if not size > 0:
        return float("nan")
    x, y = _compact(x), _compact(y)
    return min(float(xp.sum(xp.linalg.svdvals(x.T @ y))) / size, 1.0)


def angular_distance(x: Real[Array, "stimulus neuroid"], y: Real[Array, "stimulus _"]) -> float:
    """Angular Procrustes distance in radians, 0 to pi/2: a metric between shapes (Williams et al. 2021)."""
    from math import acos, nan

    cosine = procrustes_similarity(x, y)
    return acos(cosine) if cosine == cosine else nan


def shape_distance(x: Real[Array, "stimulus neuroid"], y: Real[Array, "stimulus _"], whiten: float = 0.0) -> float:
    """Generalised shape metric (Williams et al. 2021, NeurIPS, eq. 12), in radians.

    Parameters
    ----------
    x, y : (stimulus, neuroid)
    whiten : 0: the angular Procrustes distance, blind to rotations; 1: each side is whitened first, blind to every
        invertible linear map (the canonical-correlation metric; needs many more stimuli than neuroids); between: the
        mixture (1 - whiten) X + whiten X C^(-1/2) with the covariance C.
    """
    if not 0 <= whiten <= 1:
        raise ValueError(f"whiten is between 0 and 1, not {whiten}")
    x, y = _paired(x, y, 2)
    return angular_distance(_whitened(x, whiten), _whitened(y, whiten))


def _whitened(x: Real[Array, "stimulus neuroid"], share: float) -> Float[Array, "stimulus _"]:
    if share == 0:
        return x
    xp = array_namespace(x)
    left, values, _ = xp.linalg.svd(x, full_matrices=False)
    whitened = xp.where(_nonzero(values, x), xp.ones_like(values) * x.shape[0] ** 0.5, xp.zeros_like(values))
    return left * ((1 - share) * values + share * whitened)


def _nonzero(values: Float[Array, " component"], x: Float[Array, "stimulus neuroid"]) -> Bool[Array, " component"]:
    """Which singular values of `x` are more than rounding."""
    xp = array_namespace(values)
    return values > float(xp.max(values)) * max(x.shape) * float(xp.finfo(x.dtype).eps)


def canonical_correlations(
    x: Real[Array, "stimulus neuroid"], y: Real[Array, "stimulus _"], variance: float = 0.99
) -> Float[Array, " component"]:
    """Canonical correlations between the leading principal components of two sets of patterns (SVCCA).

    Parameters
    ----------
    x, y : (stimulus, neuroid)
    variance : share of the variance of each side that its components keep (Raghu et al. 2017).

    Returns
    -------
    (component,), descending; none where a side does not vary. They grow towards 1 with components / stimuli whatever
    the patterns: compare with shuffled stimuli before anything is concluded.
    """
    x, y = _paired(x, y, 3)
    xp = array_namespace(x, y)
    sides: list[Any] = []
    for side in (x, y):
        left, values, _ = xp.linalg.svd(side, full_matrices=False)
        rank = int(xp.sum(xp.astype(_nonzero(values, side), xp.int64)))  # directions beyond it are arbitrary
        squares = xp.cumulative_sum(values**2)
        wanted = int(xp.sum(xp.astype(squares < variance * squares[-1], xp.int64))) + 1
        sides.append(left[:, : min(wanted, rank)])
    return xp.clip(xp.linalg.svdvals(sides[0].T @ sides[1]), min=0, max=1)


def participation_ratio(x: Real[Array, "stimulus neuroid"]) -> float:
    """Effective dimensionality (sum of eigenvalues)^2 / sum of squared eigenvalues of the covariance.

    Between 1 and min(stimuli - 1, neuroids); it grows with the number of stimuli, so compare equal numbers only.
    """
    x, _ = _paired(x, x, 2)
    xp = array_namespace(x)
    gram = x.T @ x if x.shape[1] <= x.shape[0] else x @ x.T
    squares = float(xp.sum(gram * gram))
    return float(xp.sum(x * x)) ** 2 / squares if squares > 0 else float("nan")


def mutual_neighbors(x: Real[Array, "stimulus neuroid"], y: Real[Array, "stimulus _"], neighbors: int = 10) -> float:
    """Mean share of a stimulus' nearest neighbours that both sets of patterns have in common (Huh et al. 2024).

    Nearness is Euclidean; chance is ``neighbors / (stimuli - 1)``.
    """
    x, y = _paired(x, y, 3)
    xp = array_namespace(x, y)
    count = x.shape[0]
    if not 0 < neighbors < count:
        raise ValueError(f"neighbors must be between 1 and {count - 1}, not {neighbors}")
    _check_room(x, 6)
    near: list[Any] = []
    for side in (x, y):
        closeness = side @ side.T - xp.sum(side * side, axis=1)[None, :] / 2
        closeness = xp.where(xp.eye(count, device=device(side)) > 0, -xp.inf, closeness)
        order = xp.argsort(xp.argsort(closeness, axis=1, descending=True, stable=True), axis=1)
        near.append(xp.astype(order < neighbors, xp.float64))
    return float(xp.sum(near[0] * near[1])) / (count * neighbors)


def _compact(x: Float[Array, "stimulus _"]) -> Float[Array, "stimulus _"]:
    """Return rotated patterns with at most as many columns as stimuli and the same Gram matrix."""
    if x.shape[1] <= x.shape[0]:
        return x
    xp = array_namespace(x)
    values, vectors = xp.linalg.eigh(x @ x.T)
    return vectors * xp.sqrt(xp.clip(values, min=0))


def _check_room(x: Real[Array, "stimulus neuroid"], matrices: int) -> None:
    """Refuse before it is begun what would not fit: so many matrices of all pairs of stimuli."""
    count = int(x.shape[0])
    check_memory(8 * matrices * count**2, x, f"a comparison of {count} stimuli")


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
