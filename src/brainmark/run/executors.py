"""Places where jobs are done: this process, processes of its own, or any executor of others."""

from __future__ import annotations

import contextlib
import multiprocessing
import os
import signal
import time
from collections.abc import Generator, Iterable
from concurrent.futures import Executor, Future, ProcessPoolExecutor
from multiprocessing.process import BaseProcess
from typing import Protocol

from brainmark.core.memory import tree_memory
from brainmark.run.jobs import Finished, Workbench, perform, set_up_worker
from brainmark.run.plan import PlannedJob

_THREADS = (
    "OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS", "VECLIB_MAXIMUM_THREADS", "NUMEXPR_NUM_THREADS",
)  # fmt: skip


class Place(Protocol):
    """Does one job at a time.

    Attributes
    ----------
    replaceable : whether a job that failed for lack of memory or time can be tried elsewhere.
    shares_memory : whether it uses the memory of this machine.
    ready : whether it ever began to work; a job is not to blame where a place does not even start.
    """

    replaceable: bool
    shares_memory: bool
    ready: bool

    def submit(self, job: PlannedJob) -> Future[Finished]:
        """Begin a job."""
        ...

    def measure_time(self) -> float:
        """Return the seconds that the present job runs."""
        ...

    def measure_memory(self) -> int:
        """Return the bytes that it holds on this machine."""
        ...

    def restart(self) -> str:
        """End what runs, so that the place can be used again; return how it ended by itself, if it did."""
        ...

    def close(self) -> None:
        """End what runs, for good."""
        ...


class Here:
    """The process itself; a job is done when `submit` returns."""

    replaceable = shares_memory = False
    ready = True

    def __init__(self) -> None:
        self._bench = Workbench()

    def submit(self, job: PlannedJob) -> Future[Finished]:
        """Do a job."""
        future: Future[Finished] = Future()
        future.set_result(self._bench.score(job.job, job.model, job.benchmark))
        return future

    def measure_time(self) -> float:
        """Nothing runs when this can be called."""
        return 0.0

    def measure_memory(self) -> int:
        """See `Place`."""
        return tree_memory()

    def restart(self) -> str:
        """Nothing runs when this can be called."""
        return ""

    def close(self) -> None:
        """Nothing is left."""


class OwnProcess:
    """A process that is started when the first job comes, and anew when it has ended.

    Parameters
    ----------
    threads : of the numerical libraries.
    modules : that register what jobs name.
    """

    replaceable = shares_memory = True

    def __init__(self, threads: int, modules: Iterable[str] = ()) -> None:
        self._threads, self._modules = threads, tuple(modules)
        self._executor: Executor | None = None
        self._process: BaseProcess | None = None
        self._begun = 0.0
        self.ready = False

    def submit(self, job: PlannedJob) -> Future[Finished]:
        """Begin a job."""
        if self._executor is None:
            self._start()
        assert self._executor is not None
        self._begun = max(self._begun, time.monotonic())
        return self._executor.submit(perform, job.job)

    def _start(self) -> None:
        context = multiprocessing.get_context("spawn")  # a fork of a process with threads may hang
        before = set(multiprocessing.active_children())
        self._executor = ProcessPoolExecutor(1, context, set_up_worker, (self._modules,))
        self._begun = float("inf")  # until it is ready
        with limit_threads(self._threads):
            self._executor.submit(os.getpid).add_done_callback(self._note_start)
        self._process = next(iter(set(multiprocessing.active_children()) - before), None)

    def _note_start(self, future: Future[int]) -> None:
        if not future.cancelled() and future.exception() is None:
            self._begun, self.ready = time.monotonic(), True

    def measure_time(self) -> float:
        """Return the seconds that the present job runs; what it took to start the process does not count."""
        return max(time.monotonic() - self._begun, 0.0)

    def measure_memory(self) -> int:
        """Return the bytes that the process holds, and all that it started."""
        return tree_memory(self._process.pid) if self._process else 0

    def restart(self) -> str:
        """End the process; return how it had ended if it had."""
        process, self._process = self._process, None
        executor, self._executor = self._executor, None
        if process is None or executor is None:
            return ""
        process.join(0.2)  # of one that has just ended
        end = "" if process.is_alive() else _describe_end(process.exitcode)
        process.kill()
        executor.shutdown(wait=False, cancel_futures=True)
        return end

    def close(self) -> None:
        """End the process."""
        self.restart()


def _describe_end(code: int | None) -> str:
    """Return how a process ended, in words."""
    if code is None or code >= 0:
        return f"exit status {code}"
    with contextlib.suppress(ValueError):
        return f"signal {signal.Signals(-code).name}"
    return f"signal {-code}"


@contextlib.contextmanager
def limit_threads(count: int) -> Generator[None]:
    """Let processes that are started in the block use so many threads each, or fewer if the user wants fewer."""
    before = {name: os.environ.get(name) for name in _THREADS}
    for name, was in before.items():
        os.environ[name] = str(min(count, int(was)) if was and was.isdigit() else count)
    try:
        yield
    finally:
        for name, was in before.items():
            os.environ.pop(name, None)
            if was is not None:
                os.environ[name] = was


class Borrowed:
    """A share of an executor of others, such as one of Dask, MPI or loky; its workers know models by their names."""

    replaceable, shares_memory, ready = True, False, True

    def __init__(self, executor: Executor) -> None:
        self._executor = executor
        self._future: Future[Finished] | None = None
        self._begun = 0.0

    def submit(self, job: PlannedJob) -> Future[Finished]:
        """Begin a job."""
        self._begun = time.monotonic()
        self._future = self._executor.submit(perform, job.job)
        return self._future

    def measure_time(self) -> float:
        """Return the seconds since the job was handed over."""
        return time.monotonic() - self._begun

    def measure_memory(self) -> int:
        """Not known here."""
        return 0

    def restart(self) -> str:
        """Give up the present job; nothing can be done against one that does not end."""
        if self._future is not None:
            self._future.cancel()
        return ""

    def close(self) -> None:
        """Give up the present job; the executor is ended by whoever made it."""
        self.restart()


def make_processes(count: int, jobs: Iterable[PlannedJob]) -> list[OwnProcess]:
    """Return places for as many processes, which divide the cores among themselves."""
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    entries = [entry for job in jobs for entry in (job.model.entry, job.benchmark.entry) if entry]
    modules = sorted({entry.module for entry in entries if not entry.module.startswith("brainmark.")})
    return [OwnProcess(max(cores // count, 1), modules) for _ in range(count)]
