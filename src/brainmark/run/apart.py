"""Runs foreign models in processes of their own: those named by a module, a program, or a file that names one.

Their code is that of others. Apart, it can neither end a run, nor change a metric, a target or another model: it gets
experiments, and gives back JSON and plain arrays. It is no sandbox: the process has the rights of the user.
"""

from __future__ import annotations

import atexit
import contextlib
import os
import pickle
import signal
import subprocess
import sys
import threading
import warnings
from collections import OrderedDict
from collections.abc import Generator, Mapping
from contextvars import ContextVar
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from brainmark.core import errors
from brainmark.core.cards import ModelCard
from brainmark.core.errors import BrainmarkError, InvalidMeasurement, InvalidStimuli, ModelError
from brainmark.core.experiment import Experiment
from brainmark.core.libraries import xr
from brainmark.core.memory import available_memory
from brainmark.core.registry import Entry, models
from brainmark.core.subject import Subject
from brainmark.models.described.model import factory
from brainmark.models.described.toml_files import read_models
from brainmark.models.sources.names import FUNCTION
from brainmark.run import stamp
from brainmark.run.frames import read_frame, unpack_answer, write_frame

_active: ContextVar[bool] = ContextVar("apart", default=False)
LEAST_FREE = 2 * 2**30
"""Bytes of free memory below which processes end, those not asked for longest first; they start anew when needed."""


@contextlib.contextmanager
def run_apart(wanted: bool = True) -> Generator[None]:
    """Let foreign models that are looked up in the block run in processes of their own."""
    token = _active.set(wanted)
    try:
        yield
    finally:
        _active.reset(token)


def is_foreign(name: str) -> bool:
    """Return whether the code of a model is neither ours nor that of a package that registers it."""
    base = name.partition(":random")[0]
    path, _, member = base.partition("#")
    if base.endswith(".pt2"):
        return Path(base).is_file()
    if path.endswith(".toml"):
        return Path(path).is_file() and _names_code(Path(path), member)
    found = FUNCTION.fullmatch(base)
    if not found or found["module"].partition(".")[0] == "brainmark":
        return False
    loaded = sys.modules.get(found["module"])  # of a notebook, it is in this process alone
    return loaded is None or (bool(getattr(loaded, "__file__", None)) and found["module"] != "__main__")


def _names_code(path: Path, member: str) -> bool:
    """Return whether a model of a file is made by a module or a program, or its weights are changed by one."""
    try:
        found = read_models(path)
    except BrainmarkError:  # told where it is read for good
        return False
    spec = found.get(member) if member else next(iter(found.values()), None)
    if spec is None:
        return False
    return is_foreign(str(path.parent / spec.source) if spec.source.endswith(".pt2") else spec.source) or bool(
        spec.weights and spec.weights.mend
    )


def find_apart(name: str) -> Entry[Subject, ModelCard] | None:
    """Return a foreign model that runs apart; None outside of `run_apart`, and for any other."""
    if not _active.get() or name in models or not is_foreign(name):
        return None
    process = _process_of(name.partition(":random")[0])
    described, _ = process.ask("describe", name)
    try:
        card, options = ModelCard.model_validate(described["card"]), dict(described["options"])
        known = described["fingerprint"]
    except (KeyError, TypeError, ValueError) as error:
        raise ModelError(f"{name}: its process describes it wrongly ({error})") from None
    make = factory(lambda given: ApartSubject(name, process, given), options, __name__)
    return Entry("model", name, make, card, lambda: known)


models.add_finder(find_apart, first=True)


@dataclass(frozen=True, eq=False)
class ApartSubject:
    """A model in a process of its own.

    Attributes
    ----------
    identifier : name of the model.
    process : in which it runs.
    options : that it is made with.
    """

    identifier: str
    process: Process
    options: Mapping[str, Any] = field(default_factory=dict[str, Any])

    def perform(self, experiment: Experiment) -> xr.DataArray:
        """Return what it answers."""
        options = {"options": dict(self.options)}
        try:
            head, body = self.process.ask("perform", self.identifier, _pickle(experiment), **options)
        except _UnknownThere:
            head, body = self.process.ask("perform", self.identifier, _pickle(experiment, plain=True), **options)
        if "type" in head:
            raise InvalidMeasurement(f"{self.identifier}: is a {head['type']}, not an xarray.DataArray")
        return unpack_answer(head, body)

    @property
    def weights_digest(self) -> str | None:
        """sha256 over its weights; None: it has none."""
        head, _ = self.process.ask("weights", self.identifier, options=dict(self.options))
        return None if head.get("weights") is None else str(head["weights"])


class _UnknownThere(BrainmarkError):
    """The other process cannot make the experiment."""


def _pickle(experiment: Experiment, plain: bool = False) -> bytes:
    """Return an experiment for the other process; `plain`: with the stimuli themselves in place of what makes them."""
    stimuli = experiment.stimuli
    if plain:
        stimuli = replace(stimuli, media=tuple(stimuli.media[i] for i in range(len(stimuli))))
        experiment = replace(experiment, stimuli=stimuli)
    try:
        return pickle.dumps(experiment, protocol=5)
    except Exception as error:
        if not plain:
            return _pickle(experiment, plain=True)
        raise InvalidStimuli(f"stimuli {stimuli.identifier!r} cannot be sent to another process: {error}") from error


@dataclass(eq=False)
class Process:
    """The process of one foreign model and its twins; it is started when it is first asked."""

    name: str
    _running: subprocess.Popen[bytes] | None = None
    _lock: threading.RLock = field(default_factory=threading.RLock)

    def ask(self, what: str, name: str, body: bytes = b"", **more: Any) -> tuple[dict[str, Any], bytes]:
        """Return what the process replies.

        Raises
        ------
        BrainmarkError : as the model raised it.
        ModelError : the process ended, or replied what cannot be understood.
        """
        with self._lock:
            running = self._start()
            try:
                write_frame(running.stdin, {"what": what, "name": name, **more}, body)  # pyright: ignore[reportArgumentType]
                head, content = read_frame(running.stdout)  # pyright: ignore[reportArgumentType]
            except (EOFError, BrokenPipeError):
                raise ModelError(f"{name}: it ended its process ({self._describe_end()})") from None
            except BrainmarkError as error:
                self.stop()
                raise type(error)(f"{name}: {error}") from None
            except BaseException:  # the user stops: what it would still reply is not wanted
                self.stop()
                raise
        stamp.loaded_elsewhere.update(map(str, head.get("loaded", ())))
        for text in head.get("warnings", ()):
            warnings.warn(str(text), stacklevel=3)
        if "error" in head:
            raise _make_error(str(head["error"]), str(head.get("message", "")))
        return head, content

    def _start(self) -> subprocess.Popen[bytes]:
        if self._running is None or self._running.poll() is not None:
            self.stop()
            paths = [os.getcwd(), *filter(None, sys.path)]  # noqa: PTH109
            self._running = subprocess.Popen(
                [sys.executable, "-m", "brainmark.run.host"], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                env={**os.environ, "PYTHONPATH": os.pathsep.join(paths)}, start_new_session=True,
            )  # fmt: skip
        return self._running

    def _describe_end(self) -> str:
        running = self._running
        with contextlib.suppress(subprocess.TimeoutExpired):
            code = running.wait(5) if running else 0
            self.stop()
            return f"exit status {code}" if code >= 0 else f"signal {signal.Signals(-code).name}"
        self.stop()
        return "it closed its output"

    def stop(self) -> None:
        """End the process, and all that it started."""
        running, self._running = self._running, None
        if running is None:
            return
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


_processes: OrderedDict[tuple[str, str], Process] = OrderedDict()


def _process_of(name: str) -> Process:
    """Return the process of a model, by its name and the folder in which it is named."""
    key = os.getcwd(), name  # noqa: PTH109
    process = _processes.setdefault(key, Process(name))
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


def _make_error(kind: str, message: str) -> BrainmarkError:
    """Return an error of the package by the name of its class; any other is one of the model."""
    if kind == "_UnknownHere":
        return _UnknownThere(message)
    found = getattr(errors, kind, None)
    chosen = found if isinstance(found, type) and issubclass(found, BrainmarkError) else ModelError
    error = chosen.__new__(chosen)
    BrainmarkError.__init__(error, message)
    return error
