"""Outcomes as one table in a file: the tree of benchmarks downwards, models side by side (Markdown) or below (CSV)."""

from __future__ import annotations

import csv
import io
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from brainmark.analysis.hierarchy import NodeScore, node_scores, why_missing
from brainmark.analysis.leaderboard import Outcome, best_control
from brainmark.core.cards import BenchmarkCard
from brainmark.core.errors import ResourceError
from brainmark.core.score import Failure, Interval, Score
from brainmark.core.tree import Node, tree
from brainmark.data.writing import write_whole

FORMATS = (".md", ".csv")
COLUMNS: tuple[str, ...] = (
    "place", "model", "value", "low", "high", "raw", "ceiling", "ceiling_low", "ceiling_high", "control",
    "control_name", "known", "total", "missing", "reason", "data", "seconds", "brainmark", "commit",
)  # fmt: skip


class Said(NamedTuple):
    """What stands in a cell: words, the interval below them, and "k/n" where a mean lacks benchmarks."""

    text: str
    interval: Interval | None = None
    share: str = ""


def of_outcome(outcome: Outcome | None) -> Said:
    """Return the value, marked "≤" if it is not above the best control and "raw" without a ceiling; or why not."""
    if not isinstance(outcome, Score):
        return Said(why_missing(outcome, raw=True))
    floor = best_control(outcome)
    beaten = "≤ " if floor is not None and outcome.value <= floor else ""
    return Said(f"{beaten}{outcome.value:.3f}{' raw' if outcome.ceiling is None else ''}", outcome.interval)


def of_node(score: NodeScore) -> Said:
    """Return the mean, marked "≤" if it is not above that of the best controls."""
    share = "" if score.complete else f"{score.known}/{score.total}"
    text = "" if score.value is None else f"{'≤ ' if score.beaten else ''}{score.value:.3f}"
    return Said(text, score.interval, share)


def ceiling_and_control(outcomes: Sequence[Outcome | None]) -> tuple[str, tuple[float, str] | None]:
    """Return the ceiling that models share, as text, and the highest control of any of them with its name."""
    scores = [o for o in outcomes if isinstance(o, Score)]
    if not scores:
        return "", None
    controls = ((c.value, name) for s in scores for name, c in s.controls.items() if name != s.subject)
    top = scores[0].ceiling
    return "none" if top is None else f"{top:.3f}", max(controls, default=None)


def rooted(nodes: Sequence[Node], outcomes: Sequence[Outcome], cards: Mapping[str, BenchmarkCard]) -> list[Node]:
    """Return the nodes, and the tree of those benchmarks that have an outcome but stand below none of them."""
    below = {leaf for node in nodes for leaf in node.leaves()}
    alone = dict.fromkeys(o.benchmark for o in outcomes if o.benchmark not in below and o.benchmark in cards)
    return [*nodes, *tree({name: cards[name] for name in alone})]


def check_table_path(path: Path) -> None:
    """Refuse an ending that says no known format. Raises ResourceError."""
    if path.suffix not in FORMATS:
        raise ResourceError(f"cannot write the table {path}: name a file that ends in {' or '.join(FORMATS)}")


def write_table(
    path: Path, nodes: Sequence[Node], outcomes: Sequence[Outcome], cards: Mapping[str, BenchmarkCard]
) -> Path:
    """Write all outcomes, and the means at `nodes` and all below them, as Markdown or CSV by the file's ending.

    Raises
    ------
    ResourceError : another ending, or the file cannot be written.
    """
    check_table_path(path)
    text = (markdown if path.suffix == ".md" else comma_separated)(nodes, outcomes, cards)
    try:
        write_whole(path, text.encode())
    except OSError as error:
        raise ResourceError(f"cannot write the table {path}: {error.strerror or error}") from error
    return path


def markdown(nodes: Sequence[Node], outcomes: Sequence[Outcome], cards: Mapping[str, BenchmarkCard]) -> str:
    """Return a table with a column for each model, and below it the reasons of what has no value."""
    roots = rooted(nodes, outcomes, cards)
    table = {(o.subject, o.benchmark): o for o in outcomes}
    models = list(dict.fromkeys(subject for subject, _ in table))
    scores = node_scores(roots, outcomes, cards)
    rows = [["", "ceiling", "best control", *models], ["---", *["---:"] * (len(models) + 2)]]
    for root in roots:
        for node in root.walk():
            indent = "&ensp;" * (len(node.path) - len(root.path))
            at = [scores[node.path, model] for model in models]
            floor = max((s.control for s in at if s.control is not None), default=None)
            name = node.name if indent else " / ".join(node.path)
            shown = "" if floor is None else f"{floor:.3f}"
            rows.append([f"{indent}**{name}**", "", shown, *(_bold(of_node(s)) for s in at)])
            for name in node.benchmarks:
                found = [table.get((model, name)) for model in models]
                top, control = ceiling_and_control(found)
                lowest = f"{control[0]:.3f} {control[1]}" if control else ""
                rows.append([f"{indent}&ensp;{name}", top, lowest, *(_below(of_outcome(o)) for o in found)])
    reasons = _reasons([o for o in outcomes if isinstance(o, Failure)])
    return "\n".join([*(f"| {' | '.join(map(_cell, row))} |" for row in rows), "", *reasons]).rstrip() + "\n"


def comma_separated(nodes: Sequence[Node], outcomes: Sequence[Outcome], cards: Mapping[str, BenchmarkCard]) -> str:
    """Return a line for each node and model and for each benchmark and model, full precision; see `COLUMNS`."""
    roots = rooted(nodes, outcomes, cards)
    table = {(o.subject, o.benchmark): o for o in outcomes}
    models = list(dict.fromkeys(subject for subject, _ in table))
    scores = node_scores(roots, outcomes, cards)
    text = io.StringIO()
    writer = csv.DictWriter(text, COLUMNS, restval="", lineterminator="\n")
    writer.writeheader()
    for node in (node for root in roots for node in root.walk()):
        writer.writerows(_node_row(scores[node.path, model]) for model in models)
        for name in node.benchmarks:
            place = "/".join((*node.path, name))
            writer.writerows(_outcome_row(place, model, table.get((model, name))) for model in models)
    return text.getvalue()


def _node_row(score: NodeScore) -> dict[str, Any]:
    missing = "; ".join(f"{count} {why}" for why, count in score.missing.items())
    row = {"place": "/".join(score.node.path), "model": score.subject, "missing": missing}
    row |= {"value": score.value, "control": score.control, "known": score.known, "total": score.total}
    return row | _ends("", score.interval)


def _outcome_row(place: str, model: str, outcome: Outcome | None) -> dict[str, Any]:
    row: dict[str, Any] = {"place": place, "model": model}
    if not isinstance(outcome, Score):
        return row | {"missing": why_missing(outcome, raw=True), "reason": getattr(outcome, "reason", "")}
    row |= {"value": outcome.value, "raw": outcome.raw, "ceiling": outcome.ceiling}
    row |= _ends("", outcome.interval) | _ends("ceiling_", outcome.ceiling_bounds)
    if control := ceiling_and_control([outcome])[1]:
        row |= {"control": control[0], "control_name": control[1]}
    if stamp := outcome.stamp:
        row |= {"data": stamp.data, "seconds": stamp.seconds, "brainmark": stamp.brainmark, "commit": stamp.commit}
    return row


def _ends(name: str, interval: Interval | None) -> dict[str, float]:
    return {} if interval is None else {f"{name}low": interval[0], f"{name}high": interval[1]}


def _reasons(failures: Sequence[Failure]) -> list[str]:
    """Return a list of models and reasons, each once, with the benchmarks that it holds for."""
    on: dict[tuple[str, str], list[str]] = {}
    for failure in failures:
        key = f"{failure.subject}: {why_missing(failure, raw=True)}", failure.reason
        on.setdefault(key, []).append(failure.benchmark)
    return [f"- {who} on {_counted(names)}: {reason}" for (who, reason), names in on.items()]


def _counted(names: Sequence[str]) -> str:
    return ", ".join(names) if len(names) < 4 else f"{names[0]} and {len(names) - 1} more"


def _bold(said: Said) -> str:
    return _below(said._replace(text=f"**{said.text}**" if said.text else ""))


def _below(said: Said) -> str:
    words = " ".join(filter(None, (said.text, said.share)))
    return words if said.interval is None else f"{words}<br>{'&nbsp;to&nbsp;'.join(map(_end, said.interval))}"


def _end(value: float) -> str:
    return f"{round(value, 2) + 0.0:.2f}"  # what rounds to zero has no sign


def _cell(text: str) -> str:
    return text.replace("|", "\\|").replace("\n", " ")


__all__ = [
    "COLUMNS", "FORMATS", "Said", "ceiling_and_control", "check_table_path", "comma_separated", "markdown", "of_node",
    "of_outcome", "rooted", "write_table",
]  # fmt: skip
