"""Objects of MATLAB in its files: string, categorical, datetime and table.

MATLAB keeps what is in its objects in an undocumented cell array (``#subsystem#/MCOS`` in files of version 7.3), and
only a number of each object where the variable is. Objects inside of objects are such numbers without their class.
The layout was described by the authors of matio (github.com/foreverallama/matio, docs).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from brainmark.core.libraries import np

_MARK = 0xDD000000
_WAYS = {
    "string": "save cellstr(x)",
    "categorical": "save cellstr(x)",
    "datetime": "save cellstr(string(x))",
    "duration": "save seconds(x)",
    "table": "save its columns, each in a variable of its own",
}


@dataclass(frozen=True, eq=False)
class MatlabObject:
    """An object whose values are not known here, or a table.

    Attributes
    ----------
    kind : its class.
    columns : of a table, by name.
    """

    kind: str
    columns: Mapping[str, Any] | None = None

    def explain(self, what: str) -> str:
        """Return why it cannot be taken for numbers or texts, and the way out."""
        if self.columns:
            name = what.rpartition(": ")[2]
            return f"{what} is a table of MATLAB; name a column of it: {name}.{next(iter(self.columns))}"
        return f"{what} is {self.way_out}"

    @property
    def way_out(self) -> str:
        """What it is, and what to do instead."""
        way = _WAYS.get(self.kind, "save its values as numbers, or as a cell array of texts")
        return f"a {self.kind} of MATLAB, which only MATLAB reads; there, {way}"


def decode_object(kind: str, metadata: np.ndarray, count: int, cell: Callable[[int], Any]) -> Any:
    """Return the values of an object: texts of a string, categorical or datetime array, or a table.

    Parameters
    ----------
    metadata : what stands where the variable is: a mark, the dimensions, the numbers of objects, the class.
    count : of the cells.
    cell : reads one of them.

    Raises
    ------
    ValueError : the object is kept in another way than is known.
    """
    if kind not in _DECODERS or len(metadata) < 5 or int(metadata[0]) != _MARK:
        return MatlabObject(kind)
    number_of_dims = int(metadata[1])
    ids = metadata[2 + number_of_dims : -1]
    if len(ids) != 1:
        return MatlabObject(kind)
    raw = np.ravel(cell(0)).astype(np.uint8).tobytes()
    found = _properties(raw, int(ids[0]))

    def decode_inside(value: Any) -> Any:
        return _decode_inside(value, lambda m: decode_object(_class_of(raw, int(m[-1])), m, count, cell))

    values = {name: decode_inside(cell(place + 2)) for name, place in found.items() if place + 2 < count}
    try:
        return _DECODERS[kind](values)
    except (KeyError, IndexError, ValueError, TypeError) as error:
        raise ValueError(f"a {kind} has another layout than is known ({error}); in MATLAB, {_WAYS[kind]}") from error


def _decode_inside(value: Any, decode: Callable[[np.ndarray], Any]) -> Any:
    """Return a property with the objects in it, and in its cells, decoded from the numbers that stand for them."""
    array: Any = np.asarray(value)
    if array.dtype == object:
        made = array.copy()
        for place in np.ndindex(array.shape):
            made[place] = _decode_inside(array[place], decode)
        return made
    if array.dtype == np.uint32 and array.size >= 5 and int(array.flat[0]) == _MARK:
        return decode(np.ravel(array))
    return value


def _class_of(raw: bytes, number: int) -> str:
    """Return the name of a class, by its number."""
    words, names = _words_and_names(raw)
    return names[int(words[int(words[2]) // 4 + 4 * number + 1]) - 1]


def _words_and_names(raw: bytes) -> tuple[np.ndarray, list[str]]:
    """Return the table of contents as numbers, and the names of classes and properties."""
    words = np.frombuffer(raw[: len(raw) // 4 * 4], "<u4")
    return words, [name.decode("latin-1") for name in raw[40 : int(words[2])].split(b"\0")[: int(words[1])]]


def _properties(raw: bytes, number: int) -> dict[str, int]:
    """Return the cell, from 0, that holds each property of an object."""
    words, names = _words_and_names(raw)
    starts = words[2:10]
    block = words[int(starts[2]) // 4 + 6 * number :][:6]
    custom, normal = int(block[3]), int(block[4])
    where, wanted = (int(starts[1]) // 4, custom) if custom else (int(starts[3]) // 4, normal)
    for _ in range(wanted):  # blocks of other objects, each at a multiple of 8 bytes
        where += (1 + 3 * int(words[where]) + 1) // 2 * 2
    triples = words[where + 1 : where + 1 + 3 * int(words[where])].reshape(-1, 3)
    return {names[int(name) - 1]: int(value) for name, kind, value in triples if kind == 1}


def _string(values: dict[str, Any]) -> np.ndarray:
    """Return texts: a version, the dimensions, the length of each text, then all of them in UTF-16."""
    words = np.ravel(values["any"]).astype("<u8")
    end = 2 + int(words[1])
    shape = tuple(int(n) for n in words[2:end])
    lengths = words[end : end + int(np.prod(shape))].astype(np.int64)
    units = np.frombuffer(words[end + len(lengths) :].tobytes(), "<u2")
    stops = np.cumsum(lengths)
    texts = [units[stop - n : stop].tobytes().decode("utf-16-le") for n, stop in zip(lengths, stops, strict=True)]
    return np.array(texts, dtype=str).reshape(shape, order="F")


def _categorical(values: dict[str, Any]) -> np.ndarray:
    """Return the name of each category; "" where there is none."""
    names = ["", *(str(np.ravel(name)[0]) for name in np.ravel(values["categoryNames"], order="F"))]
    return np.array(names, dtype=str)[np.asarray(values["codes"]).astype(int)]


def _datetime(values: dict[str, Any]) -> np.ndarray:
    """Return times as text in ISO 8601 to the millisecond; "" for no time. Numbers are ms since 1970."""
    ms = np.real(np.asarray(values["data"]))
    known = np.isfinite(ms)
    times = np.where(known, ms, 0).round().astype(np.int64).astype("datetime64[ms]")
    return np.where(known, np.datetime_as_string(times), "")


def _table(values: dict[str, Any]) -> MatlabObject:
    names = [str(np.ravel(name)[0]) for name in np.ravel(values["varnames"], order="F")]
    columns = dict(zip(names, np.ravel(values["data"], order="F"), strict=True))
    return MatlabObject("table", columns)


_DECODERS: Mapping[str, Callable[[dict[str, Any]], Any]] = {
    "string": _string,
    "categorical": _categorical,
    "datetime": _datetime,
    "table": _table,
}
