"""Recordings, choices and stimuli in the format of BrainIO, as Brain-Score publishes them: read and written.

An *assembly* is a netCDF file with one array: a presentation is one trial, multi-indices are flattened, what is known
of presentations, neuroids and time bins are plain coordinates. A *stimulus set* is a table (CSV) with a row for each
stimulus, among them its ``filename``, and a flat ZIP file with exactly these files. Old files say ``image_id`` where
new ones say ``stimulus_id``. Columns of the table become coordinates of the assembly, unless it has them already.

`measurement_of` brings trials into the contract of `brainmark.core.measurement`: one presentation a stimulus, trials
along ``repetition``. Presentations stand in the order in which Brain-Score averages them, on which its splits rest:
sorted by all that is known of a stimulus, first coordinate first.
"""

from __future__ import annotations

import io
import zipfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any

from brainmark.core import DataError, InvalidMeasurement, InvalidStimuli, Stimuli
from brainmark.core.libraries import Image, np, pd, xr
from brainmark.core.stimuli import ImageFiles
from brainmark.data.fetch import file_digest
from brainmark.data.readers.archive import ZipImages
from brainmark.data.readers.damage import explain_damage
from brainmark.data.readers.hdf5 import open_hdf5
from brainmark.data.readers.text import decode_array
from brainmark.data.writing import whole_file, write_whole

_ID, _OLD_ID = "stimulus_id", "image_id"
_HDF5, _CDF = b"\x89HDF", b"CDF"
_EPOCH = (1980, 1, 1, 0, 0, 0)  # of members of a zip file: equal stimuli are equal bytes


# --- reading ---------------------------------------------------------------------------------------------------------


def read_assembly(path: Path | str, *, verified: bool = False) -> xr.DataArray:
    """Read an assembly as it lies in the file: flat coordinates, trial by trial; values may be text.

    Parameters
    ----------
    verified : the checksum of the file was compared; other files are first read in a process of their own.

    Raises
    ------
    DataError : no netCDF file, or not one array.
    """
    path = Path(path)
    with explain_damage(path, "cannot be read"), path.open("rb") as raw:
        magic = raw.read(4)
    if magic == _HDF5:
        with open_hdf5(path, "netCDF", verified=verified):
            dataset = _load_dataset(path, "h5netcdf")
    elif magic[:3] == _CDF:
        dataset = _load_dataset(path, "scipy")
    else:
        raise DataError(f"{path}: is no netCDF file")
    if len(dataset.data_vars) != 1:
        raise DataError(f"{path}: holds {len(dataset.data_vars)} arrays, not one assembly")
    name, assembly = next(iter(dataset.data_vars.items()))
    assembly = assembly.assign_attrs(dataset.attrs | assembly.attrs).rename(None)
    flat = assembly.reset_index(list(assembly.indexes)) if assembly.indexes else assembly
    if "presentation" in flat.dims and _OLD_ID in flat.coords and _ID not in flat.coords:
        flat = flat.assign_coords({_ID: ("presentation", flat.coords[_OLD_ID].values)})
    if not flat.size:
        raise DataError(f"{path}: the array {str(name)!r} is empty")
    return flat


def _load_dataset(path: Path, engine: str) -> xr.Dataset:
    """Return all that a file holds, in memory; bytes are text."""
    with (
        explain_damage(path, "cannot be read as netCDF"),
        xr.open_dataset(path, engine=engine, decode_timedelta=False) as file,  # pyright: ignore[reportArgumentType]
    ):
        dataset = file.load()
        for name, variable in dataset.variables.items():
            if variable.dtype.kind in "OS":
                dataset[name] = (variable.dims, decode_array(variable.values, path), variable.attrs)
    return dataset


def read_stimuli(
    table: Path | str, archive: Path | str, identifier: str, modality: str = "image", *, first: bool = False
) -> Stimuli:
    """Read a stimulus set: CSV table and ZIP file, which is not unpacked.

    With `first`, of rows with one identifier the first counts; without, such a set is refused.

    Raises
    ------
    DataError : a file that cannot be read.
    InvalidStimuli : no ``stimulus_id`` (``image_id``) or ``filename``, identifiers that stand twice, or files of the
        table and of the archive that are not exactly the same.
    """
    table, archive = Path(table), Path(archive)
    with explain_damage(table, "cannot be read as a CSV table"):
        rows = pd.read_csv(table)
        names = pd.read_csv(table, dtype=str, keep_default_na=False, usecols=lambda c: c in (_ID, _OLD_ID, "filename"))
    rows = rows.assign(**{str(c): names[c] for c in names})  # 01 and NA are names
    if _ID not in rows and _OLD_ID in rows:
        rows[_ID] = rows[_OLD_ID]
    for column in (_ID, "filename"):
        if column not in rows:
            raise InvalidStimuli(f"stimuli {identifier!r}: no column {column!r} among {list(rows.columns)} of {table}")
    names = tuple(rows["filename"].astype(str))
    images = ZipImages(archive, ())
    _check_overlap(names, images.names(), identifier, archive)
    if first:
        rows = rows.drop_duplicates(_ID)
        names = tuple(rows["filename"].astype(str))
    return Stimuli(identifier, modality, rows.set_index(_ID), ZipImages(archive, names))


def _check_overlap(listed: Sequence[str], packed: Sequence[str], identifier: str, archive: Path) -> None:
    missing, extra = sorted(set(listed) - set(packed)), sorted(set(packed) - set(listed))
    if missing or extra:
        lacks = f"lacks {len(missing)} of its files, e.g. {missing[0]!r}" if missing else ""
        more = f"holds {len(extra)} that are not in the table, e.g. {extra[0]!r}" if extra else ""
        raise InvalidStimuli(f"stimuli {identifier!r}: {archive} {' and '.join(filter(None, (lacks, more)))}")


def merge(assembly: xr.DataArray, stimuli: Stimuli) -> xr.DataArray:
    """Add what the stimulus set knows of each stimulus as coordinates along presentation; those there already stay.

    Raises
    ------
    InvalidMeasurement : the assembly names no stimuli, or some that are not in the set.
    """
    places = _positions(assembly, stimuli)
    known = stimuli.table.iloc[places]
    columns = {str(c): ("presentation", _plain(known[c])) for c in known.columns if c not in assembly.coords}
    return assembly.assign_coords(columns)


def _positions(assembly: xr.DataArray, stimuli: Stimuli) -> np.ndarray:
    if _ID not in assembly.coords or assembly.coords[_ID].dims != ("presentation",):
        raise InvalidMeasurement(f"the assembly has no coordinate {_ID!r} along presentation")
    ids = assembly.coords[_ID].values.astype(str)
    places = stimuli.table.index.get_indexer(pd.Index(ids))
    if (places < 0).any():
        unknown = sorted(set(ids[places < 0].tolist()))
        raise InvalidMeasurement(
            f"{len(unknown)} stimuli of the assembly are not in {stimuli.identifier!r}, e.g. {unknown[0]!r}"
        )
    return places


# --- trials -> measurement -------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class _TrialSlots:
    """Where trials go: stimulus and slot of each row, and a row of each stimulus, in published order."""

    stimulus: np.ndarray
    slot: np.ndarray
    first: np.ndarray
    labels: tuple[Any, ...]

    def put(self, values: np.ndarray, empty: Any) -> np.ndarray:
        """Put rows into an array (stimulus, slot, ...), with `empty` where a stimulus has fewer trials."""
        filled = np.full((len(self.first), len(self.labels), *values.shape[1:]), empty, values.dtype)
        filled[self.stimulus, self.slot] = values
        return filled


def measurement_of(assembly: xr.DataArray) -> xr.DataArray:
    """Bring an assembly into the contract of measurements.

    Recordings become presentation x neuroid [x time_bin] [x repetition]; a single time bin becomes the attributes
    ``time_bin_start`` and ``time_bin_end``. Choices become presentation x choice x subject where each subject saw a
    stimulus once, else x repetition: 1 for what was chosen, 0 for what was not, NaN for what was not offered
    (``sample_obj`` and ``dist_obj``) and for trials that were not made. Numbers become presentation [x repetition].
    What differs between the trials of a stimulus is kept as coordinates along presentation and repetition.

    Parameters
    ----------
    assembly : from `read_assembly`, `merge`d with its stimuli.

    Raises
    ------
    InvalidMeasurement : other dimensions, or neuroids without ``neuroid_id`` and ``region``.
    """
    if "presentation" not in assembly.dims or _ID not in assembly.coords:
        raise InvalidMeasurement(
            f"an assembly with dimensions {tuple(map(str, assembly.dims))} and no trials of stimuli is no recording "
            "and holds no choices; read it with read_assembly"
        )
    assembly = assembly.transpose("presentation", "neuroid", "time_bin", ..., missing_dims="ignore")
    if assembly.dtype.kind in "OUS":
        return _measure_choices(assembly)
    if "neuroid" in assembly.dims:
        assembly = _with_neuroid_ids(assembly)
    if assembly.sizes.get("time_bin") == 1:
        edges = {c: float(assembly.coords[c].values[0]) for c in ("time_bin_start", "time_bin_end")}
        assembly = assembly.isel(time_bin=0, drop=True).assign_attrs(edges)
    values = np.asarray(assembly.values)
    values = values if values.dtype.str[1:] in ("f4", "f8") else values.astype(float)
    trials = _place_trials(assembly, ("repetition",))
    dims = [str(d) for d in assembly.dims if d != "presentation"]
    cube = xr.DataArray(
        trials.put(values, np.nan),
        dims=("presentation", "repetition", *dims),
        coords=_coordinates(assembly, trials, "repetition"),
        attrs=_attributes(assembly),
    )
    cube = cube.transpose("presentation", *dims, "repetition")
    return cube if len(trials.labels) > 1 else cube.isel(repetition=0, drop=True)


def _place_trials(assembly: xr.DataArray, by: Sequence[str]) -> _TrialSlots:
    """Order stimuli as published, and give each trial a slot: its label in `by`, or its number where labels repeat."""
    columns = {str(c): _plain(v.values) for c, v in assembly.coords.items() if v.dims == ("presentation",)}
    frame = pd.DataFrame(columns)
    code, _ = pd.factorize(frame[_ID])
    first = np.unique(code, return_index=True)[1]
    constant = [str(c) for c in frame if c not in by and _is_constant(frame[c].to_numpy(), code, first)]
    order = frame.iloc[first].sort_values(constant, kind="stable").index.to_numpy()
    rank = np.empty(len(first), int)
    rank[code[order]] = np.arange(len(order))
    stimulus = rank[code]
    for name in by:
        if name in frame and not pd.DataFrame({"s": stimulus, "r": frame[name]}).duplicated().any():
            slot, labels = pd.factorize(frame[name], sort=True)
            return _TrialSlots(stimulus, slot, order, tuple(labels.tolist()))
    slot = pd.Series(stimulus).groupby(stimulus).cumcount().to_numpy()
    return _TrialSlots(stimulus, slot, order, tuple(range(int(slot.max()) + 1)))


def _is_constant(values: np.ndarray, code: np.ndarray, first: np.ndarray) -> bool:
    expected = values[first][code]
    return bool(np.all((values == expected) | (pd.isna(values) & pd.isna(expected))))


def _coordinates(assembly: xr.DataArray, trials: _TrialSlots, slots: str) -> dict[str, Any]:
    """Return the coordinates of the measurement: of stimuli once, of trials along (presentation, `slots`)."""
    coords: dict[str, Any] = {slots: (slots, np.asarray(trials.labels))}
    code = trials.stimulus
    for name, coordinate in assembly.coords.items():
        values = _plain(coordinate.values)
        if coordinate.dims != ("presentation",):
            if "presentation" not in coordinate.dims:
                coords[str(name)] = (coordinate.dims, values)
        elif _is_constant(values, code, trials.first):
            coords[str(name)] = ("presentation", values[trials.first])
        elif name != slots and len(trials.labels) > 1:
            numbers = values.dtype.kind in "fiub"
            kept = trials.put(values.astype(float) if numbers else values.astype(str), np.nan if numbers else "")
            coords[str(name)] = (("presentation", slots), kept)
    coords[_ID] = ("presentation", assembly.coords[_ID].values[trials.first].astype(str))
    return coords


def _measure_choices(assembly: xr.DataArray) -> xr.DataArray:
    if assembly.dims != ("presentation",):
        raise InvalidMeasurement(f"choices have dimensions {tuple(map(str, assembly.dims))}; expected (presentation,)")
    chosen = assembly.values.astype(str)
    offers = [assembly.coords[c].values.astype(str) for c in ("sample_obj", "dist_obj") if c in assembly.coords]
    truths = [assembly.coords["truth"].values.astype(str)] if "truth" in assembly.coords else []
    choices = np.unique(np.concatenate([chosen, *offers, *truths]))
    values = (chosen[:, None] == choices).astype(np.float32)
    if len(offers) == 2:
        offered = (offers[0][:, None] == choices) | (offers[1][:, None] == choices) | (values == 1)
        values[~offered] = np.nan
    numbered = assembly.assign_coords(trial=("presentation", np.arange(len(chosen))))
    trials = _place_trials(numbered, ("subject", "repetition"))
    people = "subject" in assembly.coords and trials.labels == tuple(np.unique(assembly.coords["subject"].values))
    slots = "subject" if people else "repetition"
    measurement = xr.DataArray(
        trials.put(values, np.nan),
        dims=("presentation", slots, "choice"),
        coords=_coordinates(numbered, trials, slots) | {"choice": ("choice", choices)},
        attrs=_attributes(assembly),
    )
    return measurement.transpose("presentation", "choice", slots)


def _with_neuroid_ids(assembly: xr.DataArray) -> xr.DataArray:
    """Make neuroid identifiers text; those that several regions share are preceded by the region."""
    for name in ("neuroid_id", "region"):
        if name not in assembly.coords or assembly.coords[name].dims != ("neuroid",):
            has = sorted(str(c) for c, v in assembly.coords.items() if v.dims == ("neuroid",))
            raise InvalidMeasurement(f"the assembly has no coordinate {name!r} along neuroid, but {', '.join(has)}")
    ids, regions = (assembly.coords[c].values.astype(str) for c in ("neuroid_id", "region"))
    if len(set(ids.tolist())) < len(ids):
        ids = np.array([f"{region}/{one}" for region, one in zip(regions, ids, strict=True)])
    return assembly.assign_coords(neuroid_id=("neuroid", ids), region=("neuroid", regions))


def _plain(values: Any) -> np.ndarray:
    """Return text as str, and everything else as it is."""
    array = np.asarray(values)
    if array.dtype.kind == "O" and all(isinstance(v, str) for v in array.ravel()):
        return array.astype(str)
    return array


def _attributes(assembly: xr.DataArray) -> dict[str, Any]:
    return {str(k): v for k, v in assembly.attrs.items() if isinstance(v, str | int | float) and v != ""}


# --- writing ---------------------------------------------------------------------------------------------------------


def assembly_of(measurement: xr.DataArray) -> xr.DataArray:
    """Return the trials of a recording: ``repetition`` becomes a coordinate along presentation, unmade trials go.

    Rows stand stimulus after stimulus within each repetition. A time bin that was put into attributes is one again.
    """
    edges = [measurement.attrs.get(f"time_bin_{edge}") for edge in ("start", "end")]
    if "time_bin" not in measurement.dims and None not in edges:
        attributes = {k: v for k, v in measurement.attrs.items() if k not in ("time_bin_start", "time_bin_end")}
        measurement = measurement.expand_dims(time_bin=1, axis=-1).assign_coords(
            time_bin_start=("time_bin", edges[:1]), time_bin_end=("time_bin", edges[1:])
        )
        measurement.attrs = attributes
    if "repetition" not in measurement.dims:
        return measurement
    slots = measurement.transpose("repetition", "presentation", ...)
    count, shown = slots.sizes["repetition"], slots.sizes["presentation"]
    values = slots.values.reshape(count * shown, *slots.shape[2:])
    made = ~np.isnan(values.reshape(len(values), -1)).all(axis=1)
    numbers = measurement.coords["repetition"].values if "repetition" in measurement.coords else np.arange(count)
    coords: dict[str, Any] = {"repetition": ("presentation", np.repeat(numbers, shown)[made])}
    for name, coordinate in measurement.coords.items():
        if coordinate.dims == ("presentation",):
            coords[str(name)] = ("presentation", np.tile(coordinate.values, count)[made])
        elif set(coordinate.dims) == {"presentation", "repetition"}:
            flat = coordinate.transpose("repetition", "presentation").values.ravel()
            coords[str(name)] = ("presentation", flat[made])
        elif "repetition" not in coordinate.dims:
            coords[str(name)] = (coordinate.dims, coordinate.values)
    dims = ("presentation", *[str(d) for d in slots.dims[2:]])
    return xr.DataArray(values[made], dims=dims, coords=coords, attrs=measurement.attrs)


def write_assembly(recording: xr.DataArray, path: Path | str) -> str:
    """Write trials (or a measurement, whose trials are taken) as Brain-Score's packaging does; return the sha1.

    Multi-indices are flattened, attributes that netCDF does not hold are left out, values are compressed.

    Raises
    ------
    DataError : the file cannot be written.
    """
    path = Path(path)
    flat = assembly_of(recording)
    flat = flat.reset_index(list(flat.indexes)) if flat.indexes else flat
    flat = flat.drop_vars([d for d in flat.dims if d in flat.coords and flat.coords[d].dtype.kind == "O"])
    flat.attrs = {k: v for k, v in flat.attrs.items() if isinstance(v, str | int | float | np.generic)}
    dataset = flat.rename(None).to_dataset(name="data", promote_attrs=True)
    text = flat.dtype.kind in "OUS"
    encoding = {} if text else {"data": {"zlib": True, "complevel": 9}}
    try:
        with whole_file(path) as part:
            dataset.to_netcdf(part, engine="h5netcdf", encoding=encoding)
    except OSError as error:
        raise DataError(f"cannot write {path}: {error.strerror or error}") from error
    return file_digest(path, "sha1")


def write_stimuli(stimuli: Stimuli, table: Path | str, archive: Path | str) -> tuple[str, str]:
    """Write a stimulus set of images as CSV and flat ZIP; return the sha1 of both. Equal stimuli are equal bytes.

    Image files are packed as they are, arrays as PNG (without loss). A "/" in an identifier is "_" in a file name.

    Raises
    ------
    InvalidStimuli : no images, or identifiers whose file names coincide.
    DataError : a file cannot be written.
    """
    if stimuli.modality != "image":
        raise InvalidStimuli(f"stimuli {stimuli.identifier!r} are {stimuli.modality}; only images are written")
    contents = io.BytesIO()
    names: list[str] = []
    with zipfile.ZipFile(contents, "w") as packed:
        for position, identifier in enumerate(stimuli.ids.tolist()):
            content, suffix = _encode_image(stimuli, position)
            names.append(f"{identifier}{suffix}".replace("/", "_").replace("\\", "_"))
            packed.writestr(zipfile.ZipInfo(names[-1], _EPOCH), content)
    if len(set(names)) < len(names):
        twice = next(name for name in names if names.count(name) > 1)
        raise InvalidStimuli(f"stimuli {stimuli.identifier!r}: two would be kept as {twice!r}")
    rows = stimuli.table.drop(columns=["filename", "path"], errors="ignore").reset_index().assign(filename=names)
    table, archive = Path(table), Path(archive)
    try:
        write_whole(archive, contents.getvalue())
        write_whole(table, rows.to_csv(index=False).encode())
    except OSError as error:
        raise DataError(f"cannot write {error.filename or archive}: {error.strerror or error}") from error
    return file_digest(table, "sha1"), file_digest(archive, "sha1")


def _encode_image(stimuli: Stimuli, position: int) -> tuple[bytes, str]:
    if isinstance(stimuli.media, ImageFiles):
        path = stimuli.media.paths[position]
        return path.read_bytes(), PurePosixPath(path.name).suffix
    buffer = io.BytesIO()
    Image.fromarray(np.asarray(stimuli.media[position])).save(buffer, format="PNG")
    return buffer.getvalue(), ".png"
