"""Which files a description names, and the reader of each format."""

from __future__ import annotations

from pathlib import Path

from brainmark.brainscore.brainio import read_assembly
from brainmark.core.errors import DataError
from brainmark.core.libraries import np, pd
from brainmark.data.packaging.arrays import read_arrays
from brainmark.data.packaging.bids import read_bids
from brainmark.data.packaging.files import all_files
from brainmark.data.packaging.nwb import read_nwb
from brainmark.data.packaging.problems import Problems
from brainmark.data.packaging.sessions import Session
from brainmark.data.packaging.spec import (
    ArraySource,
    BidsSource,
    BrainioSource,
    Common,
    Description,
    NwbSource,
    Source,
    TableSource,
)  # fmt: skip
from brainmark.data.packaging.stimuli import as_names, header
from brainmark.data.packaging.tables import read_trials


def files_of(told: Description, base: Path) -> list[Path]:
    """Return the files of measurements and tables of stimuli that a description names."""
    found = [path for source in told.recording for path in all_files(source.file, base)]
    tables = (told.stimuli.table, told.stimuli.fitting)
    return found + [base / table for table in tables if table is not None]


def source_files(source: Common, base: Path, problems: Problems) -> list[Path]:
    """Return the files of one source; a name or pattern without any is a problem."""
    for pattern in source.file:
        if not all_files([pattern], base):
            problems.add(f"recording: there is no file {base / pattern}")
    return all_files(source.file, base)


def read_sessions(told: Description, base: Path, problems: Problems) -> list[tuple[Session, Source]]:
    """Return the trials of every file, with what is said of all its neuroids."""
    read: list[tuple[Session, Source]] = []
    for source in told.recording:
        for path in source_files(source, base, problems):
            session = _read(path, source, base, problems)
            if session is None:
                _say_missing(path, source, problems)
                continue
            for column in ("region", "subject", "session"):
                said = getattr(source, column)
                if said is not None and column in session.neuroids and session.neuroids[column].notna().all():
                    stated = sorted(set(session.neuroids[column].astype(str)))
                    if stated != [said] and column != "session":
                        problems.add(f"{path}: {column} = {said!r} is said of all, but the file says {stated[:3]}")
                if said is not None:
                    own = session.neuroids.get(column, pd.Series([None] * len(session.neuroids), dtype=object))
                    session.neuroids[column] = own.where(own.notna(), said)
            read.append((session, source))
    return read


def _say_missing(path: Path, source: Source, problems: Problems) -> None:
    """Of a file that cannot be read for other reasons, add what it would lack besides, so that all is heard at once."""
    if isinstance(source, TableSource | ArraySource) and source.units is None:
        problems.add(f'{path}: the units of the values are missing; say units = "spikes/s" (or "z", "percent", ...)')
    if isinstance(source, TableSource):
        own = header(path) if source.neuroid_table is None else header(path.parent / source.neuroid_table)
    else:
        own = list(source.coords) if isinstance(source, ArraySource) else ["region", "subject"]
    for column, example in (("region", "V4"), ("subject", "monkey A")):
        if getattr(source, column) is None and column not in own:
            problems.add(f'{path}: neuroids have no {column}; say {column} = "{example}" for all, or one for each')


def _read(path: Path, source: Source, base: Path, problems: Problems) -> Session | None:
    match source:
        case TableSource():
            return read_trials(path, source, base, problems)
        case ArraySource():
            return read_arrays(path, source, base, problems)
        case NwbSource():
            return read_nwb(path, source, problems)
        case BidsSource():
            return read_bids(path, source, base, problems)
        case BrainioSource():
            return _read_assembly(path, source, problems)


def _read_assembly(path: Path, source: BrainioSource, problems: Problems) -> Session | None:
    """Trials of an assembly in the format of BrainIO; ``animal`` is its word for the subject."""
    try:
        assembly = read_assembly(path)
    except DataError as error:
        problems.add(str(error))
        return None
    dims = {"presentation", "neuroid", "time_bin"}
    if not {"presentation", "neuroid"} <= set(map(str, assembly.dims)) <= dims or "stimulus_id" not in assembly.coords:
        problems.add(f"{path}: has the dimensions {', '.join(map(str, assembly.dims))}; expected trials of neuroids")
        return None
    assembly = assembly.transpose("presentation", "neuroid", "time_bin", missing_dims="ignore")
    columns = {
        str(name): c.values if c.dtype.kind in "fiub" and name != "neuroid_id" else as_names(c.values)
        for name, c in assembly.coords.items()
        if c.dims == ("neuroid",)
    }
    if "neuroid_id" not in columns:
        problems.add(f"{path}: neuroids have no neuroid_id")
        return None
    if "animal" in columns and "subject" not in columns:
        columns["subject"] = columns.pop("animal")
    bins: tuple[tuple[float, float], ...] = ()
    if "time_bin" in assembly.dims:
        edges = (assembly.coords[f"time_bin_{edge}"].values.astype(float).tolist() for edge in ("start", "end"))
        bins = tuple(zip(*edges, strict=True))
    values = np.asarray(assembly.values, assembly.dtype if assembly.dtype.kind == "f" else float)
    values = values[:, :, 0] if len(bins) == 1 else values
    ids = as_names(assembly.coords["stimulus_id"].values)
    kept = ~np.isin(ids, source.skip)
    return Session(str(path), ids[kept], values[kept], pd.DataFrame(columns), bins, source.units)
