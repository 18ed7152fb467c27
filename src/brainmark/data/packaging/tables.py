"""Tables of a lab in CSV or TSV: their columns, and the identifiers and numbers in them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

from brainmark.core.errors import suggest
from brainmark.core.libraries import np, pd
from brainmark.data.packaging.problems import Problems, Unusable
from brainmark.data.readers.damage import explain_damage


def read_table(path: Path, problems: Problems, as_written: Sequence[str] = ()) -> pd.DataFrame:
    """Read a CSV or TSV table; empty fields are missing, and text like "NA" in a column of text stays text.

    Numbers with zeros before them, such as 007, are names, and stay text, as do the columns `as_written`.
    """
    read = partial(
        pd.read_csv, path, sep="\t" if path.suffix.lower() == ".tsv" else ",", encoding="utf-8-sig",
        keep_default_na=False, na_values=["", "n/a"],
    )  # fmt: skip
    with explain_damage(path, "cannot be read as a table"):
        table = read()
        whole = [k for k, name in enumerate(table.columns) if name in as_written or _holds_integers(table[name])]
        written = read(usecols=whole, dtype=str) if whole else table.iloc[:, :0]
    if table.empty:
        problems.fail(f"{path} has no rows")
    for place, name in zip(whole, written.columns, strict=True):
        if table.columns[place] in as_written or written[name].str.match(r"0\d").any():
            table = table.assign(**{str(table.columns[place]): written[name]})
    return table


def _holds_integers(column: pd.Series) -> bool:
    """Return whether a column was read as integers, or as floats since some are missing."""
    return column.dtype.kind in "iu" or (column.dtype.kind == "f" and bool((column.dropna() % 1 == 0).all()))


def header(path: Path) -> list[str]:
    """Return the names of the columns of a table; none where it cannot be read."""
    problems = Problems(path.name)
    table = problems.attempt(read_table, path, problems)
    return [] if table is None else [str(column) for column in table.columns]


def column_of(table: pd.DataFrame, name: str, where: object, problems: Problems, way: str = "") -> pd.Series:
    """Return a column; if it is not there, say which are, and which is near."""
    if name not in table.columns:
        near = suggest(name, map(str, table.columns))
        hint = f"; did you mean {near[0]!r}?" if near else f" among {', '.join(map(str, table.columns[:12]))}"
        problems.fail(f"{where}: no column {name!r}{hint}{way}")
    return table[name]


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


def as_names(values: Iterable[Any]) -> np.ndarray:
    """Return identifiers as text: whole numbers without a decimal point, nothing for what is missing."""
    return np.array([_as_name(v) for v in values], dtype=str)


def _as_name(value: Any) -> str:
    if value is None or (isinstance(value, float) and np.isnan(value)) or value is pd.NA:
        return ""
    if isinstance(value, float | np.floating) and float(value).is_integer():
        return str(int(value))
    return value.decode() if isinstance(value, bytes) else str(value)


def as_numbers(columns: pd.DataFrame, path: Path, problems: Problems) -> np.ndarray:
    """Return columns as numbers (row, column); text among them is named by column and row."""
    numbers = columns.apply(pd.to_numeric, errors="coerce")
    bad = (numbers.isna() & columns.notna()).to_numpy()
    if bad.any():
        row, column = (int(i) for i in np.argwhere(bad)[0])
        problems.fail(
            f"{path}: column {str(columns.columns[column])!r} holds {columns.iloc[row, column]!r} in row {row}, "
            f"which is no number ({int(bad.sum())} such fields); leave empty what was not measured"
        )
    return numbers.to_numpy(float)
