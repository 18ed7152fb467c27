"""Recordings and dissimilarities in NumPy, MATLAB and HDF5 files: arrays, and what lies along each dimension.

An array is named ``FILE#NAME`` (``responses.mat#data.rates``, ``ids.csv#image``), by a file that holds one array
(``rates.npy``), or by a name in the file of the source. MATLAB files of all versions are read.
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any

from pydantic import Field

from brainmark.core.libraries import np, pd
from brainmark.data.packaging.description import Recordings, TablePart, Window, add_format
from brainmark.data.packaging.names import as_names
from brainmark.data.packaging.problems import Problems, Unusable, some
from brainmark.data.packaging.sessions import NEUROID, Session
from brainmark.data.packaging.tables import as_numbers, as_values, column_of, read_table
from brainmark.data.packaging.windows import Order, take_windows
from brainmark.data.readers.arrays import npy_of, npz_of
from brainmark.data.readers.hdf5 import hdf5_of
from brainmark.data.readers.matlab import mat_variable
from brainmark.data.readers.text import read_text
from brainmark.data.readers.text_tables import DEFAULT, TableLayout

DIMS = ("presentation", "neuroid", "time_bin", "repetition")
_HOLDERS = frozenset({".npz", ".mat", ".h5", ".hdf5", ".csv", ".tsv"})


@add_format("arrays", ".npy", ".npz", ".mat", ".h5", ".hdf5")
class ArraySource(Recordings, TablePart):
    """NumPy, MATLAB and HDF5 files: arrays by name, ``FILE#NAME`` or a name in `file`."""

    values: str = Field("values", description="array of what was measured")
    dims: tuple[str, ...] = Field((), description="what lies along each of its dimensions")
    coords: dict[str, str] = Field(
        default_factory=dict[str, str], description="arrays of what is known along them, such as coords.stimulus_id"
    )
    time_bins: tuple[Window, ...] = Field((), description="start and end of each time bin after onset")
    windows: tuple[Window, ...] = Field(
        (), description="ms after onset over which time bins are averaged; without bins, when the response was measured"
    )
    one_neuroid: bool = Field(False, description="each file holds one neuroid, which is called as the file")
    stimuli_in_order: Order | None = Field(
        None, description="presentation i is stimulus i, in the order of the table, the numbers or the names of stimuli"
    )

    def read(self, path: Path, base: Path, problems: Problems) -> Session:
        """Return the trials of an array with named dimensions."""
        values = problems.attempt(read_array, self.values, path, base, problems, self.layout)
        if not self.dims:
            problems.add(
                f'{path}: what lies along each dimension is missing; say dims = ["presentation", "neuroid", ...]'
            )
        unknown = [d for d in self.dims if d not in DIMS]
        if unknown:
            problems.add(f"{path}: dims has {unknown[0]!r}; use {', '.join(DIMS)}")
        needed = {"presentation"} if self.one_neuroid else {"presentation", "neuroid"}
        for dim in sorted(needed - set(self.dims)) if self.dims else ():
            way = "; of one neuroid a file say one_neuroid = true" if dim == "neuroid" else ""
            problems.add(f"{path}: dims lacks {dim!r}{way}")
        if self.one_neuroid and "neuroid" in self.dims:
            problems.add(f"{path}: one_neuroid is true, but dims has 'neuroid'; leave one out")
        coords = {
            name: array
            for name, where in self.coords.items()
            if (array := problems.attempt(read_array, where, path, base, problems, self.layout)) is not None
        }
        in_order = self.stimuli_in_order is not None
        if in_order == ("stimulus_id" in self.coords):
            problems.add(
                f"{path}: the stimulus of each presentation is {'said twice' if in_order else 'missing'}; say "
                'coords.stimulus_id = "FILE#NAME", or stimuli_in_order = "number" if presentation i is image i'
            )
        whole = len(coords) == len(self.coords) and needed <= set(self.dims) <= set(DIMS)
        if values is None or not whole or in_order == ("stimulus_id" in coords):
            raise Unusable
        if values.dtype.kind == "O":  # a column of a table
            values = as_numbers(pd.DataFrame(values), path, problems, self.layout)[:, 0]
        if values.dtype.kind not in "fiub" or values.ndim != len(self.dims):
            problems.fail(
                f"{path}: {self.values} is {values.dtype} {values.shape}; expected numbers along {', '.join(self.dims)}"
            )
        session = self._arrange(values, coords, path, problems)
        return take_windows(session, self.windows, problems)

    def describes(self, path: Path) -> Iterable[str]:
        """Return the names of the coordinates that the description states."""
        return self.coords

    def _arrange(self, values: np.ndarray, coords: dict[str, np.ndarray], path: Path, problems: Problems) -> Session:
        """Bring an array into (trial, neuroid[, time_bin]); a trial that is NaN as a whole was not made."""
        sizes = dict(zip(self.dims, values.shape, strict=True))
        order = [d for d in ("presentation", "repetition", "neuroid", "time_bin") if d in sizes]
        kind = values.dtype if values.dtype.str[1:] in ("f4", "f8") else np.dtype(float)
        array = values.transpose([self.dims.index(d) for d in order]).astype(kind)
        if self.one_neuroid:
            place = order.index("repetition") + 1 if "repetition" in sizes else 1
            array, sizes["neuroid"] = np.expand_dims(array, place), 1
            coords.setdefault("neuroid_id", np.array([path.stem]))
        given = np.arange(sizes["presentation"]) if self.stimuli_in_order else coords.pop("stimulus_id")
        ids = as_names(given.ravel(), f"{path}: coords.stimulus_id")
        if len(ids) != sizes["presentation"]:
            problems.add(f"{path}: {len(ids)} values of stimulus_id for {sizes['presentation']} presentations")
        neuroids = _list_neuroids(coords, sizes["neuroid"], path, problems, self.layout)
        bins = sizes.get("time_bin")
        if bins is not None and not self.time_bins:
            problems.fail(f"{path}: the times of {bins} time bins are missing; say time_bins = [[0, 10], ...] (ms)")
        if self.time_bins and len(self.time_bins) != bins:
            problems.fail(f"{path}: {len(self.time_bins)} time_bins are named, {bins or 'no'} are in the array")
        if len(ids) != sizes["presentation"]:
            raise Unusable
        if "repetition" in sizes:
            ids = np.repeat(ids, sizes["repetition"])
            array = array.reshape(len(ids), *array.shape[2:])
            made = ~np.isnan(array.reshape(len(array), -1)).all(axis=1)
            ids, array = ids[made], array[made]
        shown = ~np.isin(ids, self.skip)
        in_order = (self.stimuli_in_order, sizes["presentation"]) if self.stimuli_in_order else None
        bins = self._bins_in_ms()
        return Session(str(path), ids[shown], array[shown], neuroids, bins, self.units, in_order=in_order)

    def _bins_in_ms(self) -> tuple[Window, ...]:
        if not self.time_bins:
            return ()
        scale = 1000.0 if self.time_unit == "s" else 1.0
        return tuple((round(start * scale, 6), round(end * scale, 6)) for start, end in self.time_bins)

    def read_dissimilarities(
        self, path: Path, base: Path, problems: Problems
    ) -> tuple[np.ndarray, list[str], np.ndarray | None]:
        """Return dissimilarities (subject, stimulus, stimulus), identifiers, and names of subjects if there are any."""
        values = problems.attempt(read_array, self.values, path, base, problems, self.layout)
        if "stimulus_id" not in self.coords:
            problems.fail(f'{path}: which stimuli are compared is missing; say coords.stimulus_id = "FILE#NAME"')
        names = as_names(read_array(self.coords["stimulus_id"], path, base, problems, self.layout).ravel())
        if values is None:
            raise Unusable
        axis = 0  # of subjects: as the description states, else the one whose size differs from the other two
        if "subject" in self.dims:
            axis = self.dims.index("subject")
        elif values.ndim == 3 and values.shape[0] == values.shape[1] != values.shape[2]:
            axis = 2
        cube = values[None] if values.ndim == 2 else np.moveaxis(values, axis, 0)
        if cube.ndim != 3 or cube.shape[1:] != (len(names), len(names)) or cube.dtype.kind not in "fiu":
            problems.fail(
                f"{path}: {self.values} is {values.dtype} {values.shape}; expected dissimilarities of {len(names)} "
                "stimuli, (stimulus, stimulus) or (subject, stimulus, stimulus)"
            )
        who = None if len(cube) == 1 else np.array([f"subject{k}" for k in range(1, len(cube) + 1)])
        if "subject" in self.coords:
            who = as_names(read_array(self.coords["subject"], path, base, problems, self.layout).ravel())
            if who.size != len(cube):
                problems.fail(f"{path}: {who.size} names of subjects for {len(cube)} of them")
        return cube.astype(float), names.tolist(), who


def _list_neuroids(
    coords: dict[str, np.ndarray], count: int, path: Path, problems: Problems, layout: TableLayout
) -> pd.DataFrame:
    if "neuroid_id" not in coords:
        coords = {**coords, "neuroid_id": np.arange(count)}
        problems.note(f"{path}: neuroids have no identifiers; they are numbered from 0")
    table: dict[str, Any] = {}
    for name, array in coords.items():
        if array.size != count:
            problems.fail(f"{path}: {array.size} values of {name} for {count} neuroids")
        table[name] = (
            as_names(array.ravel(), f"{path}: coords.{name}")
            if name in NEUROID
            else as_values(pd.Series(array.ravel()), layout)
        )
    return pd.DataFrame(table)


def read_array(where: str, own: Path, base: Path, problems: Problems, layout: TableLayout = DEFAULT) -> np.ndarray:
    """Return the array that a name leads to; of tables, a column of text. Raises Unusable, DataError."""
    name: str | None
    if "#" in where:
        file, _, name = where.rpartition("#")
        path = base / file
    elif Path(where).suffix.lower() in _HOLDERS | {".npy", ".txt"}:
        path, name = base / where, None
    else:
        path, name = own, None if own.suffix.lower() == ".npy" else where
    suffix = path.suffix.lower()
    if suffix in (".csv", ".tsv"):
        table = read_table(path, problems, layout)
        if name is None and table.shape[1] > 1:
            problems.fail(f"{path}: say which column is meant: {path.name}#COLUMN; it has {some(table.columns)}")
        return (table.iloc[:, 0] if name is None else column_of(table, name, path, problems)).to_numpy()
    if suffix == ".txt":
        return np.array(read_text(path).removesuffix("\n").split("\n"), dtype=str)
    if suffix == ".npy":
        return npy_of(path)
    if name is None:
        problems.fail(f"{path}: say which array is meant: {path.name}#NAME")
    read = {".mat": mat_variable, ".h5": hdf5_of, ".hdf5": hdf5_of}.get(suffix, npz_of)
    return read(path, name)
