"""Recordings and dissimilarities in NumPy and MATLAB files: arrays, and beside them what lies along each dimension.

An array is named ``FILE#NAME`` (``responses.mat#data.rates``, ``ids.csv#image``), by a file that holds one array
(``rates.npy``), or by a name in the file of the source. MATLAB files of all versions are read; those of version 7.3 are
HDF5, in which dimensions stand in reverse.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from brainmark.core.errors import DataError, suggest
from brainmark.core.libraries import np, pd
from brainmark.data.packaging.problems import Problems
from brainmark.data.packaging.sessions import Session
from brainmark.data.packaging.spec import ArraySource
from brainmark.data.packaging.stimuli import as_names, column_of, read_table
from brainmark.data.readers.arrays import mat_variable

DIMS = ("presentation", "neuroid", "time_bin", "repetition")
_HOLDERS = frozenset({".npz", ".mat", ".csv", ".tsv"})
_HDF5 = b"\x89HDF"


def read_arrays(path: Path, told: ArraySource, base: Path, problems: Problems) -> Session | None:
    """Return the trials of an array with named dimensions; what is missing goes to `problems`."""
    values = array_named(told.values, path, base, problems)
    dims = told.dims
    if not dims:
        problems.add(f'{path}: what lies along each dimension is missing; say dims = ["presentation", "neuroid", ...]')
    unknown = [d for d in dims if d not in DIMS]
    if unknown:
        problems.add(f"{path}: dims has {unknown[0]!r}; use {', '.join(DIMS)}")
    for dim in ("presentation", "neuroid"):
        if dims and dim not in dims:
            problems.add(f"{path}: dims lacks {dim!r}")
    coords = {name: array_named(where, path, base, problems) for name, where in told.coords.items()}
    if "stimulus_id" not in coords:
        problems.add(f'{path}: which stimulus each presentation is, is missing; say coords.stimulus_id = "FILE#NAME"')
    if values is None or unknown or not {"presentation", "neuroid"} <= set(dims) or coords.get("stimulus_id") is None:
        return None
    if values.dtype.kind not in "fiub" or values.ndim != len(dims):
        problems.add(
            f"{path}: {told.values} is {values.dtype} {values.shape}; expected numbers along {', '.join(dims)}"
        )
        return None
    sizes = dict(zip(dims, values.shape, strict=True))
    session = _session(values, path, told, coords, sizes, problems)
    return session if session is not None and _windows_fit(session, told, sizes, problems) else None


def _session(
    values: np.ndarray, path: Path, told: ArraySource, coords: dict[str, np.ndarray | None], sizes: dict[str, int],
    problems: Problems,
) -> Session | None:  # fmt: skip
    """Bring an array into (trial, neuroid[, time_bin]); trials of one presentation that are all NaN were not made."""
    order = [d for d in ("presentation", "repetition", "neuroid", "time_bin") if d in sizes]
    kind = values.dtype if values.dtype.str[1:] in ("f4", "f8") else np.dtype(float)
    array = values.transpose([told.dims.index(d) for d in order]).astype(kind)
    ids = as_names(np.asarray(coords["stimulus_id"]).ravel())
    neuroids = _neuroids(path, coords, sizes["neuroid"], problems)
    if len(ids) != sizes["presentation"]:
        problems.add(f"{path}: {len(ids)} values of stimulus_id for {sizes['presentation']} presentations")
        return None
    if neuroids is None:
        return None
    if "repetition" in sizes:
        ids = np.repeat(ids, sizes["repetition"])
        array = array.reshape(len(ids), *array.shape[2:])
        made = ~np.isnan(array.reshape(len(array), -1)).all(axis=1)
        ids, array = ids[made], array[made]
    shown = ~np.isin(ids, told.skip)
    return Session(str(path), ids[shown], array[shown], neuroids, told.time_bins, told.units)


def _neuroids(path: Path, coords: dict[str, np.ndarray | None], count: int, problems: Problems) -> pd.DataFrame | None:
    named = {name: array for name, array in coords.items() if name != "stimulus_id"}
    if "neuroid_id" not in named:
        named["neuroid_id"] = np.arange(count)
        problems.note(f"{path}: neuroids have no identifiers; they are numbered from 0")
    table: dict[str, Any] = {}
    for name, array in named.items():
        if array is None:
            return None
        if array.size != count:
            problems.add(f"{path}: {array.size} values of {name} for {count} neuroids")
            return None
        numbers = array.dtype.kind in "fiu" and name not in ("neuroid_id", "region", "subject", "session")
        table[name] = array.ravel() if numbers else as_names(array.ravel())
    return pd.DataFrame(table)


def _windows_fit(session: Session, told: ArraySource, sizes: dict[str, int], problems: Problems) -> bool:
    bins = sizes.get("time_bin")
    if bins is not None and not told.time_bins:
        problems.add(
            f"{session.where}: when each of {bins} time bins is, is missing; say time_bins = [[0, 10], ...] (ms)"
        )
        return False
    if told.time_bins and len(told.time_bins) != bins:
        problems.add(f"{session.where}: {len(told.time_bins)} time_bins are named, {bins or 'no'} are in the array")
        return False
    return True


def array_named(where: str, own: Path, base: Path, problems: Problems) -> np.ndarray | None:
    """Return the array that a name leads to; what is wrong goes to `problems`."""
    name: str | None
    if "#" in where:
        file, _, name = where.rpartition("#")
        path = base / file
    elif Path(where).suffix.lower() in _HOLDERS | {".npy", ".txt"}:
        path, name = base / where, None
    else:
        path, name = own, None if own.suffix.lower() == ".npy" else where
    try:
        return _loaded(path, name, problems)
    except DataError as error:
        problems.add(str(error))
    except (OSError, ValueError, EOFError) as error:
        problems.add(f"{path} cannot be read: {getattr(error, 'strerror', None) or error}")
    return None


def _loaded(path: Path, name: str | None, problems: Problems) -> np.ndarray | None:
    suffix = path.suffix.lower()
    if suffix in (".csv", ".tsv"):
        table = read_table(path, problems)
        if table is None:
            return None
        column = table.iloc[:, 0] if name is None else column_of(table, name, path, problems)
        return None if column is None else column.to_numpy()
    if suffix == ".txt":
        return np.array(path.read_text("utf-8").removesuffix("\n").split("\n"), dtype=str)
    if suffix == ".mat":
        if name is None:
            problems.add(f"{path}: say which variable is meant: {path.name}#NAME")
            return None
        return np.asarray(mat_variable(path, name))
    loaded: Any = np.load(path, allow_pickle=False)
    if isinstance(loaded, np.ndarray):
        return loaded
    with loaded:
        if name not in loaded.files:
            near = suggest(name or "", loaded.files)
            hint = f"; did you mean {near[0]!r}?" if near else ""
            problems.add(f"{path}: has no array {name!r} among {', '.join(loaded.files)}{hint}")
            return None
        return loaded[name]


def read_dissimilarities(
    path: Path, told: ArraySource, base: Path, problems: Problems
) -> tuple[np.ndarray, np.ndarray, np.ndarray | None] | None:
    """Return dissimilarities (subject, stimulus, stimulus), identifiers, and the names of subjects if there are any."""
    values = array_named(told.values, path, base, problems)
    where = told.coords.get("stimulus_id")
    if where is None:
        problems.add(f'{path}: which stimuli are compared is missing; say coords.stimulus_id = "FILE#NAME"')
    ids = None if where is None else array_named(where, path, base, problems)
    who = array_named(told.coords["subject"], path, base, problems) if "subject" in told.coords else None
    if values is None or ids is None:
        return None
    names = as_names(ids.ravel())
    axis = _subject_axis(values.shape, told.dims)
    cube = values[None] if values.ndim == 2 else np.moveaxis(values, axis, 0)
    if cube.ndim != 3 or cube.shape[1:] != (len(names), len(names)) or cube.dtype.kind not in "fiu":
        problems.add(
            f"{path}: {told.values} is {values.dtype} {values.shape}; expected dissimilarities of {len(names)} "
            "stimuli, (stimulus, stimulus) or (subject, stimulus, stimulus)"
        )
        return None
    return cube.astype(float), names, _subjects(who, len(cube), path, problems)


def _subject_axis(shape: Sequence[int], dims: tuple[str, ...]) -> int:
    """Axis of subjects: as it is said, else the one whose size is not that of the other two."""
    if "subject" in dims:
        return dims.index("subject")
    return 2 if len(shape) == 3 and shape[0] == shape[1] != shape[2] else 0


def _subjects(who: np.ndarray | None, count: int, path: Path, problems: Problems) -> np.ndarray | None:
    if who is None:
        return None if count == 1 else np.array([f"subject{k}" for k in range(1, count + 1)])
    if who.size != count:
        problems.add(f"{path}: {who.size} names of subjects for {count} of them")
        return None
    return as_names(who.ravel())
