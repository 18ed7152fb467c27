"""Outcomes as one table: the tree of benchmarks downwards, models side by side (Markdown, terminal) or below (CSV)."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from brainmark.analysis.hierarchy import NodeScore, best_control, node_scores, why_missing
from brainmark.analysis.output import check_place, write_file
from brainmark.core.cards import BenchmarkCard
from brainmark.core.score import Failure, Interval, Outcome, Score
from brainmark.core.text import escape_csv, escape_markdown
from brainmark.core.tree import Node, tree
from brainmark.core.wording import number

FORMATS = (".md", ".csv")
OTHER = "other"
"""Name of the node of benchmarks that have no place in the tree."""
COLUMNS: tuple[str, ...] = (
    "place", "model", "value", "low", "high", "raw", "ceiling", "ceiling_low", "ceiling_high", "control",
    "control_name", "known", "total", "missing", "reason", "data", "seconds", "brainmark", "commit",
)  # fmt: skip
"""Of the CSV file."""


class CellText(NamedTuple):
    """What stands in a cell: words, the interval below them, and "k/n" where a mean lacks benchmarks."""

    text: str
    interval: Interval | None = None
    share: str = ""


class Line(NamedTuple):
    """A line of the table: a node of the tree, a benchmark below it, or a benchmark that counts no more.

    Attributes
    ----------
    path : names from the root to here.
    depth : below the uppermost node of the table.
    is_node : whether the cells are means.
    cells : by model; None: not run.
    successor : what counts in the place of a superseded benchmark, which has no cells.
    """

    path: tuple[str, ...]
    depth: int
    is_node: bool
    cells: Mapping[str, NodeScore | Outcome | None]
    successor: str = ""


def tree_lines(
    roots: Sequence[Node], outcomes: Sequence[Outcome], cards: Mapping[str, BenchmarkCard]
) -> Iterator[Line]:
    """Yield the lines of the table from the roots downwards: a node, then its benchmarks, then the nodes below."""
    table = {(o.subject, o.benchmark): o for o in outcomes}
    models = list(dict.fromkeys(o.subject for o in outcomes))
    scores = node_scores(roots, outcomes, cards)
    for root in roots:
        for node in root.walk():
            depth = len(node.path) - len(root.path)
            yield Line(node.path, depth, True, {model: scores[node.path, model] for model in models})
            for name in node.benchmarks:
                yield Line((*node.path, name), depth + 1, False, {model: table.get((model, name)) for model in models})
            for name, successor in node.superseded:
                yield Line((*node.path, name), depth + 1, False, {}, successor)


def describe_cell(cell: NodeScore | Outcome | None) -> CellText:
    """Return the value, or why there is none.

    It is marked "≤" if it is not above the best control, "raw" without a ceiling, and "> ceiling" if all of its
    interval is.
    """
    if isinstance(cell, NodeScore):
        text = "" if cell.value is None else f"{'≤ ' if cell.beaten else ''}{number(cell.value)}"
        return CellText(text, cell.interval, "" if cell.complete else f"{cell.known}/{cell.total}")
    if not isinstance(cell, Score):
        return CellText(why_missing(cell, raw=True))
    control = best_control(cell)
    beaten = "≤ " if control is not None and cell.value <= control[0] else ""
    mark = " raw" if cell.ceiling is None else " > ceiling" if cell.above_ceiling else ""
    return CellText(f"{beaten}{number(cell.value)}{mark}", cell.interval)


def find_control(cells: Sequence[NodeScore | Outcome | None]) -> tuple[float, str] | None:
    """Return the highest control of a line with its name; the control of a mean has none."""
    scores = [best_control(cell) for cell in cells if isinstance(cell, Score)]
    means = [(cell.control, "") for cell in cells if isinstance(cell, NodeScore) and cell.control is not None]
    return max((control for control in (*scores, *means) if control is not None), default=None)


def describe_ceiling(cells: Sequence[NodeScore | Outcome | None]) -> str:
    """Return the ceiling that the models of a line share; "" for means."""
    scores = [cell for cell in cells if isinstance(cell, Score)]
    return number(scores[0].ceiling) if scores else ""


def write_table(
    path: Path, nodes: Sequence[Node], outcomes: Sequence[Outcome], cards: Mapping[str, BenchmarkCard]
) -> Path:
    """Write all outcomes, and the means at `nodes` and all below them, as Markdown or CSV by the file's ending.

    Raises
    ------
    ResourceError : another ending, or the file cannot be written.
    """
    check_place(path, "table", FORMATS)
    make = make_markdown if path.suffix == ".md" else make_csv
    return write_file(path, make(nodes, outcomes, cards), "table")


def make_markdown(nodes: Sequence[Node], outcomes: Sequence[Outcome], cards: Mapping[str, BenchmarkCard]) -> str:
    """Return a table with a column for each model, and below it the reasons of what has no value."""
    models = list(dict.fromkeys(o.subject for o in outcomes))
    rows = [["", "ceiling", "best control", *map(escape_markdown, models)]]
    rows.append(["---", *["---:"] * (len(models) + 2)])
    for line in tree_lines(_add_roots(nodes, outcomes, cards), outcomes, cards):
        if line.successor:
            continue
        name = escape_markdown(line.path[-1] if line.depth else " / ".join(line.path))
        control = find_control(list(line.cells.values()))
        floor = "" if control is None else f"{number(control[0])} {escape_markdown(control[1])}".rstrip()
        cells = [_mark_up(describe_cell(cell), line.is_node) for cell in line.cells.values()]
        head = f"{'&ensp;' * line.depth}{f'**{name}**' if line.is_node else name}"
        rows.append([head, describe_ceiling(list(line.cells.values())), floor, *cells])
    text = [f"| {' | '.join(row)} |" for row in rows]
    of_suites = [escape_markdown(line) for line in describe_suites(nodes)]
    return "\n".join([*text, "", *of_suites, *_list_reasons(outcomes)]).rstrip() + "\n"


def describe_suites(nodes: Sequence[Node]) -> list[str]:
    """Return of each average among the nodes, in a sentence, which suite it is of, and with what it compares."""
    told: dict[str, None] = {}
    for node in nodes:
        root, at, suite = node.path[0].partition("@")
        if at:
            told[f"Means under @{suite} are those of the suite {suite}, and compare with others of it."] = None
        elif "average" in root.split("_"):
            changes = "it changes with the benchmarks that are registered ('brainmark suites' shows suites)"
            told[f"{root} is of no frozen suite: {changes}."] = None
    return list(told)


def make_csv(nodes: Sequence[Node], outcomes: Sequence[Outcome], cards: Mapping[str, BenchmarkCard]) -> str:
    """Return a line for each node and model and for each benchmark and model, full precision; see `COLUMNS`."""
    text = io.StringIO()
    writer = csv.DictWriter(text, COLUMNS, restval="", lineterminator="\n")
    writer.writeheader()
    for line in tree_lines(_add_roots(nodes, outcomes, cards), outcomes, cards):
        for model, cell in line.cells.items():
            row = {"place": "/".join(line.path), "model": model, **_list_columns(cell)}
            writer.writerow({name: escape_csv(v) if isinstance(v, str) else v for name, v in row.items()})
    return text.getvalue()


def _add_roots(nodes: Sequence[Node], outcomes: Sequence[Outcome], cards: Mapping[str, BenchmarkCard]) -> list[Node]:
    """Return the nodes, and the tree of those benchmarks that have an outcome but stand below none of them.

    Benchmarks without a card, and superseded ones, come last: no outcome is left out.
    """
    below = {leaf for node in nodes for leaf in node.leaves()}
    alone = dict.fromkeys(o.benchmark for o in outcomes if o.benchmark not in below)
    roots = tree({name: cards[name] for name in alone if name in cards})
    reached = {leaf for root in roots for leaf in root.leaves()}
    other = tuple(name for name in alone if name not in reached)
    return [*nodes, *roots, *([Node((OTHER,), benchmarks=other)] if other else [])]


def _list_columns(cell: NodeScore | Outcome | None) -> dict[str, Any]:
    """Return what the CSV file says about a cell."""
    if isinstance(cell, NodeScore):
        missing = "; ".join(f"{count} {why}" for why, count in cell.missing.items())
        row = {"value": cell.value, "control": cell.control, "known": cell.known, "total": cell.total}
        return row | {"missing": missing} | _name_ends("", cell.interval)
    if not isinstance(cell, Score):
        return {"missing": why_missing(cell, raw=True), "reason": getattr(cell, "reason", "")}
    row: dict[str, Any] = {"value": cell.value, "raw": cell.raw, "ceiling": cell.ceiling}
    row |= _name_ends("", cell.interval) | _name_ends("ceiling_", cell.ceiling_bounds)
    if control := best_control(cell):
        row |= {"control": control[0], "control_name": control[1]}
    if stamp := cell.stamp:
        row |= {"data": stamp.data, "seconds": stamp.seconds, "brainmark": stamp.brainmark, "commit": stamp.commit}
    return row


def _name_ends(name: str, interval: Interval | None) -> dict[str, float]:
    return {} if interval is None else {f"{name}low": interval[0], f"{name}high": interval[1]}


def _list_reasons(outcomes: Sequence[Outcome]) -> list[str]:
    """Return a list of models and reasons, each once, with the benchmarks that it holds for."""
    on: dict[tuple[str, str], list[str]] = {}
    for failure in (o for o in outcomes if isinstance(o, Failure)):
        key = f"{failure.subject}: {why_missing(failure, raw=True)}", failure.reason
        on.setdefault(key, []).append(failure.benchmark)
    count = {key: ", ".join(n) if len(n) < 4 else f"{n[0]} and {len(n) - 1} more" for key, n in on.items()}
    return [f"- {escape_markdown(f'{who} on {count[who, reason]}: {reason}')}" for who, reason in on]


def _mark_up(cell: CellText, bold: bool) -> str:
    text = f"**{cell.text}**" if bold and cell.text else cell.text
    words = " ".join(filter(None, (text, cell.share)))
    ends = cell.interval
    return words if ends is None else f"{words}<br>{number(ends[0], 2)}&nbsp;to&nbsp;{number(ends[1], 2)}"
