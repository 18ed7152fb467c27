"""Files of features and answers: numbers with the identifier of a stimulus for each row, read when they are needed.

Three formats are read: NumPy ``.npy`` (one array), ``.npz`` (arrays by name) and netCDF-4 ``.nc`` (variables by name,
or groups with one variable each, as `write_answers` makes them). Rows are stimuli. Arrays are mapped into memory, so
that a file may be larger than that: all but compressed members of ``.npz``.

Identifiers are text. They stand in the file itself, in ``.npz`` as the array ``ids``, in netCDF as the variable
``stimulus_id``, or in a file beside it: lines of text, a table with a column ``stimulus_id``, or ``.npy``.
"""

from __future__ import annotations

import struct
import zipfile
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from brainmark.core.errors import DataError
from brainmark.core.libraries import h5netcdf, np, pd, xr
from brainmark.core.wording import plural
from brainmark.data.packaging.names import as_names
from brainmark.data.readers.damage import explain_damage
from brainmark.data.readers.hdf5 import is_hdf5, open_hdf5
from brainmark.data.readers.netcdf import write_variable
from brainmark.data.readers.text import decode_array, read_text
from brainmark.data.readers.text_tables import read_text_table
from brainmark.data.writing import whole_file

IDS = ("stimulus_id", "ids", "id", "stimulus_ids")
"""What an array of identifiers is called; the first that is there is taken."""
CHOICES = ("choice", "choices")
"""What the labels of the columns of choices are called."""
TIMES = ("time_bin_start", "time_bin_end")
ENDINGS = (".npy", ".npz", ".nc")
BLOCK = 2**26
"""Bytes that are looked at or read at once."""
EXPERIMENT = "experiment"
"""Attribute of an answer that was written here: the digest of the experiment that it answers."""


@dataclass(frozen=True, eq=False)
class RowTable:
    """An array whose first dimension is stimuli.

    Attributes
    ----------
    where : file and name, for messages.
    values : anything with `shape`, `dtype` and slices of rows.
    ids : (rows,) text; None: not stated.
    coords : what else is stated along its dimensions, name -> (dimensions, values).
    dims : names of its dimensions; (): not stated.
    answers : digest of the experiment that it answers, see `write_answers`.
    missing : numbers that stand for what is missing.
    """

    where: str
    values: Any
    ids: np.ndarray | None = None
    coords: Mapping[str, tuple[tuple[str, ...], np.ndarray]] = field(default_factory=dict)
    dims: tuple[str, ...] = ()
    answers: str | None = None
    missing: tuple[float, ...] = ()

    def take(self, rows: np.ndarray) -> np.ndarray:
        """Return these rows, in this order; all of them in their own order without a copy where they are mapped."""
        count = len(rows)
        if count == self.values.shape[0] and (rows == np.arange(count)).all():
            return self.values if isinstance(self.values, np.ndarray) else self.values[0:count]
        if isinstance(self.values, np.ndarray):
            return self.values[rows]
        taken = np.empty((count, *self.values.shape[1:]), self.values.dtype)
        order = np.argsort(rows, kind="stable")
        sorted_rows, step = rows[order], rows_at_once(self.values)
        for start in range(0, self.values.shape[0], step):
            first, last = np.searchsorted(sorted_rows, (start, start + step))
            if first < last:
                taken[order[first:last]] = self.values[start : start + step][sorted_rows[first:last] - start]
        return taken


def rows_at_once(values: Any) -> int:
    """Return how many rows of an array make up a block."""
    size = max(1, values.dtype.itemsize * int(np.prod(values.shape[1:], dtype=np.int64)))
    return max(1, BLOCK // size)


def read_tables(path: Path, ids: Path | None = None) -> dict[str, RowTable]:
    """Return the arrays of a file by name; that of ``.npy`` is called "".

    Parameters
    ----------
    ids : a file with the identifiers of the rows of all arrays.

    Raises
    ------
    DataError : it is missing, damaged, of another format, or holds objects; identifiers are stated twice, are no text,
        or are not as many as rows.
    """
    readers = {".npy": _read_npy, ".npz": _read_npz, ".nc": _read_netcdf}
    if path.suffix.lower() not in readers:
        raise DataError(f"{path}: features are read from {', '.join(ENDINGS)} files")
    if not path.is_file():
        raise DataError(f"{path}: there is no such file")
    tables = readers[path.suffix.lower()](path)
    if not tables:
        raise DataError(f"{path}: holds no array of features")
    return name_rows(tables, None if ids is None else read_ids(ids), f" of {ids}")


def name_rows(tables: Mapping[str, RowTable], ids: np.ndarray | None, of: str = "") -> dict[str, RowTable]:
    """Return tables whose rows have these identifiers, or their own. Raises DataError: see `read_tables`."""
    found: dict[str, RowTable] = {}
    for name, table in tables.items():
        if not table.values.shape:
            raise DataError(f"{table.where}: has shape (); the first dimension is stimuli")
        if ids is not None and table.ids is not None:
            raise DataError(f"{table.where}: names its stimuli itself; leave out the identifiers{of}")
        stated, rows = table.ids if ids is None else ids, table.values.shape[0]
        if stated is not None and len(stated) != rows:
            told = f"{len(stated)} {plural('identifier', len(stated))} for {rows} {plural('row', rows)}"
            raise DataError(f"{table.where}: {told}; the first dimension is stimuli")
        found[name] = replace(table, ids=stated)
    return found


def read_ids(path: Path) -> np.ndarray:
    """Return the identifiers of a file, as text: lines, a table with a column ``stimulus_id``, or ``.npy``.

    Raises
    ------
    DataError : it cannot be read, or has several columns and none of that name.
    """
    suffix = path.suffix.lower()
    if suffix == ".npy":
        return check_ids(_map_npy(path), str(path))
    if suffix in (".csv", ".tsv"):
        table = read_text_table(path)
        name = next((name for name in IDS if name in table.columns), None)
        if name is None and table.shape[1] > 1:
            raise DataError(f"{path}: has no column 'stimulus_id' among {', '.join(table.columns)}")
        return check_ids((table.iloc[:, 0] if name is None else table[name]).to_numpy(), str(path))
    return check_ids(np.array(read_text(path).removesuffix("\n").split("\n"), dtype=str), str(path))


def check_ids(values: Any, where: str) -> np.ndarray:
    """Return identifiers as text (stimuli,). Raises DataError: one is missing or stands twice, with examples."""
    array = decode_array(values, where)
    if array.ndim != 1 or array.dtype.kind not in "UiuOT":
        raise DataError(f"{where}: identifiers are {array.dtype} {array.shape}; give one text for each row")
    names = as_names(array.tolist(), where)
    empty = np.flatnonzero(names == "")
    if len(empty):
        raise DataError(f"{where}: {len(empty)} of {len(names)} identifiers are empty, the first in row {empty[0]}")
    index = pd.Index(names)
    if index.has_duplicates:
        twice = index[index.duplicated()].unique()
        told = f"{len(twice)} {plural('identifier', len(twice))} stand more than once"
        raise DataError(f"{where}: {told}, such as {show_some(twice.tolist())}; give one row for each stimulus")
    return names


def show_some(names: Sequence[Any]) -> str:
    """Return the first names, in quotes."""
    return ", ".join(map(repr, map(str, names[:3]))) + (", …" if len(names) > 3 else "")


# --- NumPy -----------------------------------------------------------------------------------------------------------


def _read_npy(path: Path) -> dict[str, RowTable]:
    return {"": RowTable(str(path), _map_npy(path))}


def _map_npy(path: Path) -> np.ndarray:
    with explain_damage(path, "cannot be read as .npy"):
        return _map_array(path, 0)


def _map_array(path: Path, start: int) -> np.ndarray:
    """Return an array in the format of NumPy that begins at a byte of a file, mapped into memory."""
    with path.open("rb") as file:
        file.seek(start)
        version = np.lib.format.read_magic(file)
        readers: Any = {(1, 0): np.lib.format.read_array_header_1_0, (2, 0): np.lib.format.read_array_header_2_0}
        if version not in readers:
            raise DataError(f"{path}: holds records with names; save one array of numbers for each")
        shape, fortran, dtype = readers[version](file)
        offset = file.tell()
    if dtype.hasobject:
        raise DataError(f"{path}: holds Python objects, which are not read; save numbers or texts (array.astype(...))")
    if not all(shape):
        return np.empty(shape, dtype)
    return np.memmap(path, dtype, "r", offset, shape, "F" if fortran else "C").view(np.ndarray)


def _read_npz(path: Path) -> dict[str, RowTable]:
    with explain_damage(path, "cannot be read as .npz"):
        arrays = _map_members(path)
    ids_name = next((name for name in IDS if name in arrays), None)
    ids = None if ids_name is None else check_ids(arrays[ids_name], f"{path}: {ids_name!r}")
    labels = next((name for name in CHOICES if name in arrays), None)
    coords: dict[str, tuple[tuple[str, ...], np.ndarray]] = {
        name: (("time_bin",), arrays[name]) for name in TIMES if name in arrays
    }
    if labels is not None:
        coords["choice"] = ("choice",), decode_array(arrays[labels], path)
    others = {name: array for name, array in arrays.items() if name not in (*IDS, *CHOICES, *TIMES)}
    return {name: RowTable(f"{path}: {name!r}", array, ids, coords) for name, array in others.items() if array.ndim}


def _map_members(path: Path) -> dict[str, np.ndarray]:
    """Return the arrays of a zip file by name: those that are not compressed mapped into memory."""
    arrays: dict[str, np.ndarray] = {}
    with zipfile.ZipFile(path) as archive:
        for member in archive.infolist():
            name = member.filename.removesuffix(".npy")
            if member.compress_type != zipfile.ZIP_STORED or member.flag_bits & 1:
                with archive.open(member) as file:
                    arrays[name] = np.lib.format.read_array(file, allow_pickle=False)
                continue
            with archive.open(member) as file:  # to the end, so that its checksum is compared
                while file.read(BLOCK):
                    pass
            with path.open("rb") as file:
                file.seek(member.header_offset + 26)
                lengths = struct.unpack("<HH", file.read(4))
            arrays[name] = _map_array(path, member.header_offset + 30 + sum(lengths))
    return arrays


# --- netCDF ----------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class StoredRows:
    """A variable of a netCDF file: slices of its rows are read when they are asked for."""

    path: Path
    key: str
    shape: tuple[int, ...]
    dtype: np.dtype[Any]

    def __getitem__(self, rows: slice) -> np.ndarray:
        with open_hdf5(self.path, "netCDF", verified=True) as file:
            return np.asarray(file[self.key][rows]).astype(self.dtype, copy=False)


def _read_netcdf(path: Path) -> dict[str, RowTable]:
    if not is_hdf5(path):
        raise DataError(f"{path}: is no netCDF-4 file; with xarray write it by to_netcdf(path, engine='h5netcdf')")
    tables: dict[str, RowTable] = {}
    with open_hdf5(path, "netCDF"), path.open("rb") as raw, h5netcdf.File(raw, "r") as file:
        for group in (file, *file.groups.values()):
            tables |= _read_group(group, path, "" if group is file else str(group.name).strip("/"))
    return tables


def _read_group(group: Any, path: Path, called: str) -> dict[str, RowTable]:
    """Return the data variables of a group with their coordinates; a group with one variable lends it its name."""
    variables = dict(group.variables)
    listed = {name for v in variables.values() for name in str(v.attrs.get("coordinates", "")).split()}
    along = {name for name in variables if name in group.dimensions}
    aside = listed | along | {name for name in (*IDS, *CHOICES, *TIMES) if name in variables}
    data = [name for name, v in variables.items() if name not in aside and v.dimensions]
    coords = {name: (tuple(variables[name].dimensions), _decode(variables[name], path)) for name in aside}
    tables: dict[str, RowTable] = {}
    for name in data:
        variable = variables[name]
        key = called if called and len(data) == 1 else f"{called}/{name}".strip("/")
        rows = str(variable.dimensions[0])
        dtype = np.dtype(variable.dtype)
        text = dtype.kind in "OS"
        held = StoredRows(path, f"{called}/{name}", tuple(variable.shape), dtype)
        where = f"{path}: {key!r}"
        packed = [a for a in ("scale_factor", "add_offset") if a in variable.attrs]
        if packed:
            raise DataError(f"{where}: has the attribute {packed[0]!r}; write its numbers as they are")
        fills = [variable.attrs[a] for a in ("_FillValue", "missing_value") if a in variable.attrs]
        own = {c: known for c, known in coords.items() if set(known[0]) <= set(variable.dimensions)}
        ids_name = next((c for c in (*IDS, rows) if c in own and own[c][0] == (rows,)), None)
        ids = None if ids_name is None else check_ids(own.pop(ids_name)[1], f"{path}: {ids_name!r}")
        if (labels := next((c for c in CHOICES if c in own), None)) is not None:
            own["choice"] = own.pop(labels)
        tables[key] = RowTable(
            where, _decode(variable, path) if text else held, ids, own, tuple(map(str, variable.dimensions)),
            str(group.attrs[EXPERIMENT]) if EXPERIMENT in group.attrs else None,
            tuple(float(f) for fill in fills for f in np.ravel(fill) if not text),
        )  # fmt: skip
    return tables


def _decode(variable: Any, path: Path) -> np.ndarray:
    values = np.asarray(variable[...])
    if variable.attrs.get("dtype") == "bool":
        return values.astype(bool)
    return decode_array(values, path)


def write_answers(path: Path, answers: Iterable[tuple[str, str, xr.DataArray]], attributes: Mapping[str, str]) -> None:
    """Write answers of a model as a netCDF-4 file: a group for each, with the digest of its experiment.

    Parameters
    ----------
    answers : name of the group, digest of the experiment, answer; one at a time is in memory.
    attributes : of the file. Equal answers and attributes are equal bytes.

    Raises
    ------
    DataError : it cannot be written, or the disk is full; nothing is left behind.
    InvalidMeasurement : an answer holds what netCDF cannot.
    """
    try:
        with whole_file(path) as part, h5netcdf.File(part, "w", invalid_netcdf=True) as file:
            for name, text in sorted(attributes.items()):
                file.attrs[name] = text
            for name, digest, answer in answers:
                group = file.create_group(name)
                group.attrs[EXPERIMENT] = digest
                group.dimensions = {str(dim): size for dim, size in answer.sizes.items()}
                coords = {str(c): known for c, known in answer.coords.items()}
                for c, known in sorted(coords.items()):
                    write_variable(group, c, known, f"{name}: coordinate {c!r}")
                variable = write_variable(group, "answer", answer.assign_attrs({}), f"{name}: answer")
                if others := [c for c in coords if c not in answer.dims]:
                    variable.attrs["coordinates"] = " ".join(others)
    except OSError as error:
        raise DataError(f"{path}: cannot be written ({error.strerror or error})") from error
