"""Does jobs in one process, one after another, and shares between them what is loaded and answered."""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass

from brainmark.core.errors import BrainmarkError
from brainmark.core.memory import resident_memory
from brainmark.core.score import Failure, Outcome
from brainmark.models.activations.kept import keep_activations
from brainmark.run import stamp
from brainmark.run.plan import Job
from brainmark.run.scoring import Answers, GivenBenchmark, GivenModel, as_failure, compute

MOST_HELD = 3 * 10**9
"""Bytes of a process from which on only the model of the present job is held, and no other."""


@dataclass(frozen=True)
class Finished:
    """What became of a job.

    Attributes
    ----------
    loaded : names of the packages that were in use, see `stamp.versions`.
    """

    outcome: Outcome
    loaded: tuple[str, ...] = ()


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
        return Finished(outcome, tuple(stamp.versions(loaded=True)))

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
