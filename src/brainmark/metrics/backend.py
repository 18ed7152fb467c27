"""Array libraries and memory: the same code runs on NumPy and on torch, on the device where the arrays lie."""

from __future__ import annotations

import os
from typing import Any

import numpy as np
from array_api_compat import array_namespace, is_torch_array, size

from brainmark.core.errors import ResourceError

Array = Any
"""A NumPy array or a torch tensor."""

BLOCK = 2048  # features that are widened to float64 together


def namespace(*arrays: Array) -> Any:
    """Return the array API namespace that the arrays share."""
    return array_namespace(*arrays)


def as_float64(x: Array) -> Array:
    """Return `x` in float64, on its device, without a copy where it already is."""
    xp = namespace(x)
    return x if x.dtype == xp.float64 else xp.astype(x, xp.float64)


def as_numpy(x: Array) -> np.ndarray:
    """Return `x` as a NumPy array."""
    return x.detach().cpu().numpy() if is_torch_array(x) else np.asarray(x)


def like(x: np.ndarray, other: Array) -> Array:
    """Return NumPy array `x` in the library and on the device of `other`."""
    if not is_torch_array(other):
        return x
    import torch

    return torch.from_numpy(np.ascontiguousarray(x)).to(other.device)


def transpose(x: Array) -> Array:
    """Swap the last two axes."""
    return x.mT if is_torch_array(x) else np.swapaxes(x, -1, -2)


def gram(x: Array) -> Array:
    """Return ``xc @ xc.T`` in float64, where xc is `x` (n, p) with the mean of each column taken off.

    float32 features are multiplied as they are, block by block, and added up in float64; the features are
    never copied as a whole.
    """
    if is_torch_array(x) and x.device.type == "cpu":
        return like(gram(as_numpy(x)), x)  # OpenBLAS has a symmetric product (half the work), torch has none
    xp = namespace(x)
    total = xp.zeros((x.shape[0], x.shape[0]), dtype=xp.float64, device=x.device)
    for start in range(0, x.shape[1], BLOCK):
        block = centred(x[:, start : start + BLOCK])
        total += block @ transpose(block)
    return total


def centred(x: Array) -> Array:
    """Return `x` (n, p) less the mean of each column, which is taken in float64; a floating dtype stays."""
    xp = namespace(x)
    if not xp.isdtype(x.dtype, "real floating"):
        x = xp.astype(x, xp.float64)
    mean = xp.mean(x, axis=0, dtype=xp.float64) if not is_torch_array(x) else x.mean(0, dtype=xp.float64)
    return x - xp.astype(mean, x.dtype)


def available_memory(x: Array) -> int:
    """Bytes that a computation next to `x` may still take: free memory of its device, or of this machine."""
    if is_torch_array(x) and x.device.type == "cuda":
        import torch

        return int(torch.cuda.mem_get_info(x.device)[0])
    free = _meminfo()
    limit = os.environ.get("BRAINMARK_MEMORY")
    return min(free, int(limit)) if limit else free


def check_memory(needed: int, x: Array, what: str) -> None:
    """Raise `ResourceError` before a computation that would not fit.

    Raises
    ------
    ResourceError : says how much is needed, how much there is, and what helps.
    """
    free = available_memory(x)
    if needed > free:
        raise ResourceError(
            f"{what} needs about {needed / 1e9:.1f} GB of memory and {free / 1e9:.1f} GB are free; "
            "reduce the features first, use fewer presentations, or a larger machine"
        )


def nbytes(*arrays: Array) -> int:
    """Bytes that the arrays take."""
    return sum(int(size(a) or 0) * a.dtype.itemsize for a in arrays)


def _meminfo() -> int:
    try:
        with open("/proc/meminfo", encoding="ascii") as file:  # noqa: PTH123 - not a file that can be configured
            for line in file:
                if line.startswith("MemAvailable:"):
                    return int(line.split()[1]) * 1024
    except OSError:
        pass
    try:
        return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_AVPHYS_PAGES")
    except (ValueError, OSError):
        return 2**62  # unknown on this system: let it try
