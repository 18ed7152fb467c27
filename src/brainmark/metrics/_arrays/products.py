"""Products of patterns with each other, in blocks that bound memory and rounding; NumPy or torch."""

from __future__ import annotations

from functools import cached_property
from typing import Any

from array_api_compat import array_namespace, device

from brainmark.core.libraries import np
from brainmark.metrics._arrays.shapes import Array, Float, Integer

_FEATURES = 4096  # at a time: bounds the centred copy to (stimuli x 4096); more or fewer take longer
_STIMULI = 4096  # at a time: products of single precision are summed in double precision

_CACHED = 2**16  # numbers that stay in the cache

_EVEN = 20  # stimuli of equal length that weigh as much as theirs: below, single precision is not enough


def gram(
    features: Float[Array, "stimulus feature"], offset: Float[Array, "_ _"] | None = None
) -> Float[Array, "stimulus stimulus"]:
    """Return ``(features - offset) (features - offset)'`` of features (stimulus, feature), symmetric.

    Parameters
    ----------
    features : (stimulus, feature), floats; the result has their precision.
    offset : (stimulus, 1) or (1, feature).
    """
    xp = array_namespace(features)
    count, width = features.shape
    spare = None if offset is None else _empty(xp, features, (count, min(width, _FEATURES)))
    total = product = None
    for start in range(0, width, _FEATURES):
        block = features[:, start : start + _FEATURES]
        if offset is not None and spare is not None:
            part = offset if offset.shape[1] == 1 else offset[:, start : start + _FEATURES]
            block = xp.subtract(block, part, out=spare[:, : block.shape[1]])
        if total is None:
            total = block @ block.T
        else:
            product = xp.matmul(block, block.T, out=_empty(xp, total, total.shape) if product is None else product)
            total += product
    return total


def _empty(xp: Any, like: Any, shape: tuple[int, ...]) -> Any:
    return xp.empty(shape, dtype=like.dtype, device=device(like))


def cross(
    one: Float[Array, "stimulus feature"], other: Float[Array, "stimulus other"]
) -> Float[Array, "feature other"]:
    """Return ``one' other`` (feature, feature) of patterns (stimulus, feature).

    In double precision, or in theirs where they are few: no more than are multiplied together.
    """
    xp = array_namespace(one, other)
    if one.shape[1] > other.shape[1]:
        return cross(other, one).T  # products of the smaller side with the larger one take less time
    if one.dtype == xp.float64 or one.shape[0] <= _STIMULI:
        return one.T @ other
    total = None
    for start in range(0, one.shape[0], _STIMULI):
        block = one[start : start + _STIMULI]
        product = block.T @ (block if other is one else other[start : start + _STIMULI])
        total = xp.astype(product, xp.float64) if total is None else xp.add(total, product, out=total)
    return total


def sum_of_squares(matrix: Float[Array, "row column"]) -> float:
    """Sum of squares in double precision, without a copy of the whole in that precision."""
    xp = array_namespace(matrix)
    total, step = 0.0, max(1, _CACHED // max(1, matrix.shape[1]))
    for start in range(0, matrix.shape[0], step):
        part = xp.reshape(xp.astype(matrix[start : start + step], xp.float64, copy=False), (-1,))
        total += float(part @ part)
    return total


class Patterns:
    """Centred patterns (stimulus, neuroid), with what subsets of their stimuli need again and again."""

    def __init__(self, values: Float[Array, "stimulus neuroid"]) -> None:
        self.values = values
        self.xp = array_namespace(values)
        self.lengths = self.xp.astype(self.xp.vecdot(values, values), self.xp.float64)

    @property
    def uneven(self) -> bool:
        """Whether a few stimuli outweigh the others, so that sums without these few are small differences."""
        return float(self.xp.sum(self.lengths)) ** 2 < _EVEN * float(self.lengths @ self.lengths)

    def widened(self) -> Patterns:
        """Return the same in double precision."""
        return Patterns(self.xp.astype(self.values, self.xp.float64))

    @cached_property
    def kernel(self) -> Float[Array, "stimulus stimulus"]:
        """Products of every two stimuli, (stimulus, stimulus)."""
        return gram(self.values)


class Subset:
    """Some stimuli of patterns, about their own mean; None: all.

    Attributes
    ----------
    rows, left : stimuli that belong to it, and the others.
    mean : (neuroid,) float64.
    lengths : (row,) squared distances from the mean, float64.
    """

    def __init__(self, whole: Patterns, rows: Integer[np.ndarray, " row"] | None) -> None:
        xp, self.whole, self.rows = whole.xp, whole, rows
        if rows is None:
            self.lengths = whole.lengths
            return
        self.left = complement(rows, len(whole.lengths))
        few, sign = (self.left, -1) if self.few else (rows, 1)  # all together have the mean zero
        self.mean = sign * xp.sum(whole.values[few], axis=0, dtype=xp.float64) / len(rows)
        shadow = self._shadow(whole.values)[rows]
        self.lengths = whole.lengths[rows] - 2 * shadow + xp.vecdot(self.mean, self.mean)

    @property
    def few(self) -> bool:
        """Whether fewer are left out than belong to it."""
        return self.rows is not None and len(self.left) < len(self.rows)

    @cached_property
    def others(self) -> Float[Array, "other neuroid"]:
        """Patterns of those left out, about the mean of all."""
        return self.whole.values[self.left]

    @cached_property
    def kernel_of_others(self) -> Float[Array, "other other"]:
        """Products of every two of those left out."""
        return gram(self.others)

    @cached_property
    def shadow_of_others(self) -> Float[Array, " other"]:
        """Products of those left out with the mean, float64."""
        return self._shadow(self.others)

    @property
    def narrow_mean(self) -> Float[Array, " neuroid"]:
        """The mean in the precision of the patterns."""
        return self.whole.xp.astype(self.mean, self.whole.values.dtype)

    def centred(self) -> Float[Array, "row neuroid"]:
        """Patterns about their mean."""
        return self.whole.values[self.rows] - self.narrow_mean

    def _shadow(self, values: Any) -> Any:
        return self.whole.xp.astype(values @ self.narrow_mean, self.whole.xp.float64)


def complement(rows: Integer[np.ndarray, " row"], count: int) -> Integer[np.ndarray, " rest"]:
    """Return the other ones of `count` rows."""
    rest = np.ones(count, bool)
    rest[rows] = False
    return np.flatnonzero(rest)
