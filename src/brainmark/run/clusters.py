"""Places on a cluster: workers of Dask, of this machine, at an address, or of a batch system that a file describes."""

from __future__ import annotations

import contextlib
import importlib
import time
import tomllib
from collections.abc import Generator, Mapping
from concurrent.futures import Future
from pathlib import Path
from typing import Any
from uuid import uuid4

from brainmark.core.errors import DataError, tell
from brainmark.core.libraries import dask_config, distributed
from brainmark.run.jobs import Finished, perform
from brainmark.run.plan import PlannedJob

LOCAL = "local"
"""Stands for a cluster of Dask on this machine, as a rehearsal for a larger one."""
_FIELDS = {"cluster": str, "workers": int, "options": dict, "dask": dict}


class Share:
    """A share of a cluster of Dask: one job at a time, again by the worker that did the one before, if it can be."""

    replaceable, shares_memory, ready = True, False, True

    def __init__(self, client: Any) -> None:
        self._client = client
        self._future: Any = None
        self._worker: str | None = None
        self._begun: float | None = None

    def submit(self, job: PlannedJob) -> Future[Finished]:
        """Begin a job."""
        key = f"{job.job.model} on {job.job.benchmark} {uuid4().hex}"
        near = {"workers": [self._worker], "allow_other_workers": True} if self._worker else {}
        self._begun = None
        self._future = self._client.submit(_perform_there, job.job, key=key, pure=False, **near)
        result: Future[Finished] = Future()
        self._future.add_done_callback(lambda future: self._pass_on(future, result))
        return result

    def _pass_on(self, future: Any, result: Future[Finished]) -> None:
        try:
            self._worker, finished = future.result()
        except BaseException as error:  # noqa: BLE001 - a worker was killed, or the job was given up
            self._worker = None
            result.set_exception(error if isinstance(error, Exception) else RuntimeError(tell(error)))
        else:
            result.set_result(finished)

    def measure_time(self) -> float:
        """Return the seconds since a worker took the job; what it waited for one does not count."""
        if self._begun is None and self._find_worker():
            self._begun = time.monotonic()
        return 0.0 if self._begun is None else time.monotonic() - self._begun

    def _find_worker(self) -> list[str]:
        """Return the workers that have the present job."""
        return [worker for worker, keys in self._client.processing().items() if self._future.key in keys]

    def measure_memory(self) -> int:
        """Return 0: memory on other machines is watched by Dask."""
        return 0

    def restart(self) -> str:
        """Give up the present job, and start its worker anew, as nothing else stops a job that hangs."""
        future, self._future = self._future, None
        if future is None or future.done():
            return ""
        self._future = future
        workers = self._find_worker()
        self._future = None
        future.cancel()
        with contextlib.suppress(Exception):  # it may have no nanny, or be gone
            self._client.restart_workers(workers, raise_for_error=False, timeout=30)
        return ""

    def close(self) -> None:
        """Give up the present job."""
        if self._future is not None:
            self._future.cancel()


def _perform_there(job: Any) -> tuple[str, Finished]:
    """Do a job in a worker of Dask; return its address as well."""
    return distributed.get_worker().address, perform(job)


@contextlib.contextmanager
def open_cluster(given: str, count: int | None = None) -> Generator[list[Share]]:
    """Yield shares of a cluster; one that was made for it ends with the block.

    Parameters
    ----------
    given : "local", the address of a scheduler (``tcp://host:8786``), or a TOML file: ``cluster`` names a class such as
        ``dask_jobqueue.SLURMCluster``, ``options`` what it is made with, ``workers`` how many are asked for, and
        ``dask`` settings of Dask.
    count : of jobs that run at once; by default that of the workers.

    Raises
    ------
    DataError : there is no such cluster; a field of the file is unknown or wrong.
    MissingDependency : Dask is not installed.
    """
    with contextlib.ExitStack() as stack:
        if given == LOCAL:
            settings: Mapping[str, Any] = {
                "cluster": "distributed.LocalCluster",
                "options": {"n_workers": count or 2, "threads_per_worker": 1, "dashboard_address": None},
                "workers": count or 2,
                "dask": {"distributed.scheduler.allowed-failures": 0},  # who does it elsewhere, is decided here
            }
            client = _start(settings, stack, given)
        elif given.endswith(".toml"):
            settings = _read_settings(Path(given))
            client = _start(settings, stack, given)
        else:
            settings = {}
            client = _connect(given, stack)
        size = count or settings.get("workers") or len(client.scheduler_info(n_workers=-1)["workers"])
        if not size:
            raise DataError(f"the cluster {given} has no workers yet; say with --jobs how many jobs may run at once")
        yield [Share(client) for _ in range(size)]


def _connect(address: Any, stack: contextlib.ExitStack) -> Any:
    try:
        return stack.enter_context(distributed.Client(address, set_as_default=False))
    except (OSError, ValueError) as error:
        raise DataError(f"no cluster of Dask answers at {address}: {tell(error)}") from error


def _start(settings: Mapping[str, Any], stack: contextlib.ExitStack, given: str) -> Any:
    module, _, name = str(settings["cluster"]).rpartition(".")
    stack.enter_context(dask_config.set(settings.get("dask", {})))
    try:
        kind = getattr(importlib.import_module(module), name)
        cluster = stack.enter_context(kind(**settings.get("options", {})))
        if given != LOCAL and settings.get("workers"):
            cluster.scale(settings["workers"])
    except Exception as error:
        raise DataError(f"{given}: the cluster {settings['cluster']!r} cannot be started: {tell(error)}") from error
    return _connect(cluster, stack)


def _read_settings(path: Path) -> dict[str, Any]:
    """Return what a file says of a cluster."""
    try:
        settings = tomllib.loads(path.read_text("utf-8"))
    except (OSError, ValueError) as error:
        raise DataError(f"{path}: {tell(error)}") from error
    for name, value in settings.items():
        if name not in _FIELDS:
            raise DataError(f"{path}: unknown field {name!r} (fields: {', '.join(_FIELDS)})")
        if not isinstance(value, _FIELDS[name]):
            raise DataError(f"{path}: {name} is {value!r}, not of type {_FIELDS[name].__name__}")
    if "." not in settings.get("cluster", ""):
        raise DataError(f"{path}: cluster names no class, such as dask_jobqueue.SLURMCluster")
    return settings
