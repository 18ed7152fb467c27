"""Places where jobs are done: this process, processes of its own, or any executor of others."""

from __future__ import annotations

from concurrent.futures import Future
from typing import Protocol

from brainmark.run.jobs import Finished, Workbench
from brainmark.run.plan import PlannedJob


class Place(Protocol):
    """Does one job at a time.

    Attributes
    ----------
    replaceable : whether a job that failed for lack of memory or time can be tried elsewhere.
    """

    replaceable: bool

    def submit(self, job: PlannedJob) -> Future[Finished]:
        """Begin a job."""
        ...

    def restart(self) -> str:
        """End what runs, so that the place can be used again; return how it had ended."""
        ...

    def close(self) -> None:
        """End what runs, for good."""
        ...


class Here:
    """The process itself; a job is done when `submit` returns."""

    replaceable = False

    def __init__(self) -> None:
        self._bench = Workbench()

    def submit(self, job: PlannedJob) -> Future[Finished]:
        """Do a job."""
        future: Future[Finished] = Future()
        future.set_result(self._bench.score(job.job, job.model, job.benchmark))
        return future

    def restart(self) -> str:
        """Nothing runs when this can be called."""
        return ""

    def close(self) -> None:
        """Nothing is left."""
