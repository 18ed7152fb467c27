"""``brainmark doctor``: what is in use, what is broken, and the way out."""

from __future__ import annotations

import importlib.util
import os
import platform
import shutil
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path
from typing import Literal

from brainmark.cli.fetching import status
from brainmark.core import registry
from brainmark.core.libraries import torch
from brainmark.core.wording import bytes_text, plural
from brainmark.data.fetch.places import home, mirrors
from brainmark.run.stamp import versions

NAMED = 5  # data sets that are named when many are not at hand


@dataclass(frozen=True)
class Finding:
    """One thing looked at."""

    topic: str
    state: Literal["fine", "note", "broken"]
    fact: str
    mend: str = ""


def examine() -> list[Finding]:
    """Look at everything; nothing is downloaded, and nothing is left behind."""
    return [*_versions(), *_compute(), *_cache(), *_mirrors(), *_plugins(), *_data()]


def _versions() -> Iterator[Finding]:
    version = metadata.version("brainmark")
    yield Finding("brainmark", "fine", f"{version}, from {Path(__file__).resolve().parents[1]}")
    yield Finding("python", "fine", f"{platform.python_version()}, {sys.executable}")

    yield Finding("packages", "fine", ", ".join(f"{n} {v}" for n, v in versions().items()))
    for extra, library, use in (
        ("vision", "torch", "most models"),
        ("report", "matplotlib", "HTML reports"),
        ("report", "jinja2", "HTML reports"),
    ):
        if importlib.util.find_spec(library) is None:
            yield Finding(library, "note", f"not installed; needed by {use}", f"pip install 'brainmark[{extra}]'")


def _compute() -> Iterator[Finding]:
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    from threadpoolctl import threadpool_info

    pools = ", ".join(f"{p['internal_api']} {p['num_threads']}" for p in threadpool_info())
    names = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")
    asked = "".join(f"; {name}={os.environ[name]}" for name in names if name in os.environ)
    yield Finding("threads", "fine", f"{cores} cores; {pools or 'no pools'}{asked}")
    if coretype := os.environ.get("OPENBLAS_CORETYPE"):
        yield Finding(
            "OPENBLAS_CORETYPE",
            "note",
            f"is set to {coretype}: OpenBLAS may use slower kernels",
            "unset it if speed matters",
        )
    if importlib.util.find_spec("torch") is not None:
        yield _devices()


def _devices() -> Finding:
    try:
        pass
    except Exception as error:  # noqa: BLE001 - a broken installation may raise anything
        return Finding("torch", "broken", f"cannot be imported: {error}", "pip install --force-reinstall torch")
    names = [torch.cuda.get_device_name(i) for i in range(torch.cuda.device_count())]
    if torch.backends.mps.is_available():
        names.append("Apple MPS")
    return Finding("devices", "fine", ", ".join(["CPU", *names]))


def _cache() -> Iterator[Finding]:

    folder = home()
    source = "BRAINMARK_HOME" if os.environ.get("BRAINMARK_HOME") else "platform default"
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=folder):
            pass
        free = shutil.disk_usage(folder).free
    except OSError as error:
        reason = f"{folder} ({source}) cannot be written to: {error.strerror or error}"
        yield Finding("cache", "broken", reason, "set BRAINMARK_HOME to a writable folder")
        return
    fact = f"{folder} ({source}), {bytes_text(free)} free"
    if free < 1e9:
        yield Finding("cache", "note", fact, "free some space, or set BRAINMARK_HOME to another disk")
    else:
        yield Finding("cache", "fine", fact)


def _mirrors() -> Iterator[Finding]:

    if not mirrors():
        yield Finding("mirrors", "note", "none; files that are not cached come from the network")
    for mirror in mirrors():
        if mirror.problem:
            mend = "set BRAINMARK_MIRROR to existing folders or base URLs, separated by commas"
            yield Finding("mirror", "broken", f"{mirror.given}: {mirror.problem}", mend)
        else:
            yield Finding("mirror", "fine", mirror.given)


def _plugins() -> Iterator[Finding]:

    registries = (registry.models, registry.benchmarks, registry.datasets, registry.metrics)
    yield Finding("registered", "fine", ", ".join(f"{len(r)} {plural(r.kind, len(r))}" for r in registries))
    for point, reason in registry.broken_plugins.items():
        yield Finding("plug-in", "broken", f"{point}: {reason}", "mend or uninstall that package")


def _data() -> Iterator[Finding]:

    rows = status([])
    missing = [row["dataset"] for row in rows if {"missing", "damaged"} & {*row["states"]}]
    if missing:
        named = ", ".join(missing) if len(missing) <= NAMED else f"{', '.join(missing[:NAMED])}, ..."
        yield Finding(
            "data",
            "note",
            f"{len(missing)} of {len(rows)} data sets are neither cached nor mirrored: {named}",
            "brainmark fetch NAME, or set BRAINMARK_MIRROR; 'brainmark fetch --list' says all",
        )
    else:
        yield Finding("data", "fine", "all registered data are at hand")
