"""One HTML file that shows outcomes to a reader who wants to trust the numbers.

The file loads nothing: style, figures and script are inside. The same outcomes give the same bytes.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
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
from brainmark.analysis.leaderboard import Column, Leaderboard, Outcome, arrange
from brainmark.analysis.svg import Sheet, inline_svg
from brainmark.core.cards import Card, DatasetCard, ModelCard
from brainmark.core.errors import MissingDependency, ResourceError
from brainmark.core.libraries import np
from brainmark.core.score import Failure, Score, Stamp
from brainmark.core.tree import Node, tree
from brainmark.core.wording import bytes_text, detail, duration, interval, number, plural
from brainmark.data.writing import write_whole

try:
    from jinja2 import Environment, PackageLoader, StrictUndefined
    from markupsafe import Markup, escape
except ImportError as error:
    raise MissingDependency("jinja2", "report", "writing a report") from error

NOTHING: Mapping[str, Any] = MappingProxyType({})


@dataclass(frozen=True)
class Problem:
    """A failure and its anchor in the page."""

    anchor: str
    failure: Failure


@dataclass(frozen=True)
class Section:
    """What the page says about one benchmark; `notes` with the models they hold for (none named: all)."""

    anchor: str
    column: Column
    scores: tuple[Score, ...]
    problems: tuple[Problem, ...]
    controls: tuple[str, ...]
    details: tuple[str, ...]
    notes: tuple[tuple[str, tuple[str, ...]], ...]
    unit: str
    figure: Markup | None
    units_figure: Markup | None
    units_ceiling: bool
    units_few: bool

    @property
    def ceiling(self) -> bool:
        """Whether there is a ceiling to be measured against."""
        return any(map(has_ceiling, self.scores))

    @property
    def cut(self) -> bool:
        """Whether intervals run out of the frame of the figure."""
        return intervals_cut(self.scores)


@dataclass(frozen=True)
class Origin:
    """Where a dataset's bytes came from."""

    dataset: str
    where_from: str
    card: DatasetCard | None
    benchmarks: tuple[str, ...]


@dataclass(frozen=True)
class Place:
    """Software and hardware that scores were computed with."""

    software: tuple[tuple[str, str], ...]
    packages: tuple[tuple[str, str], ...]
    hardware: tuple[tuple[str, str], ...]
    scores: tuple[tuple[Score, Stamp], ...]


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
    path = Path(path)
    try:
        write_whole(path, page.encode())
    except OSError as problem:
        raise ResourceError(f"cannot write the report {path}: {problem.strerror or problem}") from problem
    return path


def render_report(
    outcomes: Sequence[Outcome],
    *,
    title: str = "Brainmark report",
    cards: Mapping[str, Card] = NOTHING,
    where_from: Mapping[str, str] = NOTHING,
) -> str:
    """Return the page of `write_report` as text."""
    board = arrange(outcomes, cards)
    problems = {
        (f.subject, f.benchmark): Problem(f"problem-{i}", f)
        for i, f in enumerate((o for o in outcomes if isinstance(o, Failure)), 1)
    }
    sheet = Sheet()
    sections = [_section(i, column, board, problems, sheet) for i, column in enumerate(board.columns, 1)]
    names = [c.name for c in board.columns] + [r.model for r in board.rows]
    page = _environment().get_template("report.html.j2").render(
        title=title,
        board=board,
        sections=sections,
        levels=_levels(board, outcomes),
        problems=problems,
        scores=[o for o in outcomes if isinstance(o, Score)],
        models=[(row.model, _model_card(cards, row.model)) for row in board.rows],
        origins=_origins(board, where_from, cards, outcomes),
        places=_places(board),
        created=max((o.stamp.created for o in outcomes if isinstance(o, Score) and o.stamp), default=""),
        citations=citations(cards[name].cite for name in names if name in cards),
        figure_css=Markup(sheet.css()),
    )  # fmt: skip
    return re.sub(r"\n\s*\n+", "\n", page)


def _levels(board: Leaderboard, outcomes: Sequence[Outcome]) -> list[tuple[Node, tuple[NodeScore, ...]]]:
    """Nodes over the benchmarks of this report, parents first, each with the models in the order of the leaderboard."""
    cards = {c.name: c.card for c in board.columns if c.card}
    roots = tree(cards)
    scores = node_scores(roots, outcomes, cards)
    return [(n, tuple(scores[n.path, row.model] for row in board.rows)) for root in roots for n in root.walk()]


def _section(
    number: int, column: Column, board: Leaderboard, problems: Mapping[tuple[str, str], Problem], sheet: Sheet
) -> Section:
    outcomes = [row.cells[number - 1].outcome for row in board.rows]
    scores = sorted(
        (o for o in outcomes if isinstance(o, Score)),
        key=lambda s: (not math.isfinite(s.value), -s.value, s.subject),
    )
    anchor = f"benchmark-{number}"
    figure = units_figure = None
    rows = unit_rows(scores) if scores else {}
    if scores:
        label = f"Values of {len(scores)} models on {column.name}, with intervals, controls and ceiling; see the table"
        figure = Markup(inline_svg(score_figure(scores), f"v{number}", label, sheet))
        drawn = unit_figure(scores)
        if drawn:
            label = f"Distribution over units of raw values on {column.name}: {_medians(rows)}"
            units_figure = Markup(inline_svg(drawn, f"u{number}", label, sheet))
    return Section(
        anchor=anchor,
        column=column,
        scores=tuple(scores),
        problems=tuple(problems[o.subject, o.benchmark] for o in outcomes if isinstance(o, Failure)),
        controls=tuple(dict.fromkeys(name for s in scores for name in s.controls)),
        details=tuple(dict.fromkeys(name for s in scores for name in s.details)),
        notes=_notes(scores),
        unit=unit_name(scores),
        figure=figure,
        units_figure=units_figure,
        units_ceiling=CEILING_ROW in rows,
        units_few=all(len(values) < FEW_UNITS for values in rows.values()),
    )


def _medians(rows: Mapping[str, np.ndarray]) -> str:
    return "; ".join(f"{name} median {number(float(np.median(values)), 2)}" for name, values in rows.items())


def _notes(scores: Sequence[Score]) -> tuple[tuple[str, tuple[str, ...]], ...]:
    """Each note once, with the models that it holds for; no model is named where it holds for all."""
    notes = dict.fromkeys(note for s in scores for note in s.notes)
    holders = {note: tuple(s.subject for s in scores if note in s.notes) for note in notes}
    return tuple((note, () if len(who) == len(scores) else who) for note, who in holders.items())


def _model_card(cards: Mapping[str, Card], name: str) -> ModelCard | None:
    card = cards.get(name)
    return card if isinstance(card, ModelCard) else None


def _origins(
    board: Leaderboard, where_from: Mapping[str, str], cards: Mapping[str, Card], outcomes: Sequence[Outcome]
) -> list[Origin]:
    users: dict[str, list[str]] = {name: [] for name in where_from}
    for column in board.columns:
        for name in column.card.datasets if column.card else ():
            users.setdefault(name, []).append(column.name)
    stamped: dict[str, set[str]] = {}
    for outcome in outcomes:
        if isinstance(outcome, Score) and outcome.stamp:
            stamped.setdefault(outcome.benchmark, set()).add(outcome.stamp.data)
    origins: list[Origin] = []
    for name, benchmarks in sorted(users.items(), key=lambda item: item[0].lower()):
        from_stamps = sorted(set[str]().union(*(stamped.get(b, set()) for b in benchmarks)))
        card = cards.get(name)
        card = card if isinstance(card, DatasetCard) else None
        origins.append(Origin(name, where_from.get(name) or ", ".join(from_stamps), card, tuple(benchmarks)))
    return origins


def _places(board: Leaderboard) -> list[Place]:
    """Scores that have a stamp, by the software and hardware they were computed with."""
    places: dict[str, list[tuple[Score, Stamp]]] = {}
    for row in board.rows:
        for cell in row.cells:
            if isinstance(cell.outcome, Score) and cell.outcome.stamp:
                stamp = cell.outcome.stamp
                place = {k: asdict(stamp)[k] for k in ("brainmark", "commit", "code", "python", "packages", "hardware")}
                places.setdefault(json.dumps(place, sort_keys=True, default=str), []).append((cell.outcome, stamp))
    return [_place(scores) for scores in places.values()]


def _place(scores: Sequence[tuple[Score, Stamp]]) -> Place:
    stamp = scores[0][1]
    software = {"Brainmark": stamp.brainmark, "commit": stamp.commit or "not stated", "code": stamp.code}
    return Place(
        software=tuple({**software, "Python": stamp.python}.items()),
        packages=tuple(sorted((k, str(v)) for k, v in stamp.packages.items())),
        hardware=tuple((k, str(v)) for k, v in stamp.hardware.items()),
        scores=tuple(scores),
    )


def _environment() -> Environment:
    environment = Environment(
        loader=PackageLoader("brainmark.analysis"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters["number"] = number
    environment.filters["detail"] = detail
    environment.filters["interval"] = interval
    environment.filters["breakable"] = breakable
    environment.filters["duration"] = duration
    environment.filters["plural"] = plural
    environment.filters["bytes"] = bytes_text
    environment.filters["hash"] = short_hash
    environment.filters["citekeys"] = _cite_keys
    return environment


def breakable(name: str) -> Markup:
    """Return an escaped name that may break after its separators."""
    parts = re.split(r"(?<=[-_./:,])", str(name))
    return Markup("<wbr>").join(escape(part) for part in parts)


def short_hash(text: str | None) -> Markup:
    """Return the first 12 letters of a hash, with the whole hash in the title."""
    if not text:
        return Markup("not stated")
    shown = text if len(text) <= 16 else f"{text[:12]}…"
    return Markup('<code title="{}">{}</code>').format(text, shown)


def _cite_keys(text: str) -> str:
    return ", ".join(c.key for c in citations([text]))


__all__ = ["render_report", "write_report"]
