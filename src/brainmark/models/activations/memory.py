"""How much memory is free and held, and an allocator that keeps what it got. Standard library only."""

from __future__ import annotations

import contextlib
import ctypes
import os
import sys
from collections.abc import Generator
from pathlib import Path

_M_TRIM_THRESHOLD, _M_MMAP_MAX = -1, -4  # malloc.h
_DEFAULT_TRIM, _DEFAULT_MMAP_MAX = 128 * 1024, 65536


def available_memory() -> int:
    """Bytes that can be allocated without swapping: of the machine, or of the container (cgroup v2) if that is less."""
    free = [_machine(), _container()]
    return min(f for f in free if f is not None)


def _machine() -> int:
    try:
        for line in Path("/proc/meminfo").read_text().splitlines():
            if line.startswith("MemAvailable:"):
                return int(line.split()[1]) * 1024
    except OSError:
        pass
    try:  # macOS and other Unixes: half of the memory, as what is used cannot be asked for
        return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") // 2
    except (AttributeError, ValueError, OSError):
        return 4 * 2**30


def resident_memory() -> int:
    """Bytes that this process holds in memory; where that cannot be asked for, the most that it ever held."""
    try:
        return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")
    except (OSError, ValueError, AttributeError):
        pass
    try:
        import resource
    except ImportError:  # Windows
        return 0
    unit = 1 if sys.platform == "darwin" else 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit


def _container(root: Path = Path("/")) -> int | None:
    """Bytes left to the container: the least over its group and those around it, in either version of cgroups."""
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
        left += [free for g in [group, *group.parents] if (free := _left(base / g, version)) is not None]
    return min(left, default=None)


def _left(group: Path, version: int) -> int | None:
    """Bytes left to one group; None: it has no limit. Cached files that can be dropped do not count as used."""
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


def human_bytes(count: int) -> str:
    """Return bytes as a short text, e.g. ``1.5 GiB``."""
    value = float(count)
    for unit in ("bytes", "KiB", "MiB", "GiB"):
        if value < 1024:
            return f"{value:.0f} {unit}" if unit == "bytes" else f"{value:.1f} {unit}"
        value /= 1024
    return f"{value:.1f} TiB"


@contextlib.contextmanager
def keep_heap() -> Generator[None]:
    """Let freed memory stay in the process, so that the next batch need not fault it in again (glibc; else nothing).

    Changes speed only, never a number. Afterwards the allocator's defaults hold and the free memory is given back.
    """
    libc = _glibc()
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


def _glibc() -> ctypes.CDLL | None:
    if not sys.platform.startswith("linux"):
        return None
    try:
        libc = ctypes.CDLL(None)
        _ = libc.gnu_get_libc_version, libc.mallopt, libc.malloc_trim
    except (OSError, AttributeError):
        return None
    return libc


__all__ = ["available_memory", "human_bytes", "keep_heap", "resident_memory"]
