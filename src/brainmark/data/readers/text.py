"""Text in files: bytes become text here, whichever library read them."""

from __future__ import annotations

import json
import tomllib
from pathlib import Path
from typing import Any

from brainmark.core.errors import DataError
from brainmark.core.libraries import np
from brainmark.data.readers.damage import explain_damage

_UTF_16 = (b"\xff\xfe", b"\xfe\xff")
_DEEPEST = 64  # levels of tables inside tables


def read_text(path: Path) -> str:
    """Return the text of a file in UTF-8, or in UTF-16 with its mark, without a mark; lines end with LF.

    Raises
    ------
    DataError : it cannot be read, or is not in UTF-8.
    """
    with explain_damage(path, "cannot be read"):
        raw = path.read_bytes()
    with explain_damage(path, "cannot be read as text in UTF-8"):
        text = raw.decode("utf-16" if raw[:2] in _UTF_16 else "utf-8-sig")
    return text.replace("\r\n", "\n").replace("\r", "\n")


def read_json(path: Path) -> dict[str, Any]:
    """Return the object in a JSON file. Raises DataError where it cannot be read, or holds something else."""
    text = read_text(path)
    with explain_damage(path, "cannot be read as JSON"):
        content = _refuse_depth(json.loads(text))
    if not isinstance(content, dict):
        raise DataError(f"{path}: holds a {type(content).__name__}; expected an object of JSON, {{...}}")
    return content


def read_toml(path: Path) -> dict[str, Any]:
    """Return the table in a TOML file. Raises DataError where it cannot be read."""
    return parse_toml(read_text(path), path)


def parse_toml(text: str, where: object) -> dict[str, Any]:
    """Return the table that a text in TOML stands for. Raises DataError."""
    with explain_damage(where, "no TOML"):
        return _refuse_depth(tomllib.loads(text))


def _refuse_depth(content: Any) -> Any:
    """Refuse tables in tables without an end, which no description has."""
    level = [content]
    for _ in range(_DEEPEST):
        inner = [list(x.values()) if isinstance(x, dict) else x for x in level if isinstance(x, dict | list)]
        level = [x for part in inner for x in part]
        if not level:
            return content
    raise RecursionError


def decode(value: Any, where: object = "a value") -> str:
    """Return text as it is, bytes as the UTF-8 text they are, and anything else as it is written.

    Raises
    ------
    DataError : bytes that are no UTF-8.
    """
    if isinstance(value, bytes):
        with explain_damage(where, f"{value[:40]!r} is no text in UTF-8"):
            return value.decode().rstrip("\0")
    return str(value)


def decode_array(values: Any, where: object = "a value") -> np.ndarray:
    """Return an array of bytes, or of objects that are bytes and text, as an array of text; others as they are.

    Raises
    ------
    DataError : bytes that are no UTF-8.
    """
    array = np.asarray(values)
    objects = array.dtype.kind == "O" and all(isinstance(v, bytes | str) for v in array.ravel())
    if array.dtype.kind != "S" and not objects:
        return array
    return np.array([decode(v, where) for v in array.ravel()], dtype=str).reshape(array.shape)
