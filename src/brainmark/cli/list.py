"""``brainmark list``: what is registered, as a table that fits the terminal."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Annotated, Any

import typer
from rich import box
from rich.console import Group, RenderableType
from rich.markup import escape
from rich.table import Table
from rich.text import Text

from brainmark.cli.terminal import JsonFlag, Terminal, out, print_json
from brainmark.core import registry
from brainmark.core.errors import UnknownName
from brainmark.core.lookup import select
from brainmark.core.registry import Entry, Registry
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
        Terminal(width=10_000).print(make_listing(kind, entries, None))


def make_listing(kind: str, entries: Sequence[Entry[Any, Any]], width: int | None) -> RenderableType:
    """Return a table of registered things for a terminal of `width` columns, a line each; None: nothing is cut.

    Names are never cut, but the longest may fold. Columns between name and summary are left out, from the last one,
    where they leave the summary no room.
    """
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    name = max((len(e.name) for e in entries), default=4)
    name = name if width is None else min(name, NAME)
    table.add_column("name", overflow="fold", style="bold", min_width=name, max_width=name)
    cells: list[list[str]] = []
    most, room = (math.inf, math.inf) if width is None else (CELL, width - EDGES - name - GAP)  # room: for a summary
    for column in COLUMNS[kind]:
        values = [getattr(e.card, column) for e in entries]
        texts = [", ".join(value) if isinstance(value, tuple) else str(value) for value in values]
        needed = int(min(most, max(map(len, [column, *texts]))))
        if room - needed - GAP < SUMMARY:
            break
        room -= needed + GAP
        table.add_column(column, no_wrap=True, overflow="ellipsis", min_width=needed, max_width=needed)
        cells.append(texts)
    table.add_column("summary", no_wrap=True, overflow="ellipsis", width=None if width is None else max(8, int(room)))
    for row, entry in enumerate(entries):
        table.add_row(entry.name, *(escape(texts[row]) for texts in cells), escape(entry.card.summary))
    return Group(table, Text(f"{len(entries)} {plural(kind[:-1], len(entries))}", style="dim"))
