"""Outcomes as a table, model by benchmark: every pair is a score, a failure with its reason, or "not run"."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby

from brainmark.analysis.hierarchy import best_control, is_normalised
from brainmark.core.cards import BenchmarkCard, Card
from brainmark.core.score import Failure, Outcome, Score
from brainmark.core.vocabulary import REGIONS

NO_REGION = "region not stated"


@dataclass(frozen=True)
class Column:
    """A benchmark.

    Attributes
    ----------
    group : region that it stands under, and whether it is simulated.
    counted : whether its values enter the mean: real, normalised by a ceiling, and superseded by no other benchmark.
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
    def is_failure(self) -> bool:
        """Whether there is a failure in place of a score."""
        return isinstance(self.outcome, Failure)

    @property
    def mark(self) -> str:
        """Why the value is not a fraction of a ceiling; "" where it is."""
        if not isinstance(self.outcome, Score) or is_normalised(self.outcome):
            return ""
        return "raw" if self.outcome.ceiling is None else "unusable ceiling"


@dataclass(frozen=True)
class Row:
    """A model: one cell per column; the mean is over the `known` counted benchmarks on which it has a value."""

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
        raise ValueError("there are no outcomes to report")
    names = dict.fromkeys(o.benchmark for o in outcomes)
    columns = sorted((_make_column(name, cards.get(name), outcomes) for name in names), key=_sort_key)
    rows: list[Row] = []
    for model in dict.fromkeys(o.subject for o in outcomes):
        cells = [_make_cell(table.get((model, column.name))) for column in columns]
        pairs = [(c.outcome, column) for c, column in zip(cells, columns, strict=True) if column.counted]
        values = [outcome.value for outcome, _ in pairs if isinstance(outcome, Score) and is_normalised(outcome)]
        rows.append(Row(model, tuple(cells), math.fsum(values) / len(values) if values else None, len(values)))
    return Leaderboard(
        columns=tuple(columns),
        groups=tuple((group, len(list(same))) for group, same in groupby(columns, key=lambda c: c.group)),
        rows=tuple(sorted(rows, key=lambda r: (-r.known, -(r.mean or 0.0)))),
        counted=sum(c.counted for c in columns),
    )


def _make_column(name: str, card: Card | None, outcomes: Sequence[Outcome]) -> Column:
    card = card if isinstance(card, BenchmarkCard) else None
    scores = [o for o in outcomes if o.benchmark == name and isinstance(o, Score)]
    simulated = card is not None and card.simulated
    region = card.region if card else NO_REGION
    gone = card is not None and card.superseded_by is not None
    counted = not simulated and not gone and (not scores or any(map(is_normalised, scores)))
    return Column(name, card, f"{region} (simulated)" if simulated else region, simulated, counted)


def _sort_key(column: Column) -> tuple[bool, int, str, str]:
    region = column.card.region if column.card else NO_REGION
    rank = REGIONS.index(region) if region in REGIONS else len(REGIONS) + (column.card is None)
    return column.simulated, rank, region.lower(), column.name.lower()


def _make_cell(outcome: Outcome | None) -> Cell:
    if not isinstance(outcome, Score) or not math.isfinite(outcome.value):
        return Cell(outcome)
    control = best_control(outcome)
    bottom = control[0] if control else 0.0
    beaten = control is not None and outcome.value <= bottom
    if not is_normalised(outcome) or bottom >= 1:
        return Cell(outcome, beaten=beaten)
    return Cell(outcome, min(max((outcome.value - bottom) / (1 - bottom), 0.0), 1.0), beaten)
