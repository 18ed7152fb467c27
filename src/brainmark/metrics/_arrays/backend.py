"""Array libraries and memory: the same code runs on NumPy and on torch, on the device where the arrays lie."""

from __future__ import annotations

from types import ModuleType
from typing import Any

from array_api_compat import array_namespace, device, is_torch_array

from brainmark.core.devices import CPU, has_double, in_use, note
from brainmark.core.errors import ResourceError
from brainmark.core.libraries import np, torch
from brainmark.core.memory import available_memory
from brainmark.core.wording import bytes_text
from brainmark.metrics._arrays.shapes import Array, Bool, Float, Integer, Real, Shaped

_BLOCK = 2**24  # numbers of a matrix that are centred together (64 MiB in float32)
_WIDE = 2**13  # features whose float32 products are added up before they are widened
_LEAF = 128  # rows up to which a triangle is inverted as a whole


def namespace(*arrays: Array) -> ModuleType:
    """Return the array API namespace that the arrays share."""
    return array_namespace(*arrays)


def as_float64(x: Bool[Array, "*axes"] | Real[Array, "*axes"]) -> Float[Array, "*axes"]:
    """Return `x` in float64, on its device, without a copy where it already is."""
    xp, x = namespace(x), detach(x)
    return x if x.dtype == xp.float64 else xp.astype(x, xp.float64)


def plain(x: Bool[Array, "*axes"] | Real[Array, "*axes"]) -> Float[Array, "*axes"]:
    """Return `x` as numbers that can be added up, on its device and without its gradient.

    Half precision, in which products overflow, becomes float32; whole numbers and truth values become float64.
    """
    xp, x = namespace(x), detach(x)
    wanted = _working(x)
    return x if x.dtype == wanted else xp.astype(x, wanted)


def _working(x: Shaped[Array, " ..."]) -> Any:
    """Return the type in which products of `x` are taken, see `plain`."""
    xp = namespace(x)
    if x.dtype in (xp.float32, xp.float64):
        return x.dtype
    return xp.float32 if str(x.dtype).endswith("float16") else xp.float64


def detach(x: Shaped[Array, "*axes"]) -> Shaped[Array, "*axes"]:
    """Return `x` without its gradient or its mask, see `unmask`."""
    return x.detach() if is_torch_array(x) else unmask(x)


def unmask(x: Shaped[Array, "*axes"]) -> Shaped[Array, "*axes"]:
    """Return an array of NumPy with NaN in the place of what its mask hides; anything else as it is."""
    if not isinstance(x, np.ma.MaskedArray):
        return x
    if not np.ma.is_masked(x):
        return x.data
    return np.ma.filled(x.astype(x.dtype if x.dtype.kind == "f" else np.float64), np.nan)


def as_numpy(x: Shaped[Array, "*axes"]) -> Shaped[np.ndarray, "*axes"]:
    """Return `x` as a NumPy array; torch's bfloat16, which NumPy lacks, becomes float32."""
    if not is_torch_array(x):
        return np.asarray(unmask(x))
    x = x.detach().cpu()
    return (x.float() if str(x.dtype) == "torch.bfloat16" else x).numpy()


def to_device(x: Shaped[np.ndarray, "*axes"]) -> Shaped[Array, "*axes"]:
    """Return NumPy array `x` on the device in use, as a tensor of torch; on the CPU, as it is.

    A device without double precision computes no metric: there, too, `x` stays as it is, and a note says so.
    """
    device = in_use().device
    if device == CPU:
        return x
    if not has_double(device):
        note(f"the metric was computed on the CPU, since {device} has no double precision")
        return x
    return torch.from_numpy(np.ascontiguousarray(x)).to(device)


def like(x: Shaped[np.ndarray, "*axes"], other: Shaped[Array, " ..."]) -> Shaped[Array, "*axes"]:
    """Return NumPy array `x` in the library and on the device of `other`."""
    if not is_torch_array(other):
        return x

    return torch.from_numpy(np.ascontiguousarray(x)).to(other.device)


def transpose(x: Shaped[Array, "*stack row column"]) -> Shaped[Array, "*stack column row"]:
    """Swap the last two axes."""
    return x.mT if is_torch_array(x) else np.swapaxes(x, -1, -2)


def all_finite(x: Bool[Array, " ..."] | Real[Array, " ..."]) -> bool:
    """Return whether `x` holds neither NaN nor infinity."""
    if isinstance(x, np.ndarray) and np.isfinite(sum_of_squares(x)):
        return True
    xp = namespace(x)
    return bool(xp.all(xp.isfinite(x)))


def sum_of_squares(x: Shaped[np.ndarray, " ..."]) -> float:
    """Return the sum of squares in the precision of `x`, which may overflow.

    It is NaN where that takes more than reading `x` once.
    """
    strides = x.strides
    stored = x.transpose(sorted(range(x.ndim), key=lambda axis: -strides[axis]))
    if x.dtype.kind != "f" or not stored.flags.c_contiguous:
        return float("nan")
    with np.errstate(over="ignore", invalid="ignore"):
        return float(stored.reshape(-1) @ stored.reshape(-1))


def take_rows(
    x: Real[Array, " _ *rest"], rows: Integer[Array, " row"], out: Real[Array, " row *rest"]
) -> Real[Array, " row *rest"]:
    """Return some rows of `x` in an array that is there already."""
    if isinstance(x, np.ndarray):
        return np.take(x, rows, axis=0, out=out, mode="clip")  # other modes make a copy first

    return torch.index_select(x, 0, rows, out=out)


def block_width(n: int) -> int:
    """Return how many columns of a matrix with `n` rows are processed together."""
    return min(_WIDE, max(64, _BLOCK // n))


def gram(x: Bool[Array, "n p"] | Real[Array, "n p"], wide: bool = False) -> Float[Array, "n n"]:
    """Return ``xc @ xc.T`` in float64, where xc is `x` (n, p) with the mean of each column taken off.

    float32 features are multiplied as they are (in float64 if `wide`), block by block, and added up in float64; the
    features are never copied as a whole.
    """
    if is_torch_array(x) and x.device.type == "cpu":
        return like(gram(as_numpy(x), wide), x)  # OpenBLAS has a symmetric product (half the work), torch has none
    xp, n, made = namespace(x), x.shape[0], {"device": device(x)}
    kept = xp.float64 if wide else _working(x)
    width = min(x.shape[1], block_width(n))
    total = xp.zeros((n, n), dtype=xp.float64, **made)
    spare = xp.empty((n, width), dtype=kept, **made)
    product = xp.empty((n, n), dtype=kept, **made)
    for start in range(0, x.shape[1], width):
        part = x[:, start : start + width]
        part = part if part.dtype == kept else xp.astype(part, kept)
        # nearly centred: what rounding leaves of the means goes below
        block = xp.subtract(part, xp.mean(part, axis=0), out=spare[:, : part.shape[1]])
        total += xp.matmul(block, transpose(block), out=product)
    mean = xp.mean(total, axis=0)
    mean -= 0.5 * xp.mean(mean)
    total -= mean
    total -= mean[:, None]
    return total


def inverse_cholesky(a: Float[Array, "n n"]) -> Float[Array, "n n"] | None:
    """Return the inverse of the lower Cholesky factor of `a` (n, n); None where `a` is not positive definite.

    Factor and inverse are made together, by halves: but for small blocks on the diagonal, all work is in products.
    """
    made = namespace(a).zeros(a.shape, dtype=a.dtype, device=device(a))
    try:
        _invert_factor(a, made)
    except np.linalg.LinAlgError:
        return None
    except RuntimeError as error:  # torch's, among which is a lack of memory
        if type(error).__name__ != "_LinAlgError":
            raise
        return None
    return made


def _invert_factor(a: Array, made: Array) -> None:
    """Write the inverse into the lower triangle of `made`."""
    xp, n = namespace(a), a.shape[0]
    if n <= _LEAF:
        made[...] = xp.linalg.inv(xp.linalg.cholesky(a))
        return
    half = n // 2
    upper, lower, between = made[:half, :half], made[half:, half:], made[half:, :half]
    _invert_factor(a[:half, :half], upper)
    below = times_upper(a[half:, :half], upper)  # of the factor itself
    spare = below @ transpose(below)
    _invert_factor(xp.subtract(a[half:, half:], spare, out=spare), lower)
    product = spare[:, :half]
    for start, end in _steps(n - half):
        product[start:end] = lower[start:end, :end] @ below[:end]
    product *= -1
    for start, end in _steps(half):
        between[:, start:end] = product[:, start:] @ upper[start:, start:end]


def times_upper(
    a: Float[Array, "row n"], lower: Float[Array, "n n"], out: Float[Array, "row n"] | None = None
) -> Float[Array, "row n"]:
    """Return ``a @ lower.T`` for a lower triangle, by blocks: half of the products are with zeros.

    It may be written over `a`: the last columns come first, which no others need.
    """
    made = namespace(a).empty_like(a) if out is None else out
    for start, end in reversed(_steps(lower.shape[0])):
        made[:, start:end] = a[:, :end] @ transpose(lower[start:end, :end])
    return made


def _steps(n: int) -> list[tuple[int, int]]:
    step = max(64, -(-n // 4))
    return [(start, min(start + step, n)) for start in range(0, n, step)]


def centre(x: Bool[Array, "n p"] | Real[Array, "n p"]) -> Float[Array, "n p"]:
    """Return `x` (n, p) less the mean of each column, which is taken in float64; a floating dtype stays."""
    xp = namespace(x)
    if not xp.isdtype(x.dtype, "real floating"):
        x = xp.astype(x, xp.float64)
    return x - xp.astype(column_means(x), x.dtype)


def column_means(x: Bool[Array, "n p"] | Real[Array, "n p"]) -> Float[Array, " p"]:
    """Return the mean (p,) of each column of `x` (n, p) in float64."""
    xp = namespace(x)
    return x.mean(0, dtype=xp.float64) if is_torch_array(x) else xp.mean(x, axis=0, dtype=xp.float64)


def check_memory(needed: int, x: Shaped[Array, " ..."], what: str) -> None:
    """Raise `ResourceError` before a computation that would not fit.

    Raises
    ------
    ResourceError : says how much is needed, how much there is, and what helps.
    """
    free = available_memory(device(x))
    if needed > free:
        raise ResourceError(
            f"{what} needs about {bytes_text(needed)} of memory and {bytes_text(free)} are free; "
            "reduce the features first, use fewer presentations, or a larger machine"
        )
