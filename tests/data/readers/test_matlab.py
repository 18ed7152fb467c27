"""MATLAB files of both kinds hold the same: numbers, texts, cells, structs; objects are decoded or refused."""

from __future__ import annotations

import io
from collections.abc import Callable
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest
import scipy.io
import scipy.sparse

from brainmark.core.errors import DataError
from brainmark.data.readers.matlab import mat_variable


class Matlab73:
    """Writes a file of version 7.3 as MATLAB does: dimensions in reverse, texts as UTF-16, cells as references."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.file = h5py.File(path, "w", userblock_size=512)
        self.count = 0

    def close(self) -> None:
        self.file.close()
        with self.path.open("r+b") as raw:
            raw.write(b"MATLAB 7.3 MAT-file".ljust(124) + b"\x00\x02IM")

    def put(self, name: str, value: Any) -> Any:
        if isinstance(value, str):
            return self._char(name, value)
        if isinstance(value, dict):
            group = self.file.create_group(name)
            group.attrs["MATLAB_class"] = np.bytes_("struct")
            for field, content in value.items():
                self.put(f"{name}/{field}", content)
            return group
        array = np.asarray(value)
        if array.dtype.names:  # several structs
            group = self.file.create_group(name)
            group.attrs["MATLAB_class"] = np.bytes_("struct")
            for field in array.dtype.names:
                self.file.create_dataset(f"{name}/{field}", data=self._references(array[field]), dtype=h5py.ref_dtype)
            return group
        if array.dtype == object:
            made = self.file.create_dataset(name, data=self._references(array), dtype=h5py.ref_dtype)
            made.attrs["MATLAB_class"] = np.bytes_("cell")
            return made
        return self._numbers(name, array)

    def _numbers(self, name: str, array: np.ndarray) -> Any:
        array = np.atleast_2d(array)
        kind = {"f": "double", "b": "logical", "u": f"uint{8 * array.itemsize}"}.get(array.dtype.kind, "double")
        stored = array.T.astype(np.uint8) if kind == "logical" else array.T
        made = self.file.create_dataset(name, data=stored if array.size else np.array(array.shape, np.uint64))
        made.attrs["MATLAB_class"] = np.bytes_(kind)
        if not array.size:
            made.attrs["MATLAB_empty"] = np.uint8(1)
        return made

    def _char(self, name: str, text: str) -> Any:
        units = np.frombuffer(text.encode("utf-16-le"), np.uint16)
        made = self.file.create_dataset(name, data=units[:, None] if text else np.zeros(2, np.uint64))
        made.attrs["MATLAB_class"] = np.bytes_("char")
        if not text:
            made.attrs["MATLAB_empty"] = np.uint8(1)
        return made

    def _references(self, array: np.ndarray) -> np.ndarray:
        references = np.empty(array.shape[::-1], h5py.ref_dtype)
        for place in np.ndindex(array.shape):
            self.count += 1
            references[place[::-1]] = self.put(f"#refs#/r{self.count}", array[place]).ref
        return references

    def put_objects(self, kinds: dict[str, str], properties: dict[str, dict[str, Any]], custom: set[str]) -> None:
        """Write objects, see `cells_of_objects`."""
        held, marks = cells_of_objects(kinds, properties, custom)
        made = self.file.create_dataset("#subsystem#/MCOS", data=self._references(held), dtype=h5py.ref_dtype)
        made.attrs["MATLAB_class"] = np.bytes_("FileWrapper__")
        for variable, mark in marks.items():
            made = self.file.create_dataset(variable, data=mark.T)
            made.attrs["MATLAB_class"], made.attrs["MATLAB_object_decode"] = np.bytes_(kinds[variable]), np.int32(3)


def cells_of_objects(
    kinds: dict[str, str], properties: dict[str, dict[str, Any]], custom: set[str]
) -> tuple[np.ndarray, dict[str, np.ndarray]]:
    """The cells that hold what is in objects, and what stands for each of them.

    `kinds`, `properties`: their class and their properties by name of the variable; `custom`: those with saveobj.
    """
    names = list(dict.fromkeys([*kinds.values(), *(p for held in properties.values() for p in held)]))
    cells: list[Any] = []
    blocks: dict[bool, list[int]] = {True: [0, 0], False: [0, 0]}
    objects = [0] * 6
    order = {True: 0, False: 0}
    for variable, kind in kinds.items():
        own = variable in custom
        order[own] += 1
        objects += [names.index(kind) + 1, 0, 0, order[own] if own else 0, 0 if own else order[own], 0]
        block = [len(properties[variable])]
        for name, content in properties[variable].items():
            block += [names.index(name) + 1, 1, len(cells)]
            cells.append(content)
        blocks[own] += block + [0] * (len(block) % 2)
    text = b"".join(name.encode() + b"\0" for name in names)
    text += b"\0" * (-(len(text) + 40) % 8)
    classes = [0, 0, 0, 0] + [n for k in range(len(names)) for n in (0, k + 1, 0, 0)]
    regions = [classes, blocks[True], objects, blocks[False]]
    starts = [40 + len(text)]
    for region in regions:
        starts.append(starts[-1] + 4 * len(region))
    header = np.array([4, len(names), *starts[:5], 0, 0, starts[-1]], np.uint32).tobytes() + text
    header += b"".join(np.array(region, np.uint32).tobytes() for region in regions)
    held = cell(np.frombuffer(header, np.uint8)[:, None], np.empty((0, 0)), *cells)
    marks = {v: mark_of(number, names.index(kind) + 1) for number, (v, kind) in enumerate(kinds.items(), start=1)}
    return held, marks


def mark_of(number: int, kind: int) -> np.ndarray:
    """What stands for an object, by its number and that of its class."""
    return np.array([[0xDD000000], [2], [1], [1], [number], [kind]], np.uint32)


def write_old_objects(
    path: Path, kinds: dict[str, str], properties: dict[str, dict[str, Any]], custom: set[str]
) -> None:
    """Write objects as MATLAB does up to version 7: matrices of class 17, and a subsystem of bytes at the end."""

    def element(kind: int, *parts: bytes) -> bytes:
        padded = b"".join(parts)
        return np.array([kind, len(padded)], "<u4").tobytes() + padded + b"\0" * (-len(padded) % 8)

    def matrix(value: Any) -> bytes:
        buffer = io.BytesIO()
        scipy.io.savemat(buffer, {"x": value})
        return buffer.getvalue()[128:]

    def flags(number: int) -> bytes:
        return element(6, np.array([number, 0], "<u4").tobytes())

    def opaque(name: str, kind: str, content: bytes) -> bytes:
        texts = [element(1, text.encode()) for text in (name, "MCOS", kind)]
        return element(14, flags(17), *texts, content)

    held, marks = cells_of_objects(kinds, properties, custom)
    one, none = element(5, np.array([1, 1], "<i4").tobytes()), element(1)
    width = np.array([5 | 4 << 16, 5], "<u4").tobytes()  # of the names of fields, as a small element
    fields = [width, element(1, b"MCOS\0"), opaque("", "FileWrapper__", matrix(held))]
    inside = b"\0\1IM\0\0\0\0" + element(14, flags(2), one, none, *fields)
    shape = element(5, np.array([1, len(inside)], "<i4").tobytes())
    variables = [opaque(name, kinds[name], matrix(mark)) for name, mark in marks.items()]
    subsystem = element(14, flags(9), shape, none, element(2, inside))
    path.write_bytes(b"MATLAB 5.0 MAT-file".ljust(124) + b"\0\1IM" + b"".join(variables) + subsystem)


def cell(*values: Any) -> np.ndarray:
    """A column of cells."""
    made = np.empty((len(values), 1), object)
    for k, value in enumerate(values):
        made[k, 0] = value
    return made


def write_old(path: Path, content: dict[str, Any]) -> None:
    scipy.io.savemat(path, content)


def write_new(path: Path, content: dict[str, Any]) -> None:
    made = Matlab73(path)
    for name, value in content.items():
        made.put(name, value)
    made.close()


WRITERS = pytest.mark.parametrize("write", [write_old, write_new])
Write = Callable[[Path, dict[str, Any]], None]


@WRITERS
def test_an_array_of_structs_gives_an_entry_for_each(tmp_path: Path, write: Write) -> None:
    kinds = [("rate", object), ("stim", object), ("counts", object)]
    trials = np.array([[(1.0, "a", np.arange(3.0))], [(2.0, "b", np.arange(3.0) + 5)]], dtype=kinds)
    write(tmp_path / "t.mat", {"trial": trials})
    assert mat_variable(tmp_path / "t.mat", "trial.rate").ravel().tolist() == [1, 2]
    assert mat_variable(tmp_path / "t.mat", "trial.stim").ravel().tolist() == ["a", "b"]
    assert mat_variable(tmp_path / "t.mat", "trial.counts").tolist() == [[0, 1, 2], [5, 6, 7]]
    with pytest.raises(DataError, match=r"trial is a struct; name a field of it: trial\.(rate|counts)"):
        mat_variable(tmp_path / "t.mat", "trial")
    with pytest.raises(DataError, match="no field 'rates'; did you mean 'rate'"):
        mat_variable(tmp_path / "t.mat", "trial.rates")


@WRITERS
def test_an_empty_cell_among_texts_is_no_text(tmp_path: Path, write: Write) -> None:
    write(tmp_path / "c.mat", {"ids": cell("a", "", "b"), "few": cell(1.0, np.empty((0, 0)), 3.0)})
    assert mat_variable(tmp_path / "c.mat", "ids").ravel().tolist() == ["a", "", "b"]
    few = mat_variable(tmp_path / "c.mat", "few").ravel()
    np.testing.assert_array_equal(few, [1, np.nan, 3])


@WRITERS
def test_cells_that_are_no_array_are_named(tmp_path: Path, write: Write) -> None:
    write(tmp_path / "c.mat", {"mixed": cell("a", 2.0), "deep": cell(cell("a")), "ragged": cell([1.0, 2], [1.0])})
    for name, words in (("mixed", r"mixed\{2\} is 2"), ("deep", r"deep\{1\} is a cell array"), ("ragged", "shapes")):
        with pytest.raises(DataError, match=words):
            mat_variable(tmp_path / "c.mat", name)


@WRITERS
def test_empty_arrays_and_texts(tmp_path: Path, write: Write) -> None:
    write(tmp_path / "e.mat", {"text": "", "numbers": np.empty((0, 0)), "flags": np.array([[True, False]])})
    assert mat_variable(tmp_path / "e.mat", "text").tolist() == [""]
    assert mat_variable(tmp_path / "e.mat", "numbers").shape == (0, 0)
    assert mat_variable(tmp_path / "e.mat", "flags").tolist() == [[1, 0]]


def test_text_outside_of_the_basic_plane(tmp_path: Path) -> None:
    write_new(tmp_path / "t.mat", {"ids": cell("\U0001f600", "b"), "one": "Caf\u00e9 \U0001f680"})
    assert mat_variable(tmp_path / "t.mat", "ids").ravel().tolist() == ["\U0001f600", "b"]
    assert mat_variable(tmp_path / "t.mat", "one").tolist() == ["Caf\u00e9 \U0001f680"]


def test_rows_of_text_lose_the_blanks_that_fill_them(tmp_path: Path) -> None:
    rows = np.array([[ord(c) for c in row] for row in ("V4 ", "MST")], np.uint16)
    with h5py.File(tmp_path / "new.mat", "w") as file:
        file.create_dataset("areas", data=rows.T).attrs["MATLAB_class"] = np.bytes_("char")
        cube = file.create_dataset("cube", data=np.full((2, 2, 3), 97, np.uint16))
        cube.attrs["MATLAB_class"] = np.bytes_("char")
    scipy.io.savemat(tmp_path / "old.mat", {"areas": np.array(["V4 ", "MST"])})
    for name in ("new.mat", "old.mat"):
        assert mat_variable(tmp_path / name, "areas").tolist() == ["V4", "MST"]
    with pytest.raises(DataError, match=r"new\.mat.*a text of 3 dimensions"):
        mat_variable(tmp_path / "new.mat", "cube")


def test_sparse_matrices_are_read(tmp_path: Path) -> None:
    dense = np.array([[0, 2.0, 0], [1, 0, 0], [0, 0, 0], [0, 3, 0]])
    packed = scipy.sparse.csc_matrix(dense)
    scipy.io.savemat(tmp_path / "old.mat", {"s": packed})
    with h5py.File(tmp_path / "new.mat", "w") as file:
        group = file.create_group("s")
        group.attrs["MATLAB_class"], group.attrs["MATLAB_sparse"] = np.bytes_("double"), np.uint64(4)
        group["data"], group["ir"], group["jc"] = packed.data, packed.indices, packed.indptr
    for name in ("new.mat", "old.mat"):
        np.testing.assert_array_equal(mat_variable(tmp_path / name, "s"), dense)


# --- objects ---------------------------------------------------------------------------------------------------------


def string_words(texts: np.ndarray) -> np.ndarray:
    """A string array as its saveobj gives it."""
    flat = texts.ravel(order="F")
    units = "".join(flat).encode("utf-16-le")
    units += b"\0" * (-len(units) % 8)
    lengths = [len(t.encode("utf-16-le")) // 2 for t in flat]
    head = np.array([1, texts.ndim, *texts.shape, *lengths], np.uint64)
    return np.concatenate([head, np.frombuffer(units, np.uint64)])[None]


@pytest.fixture(params=["7", "7.3"])
def objects(tmp_path: Path, request: pytest.FixtureRequest) -> Path:
    """A string, a categorical, a datetime, a table and a duration in one file."""
    kinds = {"s": "string", "c": "categorical", "d": "datetime", "t": "table", "u": "duration", "w": "string"}
    properties: dict[str, dict[str, Any]] = {
        "s": {"any": string_words(np.array([["Apple", "Fig"], ["\U0001f600", ""]]))},
        "c": {"categoryNames": cell("low", "high"), "codes": np.array([[2, 0, 1]], np.uint8)},
        "d": {"data": np.array([[0.0, np.nan, 86_400_000.0]])},
        "t": {
            "data": cell(np.array([[1.5], [2.5]]), cell("x", "y"), mark_of(number=1, kind=1)),
            "varnames": cell("rate", "stim", "fruit").T,
        },
        "u": {"millis": np.array([[1.0]])},
        "w": {"any": string_words(np.array([["last"]]))},
    }
    if request.param == "7":
        write_old_objects(tmp_path / "o.mat", kinds, properties, custom={"s", "w"})
        return tmp_path / "o.mat"
    made = Matlab73(tmp_path / "o.mat")
    made.put_objects(kinds, properties, custom={"s", "w"})
    made.close()
    return tmp_path / "o.mat"


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("s", [["Apple", "Fig"], ["\U0001f600", ""]]),
        ("w", [["last"]]),
        ("c", [["high", "", "low"]]),
        ("d", [["1970-01-01T00:00:00.000", "", "1970-01-02T00:00:00.000"]]),
        ("t.rate", [[1.5], [2.5]]),
        ("t.stim", [["x"], ["y"]]),
        ("t.fruit", [["Apple", "Fig"], ["\U0001f600", ""]]),  # the number of an object in a table is no datum
    ],
)
def test_objects_are_decoded(objects: Path, name: str, expected: Any) -> None:
    assert mat_variable(objects, name).tolist() == expected


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("u", r"u is a duration of MATLAB, which only MATLAB reads; there, save seconds\(x\)"),
        ("t", r"t is a table of MATLAB; name a column of it: t\.rate"),
        ("t.rates", "no field 'rates'; did you mean 'rate'"),
        ("s.text", "s is no struct|'text' is a field of is no struct"),
    ],
)
def test_objects_that_are_no_array_are_refused(objects: Path, name: str, words: str) -> None:
    with pytest.raises(DataError, match=words):
        mat_variable(objects, name)


@pytest.mark.parametrize("kind", ["string", "table", "datetime", "categorical", "containers.Map", "my.Class"])
def test_the_address_of_an_object_is_never_data(tmp_path: Path, kind: str) -> None:
    with h5py.File(tmp_path / "o.mat", "w") as file:
        made = file.create_dataset("x", data=np.array([[0xDD000000, 2, 1, 1, 1, 1]], np.uint32))
        made.attrs["MATLAB_class"], made.attrs["MATLAB_object_decode"] = np.bytes_(kind), np.int32(3)
    with pytest.raises(DataError, match=f"x is a {kind} of MATLAB, which only MATLAB reads; there, save"):
        mat_variable(tmp_path / "o.mat", "x")
