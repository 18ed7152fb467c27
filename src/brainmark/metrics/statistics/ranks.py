"""Ranks of many values: sorted in linear time, midranks, and what correlations of ranks are made of."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

from brainmark.core.libraries import np, scipy
from brainmark.metrics._arrays.backend import as_numpy
from brainmark.metrics._arrays.shapes import Array, Bool, Float, Integer, Real

Given = TypeVar("Given")
Found = TypeVar("Found")

_FEW = 20_000  # values below which counting costs more than sorting
_MANY = 2**30  # beyond which twice a rank outgrows 32 bits
_BLOCK = 2**16  # values at a time: stays in the cache
_DIGIT = 16  # bits of a key that one pass sorts by


def midranks(values: Bool[Array, " value"] | Real[Array, " value"]) -> Float[np.ndarray, " value"]:
    """Return the ranks from 1, ties sharing their mean rank; the same numbers as `scipy.stats.rankdata`. No NaN."""
    return (_doubled_ranks(as_numpy(values)) + (len(values) + 1.0)) / 2


def rank_products(one: Real[np.ndarray, " value"], other: Real[np.ndarray, " value"]) -> tuple[float, float, float]:
    """Return the sums over pairs of values of x y, x x and y y, where x and y are midranks less their mean; no NaN."""
    return _sums_of_products(*_map(_doubled_ranks, (one, other), len(one)))


def _sums_of_products(x: Real[np.ndarray, " value"], y: Real[np.ndarray, " value"]) -> tuple[float, float, float]:
    """Return the sums of x y, x x and y y of doubled ranks, as if they were not doubled."""
    total = np.zeros(3)
    for rows in _blocks(len(x)):
        a, b = x[rows].astype(float), y[rows].astype(float)
        total += a @ b, a @ a, b @ b
    xy, xx, yy = (total / 4).tolist()
    return xy, xx, yy


def rank_products_among(
    one: Real[np.ndarray, " value"],
    other: Real[np.ndarray, " value"],
    parts: Sequence[Callable[[], Bool[np.ndarray, " value"]]],
) -> list[tuple[float, float, float]]:
    """Return `rank_products` of several parts of the pairs of values; each side is sorted only once.

    Parameters
    ----------
    one, other : (n,) without NaN.
    parts : each returns which pairs belong to it, (n,) bool.
    """
    x, y = _map(_Ranking, (one, other), len(one))
    place = np.empty_like(y.order)
    place[y.order] = np.arange(len(place), dtype=place.dtype)
    across = _take(place, x.order)  # where those that x sorts stand in the order of y
    del place

    def products(part: Callable[[], np.ndarray]) -> tuple[float, float, float]:
        chosen = part()
        of_y = y.doubled_ranks(chosen)
        in_x = _take(chosen, x.order)
        there = across[in_x]
        return _sums_of_products(x.doubled_ranks(chosen)[in_x], _take(of_y, there))

    return _map(products, parts, len(one))


class _Ranking:
    """Values in order, from which ranks among any of them follow without sorting again."""

    def __init__(self, values: np.ndarray) -> None:
        self.order, tied = _sort(values)
        self.starts, self.sizes = _runs(tied)
        self.members = _members(self.starts, self.sizes)

    def doubled_ranks(self, chosen: Bool[np.ndarray, " value"]) -> Integer[np.ndarray, " value"]:
        """Return twice the midrank among the chosen values, less twice the mean rank; of all values, in their order."""
        kind = np.int32 if len(chosen) < _MANY else np.int64
        seen = np.cumsum(_take(chosen, self.order), dtype=kind)
        count = int(seen[-1])
        before = np.where(self.starts > 0, seen[self.starts - 1], 0)
        of_ties = before + seen[self.starts + self.sizes - 1] - count
        seen *= 2
        seen -= count + 1
        seen[self.members] = np.repeat(of_ties, self.sizes)
        return seen


def _take(values: np.ndarray, where: np.ndarray) -> np.ndarray:
    """Return ``values[where]``; blocks spare a wide copy of narrow indices."""
    made = np.empty(len(where), values.dtype)
    for rows in _blocks(len(where)):
        np.take(values, where[rows].astype(np.intp), out=made[rows], mode="clip")
    return made


def _doubled_ranks(values: Bool[np.ndarray, " value"] | Real[np.ndarray, " value"]) -> Integer[np.ndarray, " value"]:
    """Return twice the midrank of each value, less twice the mean rank: whole numbers."""
    order, tied = _sort(values)
    count = len(order)
    level = np.arange(1 - count, count + 1, 2, dtype=np.int32 if count < _MANY else np.int64)
    starts, sizes = _runs(tied)
    level[_members(starts, sizes)] = np.repeat(2 * starts + sizes - count, sizes)
    ranks = np.empty_like(level)
    for rows in _blocks(count):
        ranks[order[rows].astype(np.intp)] = level[rows]
    return ranks


def _sort(values: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return the indices that sort the values, and the positions in that order whose value equals the next one."""
    found = _sort_by_counting(values) if _FEW <= len(values) < _MANY else None
    if found is None:
        order = np.argsort(values, kind="stable")
        ordered = values[order]
        found = order, np.flatnonzero(ordered[1:] == ordered[:-1])
    return found


def _sort_by_counting(values: np.ndarray) -> tuple[np.ndarray, np.ndarray] | None:
    """Sort by two counting passes over 32-bit keys, then put right what the keys cannot tell apart.

    None: the values crowd into too few keys.
    """
    keys = _keys(values)
    if keys is None:
        return None
    order = np.arange(len(keys), dtype=np.int32)
    for digit in range(2):
        keys, order = _by_digit(keys, order, digit)
    return _tell_apart(values, keys, order)


def _by_digit(keys: np.ndarray, order: np.ndarray, digit: int) -> tuple[np.ndarray, np.ndarray]:
    """Sort keys and their order by one digit of the keys, stably: one pass of a radix sort.

    The entries of a sparse matrix are brought into rows by a stable counting sort; the digit is the row.
    """
    row = np.right_shift(keys, np.uint32(_DIGIT * digit))
    row &= np.uint32(2**_DIGIT - 1)
    entries = scipy.sparse.coo_array((keys, (row.view(np.int32), order)), shape=(2**_DIGIT, len(keys)), copy=False)
    entries.has_canonical_format = True  # no entry stands twice: rows need no search for duplicates, which sorts them
    rows = entries.tocsr()
    return rows.data, rows.indices


def _keys(values: np.ndarray) -> np.ndarray | None:
    """Return where the values lie between the smallest and the largest, in 2^32 steps; equal keys may hide an order."""
    least, span = float(values.min()), float(values.max()) - float(values.min())
    with np.errstate(divide="ignore", over="ignore"):
        scale = float(np.float64(2**32 - 1) / span)
    if not (np.isfinite(scale) and np.isfinite(span)):
        return None
    keys = np.empty(len(values), np.uint32)
    for rows in _blocks(len(values)):
        block = np.subtract(values[rows], least, dtype=float)
        block *= scale
        keys[rows] = block
    return keys


def _tell_apart(values: np.ndarray, keys: np.ndarray, order: np.ndarray) -> tuple[np.ndarray, np.ndarray] | None:
    """Sort the values whose keys are equal; those that are equal themselves stay in the order in which they stand."""
    alike = np.flatnonzero(keys[1:] == keys[:-1])
    before, after = values[order[alike]], values[order[alike + 1]]
    wrong = alike[after < before]
    if len(wrong):
        starts, sizes = _runs(alike)
        spoilt = np.diff(np.searchsorted(wrong, np.append(starts, len(values)))) > 0
        members = _members(starts[spoilt], sizes[spoilt])
        if len(members) > len(values) // 8:
            return None
        inside = order[members]
        order[members] = inside[np.lexsort((values[inside], keys[members]))]
        before, after = values[order[alike]], values[order[alike + 1]]
    return order, alike[before == after]


def _runs(linked: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return starts and sizes of runs of positions, given each position that belongs with the next, ascending."""
    first = np.flatnonzero(np.diff(linked, prepend=-2) > 1)
    return linked[first], np.diff(first, append=len(linked)) + 1


def _members(starts: np.ndarray, sizes: np.ndarray) -> np.ndarray:
    """Return all positions of the runs."""
    return np.arange(sizes.sum()) + np.repeat(starts - (np.cumsum(sizes) - sizes), sizes)


def _blocks(count: int) -> Iterator[slice]:
    return (slice(start, start + _BLOCK) for start in range(0, count, _BLOCK))


def _map(function: Callable[[Given], Found], given: Iterable[Given], count: int) -> list[Found]:
    """Apply a function that lets go of the interpreter, on two cores where there is enough to do."""
    if count < 5 * _FEW:
        return list(map(function, given))
    with ThreadPoolExecutor(2) as pool:
        return list(pool.map(function, given))
