"""Numbers in tables of text: what is one, what means "not measured", and what to say of anything else."""

from __future__ import annotations

import re
from collections.abc import Collection

from brainmark.core.libraries import np, pd
from brainmark.data.readers.text_tables import DEFAULT, TableLayout

_NUMBER_SIGNS = re.compile(r"[^0-9eE+\-. ]")
ABSENT = ("", "n/a")
_USUAL = ("na", "nan", ".", "#n/a", "null", "none", "-", "--", "n.a.", "missing", "?")  # texts of other programs


def find_texts(fields: np.ndarray, texts: Collection[str]) -> np.ndarray:
    """Return where fields are one of some texts."""
    return np.asarray(np.frompyfunc(frozenset(texts).__contains__, 1, 1)(fields), bool)


def parse_numbers(fields: np.ndarray, layout: TableLayout) -> tuple[np.ndarray, np.ndarray]:
    """Return fields (any,) as numbers, and the places of those that are none."""
    numbers = np.full(fields.shape, np.nan)
    absent = pd.isna(fields)
    if layout == DEFAULT and (plain := _read_plain(fields[~absent])) is not None:
        numbers[~absent] = plain
        return numbers, np.flatnonzero(np.zeros(0))
    absent |= find_texts(fields, [*ABSENT, *layout.missing])
    texts = [str(field) for field in fields[~absent]]
    if layout.decimal != ".":
        texts = [text.replace(".", "x").replace(layout.decimal, ".") for text in texts]
    numbers[~absent] = found = np.array([_number(text) for text in texts], dtype=float)
    for marker in layout.missing:
        if (value := _number(marker)) == value:
            numbers[numbers == value] = np.nan
    return numbers, np.flatnonzero(~absent)[np.isnan(found)]


def _read_plain(fields: np.ndarray) -> np.ndarray | None:
    """Return fields that are all texts of plain numbers as numbers; None if any is not, for another to look closer."""
    try:
        return None if _NUMBER_SIGNS.search(" ".join(fields.tolist())) else fields.astype(float)
    except (TypeError, ValueError):
        return None


def _number(text: str) -> float:
    """Return the number that a text is in ASCII; NaN if it is none."""
    try:
        return float(text) if text.isascii() and not set(text) & set("_xXnN") else np.nan
    except ValueError:
        return np.nan


def say_way(held: str, layout: TableLayout) -> str:
    """Return what to say of a field that is no number."""
    text = held.strip()
    if layout.decimal == "." and re.fullmatch(r"[+-]?\d*,\d+(e[+-]?\d+)?", text, re.IGNORECASE):
        return 'if commas are decimal, say decimal = ","'
    if layout.decimal == "," and re.fullmatch(r"[+-]?\d*\.\d+(e[+-]?\d+)?", text, re.IGNORECASE):
        return 'decimal is ","; write all numbers in one way'
    if text.lower() in _USUAL:
        return f'if it means "not measured", say missing = ["{held}"]'
    return "leave empty what was not measured, or name the texts that mean it: missing = [...]"
