"""``brainmark list``: what is registered, as a table that fits the terminal."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Any

import typer
from rich import box
from rich.cells import cell_len
from rich.console import Group, RenderableType
from rich.markup import escape
from rich.table import Table
from rich.text import Text

from brainmark.cli.terminal import JsonFlag, out, print_json, write_out
from brainmark.core import registry
from brainmark.core.errors import UnknownName
from brainmark.core.lookup import select
from brainmark.core.registry import Entry, Registry
from brainmark.core.text import name_commands
from brainmark.core.wording import plural

REGISTRIES: dict[str, Registry[Any, Any]] = {
    "models": registry.models,
    "benchmarks": registry.benchmarks,
    "datasets": registry.datasets,
    "metrics": registry.metrics,
}
COLUMNS = {
    "models": ("family", "regions"),
    "benchmarks": ("region", "metric", "species"),
    "datasets": ("species", "modality", "regions"),
    "metrics": ("compares",),
}
NAME, SUMMARY, CELL = 40, 44, 20  # columns of the terminal for names (longer ones fold), summaries, other cells
GAP, EDGES = 3, 2  # between cells, and around a row


def list_(
    kind: Annotated[str, typer.Argument(help="models, benchmarks, datasets or metrics.")],
    region: Annotated[str | None, typer.Option(help="Only this region, e.g. V4.")] = None,
    domain: Annotated[str | None, typer.Option(help="Only this domain, e.g. vision.")] = None,
    as_json: JsonFlag = False,
) -> None:
    """List what is registered, here and in installed packages.

    Examples: [bold]brainmark list benchmarks[/], [bold]brainmark list models --region V4 --json[/]
    """
    if kind not in REGISTRIES:
        raise UnknownName("kind", kind, REGISTRIES, f" (kinds: {', '.join(REGISTRIES)})")
    entries = select(REGISTRIES[kind], region, domain)
    if as_json:
        print_json([{"name": e.name, **e.card.model_dump(mode="json")} for e in entries])
    elif out.is_terminal:
        out.print(make_listing(kind, entries, out.width))
    else:  # a program may read it
        write_out(make_plain_listing(kind, entries))


def make_plain_listing(kind: str, entries: Sequence[Entry[Any, Any]]) -> str:
    """Return a table of registered things as text, a line each, of which nothing is cut."""
    columns = {"name": [e.name for e in entries], **_gather_cells(kind, entries)}
    columns["summary"] = [summarize(e) for e in entries]
    shown = [[" ".join(name_commands(cell).split()) for cell in (head, *cells)] for head, cells in columns.items()]
    widths = [max(map(cell_len, column)) for column in shown]
    lines = [
        " " + (" " * GAP).join(cell + " " * (w - cell_len(cell)) for cell, w in zip(row, widths, strict=True)).rstrip()
        for row in zip(*shown, strict=True)
    ]
    rule = " " + "─" * (sum(widths) + GAP * (len(widths) - 1))
    return "\n".join([lines[0], rule, *lines[1:], "", _count(kind, entries), ""])


def _gather_cells(kind: str, entries: Sequence[Entry[Any, Any]]) -> dict[str, list[str]]:
    """Return the texts of the columns between name and summary."""
    values = {column: [getattr(e.card, column) for e in entries] for column in COLUMNS[kind]}
    return {
        column: [", ".join(value) if isinstance(value, tuple) else str(value) for value in cells]
        for column, cells in values.items()
    }


def summarize(entry: Entry[Any, Any]) -> str:
    """Return the summary of a card; of a superseded benchmark, what counts in its place comes first."""
    after = getattr(entry.card, "superseded_by", None)
    return f"Superseded by {after}. {entry.card.summary}" if after else entry.card.summary


def _count(kind: str, entries: Sequence[Entry[Any, Any]]) -> str:
    return f"{len(entries)} {plural(kind[:-1], len(entries))}"


def make_listing(kind: str, entries: Sequence[Entry[Any, Any]], width: int) -> RenderableType:
    """Return a table of registered things for a terminal of `width` columns, a line each.

    Names are never cut, but the longest may fold. Columns between name and summary are left out, from the last one,
    where they leave the summary no room.
    """
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    name = min(NAME, max((len(e.name) for e in entries), default=4))
    table.add_column("name", overflow="fold", style="bold", min_width=name, max_width=name)
    cells: list[list[str]] = []
    room = width - EDGES - name - GAP  # for a summary
    for column, texts in _gather_cells(kind, entries).items():
        needed = min(CELL, max(map(len, [column, *texts])))
        if room - needed - GAP < SUMMARY:
            break
        room -= needed + GAP
        table.add_column(column, no_wrap=True, overflow="ellipsis", min_width=needed, max_width=needed)
        cells.append(texts)
    table.add_column("summary", no_wrap=True, overflow="ellipsis", width=max(8, room))
    for row, entry in enumerate(entries):
        table.add_row(entry.name, *(escape(texts[row]) for texts in cells), escape(summarize(entry)))
    return Group(table, Text(_count(kind, entries), style="dim"))
