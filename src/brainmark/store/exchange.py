"""Tables of outcomes that leave the store, and scores of others that come in, marked with where they were published."""

from __future__ import annotations

import csv
import io
import json
import math
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from sqlalchemy import Row

from brainmark.core.errors import DataError, MissingDependency, suggest
from brainmark.core.libraries import np, pd
from brainmark.core.score import Outcome, Score
from brainmark.core.text import escape_csv
from brainmark.data.readers.text_numbers import parse_numbers
from brainmark.data.readers.text_tables import TableLayout, read_text_table
from brainmark.store.results import KeptFacts, ResultStore
from brainmark.store.schema import MEASURED

FIELDS = (
    "model", "benchmark", "layers", "source", "convention", "status", "value", "low", "high", "raw", "ceiling",
    "seconds", "memory", "created", "reason",
)  # fmt: skip
"""The columns of a table that leaves the store; ``reason`` says why there is no score."""
NUMBERS = ("value", "raw", "ceiling", "low", "high")
NO_SCORE = ("NA", "NaN", "nan", "N/A", "null", "NULL", "None", "#N/A", "-")
"""What stands in tables where there is no score, beside nothing and "n/a"."""
ENDINGS = (".csv", ".json", ".parquet")


def tabulate(rows: Iterable[Row[Any]]) -> list[dict[str, Any]]:
    """Return rows of the store as plain dictionaries with `FIELDS`; rows that came with their record have reasons."""
    return [{name: _field(row, name) for name in FIELDS} for row in rows]


def _field(row: Row[Any], name: str) -> Any:
    if name != "reason":
        return getattr(row, name)
    record = getattr(row, "record", None)
    return json.loads(record)["outcome"]["reason"] if record and row.status != "scored" else None


def export_table(rows: Iterable[Row[Any]], ending: str, more: Mapping[str, Sequence[Any]] | None = None) -> bytes:
    """Return a table of outcomes as the content of a file.

    Parameters
    ----------
    ending : ".csv", ".json" or ".parquet".
    more : further columns by name, one value for each row.

    Raises
    ------
    MissingDependency : ".parquet" needs pyarrow.
    """
    more = more or {}
    plain = [{**row, **{name: column[i] for name, column in more.items()}} for i, row in enumerate(tabulate(rows))]
    if ending == ".json":
        return (json.dumps(plain, indent=1, allow_nan=False, ensure_ascii=False) + "\n").encode()
    if ending == ".parquet":
        try:
            return pd.DataFrame(plain, columns=[*FIELDS, *more]).to_parquet(index=False)
        except ImportError as error:
            raise MissingDependency("pyarrow", None, "a parquet file") from error
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow([*FIELDS, *more])
    writer.writerows([escape_csv(v) if isinstance(v, str) else v for v in row.values()] for row in plain)
    return text.getvalue().encode()


def import_table(
    store: ResultStore, path: Path, *, source: str, convention: str = "", columns: Mapping[str, str] | None = None
) -> tuple[int, int, int]:
    """Add the scores of a long table (CSV, TSV) that others published; all of them, or none.

    Parameters
    ----------
    source : where they were published; it stands beside each score, and keeps them apart from those measured here.
    convention : how they were computed, such as "brainscore"; "" is the convention of Brainmark.
    columns : name in the file of ``model``, ``benchmark``, ``value``, and of ``raw``, ``ceiling``, ``low``, ``high``
        where there are such columns; by default the names themselves.

    Returns
    -------
    How many scores were added, were there before, and how many rows hold none.

    Raises
    ------
    DataError : a column is missing, a number is none or not finite, an interval excludes its value, a pair of model and
        benchmark stands twice; names file and line. Nothing is added then.
    """
    if not source.strip() or source == MEASURED:
        raise DataError(f"{path}: say where these scores were published (source); {source!r} does not")
    table = read_text_table(path)
    named = _find_columns(list(table.columns), columns or {}, path)
    numbers = {name: read_numbers(table[column], path) for name, column in named.items() if name in NUMBERS}
    outcomes: list[tuple[Mapping[str, str], Outcome, KeptFacts]] = []
    seen: dict[tuple[str, str], int] = {}
    facts: KeptFacts = {"source": source, "convention": convention}
    pairs = zip(table.index, table[named["model"]], table[named["benchmark"]], strict=True)
    for place, (line, model, benchmark) in enumerate(pairs):
        figures = {name: float(column[place]) for name, column in numbers.items() if not math.isnan(column[place])}
        if "value" not in figures:
            continue
        where = f"{path}: line {line}"
        if not model or not benchmark:
            raise DataError(f"{where}: names no {'model' if not model else 'benchmark'}")
        if (model, benchmark) in seen:
            raise DataError(f"{where}: {model!r} on {benchmark!r} stands in line {seen[model, benchmark]} already")
        seen[model, benchmark] = line
        outcomes.append(({f"published by {source}": path.name}, _make_score(model, benchmark, figures, where), facts))
    if not outcomes:
        raise DataError(f"{path}: holds no score in column {named['value']!r}")
    added = store.put_all(outcomes)
    return added, len(outcomes) - added, len(table) - len(outcomes)


def _find_columns(there: Sequence[str], given: Mapping[str, str], path: Path) -> dict[str, str]:
    """Return which column of the file holds what."""
    unknown = [name for name in given if name not in ("model", "benchmark", *NUMBERS)]
    if unknown:
        raise DataError(f"{unknown[0]!r} is no column of scores; there are model, benchmark, {', '.join(NUMBERS)}")
    named = {name: given.get(name, name) for name in ("model", "benchmark", *NUMBERS)}
    for name, column in named.items():
        if column not in there and (name in given or name in ("model", "benchmark", "value")):
            near = suggest(column, there)
            hint = f"; did you mean {near[0]!r}?" if near else ""
            raise DataError(f"{path}: has no column {column!r} among {', '.join(there)}{hint}")
    return {name: column for name, column in named.items() if column in there}


def read_numbers(column: pd.Series, path: Path, decimal: str = ".") -> np.ndarray:
    """Return the numbers of a column, NaN where there is no score. Raises DataError, with the line."""
    numbers, wrong = parse_numbers(column.to_numpy(object), TableLayout(missing=NO_SCORE, decimal=decimal))
    if len(wrong):
        line, held = column.index[wrong[0]], column.iloc[wrong[0]]
        raise DataError(f"{path}: line {line}: {column.name} is {held!r}, which is no number")
    return numbers


def _make_score(model: str, benchmark: str, figures: Mapping[str, float], where: str) -> Score:
    infinite = [name for name, figure in figures.items() if math.isinf(figure)]
    if infinite:
        raise DataError(f"{where}: {infinite[0]} is not finite")
    value, low, high = (figures.get(name) for name in ("value", "low", "high"))
    if (low is None) != (high is None):
        raise DataError(f"{where}: an interval has two ends, low and high")
    interval = None if low is None or high is None else (low, high)
    if value is None or (interval and not interval[0] <= value <= interval[1]):
        raise DataError(f"{where}: the value {value} is outside its interval, {low} to {high}")
    return Score(benchmark, model, value, figures.get("raw", value), figures.get("ceiling"), interval)
