"""``brainmark results``: what is kept in the store, as a table, a history or a file."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import groupby
from pathlib import Path
from typing import Annotated, Any

import typer
from rich import box
from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from brainmark.analysis.output import check_place, write_file
from brainmark.cli.terminal import JsonFlag, err, escape_markup, out, print_json
from brainmark.core import registry
from brainmark.core.errors import DataError
from brainmark.core.wording import duration, number, plural
from brainmark.run.stale import Present, explain_stamp
from brainmark.store.exchange import ENDINGS, export_table, tabulate
from brainmark.store.old_files import open_store
from brainmark.store.queries import Wanted, explain_change, list_history, list_latest
from brainmark.store.results import ResultStore
from brainmark.store.schema import MEASURED


def results(
    models: Annotated[
        list[str] | None, typer.Argument(help="Models by name or pattern, such as 'resnet*'; all if none is named.")
    ] = None,
    benchmark: Annotated[
        list[str] | None, typer.Option("--benchmark", "-b", help="Benchmarks by name or pattern; may be repeated.")
    ] = None,
    status: Annotated[list[str] | None, typer.Option(help="scored, not_applicable or failed; may be repeated.")] = None,
    source: Annotated[
        list[str] | None, typer.Option(help="'measured', or where scores were published; may be repeated.")
    ] = None,
    as_of: Annotated[str | None, typer.Option(help="The table as it was at the end of a day: 2026-11-30.")] = None,
    history: Annotated[
        bool, typer.Option("--history", help="All outcomes of one model on one benchmark, and why they moved.")
    ] = False,
    stale: Annotated[
        bool, typer.Option("--stale", help="Only what older code, libraries or versions made, and what differs.")
    ] = False,
    write: Annotated[
        Path | None, typer.Option(help=f"Write the table to a file instead: {', '.join(ENDINGS)}.")
    ] = None,
    as_json: JsonFlag = False,
) -> None:
    """Show the scores that are kept; nothing is computed.

    Examples: [bold]brainmark results 'resnet*' -b 'Cowley2023.*'[/], [bold]brainmark results --status failed[/],
    [bold]brainmark results gabor -b Cowley2023.V4-ridge --history[/], [bold]brainmark results --write all.csv[/]

    A model that was never run on a benchmark has no row. Scores that others published stand apart, under their source.
    An outcome is marked as older where a version, a parameter or a file that it depends on has changed since: it is
    history, and [bold]brainmark score[/] computes it anew. What older code or libraries made still holds;
    [bold]brainmark score MODEL -b BENCHMARK --no-cache[/] computes it once more to compare, and keeps nothing.
    """
    store = open_store()
    if history:
        rows = _list_history(store, models or [], benchmark or [])
    else:
        wanted = Wanted(models or (), benchmark or (), source or (), status or (), as_of)
        rows = list_latest(store, wanted, records=stale or as_json or write is not None or "failed" in (status or ()))
    present = Present()
    differs = {row.id: found for row in rows if (found := present.explain(row) + explain_stamp(row))} if stale else {}
    rows = [row for row in rows if row.id in differs] if stale else rows
    older = {row.id: present.is_older(row) for row in rows}
    if write is not None:
        check_place(write, "table", ENDINGS)
        write_file(write, export_table(rows, write.suffix.lower(), {"older": [older[row.id] for row in rows]}), "table")
        err.print(f"{len(rows)} rows: {write}", soft_wrap=True)
    elif as_json:
        marks = [{"older": older[row.id], **({"differs": differs[row.id]} if stale else {})} for row in rows]
        print_json([plain | mark for plain, mark in zip(tabulate(rows), marks, strict=True)])
    elif rows:
        out.print(_make_history(rows) if history else _make_boards(rows, older, differs))
        if count := sum(map(bool, older.values())):
            err.print(
                f"{count} {plural('outcome', count)} marked as older: what they depend on has changed since, so they "
                "are computed anew when they are asked for; 'brainmark results --stale' says what changed",
                soft_wrap=True,
            )
    elif stale:
        err.print("no outcome was made by older code, libraries or versions")
    else:
        err.print("the store holds no such outcome; 'brainmark score' computes and keeps them")


def _list_history(store: ResultStore, models: list[str], benchmarks: list[str]) -> list[Any]:
    if len(models) != 1 or len(benchmarks) != 1:
        raise DataError("a history is of one model on one benchmark: brainmark results MODEL -b BENCHMARK --history")
    return list_history(store, models[0], benchmarks[0])


def _make_boards(
    rows: Sequence[Any], older: Mapping[int, bool | None], differs: Mapping[int, Sequence[str]]
) -> RenderableType:
    """Return a table for each benchmark, best model first; the source stands there if not all was measured here."""
    parts: list[RenderableType] = []
    for benchmark, board in groupby(rows, key=lambda row: row.benchmark):
        card = registry.benchmarks[benchmark].card if benchmark in registry.benchmarks else None
        after = f"  superseded by {card.superseded_by}" if card and card.superseded_by else ""
        parts += [Text.assemble((benchmark, "bold"), (after, "yellow")), _make_board(list(board), older, differs)]
    return Group(*parts)


def _make_board(rows: Sequence[Any], older: Mapping[int, bool | None], differs: Mapping[int, Sequence[str]]) -> Table:
    published = any(row.source != MEASURED for row in rows)
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, padding=(0, 1))
    table.add_column("model", overflow="fold", min_width=14)
    _add_figures(table)
    table.add_column("day", no_wrap=True)
    if published:
        table.add_column("source", overflow="fold", min_width=12)
    if differs:
        table.add_column("differs", overflow="fold", min_width=20)
    for row in rows:
        mark = " [yellow](older)[/]" if older[row.id] else ""
        cells = [escape_markup(row.model) + mark, *_show_figures(row), row.created[:10]]
        cells += [escape_markup(row.source)] if published else []
        table.add_row(*cells, *([escape_markup("; ".join(differs[row.id]))] if differs else []))
    return table


def _add_figures(table: Table) -> None:
    for column in ("score", "95 % interval", "ceiling", "time"):
        table.add_column(column, justify="right", no_wrap=True)


def _make_history(rows: Sequence[Any]) -> Table:
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, padding=(0, 1))
    table.add_column("when", no_wrap=True)
    table.add_column("source", overflow="fold")
    _add_figures(table)
    table.add_column("what changed before", overflow="fold")
    before: dict[str, Any] = {}
    for row in rows:
        changes = explain_change(before[row.source], row) if row.source in before else ()
        when = row.created[:19].replace("T", " ")
        table.add_row(when, escape_markup(row.source), *_show_figures(row), escape_markup("; ".join(changes)))
        before[row.source] = row
    return table


def _show_figures(row: Any) -> tuple[str, str, str, str]:
    time = "" if row.seconds is None else duration(row.seconds)
    if row.status != "scored":
        return {"failed": "failed", "not_applicable": "n/a"}[row.status], "", "", time
    ends = "" if row.low is None else f"{number(row.low)} – {number(row.high)}"
    above = row.ceiling is not None and row.low is not None and row.low > 1
    return (
        f"{number(row.value)}{' > ceiling' if above else ''}",
        ends,
        number(row.ceiling) if row.ceiling is not None else "",
        time,
    )
