"""Time and peak memory of one call, and the loop in which a process answers for one case after the other."""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from cases import Case, given, load


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


def serve(answer: Callable[[Case, dict[str, Any]], dict[str, Any]]) -> None:
    """Answer for the case and the data file of the command line with a line of JSON.

    Without arguments, lines with both are read from the input; answers begin with "@", and a failure is one.
    """
    if len(sys.argv) > 1:
        print("\n" + json.dumps(answer(given(sys.argv[1]), load(sys.argv[2]))))
        return
    for line in sys.stdin:
        case, path = line.rsplit(maxsplit=1)
        try:
            found = answer(given(case), load(path.strip()))
        except Exception as error:  # noqa: BLE001 - whatever it is, it belongs in the table
            found = {"failure": " ".join(f"{type(error).__name__}: {error}".split())[:200]}
        print("\n@" + json.dumps(found), flush=True)
