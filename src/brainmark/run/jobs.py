"""Does jobs in one process, one after another, and shares between them what is loaded and answered."""

from __future__ import annotations

import contextlib
import importlib
import multiprocessing
import os
import signal
import threading
import warnings
from collections import OrderedDict
from collections.abc import Iterable
from dataclasses import dataclass, replace
from multiprocessing.connection import wait

from brainmark.core import registry
from brainmark.core.devices import compute_on
from brainmark.core.errors import BrainmarkError
from brainmark.core.memory import resident_memory
from brainmark.core.score import Failure, Outcome
from brainmark.models.activations.kept import keep_activations
from brainmark.run.apart import isolate, run_apart
from brainmark.run.plan import Job
from brainmark.run.processes import stop_all
from brainmark.run.scoring import Answers, GivenBenchmark, GivenModel, as_failure, compute

MOST_HELD = 3 * 10**9
"""Bytes of a process from which on only the model of the present job is held, and no other."""


@dataclass(frozen=True)
class Finished:
    """What became of a job.

    Attributes
    ----------
    warnings : that were given meanwhile in another process.
    """

    outcome: Outcome
    warnings: tuple[str, ...] = ()


class Workbench:
    """What jobs share: benchmarks until other data come, models until they are no longer needed, and answers."""

    def __init__(self) -> None:
        self.answers = Answers()
        self._models: OrderedDict[str, GivenModel] = OrderedDict()
        self._benchmarks: dict[str, tuple[tuple[str, ...], GivenBenchmark]] = {}

    def do(self, job: Job) -> Finished:
        """Do a job that names its model and its benchmark."""
        try:
            model = self._models.get(job.model) or GivenModel(job.model, job.layers)
            known = self._benchmarks.get(job.benchmark)
            benchmark = known[1] if known else GivenBenchmark(job.benchmark)
        except BrainmarkError as error:  # these names are known to another process alone
            return Finished(as_failure(job.model, job.benchmark, error))
        return self.score(job, model, benchmark)

    def score(self, job: Job, model: GivenModel, benchmark: GivenBenchmark) -> Finished:
        """Score a model on a benchmark; any failure is an outcome."""
        for name in [name for name, (data, _) in self._benchmarks.items() if data != job.data]:
            self._benchmarks.pop(name)[1].drop()
        self._benchmarks[job.benchmark] = job.data, benchmark
        self._models[job.model] = model
        self._models.move_to_end(job.model)
        outcome = attempt(model, benchmark, self.answers, job.keep)
        if job.last:
            self._drop(job.model)
        while len(self._models) > 1 and resident_memory() > MOST_HELD:
            self._drop(next(iter(self._models)))
        return Finished(outcome)

    def _drop(self, name: str) -> None:
        self.answers.forget(self._models.pop(name).drop())


def attempt(model: GivenModel, benchmark: GivenBenchmark, answers: Answers, keep: bool = True) -> Outcome:
    """Return the score, or the failure that stands for any error; with `keep`, activations are kept and used."""
    try:
        with keep_activations(keep):
            return compute(model, benchmark, answers)
    except MemoryError as error:
        return Failure(benchmark.name, model.name, "resource", f"out of memory: {error}")
    except Exception as error:  # noqa: BLE001 - the others are still scored
        return as_failure(model.name, benchmark.name, error)


# --- in a process of its own ------------------------------------------------------------------------------------------

_one_at_a_time = threading.Lock()
_bench: Workbench | None = None


def perform(job: Job) -> Finished:
    """Do a job in a worker, which keeps what the next one may share; threads of one worker wait for each other."""
    global _bench
    with _one_at_a_time, run_apart(), warnings.catch_warnings(record=True) as told:
        warnings.simplefilter("default")
        _bench = _bench or Workbench()
        with compute_on(job.device, job.precision), isolate(job.isolation):
            finished = _bench.do(job)
    texts = (str(one.message) for one in told if issubclass(one.category, UserWarning))
    return replace(finished, warnings=tuple(dict.fromkeys(texts)))


def set_up_worker(modules: Iterable[str]) -> None:
    """Prepare a worker: it leaves Ctrl-C to its parent, ends with it, and knows what these modules register."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    parent = multiprocessing.parent_process()
    if parent is not None:
        threading.Thread(target=_end_with, args=(parent.sentinel,), name="parent", daemon=True).start()
    for name in modules:
        with contextlib.suppress(Exception):  # the jobs that need it then fail, and say so
            importlib.import_module(name)
    registry.discover()


def _end_with(sentinel: int) -> None:
    """Wait until the parent has ended, however it did, and end this process."""
    wait([sentinel])
    stop_all()
    os._exit(1)
