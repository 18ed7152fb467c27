"""The first thing that the process of a foreign model runs, before any code of others: its limits and search path.

It is run by its path, with one argument in JSON: ``paths`` to search for modules, and ``limits`` by name.
"""

from __future__ import annotations

import contextlib
import importlib
import json
import os
import sys
from pathlib import Path
from typing import Any

try:
    import resource
except ImportError:  # Windows
    resource = None


def limit(limits: dict[str, int]) -> None:
    """Set the limits of this process and of those that it starts, which none of them can raise."""
    for name, most in limits.items():
        kind: Any = getattr(resource, f"RLIMIT_{name.upper()}", None)
        if resource is not None and kind is not None:
            hard = resource.getrlimit(kind)[1]
            most = most if hard == resource.RLIM_INFINITY else min(most, hard)
            resource.setrlimit(kind, (most, most))


def prefer_to_end(process: int | str = "self") -> None:
    """Let the system end a process first where memory runs out, and not the run."""
    with contextlib.suppress(OSError):  # not Linux, or it is gone
        Path(f"/proc/{process}/oom_score_adj").write_text("1000")


def begin() -> None:
    """Set all up, and serve."""
    given = json.loads(sys.argv[1])
    prefer_to_end()
    limit(given["limits"])
    sys.path[:] = given["paths"]
    os.environ["PYTHONPATH"] = os.pathsep.join(given["paths"])  # of processes that the model starts
    importlib.import_module("brainmark.run.host").main()  # found on the path that was just set


if __name__ == "__main__":
    begin()
