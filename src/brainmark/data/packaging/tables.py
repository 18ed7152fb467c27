"""Tables of a lab: their columns, the identifiers and numbers in them, and the rows that count."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path

from brainmark.core.errors import suggest
from brainmark.core.libraries import np, pd
from brainmark.data.packaging.names import as_names, compose
from brainmark.data.packaging.problems import Problems, Unusable
from brainmark.data.readers.text_numbers import ABSENT, find_texts, parse_numbers, say_way
from brainmark.data.readers.text_tables import DEFAULT, TableLayout, read_text_table

__all__ = [
    "NAMES", "as_names", "as_numbers", "as_values", "column_of", "columns_of", "header", "order_of", "read_table",
]  # fmt: skip
NAMES = frozenset({
    "stimulus_id", "neuroid_id", "filename", "label", "region", "subject", "session", "run", "choice", "animal",
})  # fmt: skip
"""Columns that are names, whatever stands in them."""


def read_table(path: Path, problems: Problems, layout: TableLayout = DEFAULT) -> pd.DataFrame:
    """Read a table of text, see `read_text_table`: columns of text, None for empty fields and "n/a"; index ``line``."""
    table = read_text_table(path, layout)
    if table.empty:
        problems.fail(f"{path} has no rows")
    fields = table.to_numpy(object).copy()
    fields[find_texts(fields, ABSENT)] = None
    return pd.DataFrame(fields, index=table.index, columns=table.columns, dtype=object)


def header(path: Path, layout: TableLayout = DEFAULT) -> list[str]:
    """Return the names of the columns of a table; none where it cannot be read."""
    problems = Problems(path.name)
    table = problems.attempt(read_table, path, problems, layout)
    return [] if table is None else [str(column) for column in table.columns]


def column_of(table: pd.DataFrame, name: str, where: object, problems: Problems, way: str = "") -> pd.Series:
    """Return a column; if it is not there, say which are, and which is near."""
    own = name if name in table.columns else next((c for c in table.columns if compose(str(c)) == compose(name)), None)
    if own is None:
        near = suggest(name, map(str, table.columns))
        hint = f"; did you mean {near[0]!r}?" if near else f" among {', '.join(map(str, table.columns[:12]))}"
        problems.fail(f"{where}: no column {name!r}{hint}{way}")
    return table[own]


def columns_of(table: pd.DataFrame, names: Mapping[str, str], where: object, problems: Problems) -> list[pd.Series]:
    """Return several columns, by the field of the description that names each; all missing ones are reported."""
    found = [
        problems.attempt(column_of, table, name, where, problems, f'; say {field} = "..."')
        for field, name in names.items()
    ]
    there = [column for column in found if column is not None]
    if len(there) < len(found):
        raise Unusable
    return there


def as_numbers(columns: pd.DataFrame, where: object, problems: Problems, layout: TableLayout = DEFAULT) -> np.ndarray:
    """Return columns as numbers (row, column), NaN where nothing was measured; other text is named with its line."""
    if all(dtype.kind in "fiub" for dtype in columns.dtypes):
        return columns.to_numpy(float)
    fields = columns.to_numpy(object)
    numbers, wrong = parse_numbers(fields.ravel(), layout)
    if len(wrong):
        row, column = divmod(int(wrong[0]), fields.shape[1])
        held, count = fields[row, column], f" ({len(wrong)} such fields)" if len(wrong) > 1 else ""
        problems.fail(
            f"{where}: column {str(columns.columns[column])!r} holds {held!r} in {columns.index.name or 'row'} "
            f"{columns.index[row]}, which is no number{count}; {say_way(str(held), layout)}"
        )
    return numbers.reshape(fields.shape)


def order_of(column: pd.Series) -> np.ndarray:
    """Return keys by which rows are sorted: numbers if all fields are numbers, else texts."""
    numbers, wrong = parse_numbers(column.to_numpy(object), DEFAULT)
    return as_names(column) if len(wrong) else numbers


def as_values(column: pd.Series, layout: TableLayout = DEFAULT) -> np.ndarray:
    """Return what is known of things as numbers where that loses nothing, else as text.

    Texts such as 001, or 1.10 beside 1.1, are names: as numbers, they could not be told apart.
    """
    if column.dtype.kind in "fiub":
        return column.to_numpy()
    texts = sorted({str(field) for field in column.dropna()} - set(layout.missing))
    values, wrong = parse_numbers(np.array(texts, object), layout)
    padded = any(re.match(r"[+-]?0\d", text) for text in texts)
    if not texts or len(wrong) or padded or len(set(values.tolist())) < len(texts) or not np.isfinite(values).all():
        return as_names(column)
    numbers, _ = parse_numbers(column.to_numpy(object), layout)
    if not np.isnan(numbers).any() and all(re.fullmatch(r"[+-]?\d+", text) for text in texts):
        return numbers.astype(int) if abs(values).max() < 2**53 else as_names(column)
    return numbers
