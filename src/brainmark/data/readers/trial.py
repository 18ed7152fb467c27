"""Reads a file of strangers in a process of its own before it is read here.

HDF5 and the MATLAB reader of SciPy are written in C. One wrong bit in a file can make them loop without an end, where
not even Ctrl-C stops them, or end the process. So such a file is first read by a helper process, which is stopped
after a while: what the file does to it is said in one line. The helper is started once, in about 0.3 s, and then
serves all files. Files whose checksum was compared need no trial.
"""

from __future__ import annotations

import atexit
import contextlib
import importlib
import json
import os
import subprocess
import sys
import threading
from collections.abc import Callable
from functools import lru_cache
from pathlib import Path

from brainmark.core.errors import DataError
from brainmark.data.readers.damage import explain_damage

SECONDS = 30.0
"""The longest trial of a small file; large ones get a second more for every 10 MB."""
_COMMAND = "from brainmark.data.readers.trial import serve; serve()"


def try_reading(path: Path, read: Callable[[str], object], what: str) -> None:
    """Read a file in the helper process. A file that did not change since is not tried again.

    Parameters
    ----------
    read : a function of a module, which is called with the path.
    what : the format, for messages.

    Raises
    ------
    DataError : it cannot be read, is not read within `SECONDS`, or ends the process that reads it.
    """
    with explain_damage(path, "cannot be read"):
        state = path.stat()
    reader = f"{read.__module__}:{read.__name__}"
    complaint = _try_once(str(path.resolve()), reader, state.st_mtime_ns, state.st_size)
    if complaint:
        raise DataError(f"{path}: cannot be read as {what}: {complaint}")


@lru_cache(maxsize=256)
def _try_once(path: str, reader: str, changed: int, size: int) -> str:
    """Return what is wrong with a file; nothing if it can be read. `changed` tells versions of a file apart."""
    return _helper.ask(reader, path, SECONDS + size / 1e7)


class _Helper:
    """The process that reads first, and the pipes to it; each process of ours has its own."""

    def __init__(self) -> None:
        self._process: subprocess.Popen[str] | None = None
        self._owner = 0
        self._lock = threading.Lock()

    def ask(self, reader: str, path: str, seconds: float) -> str:
        """Return what the helper finds wrong with a file; nothing if it can be read."""
        with self._lock:
            process = self._start()
            timer = threading.Timer(seconds, process.kill)
            timer.start()
            try:
                answer = _exchange(process, json.dumps([reader, path]))
            except BaseException:  # Ctrl-C: the helper may never end
                self.stop()
                raise
            finally:
                late = timer.finished.is_set()
                timer.cancel()
            if answer:
                return str(json.loads(answer))
            code = process.wait()
            self.stop()
        return f"it is not read within {seconds:.0f} s" if late else f"it ends the process that reads it (exit {code})"

    def stop(self) -> None:
        """End the process, if there is one of ours."""
        process, self._process = self._process, None
        if process is None or self._owner != os.getpid():
            return
        process.kill()
        process.wait()
        for pipe in (process.stdin, process.stdout):
            with contextlib.suppress(OSError):
                if pipe is not None:
                    pipe.close()

    def _start(self) -> subprocess.Popen[str]:
        if self._process is None or self._owner != os.getpid() or self._process.poll() is not None:
            self.stop()
            self._owner = os.getpid()
            self._process = subprocess.Popen(
                [sys.executable, "-c", _COMMAND],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,
                env=os.environ | {"PYTHONPATH": os.pathsep.join(p for p in sys.path if p)},
                encoding="utf-8",
            )
        return self._process


def _exchange(process: subprocess.Popen[str], question: str) -> str:
    """Write a line to a process and return its answer; nothing where it has ended."""
    assert process.stdin is not None and process.stdout is not None
    try:
        process.stdin.write(question + "\n")
        process.stdin.flush()
        return process.stdout.readline()
    except OSError:
        return ""


_helper = _Helper()
atexit.register(_helper.stop)


def serve() -> None:
    """Answer questions, a line each, until there are no more."""
    for line in sys.stdin:
        reader, path = json.loads(line)
        module, _, name = reader.partition(":")
        try:
            with explain_damage("", ""):
                getattr(importlib.import_module(module), name)(path)
            complaint = ""
        except DataError as error:
            complaint = str(error).removeprefix(": : ")
        sys.stdout.write(json.dumps(complaint) + "\n")
        sys.stdout.flush()
