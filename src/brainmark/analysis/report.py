"""One HTML file that presents outcomes, with everything that a reader needs to judge the numbers.

The file loads nothing: style, figures and script are inside. The same outcomes give the same bytes.
"""

from __future__ import annotations

import json
import math
import re
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from types import MappingProxyType
from typing import Any

from brainmark.analysis.bibtex import citations
from brainmark.analysis.figures import (
    CEILING_ROW,
    FEW_UNITS,
    has_ceiling,
    intervals_cut,
    score_figure,
    unit_figure,
    unit_name,
    unit_rows,
)
from brainmark.analysis.hierarchy import NodeScore, node_scores
from brainmark.analysis.leaderboard import Column, Leaderboard, arrange
from brainmark.analysis.output import write_file
from brainmark.analysis.pages import embed, render
from brainmark.analysis.svg import Sheet
from brainmark.core.cards import Card, DatasetCard, ModelCard
from brainmark.core.libraries import markupsafe, np
from brainmark.core.score import Failure, Outcome, Score, Stamp
from brainmark.core.tree import Node, tree
from brainmark.core.wording import bytes_text, detail, duration, interval, number, plural

NOTHING: Mapping[str, Any] = MappingProxyType({})
SOFTWARE = ("brainmark", "commit", "code", "python", "packages", "hardware")
"""Fields of a stamp that are the same for scores of one place."""


def write_report(
    outcomes: Sequence[Outcome],
    path: Path,
    *,
    title: str = "Brainmark report",
    cards: Mapping[str, Card] = NOTHING,
    where_from: Mapping[str, str] = NOTHING,
) -> Path:
    """Write outcomes as one self-contained HTML file, and return its path.

    Parameters
    ----------
    outcomes : at most one per model and benchmark.
    path : of the file; missing folders are made; an earlier file is replaced once the new one is complete.
    cards : of benchmarks and models (and datasets), by name; what has no card is shown without.
    where_from : name of a dataset -> "cache", "mirror", "network", "embedded" or "simulated".

    Raises
    ------
    ValueError : no outcome, or two for the same model and benchmark.
    ResourceError : the file cannot be written.
    """
    page = render_report(outcomes, title=title, cards=cards, where_from=where_from)
    return write_file(Path(path), page, "report")


def render_report(
    outcomes: Sequence[Outcome],
    *,
    title: str = "Brainmark report",
    cards: Mapping[str, Card] = NOTHING,
    where_from: Mapping[str, str] = NOTHING,
) -> str:
    """Return the page of `write_report` as text."""
    board = arrange(outcomes, cards)
    scores = [o for o in outcomes if isinstance(o, Score)]
    failures = [o for o in outcomes if isinstance(o, Failure)]
    names = [c.name for c in board.columns] + [r.model for r in board.rows]
    sheet = Sheet()
    page = render(
        "report.html.j2",
        sheet,
        FILTERS,
        sections=[_describe_benchmark(i, column, board, sheet) for i, column in enumerate(board.columns, 1)],
        title=title,
        board=board,
        levels=_average_levels(board, outcomes),
        failures=failures,
        anchors={(f.subject, f.benchmark): f"problem-{i}" for i, f in enumerate(failures, 1)},
        scores=scores,
        models=[(row.model, c if isinstance(c := cards.get(row.model), ModelCard) else None) for row in board.rows],
        origins=_list_origins(board, where_from, cards, scores),
        places=_group_by_place(board),
        created=max((score.stamp.created for score in scores if score.stamp), default=""),
        citations=citations(cards[name].cite for name in names if name in cards),
    )
    return re.sub(r"\n\s*\n+", "\n", page)


def _average_levels(board: Leaderboard, outcomes: Sequence[Outcome]) -> list[tuple[Node, tuple[NodeScore, ...]]]:
    """Return nodes over the benchmarks of this report, parents first, with models in the order of the leaderboard."""
    cards = {c.name: c.card for c in board.columns if c.card}
    roots = tree(cards)
    scores = node_scores(roots, outcomes, cards)
    return [(n, tuple(scores[n.path, row.model] for row in board.rows)) for root in roots for n in root.walk()]


def _describe_benchmark(number_: int, column: Column, board: Leaderboard, sheet: Sheet) -> dict[str, Any]:
    """Return what the page says about one benchmark, by the names that the template uses."""
    outcomes = [row.cells[number_ - 1].outcome for row in board.rows]
    scores = [o for o in outcomes if isinstance(o, Score)]
    scores.sort(key=lambda s: (not math.isfinite(s.value), -s.value, s.subject))
    rows = unit_rows(scores) if scores else {}
    figure = units_figure = None
    if scores:
        label = f"Values of {len(scores)} models on {column.name}, with intervals, controls and ceiling; see the table"
        figure = embed(score_figure(scores), f"v{number_}", label, sheet)
        if units := unit_figure(scores):
            medians = "; ".join(f"{n} median {number(float(np.median(values)), 2)}" for n, values in rows.items())
            label = f"Distribution over units of raw values on {column.name}: {medians}"
            units_figure = embed(units, f"u{number_}", label, sheet)
    notes = {note: [s.subject for s in scores if note in s.notes] for s in scores for note in s.notes}
    return {
        "anchor": f"benchmark-{number_}",
        "column": column,
        "scores": scores,
        "failures": [o for o in outcomes if isinstance(o, Failure)],
        "controls": list(dict.fromkeys(name for s in scores for name in s.controls)),
        "details": list(dict.fromkeys(name for s in scores for name in s.details)),
        "notes": [(note, [] if len(who) == len(scores) else who) for note, who in notes.items()],
        "unit": unit_name(scores),
        "figure": figure,
        "ceiling": any(map(has_ceiling, scores)),
        "cut": bool(scores) and intervals_cut(scores),
        "units_figure": units_figure,
        "units_ceiling": CEILING_ROW in rows,
        "units_few": all(len(values) < FEW_UNITS for values in rows.values()),
    }


def _list_origins(
    board: Leaderboard, where_from: Mapping[str, str], cards: Mapping[str, Card], scores: Sequence[Score]
) -> list[dict[str, Any]]:
    """Return where the bytes of each dataset came from, and which benchmarks use it."""
    users: dict[str, list[str]] = {name: [] for name in where_from}
    for column in board.columns:
        for name in column.card.datasets if column.card else ():
            users.setdefault(name, []).append(column.name)
    origins: list[dict[str, Any]] = []
    for name, benchmarks in sorted(users.items(), key=lambda item: item[0].lower()):
        stamped = {s.stamp.data for s in scores if s.stamp and s.benchmark in benchmarks}
        card = cards.get(name)
        origins.append({
            "dataset": name,
            "where_from": where_from.get(name) or ", ".join(sorted(stamped)),
            "card": card if isinstance(card, DatasetCard) else None,
            "benchmarks": benchmarks,
        })  # fmt: skip
    return origins


def _group_by_place(board: Leaderboard) -> list[dict[str, Any]]:
    """Return scores that have a stamp, by the software and hardware they were computed with."""
    places: dict[str, list[tuple[Score, Stamp]]] = defaultdict(list)
    for cell in (cell for row in board.rows for cell in row.cells):
        if isinstance(cell.outcome, Score) and (stamp := cell.outcome.stamp):
            place = {k: v for k, v in asdict(stamp).items() if k in SOFTWARE}
            places[json.dumps(place, sort_keys=True, default=str)].append((cell.outcome, stamp))
    described: list[dict[str, Any]] = []
    for scores in places.values():
        stamp = scores[0][1]
        software = {"Brainmark": stamp.brainmark, "commit": stamp.commit or "not stated", "code": stamp.code}
        described.append({
            "software": [*software.items(), ("Python", stamp.python)],
            "packages": sorted((k, str(v)) for k, v in stamp.packages.items()),
            "hardware": [(k, str(v)) for k, v in stamp.hardware.items()],
            "scores": scores,
        })  # fmt: skip
    return described


def breakable(name: str) -> markupsafe.Markup:
    """Return an escaped name that may break after its separators."""
    parts = re.split(r"(?<=[-_./:,])", str(name))
    return markupsafe.Markup("<wbr>").join(markupsafe.escape(part) for part in parts)


def short_hash(text: str | None) -> markupsafe.Markup:
    """Return the first 12 letters of a hash, with the whole hash in the title."""
    if not text:
        return markupsafe.Markup("not stated")
    shown = text if len(text) <= 16 else f"{text[:12]}…"
    return markupsafe.Markup('<code title="{}">{}</code>').format(text, shown)


FILTERS = {
    "number": number,
    "detail": detail,
    "interval": interval,
    "breakable": breakable,
    "duration": duration,
    "plural": plural,
    "bytes": bytes_text,
    "hash": short_hash,
    "citekeys": lambda text: ", ".join(c.key for c in citations([text])),
}
"""Functions that the templates use."""
