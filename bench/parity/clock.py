"""Time and peak memory of one call."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from typing import Any


def _memory(field: str) -> float:
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) / 1024 for line in lines if line.startswith(field))


def measured(call: Callable[[], Any], repeats: int = 3, short: float = 3.0) -> dict[str, Any]:
    """Call once, or `repeats` times if it takes less than `short` seconds (seven if less than a tenth of that).

    Returns
    -------
    result; median seconds; memory (MB), its peak above that before the call; peak (MB) of the whole process.
    """
    earlier = _memory("VmHWM")
    Path("/proc/self/clear_refs").write_text("5")  # forgets the peak so far
    before = _memory("VmRSS")
    start = time.perf_counter()
    result = call()
    seconds = [time.perf_counter() - start]
    peak = _memory("VmHWM")
    while seconds[0] < short and len(seconds) < (7 if seconds[0] < short / 10 else repeats):
        start = time.perf_counter()
        call()
        seconds.append(time.perf_counter() - start)
    seconds.sort()
    return {
        "result": result,
        "seconds": seconds[len(seconds) // 2],
        "memory": peak - before,
        "peak": max(peak, earlier),
    }
