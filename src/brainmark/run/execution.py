"""Executes plans: gives jobs to places, keeps each outcome as its job ends, and loses no more than what was running."""

from __future__ import annotations

import time
from collections.abc import Callable, Generator, Iterable, Iterator, Sequence
from contextvars import Context, copy_context
from dataclasses import dataclass, field
from typing import Any

from brainmark.core.benchmark import Benchmark
from brainmark.core.devices import Precision, compute_on
from brainmark.core.errors import warn
from brainmark.core.score import Outcome, Score
from brainmark.core.wording import plural
from brainmark.run.apart import Isolation, isolate
from brainmark.run.executors import Here, Place
from brainmark.run.plan import Job, Plan, PlannedJob, make_plan
from brainmark.run.scoring import Layers, remember

TICK = 0.2  # seconds between two looks at what runs


@dataclass
class Progress:
    """How far an execution is, for whoever watches it.

    Attributes
    ----------
    total, known : jobs of the plan; those of which an outcome was kept before.
    scored, failed, not_applicable : outcomes of this execution.
    running : jobs that run, with the moment at which they began (`time.monotonic`).
    left : jobs to do, without those that run.
    """

    total: int = 0
    known: int = 0
    scored: int = 0
    failed: int = 0
    not_applicable: int = 0
    running: dict[Job, float] = field(default_factory=dict[Job, float])
    left: list[PlannedJob] = field(default_factory=list[PlannedJob])
    begun: float = field(default_factory=time.monotonic)
    places: int = 1

    @property
    def done(self) -> int:
        """Jobs with an outcome, those known before included."""
        return self.known + self.scored + self.failed + self.not_applicable

    def count(self, outcome: Outcome) -> None:
        """Add an outcome."""
        if isinstance(outcome, Score):
            self.scored += 1
        elif outcome.kind == "not_applicable":
            self.not_applicable += 1
        else:
            self.failed += 1

    def estimate_left(self) -> float | None:
        """Return the seconds that are left.

        Jobs like none that was finished before are taken to need as long as those of this execution on average; None
        where there are none of these either.
        """
        computed = self.done - self.known
        average = (time.monotonic() - self.begun) * self.places / computed if computed else None
        times = [job.estimate.seconds if job.estimate.seconds is not None else average for job in self.left]
        if None in times or (self.running and average is None):
            return None
        return (sum(t for t in times if t is not None) + len(self.running) * (average or 0.0) / 2) / self.places


def score_all(
    models: Iterable[Any],
    benchmarks: Iterable[str | Benchmark],
    *,
    cache: bool = True,
    layers: Layers = "committed",
    started: Callable[[str, str], None] | None = None,
    finished: bool = False,
    device: str | None = None,
    precision: Precision | None = None,
    isolation: Isolation | None = None,
) -> Iterator[Outcome]:
    """Score every model on every benchmark, and yield each outcome as it is known; what fails becomes a `Failure`.

    Benchmarks on the same data follow each other, and of these all of one model, so that neither is loaded twice.
    `started(model, benchmark)` is called before each that is computed. All names are looked up before anything is
    computed, so that a misspelled one costs nothing. Interrupted, the same call continues: finished scores are
    remembered, failures are tried again. With `finished` only scores that are remembered are given, and nothing is
    computed. For `device` and `precision` see `brainmark.core.devices.compute_on`, for
    `isolation` `score`.
    """
    if isinstance(models, str) or isinstance(benchmarks, str):
        raise TypeError("score_all takes lists of models and benchmarks; for one of each use score(model, benchmark)")
    with isolate(isolation), compute_on(device, precision):
        plan = make_plan(models, benchmarks, layers=layers, cache=cache or finished, retry_failed=True)
        context = copy_context()
    return _run_in(context, _recall_all(plan) if finished else execute(plan, started=started))


def _run_in(context: Context, outcomes: Iterator[Outcome]) -> Iterator[Outcome]:
    """Yield outcomes that are computed in a context; what the caller does between them is outside of it."""
    while (outcome := context.run(next, outcomes, None)) is not None:
        yield outcome


def _recall_all(plan: Plan) -> Iterator[Outcome]:
    yield from (job.known for job in plan.jobs if isinstance(job.known, Score))
    _tell_of_changes(plan, "scores are kept that no longer hold")


def _tell_of_changes(plan: Plan, what: str) -> None:
    """Warn of the five most frequent changes for which kept outcomes hold no longer."""
    if plan.changed:
        most = sorted(plan.changed.items(), key=lambda item: -item[1])[:5]
        told = "; ".join(f"{change} ({count} {plural('score', count)})" for change, count in most)
        warn(f"{what}: {told}")


def execute(
    plan: Plan,
    places: Sequence[Place] = (),
    *,
    started: Callable[[str, str], None] | None = None,
    progress: Progress | None = None,
) -> Generator[Outcome]:
    """Do the jobs of a plan, and yield their outcomes: first those that were kept, then the others as they end."""
    _tell_of_changes(plan, "scores that are kept no longer hold, and are computed anew")
    state = progress or Progress()
    state.total, state.known = len(plan.jobs), len(plan.jobs) - len(plan.to_do)
    state.left = plan.to_do
    yield from (job.known for job in plan.jobs if job.known is not None)
    here = Here()
    while state.left:
        job = state.left.pop(0)
        if started:
            started(job.job.model, job.job.benchmark)
        state.running[job.job] = time.monotonic()
        outcome = here.submit(job).result().outcome
        del state.running[job.job]
        remember(job.model, job.benchmark, job.depends_on, outcome)
        state.count(outcome)
        yield outcome
