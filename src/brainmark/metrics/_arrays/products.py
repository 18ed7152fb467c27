"""Products of patterns with each other, in blocks that bound memory and rounding; NumPy or torch."""

from __future__ import annotations

from typing import Any

from array_api_compat import array_namespace, device

from brainmark.metrics._arrays.shapes import Array, Float

_FEATURES = 4096  # at a time: bounds the centred copy to (stimuli x 4096); more or fewer take longer
_STIMULI = 4096  # at a time: products of single precision are summed in double precision

_CACHED = 2**16  # numbers that stay in the cache


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
    """Return the sum of squares in double precision, without a copy of the whole in that precision."""
    xp = array_namespace(matrix)
    total, step = 0.0, max(1, _CACHED // max(1, matrix.shape[1]))
    for start in range(0, matrix.shape[0], step):
        part = xp.reshape(xp.astype(matrix[start : start + step], xp.float64, copy=False), (-1,))
        total += float(part @ part)
    return total
