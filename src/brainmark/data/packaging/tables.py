"""Tables of a lab: their columns, the identifiers and numbers in them, and the rows that count."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping
from pathlib import Path

from brainmark.core.errors import suggest
from brainmark.core.libraries import np, pd
from brainmark.data.packaging.names import as_names, compose
from brainmark.data.packaging.problems import Problems, Unusable
from brainmark.data.readers.text_tables import DEFAULT, TableLayout, read_text_table

__all__ = [
    "NAMES", "as_names", "as_numbers", "as_values", "column_of", "columns_of", "header", "order_of", "read_table",
]  # fmt: skip
NAMES = frozenset({
    "stimulus_id", "neuroid_id", "filename", "label", "region", "subject", "session", "run", "choice", "animal",
})  # fmt: skip
"""Columns that are names, whatever stands in them."""
_NUMBER_SIGNS = re.compile(r"[^0-9eE+\-. ]")
_ABSENT = ("", "n/a")
_USUAL = ("na", "nan", ".", "#n/a", "null", "none", "-", "--", "n.a.", "missing", "?")  # texts of other programs


def read_table(path: Path, problems: Problems, layout: TableLayout = DEFAULT) -> pd.DataFrame:
    """Read a table of text, see `read_text_table`: columns of text, None for empty fields and "n/a"; index ``line``."""
    table = read_text_table(path, layout)
    if table.empty:
        problems.fail(f"{path} has no rows")
    fields = table.to_numpy(object).copy()
    fields[_find(fields, _ABSENT)] = None
    return pd.DataFrame(fields, index=table.index, columns=table.columns, dtype=object)


def _find(fields: np.ndarray, texts: Collection[str]) -> np.ndarray:
    """Return where fields are one of some texts."""
    return np.frompyfunc(frozenset(texts).__contains__, 1, 1)(fields).astype(bool)


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
    numbers, wrong = _parse(fields.ravel(), layout)
    if len(wrong):
        row, column = divmod(int(wrong[0]), fields.shape[1])
        held, count = fields[row, column], f" ({len(wrong)} such fields)" if len(wrong) > 1 else ""
        problems.fail(
            f"{where}: column {str(columns.columns[column])!r} holds {held!r} in {columns.index.name or 'row'} "
            f"{columns.index[row]}, which is no number{count}; {_find_way(str(held), layout)}"
        )
    return numbers.reshape(fields.shape)


def _parse(fields: np.ndarray, layout: TableLayout) -> tuple[np.ndarray, np.ndarray]:
    """Return fields (any,) as numbers, and the places of those that are none."""
    numbers = np.full(fields.shape, np.nan)
    absent = pd.isna(fields) | _find(fields, [*_ABSENT, *layout.missing])
    texts = np.array([str(field) for field in fields[~absent]], dtype=object)
    if layout.decimal != ".":
        texts = np.array([t.replace(".", "x").replace(layout.decimal, ".") for t in texts], dtype=object)
    try:
        if _NUMBER_SIGNS.search(" ".join(texts)):
            raise ValueError
        found = texts.astype(float)
        bad = np.zeros(len(texts), bool)
    except ValueError:
        found = np.array([_number(text) for text in texts], dtype=float)
        bad = np.isnan(found)
    numbers[~absent] = found
    for marker in layout.missing:
        if (value := _number(marker)) == value:
            numbers[numbers == value] = np.nan
    return numbers, np.flatnonzero(~absent)[bad]


def _number(text: str) -> float:
    """Return the number that a text is in ASCII; NaN if it is none."""
    try:
        return float(text) if text.isascii() and not set(text) & set("_xXnN") else np.nan
    except ValueError:
        return np.nan


def _find_way(held: str, layout: TableLayout) -> str:
    """Return what to say of a field that is no number."""
    text = held.strip()
    if layout.decimal == "." and re.fullmatch(r"[+-]?\d*,\d+(e[+-]?\d+)?", text, re.IGNORECASE):
        return 'if commas are decimal, say decimal = ","'
    if layout.decimal == "," and re.fullmatch(r"[+-]?\d*\.\d+(e[+-]?\d+)?", text, re.IGNORECASE):
        return 'decimal is ","; write all numbers in one way'
    if text.lower() in _USUAL:
        return f'if it means "not measured", say missing = ["{held}"]'
    return "leave empty what was not measured, or name the texts that mean it: missing = [...]"


def order_of(column: pd.Series) -> np.ndarray:
    """Return keys by which rows are sorted: numbers if all fields are numbers, else texts."""
    numbers, wrong = _parse(column.to_numpy(object), DEFAULT)
    return as_names(column) if len(wrong) else numbers


def as_values(column: pd.Series, layout: TableLayout = DEFAULT) -> np.ndarray:
    """Return what is known of things as numbers where that loses nothing, else as text.

    Texts such as 001, or 1.10 beside 1.1, are names: as numbers, they could not be told apart.
    """
    if column.dtype.kind in "fiub":
        return column.to_numpy()
    texts = sorted({str(field) for field in column.dropna()} - set(layout.missing))
    values, wrong = _parse(np.array(texts, object), layout)
    padded = any(re.match(r"[+-]?0\d", text) for text in texts)
    if not texts or len(wrong) or padded or len(set(values.tolist())) < len(texts) or not np.isfinite(values).all():
        return as_names(column)
    numbers, _ = _parse(column.to_numpy(object), layout)
    if not np.isnan(numbers).any() and all(re.fullmatch(r"[+-]?\d+", text) for text in texts):
        return numbers.astype(int) if abs(values).max() < 2**53 else as_names(column)
    return numbers
