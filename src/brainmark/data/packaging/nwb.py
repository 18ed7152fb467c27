"""Spikes in NWB files (Neurodata Without Borders 2), counted in windows after the onset of each presentation.

A presentation is a row of a table of intervals with the time of onset (in seconds, as the format keeps all times) and
the stimulus. Regions are those of the units' electrodes, species and subject those of the file. Electrical series are
not used: spike sorting is the lab's.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, TypeVar

from brainmark.core.errors import MissingDependency, suggest
from brainmark.core.libraries import np, pd
from brainmark.data.packaging.problems import Problems, some
from brainmark.data.packaging.sessions import Session, common_name
from brainmark.data.packaging.spec import NwbSource
from brainmark.data.packaging.stimuli import as_names

_FAR_APART = 10.0  # s between presentations, more than any experiment waits
T = TypeVar("T")
UNKNOWN = frozenset({"", "unknown", "none", "nan", "n/a"})


def read_nwb(path: Path, told: NwbSource, problems: Problems) -> Session | None:
    """Return spike counts (trial, unit[, window]); what the file lacks goes to `problems`.

    Raises
    ------
    MissingDependency : pynwb is not installed.
    """
    return _opened(path, problems, lambda file: _read(file, path, told, problems))


def _opened(path: Path, problems: Problems, use: Callable[[Any], T]) -> T | None:
    """Return what `use` makes of the content of a file; one that cannot be read goes to `problems`."""
    try:
        import pynwb
    except ImportError:
        raise MissingDependency("pynwb", "data", f"reading {path.name}") from None
    reader: Any = pynwb.NWBHDF5IO
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # pynwb warns of every deviation of a file from its schema
        try:
            with reader(str(path), "r") as io:
                return use(io.read())
        except (OSError, ValueError, TypeError, KeyError) as error:
            problems.add(f"{path} cannot be read as NWB: {type(error).__name__}: {' '.join(str(error).split())}")
            return None


def _read(file: Any, path: Path, told: NwbSource, problems: Problems) -> Session | None:
    shown = _presentations(file, path, told, problems)
    units = _units(file, path, told, problems)
    if not told.windows:
        problems.add(f"{path}: in which time after onset spikes count is missing; say windows = [[70, 170]] (ms)")
    if shown is None or units is None or not told.windows:
        return None
    ids, onsets = shown
    spikes = [np.asarray(times, float) for times in units["spike_times"]]
    _check_clock(onsets, spikes, path, told, problems)
    counts = spike_counts(spikes, onsets, told.windows)
    neuroids = _neuroids(file, units, path, told)
    values = counts if len(told.windows) > 1 else counts[:, :, 0]
    windows = tuple((float(a), float(b)) for a, b in told.windows)
    _check_observed(units, onsets, windows, values, path, problems)
    return Session(str(path), ids, values, neuroids, windows, told.units or "spikes", _facts(file))


def spike_counts(
    spikes: Sequence[np.ndarray], onsets: np.ndarray, windows: Sequence[tuple[float, float]]
) -> np.ndarray:
    """Return counts (onset, unit, window) of spikes with start <= time - onset < end.

    Parameters
    ----------
    spikes : times of each unit in s, in any order.
    onsets : (onset,) in s.
    windows : (start, end) in ms after onset.
    """
    edges = onsets[:, None, None] + np.asarray(windows, float) / 1000.0  # (onset, window, 2)
    counts = np.empty((len(onsets), len(spikes), len(windows)), np.float32)
    for unit, times in enumerate(spikes):
        before = np.searchsorted(np.sort(times), edges, side="left")
        counts[:, unit] = before[..., 1] - before[..., 0]
    return counts


def _presentations(file: Any, path: Path, told: NwbSource, problems: Problems) -> tuple[np.ndarray, np.ndarray] | None:
    """Stimulus and onset (s) of each presentation."""
    tables = {str(name): table for name, table in (file.intervals or {}).items()}
    tables |= {name: table for name in ("trials", "epochs") if (table := getattr(file, name)) is not None}
    if told.presentations not in tables:
        near = suggest(told.presentations, tables)
        has = f"it has {', '.join(sorted(tables))}" if tables else "it has no tables of intervals at all"
        meant = f"; did you mean {near[0]!r}?" if near else '; say presentations = "..."'
        problems.add(f"{path}: no table of intervals {told.presentations!r}; {has}{meant if tables else ''}")
        return None
    table = tables[told.presentations].to_dataframe()
    missing = False
    for field, column in (("stimulus", told.stimulus), ("onset", told.onset)):
        if column not in table.columns:
            near = suggest(column, map(str, table.columns))
            meant = f"; did you mean {near[0]!r}?" if near else ""
            has = ", ".join(map(str, table.columns))
            problems.add(
                f'{path}: {told.presentations} has no column {column!r} among {has}{meant}; say {field} = "..."'
            )
            missing = True
    if missing:
        return None
    ids, onsets = as_names(table[told.stimulus]), table[told.onset].to_numpy(float)
    kept = ~np.isin(ids, told.skip)
    if not kept.any():
        problems.add(f"{path}: {told.presentations} has no presentation of a stimulus")
        return None
    if np.isnan(onsets[kept]).any():
        problems.add(f"{path}: {int(np.isnan(onsets[kept]).sum())} presentations have no {told.onset!r}")
        return None
    return ids[kept], onsets[kept] / (1000.0 if told.time_unit == "ms" else 1.0)


def _units(file: Any, path: Path, told: NwbSource, problems: Problems) -> pd.DataFrame | None:
    """The units' table, less those that `where` leaves out."""
    if file.units is None or not len(file.units):
        series = [name for name, found in file.acquisition.items() if type(found).__name__ == "ElectricalSeries"]
        raw = f"; it has electrical series ({', '.join(series)}), which are not sorted here" if series else ""
        problems.add(f"{path}: no units; spike times are needed{raw}")
        return None
    if "spike_times" not in file.units.colnames:
        problems.add(f"{path}: units have no column 'spike_times' among {', '.join(file.units.colnames)}")
        return None
    columns = [c for c in file.units.colnames if c not in ("waveforms", "waveform_mean", "waveform_sd", "electrodes")]
    table = pd.DataFrame(
        {column: [file.units[column][k] for k in range(len(file.units))] for column in columns},
        index=pd.Index(file.units.id[:], name="id"),
    ).assign(row=np.arange(len(file.units)))
    for column, wanted in told.where.items():
        if column not in table.columns:
            problems.add(f"{path}: where names the column {column!r}; units have {', '.join(file.units.colnames)}")
            return None
        table = table[table[column].astype(str) == str(wanted)]
    if table.empty:
        problems.add(f"{path}: no unit is left with {told.where}")
        return None
    return table


def _neuroids(file: Any, units: pd.DataFrame, path: Path, told: NwbSource) -> pd.DataFrame:
    subject = getattr(file.subject, "subject_id", None)
    table = {
        "neuroid_id": as_names(units.index),
        "region": [_region(file, row, units, told) for row in units["row"]],
        "session": [str(file.session_id or path.stem)] * len(units),
    }
    return pd.DataFrame(table | ({"subject": [str(subject)] * len(units)} if subject else {}))


def _region(file: Any, row: int, units: pd.DataFrame, told: NwbSource) -> str | None:
    """Region of a unit: a column of the units, else where its electrodes (or their group) lie, if all in one place."""
    if told.region_column is not None and told.region_column in units.columns:
        return str(units[told.region_column].iloc[int(np.flatnonzero(units["row"] == row)[0])])
    places: set[str] = set()
    if "electrodes" in file.units.colnames:
        electrodes = file.units["electrodes"][row]
        places = {str(p) for p in electrodes.get("location", ())}
        if not places - UNKNOWN and "group" in electrodes:
            places = {str(group.location) for group in electrodes["group"]}
    if not {p for p in places if p.lower() not in UNKNOWN} and "electrode_group" in units.columns:
        places = {str(units["electrode_group"].iloc[int(np.flatnonzero(units["row"] == row)[0])].location)}
    places = {p for p in places if p.lower() not in UNKNOWN}
    return next(iter(places)) if len(places) == 1 else None


def _check_clock(onsets: np.ndarray, spikes: list[np.ndarray], path: Path, told: NwbSource, problems: Problems) -> None:
    """Refuse onsets and spikes on two clocks: most often, milliseconds in the place of seconds."""
    times = [t for t in spikes if t.size]
    if not times:
        problems.add(f"{path}: no unit has a spike")
        return
    first, last = min(float(t.min()) for t in times), max(float(t.max()) for t in times)
    inside = float(np.mean((onsets >= first - 60) & (onsets <= last + 60)))
    said = f"{path}: presentations begin at {onsets.min():g} to {onsets.max():g} s, spikes at {first:g} to {last:g} s"
    if inside < 0.5:
        scaled = float(np.mean((onsets / 1000 >= first - 60) & (onsets / 1000 <= last + 60)))
        apart = float(np.median(np.diff(np.sort(onsets)))) if len(onsets) > 1 else 0.0
        looks_like_ms = scaled > 0.5 and apart > _FAR_APART
        way = f'; {told.onset!r} looks like ms: say time_unit = "ms"' if looks_like_ms else "; they are on other clocks"
        problems.add(said + way)
    widest = max(end for _, end in told.windows)
    if widest < 2:
        problems.add(f"{path}: windows end {widest:g} ms after onset; they are in ms: [[70, 170]], not [[0.07, 0.17]]")


def _check_observed(
    units: pd.DataFrame, onsets: np.ndarray, windows: tuple[tuple[float, float], ...], values: np.ndarray,
    path: Path, problems: Problems,
) -> None:  # fmt: skip
    """Where a unit was not observed, a count of 0 is no measurement: it becomes NaN, in place."""
    if "obs_intervals" not in units.columns:
        return
    begin = onsets + min(w[0] for w in windows) / 1000
    end = onsets + max(w[1] for w in windows) / 1000
    lost = 0
    for unit, intervals in enumerate(units["obs_intervals"]):
        spans = np.asarray(intervals, float).reshape(-1, 2)
        if not len(spans):
            continue
        seen = ((begin[:, None] >= spans[:, 0]) & (end[:, None] <= spans[:, 1])).any(axis=1)
        values[~seen, unit] = np.nan
        lost += int((~seen).sum())
    if lost:
        problems.note(f"{path}: {lost} of {len(onsets) * len(units)} counts lie outside of obs_intervals: not measured")


def _facts(file: Any) -> dict[str, Any]:
    """What the file states of animal and publication."""
    facts: dict[str, Any] = {}
    given = str(getattr(file.subject, "species", None) or "").strip()
    if given and given.lower() not in UNKNOWN:
        facts["species"] = common_name(given)
    if file.session_description:
        facts["description"] = str(file.session_description)
    return facts


def nwb_images(path: Path, container: str, problems: Problems) -> dict[str, np.ndarray]:
    """Return the images of a container of stimuli by name, uint8 (height, width[, 3]).

    Raises
    ------
    MissingDependency : pynwb is not installed.
    """

    def images(file: Any) -> dict[str, np.ndarray]:
        held = {str(k): v for k, v in {**file.stimulus, **file.stimulus_template}.items()}
        if container not in held or not hasattr(held[container], "images"):
            problems.add(f"{path}: no container of images {container!r} among {some(held) or 'none'}")
            return {}
        return {str(name): _pixels(np.asarray(image.data)) for name, image in held[container].images.items()}

    return _opened(path, problems, images) or {}


def _pixels(image: np.ndarray) -> np.ndarray:
    """Numbers between 0 and 1 are scaled to 255, others are taken as they are."""
    scaled = image * 255 if image.dtype.kind == "f" and image.max(initial=0) <= 1 else image
    return np.clip(np.round(scaled), 0, 255).astype(np.uint8)
