"""Outcomes as a table, model by benchmark: every pair is a score, a failure with its reason, or "not run"."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby

from brainmark.core.cards import BenchmarkCard, Card
from brainmark.core.score import Failure, Score
from brainmark.core.tree import REGIONS

Outcome = Score | Failure

NO_REGION = "region not stated"


@dataclass(frozen=True)
class Column:
    """A benchmark.

    Attributes
    ----------
    group : region that it stands under, and whether it is simulated.
    counted : whether its values enter the mean: real, and normalised by a ceiling.
    """

    name: str
    card: BenchmarkCard | None
    group: str
    simulated: bool
    counted: bool


@dataclass(frozen=True)
class Cell:
    """A model on a benchmark.

    Attributes
    ----------
    outcome : None: not run.
    heat : place between the best control (0) and the ceiling (1), within 0 .. 1; None: there is no such place.
    beaten : the value is no better than that of the best control.
    """

    outcome: Outcome | None
    heat: float | None = None
    beaten: bool = False

    @property
    def failed(self) -> bool:
        """Whether there is a failure in place of a score."""
        return isinstance(self.outcome, Failure)

    @property
    def mark(self) -> str:
        """Why the value is not a fraction of a ceiling; "" where it is."""
        if not isinstance(self.outcome, Score) or normalised(self.outcome):
            return ""
        return "raw" if self.outcome.ceiling is None else "unusable ceiling"


@dataclass(frozen=True)
class Row:
    """A model: one cell per column; mean over the `known` of the counted benchmarks on which it has a value."""

    model: str
    cells: tuple[Cell, ...]
    mean: float | None
    known: int


@dataclass(frozen=True)
class Leaderboard:
    """All outcomes; rows with a value on every counted benchmark come first, best first."""

    columns: tuple[Column, ...]
    groups: tuple[tuple[str, int], ...]
    rows: tuple[Row, ...]
    counted: int


def arrange(outcomes: Sequence[Outcome], cards: Mapping[str, Card]) -> Leaderboard:
    """Put outcomes into a table.

    Raises
    ------
    ValueError : no outcome, or two for the same model and benchmark.
    """
    table: dict[tuple[str, str], Outcome] = {}
    for outcome in outcomes:
        pair = (outcome.subject, outcome.benchmark)
        if pair in table:
            raise ValueError(f"two outcomes for {pair[0]!r} on {pair[1]!r}: a report shows one")
        table[pair] = outcome
    if not table:
        raise ValueError("no outcomes: there is nothing to report")
    columns = _columns(table, cards)
    names = dict.fromkeys(model for model, _ in table)
    rows = [_row(model, columns, table) for model in names]
    return Leaderboard(
        columns=columns,
        groups=tuple((group, len(list(same))) for group, same in groupby(columns, key=lambda c: c.group)),
        rows=tuple(sorted(rows, key=lambda r: (-r.known, -(r.mean or 0.0)))),
        counted=sum(c.counted for c in columns),
    )


def normalised(score: Score) -> bool:
    """Whether the value is a fraction of a ceiling: a positive one."""
    return score.ceiling is not None and score.ceiling > 0 and math.isfinite(score.value)


def best_control(score: Score) -> float | None:
    """Return the greatest value of its controls, of which it may be one itself; None: it has none."""
    others = [c for name, c in score.controls.items() if name != score.subject]
    values = [c.value for c in others if math.isfinite(c.value)]
    return max(values) if values else None


def _columns(table: Mapping[tuple[str, str], Outcome], cards: Mapping[str, Card]) -> tuple[Column, ...]:
    columns: list[Column] = []
    for name in dict.fromkeys(benchmark for _, benchmark in table):
        card = cards.get(name)
        card = card if isinstance(card, BenchmarkCard) else None
        scores = [o for (_, b), o in table.items() if b == name and isinstance(o, Score)]
        simulated = card is not None and card.simulated
        unnormalised = any(not normalised(s) for s in scores) and not any(normalised(s) for s in scores)
        region = card.region if card else NO_REGION
        group = f"{region} (simulated)" if simulated else region
        columns.append(Column(name, card, group, simulated, counted=not simulated and not unnormalised))
    return tuple(sorted(columns, key=_place))


def _place(column: Column) -> tuple[bool, int, str, str]:
    region = column.card.region if column.card else NO_REGION
    rank = REGIONS.index(region) if region in REGIONS else len(REGIONS) + (column.card is None)
    return column.simulated, rank, region.lower(), column.name.lower()


def _row(model: str, columns: Sequence[Column], table: Mapping[tuple[str, str], Outcome]) -> Row:
    outcomes = [table.get((model, column.name)) for column in columns]
    values = [
        outcome.value
        for outcome, column in zip(outcomes, columns, strict=True)
        if column.counted and isinstance(outcome, Score) and normalised(outcome)
    ]
    mean = math.fsum(values) / len(values) if values else None
    return Row(model, tuple(_cell(outcome) for outcome in outcomes), mean, len(values))


def _cell(outcome: Outcome | None) -> Cell:
    if not isinstance(outcome, Score) or not math.isfinite(outcome.value):
        return Cell(outcome)
    floor = best_control(outcome)
    beaten = floor is not None and outcome.value <= floor
    bottom = floor or 0.0
    if not normalised(outcome) or bottom >= 1:
        return Cell(outcome, beaten=beaten)
    return Cell(outcome, min(max((outcome.value - bottom) / (1 - bottom), 0.0), 1.0), beaten)
