"""Time and peak memory of one call. Runs with the standard library alone, in every environment."""

from __future__ import annotations

import importlib.metadata
import json
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any


def report(call: Callable[[], Any], values: Callable[[Any], Sequence[float]], packages: Sequence[str]) -> None:
    """Print what `side_by_side` reads: seconds, peak (MB), the values of the result, versions of the packages.

    Seconds are the median of three calls, of seven where one takes less than .3 s, or one call of 3 s and more. The
    peak is the high-water mark of the process after the first call, with interpreter, imports and data.
    """
    start = time.perf_counter()
    result = call()
    seconds = [time.perf_counter() - start]
    status = Path("/proc/self/status").read_text(encoding="ascii").splitlines()
    peak = next(int(line.split()[1]) / 1024 for line in status if line.startswith("VmHWM"))
    while seconds[0] < 3 and len(seconds) < (3 if min(seconds) > 0.3 else 7):
        start = time.perf_counter()
        call()
        seconds.append(time.perf_counter() - start)
    found = {
        "seconds": sorted(seconds)[len(seconds) // 2],
        "peak": peak,
        "values": [float(v) for v in values(result)],
        "versions": {name: importlib.metadata.version(name) for name in packages},
    }
    print("\n" + json.dumps(found))
