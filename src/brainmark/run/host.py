"""The process in which a foreign model runs: ``python -m brainmark.run.host``; see `brainmark.run.apart`.

It gets requests from the run on its standard input, and answers them there where its standard output was; the model
finds neither: its input is empty, and what it prints goes to standard error.
"""

from __future__ import annotations

import ctypes
import json
import os
import pickle
import signal
import sys
import warnings
from collections.abc import Mapping
from typing import Any, BinaryIO

from brainmark.core import registry
from brainmark.core.containment import contain
from brainmark.core.errors import BrainmarkError, tell
from brainmark.core.experiment import Experiment
from brainmark.core.handout import detach
from brainmark.core.libraries import xr
from brainmark.core.subject import Subject
from brainmark.run.declared import digest_entry
from brainmark.run.frames import pack_answer, read_frame, write_frame
from brainmark.run.stamp import versions

_DIE_WITH_PARENT = 1  # PR_SET_PDEATHSIG of Linux


class Host:
    """Keeps the models of one process, and does what is asked of them."""

    def __init__(self) -> None:
        self._made: dict[str, Subject] = {}

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
        experiment = _unpickle(body)
        answer = detach(subject.perform(experiment), experiment)
        if not isinstance(answer, xr.DataArray):
            return {"type": type(answer).__name__}, b""
        return pack_answer(answer)


def _unpickle(body: bytes) -> Experiment:
    """Return the experiment that the run sent, which is trusted; what is sent back is never pickled."""
    try:
        return pickle.loads(body)
    except Exception as error:
        raise _UnknownHere(f"{type(error).__name__}: {error}") from error


class _UnknownHere(BrainmarkError):
    """A class of the experiment is known to the run alone, as those of a notebook are."""


def _is_plain(value: Any) -> bool:
    return value is None or isinstance(value, str | int | float | bool)


def serve(requests: BinaryIO, replies: BinaryIO) -> None:
    """Answer requests until the run closes its end."""
    host = Host()
    while True:
        try:
            request, body = read_frame(requests)
        except EOFError:
            return
        with warnings.catch_warnings(record=True) as told:
            warnings.simplefilter("default")
            try:
                with contain(request["name"]):
                    head, content = host.do(request, body)
            except BrainmarkError as error:
                kind = next(c.__name__ for c in type(error).__mro__ if c.__module__.startswith("brainmark."))
                text = tell(error).removeprefix(f"{type(error).__name__}: ")
                head, content = {"error": kind, "message": text}, b""
        spoken = [str(w.message) for w in told if issubclass(w.category, UserWarning)]
        write_frame(replies, {**head, "warnings": spoken, "loaded": [*versions(loaded=True)]}, content)


def main() -> None:
    """Take the pipes away from the model, and serve."""
    requests, replies = os.fdopen(os.dup(0), "rb"), os.fdopen(os.dup(1), "wb")
    nothing = os.open(os.devnull, os.O_RDONLY)
    os.dup2(nothing, 0)
    os.dup2(2, 1)
    if sys.platform.startswith("linux"):
        ctypes.CDLL(None).prctl(_DIE_WITH_PARENT, signal.SIGKILL)
    serve(requests, replies)


if __name__ == "__main__":
    main()
