"""Watches a process in the sandbox while it is asked something, and ends it where it uses more than it may."""

from __future__ import annotations

import contextlib
import os
import select
import signal
import threading
import time
from collections.abc import Generator
from dataclasses import dataclass, field
from pathlib import Path

from brainmark.core.memory import available_memory
from brainmark.core.wording import bytes_text
from brainmark.run.begin import prefer_to_end
from brainmark.run.sandbox import Limits

_EVERY = 0.05  # seconds
_LEAST = 2**28  # bytes that have to stay free on this machine
_FEW = 8
_PATIENCE = 10.0  # seconds
_PAGE = os.sysconf("SC_PAGE_SIZE") if hasattr(os, "sysconf") else 4096


@dataclass(eq=False)
class Guard:
    """Watches the processes below one; `reason` says which limit it went over.

    Attributes
    ----------
    handle : of the first process in the sandbox (a file of Linux): with it all others end.
    limits : which are watched.
    """

    handle: int
    limits: Limits
    reason: str = ""
    _over: threading.Event = field(default_factory=threading.Event)

    @contextlib.contextmanager
    def keep(self) -> Generator[None]:
        """Guard during the block."""
        self._over.clear()
        for process in list_below(self._read_root(), _FEW):
            prefer_to_end(process)
        thread = threading.Thread(target=self._look, name="sandbox", daemon=True)
        thread.start()
        try:
            yield
        finally:
            self._over.set()
            thread.join()

    def _look(self) -> None:
        end = time.monotonic() + self.limits.seconds
        while not self._over.wait(min(_EVERY, max(0.0, end - time.monotonic()))):
            self.reason = self._find_excess(end)
            if self.reason:
                self._kill()
                return

    def _kill(self) -> None:
        with contextlib.suppress(OSError):
            signal.pidfd_send_signal(self.handle, signal.SIGKILL)

    def end(self) -> None:
        """End all processes in the sandbox, and wait until they are gone."""
        self._kill()
        select.select([self.handle], [], [], _PATIENCE)
        os.close(self.handle)

    def _read_root(self) -> int:
        """Return the number of the first process; -1: it is gone."""
        lines = Path(f"/proc/self/fdinfo/{self.handle}").read_text().splitlines()
        return next(int(line.split()[1]) for line in lines if line.startswith("Pid:"))

    def _find_excess(self, end: float) -> str:
        """Return which limit is passed; empty: none."""
        if time.monotonic() >= end:
            return f"it took longer than {self.limits.seconds} s"
        found = list_below(self._read_root(), self.limits.processes + 8)
        if len(found) > self.limits.processes + 1:
            return f"it started more than {self.limits.processes} processes"
        if sum(_read_resident(process) for process in found) > self.limits.memory:
            used = sum(_read_share(process) for process in found)  # what several processes share counts once
            if used > self.limits.memory:
                return f"it used more than {bytes_text(self.limits.memory)} of memory"
        return "" if available_memory() > _LEAST else "the memory of this machine ran out"


def list_below(root: int, most: int) -> list[int]:
    """Return a process and those that it started, at most about so many."""
    found, todo = list[int](), [root]
    while todo and len(found) <= most:
        found.append(todo.pop())
        with contextlib.suppress(OSError):
            for task in Path(f"/proc/{found[-1]}/task").iterdir():
                with contextlib.suppress(OSError, ValueError):
                    todo += [int(child) for child in (task / "children").read_text().split()]
    return found


def _read_resident(process: int) -> int:
    try:
        return int(Path(f"/proc/{process}/statm").read_text().split()[1]) * _PAGE
    except (OSError, ValueError, IndexError):
        return 0


def _read_share(process: int) -> int:
    """Return the bytes of memory of a process, its part of what it shares with others."""
    try:
        lines = Path(f"/proc/{process}/smaps_rollup").read_text().splitlines()
        return next(int(line.split()[1]) * 1024 for line in lines if line.startswith("Pss:"))
    except (OSError, ValueError, IndexError, StopIteration):
        return _read_resident(process)
