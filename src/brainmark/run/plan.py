"""Plans which models are scored on which benchmarks: what is known already, and what the rest may take.

A plan is made from what is kept and from cards alone: nothing is downloaded, and no network is loaded.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

from brainmark.core import registry
from brainmark.core.benchmark import Benchmark
from brainmark.core.cards import Source
from brainmark.core.devices import Precision, in_use
from brainmark.core.errors import BrainmarkError, DataError, warn
from brainmark.core.score import Failure, Outcome, Score
from brainmark.data.fetch import where
from brainmark.run.apart import Isolation, find_isolation
from brainmark.run.costs import UNKNOWN, Costs, Estimate
from brainmark.run.scoring import Dependencies, GivenBenchmark, GivenModel, Layers, add_code, depend_on
from brainmark.store.old_files import open_store
from brainmark.store.results import ResultStore, key_of

State = Literal["to do", "scored", "not applicable", "failed"]
TRIED_AGAIN = ("environment", "no_data", "not_run")
"""Kinds of failures that a plan does not remember: what was missing may be there now, and it costs little to look."""


@dataclass(frozen=True)
class Job:
    """One model on one benchmark, by names, so that another process or machine can do it.

    Attributes
    ----------
    model, benchmark, layers : as `brainmark.run.scoring.score` takes them.
    data : data sets of the benchmark; jobs on the same data follow each other.
    last : whether no later job of the plan needs the model.
    keep : whether activations are kept, and those that are kept used.
    device, precision : see `brainmark.core.devices.compute_on`.
    isolation : where foreign models run, see `brainmark.run.apart.isolate`; None: as the worker's machine decides.
    """

    model: str
    benchmark: str
    layers: Layers = "committed"
    data: tuple[str, ...] = ()
    last: bool = False
    keep: bool = True
    device: str | None = None
    precision: Precision = "float32"
    isolation: Isolation | None = None


@dataclass(frozen=True, eq=False)
class PlannedJob:
    """A job with all that is known of it before it is done.

    Attributes
    ----------
    model, benchmark : as they were given, by name or as objects.
    depends_on : what its outcome depends on; None where that cannot be known, and the outcome is not kept.
    known : the outcome that was kept and still holds.
    estimate : what it may take.
    """

    job: Job
    model: GivenModel
    benchmark: GivenBenchmark
    depends_on: Dependencies | None = None
    known: Outcome | None = None
    estimate: Estimate = UNKNOWN

    @property
    def key(self) -> str:
        """Under which its outcome is kept."""
        return key_of(self.job.model, self.job.benchmark, self.job.layers)

    @property
    def state(self) -> State:
        """What is known of it."""
        if self.known is None:
            return "to do"
        if isinstance(self.known, Score):
            return "scored"
        return "not applicable" if self.known.kind == "not_applicable" else "failed"

    @property
    def portable(self) -> bool:
        """Whether another process can find model and benchmark by their names."""
        entries = (self.model.entry, self.benchmark.entry)
        named = isinstance(self.model.given, str)  # features have an entry that no other process knows
        return named and all(entry is not None and entry.module != "__main__" for entry in entries)


@dataclass(frozen=True, eq=False)
class Plan:
    """All jobs, in the order in which they are done: those on the same data with the same model follow each other.

    Attributes
    ----------
    changed : what is not as it was when outcomes were kept that hold no longer, with their number.
    retry_failed : whether failures that were kept are tried again.
    """

    jobs: tuple[PlannedJob, ...]
    changed: Mapping[str, int] = field(default_factory=dict[str, int])
    retry_failed: bool = False

    @property
    def to_do(self) -> list[PlannedJob]:
        """The jobs without an outcome."""
        return [job for job in self.jobs if job.known is None]

    @property
    def seconds(self) -> float | None:
        """What the jobs to do may take one after another; None where that is unknown of one."""
        times = [job.estimate.seconds for job in self.to_do]
        return None if None in times else sum(time for time in times if time is not None)

    @property
    def memory(self) -> int:
        """The most bytes of memory that a job to do may take."""
        return max((job.estimate.memory for job in self.to_do), default=0)

    def find_downloads(self) -> dict[str, int | None]:
        """Return the bytes to download by data set, each once; None: their publisher states no size."""
        names = dict.fromkeys(name for job in self.to_do for name in job.job.data)
        found = {name: count_missing_bytes(name) for name in names}
        return {name: count for name, count in found.items() if count != 0}

    def to_dict(self) -> dict[str, Any]:
        """Return the plan, ready for JSON."""
        downloads = self.find_downloads()
        total = None if None in downloads.values() else sum(count for count in downloads.values() if count is not None)
        return {
            "jobs": [_describe(job, downloads) for job in self.jobs],
            "total": len(self.jobs),
            "to_do": len(self.to_do),
            "seconds": self.seconds,
            "memory": self.memory,
            "download": total,
        }


def make_plan(
    models: Iterable[Any],
    benchmarks: Iterable[str | Benchmark],
    *,
    layers: Layers = "committed",
    cache: bool = True,
    retry_failed: bool = False,
) -> Plan:
    """Return the plan of all models on all benchmarks.

    Parameters
    ----------
    cache : look up what is kept, scores and activations; without, all is to do.
    retry_failed : plan also what failed or did not apply, and was kept as such.

    Raises
    ------
    UnknownName, TypeError : a name or an object is none of a model or a benchmark.
    """
    subjects, tasks = [GivenModel(m, layers) for m in models], [GivenBenchmark(b) for b in benchmarks]
    groups: dict[tuple[str, ...], list[GivenBenchmark]] = {}
    for task in tasks:
        groups.setdefault(list_data(task), []).append(task)
    triples = [(data, model, task) for data, some in groups.items() for model in subjects for task in some]
    last = {id(model): place for place, (_, model, _) in enumerate(triples)}
    chosen = in_use()
    computing = (chosen.device if chosen.chosen else None, chosen.precision, find_isolation())
    pairs = [
        PlannedJob(Job(model.name, task.name, layers, data, last[id(model)] == place, cache, *computing), model, task)
        for place, (data, model, task) in enumerate(triples)
    ]
    return _recall(pairs, retry_failed) if cache else Plan(tuple(pairs))


def list_data(task: GivenBenchmark) -> tuple[str, ...]:
    """Return the data sets of a benchmark; of one without a name its identifier, which stands for them."""
    return task.entry.card.datasets if task.entry else (task.name,)


def _recall(pairs: Sequence[PlannedJob], retry_failed: bool) -> Plan:
    """Return the plan of these jobs, with what they depend on, what is kept of them, and what they may take."""
    try:
        store = open_store()
        costs = Costs.read(store, {p.job.model for p in pairs}, {p.job.benchmark for p in pairs})
    except DataError as error:
        warn(f"scores are not remembered: {error}")
        return Plan(tuple(pairs))
    on = {id(pair): depends_on for pair in pairs if (depends_on := find_dependencies(pair))}
    wanted = {pair.key: on[id(pair)] for pair in pairs if id(pair) in on}
    failures = store.get_all({key: add_code(depends_on) for key, depends_on in wanted.items()})
    kept = failures | store.get_all(wanted)
    outcomes = {key: outcome for key, outcome in kept.items() if not _is_tried(outcome, retry_failed)}
    missing = {key: depends_on for key, depends_on in wanted.items() if key not in outcomes}
    changed = Counter(change for changes in store.find_all_changes(missing).values() for change in changes)
    found: list[PlannedJob] = []
    for pair in pairs:
        known = outcomes.get(pair.key) if id(pair) in on else None
        estimate = costs.estimate(pair.job) if known is None else UNKNOWN
        found.append(PlannedJob(pair.job, pair.model, pair.benchmark, on.get(id(pair)), known, estimate))
    return Plan(tuple(found), changed, retry_failed)


def recall(store: ResultStore, key: str, depends_on: Dependencies, retry_failed: bool) -> Outcome | None:
    """Return the outcome that is kept, unless it is a failure that is tried again. Raises DataError."""
    known = store.get(key, depends_on) or store.get(key, add_code(depends_on))
    return None if known is None or _is_tried(known, retry_failed) else known


def _is_tried(outcome: Outcome, retry_failed: bool) -> bool:
    """Return whether an outcome is a failure that is tried again."""
    return isinstance(outcome, Failure) and (retry_failed or outcome.kind in TRIED_AGAIN)


def find_dependencies(pair: PlannedJob) -> Dependencies | None:
    """Return what an outcome depends on; None of a model that cannot be made, whose failure is found anew."""
    try:
        return depend_on(pair.model, pair.benchmark)
    except BrainmarkError:
        return None


def count_missing_bytes(name: str) -> int | None:
    """Return the bytes of a data set that are not at hand; None where a size is not stated."""
    entry = registry.datasets.find(name)
    sizes = [source.size for source in entry.card.sources if not _is_at_hand(source)] if entry else []
    return None if None in sizes else sum(size for size in sizes if size is not None)


def _is_at_hand(source: Source) -> bool:
    return where(source, thorough=False).state not in ("missing", "mirror?", "damaged")


def _describe(job: PlannedJob, downloads: dict[str, int | None]) -> dict[str, Any]:
    missing = [downloads[name] for name in job.job.data if name in downloads] if job.known is None else []
    return {
        "model": job.job.model,
        "benchmark": job.job.benchmark,
        "state": job.state,
        "seconds": job.estimate.seconds if job.known is None else None,
        "memory": job.estimate.memory if job.known is None else None,
        "basis": job.estimate.basis if job.known is None else None,
        "download": None if None in missing else sum(count for count in missing if count is not None),
        "reason": job.known.reason if isinstance(job.known, Failure) else None,
    }
