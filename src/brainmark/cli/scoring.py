"""``brainmark score``: progress while it runs, then the table and the report."""

from __future__ import annotations

import os
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any, cast, get_args

from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from brainmark.analysis.report import write_report
from brainmark.cli import tables, trees
from brainmark.cli.selecting import benchmark_cards
from brainmark.cli.terminal import err
from brainmark.core import registry
from brainmark.core.errors import ResourceError, UnknownName
from brainmark.core.tree import Node
from brainmark.run.origin import data_origin
from brainmark.run.scoring import Layers, Outcome, score_all

QUIET = 20.0
"""Seconds without a word, at least, between two lines on progress where there is no terminal."""


def run_and_show(
    models: Sequence[str],
    benchmarks: Sequence[str],
    *,
    console: Console,
    nodes: Sequence[Node] = (),
    cache: bool = True,
    layers: str = "committed",
    finished: bool = False,
) -> list[Outcome]:
    """Score all, print the leaderboard, and return the outcomes.

    What stands below one of `nodes` is printed as their tree, with means; the rest benchmark by benchmark.
    Where there is no terminal for a bar, a line tells at times how far it is. Interrupted, it prints what is finished
    and raises KeyboardInterrupt. Raises UnknownName for unknown `layers`.
    """
    if layers not in get_args(Layers):
        raise UnknownName("layers", layers, get_args(Layers), f" ({' or '.join(get_args(Layers))})")
    outcomes: list[Outcome] = []
    columns = (
        TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn(),
    )  # fmt: skip
    try:
        with Progress(*columns, console=console, transient=True, disable=not console.is_terminal) as progress:
            total = len(models) * len(benchmarks)
            task, told = progress.add_task("starting", total=total), time.monotonic()

            def started(model: str, benchmark: str) -> None:
                nonlocal told
                progress.update(task, description=escape(f"{model} on {benchmark}"), completed=len(outcomes))
                if progress.disable and time.monotonic() - told > QUIET:
                    told = time.monotonic()
                    err.print(f"{len(outcomes)} of {total} scores: {escape(f'{model} on {benchmark}')}", soft_wrap=True)

            given = score_all(
                models, benchmarks, cache=cache, layers=cast(Layers, layers), started=started, finished=finished
            )
            outcomes.extend(given)
    finally:
        below = {leaf for node in nodes for leaf in node.leaves()}
        if alone := [o for o in outcomes if o.benchmark not in below]:
            console.print(tables.leaderboard(alone, console.width))
        if len(alone) < len(outcomes):
            console.print(trees.Board(nodes, outcomes, benchmark_cards()).render(console.width))
    return outcomes


def at_nodes(nodes: Sequence[Node], outcomes: Sequence[Outcome]) -> list[dict[str, Any]]:
    """Return the means at these nodes and all below them, ready for JSON."""
    return trees.Board(nodes, outcomes, benchmark_cards()).to_json() if nodes else []


def check_report_path(path: Path, what: str = "report") -> None:
    """Refuse a place for the report (or `what`) that cannot be written to, before anything is computed.

    Raises
    ------
    ResourceError
    """
    if path.is_dir():
        raise ResourceError(f"cannot write the {what} {path}: it is a folder; name a file in it")
    if not path.absolute().parent.is_dir():
        raise ResourceError(f"cannot write the {what} {path}: no folder {path.absolute().parent}; make it first")
    if not os.access(path.absolute().parent, os.W_OK):
        raise ResourceError(f"cannot write the {what} {path}: {path.absolute().parent} is not writable")


def report(outcomes: Sequence[Outcome], path: Path, title: str = "Brainmark") -> Path:
    """Write the HTML report of these outcomes."""
    benchmarks = [entry for o in outcomes if (entry := registry.benchmarks.get(o.benchmark))]
    models = [entry for o in outcomes if (entry := registry.models.get(o.subject))]
    cards = {e.name: e.card for e in (*benchmarks, *models)}
    where_from = {d: data_origin([d]) for e in benchmarks for d in e.card.datasets}
    return write_report(outcomes, path, title=title, cards=cards, where_from=where_from)
