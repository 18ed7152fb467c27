"""The jobs that wait, by data and model, so that a place goes on with what it has loaded."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Collection, Iterable, Iterator
from itertools import chain, islice

from brainmark.run.plan import PlannedJob

Group = tuple[tuple[str, ...], str]
"""Data sets and model: jobs that share both share what the model answered."""
FAR = 100
"""Sets of data, and half the groups, that are looked at for a job that fits into memory and is nobody's."""


def group_of(job: PlannedJob) -> Group:
    """Return the group of a job."""
    return job.job.data, job.job.model


class Waiting:
    """Jobs in their order, taken so that places share little and load little."""

    def __init__(self, jobs: Iterable[PlannedJob]) -> None:
        self._groups: dict[tuple[str, ...], dict[str, deque[PlannedJob]]] = {}
        self._count = 0
        for job in jobs:
            self.put(job)

    def __len__(self) -> int:
        return self._count

    def __iter__(self) -> Iterator[PlannedJob]:
        return chain.from_iterable(jobs for models in list(self._groups.values()) for jobs in list(models.values()))

    def put(self, job: PlannedJob) -> None:
        """Add a job behind those of its group."""
        self._groups.setdefault(job.job.data, {}).setdefault(job.job.model, deque()).append(job)
        self._count += 1

    def take(
        self, last: Group | None, busy: Collection[Group], fits: Callable[[PlannedJob], bool]
    ) -> PlannedJob | None:
        """Take the next job for a place; None where none of the first ones fits.

        Parameters
        ----------
        last : group of the job that the place did before; it goes on with that, else with the same data.
        busy : groups that other places work on; they are taken only if there is nothing else.
        fits : whether there is memory for a job.
        """
        for data, model in self._order(last, busy):
            job = self._groups[data][model][0]
            if fits(job):
                self._remove(data, model)
                return job
        return None

    def _order(self, last: Group | None, busy: Collection[Group]) -> Iterator[Group]:
        """Yield groups in the order in which they are tried."""
        if last and last[1] in self._groups.get(last[0], {}):
            yield last
        near = [last[0]] if last and last[0] in self._groups else []
        data_sets = chain(near, islice(self._groups, FAR))
        groups = list(islice(((data, model) for data in data_sets for model in self._groups[data]), 2 * FAR))
        yield from (group for group in groups if group not in busy)
        yield from (group for group in groups if group in busy)

    def _remove(self, data: tuple[str, ...], model: str) -> None:
        models = self._groups[data]
        models[model].popleft()
        self._count -= 1
        if not models[model]:
            del models[model]
        if not models:
            del self._groups[data]
