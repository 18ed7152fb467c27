"""The process in which a foreign model runs, started by `brainmark.run.begin`; see `brainmark.run.apart`.

It gets requests from the run on its standard input, and answers them there where its standard output was; the model
finds neither: its input is empty, and what it prints goes to standard error.
"""

from __future__ import annotations

import ctypes
import json
import multiprocessing
import os
import signal
import sys
import tempfile
import warnings
from collections.abc import Mapping
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any, BinaryIO

from brainmark.core import registry
from brainmark.core.containment import contain
from brainmark.core.devices import compute_on
from brainmark.core.errors import BrainmarkError, MissingData, ModelError, tell
from brainmark.core.handout import detach
from brainmark.core.libraries import xr
from brainmark.core.subject import Subject
from brainmark.models.activations.kept import keep_activations
from brainmark.run.declared import digest_entry
from brainmark.run.experiments import Parcel, unpack_experiment
from brainmark.run.frames import pack_answer, read_frame, write_frame
from brainmark.run.stamp import versions

_SCRATCH = 2**28  # bytes of activations that are kept in the sandbox
_DIE_WITH_PARENT = 1  # PR_SET_PDEATHSIG of Linux


class Connection:
    """The line to the run: requests and replies, and questions for stimuli in between."""

    def __init__(self, requests: BinaryIO, replies: BinaryIO) -> None:
        self.requests, self.replies, self.number = requests, replies, 0
        self._asked = False  # whether a request waits for its answer
        shared = "fork" in multiprocessing.get_all_start_methods()
        self._lock = multiprocessing.get_context("fork" if shared else None).RLock()  # workers that load data ask too

    def read(self) -> tuple[dict[str, Any], bytes]:
        """Return the next request. Raises EOFError: the run has ended."""
        head, body = read_frame(self.requests)
        self.number, self._asked = head["number"], True
        return head, body

    def reply(self, head: Mapping[str, Any], body: bytes = b"") -> None:
        """Answer the request."""
        with self._lock:
            self._asked = "stimulus" in head
            write_frame(self.replies, {**head, "number": self.number}, body)

    def ask(self, *place: int) -> Parcel:
        """Return a stimulus, by the numbers of its set and of itself."""
        with self._lock:
            if not self._asked:
                raise ModelError("a stimulus was asked for after the answer was given")
            self.reply({"stimulus": place})
            head, body = read_frame(self.requests)
            return head["stimulus"], body


class Host:
    """Keeps the models of one process, and does what is asked of them."""

    def __init__(self, line: Connection) -> None:
        self._made: dict[str, Subject] = {}
        self._line = line

    def do(self, request: Mapping[str, Any], body: bytes) -> tuple[dict[str, Any], bytes]:
        """Return what a request asks for."""
        entry = registry.models[request["name"]]
        if request["what"] == "describe":
            options = {n: v for n, v in entry.options.items() if _is_plain(v)}
            known = digest_entry(entry)
            return {"card": entry.card.model_dump(mode="json"), "options": options, "fingerprint": known}, b""
        key = json.dumps([request["name"], request["options"]], sort_keys=True)
        if key not in self._made:
            self._made[key] = entry.load(**request["options"])
        subject = self._made[key]
        if request["what"] == "weights":
            digest = getattr(subject, "weights_digest", None)
            return {"weights": None if digest is None else str(digest)}, b""
        experiment = unpack_experiment((request["experiment"], body), self._line.ask)
        with compute_on(*request["compute"]), _keep(request.get("keep", "")):
            answer = detach(subject.perform(experiment), experiment)
        if not isinstance(answer, xr.DataArray):
            return {"type": type(answer).__name__}, b""
        return pack_answer(answer)


def _keep(where: str) -> AbstractContextManager[None]:
    """Keep activations where the run does ("home"), for as long as this process lives ("scratch"), or not at all."""
    scratch = (Path(tempfile.gettempdir()) / "activations", _SCRATCH) if where == "scratch" else None
    return keep_activations(bool(where), scratch)


def _is_plain(value: Any) -> bool:
    return value is None or isinstance(value, str | int | float | bool)


def serve(line: Connection) -> None:
    """Answer requests until the run closes its end."""
    host = Host(line)
    while True:
        try:
            request, body = line.read()
        except EOFError:
            return
        with warnings.catch_warnings(record=True) as told:
            warnings.simplefilter("default")
            try:
                with contain(request["name"]):
                    head, content = host.do(request, body)
            except BrainmarkError as error:
                head, content = _describe(error), b""
        spoken = [str(w.message) for w in told if issubclass(w.category, UserWarning)]
        line.reply({**head, "warnings": spoken, "loaded": [*versions(loaded=True)]}, content)


def _describe(error: BrainmarkError) -> dict[str, Any]:
    """Return an error for the run: its class, its message, and whether the system refused something (`outside`)."""
    kind = next(c.__name__ for c in type(error).__mro__ if c.__module__.startswith("brainmark."))
    text = tell(error).removeprefix(f"{type(error).__name__}: ")
    causes: list[BaseException] = []
    cause: BaseException | None = error
    while cause is not None and cause not in causes:
        causes.append(cause)
        cause = cause.__cause__ or cause.__context__
    outside = any(isinstance(c, OSError | MissingData) for c in causes)
    return {"error": kind, "message": text, "outside": outside}


def main() -> None:
    """Take the pipes away from the model, and serve."""
    requests, replies = os.fdopen(os.dup(0), "rb"), os.fdopen(os.dup(1), "wb")
    nothing = os.open(os.devnull, os.O_RDONLY)
    os.dup2(nothing, 0)
    os.dup2(2, 1)
    if sys.platform.startswith("linux"):
        ctypes.CDLL(None).prctl(_DIE_WITH_PARENT, signal.SIGKILL)
    serve(Connection(requests, replies))
