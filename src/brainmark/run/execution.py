"""Executes plans: gives jobs to places, keeps each outcome as its job ends, and loses no more than what was running."""

from __future__ import annotations

import contextlib
import threading
import time
from collections.abc import Callable, Generator, Iterable, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, wait
from contextvars import Context, copy_context
from dataclasses import dataclass, field
from typing import Any, TypeVar

from brainmark.core.benchmark import Benchmark
from brainmark.core.devices import Precision, compute_on
from brainmark.core.errors import DataError, ResourceError, tell, warn
from brainmark.core.memory import available_memory
from brainmark.core.score import Failure, Outcome, Score
from brainmark.core.wording import bytes_text, duration, plural
from brainmark.run.apart import Isolation, isolate
from brainmark.run.executors import Here, Place
from brainmark.run.jobs import Finished
from brainmark.run.plan import Job, Plan, PlannedJob, make_plan, recall
from brainmark.run.scoring import Layers, keep, remember
from brainmark.run.waiting import Group, Waiting, group_of
from brainmark.store.claims import Claimed, Claims
from brainmark.store.results import ResultStore, digest_state

TICK = 0.5
"""Seconds between two looks at what runs."""
LOOK = 2.0
"""Seconds between two looks at what another run works on."""
LEAST_FREE = 300 * 10**6
"""Bytes of free memory of the machine below which the process that holds most is ended."""
RETRIED = ("resource", "environment")
"""Kinds of failures after which a job is tried once more elsewhere."""
T = TypeVar("T")


@dataclass(frozen=True)
class RunLimits:
    """What an execution may take.

    Attributes
    ----------
    seconds : for one job; None: as long as it takes.
    memory : bytes for all that runs at once on this machine; None: what is free when it begins, less a tenth.
    """

    seconds: float | None = None
    memory: int | None = None


FREE = RunLimits()


@dataclass
class Progress:
    """How far an execution is, for whoever watches it.

    Attributes
    ----------
    total, known : jobs of the plan; those of which an outcome was kept before.
    scored, failed, not_applicable : outcomes of this execution.
    running : jobs that run, with the moment at which they began (`time.monotonic`).
    left : jobs to do, without those that run here or in another run, which are counted as `elsewhere`.
    """

    total: int = 0
    known: int = 0
    scored: int = 0
    failed: int = 0
    not_applicable: int = 0
    running: dict[Job, float] = field(default_factory=dict[Job, float])
    left: Waiting = field(default_factory=lambda: Waiting(()))
    begun: float = field(default_factory=time.monotonic)
    places: int = 1
    elsewhere: int = 0

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
    return _run_in(context, _recall_all(plan) if finished else execute(plan, started=started, strict=False))


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
    limits: RunLimits = FREE,
    strict: bool = True,
    started: Callable[[str, str], None] | None = None,
    progress: Progress | None = None,
) -> Generator[Outcome]:
    """Do the jobs of a plan, and yield their outcomes: first those that were kept, then the others as they end.

    Parameters
    ----------
    places : where jobs are done; without any, here, and no job is refused for its memory.
    strict : whether the execution ends when an outcome cannot be kept; else a warning says so.

    Raises
    ------
    DataError : an outcome cannot be kept, as the disk is full.
    ResourceError : a process that should do jobs cannot be started.
    """
    _tell_of_changes(plan, "scores that are kept no longer hold, and are computed anew")
    state = progress or Progress()
    state.total, state.known = len(plan.jobs), len(plan.jobs) - len(plan.to_do)
    yield from (job.known for job in plan.jobs if job.known is not None)
    if not plan.to_do:
        return
    away = [job for job in plan.to_do if places and job.portable]
    here = [job for job in plan.to_do if not places or not job.portable]
    for jobs, where in ((away, places), (here, [Here()])):
        if jobs:
            yield from _Execution(jobs, where, limits, strict, plan.retry_failed, started, state).run()


@dataclass
class _Attempt:
    job: PlannedJob
    place: Place


class _Execution:
    """The jobs that wait, those that run, and those that another run works on."""

    def __init__(
        self,
        jobs: Sequence[PlannedJob],
        places: Sequence[Place],
        limits: RunLimits,
        strict: bool,
        retry_failed: bool,
        started: Callable[[str, str], None] | None,
        progress: Progress,
    ) -> None:
        self._places, self._limits, self._strict, self._started = places, limits, strict, started
        self._waiting, self._progress, self._retry_failed = Waiting(jobs), progress, retry_failed
        self._attempts: dict[Future[Finished], _Attempt] = {}
        self._elsewhere: list[PlannedJob] = []
        self._tries: dict[PlannedJob, int] = {}
        self._last: dict[Place, Group] = {}
        self._finished: list[Claimed] = []
        self._looked = 0.0
        self._store = _open_store(strict) if any(job.depends_on for job in jobs) else None
        self._claims = Claims(self._store) if self._store else None
        self._room = limits.memory or int(available_memory() * 0.9)
        progress.left, progress.places = self._waiting, len(places)

    def run(self) -> Generator[Outcome]:
        """Yield the outcomes as they are known."""
        with contextlib.ExitStack() as stack:
            if self._claims:
                stack.enter_context(self._claims)
            for place in self._places:
                stack.callback(place.close)
            while self._waiting or self._attempts or self._elsewhere:
                for place in self._places:
                    if not any(attempt.place is place for attempt in self._attempts.values()):
                        yield from self._give_work(place)
                        yield from self._collect(0.0)
                yield from self._collect(TICK)
                yield from self._look_elsewhere()

    # --- giving jobs to places ---------------------------------------------------------------------------------------

    def _give_work(self, place: Place) -> Generator[Outcome]:
        """Begin a job at a place; outcomes that another run kept meanwhile come out."""
        busy = {group_of(attempt.job) for attempt in self._attempts.values()}
        while job := self._waiting.take(self._last.get(place), busy, lambda one: self._fits(one, place)):
            if not self._claim(job):
                self._elsewhere.append(job)
                self._progress.elsewhere = len(self._elsewhere)
            elif known := self._recall(job):
                yield self._conclude(job, known, kept=True)
            elif self._is_too_big(job, place):
                yield self._conclude(job, self._refuse(job))
            else:
                self._begin(job, place)
                return

    def _begin(self, job: PlannedJob, place: Place) -> None:
        if self._started:
            self._started(job.job.model, job.job.benchmark)
        self._progress.running[job.job] = time.monotonic()
        self._last[place] = group_of(job)
        self._attempts[place.submit(job)] = _Attempt(job, place)

    def _fits(self, job: PlannedJob, place: Place) -> bool:
        """Return whether there is memory for a job beside those that run; one alone is always tried."""
        running = [a.job.estimate.memory for a in self._attempts.values() if a.place.shares_memory]
        return not place.shares_memory or not running or sum(running) + job.estimate.memory <= self._room

    def _is_too_big(self, job: PlannedJob, place: Place) -> bool:
        """Return whether a job is known to need more memory than there is; a guess refuses none."""
        return place.shares_memory and job.estimate.measured and job.estimate.memory > self._room

    def _refuse(self, job: PlannedJob) -> Failure:
        need, free = bytes_text(job.estimate.memory), bytes_text(self._room)
        reason = f"it needs {need} of memory, as it did before, and {free} are free; use a larger machine, or --memory"
        return Failure(job.job.benchmark, job.job.model, "resource", reason)

    # --- what became of them -----------------------------------------------------------------------------------------

    def _collect(self, seconds: float) -> Generator[Outcome]:
        """Wait a while, and yield the outcomes of jobs that ended, or had to be ended."""
        if not self._attempts:
            return
        done, _ = wait(self._attempts, timeout=seconds, return_when=FIRST_COMPLETED)
        for future in done:
            attempt = self._attempts.pop(future)
            yield from self._settle(attempt, _read(future, attempt), kept=True)
        if seconds:
            for future, reason in self._find_overdue().items():
                attempt = self._attempts.pop(future)
                attempt.place.restart()
                job = attempt.job.job
                yield from self._settle(attempt, Finished(Failure(job.benchmark, job.model, "resource", reason)), True)

    def _find_overdue(self) -> dict[Future[Finished], str]:
        """Return jobs that take too long or too much memory, with the reason to end them."""
        found: dict[Future[Finished], str] = {}
        local = [(f, a.place.measure_memory()) for f, a in self._attempts.items() if a.place.shares_memory]
        free, held = available_memory() if local else 0, sum(memory for _, memory in local)
        if local and (free < LEAST_FREE or (self._limits.memory is not None and held > self._limits.memory)):
            future, memory = max(local, key=lambda pair: pair[1])
            room = bytes_text(self._room if free >= LEAST_FREE else free)
            found[future] = f"it was ended when it held {bytes_text(memory)} of memory, and there were {room}"
        limit = self._limits.seconds
        for future, attempt in self._attempts.items():
            if limit is not None and attempt.place.measure_time() > limit:
                found.setdefault(future, f"it took longer than the limit of {duration(limit)} for a job (--time-limit)")
        return found

    def _settle(self, attempt: _Attempt, finished: Finished, kept: bool) -> Generator[Outcome]:
        """Yield the outcome of a job, unless it is tried once more."""
        job, outcome = attempt.job, finished.outcome
        self._progress.running.pop(job.job, None)
        for text in finished.warnings:
            warn(text)
        tries = self._tries[job] = self._tries.get(job, 0) + 1
        again = isinstance(outcome, Failure) and outcome.kind in RETRIED and attempt.place.replaceable
        if again and tries < 2:
            attempt.place.restart()
            self._waiting.put(job)
            return
        if again and isinstance(outcome, Failure):
            outcome = Failure(outcome.benchmark, outcome.subject, outcome.kind, f"{outcome.reason} (tried twice)")
        if kept:
            self._keep(job, outcome)
        yield self._conclude(job, outcome)

    def _conclude(self, job: PlannedJob, outcome: Outcome, kept: bool = False) -> Outcome:
        """Count an outcome; `kept`: another run had computed it."""
        if job.depends_on:
            self._finished.append(_make_claim(job))
        if kept:
            self._progress.known += 1
        else:
            self._progress.count(outcome)
        return outcome

    def _keep(self, job: PlannedJob, outcome: Outcome) -> None:
        if self._strict:
            self._wait_for_store(lambda: keep(job.model, job.benchmark, job.depends_on, outcome))
        else:
            remember(job.model, job.benchmark, job.depends_on, outcome)

    # --- sharing the store with other runs ---------------------------------------------------------------------------

    def _claim(self, job: PlannedJob) -> bool:
        """Return whether no other run works on a job; this one then does."""
        claims = self._claims
        if claims is None or not job.depends_on:
            return True
        try:
            had = self._wait_for_store(lambda: claims.take(_make_claim(job), self._finished))
        except DataError:
            if self._strict:
                raise
            return True  # that nothing is remembered is told when it is tried
        self._finished.clear()
        return had

    def _recall(self, job: PlannedJob) -> Outcome | None:
        """Return the outcome that another run kept since the plan was made."""
        if self._store is None or not job.depends_on or self._tries.get(job):
            return None
        with contextlib.suppress(DataError):
            return recall(self._store, job.key, job.depends_on, self._retry_failed)
        return None

    def _look_elsewhere(self) -> Generator[Outcome]:
        """Yield what other runs finished; what they gave up waits here again."""
        if not self._elsewhere or time.monotonic() - self._looked < LOOK:
            if self._elsewhere and not self._attempts and not self._waiting:
                time.sleep(TICK)
            return
        self._looked = time.monotonic()
        others, self._elsewhere = self._elsewhere, []
        for job in others:
            if known := self._recall(job):
                yield self._conclude(job, known, kept=True)
            else:
                self._waiting.put(job)
        self._progress.elsewhere = 0

    def _wait_for_store(self, action: Callable[[], T]) -> T:
        """Do something with the store; where another program locks it, say so, and wait."""
        with _tell_later("the store of scores does not answer: another program may lock it; waiting", 10.0):
            for attempt in range(10):
                try:
                    return action()
                except DataError as error:
                    if "locked" not in str(error) or attempt == 9:
                        raise
        raise AssertionError


@contextlib.contextmanager
def _tell_later(message: str, seconds: float) -> Generator[None]:
    """Warn if the block takes longer than so many seconds."""
    timer = threading.Timer(seconds, warn, [message])
    timer.daemon = True
    timer.start()
    try:
        yield
    finally:
        timer.cancel()


def _open_store(strict: bool) -> ResultStore | None:
    try:
        return ResultStore.open()
    except DataError:
        if strict:
            raise
        return None


def _make_claim(job: PlannedJob) -> Claimed:
    return job.key, digest_state(job.depends_on or {})


def _read(future: Future[Finished], attempt: _Attempt) -> Finished:
    """Return what a worker returned; where it died, a failure that says how."""
    error = None
    try:
        error = future.exception()
        if error is None:
            return future.result()
    except BaseException as stop:  # noqa: BLE001 - a cancelled future raises an error that is no Exception
        error = stop
    end = attempt.place.restart()
    if not attempt.place.ready:
        raise ResourceError(
            f"a process that should work could not be started ({end or tell(error)}); a script that runs jobs in "
            "processes begins with: if __name__ == '__main__':"
        ) from error
    told = f" ({end})" if end else f" ({tell(error)})"
    hint = "; it crashed, or ran out of memory" if end else ""
    job = attempt.job.job
    return Finished(Failure(job.benchmark, job.model, "resource", f"the process that computed it ended{told}{hint}"))
