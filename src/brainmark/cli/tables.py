"""How things look in a terminal."""

from __future__ import annotations

import math
from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from rich import box
from rich.console import Console, Group, JustifyMethod, RenderableType
from rich.markup import escape
from rich.measure import Measurement
from rich.table import Table
from rich.text import Text

from brainmark.core.registry import Entry
from brainmark.core.score import Failure, Score
from brainmark.core.wording import bytes_text, duration, number, plural
from brainmark.run.layers import LAYER_NOTE

if TYPE_CHECKING:
    from brainmark.cli.doctor import Finding


NAME, SUMMARY, CELL = 40, 44, 20  # columns of a list: names (longer ones fold), summaries, at most in a cell
GAP, EDGES = 3, 2  # between cells, and around a row
NARROW = 110  # columns of a terminal that a leaderboard is made for
BOARD: dict[str, tuple[JustifyMethod, int]] = {  # its columns: how they stand, and the fewest places they have
    "model": ("left", 5),
    "score": ("right", 6),
    "95 % interval": ("right", 15),
    "ceiling": ("right", 7),
    "highest control": ("left", 15),
    "time": ("right", 6),
}
FOLDING = {"model", "highest control"}  # columns of names, which fold before one is cut


def listing(kind: str, entries: Sequence[Entry[Any, Any]], width: int | None) -> RenderableType:
    """Return a table of registered things for a terminal of `width` columns, a line each; None: nothing is cut.

    Names are never cut, but the longest may fold. Columns between name and summary are left out, from the last one,
    where they leave the summary no room.
    """
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    columns = {
        "models": ("family", "regions"),
        "benchmarks": ("region", "metric", "species"),
        "datasets": ("species", "modality", "regions"),
        "metrics": ("compares",),
    }[kind]
    name = max((len(e.name) for e in entries), default=4)
    name = name if width is None else min(name, NAME)
    table.add_column("name", overflow="fold", style="bold", min_width=name, max_width=name)
    cells: list[list[str]] = []
    most, room = (math.inf, math.inf) if width is None else (CELL, width - EDGES - name - GAP)  # room: for a summary
    for column in columns:
        told = [_cell(getattr(e.card, column)) for e in entries]
        needed = int(min(most, max(map(len, [column, *told]))))
        if room - needed - GAP < SUMMARY:
            break
        room -= needed + GAP
        table.add_column(column, no_wrap=True, overflow="ellipsis", min_width=needed, max_width=needed)
        cells.append(told)
    table.add_column("summary", no_wrap=True, overflow="ellipsis", width=None if width is None else max(8, int(room)))
    for row, entry in enumerate(entries):
        table.add_row(entry.name, *(escape(told[row]) for told in cells), escape(entry.card.summary))
    return Group(table, Text(f"{len(entries)} {plural(kind[:-1], len(entries))}", style="dim"))


def _cell(value: Any) -> str:
    return ", ".join(value) if isinstance(value, tuple) else str(value)


def sheet(shown: Mapping[str, Any]) -> RenderableType:
    """Return all that is known of one thing."""
    table = Table(box=None, show_header=False, pad_edge=False, padding=(0, 2, 0, 0))
    table.add_column(style="dim", no_wrap=True)
    table.add_column(overflow="fold")
    card = dict(shown["card"])
    cite = card.pop("cite")
    sources = card.pop("sources", None)
    for key, value in card.items():
        if value not in (None, [], False, ""):
            table.add_row(key, _plain(value))
    for key, value in shown.get("facts", {}).items():
        table.add_row(key, _plain(value))
    for source in sources or []:
        known = f"sha256 {source['sha256']}" if source["sha256"] else f"sha1 {source['sha1']}"
        table.add_row("source", f"{escape(source['url'])}\n{known}, {bytes_text(source['size'])}")
    head = Text.assemble((shown["name"], "bold"), f"  ({shown['kind']})")
    return Group(head, table, Text(cite, style="dim"), Text(""))


def _plain(value: Any) -> str:
    if isinstance(value, list | tuple):
        return escape(", ".join(str(v) for v in value))
    return escape(f"{value:.3f}" if isinstance(value, float) else str(value))


def leaderboard(outcomes: Iterable[Score | Failure], terminal: int = NARROW) -> RenderableType:
    """Return a table for each benchmark, best model first; chosen layers and reasons of failures at the end.

    Where a `terminal` has too few columns for one of them, ceilings, which stand above each as well, and then times
    are left out of all.
    """
    outcomes = list(outcomes)
    boards = {b: [o for o in outcomes if o.benchmark == b] for b in dict.fromkeys(o.benchmark for o in outcomes)}
    left_out = _left_out(list(boards.values()), terminal)
    parts: list[RenderableType] = []
    for benchmark, rows in boards.items():
        parts += [_headline(benchmark, [o for o in rows if isinstance(o, Score)]), _board(rows, left_out)]
    reasons: dict[str, list[str]] = {}
    for outcome in outcomes:
        for reason in _reasons(outcome):
            reasons.setdefault(reason, []).append(outcome.benchmark)
    notes = Text(
        "score = raw / ceiling: 1 is what a perfect model could reach with these data. Controls should do badly: "
        "a score is worth what it has above them.",
        style="dim",
    )
    causes = (Text(f"{reason} ({_counted(on)})") for reason, on in reasons.items())
    return Group(*parts, notes, *causes)


def _board(rows: Sequence[Score | Failure], left_out: Collection[str] = ()) -> Table:
    """Return the table of one benchmark, less the columns that are left out."""
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, padding=(0, 1))
    shown = {column: look for column, look in BOARD.items() if column not in left_out}
    for column, (justify, width) in shown.items():
        table.add_column(column, justify=justify, no_wrap=column not in FOLDING, overflow="fold", min_width=width)
    for score in sorted((o for o in rows if isinstance(o, Score)), key=lambda s: -s.value):
        cells = dict(zip(BOARD, _score_cells(score), strict=True))
        table.add_row(*(cells[column] for column in shown))
    for failure in (o for o in rows if not isinstance(o, Score)):
        mild = {"not_applicable": ("n/a", ""), "no_data": ("no data", "")}
        table.add_row(escape(failure.subject), *mild.get(failure.kind, ("[red]failed[/]", escape(failure.kind))))
    return table


def _left_out(boards: Sequence[Sequence[Score | Failure]], terminal: int) -> tuple[str, ...]:
    """Return the columns without which all tables fit a terminal, as far as that can be."""
    console = Console(width=10_000)
    for left_out in ((), ("ceiling",)):
        tables = [_board(rows, left_out) for rows in boards]
        if all(Measurement.get(console, console.options, table).maximum <= terminal for table in tables):
            return left_out
    return ("ceiling", "time")


def _reasons(outcome: Score | Failure) -> list[str]:
    """Return what is to be said below the tables: chosen layers of a score, or why there is none."""
    if isinstance(outcome, Score):
        return [f"{outcome.subject}: {note}" for note in outcome.notes if LAYER_NOTE in note]
    why = outcome.reason.removeprefix(f"{outcome.subject}: ")  # some errors begin with the name
    return [f"{outcome.subject}: {why}"]


def _counted(benchmarks: Sequence[str]) -> str:
    return ", ".join(benchmarks) if len(benchmarks) < 3 else f"{len(benchmarks)} benchmarks"


def _headline(benchmark: str, scores: Sequence[Score]) -> Text:
    """Return name, ceiling with its range, and where the data came from."""
    facts: list[str] = []
    if scores and scores[0].ceiling is None:
        facts.append("no ceiling: scores are raw")
    elif scores:
        facts.append(f"ceiling {scores[0].ceiling:.3f}{_range(scores[0].ceiling_bounds)}")
    facts += sorted({f"data {s.stamp.data}" for s in scores if s.stamp})
    return Text.assemble((benchmark, "bold"), ("   " + ", ".join(facts), "dim"))


def _score_cells(score: Score) -> list[str]:
    interval = "" if score.interval is None else " – ".join(number(end) for end in score.interval)
    ceiling = "none" if score.ceiling is None else number(score.ceiling)
    controls = sorted(((c.value, n) for n, c in score.controls.items() if n != score.subject), reverse=True)
    highest = f"{controls[0][1]} {number(controls[0][0])}" if controls else ""
    time = "" if score.stamp is None else duration(score.stamp.seconds)
    return [escape(score.subject), number(score.value), interval, ceiling, escape(highest), time]


def _range(bounds: tuple[float, float] | None) -> str:
    return "" if bounds is None else f" ({bounds[0]:.2f}–{bounds[1]:.2f})"


def fetch_status(rows: Sequence[Mapping[str, Any]]) -> RenderableType:
    """Return the table of `brainmark fetch --list`."""
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    table.add_column("dataset", overflow="fold", min_width=20)
    table.add_column("state", no_wrap=True)
    for column, fewest in (("files", 5), ("size", max((len(bytes_text(row["size"])) for row in rows), default=4))):
        table.add_column(column, justify="right", no_wrap=True, min_width=fewest)
    table.add_column("licence", overflow="fold", min_width=12)
    colour = {"missing": "red", "damaged": "red", "mirror?": "yellow"}
    for row in rows:
        state = " + ".join(f"[{colour.get(s, 'green')}]{s}[/]" for s in row["states"])
        table.add_row(escape(row["dataset"]), state, str(row["files"]), bytes_text(row["size"]), escape(row["licence"]))
    return table


def findings(found: Sequence[Finding]) -> RenderableType:
    """Return the table of `brainmark doctor`."""
    table = Table(box=None, show_header=False, pad_edge=False, padding=(0, 2, 0, 0))
    marks = {"fine": "[green]✓[/]", "note": "[yellow]–[/]", "broken": "[red]✗[/]"}
    for finding in found:
        way_out = f"\n[bold]→[/] {escape(finding.mend)}" if finding.mend else ""
        table.add_row(marks[finding.state], finding.topic, escape(finding.fact) + way_out)
    return table
