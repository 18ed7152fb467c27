"""``brainmark run``: many models on many benchmarks; shows a plan, follows it, and goes on where it was."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Generator, Sequence
from pathlib import Path
from typing import Annotated, cast, get_args

import typer
from rich import box
from rich.console import Group, RenderableType
from rich.live import Live
from rich.table import Table
from rich.text import Text

from brainmark.analysis.output import check_place
from brainmark.analysis.pages import check_page
from brainmark.analysis.table import FORMATS
from brainmark.cli.score import hand_over, show_outcomes
from brainmark.cli.selection import IsolationOption, select_benchmarks, select_models
from brainmark.cli.terminal import (
    DeviceOption,
    JsonFlag,
    PrecisionOption,
    err,
    escape_markup,
    out,
    print_json,
    print_plain,
)
from brainmark.core.devices import check_precision, compute_on
from brainmark.core.errors import DataError, UnknownName
from brainmark.core.memory import tree_memory
from brainmark.core.score import Outcome
from brainmark.core.wording import bytes_text, duration, plural, read_bytes
from brainmark.run.clusters import open_cluster
from brainmark.run.execution import Progress, RunLimits, execute
from brainmark.run.executors import Place, make_processes
from brainmark.run.plan import Plan, make_plan
from brainmark.run.scoring import Layers

MOST_LINES = 40
"""Jobs to do that a plan lists in a terminal; the others are counted."""
QUIET = 10.0
"""Seconds, at least, between two lines on progress where there is no terminal."""


def run(
    models: Annotated[
        list[str],
        typer.Option(
            "--models", "-m",
            help="Models by name, pattern ('resnet*'), family (family:resnet), path of a TOML file (all its models), "
            "or as 'brainmark score' takes them; may be given several times.",
        ),
    ],
    benchmarks: Annotated[
        list[str],
        typer.Option(
            "--benchmarks", "-b",
            help="Benchmarks by name, pattern, node of their tree or path of a packaged data set; may be given several "
            "times.",
        ),
    ],
    split: Annotated[
        str | None, typer.Option(help="public or private: use only the benchmarks of this split below a node.")
    ] = None,
    plan: Annotated[bool, typer.Option("--plan", help="Show what would be done, and do nothing.")] = False,
    retry_failed: Annotated[
        bool, typer.Option("--retry-failed", help="Try again what failed, or did not apply, and was kept as such.")
    ] = False,
    jobs: Annotated[
        int | None,
        typer.Option(
            "--jobs", "-j", min=0,
            help="Processes that work side by side, by default 1; 0: all in this process. With --dask, jobs at once.",
        ),
    ] = None,
    dask: Annotated[
        str | None,
        typer.Option(help="Work on a cluster of Dask: the address of its scheduler, a TOML file, or 'local'."),
    ] = None,
    time_limit: Annotated[
        float | None, typer.Option("--time-limit", min=0.1, help="Seconds after which a job is ended.")
    ] = None,
    memory: Annotated[
        str | None,
        typer.Option(help="Memory for all jobs that run at once, such as 6GB; by default what is free, less a tenth."),
    ] = None,
    layers: Annotated[
        str, typer.Option(help="committed: the layers of the models; chosen: those of 'brainmark layers'.")
    ] = "committed",
    device: DeviceOption = "cpu",
    precision: PrecisionOption = "float32",
    isolation: IsolationOption = None,
    as_json: JsonFlag = False,
    html: Annotated[Path | None, typer.Option(help="Also write a self-contained HTML report.")] = None,
    table: Annotated[Path | None, typer.Option(help="Also write one table of all: a .md or .csv file.")] = None,
) -> None:  # fmt: skip
    """Score many models on many benchmarks; interrupted or killed, the same command finishes what is missing.

    Examples: [bold]brainmark run -m 'resnet*' -m alexnet -b average_vision --plan[/],
    [bold]brainmark run -m family:hmax -b V4 --table v4.md[/]

    Exit code: as that of [bold]brainmark score[/].
    """
    del isolation  # it holds already
    if layers not in get_args(Layers):
        raise UnknownName("layers", layers, get_args(Layers), f" ({' or '.join(get_args(Layers))})")
    names, nodes = select_benchmarks(benchmarks, split)
    if html is not None:
        check_page(html, "report")
    if table is not None:
        check_place(table, "table", FORMATS)
    limits = RunLimits(time_limit, None if memory is None else read_bytes(memory))
    if jobs == 0 and (time_limit is not None or memory is not None):
        raise DataError("--time-limit and --memory need processes that can be ended: say --jobs 1 or more")
    console = err if as_json else out
    outcomes: list[Outcome] = []
    with compute_on(device, check_precision(precision)):
        wanted = make_plan(select_models(models), names, layers=cast("Layers", layers), retry_failed=retry_failed)
        if plan:
            show_plan(wanted, as_json)
            return
        try:
            with open_places(wanted, jobs, dask) as places:
                outcomes = follow(wanted, outcomes, places, limits)
        finally:
            show_outcomes(outcomes, names, nodes, console)
    hand_over(outcomes, names, nodes, as_json=as_json, html=html, table=table)


@contextlib.contextmanager
def open_places(plan: Plan, jobs: int | None, dask: str | None) -> Generator[Sequence[Place]]:
    """Yield the places where jobs are done; none stand for this process."""
    if not plan.to_do or (jobs == 0 and not dask):
        yield []
    elif dask:
        with open_cluster(dask, jobs) as shares:
            yield shares
    else:
        yield make_processes(jobs or 1, plan.to_do)


# --- the plan --------------------------------------------------------------------------------------------------------


def show_plan(plan: Plan, as_json: bool) -> None:
    """Print a plan: what is known, and of each job to do what it may take."""
    if as_json:
        print_json(plan.to_dict())
    else:
        out.print(_make_plan_table(plan))


def _make_plan_table(plan: Plan) -> RenderableType:
    rows = plan.to_dict()["jobs"]
    todo = [row for row in rows if row["state"] == "to do"]
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, padding=(0, 1))
    table.add_column("to do: model", overflow="fold", min_width=10)
    table.add_column("benchmark", overflow="fold", min_width=14)
    for column in ("time", "memory", "download"):
        table.add_column(column, justify="right", no_wrap=True)
    table.add_column("estimated from")
    for row in todo[:MOST_LINES]:
        time_needed = "unknown" if row["seconds"] is None else f"~ {duration(row['seconds'])}"
        loads = "" if row["download"] == 0 else bytes_text(row["download"])
        name, on = escape_markup(row["model"]), escape_markup(row["benchmark"])
        table.add_row(name, on, time_needed, bytes_text(row["memory"]), loads, row["basis"])
    parts: list[RenderableType] = [table] if todo else []
    if len(todo) > MOST_LINES:
        parts.append(Text(f"… and {len(todo) - MOST_LINES} more ('--json' lists all)"))
    return Group(*parts, Text(_sum_up(plan, rows)), Text(HOW_ESTIMATED, style="dim"))


HOW_ESTIMATED = (
    "Time and memory are learnt from scores that are kept; a job like none before has an unknown time, and memory "
    "guessed from the size of its files. Weights of models that are not here yet are downloaded as well; only their "
    "hubs know their sizes."
)


def _sum_up(plan: Plan, rows: Sequence[dict[str, object]]) -> str:
    """Return one sentence on the whole plan."""
    states = [str(row["state"]) for row in rows]
    counts = [f"{states.count(state)} {state}" for state in ("scored", "not applicable", "failed", "to do")]
    total = f"{len(rows)} {plural('job', len(rows))}: {', '.join(counts)}"
    if not plan.to_do:
        return f"{total}; nothing is to do."
    known = [job.estimate.seconds for job in plan.to_do if job.estimate.seconds is not None]
    times = f"{duration(sum(known))} one after another" if known else "unknown time"
    if known and len(known) < len(plan.to_do):
        times += f" and {len(plan.to_do) - len(known)} of unknown time"
    missing = plan.find_downloads()
    sizes = [size for size in missing.values() if size is not None]
    unknown = len(missing) - len(sizes)
    loads = "nothing to download"
    if missing:
        loads = f"{bytes_text(sum(sizes))} to download" + (
            f" and {unknown} data sets of unknown size" if unknown else ""
        )
    return f"{total}. To do: {times}, at most {bytes_text(plan.memory)} of memory for a job, {loads}."


# --- the live view ---------------------------------------------------------------------------------------------------


def follow(plan: Plan, outcomes: list[Outcome], places: Sequence[Place], limits: RunLimits) -> list[Outcome]:
    """Execute a plan with a live view, or with lines where there is no terminal; return its outcomes in its order.

    `outcomes` holds what is known when it is interrupted.
    """
    progress = Progress()
    last_line = time.monotonic()
    view = Live(get_renderable=lambda: make_view(progress), console=err, transient=True, refresh_per_second=4)
    if err.is_terminal:
        view.start()
    try:
        for outcome in execute(plan, places, limits=limits, progress=progress):
            outcomes.append(outcome)
            if not err.is_terminal and (time.monotonic() - last_line > QUIET):
                last_line = time.monotonic()
                print_plain(err, describe_progress(progress), markup=False)
    finally:
        view.stop()
    print_plain(err, describe_progress(progress), markup=False)
    place = {(job.job.model, job.job.benchmark): number for number, job in enumerate(plan.jobs)}
    return sorted(outcomes, key=lambda one: place.get((one.subject, one.benchmark), 0))


def describe_progress(progress: Progress) -> str:
    """Return one line: how many jobs are done, what runs, memory, and the time that is left."""
    waiting = len(progress.left) + len(progress.running) + progress.elsewhere
    parts = [
        f"{progress.done} of {progress.total} done",
        f"{progress.known} known before" if progress.known else "",
        f"{progress.failed} failed" if progress.failed else "",
        f"{progress.not_applicable} not applicable" if progress.not_applicable else "",
        f"{waiting} left" if waiting else "",
        f"{progress.elsewhere} of them in another run" if progress.elsewhere else "",
    ]
    if waiting:
        left = progress.estimate_left()
        parts += [f"memory {bytes_text(tree_memory())}", f"time left {'unknown' if left is None else duration(left)}"]
    return ", ".join(filter(None, parts))


def make_view(progress: Progress) -> RenderableType:
    """Return what is seen while a plan is executed."""
    lines = [
        Text.assemble((f"{job.model} on {job.benchmark}", "bold"), f"  {duration(time.monotonic() - begun)}")
        for job, begun in list(progress.running.items())
    ]
    return Group(*lines, Text(describe_progress(progress)))
