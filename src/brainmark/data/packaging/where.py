"""Conditions on the rows of a table: which units, events or trials count.

``where.quality = "good"`` and ``where.depth = "< 500"`` name a column each; ``where = "depth < 500"``,
or a list of such lines, are the same. Where a field is empty, the condition does not hold.
"""

from __future__ import annotations

import ast
import operator
import re
from collections.abc import Callable, Mapping
from typing import Annotated, Any, NamedTuple

from pydantic import BeforeValidator, PlainSerializer, WithJsonSchema

from brainmark.core.libraries import np, pd
from brainmark.data.packaging.names import as_names, compose
from brainmark.data.packaging.problems import Problems, some
from brainmark.data.packaging.tables import as_numbers, column_of
from brainmark.data.readers.text_tables import DEFAULT, TableLayout

_SIGNS = r"(==|!=|<=|>=|<|>|not\s+in\b|in\b|=)"
_ALONE = re.compile(rf"^\s*{_SIGNS}\s*(.+?)\s*$", re.DOTALL)
_WHOLE = re.compile(rf"^\s*(['\"`]?)(.+?)\1\s*{_SIGNS}\s*(.+?)\s*$", re.DOTALL)
_ORDERS: dict[str, Callable[[Any, Any], Any]] = {
    "<": operator.lt, "<=": operator.le, ">": operator.gt, ">=": operator.ge,
}  # fmt: skip


class Condition(NamedTuple):
    """A condition on a column: a sign such as "<" or "in", and the value (of "in", the values) beside it."""

    column: str
    sign: str
    value: Any

    def __str__(self) -> str:
        return f"{self.column} {self.sign} {self.value!r}"


def _parse(given: Any) -> tuple[Condition, ...]:
    """Return the conditions that a description states. Raises ValueError."""
    if isinstance(given, Mapping):
        return tuple(_read_condition(str(column), value) for column, value in given.items())
    lines = [given] if isinstance(given, str) else given
    if isinstance(lines, tuple) and all(isinstance(one, Condition) for one in lines):
        return lines
    if not isinstance(lines, list | tuple) or not all(isinstance(line, str) for line in lines):
        raise ValueError('say where.COLUMN = VALUE, or a line such as "isi_violations < 0.5"')
    return tuple(condition for line in lines for condition in _read_line(line))


def _read_condition(column: str, value: Any) -> Condition:
    if isinstance(value, list | tuple):
        return Condition(column, "in", tuple(_check_value(one) for one in value))
    if isinstance(value, str) and (found := _ALONE.match(value)):
        return _make(column, found[1], found[2])
    return Condition(column, "==", _check_value(value))


def _read_line(line: str) -> list[Condition]:
    for parts in ([line], re.split(r"\s+and\s+|\s*&+\s*", line)):
        try:
            return [_make(found[2], found[3], found[4]) for part in parts if (found := _match(part))]
        except ValueError as error:
            reason = error
    raise ValueError(f"{line!r}: {reason}")


def _match(part: str) -> re.Match[str]:
    found = _WHOLE.match(part)
    if not found:
        raise ValueError('write a column, a sign (==, !=, <, <=, >, >=, in, not in) and a value, as in "depth > 200"')
    return found


def _make(column: str, sign: str, text: str) -> Condition:
    sign = {"=": "==", "not in": "not in"}.get(re.sub(r"\s+", " ", sign), re.sub(r"\s+", " ", sign))
    words = {"true": True, "false": False}
    try:
        value = words[text.lower()] if text.lower() in words else ast.literal_eval(text)
    except (ValueError, SyntaxError, MemoryError, RecursionError):
        raise ValueError(f"{text!r} is no value; texts stand in quotes: {column} {sign} 'good'") from None
    if "in" in sign:
        if not isinstance(value, list | tuple | set) or not value:
            raise ValueError(f"{sign} needs a list, as in {column} {sign} ['good', 'mua']")
        return Condition(column, sign, tuple(_check_value(one) for one in value))
    if sign in _ORDERS and (isinstance(value, bool) or not isinstance(value, int | float)):
        raise ValueError(f"{sign} compares numbers, and {value!r} is none")
    return Condition(column, sign, _check_value(value))


def _check_value(value: Any) -> str | bool | int | float:
    if isinstance(value, str | bool | int | float):
        return value
    raise ValueError(f"{value!r} is neither text, number nor true or false")


Where = Annotated[
    tuple[Condition, ...],
    BeforeValidator(_parse),
    PlainSerializer(lambda conditions: [str(condition) for condition in conditions]),
    WithJsonSchema({"type": "conditions"}),
]
"""A field of a description: conditions, all of which hold."""


def select_rows(
    table: pd.DataFrame, where: tuple[Condition, ...], place: object, problems: Problems, layout: TableLayout = DEFAULT
) -> pd.DataFrame:
    """Return the rows for which all conditions hold, and note fields that are empty.

    Raises
    ------
    Unusable : a column is missing, holds text where numbers are compared, or no row is left.
    """
    for condition in where:
        column = column_of(table, condition.column, place, problems)
        holds, empty = _hold(column, condition, place, problems, layout)
        if empty.any():
            problems.note(f"{place}: {int(empty.sum())} rows without {condition.column!r} do not fulfil {condition}")
        if not holds.any():
            held = some(dict.fromkeys(column.dropna().astype(str)))
            problems.fail(f"{place}: where leaves nothing: no row has {condition}; there are {held or 'empty fields'}")
        table = table[holds]
    return table


def _hold(
    column: pd.Series, condition: Condition, place: object, problems: Problems, layout: TableLayout
) -> tuple[np.ndarray, np.ndarray]:
    """Return for which rows a condition holds, and which are empty."""
    if condition.sign in _ORDERS:
        numbers = as_numbers(column.to_frame(), place, problems, layout)[:, 0]
        return _ORDERS[condition.sign](numbers, condition.value), np.isnan(numbers)
    texts = _as_texts(column)
    empty = np.isin(texts, ["", *layout.missing])
    values = condition.value if isinstance(condition.value, tuple) else (condition.value,)
    equal = np.zeros(len(column), bool)
    for value in values:
        equal |= _equal(texts, value)
    return (~equal if condition.sign in ("!=", "not in") else equal) & ~empty, empty


def _as_texts(column: pd.Series) -> np.ndarray:
    """Return fields as texts, of numbers those that Python writes."""
    if column.dtype.kind in "fc":
        return np.array(["" if v != v else repr(float(v)) for v in column], dtype=str)
    return as_names([v if isinstance(v, str | bytes) or v is None else "" if v != v else str(v) for v in column])


def _equal(texts: np.ndarray, value: str | bool | int | float) -> np.ndarray:
    if isinstance(value, bool):
        return np.char.lower(texts) == str(value).lower()
    if isinstance(value, str):
        return texts == compose(value)
    equal = np.zeros(len(texts), bool)
    for place, text in enumerate(texts):
        try:
            equal[place] = float(text) == value
        except ValueError:
            continue
    return equal
