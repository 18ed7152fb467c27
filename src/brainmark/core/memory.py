"""Measures free and used memory, and configures the allocator to keep memory that it got."""

from __future__ import annotations

import contextlib
import ctypes
import os
import sys
from collections.abc import Generator
from pathlib import Path
from typing import Any

from brainmark.core.libraries import psutil, torch

try:
    import resource
except ImportError:  # Windows
    resource = None

_UNKNOWN = 4 * 2**30  # bytes that are taken to be free where the system does not say
_M_TRIM_THRESHOLD, _M_MMAP_MAX = -1, -4  # malloc.h
_DEFAULT_TRIM, _DEFAULT_MMAP_MAX = 128 * 1024, 65536


def available_memory(device: Any = None) -> int:
    """Return the bytes that this process can still allocate without swapping.

    On a `device` of CUDA they are those of the device. Elsewhere they are the least of what the machine has free, what
    the limits of the control groups leave (containers and batch jobs, both versions of cgroups), and what the limit of
    the address space leaves (``ulimit -v``); on Apple's, also of what PyTorch may take of the memory that both share.
    """
    if getattr(device, "type", None) == "cuda":
        reserved = torch.cuda.memory_reserved(device) - torch.cuda.memory_allocated(device)  # by torch, for new tensors
        return int(torch.cuda.mem_get_info(device)[0] + reserved)
    limits = [_free_on_machine(), _free_in_container(), _free_addresses()]
    if getattr(device, "type", None) == "mps":
        limits.append(torch.mps.recommended_max_memory() - torch.mps.driver_allocated_memory())
    return min(free for free in limits if free is not None)


def total_memory() -> int:
    """Return the bytes of memory of this machine; 0 where the system does not say."""
    try:
        return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    except (AttributeError, ValueError, OSError):  # Windows has no sysconf
        return 0


def resident_memory() -> int:
    """Return the bytes that this process holds in memory; where the system does not say, the most it ever held."""
    pages = _pages_of_process()
    return peak_memory() if pages is None else pages[1] * os.sysconf("SC_PAGE_SIZE")


def peak_memory() -> int:
    """Return the most bytes that this process has held in memory, see `reset_peak_memory`; 0 where it is not known."""
    if resource is None:
        return 0
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if sys.platform == "darwin" else peak * 1024


def tree_memory(process: int | None = None) -> int:
    """Return the bytes that a process and all that it started hold in memory; by default this one.

    Parameters
    ----------
    process : its number. Of one that has ended it is 0.
    """
    try:
        whole = psutil.Process(process)
        processes = [whole, *whole.children(recursive=True)]
    except psutil.Error:
        return 0
    held = 0
    for one in processes:
        with contextlib.suppress(psutil.Error):  # it has ended
            held += one.memory_info().rss
    return held


def reset_peak_memory() -> None:
    """Let `peak_memory` begin anew with what is held now; only Linux can, elsewhere nothing happens."""
    with contextlib.suppress(OSError):
        Path("/proc/self/clear_refs").write_text("5")


def _free_on_machine() -> int:
    try:
        for line in Path("/proc/meminfo").read_text().splitlines():
            if line.startswith("MemAvailable:"):
                return int(line.split()[1]) * 1024
    except OSError:
        pass
    return total_memory() // 2 or _UNKNOWN  # macOS does not say how much of its memory is used


def _pages_of_process() -> tuple[int, int] | None:
    """Return the pages of the address space and those in memory."""
    try:
        addresses, resident = Path("/proc/self/statm").read_text().split()[:2]
        return int(addresses), int(resident)
    except (OSError, ValueError):
        return None


def _free_addresses() -> int | None:
    pages = _pages_of_process()
    limit = -1 if resource is None else resource.getrlimit(resource.RLIMIT_AS)[0]
    if resource is None or pages is None or limit == resource.RLIM_INFINITY:
        return None
    return max(limit - pages[0] * os.sysconf("SC_PAGE_SIZE"), 0)


def _free_in_container(root: Path = Path("/")) -> int | None:
    """Return the bytes left to the container: the least over its group and those around it; None without a limit."""
    try:
        lines = (root / "proc/self/cgroup").read_text().splitlines()
    except OSError:
        lines = ["0::/"]
    left: list[int] = []
    for line in lines:
        _, controllers, path = line.split(":", 2)
        version = 2 if not controllers else 1
        if version == 1 and "memory" not in controllers.split(","):
            continue
        base = root / ("sys/fs/cgroup" if version == 2 else "sys/fs/cgroup/memory")
        group = Path(path.lstrip("/"))
        left += [free for g in [group, *group.parents] if (free := _free_in_group(base / g, version)) is not None]
    return min(left, default=None)


def _free_in_group(group: Path, version: int) -> int | None:
    """Return the bytes left to one group; None without a limit. Cached files can be dropped, so they count as free."""
    limit, used, cached = (
        ("memory.max", "memory.current", "inactive_file")
        if version == 2
        else ("memory.limit_in_bytes", "memory.usage_in_bytes", "total_inactive_file")
    )
    try:
        most = (group / limit).read_text().strip()
        if most == "max":
            return None
        stat = dict(line.split() for line in (group / "memory.stat").read_text().splitlines())
        return max(int(most) - int((group / used).read_text()) + int(stat.get(cached, 0)), 0)
    except (OSError, ValueError):
        return None


@contextlib.contextmanager
def keep_heap() -> Generator[None]:
    """Let freed memory stay in the process, so that the next batch need not fault it in again (glibc; else nothing).

    This changes speed only, never a number. Afterwards the allocator's defaults hold, and the free memory is given
    back to the system.
    """
    libc = _find_glibc()
    if libc is None:
        yield
        return
    libc.mallopt(_M_MMAP_MAX, 0)
    libc.mallopt(_M_TRIM_THRESHOLD, 2**31 - 1)
    try:
        yield
    finally:
        libc.mallopt(_M_MMAP_MAX, _DEFAULT_MMAP_MAX)
        libc.mallopt(_M_TRIM_THRESHOLD, _DEFAULT_TRIM)
        libc.malloc_trim(0)


def _find_glibc() -> ctypes.CDLL | None:
    if not sys.platform.startswith("linux"):
        return None
    try:
        libc = ctypes.CDLL(None)
        _ = libc.gnu_get_libc_version, libc.mallopt, libc.malloc_trim
    except (OSError, AttributeError):
        return None
    return libc
