"""One scale for all kernels: powers of two keep products of features within the range of their precision.

Similarity and predictions do not depend on the unit of features and targets, but sums of products of products do: in
single precision they overflow from 1e8 on, and vanish below 1e-15. Every kernel therefore takes its arrays through
`rescale` when they come in, and what has a unit (distances, penalties, predictions) is brought back by `times_power`.
A power of two changes the exponents of numbers alone: what is computed of them stays the same to the last digit.
"""

from __future__ import annotations

from array_api_compat import is_torch_array

from brainmark.core.libraries import np
from brainmark.metrics._arrays.backend import detach, namespace
from brainmark.metrics._arrays.shapes import Array, Float, Integer, Real, Shaped

_LEAST, _MOST = 2.0**-12, 2.0**12  # largest magnitudes between which arrays stay as they are


def rescale(x: Real[Array, "*axes"]) -> tuple[Float[Array, "*axes"], int]:
    """Return ``x / 2**power`` and the power, such that the largest magnitude is between 2**-12 and 2**12.

    Arrays for which it is already are returned as they are, and so are zeros and what holds infinity; NaN of NumPy,
    which was not measured, does not count. Numbers that are far smaller than the largest one may become zero.
    """
    x = detach(x)
    xp = namespace(x)
    if not xp.isdtype(x.dtype, "real floating"):  # integers
        x = xp.astype(x, xp.float64)
    largest = _largest(x)
    if _LEAST <= largest <= _MOST or not 0 < largest < float("inf"):
        return x, 0
    power = int(np.frexp(largest)[1])
    return times_power(x, -power), power


def rescale_rows(x: Float[Array, "row column"]) -> Float[Array, "row column"]:
    """Return `x` with each row divided by a power of two of its own: `rescale` for what is blind to their lengths."""
    xp = namespace(x)
    largest = xp.max(xp.abs(x), axis=1)
    known = (largest > 0) & xp.isfinite(largest)
    if bool(xp.all(~known | ((largest >= _LEAST) & (largest <= _MOST)))):
        return x
    power = xp.frexp(xp.where(known, largest, 1.0))[1]
    half = power // 2  # in two steps: a factor may be beyond the range
    return _times(_times(x, half), power - half)


def _times(x: Float[Array, "row column"], power: Integer[Array, " row"]) -> Float[Array, "row column"]:
    xp = namespace(x)
    return x * xp.astype(xp.exp2(-xp.astype(power, xp.float64)), x.dtype)[:, None]


def times_power(x: Float[Array, "*axes"], power: int) -> Float[Array, "*axes"]:
    """Return ``x * 2**power``."""
    half = power // 2  # in two steps: the factor may be beyond the range
    return x if power == 0 else x * 2.0**half * 2.0 ** (power - half)


def times_power_wide(x: Float[Array, "*axes"], power: int) -> Float[Array, "*axes"]:
    """Return ``x * 2**power``, in float64 unless the power is 0: single precision may not hold it."""
    return x if power == 0 else times_power(namespace(x).astype(x, namespace(x).float64), power)


def _largest(x: Shaped[Array, " ..."]) -> float:
    if 0 in x.shape:
        return 0.0
    if is_torch_array(x):
        low, high = x.aminmax()
        return max(-float(low), float(high))
    largest = max(-float(x.min()), float(x.max()))
    return largest if largest == largest else float(np.fmax.reduce(np.abs(x), axis=None))
