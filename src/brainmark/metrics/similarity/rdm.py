"""Representational dissimilarity matrices (RDMs): how they are computed and how two of them are compared.

A condition is one presentation. An RDM is a symmetric matrix (condition, condition) with zeros on its diagonal;
its vector form holds the entries above the diagonal row by row, as `scipy.spatial.distance.squareform` orders them.
Features may be NumPy arrays or torch tensors: the matrix is computed where they are.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from functools import partial
from typing import Any, Literal, get_args

from array_api_compat import array_namespace, device

from brainmark.core.libraries import np, scipy
from brainmark.metrics._arrays.backend import as_numpy, check_memory, plain
from brainmark.metrics._arrays.products import gram
from brainmark.metrics._arrays.scale import rescale, rescale_rows, times_power_wide
from brainmark.metrics._arrays.shapes import Array, Float, Integer, Real, Shaped
from brainmark.metrics.similarity.rdm_whitened import whiten_rdms
from brainmark.metrics.statistics.ranks import rank_products, rank_products_among

Distance = Literal["correlation", "euclidean", "squared_euclidean", "cosine"]

_ALIKE = 1e-2  # dissimilarities that are all below hold too few digits in single precision
_SHOWS = 1e-9  # share of a pattern's square above which the rounding of its mean is taken off
_CACHED = 2**16  # numbers of which several arrays stay in the cache


def rdm_matrix(
    features: Real[Array, "condition neuroid"], distance: Distance = "correlation"
) -> Float[Array, "condition condition"]:
    """Return the dissimilarity of every pair of conditions, from one product of the features with themselves.

    Parameters
    ----------
    features : (condition, neuroid); float32 stays float32, whole numbers become float64.
    distance : ``correlation`` (1 - Pearson r between patterns), ``cosine`` (1 - cosine), ``euclidean``,
        ``squared_euclidean``.

    Returns
    -------
    (condition, condition), zero on the diagonal. NaN in rows and columns of a condition whose pattern has no
    variance (correlation) or no length (cosine): its dissimilarity is undefined.

    Raises
    ------
    ResourceError : the matrix would not fit into memory.
    ValueError : an unknown distance, other dimensions, no condition, no neuroid.
    """
    if distance not in get_args(Distance):
        raise ValueError(f"unknown distance {distance!r}: use one of {', '.join(get_args(Distance))}")
    if features.ndim != 2:
        raise ValueError(f"features have {features.ndim} dimensions; expected (condition, neuroid)")
    if 0 in features.shape:
        raise ValueError(f"features have no {'neuroids' if features.shape[0] else 'conditions'}")
    features = plain(features)
    xp = array_namespace(features)
    if distance in ("correlation", "cosine"):
        matrix = pattern_cosines(features, centred=distance == "correlation")
        for rows in _rows(matrix):
            matrix[rows] = xp.clip(1 - matrix[rows], min=0, max=2)
        matrix = xp.astype(matrix, features.dtype, copy=False)
    else:
        matrix = _squared_distances(xp, features, root=distance == "euclidean")
    index = xp.arange(matrix.shape[0], device=device(matrix))
    matrix[index, index] = 0
    return matrix


def _check_room(features: Any) -> None:
    """Refuse before it is begun what would not fit: a matrix of all pairs, and its upper half as numbers to compare."""
    count = int(features.shape[0])
    size = 4 if str(features.dtype).endswith("float32") else 8
    check_memory(count * count * size * 3 // 2, features, f"an RDM of {count} conditions")


def pattern_cosines(features: Real[Array, "condition neuroid"], centred: bool) -> Float[Array, "condition condition"]:
    """Return the cosine (condition, condition) between every two patterns, or their correlation if `centred`.

    Ranks are better taken of these than of dissimilarities, which lose digits where they are close to 1. NaN where a
    pattern has no length (no variance, if `centred`). Rounding may exceed 1. Raises `ResourceError` where the matrix
    would not fit into memory.
    """
    features = rescale_rows(plain(features))
    xp = array_namespace(features)
    _check_room(features)
    offset, left, width = None, None, features.shape[1]
    if centred:
        mean = xp.sum(features, axis=1, keepdims=True, dtype=xp.float64) / width
        offset = xp.astype(mean, features.dtype)
        left = xp.astype(mean - xp.astype(offset, xp.float64), features.dtype)  # what rounding leaves of the means
    products = gram(features, offset)
    square = xp.linalg.diagonal(products) + 0
    if left is not None and bool(xp.any(width * left[:, 0] ** 2 > _SHOWS * square)):
        products -= width * left * left.T
        square = xp.linalg.diagonal(products) + 0
    # Values of a pattern that differ by no more than their rounding are the same.
    floor = 0.0
    if offset is not None:
        floor = width * (xp.abs(offset[:, 0]) * float(xp.finfo(features.dtype).eps)) ** 2
    scale = 1 / xp.sqrt(xp.where(square > floor, square, xp.nan))
    least = 1.0
    for rows in _rows(products):
        part = products[rows]
        part *= scale[rows, None]
        part *= scale[None, :]
        least = min(least, _least_known(part))
    if least > 1 - _ALIKE and features.dtype == xp.float32:  # what tells the patterns apart is then rounding
        return pattern_cosines(xp.astype(features, xp.float64), centred)
    return products


def _least_known(matrix: Float[Array, "row column"]) -> float:
    """Return the least entry that is not NaN; 1 if there is none."""
    xp = array_namespace(matrix)
    least = float(xp.min(matrix))
    return least if least == least else float(xp.min(xp.where(xp.isnan(matrix), 1.0, matrix)))


def _squared_distances(xp: Any, features: Any, root: bool) -> Any:
    """Return the squared Euclidean distance of every two patterns, or its root."""
    _check_room(features)
    features, power = rescale(features)
    # Subtracting the mean pattern, or almost that, changes no distance and keeps the cancellation below small.
    equal = xp.full(features.shape[0], 1 / features.shape[0], dtype=features.dtype, device=device(features))
    products = gram(features, (equal @ features)[None, :])
    square = xp.linalg.diagonal(products) + 0  # a copy: the rows below are overwritten
    for rows in _rows(products):
        squared = xp.clip(square[rows, None] + square[None, :] - 2 * products[rows], min=0)
        products[rows] = xp.sqrt(squared) if root else squared
    return times_power_wide(products, power if root else 2 * power)


def _rows(matrix: Any) -> Iterator[slice]:
    """Yield rows of a matrix, as many at a time as stay in the cache."""
    step = max(1, _CACHED // matrix.shape[1])
    return (slice(start, start + step) for start in range(0, matrix.shape[0], step))


def upper(
    matrix: Shaped[Array, "*rdm condition condition"], conditions: Integer[np.ndarray, " some"] | None = None
) -> Shaped[np.ndarray, "*rdm pair"]:
    """Return the entries above the diagonal, (..., pairs) from (..., condition, condition).

    Parameters
    ----------
    matrix : symmetric; of torch too.
    conditions : ascending; the pairs among these only. None: all.
    """
    matrix = as_numpy(matrix)
    kept = np.arange(matrix.shape[-1]) if conditions is None else np.asarray(conditions)
    vector = np.empty((*matrix.shape[:-2], len(kept) * (len(kept) - 1) // 2), matrix.dtype)
    start = 0
    for k, row in enumerate(kept[:-1]):
        stop = start + len(kept) - 1 - k
        after = slice(row + 1, None) if conditions is None else kept[k + 1 :]
        vector[..., start:stop] = matrix[..., row, after]
        start = stop
    return vector


def square(vector: Real[np.ndarray, " pair"]) -> Float[np.ndarray, "condition condition"]:
    """Return the symmetric matrix with zero diagonal whose upper triangle is `vector` (pairs,)."""
    size = round((1 + np.sqrt(1 + 8 * len(vector))) / 2)
    if size * (size - 1) // 2 != len(vector):
        raise ValueError(f"{len(vector)} pairs are not the number of pairs of any number of conditions")
    matrix = np.zeros((size, size))
    matrix[np.triu_indices(size, 1)] = vector
    return matrix + matrix.T


Compare = Literal["pearson", "spearman", "rho-a", "tau-a", "cosine", "whitened-pearson", "whitened-cosine"]


def compare_rdms(one: Real[Array, " pair"], other: Real[Array, " pair"], compare: Compare = "spearman") -> float:
    """Return the similarity of two RDMs in vector form; pairs that are NaN in either are left out.

    Parameters
    ----------
    one, other : (pairs,)
    compare : ``pearson``, ``spearman`` (midranks), ``cosine``; ``rho-a`` is the expected Spearman correlation when
        ties are broken at random (Schütt et al. 2023, eLife, eq. 18), ``tau-a`` Kendall's tau whose ties count 0
        (Nili et al. 2014): both judge models that predict ties fairly; ``whitened-pearson`` and ``whitened-cosine``
        take into account that distances of one condition err together (Diedrichsen et al. 2021).

    Returns
    -------
    NaN if fewer than three pairs are left or one side has no variance (no length, for ``cosine``).
    """
    if compare not in get_args(Compare):
        raise ValueError(f"unknown comparison {compare!r}: use one of {', '.join(get_args(Compare))}")
    one, other = as_numpy(one), as_numpy(other)
    if one.shape != other.shape or one.ndim != 1:
        raise ValueError(f"RDM vectors have shapes {one.shape} and {other.shape}; expected (pairs,) twice")
    if compare not in ("spearman", "rho-a"):  # ranks of single precision are those of double precision
        one, other = one.astype(float, copy=False), other.astype(float, copy=False)
    known = np.isfinite(one) & np.isfinite(other)
    if known.sum() < 3:
        return np.nan
    if compare in ("whitened-pearson", "whitened-cosine"):
        first, second = square(one), square(other)
        return float(whiten_rdms(first, second[None], np.ones((1, len(first))), compare == "whitened-pearson")[0, 0])
    if not known.all():
        one, other = one[known], other[known]
    return COMPARISONS[compare](one, other)


def pearson(one: Real[np.ndarray, " value"], other: Real[np.ndarray, " value"]) -> float:
    """Return the Pearson correlation of two vectors; NaN if one is constant."""
    if np.ptp(one) == 0 or np.ptp(other) == 0:  # exact: rounding of the mean must not pass for variance
        return np.nan
    return _cosine(one - one.mean(), other - other.mean())


def _cosine(one: np.ndarray, other: np.ndarray) -> float:
    length = np.sqrt(one @ one) * np.sqrt(other @ other)  # the product of both squares may be beyond double precision
    return float(np.clip(one @ other / length, -1, 1)) if length > 0 else np.nan


def _spearman(one: np.ndarray, other: np.ndarray) -> float:
    return _of_products(*rank_products(one, other))


def _of_products(xy: float, xx: float, yy: float) -> float:
    return min(1.0, max(-1.0, xy / np.sqrt(xx * yy))) if xx > 0 and yy > 0 else np.nan


def spearman_among(
    one: Real[np.ndarray, "condition condition"],
    other: Real[np.ndarray, "condition condition"],
    subsets: Sequence[Integer[np.ndarray, " _"]],
) -> list[float]:
    """Return Spearman correlations of two RDMs (condition, condition) among at least three conditions of each subset.

    Each RDM is sorted once; no NaN.
    """

    def pairs(rows: np.ndarray) -> np.ndarray:
        kept = np.zeros(len(one), bool)
        kept[rows] = True
        return upper(kept & kept[:, None])

    found = rank_products_among(upper(one), upper(other), [partial(pairs, rows) for rows in subsets])
    return [_of_products(*products) for products in found]


def _rho_a(one: np.ndarray, other: np.ndarray) -> float:
    return 12 * rank_products(one, other)[0] / (one.size**3 - one.size)


def _tau_a(one: np.ndarray, other: np.ndarray) -> float:
    """Return Kendall's tau-a from tau-b, whose numerator it shares."""
    if np.ptp(one) == 0 or np.ptp(other) == 0:
        return 0.0
    pairs = one.size * (one.size - 1) / 2
    untied = [pairs - sum(t * (t - 1) / 2 for t in np.unique(v, return_counts=True)[1]) for v in (one, other)]
    tau_b = float(np.asarray(scipy.stats.kendalltau(one, other))[0])
    return float(tau_b * np.sqrt(untied[0] * untied[1]) / pairs)


COMPARISONS: dict[str, Callable[[np.ndarray, np.ndarray], float]] = {
    "pearson": pearson,
    "spearman": _spearman,
    "rho-a": _rho_a,
    "tau-a": _tau_a,
    "cosine": _cosine,
}
