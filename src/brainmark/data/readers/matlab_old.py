"""Reads all variables of MATLAB files up to version 7, objects among them, into the form that 7.3 files have too.

SciPy reads such files, but has no names for objects, and keeps one of them alone. Hence a file that holds objects is
given to SciPy one element at a time. What is in the objects stands in one of these elements, the subsystem, in the same
cell array as in files of version 7.3.
"""

from __future__ import annotations

import io
import struct
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from brainmark.core.libraries import np, scipy
from brainmark.data.readers.matlab_objects import MatlabObject, decode_object
from brainmark.data.readers.text import decode

_OBJECT, _SUBSYSTEM = "None", "__function_workspace__"  # what SciPy calls them
_HEADER = 128
_MARKS = {b"IM": "<", b"MI": ">"}  # the last two bytes of a header tell the order of bytes


def read_old(path: str) -> dict[str, Any]:
    """Return all variables of a file up to version 7, by name, as SciPy has them."""
    content = _load_old(path)
    return _read_elements(path) if _OBJECT in content else content


def names_of(content: dict[str, Any]) -> list[str]:
    """Return the names of the variables."""
    return [name for name in content if not name.startswith("__")]


def take_variable(content: dict[str, Any], name: str) -> Any:
    """Return one variable, objects decoded, in the form of both kinds of files."""
    return _plain(content[name], _cells_of(content.get(_SUBSYSTEM)))


def _load_old(file: Any) -> dict[str, Any]:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of names that come twice: objects have none
        return scipy.io.loadmat(file, squeeze_me=False, struct_as_record=True)


def _read_elements(path: str) -> dict[str, Any]:
    with Path(path).open("rb") as file:
        raw = memoryview(file.read())
    found: dict[str, Any] = {}
    for element in _elements(raw[_HEADER:], bytes(raw[_HEADER - 4 : _HEADER])):
        for name, value in _load_old(element).items():
            if not name.startswith("__") or name == _SUBSYSTEM:
                found[decode(value[0]["s0"]) if name == _OBJECT else name] = value
    return found


def _elements(raw: memoryview, version: bytes) -> Iterator[io.BytesIO]:
    """Yield each element (a variable) as a file of its own; `version`: how the header ends."""
    order = _MARKS[version[2:]]
    while len(raw) >= 8:
        size = 8 + struct.unpack(f"{order}II", raw[:8])[1]
        yield io.BytesIO(b"MATLAB 5.0 MAT-file".ljust(_HEADER - 4) + version + raw[:size])
        raw = raw[size:]


def _cells_of(subsystem: np.ndarray | None) -> list[Any]:
    """Return the cells in which the contents of all objects stand; a subsystem is a file without most of its header."""
    if subsystem is None:
        return []
    raw = memoryview(subsystem.tobytes())
    for element in _elements(raw[8:], bytes(raw[:4])):
        inside = _load_old(element).get(_SUBSYSTEM)
        if inside is not None and "MCOS" in (inside.dtype.names or ()):
            return list(np.ravel(inside["MCOS"].item()[0]["arr"]))
    return []


def _plain(value: Any, cells: list[Any]) -> Any:
    """Bring what SciPy returns, and all in it, into the form of both kinds of files."""
    if isinstance(value, scipy.io.matlab.MatlabFunction):
        return MatlabObject("function_handle")
    if isinstance(value, scipy.io.matlab.MatlabOpaque):
        kind, metadata = decode(value[0]["s2"]), np.asarray(value[0]["arr"])
        if not cells or metadata.dtype.kind not in "iu":
            return MatlabObject(kind)
        return decode_object(kind, np.ravel(metadata), len(cells), lambda k: _plain(cells[k], cells))
    if scipy.sparse.issparse(value):
        return value.toarray()
    array: Any = np.asarray(value if value is not None else np.empty((0, 0), object))  # a struct without fields
    if array.dtype.kind == "U":
        return strip_rows(array) if array.size else np.array([""])
    if array.dtype.names or array.dtype.kind == "O":
        made = array.copy()
        for place in np.ndindex(array.shape):
            if array.dtype.names:
                for field in array.dtype.names:
                    made[field][place] = _plain(array[field][place], cells)
            else:
                made[place] = _plain(array[place], cells)
        return made
    return array


def strip_rows(texts: np.ndarray) -> np.ndarray:
    """Return the rows of a text of several rows without the blanks that make them equally long."""
    return np.char.rstrip(texts, " ") if texts.size > 1 else texts
