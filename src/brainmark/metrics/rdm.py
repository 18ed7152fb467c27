"""Representational dissimilarity matrices (RDMs): how they are computed and how two of them are compared.

A condition is one presentation. An RDM is a symmetric matrix (condition, condition) with zeros on its diagonal;
its vector form holds the entries above the diagonal row by row, as `scipy.spatial.distance.squareform` orders them.
Features may be NumPy arrays or torch tensors: the matrix is computed where they are.
"""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any, Literal, get_args

import numpy as np
from array_api_compat import array_namespace

Distance = Literal["correlation", "euclidean", "squared_euclidean", "cosine"]

_BLOCK = 8192  # features at a time: bounds the centred copy to (conditions x 8192)


def rdm_matrix(features: Any, distance: Distance = "correlation") -> Any:
    """Dissimilarity of every pair of conditions, from one product of the features with themselves.

    Parameters
    ----------
    features : (condition, neuroid), floats; float32 stays float32.
    distance : ``correlation`` (1 - Pearson r between patterns), ``cosine`` (1 - cosine), ``euclidean``,
        ``squared_euclidean``.

    Returns
    -------
    (condition, condition), zero on the diagonal. NaN in rows and columns of a condition whose pattern has no
    variance (correlation) or no length (cosine): its dissimilarity is undefined.
    """
    if distance not in get_args(Distance):
        raise ValueError(f"unknown distance {distance!r}: use one of {', '.join(get_args(Distance))}")
    if features.ndim != 2:
        raise ValueError(f"features have {features.ndim} dimensions; expected (condition, neuroid)")
    if features.shape[1] == 0:
        raise ValueError("features have no neuroids")
    xp = array_namespace(features)
    if distance in ("correlation", "cosine"):
        angles = _cosines(xp, features, centred=distance == "correlation")
        return _hollow(xp, 1 - angles)
    # Subtracting the mean pattern changes no distance and keeps the cancellation below small.
    gram = _gram(xp, features, xp.mean(features, axis=0, keepdims=True))
    square = xp.linalg.diagonal(gram)
    squared = xp.clip(square[:, None] + square[None, :] - 2 * gram, min=0)
    return _hollow(xp, squared if distance == "squared_euclidean" else xp.sqrt(squared))


def _cosines(xp: Any, features: Any, centred: bool) -> Any:
    """Cosine between every two patterns; NaN where a pattern has no length."""
    offset = xp.mean(features, axis=1, keepdims=True) if centred else None
    gram = _gram(xp, features, offset)
    square = xp.linalg.diagonal(gram)
    # Rounding leaves a constant pattern with a residue of the order of eps times its own length.
    floor = 0.0
    if offset is not None:
        floor = features.shape[1] * (xp.abs(offset[:, 0]) * 4 * float(xp.finfo(features.dtype).eps)) ** 2
    square = xp.where(square > floor, square, xp.nan)
    norm = xp.sqrt(square)
    return xp.clip(gram / (norm[:, None] * norm[None, :]), min=-1, max=1)


def _gram(xp: Any, features: Any, offset: Any | None) -> Any:
    """Return ``(features - offset) (features - offset)'``, accumulated over blocks of features."""
    total: Any = 0
    for start in range(0, features.shape[1], _BLOCK):
        block = features[:, start : start + _BLOCK]
        if offset is not None:
            block = block - (offset if offset.shape[1] == 1 else offset[:, start : start + _BLOCK])
        total = total + block @ block.T
    return total


def _hollow(xp: Any, matrix: Any) -> Any:
    """Set the diagonal to exactly zero, keeping NaN rows NaN off the diagonal."""
    index = xp.arange(matrix.shape[0], device=matrix.device)
    return xp.where(index[:, None] == index[None, :], xp.zeros_like(matrix), matrix)


def upper(matrix: np.ndarray) -> np.ndarray:
    """Return the entries above the diagonal, (..., pairs) from (..., condition, condition)."""
    rows, columns = np.triu_indices(matrix.shape[-1], 1)
    return matrix[..., rows, columns]


def square(vector: np.ndarray) -> np.ndarray:
    """Return the symmetric matrix with zero diagonal whose upper triangle is `vector` (pairs,)."""
    size = round((1 + np.sqrt(1 + 8 * len(vector))) / 2)
    if size * (size - 1) // 2 != len(vector):
        raise ValueError(f"{len(vector)} pairs are not the pairs of any number of conditions")
    matrix = np.zeros((size, size))
    matrix[np.triu_indices(size, 1)] = vector
    return matrix + matrix.T


Compare = Literal["pearson", "spearman", "rho-a", "tau-a", "cosine", "whitened-pearson", "whitened-cosine"]


def compare_rdms(one: np.ndarray, other: np.ndarray, compare: Compare = "spearman") -> float:
    """Similarity of two RDMs in vector form; pairs that are NaN in either are left out.

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
    one, other = np.asarray(one, float), np.asarray(other, float)
    if one.shape != other.shape or one.ndim != 1:
        raise ValueError(f"RDM vectors have shapes {one.shape} and {other.shape}; expected (pairs,) twice")
    known = np.isfinite(one) & np.isfinite(other)
    if known.sum() < 3:
        return np.nan
    if compare in ("whitened-pearson", "whitened-cosine"):
        from brainmark.metrics.rdm_whitened import whitened_rdms

        first, second = square(one), square(other)
        return float(whitened_rdms(first, second[None], np.ones((1, len(first))), compare == "whitened-pearson")[0, 0])
    return COMPARISONS[compare](one[known], other[known])


def pearson(one: np.ndarray, other: np.ndarray) -> float:
    """Pearson correlation of two vectors; NaN if one is constant."""
    if np.ptp(one) == 0 or np.ptp(other) == 0:  # exact: rounding of the mean must not pass for variance
        return np.nan
    return _cosine(one - one.mean(), other - other.mean())


def _cosine(one: np.ndarray, other: np.ndarray) -> float:
    length = np.sqrt((one @ one) * (other @ other))
    return float(np.clip(one @ other / length, -1, 1)) if length > 0 else np.nan


def _spearman(one: np.ndarray, other: np.ndarray) -> float:
    return _cosine(*_centred_ranks(one, other))


def _centred_ranks(one: np.ndarray, other: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Midranks less their mean; sorting lets go of the interpreter, so that two cores can share large vectors."""
    if len(one) < 100_000:
        ranks = midranks(one), midranks(other)
    else:
        with ThreadPoolExecutor(2) as pool:
            first, second = pool.map(midranks, (one, other))
        ranks = first, second
    for side in ranks:
        side -= (len(one) + 1) / 2
    return ranks


def _rho_a(one: np.ndarray, other: np.ndarray) -> float:
    count = one.size
    a, b = _centred_ranks(one, other)
    return float(12 * (a @ b) / (count**3 - count))


def _tau_a(one: np.ndarray, other: np.ndarray) -> float:
    """Kendall's tau-a from tau-b, whose numerator it shares."""
    from scipy.stats import kendalltau

    if np.ptp(one) == 0 or np.ptp(other) == 0:
        return 0.0
    pairs = one.size * (one.size - 1) / 2
    untied = [pairs - sum(t * (t - 1) / 2 for t in np.unique(v, return_counts=True)[1]) for v in (one, other)]
    tau_b = float(np.asarray(kendalltau(one, other))[0])
    return float(tau_b * np.sqrt(untied[0] * untied[1]) / pairs)


def midranks(values: np.ndarray) -> np.ndarray:
    """Ranks from 1, ties sharing their mean rank; the same numbers as `scipy.stats.rankdata`. No NaN."""
    values = np.asarray(values, float)
    order = sorting_order(values)
    ordered = values[order]
    new = ordered[1:] != ordered[:-1]
    ranks = np.empty(len(values))
    if new.all():
        ranks[order] = np.arange(1.0, len(values) + 1)
        return ranks
    starts = np.concatenate([[0], np.flatnonzero(new) + 1, [len(values)]])
    ranks[order] = np.repeat((starts[:-1] + starts[1:] + 1) / 2, np.diff(starts))
    return ranks


def sorting_order(values: np.ndarray) -> np.ndarray:
    """Indices that sort float64 values, as `numpy.argsort`, in less than half the time for many values.

    Value (rounded to float32, as an integer of the same order) and index are packed into one 64-bit number, because
    numbers sort faster than indices; what the rounding made equal is sorted once more.
    """
    count = len(values)
    if count < 10_000 or count >= 2**32:
        return np.argsort(values, kind="stable")
    with np.errstate(over="ignore"):
        bits = (values.astype(np.float32) + np.float32(0)).view(np.int32)  # + 0: one zero, not two
    key = np.where(bits < 0, ~bits, bits | np.int32(-(2**31))).view(np.uint32)
    packed = np.left_shift(key, 32, dtype=np.uint64)
    packed |= np.arange(count, dtype=np.uint64)
    packed.sort()
    order = (packed & np.uint64(0xFFFFFFFF)).astype(np.int64)
    packed >>= np.uint64(32)
    same = packed[1:] == packed[:-1]
    alike = np.flatnonzero(np.append(same, False) | np.append(False, same))
    if len(alike):
        inside = order[alike]
        order[alike] = inside[np.lexsort((values[inside], packed[alike]))]
    return order


COMPARISONS: dict[str, Callable[[np.ndarray, np.ndarray], float]] = {
    "pearson": pearson,
    "spearman": _spearman,
    "rho-a": _rho_a,
    "tau-a": _tau_a,
    "cosine": _cosine,
}
