"""Processes of foreign models: started when first asked, in a sandbox or with the rights of the user."""

from __future__ import annotations

import atexit
import contextlib
import json
import os
import signal
import subprocess
import sys
import threading
import warnings
from collections import OrderedDict
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Any

from brainmark.core import errors
from brainmark.core.errors import BrainmarkError, ModelError, ResourceError
from brainmark.core.memory import available_memory
from brainmark.core.stimuli import Media
from brainmark.core.text import name_commands
from brainmark.run import begin, stamp
from brainmark.run.experiments import pack_medium
from brainmark.run.frames import read_frame, write_frame
from brainmark.run.guard import Guard
from brainmark.run.sandbox import Limits, list_limits, read_limits, start
from brainmark.run.visible import view_for

LEAST_FREE = 2 * 2**30
"""Bytes of free memory below which processes end, those not asked for longest first; they start anew when needed."""
_MOST_SAID = 2**20  # bytes of what a process in the sandbox prints that are shown
_LONGEST_TEXT, _MOST_TEXTS = 2000, 20
HINT = (
    "it ran in a sandbox, without network and with its own files alone; "
    "if you trust its code: --isolation process, or BRAINMARK_SANDBOX='show=PATH' for files elsewhere"
)


@dataclass(eq=False)
class Process:
    """The process of one foreign model and its twins; it is started when it is first asked.

    Attributes
    ----------
    name : of the model.
    confined : whether it runs in the sandbox.
    """

    name: str
    confined: bool = False
    _running: subprocess.Popen[bytes] | None = None
    _watch: Guard | None = None
    _lock: threading.RLock = field(default_factory=threading.RLock)
    _count: int = 0

    def ask(
        self, what: str, name: str, body: bytes = b"", media: list[Media] | None = None, **more: Any
    ) -> tuple[dict[str, Any], bytes]:
        """Return what the process replies; it may ask for stimuli of `media` before that.

        Raises
        ------
        BrainmarkError : as the model raised it.
        ModelError : the process ended, or replied what cannot be understood.
        ResourceError : it went over a limit of the sandbox.
        """
        with self._lock:
            running = self._start()
            self._count += 1
            request = {"what": what, "name": name, "number": self._count, **more}
            try:
                with self._watch.keep() if self._watch else contextlib.nullcontext():
                    head, content = self._exchange(running, request, body, media or [])
            except (EOFError, BrokenPipeError):
                raise self._explain_end(name) from None
            except BrainmarkError as error:
                self.stop()
                if isinstance(error, ModelError | ResourceError):
                    raise type(error)(f"{name}: {error}") from None
                raise  # stimuli that cannot be read are no fault of the model
            except BaseException:  # the user stops: what it would still reply is not wanted
                self.stop()
                raise
        self._pass_on(head)
        if "error" in head:
            hint = f" ({HINT})" if self.confined and head.get("outside") is True else ""
            raise make_error(str(head["error"]), shorten(head.get("message", "")) + hint)
        return head, content

    def _exchange(
        self, running: subprocess.Popen[bytes], request: dict[str, Any], body: bytes, media: list[Media]
    ) -> tuple[dict[str, Any], bytes]:
        """Send a request, and the stimuli that the process asks for, until it replies."""
        assert running.stdin is not None
        assert running.stdout is not None
        write_frame(running.stdin, request, body)
        while True:
            head, content = read_frame(running.stdout)
            if head.get("number") != request["number"]:
                raise ModelError("its process sends what nobody asked for")
            if "stimulus" not in head:
                return head, content
            about, medium = pack_medium(media, head["stimulus"])
            write_frame(running.stdin, {"stimulus": about}, medium)

    def _pass_on(self, head: dict[str, Any]) -> None:
        """Note the packages that it uses, and pass on its warnings."""
        loaded, told = head.get("loaded"), head.get("warnings")
        stamp.loaded_elsewhere.update(name for name in stamp.PACKAGES if isinstance(loaded, list) and name in loaded)
        for text in told[:_MOST_TEXTS] if isinstance(told, list) else ():
            warnings.warn(shorten(text), stacklevel=4)

    def _start(self) -> subprocess.Popen[bytes]:
        if self._running is None or self._running.poll() is not None:
            self.stop()
            paths = [os.getcwd(), *filter(None, sys.path)]  # noqa: PTH109
            limits = read_limits() if self.confined else None
            given = {"paths": list(map(os.path.abspath, paths)), "limits": list_limits(limits) if limits else {}}
            command = [sys.executable, "-P", str(Path(begin.__file__).resolve()), json.dumps(given)]
            self._running = self._start_confined(command, limits) if limits else _start_free(command)
        return self._running

    def _start_confined(self, command: list[str], limits: Limits) -> subprocess.Popen[bytes]:
        running, handle = start(command, view_for(self.name, limits.show), Path.cwd(), limits)
        threading.Thread(target=_show, args=(running.stderr,), daemon=True).start()
        self._watch = Guard(handle, limits)
        return running

    def _explain_end(self, name: str) -> BrainmarkError:
        reason = self._watch.reason if self._watch else ""
        told = self._describe_end()
        if reason or "SIGXCPU" in told:
            reason = reason or "it used more time of processors than it may"
            return ResourceError(f"{name}: {reason}, a limit of the sandbox (BRAINMARK_SANDBOX sets them)")
        return ModelError(f"{name}: it ended its process ({told})")

    def _describe_end(self) -> str:
        running = self._running
        with contextlib.suppress(subprocess.TimeoutExpired):
            code = running.wait(5) if running else 0
            self.stop()
            code = 128 - code if self.confined and 128 < code <= 128 + signal.NSIG else code
            return f"exit status {code}" if code >= 0 else f"signal {signal.Signals(-code).name}"
        self.stop()
        return "it closed its output"

    def stop(self) -> None:
        """End the process, and all that it started."""
        running, self._running = self._running, None
        watch, self._watch = self._watch, None
        if watch is not None:
            watch.end()
        if running is None:
            return
        if watch is not None:
            with contextlib.suppress(subprocess.TimeoutExpired):
                running.wait(5)  # bubblewrap ends once all in the sandbox have ended
        with contextlib.suppress(OSError):
            if hasattr(os, "killpg"):
                os.killpg(running.pid, signal.SIGKILL)
            else:
                running.kill()
        for pipe in (running.stdin, running.stdout):
            with contextlib.suppress(OSError):
                if pipe:
                    pipe.close()
        running.wait()


def _start_free(command: list[str]) -> subprocess.Popen[bytes]:
    return subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, start_new_session=True)


def _show(said: IO[bytes]) -> None:
    """Show what a process prints, as text that commands no terminal, and not without end."""
    left = _MOST_SAID
    with contextlib.suppress(OSError, ValueError), said:
        while line := said.readline(_LONGEST_TEXT):
            if left > 0:
                sys.stderr.write(name_commands(line.decode(errors="replace").rstrip("\r\n")) + "\n")
            left -= len(line)


def shorten(text: Any) -> str:
    """Return a text of another process as it may be shown."""
    plain = name_commands(str(text))
    return plain if len(plain) <= _LONGEST_TEXT else f"{plain[:_LONGEST_TEXT]} ..."


_processes: OrderedDict[tuple[str, str, bool], Process] = OrderedDict()


def process_of(name: str, confined: bool) -> Process:
    """Return the process of a model, by its name and the folder in which it is named."""
    key = os.getcwd(), name, confined  # noqa: PTH109
    process = _processes.setdefault(key, Process(name, confined))
    _processes.move_to_end(key)
    for other in [*_processes.values()][:-1]:
        if available_memory() > LEAST_FREE:
            break
        other.stop()
    return process


@atexit.register
def stop_all() -> None:
    """End all processes of foreign models."""
    for process in _processes.values():
        process.stop()


def make_error(kind: str, message: str) -> BrainmarkError:
    """Return an error of the package by the name of its class; any other is one of the model."""
    found = getattr(errors, kind, None)
    chosen = found if isinstance(found, type) and issubclass(found, BrainmarkError) else ModelError
    error = chosen.__new__(chosen)
    BrainmarkError.__init__(error, message)
    return error
