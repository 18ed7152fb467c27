"""What jobs may take, learnt from the scores that are kept."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from statistics import median
from typing import Protocol

from brainmark.core import registry
from brainmark.store.queries import list_costs
from brainmark.store.results import ResultStore

LEAST_MEMORY = 700 * 10**6
"""Bytes of a process with the numerical libraries, before it reads anything."""
MEMORY_PER_BYTE = 4
"""Bytes of memory for each byte of the files of a data set: what is read, in double precision, and a copy of it."""


@dataclass(frozen=True)
class Estimate:
    """What a job may take.

    Attributes
    ----------
    seconds : None: unknown, as nothing like it was finished yet.
    memory : bytes that its process holds at most.
    basis : what it rests on: "this pair", "model and benchmark", "benchmark", "model", or "size of files", which says
        nothing of the time.
    """

    seconds: float | None = None
    memory: int = LEAST_MEMORY
    basis: str = "unknown"

    @property
    def measured(self) -> bool:
        """Whether this very job was done before."""
        return self.basis == "this pair"


UNKNOWN = Estimate()


class NamedPair(Protocol):
    """A model and a benchmark, by name."""

    @property
    def model(self) -> str: ...  # noqa: D102 - as it says

    @property
    def benchmark(self) -> str: ...  # noqa: D102 - as it says

    @property
    def data(self) -> tuple[str, ...]: ...  # noqa: D102 - data sets of the benchmark


class Costs:
    """What finished jobs took, by model and by benchmark."""

    def __init__(self, rows: Iterable[tuple[str, str, float | None, int | None]]) -> None:
        self._seconds: Mapping[tuple[str, str], list[float]] = defaultdict(list)
        self._memory: Mapping[tuple[str, str], list[int]] = defaultdict(list)
        for model, benchmark, seconds, memory in rows:
            for place in ((model, benchmark), (model, ""), ("", benchmark), ("", "")):
                if seconds is not None:
                    self._seconds[place].append(seconds)
                if memory:
                    self._memory[place].append(memory)
        self._typical = {place: median(times) for place, times in self._seconds.items()}
        self._peaks = {place: max(peaks) if all(place) else int(median(peaks)) for place, peaks in self._memory.items()}

    @classmethod
    def read(cls, store: ResultStore, models: Iterable[str], benchmarks: Iterable[str]) -> Costs:
        """Return what is kept on these models or these benchmarks. Raises DataError."""
        return cls(list_costs(store, models, benchmarks))

    def estimate(self, job: NamedPair) -> Estimate:
        """Return what a job may take.

        Of one that was done before it is the median of its times, and its highest peak of memory. Of another one, it
        is the median over its benchmark, times what its model takes in comparison with all. Where nothing is known of
        either, memory is a fixed part and a multiple of the files (`LEAST_MEMORY`, `MEMORY_PER_BYTE`).
        """
        pair, model, benchmark = (job.model, job.benchmark), (job.model, ""), ("", job.benchmark)
        known, peaks = self._typical, self._peaks
        if pair in known:
            return Estimate(known[pair], peaks.get(pair, LEAST_MEMORY), "this pair")
        memory = max(peaks.get(model, 0), peaks.get(benchmark, 0)) or _guess_memory(job.data)
        if model in known and benchmark in known:
            ratio = known[model] / known["", ""] if known["", ""] else 1.0
            return Estimate(known[benchmark] * ratio, memory, "model and benchmark")
        if benchmark in known:
            return Estimate(known[benchmark], memory, "benchmark")
        if model in known:
            return Estimate(known[model], max(memory, _guess_memory(job.data)), "model")
        return Estimate(None, memory, "size of files")


def _guess_memory(data: Iterable[str]) -> int:
    """Return the bytes that a job on these data sets may take, by the size of their files."""
    entries = [entry for name in data if (entry := registry.datasets.find(name))]
    files = sum(source.size or 0 for entry in entries for source in entry.card.sources)
    return LEAST_MEMORY + MEMORY_PER_BYTE * files
