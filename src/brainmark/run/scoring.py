"""Scores models on benchmarks, given by name or as objects; failures are returned as typed outcomes."""

from __future__ import annotations

import contextlib
import sys
import time
from collections import OrderedDict
from collections.abc import Mapping
from dataclasses import replace
from functools import cached_property
from typing import Any, Literal, get_args

from brainmark.core import registry
from brainmark.core.benchmark import Benchmark
from brainmark.core.cards import ModelCard
from brainmark.core.containment import contain
from brainmark.core.devices import Precision, compute_on, gather_notes, in_use
from brainmark.core.errors import BrainmarkError, DataError, FailureKind, InvalidRegistration, ModelError, tell, warn
from brainmark.core.handout import checksum, take
from brainmark.core.libraries import xr
from brainmark.core.memory import reset_peak_memory
from brainmark.core.registry import Entry
from brainmark.core.score import Failure, Outcome, Score
from brainmark.core.subject import Subject, is_ours, name_of
from brainmark.models.activations.kept import keep_activations
from brainmark.models.subjects.coerce import as_subject
from brainmark.models.subjects.features import FeatureSubject
from brainmark.run.apart import Isolation, isolate, run_apart
from brainmark.run.declared import Declared, declare_benchmark, declare_model, digest_declared
from brainmark.run.layer_choice import note_on, recall_choices, with_chosen_layers
from brainmark.run.stamp import code_digest, data_origin, make_stamp, versions
from brainmark.store.results import KeptCard, ResultStore, key_of

Layers = Literal["committed", "chosen"]
"""Which layers stand for regions: those that the model commits to, or those that were chosen for it."""
Dependencies = Mapping[str, str]
"""All that an outcome depends on: names, with their versions or digests."""
Key = tuple[int, str, tuple[str, ...]]


def score(
    model: Any,
    benchmark: str | Benchmark,
    *,
    cache: bool = True,
    layers: Layers = "committed",
    device: str | None = None,
    precision: Precision | None = None,
    isolation: Isolation | None = None,
) -> Score:
    """Score a model on a benchmark.

    Parameters
    ----------
    model : a registered name, a `torch.nn.Module`, `brainmark.features`, or any object with ``perform(experiment)``.
    benchmark : a registered name or a `Benchmark`.
    cache : look up and remember scores of registered names (see `brainmark.store.database`), and activations (see
        `brainmark.models.activations.kept`).
    layers : "chosen" records regions from the layers that `brainmark layers` chose for the model and kept.
    device, precision : what networks and metrics run on, and the type in which networks compute, see
        `brainmark.core.devices.compute_on`.
    isolation : where code of others runs: "sandbox", "process", "none" (in this process) or "auto"; None: as the
        environment says (``BRAINMARK_ISOLATION``), or "auto". A Python object runs in this process.

    Raises
    ------
    UnknownName, NotApplicable, InvalidMeasurement, DataError, ModelError, ResourceError, MissingSandbox
    """
    with isolate(isolation), compute_on(device, precision):
        subject, task = GivenModel(model, layers), GivenBenchmark(benchmark)
        depends_on = depend_on(subject, task) if cache else None
        if depends_on and (known := _recall(subject, task, depends_on)):
            return known
        try:
            with keep_activations(cache):
                result = compute(subject, task, Answers())
        except BrainmarkError as error:
            remember(subject, task, depends_on, as_failure(subject.name, task.name, error))
            raise
        remember(subject, task, depends_on, result)
        return result


def as_failure(model: str, benchmark: str, error: Exception) -> Failure:
    """Return the failure that an error stands for; plug-ins may derive errors of their own, and make them odd."""
    kind: Any = getattr(error, "kind", "contract")
    reason = tell(error)
    if isinstance(error, BrainmarkError):
        reason = reason.removeprefix(f"{type(error).__name__}: ")
    return Failure(benchmark, model, kind if kind in get_args(FailureKind) else "model", reason)


def compute(model: GivenModel, benchmark: GivenBenchmark, answers: Answers) -> Score:
    """Score a model on a benchmark, whatever is kept. Raises what `score` raises."""
    reset_peak_memory()
    task, subject = benchmark.load(), model.subject
    task.prepare()  # shared by all models: not in the time of the first
    begun = time.perf_counter()
    asked = (id(subject), *task.experiment.key)
    answer = answers.get(asked)
    with gather_notes() as notes:
        if answer is None:
            with contain(f"{model.name} on {task.identifier}"):
                answer = take(subject, task.experiment)
            benchmark.check_unchanged(model.name)
            answers.keep(asked, answer)
        with run_apart():  # a control may be a twin of the model
            result = task.score_answer(task.accept(answer, model.name))
    seconds = time.perf_counter() - begun
    weights = _read_weights(subject, model.name)
    if model.layers == "chosen" and (note := note_on(model.name, task)):
        notes[note] = None
    result = replace(result, notes=(*result.notes, *notes))
    return replace(result, stamp=make_stamp(task, weights, model.fingerprint, seconds, benchmark.origin))


def _recall(model: GivenModel, benchmark: GivenBenchmark, depends_on: Mapping[str, str]) -> Score | None:
    """Return the score that was kept and still holds; None, and a warning of what changed, where there is none."""
    key = key_of(model.name, benchmark.name, model.layers)
    try:
        store = ResultStore.open()
        if isinstance(known := store.get(key, depends_on), Score):
            return known
        changes = store.find_changes(key, depends_on)
    except DataError:  # which is told when the score cannot be remembered
        changes = ()
    for change in changes:
        warn(f"scores that are kept no longer hold, and are computed anew: {change}")
    return None


def remember(
    model: GivenModel, benchmark: GivenBenchmark, depends_on: Mapping[str, str] | None, outcome: Outcome
) -> None:
    """Keep an outcome if it is known what it depends on; where that fails, a warning says so."""
    try:
        keep(model, benchmark, depends_on, outcome)
    except DataError as error:
        warn(f"the score is not remembered: {error}")


def keep(model: GivenModel, benchmark: GivenBenchmark, depends_on: Mapping[str, str] | None, outcome: Outcome) -> None:
    """Keep an outcome if it is known what it depends on. Raises DataError: see `ResultStore.put`."""
    if depends_on is None:
        return
    one, other = model.entry, benchmark.entry
    ResultStore.open().put(
        add_code(depends_on) if isinstance(outcome, Failure) else depends_on,
        outcome,
        layers=model.layers,
        convention=other.card.tree if other else "",
        model_card=KeptCard("model", one.name, one.card.model_dump_json()) if one else None,
        benchmark_card=KeptCard("benchmark", other.name, other.card.model_dump_json()) if other else None,
    )


def add_code(depends_on: Dependencies) -> Dependencies:
    """Return what a failure depends on beside: all code, and the versions of libraries, which may be its cause."""
    return {**depends_on, "code": code_digest(), **versions()}


def _read_weights(subject: Subject, name: str) -> str | None:
    """Return the digest of the weights of a subject that has some."""
    if is_ours(subject):
        return getattr(subject, "weights_digest", None)
    with contain(f"{name}: its weights_digest"):
        digest = getattr(subject, "weights_digest", None)
        return None if digest is None else str(digest)


class Answers:
    """Answers kept in memory while several benchmarks run the same experiment on the same subject.

    At most `budget` bytes are kept; the oldest answers go first. `Subject.perform` is pure, so an answer stands for
    every experiment that asks the same about the same stimuli under the same names. Whoever keeps answers keeps
    their subjects too: the keys tell them apart as objects.
    """

    def __init__(self, budget: int = 2 * 2**30) -> None:
        self.budget = budget
        self._kept: OrderedDict[Key, xr.DataArray] = OrderedDict()

    def get(self, key: Key) -> xr.DataArray | None:
        """Return the answer that was kept, or None."""
        if key in self._kept:
            self._kept.move_to_end(key)
        return self._kept.get(key)

    def forget(self, subject: Any) -> None:
        """Drop the answers of a subject, which is no longer kept either."""
        for key in [key for key in self._kept if key[0] == id(subject)]:
            del self._kept[key]

    def keep(self, key: Key, answer: xr.DataArray) -> xr.DataArray:
        """Keep an answer, and return it; an answer that is not an array is checked elsewhere."""
        if isinstance(answer, xr.DataArray):  # pyright: ignore[reportUnnecessaryIsInstance]
            self._kept[key] = answer
            while len(self._kept) > 1 and sum(a.nbytes for a in self._kept.values()) > self.budget:
                self._kept.popitem(last=False)
        return answer


class GivenModel:
    """A model given by name or as an object; made when first needed, once."""

    def __init__(self, given: Any, layers: Layers = "committed") -> None:
        self.given, self.layers = given, layers
        self._broken: ModelError | None = None
        self.entry = self._find_entry(given)
        self.name = given if isinstance(given, str) else name_of(self._own)

    def _find_entry(self, given: Any) -> Entry[Subject, ModelCard] | None:
        if isinstance(given, FeatureSubject):
            return given.entry
        return self._look_up(given) if isinstance(given, str) else None

    def _look_up(self, name: str) -> Entry[Subject, ModelCard] | None:
        """Return its entry; None where its own code fails, as every score of it then does."""
        if name in registry.models:
            return registry.models[name]
        try:
            with run_apart(self.layers == "committed"), contain(name):  # layers are chosen in this process
                return registry.models[name]
        except ModelError as error:
            self._broken = error
            return None

    def drop(self) -> Subject | None:
        """Forget the subject of a registered model, which is made anew when it is needed; return it."""
        if self.entry is None:
            return None
        self.__dict__.pop("_own", None)
        return self.__dict__.pop("subject", None)

    @cached_property
    def subject(self) -> Subject:
        """The model, with the layers that were chosen for it; made when it is first needed."""
        return self._own if self.layers == "committed" else with_chosen_layers(self._own, self.name)

    @cached_property
    def _own(self) -> Subject:
        if self._broken:
            raise self._broken
        if self.entry:
            with contain(f"{self.entry.name} cannot be made"):
                return self.entry.load()
        if hasattr(self.given, "perform") and not isinstance(self.given, type):
            return self.given
        return as_subject(self.given)

    @cached_property
    def choices(self) -> dict[str, str]:
        """What was chosen for it, as far as the score and the note on it depend on it."""
        chosen = {} if self.layers == "committed" else recall_choices(self.name)
        return {
            f"model {self.name}: layer of {region}": repr(
                (c.chosen.layer, c.chosen.pool, c.public, c.stimuli, len(c.candidates))
            )
            for region, c in chosen.items()
        }

    @cached_property
    def declared(self) -> Declared | None:
        """See `declare_model`; None of an object."""
        if self._broken:
            raise self._broken
        found = declare_model(self.entry) if self.entry else None
        return None if found is None else found | self.choices

    @property
    def fingerprint(self) -> str:
        """The digest of its registration; of an object, its type."""
        return digest_declared(self.declared) or f"object {type(self.given).__qualname__}"


class GivenBenchmark:
    """A benchmark given by name or as an object; loaded when first needed, once, even if that fails."""

    def __init__(self, given: str | Benchmark) -> None:
        if not isinstance(given, str | Benchmark):  # pyright: ignore[reportUnnecessaryIsInstance]
            raise TypeError(f"a benchmark is a registered name or a Benchmark, not a {type(given).__name__}")
        self.entry = registry.benchmarks[given] if isinstance(given, str) else None
        self.name = given if isinstance(given, str) else given.identifier
        self._loaded: Benchmark | BrainmarkError | None = None if isinstance(given, str) else given
        self.origin = "given" if self.entry is None else ""
        self._checksum: int | None = None

    @cached_property
    def declared(self) -> Declared | None:
        """See `declare_benchmark`; None of an object."""
        return declare_benchmark(self.entry) if self.entry else None

    def load(self) -> Benchmark:
        """Return the benchmark, checked to be as it was. Raises BrainmarkError: as its factory does, every time."""
        if self._loaded is None and self.entry is not None:
            try:
                self._loaded = _make(self.entry)
                self.origin = data_origin(self.entry.card.datasets)
            except BrainmarkError as error:
                self._loaded = error
        if isinstance(self._loaded, BrainmarkError):
            raise self._loaded
        if not isinstance(self._loaded, Benchmark):
            kind = type(self._loaded).__name__
            raise InvalidRegistration(f"{self.name}: its factory makes a {kind}, not a Benchmark")
        found = checksum(self._loaded.experiment, self._loaded.target)
        self._checksum = found if self._checksum is None else self._checksum
        if found != self._checksum:
            raise DataError(f"{self.name}: its stimuli or its target were changed in memory; start the program anew")
        return self._loaded

    def drop(self) -> None:
        """Forget what was loaded of a registered benchmark; it is loaded anew when it is needed."""
        if self.entry is not None and not isinstance(self._loaded, BrainmarkError):
            self._loaded = self._checksum = None

    def check_unchanged(self, model: str) -> None:
        """Raise ModelError: stimuli or target are not what they were; what can be loaded again is dropped."""
        made = self._loaded
        if isinstance(made, Benchmark) and checksum(made.experiment, made.target) != self._checksum:
            if self.entry is not None:
                self._loaded = None
            raise ModelError(f"{model} changed the stimuli or the target of {self.name}")


def _make(entry: Entry[Any, Any]) -> Any:
    """Load a benchmark; any error of its code becomes one of its registration, so that others can still be scored."""
    try:
        with contextlib.redirect_stdout(sys.stderr):  # what it prints is no part of what a command prints
            return entry.load()
    except (BrainmarkError, MemoryError):
        raise
    except (Exception, SystemExit) as error:
        raise InvalidRegistration(f"{entry.name} cannot be made: {tell(error)}") from error


def depend_on(model: GivenModel, benchmark: GivenBenchmark) -> Declared | None:
    """Return all that a score depends on, by name; None where that cannot be known, as for objects.

    It is what `run.declared` says of model and benchmark, the layers that were chosen for the model, and the precision
    of networks, in words: ``{"model gabor: version": "1", "metric ridge: selection": "loo", "dataset X: files": "9f",
    ...}``. Neither data nor networks are loaded for it. Each half is found once for a `GivenModel` and a
    `GivenBenchmark`, so that a pair takes no more than to join two dictionaries. The code of this package and versions
    of libraries are in the stamp alone, and so is the device: it changes how sums are rounded, and nothing else.
    """
    if model.declared is None or benchmark.declared is None:
        return None
    return {**model.declared, **benchmark.declared, "recording: precision": in_use().precision}
