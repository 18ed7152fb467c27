"""Outcomes as tables in a terminal: benchmark by benchmark, or down the tree of benchmarks with means at its nodes."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence

from rich import box
from rich.console import Console, Group, JustifyMethod, RenderableType
from rich.markup import escape
from rich.measure import Measurement
from rich.table import Table
from rich.text import Text

from brainmark.analysis.hierarchy import NodeScore, best_control
from brainmark.analysis.table import Line, describe_ceiling, describe_cell, describe_suites, find_control, tree_lines
from brainmark.core.cards import BenchmarkCard
from brainmark.core.score import ABOVE_CEILING, Failure, Outcome, Score
from brainmark.core.tree import Node
from brainmark.core.wording import duration, number, plural
from brainmark.run.layer_choice import LAYER_NOTE

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
LEFT, CELL = 64, 17  # of the table of a tree: columns left of the models, and of a model
BESIDE = ("decided for", "few stimuli", ABOVE_CEILING)  # how notes begin that stand beside a score
DIM = {"not run": "not run", "no data": "no data", "not applicable": "n/a"}


def make_leaderboard(outcomes: Iterable[Outcome], terminal: int = NARROW) -> RenderableType:
    """Return a table for each benchmark, best model first; chosen layers and reasons of failures at the end.

    One model on several benchmarks is one table, with a line for each benchmark.

    Where a `terminal` has too few columns for one of them, ceilings, which stand above each as well, and then times
    are left out of all.
    """
    boards: dict[str, list[Outcome]] = {}
    reasons: dict[str, list[str]] = {}
    for outcome in outcomes:
        boards.setdefault(outcome.benchmark, []).append(outcome)
        notes = _find_notes(outcome) if isinstance(outcome, Score) else [outcome.reason]
        for note in notes:  # some errors begin with the name
            reasons.setdefault(f"{outcome.subject}: {note.removeprefix(f'{outcome.subject}: ')}", []).append(
                outcome.benchmark
            )
    parts: list[RenderableType] = []
    if len(boards) > 1 and len({o.subject for rows in boards.values() for o in rows}) == 1:
        parts.append(_make_list([o for rows in boards.values() for o in rows], terminal))
    else:
        omitted = _omit_columns(list(boards.values()), terminal)
        for benchmark, rows in boards.items():
            parts += [_make_headline(benchmark, rows), _make_board(rows, omitted)]
    how = Text(
        "score = raw / ceiling: 1 is what a perfect model could reach with these data. Controls should do badly: "
        "a score is worth what it has above them.",
        style="dim",
    )
    causes = [
        Text(f"{reason} ({', '.join(on) if len(on) < 3 else f'{len(on)} benchmarks'})")
        for reason, on in reasons.items()
    ]
    return Group(*parts, how, *causes)


def _make_board(rows: Sequence[Outcome], omitted: Collection[str] = ()) -> Table:
    """Return the table of one benchmark, less the columns that are omitted."""
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, padding=(0, 1))
    for column, (justify, width) in BOARD.items():
        if column not in omitted:
            table.add_column(column, justify=justify, no_wrap=column not in FOLDING, overflow="fold", min_width=width)
    for score in sorted((o for o in rows if isinstance(o, Score)), key=lambda s: -s.value):
        table.add_row(*(cell for column, cell in _list_cells(score).items() if column not in omitted))
    for failure in (o for o in rows if not isinstance(o, Score)):
        table.add_row(escape(failure.subject), *_describe_failure(failure))
    return table


def _find_notes(score: Score) -> list[str]:
    """Return the notes without which a score cannot be read."""
    return [note for note in score.notes if LAYER_NOTE in note or note.startswith(BESIDE)]


def _describe_failure(failure: Failure) -> tuple[str, str]:
    """Return what stands in the columns of value and interval of what has no score."""
    mild = {"not_applicable": "n/a", "no_data": "no data", "not_run": "not run"}
    return (mild[failure.kind], "") if failure.kind in mild else ("[red]failed[/]", escape(failure.kind))


def _make_list(outcomes: Sequence[Outcome], terminal: int) -> Table:
    """Return the table of one model: a line for each benchmark, in the order in which they were scored.

    Times are left out where a terminal is narrow.
    """
    omitted = ("model",) if terminal >= NARROW else ("model", "time")
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, padding=(0, 1))
    table.add_column(escape(outcomes[0].subject), overflow="fold", min_width=20)
    for column, (justify, width) in BOARD.items():
        if column not in omitted:
            folds = column in FOLDING
            table.add_column(column, justify=justify, no_wrap=not folds, overflow="fold", min_width=width)
    for outcome in outcomes:
        if isinstance(outcome, Score):
            cells = [cell for column, cell in _list_cells(outcome).items() if column not in omitted]
        else:
            cells = list(_describe_failure(outcome))
        table.add_row(escape(outcome.benchmark), *cells)
    return table


def _list_cells(score: Score) -> dict[str, str]:
    """Return the cells of a score by column."""
    control = best_control(score)
    return {
        "model": escape(score.subject),
        "score": f"{number(score.value)}{' > ceiling' if score.above_ceiling else ''}",
        "95 % interval": "" if score.interval is None else " – ".join(map(number, score.interval)),
        "ceiling": number(score.ceiling),
        "highest control": escape(f"{control[1]} {number(control[0])}") if control else "",
        "time": "" if score.stamp is None else duration(score.stamp.seconds),
    }


def _omit_columns(boards: Sequence[Sequence[Outcome]], terminal: int) -> tuple[str, ...]:
    """Return the columns without which all tables fit a terminal, as far as that can be."""
    console = Console(width=10_000)
    for omitted in ((), ("ceiling",)):
        tables = [_make_board(rows, omitted) for rows in boards]
        if all(Measurement.get(console, console.options, table).maximum <= terminal for table in tables):
            return omitted
    return ("ceiling", "time")


def _make_headline(benchmark: str, rows: Sequence[Outcome]) -> Text:
    """Return name, ceiling with its range, and where the data came from."""
    scores = [o for o in rows if isinstance(o, Score)]
    facts = sorted({f"data {s.stamp.data}" for s in scores if s.stamp})
    if scores and scores[0].ceiling is None:
        facts.insert(0, "no ceiling: scores are raw")
    elif scores:
        bounds = scores[0].ceiling_bounds
        spread = "" if bounds is None else f" ({number(bounds[0], 2)}–{number(bounds[1], 2)})"
        facts.insert(0, f"ceiling {number(scores[0].ceiling)}{spread}")
    return Text.assemble((benchmark, "bold"), ("   " + ", ".join(facts), "dim"))


def make_tree_table(
    nodes: Sequence[Node], outcomes: Sequence[Outcome], cards: Mapping[str, BenchmarkCard], width: int
) -> RenderableType:
    """Return outcomes under the nodes that were asked for, with as many models beside each other as fit the width.

    Below stand the reasons of what is missing, and how to read the table.
    """
    models = list(dict.fromkeys(o.subject for o in outcomes))
    lines = list(tree_lines(nodes, outcomes, cards))
    fit = max((width - LEFT) // (CELL + 2), 1)
    tables = [_make_part(lines, models[i : i + fit]) for i in range(0, len(models), fit)]
    reasons = [f"{o.subject}: {o.reason}" for o in outcomes if not isinstance(o, Score)]
    counts = {reason: reasons.count(reason) for reason in dict.fromkeys(reasons)}
    causes = [Text(f"{reason} ({n} {plural('benchmark', n)})", style="dim") for reason, n in counts.items()]
    how = Text(
        "Values are raw / ceiling, with 95 % intervals below; a node is the mean of the nodes below it that have a "
        "value. k/n: only k of n benchmarks have one, so it compares with no other. ≤: not above the best control. "
        "raw: no ceiling, outside the mean (engineering is all raw). > ceiling: so is the whole interval.",
        style="dim",
    )
    suites = [Text(line, style="dim") for line in describe_suites(nodes)]
    return Group(*tables, how, *suites, *causes)


def _make_part(lines: Sequence[Line], models: Sequence[str]) -> Table:
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, padding=(0, 1))
    table.add_column("", overflow="fold", min_width=30, max_width=LEFT - 26)
    table.add_column("ceiling", justify="right", no_wrap=True)
    table.add_column("control", justify="right")
    for model in models:
        table.add_column(escape(model), justify="right", overflow="fold", max_width=CELL)
    for line in lines:
        name = "  " * line.depth + escape(line.path[-1] if line.depth else "/".join(line.path[-2:]))
        if line.successor:
            table.add_row(f"[dim]{name}: superseded by {escape(line.successor)}[/]")
            continue
        cells = [line.cells[model] for model in models]
        value, of = find_control(cells) or (None, "")
        floor = "" if value is None else number(value)
        if line.is_node:
            name, floor = f"[bold]{name}[/]", f"[dim]{floor}[/]"
        elif of:
            floor += f"\n[dim]{escape(of)}[/]"
        table.add_row(name, describe_ceiling(cells), floor, *map(_make_cell, cells))
    return table


def _make_cell(cell: NodeScore | Outcome | None) -> str:
    text, ends, share = describe_cell(cell)
    if isinstance(cell, NodeScore):
        share = share and f"[{'yellow' if text else 'dim'}]{share}[/]"
        text = " ".join(filter(None, (text and f"[bold]{text}[/]", share)))
    elif text in DIM:
        text = f"[dim]{DIM[text]}[/]"
    text = text.replace("failed", "[red]failed[/]")
    return text if ends is None else f"{text}\n[dim]{number(ends[0], 2)} – {number(ends[1], 2)}[/]"
