"""Scoring: names or objects in, scores or typed failures out."""

from __future__ import annotations

import hashlib
import json
import time
import warnings
from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace
from functools import cached_property
from typing import Any, Literal

from brainmark.core import registry
from brainmark.core.benchmark import Benchmark
from brainmark.core.cards import BenchmarkCard
from brainmark.core.errors import BrainmarkError, DataError, InvalidRegistration, ModelError
from brainmark.core.registry import Entry
from brainmark.core.score import Failure, Score
from brainmark.core.subject import Subject
from brainmark.data.fetch.places import home
from brainmark.models.subjects.vision import as_subject
from brainmark.run.answers import Answers
from brainmark.run.layers import kept, note_on, with_chosen_layers
from brainmark.run.origin import data_origin
from brainmark.run.stamp import code_digest, entry_fingerprint, make_stamp, versions
from brainmark.store.results import ResultStore

Outcome = Score | Failure
Layers = Literal["committed", "chosen"]
"""Which layers stand for regions: those that the model commits to, or those that were chosen for it."""


class _Model:
    """A model given by name or as an object; made when first needed, once."""

    def __init__(self, given: Any, layers: Layers = "committed") -> None:
        self.given, self.layers = given, layers
        self.entry = registry.models[given] if isinstance(given, str) else None
        self.name: str = given if isinstance(given, str) else _identifier(self._made)

    @cached_property
    def subject(self) -> Subject:
        if self.layers == "committed":
            return self._made

        return with_chosen_layers(self._made, self.name)

    @cached_property
    def _made(self) -> Subject:
        if self.entry:
            try:
                return self.entry.load()
            except (BrainmarkError, MemoryError):
                raise
            except Exception as error:  # somebody's code may raise anything, and others are still to be scored
                raise ModelError(f"{self.name} cannot be made: {type(error).__name__}: {error}") from error
        if hasattr(self.given, "perform") and not isinstance(self.given, type):
            return self.given

        return as_subject(self.given)

    @property
    def choices(self) -> dict[str, Any]:
        """What was chosen for it, as far as the score and the note on it depend on it."""
        if self.layers == "committed":
            return {}

        return {
            region: [c.chosen.layer, c.chosen.pool, c.public, c.stimuli, len(c.candidates)]
            for region, c in kept(self.name).items()
        }

    @property
    def fingerprint(self) -> str:
        known = entry_fingerprint(self.entry) if self.entry else None
        return known or f"object {type(self.given).__qualname__}"


def _identifier(subject: Any) -> str:
    return str(getattr(subject, "identifier", None) or type(subject).__name__)


class _Benchmark:
    """A benchmark given by name or as an object; loaded when first needed, once, even if that fails."""

    def __init__(self, given: str | Benchmark) -> None:
        if not isinstance(given, str | Benchmark):  # pyright: ignore[reportUnnecessaryIsInstance]
            raise TypeError(f"a benchmark is a registered name or a Benchmark, not a {type(given).__name__}")
        self.entry = registry.benchmarks[given] if isinstance(given, str) else None
        self.name = given if isinstance(given, str) else given.identifier
        self._loaded: Benchmark | BrainmarkError | None = None if isinstance(given, str) else given
        self.origin = "given" if self.entry is None else ""

    def load(self) -> Benchmark:
        if self._loaded is None and self.entry is not None:
            try:
                self._loaded = _made_by(self.entry)
                self.origin = data_origin(self.entry.card.datasets)
            except BrainmarkError as error:
                self._loaded = error
        if isinstance(self._loaded, BrainmarkError):
            raise self._loaded
        assert self._loaded is not None
        return self._loaded


def _made_by(entry: Entry[Benchmark, BenchmarkCard]) -> Benchmark:
    """Return the benchmark of an entry; somebody's code may raise anything, and others are still to be scored.

    Raises
    ------
    InvalidRegistration : its factory fails, or makes something else.
    """
    try:
        made = entry.load()
    except (BrainmarkError, MemoryError):
        raise
    except Exception as error:
        raise InvalidRegistration(f"{entry.name} cannot be made: {type(error).__name__}: {error}") from error
    if not isinstance(made, Benchmark):  # pyright: ignore[reportUnnecessaryIsInstance]
        raise InvalidRegistration(f"{entry.name}: its factory makes a {type(made).__name__}, not a Benchmark")
    return made


def score(model: Any, benchmark: str | Benchmark, *, cache: bool = True, layers: Layers = "committed") -> Score:
    """Score a model on a benchmark.

    Parameters
    ----------
    model : a registered name, a `torch.nn.Module`, or any object with ``perform(experiment)``.
    benchmark : a registered name or a `Benchmark`.
    cache : look up and remember scores of registered names (in ``BRAINMARK_HOME/results``).
    layers : "chosen" reads regions from the layers that `run.layers` chose for the model and kept.

    Raises
    ------
    UnknownName, NotApplicable, InvalidMeasurement, DataError, ModelError, ResourceError
    """
    return _score(_Model(model, layers), _Benchmark(benchmark), cache, Answers())


def score_all(
    models: Iterable[Any],
    benchmarks: Iterable[str | Benchmark],
    *,
    cache: bool = True,
    layers: Layers = "committed",
    started: Callable[[str, str], None] | None = None,
    finished: bool = False,
) -> Iterator[Outcome]:
    """Score every model on every benchmark, benchmark by benchmark; what fails becomes a `Failure`.

    `started(model, benchmark)` is called before each. All names are looked up before anything is computed, so that
    a misspelled one costs nothing. Interrupted, the same call continues: finished scores are remembered. With
    `finished` only those are given, and nothing is computed.
    """
    if isinstance(models, str) or isinstance(benchmarks, str):
        raise TypeError("score_all takes lists of models and benchmarks; for one of each use score(model, benchmark)")
    subjects, tasks = [_Model(m, layers) for m in models], [_Benchmark(b) for b in benchmarks]
    if finished:
        return _finished(subjects, tasks)
    return _outcomes(subjects, tasks, cache, started)


def _finished(subjects: list[_Model], tasks: list[_Benchmark]) -> Iterator[Outcome]:
    store = ResultStore(home() / "results")
    for task in tasks:
        for subject in subjects:
            try:
                key = result_key(subject, task)
            except BrainmarkError:  # a model that cannot be made has no scores
                continue
            if key and (known := store.get(key)):
                yield known


def _outcomes(
    subjects: list[_Model], tasks: list[_Benchmark], cache: bool, started: Callable[[str, str], None] | None
) -> Iterator[Outcome]:
    answers = Answers()
    for task in tasks:
        for subject in subjects:
            if started:
                started(subject.name, task.name)
            try:
                yield _score(subject, task, cache, answers)
            except BrainmarkError as error:
                yield Failure(task.name, subject.name, error.kind, str(error))
            except MemoryError as error:
                yield Failure(task.name, subject.name, "resource", f"out of memory: {error}")


def _score(model: _Model, benchmark: _Benchmark, cache: bool, answers: Answers) -> Score:
    key = result_key(model, benchmark) if cache else None
    store = ResultStore(home() / "results")
    if key and (known := store.get(key)):
        return known
    loaded = benchmark.load()
    loaded.prepare()  # shared by all models: not in the time of the first
    begun = time.perf_counter()
    result = loaded(answers.of(model.subject, model.name))
    seconds = time.perf_counter() - begun
    if model.layers == "chosen":
        note = note_on(model.name, loaded)
        result = replace(result, notes=(*result.notes, note)) if note else result
    result = result.stamped(make_stamp(loaded, model.subject, model.fingerprint, seconds, benchmark.origin))
    if key:
        try:
            store.put(key, result)
        except DataError as error:  # the score itself is fine, and is returned
            warnings.warn(f"the score is not remembered: {error}", stacklevel=2)
    return result


def result_key(model: _Model, benchmark: _Benchmark) -> str | None:
    """Return the sha256 of all that the score depends on; None where that cannot be known, as for objects.

    It covers the registrations of model, benchmark, metric and datasets with their source code (of a whole package,
    if it is not ours), the sha256 of every data file on the cards, all source code of this package, and the versions
    of the numerical packages.
    """
    if model.entry is None or benchmark.entry is None:
        return None
    card = benchmark.entry.card
    data = [entry for name in card.datasets if (entry := registry.datasets.find(name))]
    metric = [registry.metrics[card.metric]] if card.metric in registry.metrics else []
    fingerprints = [entry_fingerprint(e) for e in (model.entry, benchmark.entry, *data, *metric)]
    if None in fingerprints:
        return None
    sources = [s.digest for entry in data for s in entry.card.sources]
    parts = [fingerprints, sources, code_digest(), versions(), model.choices]
    return hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()
