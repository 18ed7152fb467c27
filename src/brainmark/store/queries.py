"""Questions to the store: the present table, the table as of a day, the history of a score, and why it moved."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import Any

from sqlalchemy import Column, ColumnElement, Connection, Row, func, or_, select

from brainmark.core.errors import DataError
from brainmark.store.database import begin_reading
from brainmark.store.results import CHECKED, ResultStore, is_whole, list_differences, read_record
from brainmark.store.schema import MEASURED, STATUSES, scores

LIGHT = [scores.c.id, *(scores.c[name] for name in CHECKED), scores.c.checksum]
"""All columns but the record, so that a table of many outcomes is quick."""


@dataclass(frozen=True)
class Wanted:
    """Which outcomes are asked for; what is left out chooses all.

    Attributes
    ----------
    models, benchmarks, sources : names and patterns such as "resnet*".
    statuses : "scored", "not_applicable", "failed".
    as_of : a day or a time in UTC, ISO 8601; what was added later is not seen.
    """

    models: Sequence[str] = ()
    benchmarks: Sequence[str] = ()
    sources: Sequence[str] = ()
    statuses: Sequence[str] = ()
    as_of: str | None = None

    def __post_init__(self) -> None:
        unknown = [status for status in self.statuses if status not in STATUSES]
        if unknown:
            raise DataError(f"unknown status {unknown[0]!r}; it is one of {', '.join(STATUSES)}")


ALL = Wanted()


def list_latest(store: ResultStore, wanted: Wanted = ALL, *, records: bool = False) -> list[Row[Any]]:
    """Return the newest row of each model, benchmark, choice of layers and source, by benchmark and falling value.

    Rows have the columns of `schema.scores`; without `records` all but the record. Those that are damaged are left
    out, with a warning.

    Raises
    ------
    DataError : the database cannot be read.
    """
    with begin_reading(store.engine) as connection:
        chosen = [
            condition
            for column, patterns in (
                (scores.c.model, wanted.models),
                (scores.c.benchmark, wanted.benchmarks),
                (scores.c.source, wanted.sources),
            )
            if patterns
            for condition in [_match(connection, column, patterns)]
        ]
        if wanted.as_of:
            chosen.append(scores.c.created <= _end_of(wanted.as_of))
        groups = (scores.c.model, scores.c.benchmark, scores.c.layers, scores.c.source)
        newest = select(func.max(scores.c.id)).where(*chosen).group_by(*groups)
        columns = [*LIGHT, scores.c.record] if records else LIGHT
        found = select(*columns).where(scores.c.id.in_(newest))
        if wanted.statuses:
            found = found.where(scores.c.status.in_(wanted.statuses))
        rows = connection.execute(found).all()
    check = read_record if records else is_whole
    return sorted((row for row in rows if check(row)), key=_order)


def list_history(store: ResultStore, model: str, benchmark: str) -> list[Row[Any]]:
    """Return all rows of a model on a benchmark, oldest first, with their records. Raises DataError."""
    with begin_reading(store.engine) as connection:
        asked = select(scores).where(scores.c.model == model, scores.c.benchmark == benchmark)
        rows = connection.execute(asked.order_by(scores.c.id)).all()
    return [row for row in rows if read_record(row)]


def list_costs(
    store: ResultStore, models: Iterable[str], benchmarks: Iterable[str]
) -> list[tuple[str, str, float | None, int | None]]:
    """Return model, benchmark, seconds and bytes of memory of all measured scores of one of these. Raises DataError."""
    asked = select(scores.c.model, scores.c.benchmark, scores.c.seconds, scores.c.memory)
    asked = asked.where(scores.c.status == "scored", scores.c.source == MEASURED)
    one_of = or_(scores.c.model.in_([*models]), scores.c.benchmark.in_([*benchmarks]))
    with begin_reading(store.engine) as connection:
        return [(row[0], row[1], row[2], row[3]) for row in connection.execute(asked.where(one_of))]


def explain_change(older: Row[Any], newer: Row[Any]) -> tuple[str, ...]:
    """Return in words what differed between two outcomes of all that they depend on: data, metric, model, library."""
    before, after = (read_record(row) or {"depends_on": {}} for row in (older, newer))
    return list_differences(before["depends_on"], after["depends_on"])


def _order(row: Row[Any]) -> tuple[str, bool, float, str]:
    """Sort by benchmark, what was scored first, the highest first; the same on every database."""
    return row.benchmark, row.value is None, -(row.value or 0.0), row.model


def _match(connection: Connection, column: Column[str], patterns: Sequence[str]) -> ColumnElement[bool]:
    """Return the condition that a name matches a pattern, the same on every database."""
    if not any(sign in pattern for pattern in patterns for sign in "*?["):
        return column.in_([*patterns])
    names = connection.execute(select(column).distinct()).scalars()
    return column.in_([name for name in names if any(fnmatchcase(name, pattern) for pattern in patterns)])


def _end_of(moment: str) -> str:
    """Return the last moment that a day or a time includes, as rows write it."""
    return f"{moment}T23:59:59+00:00" if len(moment) == len("2026-01-31") else moment
