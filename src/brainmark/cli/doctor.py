"""``brainmark doctor``: shows what is installed and used, what is broken, and how to repair it."""

from __future__ import annotations

import importlib
import importlib.util
import os
import platform
import shutil
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from importlib import metadata
from pathlib import Path
from typing import Literal

import typer
from rich.markup import escape
from rich.table import Table
from threadpoolctl import threadpool_info

from brainmark.cli.fetch import list_files
from brainmark.cli.list import REGISTRIES
from brainmark.cli.terminal import JsonFlag, out, print_json
from brainmark.core import registry
from brainmark.core.devices import list_devices
from brainmark.core.wording import bytes_text, plural
from brainmark.data.fetch.places import home, mirrors
from brainmark.run.sandbox import find_obstacle, find_program
from brainmark.run.stamp import versions

NAMED = 5  # data sets that are named when many are not at hand
MARKS = {"fine": "[green]✓[/]", "note": "[yellow]–[/]", "broken": "[red]✗[/]"}
THREAD_SETTINGS = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")


@dataclass(frozen=True)
class Finding:
    """The result of one check, and how to repair it if it failed."""

    topic: str
    state: Literal["fine", "note", "broken"]
    fact: str
    mend: str = ""


def doctor(as_json: JsonFlag = False) -> None:
    """Say which versions, threads, devices, cache and mirrors are used, what is broken and how to repair it."""
    # nothing is downloaded, and nothing is left behind
    checks = (
        _check_versions,
        _check_compute,
        _check_sandbox,
        _check_cache,
        _check_mirrors,
        _check_plugins,
        _check_data,
    )
    findings = [finding for check in checks for finding in check()]
    if as_json:
        print_json([asdict(finding) for finding in findings])
    else:
        table = Table(box=None, show_header=False, pad_edge=False, padding=(0, 2, 0, 0))
        for finding in findings:
            way_out = f"\n[bold]→[/] {escape(finding.mend)}" if finding.mend else ""
            table.add_row(MARKS[finding.state], finding.topic, escape(finding.fact) + way_out)
        out.print(table)
    if any(finding.state == "broken" for finding in findings):
        raise typer.Exit(1)


def _check_versions() -> Iterator[Finding]:
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


def _check_compute() -> Iterator[Finding]:
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    importlib.import_module("numpy")  # whose threads are looked at
    pools = ", ".join(f"{p['internal_api']} {p['num_threads']}" for p in threadpool_info())
    asked = "".join(f"; {name}={os.environ[name]}" for name in THREAD_SETTINGS if name in os.environ)
    yield Finding("threads", "fine", f"{cores} cores; {pools or 'no pools'}{asked}")
    if coretype := os.environ.get("OPENBLAS_CORETYPE"):
        fact = f"is set to {coretype}: OpenBLAS may use slower kernels"
        yield Finding("OPENBLAS_CORETYPE", "note", fact, "unset it if speed matters")
    if importlib.util.find_spec("torch") is None:
        return
    try:
        importlib.import_module("torch")
        yield Finding("devices", "fine", ", ".join(f"{one.name} ({one.what})" for one in list_devices()))
    except Exception as error:  # noqa: BLE001 - a broken installation may raise anything
        yield Finding("torch", "broken", f"cannot be used: {error}", "pip install --force-reinstall torch")


def _check_sandbox() -> Iterator[Finding]:
    if reason := find_obstacle():
        mend = "see docs/howto/confine-models.md; until then such code runs with your rights, in a process of its own"
        yield Finding("sandbox", "note", f"none for code of others: {reason}", mend)
    else:
        yield Finding("sandbox", "fine", f"code of others is confined by {find_program()}")


def _check_cache() -> Iterator[Finding]:
    source = "BRAINMARK_HOME" if os.environ.get("BRAINMARK_HOME") else "platform default"
    folder = home()
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=folder):
            pass
        free = shutil.disk_usage(folder).free
    except OSError as error:
        reason = f"{folder} ({source}) cannot be written to: {error.strerror or error}"
        yield Finding("cache", "broken", reason, "set BRAINMARK_HOME to a writable folder")
        return
    mend = "free some space, or set BRAINMARK_HOME to another disk" if free < 1e9 else ""
    yield Finding("cache", "note" if mend else "fine", f"{folder} ({source}), {bytes_text(free)} free", mend)


def _check_mirrors() -> Iterator[Finding]:
    if not mirrors():
        yield Finding("mirrors", "note", "none; files that are not cached come from the network")
    for mirror in mirrors():
        if mirror.problem:
            mend = "set BRAINMARK_MIRROR to existing folders or base URLs, separated by commas"
            yield Finding("mirror", "broken", f"{mirror.given}: {mirror.problem}", mend)
        else:
            yield Finding("mirror", "fine", mirror.given)


def _check_plugins() -> Iterator[Finding]:
    counts = ", ".join(f"{len(r)} {plural(r.kind, len(r))}" for r in REGISTRIES.values())
    yield Finding("registered", "fine", counts)
    for point, reason in registry.broken_plugins.items():
        yield Finding("plug-in", "broken", f"{point}: {reason}", "repair or uninstall that package")


def _check_data() -> Iterator[Finding]:
    rows = list_files(list(registry.datasets))
    missing = [row["dataset"] for row in rows if {"missing", "damaged"} & {*row["states"]}]
    if not missing:
        yield Finding("data", "fine", "all registered data are at hand")
        return
    names = ", ".join(missing) if len(missing) <= NAMED else f"{', '.join(missing[:NAMED])}, ..."
    fact = f"{len(missing)} of {len(rows)} data sets are neither cached nor mirrored: {names}"
    mend = "brainmark fetch NAME, or set BRAINMARK_MIRROR; 'brainmark fetch --list' shows all"
    yield Finding("data", "note", fact, mend)
