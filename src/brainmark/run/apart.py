"""Runs foreign models in processes of their own, in a sandbox where there can be one.

Foreign are models named by a module, a program, or a file that names one, and those that other packages register.
Apart, their code can neither end a run, nor change a metric, a target or another model: it gets experiments, and gives
back JSON and plain arrays. In the sandbox (`brainmark.run.sandbox`) it sees no secrets, stores and network either.
"""

from __future__ import annotations

import contextlib
import functools
import os
import sys
from collections.abc import Generator, Mapping
from contextvars import ContextVar
from dataclasses import dataclass, field
from importlib import metadata
from pathlib import Path
from typing import Any, Literal, cast, get_args

from brainmark.core.cards import ModelCard
from brainmark.core.devices import in_use
from brainmark.core.errors import BrainmarkError, InvalidMeasurement, ModelError, UnknownName, warn
from brainmark.core.experiment import Experiment
from brainmark.core.libraries import xr
from brainmark.core.registry import ENTRY_POINT_GROUP, Entry, models
from brainmark.core.subject import Subject
from brainmark.models.activations.kept import find_kept
from brainmark.models.described.model import factory
from brainmark.models.described.toml_files import read_models
from brainmark.models.sources.names import FUNCTION
from brainmark.run.experiments import pack_experiment
from brainmark.run.frames import unpack_answer
from brainmark.run.processes import Process, process_of, shorten
from brainmark.run.sandbox import find_obstacle, require_sandbox

Isolation = Literal["auto", "sandbox", "process", "none"]
"""Where foreign models run: in a sandbox, in a process of their own, or in that of the run ("none").

"auto" is a sandbox where there can be one; elsewhere a process, and a warning says what is missing.
"""
SETTING = "BRAINMARK_ISOLATION"
_wanted: ContextVar[Isolation | None] = ContextVar("isolation", default=None)
_active: ContextVar[bool] = ContextVar("apart", default=False)


@contextlib.contextmanager
def run_apart(wanted: bool = True) -> Generator[None]:
    """Let foreign models that are looked up in the block run in processes of their own."""
    token = _active.set(wanted)
    try:
        yield
    finally:
        _active.reset(token)


@contextlib.contextmanager
def isolate(isolation: str | None) -> Generator[None]:
    """Let foreign models that `run_apart` sends away in the block run there; None: as the environment says.

    Raises
    ------
    UnknownName : there is no such isolation.
    """
    token = _wanted.set(check_isolation(isolation, "isolation") if isolation else _wanted.get())
    try:
        yield
    finally:
        _wanted.reset(token)


@contextlib.contextmanager
def isolate_command(isolation: str | None) -> Generator[None]:
    """Do what `isolate` does for all threads of this process, and for processes that it starts in the block."""
    before = os.environ.get(SETTING)
    if isolation:
        os.environ[SETTING] = check_isolation(isolation, "isolation")
    try:
        yield
    finally:
        if isolation:
            os.environ.pop(SETTING, None)
            os.environ.update({} if before is None else {SETTING: before})


def check_isolation(isolation: str, what: str) -> Isolation:
    """Return a word that names an isolation; `what` names it in errors. Raises UnknownName."""
    if isolation not in get_args(Isolation):
        raise UnknownName(what, isolation, get_args(Isolation), f" ({', '.join(get_args(Isolation))})")
    return cast("Isolation", isolation)


def find_isolation() -> Isolation | None:
    """Return the isolation that the block around or the environment names; None: neither. Raises UnknownName."""
    named = os.environ.get(SETTING, "").strip()
    return _wanted.get() or (check_isolation(named, SETTING) if named else None)


def choose_isolation() -> Isolation:
    """Return where foreign models run now: "sandbox", "process" or "none".

    Raises
    ------
    UnknownName : ``BRAINMARK_ISOLATION`` holds another word.
    MissingSandbox : a sandbox is wanted, and there can be none.
    """
    wanted = find_isolation() or "auto"
    if wanted == "sandbox":
        require_sandbox()
    if wanted != "auto":
        return wanted
    if reason := find_obstacle():
        _warn_once(reason)
    return "process" if reason else "sandbox"


@functools.cache
def _warn_once(reason: str) -> None:
    warn(
        f"models of others run with your rights, as there can be no sandbox here: {reason} "
        f"({SETTING}=process says that this is wanted)"
    )


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


def _is_of_plugin(entry: Entry[Subject, ModelCard]) -> bool:
    """Return whether a registered model is that of an installed package of others; a program's own is not."""
    return entry.module.partition(".")[0] in _list_plugins()


@functools.cache
def _list_plugins() -> frozenset[str]:
    """Return the packages that register things, without our own."""
    points = metadata.entry_points(group=ENTRY_POINT_GROUP)
    return frozenset(point.module.partition(".")[0] for point in points) - {"brainmark"}


def find_apart(name: str) -> Entry[Subject, ModelCard] | None:
    """Return a foreign model that runs apart; None outside of `run_apart`, and for any other."""
    if not _active.get():
        return None
    base = name.partition(":random")[0]
    registered = models.find_registered(base)
    foreign = is_foreign(name) if registered is None else _is_of_plugin(registered)
    if not foreign or (isolation := choose_isolation()) == "none":
        return None
    process = process_of(base, isolation == "sandbox")
    described, _ = process.ask("describe", name)
    try:
        card, options = ModelCard.model_validate(described["card"]), dict(described["options"])
        known = described["fingerprint"]
        if not all(is_plain(value) for value in (*options.values(), known)):
            raise ValueError("options and fingerprint are no plain values")
        make = factory(lambda given: ApartSubject(name, process, given), options, __name__)
    except (KeyError, TypeError, ValueError) as error:
        raise ModelError(f"{name}: its process describes it wrongly ({shorten(error)})") from None
    return Entry("model", name, make, card, lambda: known)


def is_plain(value: Any) -> bool:
    """Return whether JSON holds a value as it is, without parts."""
    return value is None or isinstance(value, str | int | float | bool)


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
        (described, content), media = pack_experiment(experiment)
        compute = in_use()
        chosen = [compute.device if compute.chosen else None, compute.precision]
        options = {"options": dict(self.options), "experiment": described, "compute": chosen}
        options |= {"keep": "" if find_kept() is None else "scratch" if self.process.confined else "home"}
        head, body = self.process.ask("perform", self.identifier, content, media, **options)
        if "type" in head:
            raise InvalidMeasurement(f"{self.identifier}: is a {shorten(head['type'])}, not an xarray.DataArray")
        return unpack_answer(head, body)

    @property
    def weights_digest(self) -> str | None:
        """sha256 over its weights; None: it has none."""
        head, _ = self.process.ask("weights", self.identifier, options=dict(self.options))
        return None if head.get("weights") is None else shorten(head["weights"])
