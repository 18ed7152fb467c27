"""The tree of benchmarks in a terminal: what stands where, and the means at its nodes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from rich import box
from rich.console import Group, RenderableType
from rich.markup import escape
from rich.table import Table
from rich.text import Text

from brainmark.analysis.hierarchy import NodeScore, node_scores
from brainmark.analysis.table import ceiling_and_control, of_node, of_outcome
from brainmark.core.cards import BenchmarkCard
from brainmark.core.score import Failure, Score
from brainmark.core.tree import Node
from brainmark.core.wording import plural

CELL = 17  # columns of a model in the table
LEFT = 64  # columns left of the models


def sketch(node: Node, cards: Mapping[str, BenchmarkCard]) -> RenderableType:
    """Return a node with all that stands below, a line each."""
    lines: list[RenderableType] = []
    for each in node.walk():
        indent = "  " * (len(each.path) - len(node.path))
        count = len(each.leaves())
        said = f"  {count} {plural('benchmark', count)}"
        lines.append(Text.assemble(f"{indent}{each.name}", (said, "dim"), style="bold"))
        for name in each.benchmarks:
            private = "  private" if cards[name].visibility == "private" else ""
            lines.append(Text.assemble(f"{indent}  {name}", (private, "yellow")))
        lines += [Text(f"{indent}  {n}  superseded by {after}", style="dim") for n, after in each.superseded]
    return Group(*lines, Text(""))


def node_sheet(node: Node) -> dict[str, Any]:
    """Return a node ready for JSON."""
    return {
        "kind": "node", "name": node.name, "path": "/".join(node.path), "benchmarks": node.leaves(),
        "children": [child.name for child in node.children],
        "superseded": {n: after for each in node.walk() for n, after in each.superseded},
    }  # fmt: skip


class Board:
    """Outcomes under the nodes that were asked for: one table, as many models beside each other as fit."""

    def __init__(
        self, nodes: Sequence[Node], outcomes: Sequence[Score | Failure], cards: Mapping[str, BenchmarkCard]
    ) -> None:

        self.nodes = nodes
        self.table = {(o.subject, o.benchmark): o for o in outcomes}
        self.models = list(dict.fromkeys(o.subject for o in outcomes))
        self.scores = node_scores(nodes, outcomes, cards)

    def to_json(self) -> list[dict[str, Any]]:
        """Return the scores at nodes, parents first."""
        return [score.to_dict() for score in self.scores.values()]

    def render(self, width: int) -> RenderableType:
        """Return the table, the reasons of what is missing, and how to read it."""
        fit = max((width - LEFT) // (CELL + 2), 1)
        tables = [self._table(self.models[i : i + fit]) for i in range(0, len(self.models), fit)]
        reasons: dict[str, int] = {}
        for outcome in self.table.values():
            if (reason := getattr(outcome, "reason", None)) is not None:
                line = f"{outcome.subject}: {reason}"
                reasons[line] = reasons.get(line, 0) + 1
        causes = [Text(f"{line} ({n} {plural('benchmark', n)})", style="dim") for line, n in reasons.items()]
        how = Text(
            "Values are raw / ceiling, with 95 % intervals below; a node is the mean of the nodes below it that have a "
            "value. k/n: only k of n benchmarks have one, so it compares with no other. ≤: not above the best control. "
            "raw: no ceiling, outside the mean (engineering is all raw).",
            style="dim",
        )
        return Group(*tables, how, *causes)

    def _table(self, models: Sequence[str]) -> Table:
        table = Table(box=box.SIMPLE_HEAD, pad_edge=False, padding=(0, 1))
        table.add_column("", overflow="fold", min_width=30, max_width=LEFT - 26)
        table.add_column("ceiling", justify="right", no_wrap=True)
        table.add_column("control", justify="right")
        for model in models:
            table.add_column(escape(model), justify="right", overflow="fold", max_width=CELL)
        for top in self.nodes:
            for node in top.walk():
                self._add_node(table, node, "  " * (len(node.path) - len(top.path)), models)
        return table

    def _add_node(self, table: Table, node: Node, indent: str, models: Sequence[str]) -> None:

        scores = [self.scores[node.path, model] for model in models]
        floors = [s.control for s in scores if s.control is not None]
        floor = f"{max(floors):.3f}" if floors else ""
        cells = [_node_cell(s) for s in scores]
        name = node.name if indent else "/".join(node.path[-2:])
        table.add_row(f"[bold]{indent}{escape(name)}[/]", "", f"[dim]{floor}[/]", *cells)
        for name in node.benchmarks:
            outcomes = [self.table.get((model, name)) for model in models]
            cells = [_cell(outcome) for outcome in outcomes]
            top, control = ceiling_and_control(outcomes)
            floor = f"{control[0]:.3f}\n[dim]{escape(control[1])}[/]" if control else ""
            table.add_row(f"{indent}  {escape(name)}", top, floor, *cells)
        for name, after in node.superseded:
            table.add_row(f"[dim]{indent}  {escape(name)}: superseded by {escape(after)}[/]")


def _node_cell(score: NodeScore) -> str:

    text, interval, share = of_node(score)
    if not text:
        return f"[dim]{share}[/]"
    return f"[bold]{text}[/]{f' [yellow]{share}[/]' if share else ''}{_spread(interval)}"


def _cell(outcome: Score | Failure | None) -> str:

    text, interval, _ = of_outcome(outcome)
    text = {"not run": "[dim]not run[/]", "no data": "[dim]no data[/]", "not applicable": "[dim]n/a[/]"}.get(text, text)
    return f"{text.replace('failed', '[red]failed[/]')}{_spread(interval)}"


def _spread(interval: tuple[float, float] | None) -> str:
    return "" if interval is None else f"\n[dim]{interval[0]:.2f} – {interval[1]:.2f}[/]"
