"""Identifiers: text everywhere, compared in the composed form of Unicode and in no other respect."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable, Iterable
from pathlib import Path, PureWindowsPath
from typing import Any

from brainmark.core.errors import DataError
from brainmark.core.libraries import np, pd
from brainmark.data.readers.text import decode

_EXACT = 2**53  # the largest number up to which a float holds every integer
_UNSEEN = "\u200b\u200c\u200d\u2060\ufeff\u00ad"  # characters that take no room


def compose(name: str) -> str:
    """Return a name in the composed form of Unicode (NFC), in which equal names are equal texts."""
    return name if name.isascii() else unicodedata.normalize("NFC", name)


def as_names(values: Iterable[Any], where: object = "identifiers") -> np.ndarray:
    """Return identifiers as text, composed; "" for what is missing. Whole numbers have no decimal point.

    Raises
    ------
    DataError : an identifier is a number that does not say how it was written, such as the float 1.1 (or 1.10).
    """
    return np.array([_as_name(v, where) for v in values], dtype=str)


def _as_name(value: Any, where: object) -> str:
    if isinstance(value, str):
        return compose(value)
    if (
        value is None
        or value is pd.NA
        or value is pd.NaT
        or (isinstance(value, float | np.floating) and value != value)
    ):
        return ""
    if isinstance(value, float | np.floating):
        if not float(value).is_integer() or abs(value) > _EXACT:
            raise DataError(
                f"{where}: the name {value} is kept as a floating-point number, which does not say how it was "
                "written (1.1 or 1.10); keep names as text"
            )
        return str(int(value))
    return compose(decode(value, where))


def find_alike(name: str, known: Iterable[str]) -> str | None:
    """Return in words where a known name differs from this one only in how it is written; None if none does."""
    others = [other for other in known if other != name]
    for reason, fold in _FOLDS.items():
        wanted = fold(name)
        for other in others:
            if fold(other) == wanted:
                return f"{name!r} and {other!r} differ in {reason}"
    return None


def _drop_blanks(name: str) -> str:
    return " ".join(name.translate(dict.fromkeys(map(ord, _UNSEEN))).split())


def _simplify(name: str) -> str:
    return _drop_blanks(unicodedata.normalize("NFKC", name)).casefold()


_FOLDS: dict[str, Callable[[str], str]] = {
    "blanks or characters that are not seen": _drop_blanks,
    "capital and small letters": lambda name: _drop_blanks(name).casefold(),
    "the width or the style of characters": _simplify,
    "the decimals of a whole number": lambda name: re.sub(r"^([+-]?\d+)\.0+$", r"\1", _simplify(name)),
    "zeros before the number": lambda name: _simplify(name).lstrip("0"),
    "the sign between folders": lambda name: _simplify(name).replace("\\", "/"),
    "the ending of the file": lambda name: PureWindowsPath(_simplify(name)).with_suffix("").as_posix(),
    "the folder": lambda name: PureWindowsPath(_simplify(name)).name,
    "the folder and the ending of the file": lambda name: PureWindowsPath(_simplify(name)).stem,
}
"""What may differ, in words -> how names look without it."""


def find_paths(paths: Iterable[Path]) -> list[Path]:
    """Return for each path the one on the disk that has this name in any form of Unicode; itself if there is none."""
    listed: dict[Path, dict[str, Path]] = {}

    def find(path: Path) -> Path:
        if str(path).isascii() or path.exists():
            return path
        folder = path.parent if path.parent == path else find(path.parent)
        if folder not in listed:
            listed[folder] = {compose(p.name): p for p in folder.iterdir()} if folder.is_dir() else {}
        return listed[folder].get(compose(path.name), path)

    return [find(path) for path in paths]
