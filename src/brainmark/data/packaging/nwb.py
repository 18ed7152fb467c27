"""Spikes in NWB files (Neurodata Without Borders 2), counted in windows after the onset of each presentation.

A presentation is a row of a table of intervals with the time of onset (in seconds, as the format keeps all times) and
the stimulus. Regions are those of the units' electrodes, species and subject those of the file. Electrical series are
not used: spike sorting is the lab's.
"""

from __future__ import annotations

import re
import warnings
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any, TypeVar

from pydantic import Field

from brainmark.core.errors import suggest
from brainmark.core.libraries import np, pd, pynwb
from brainmark.data.packaging.description import Positive, Recordings, Window, add_format
from brainmark.data.packaging.problems import Problems, Unusable, some
from brainmark.data.packaging.sessions import Session, common_name
from brainmark.data.packaging.tables import as_names, columns_of
from brainmark.data.packaging.times import Clocks, check_spikes
from brainmark.data.packaging.where import Where, select_rows
from brainmark.data.readers.hdf5 import open_hdf5
from brainmark.data.readers.text import decode, decode_array

T = TypeVar("T")
UNKNOWN = frozenset({"", "unknown", "none", "nan", "n/a"})


@add_format("nwb", ".nwb")
class NwbSource(Recordings):
    """Neurodata Without Borders: spikes of the units, counted in windows after the onset of each presentation."""

    presentations: str = Field("trials", description="name of the table of intervals")
    stimulus: str = Field("stimulus_id", description="column of the presentations: the stimulus")
    onset: str = Field("start_time", description="column of the presentations: when it came on")
    windows: tuple[Window, ...] = Field((), description="ms after onset in which spikes are counted")
    where: Where = Field((), description='units that count, such as where = "isi_violations < 0.5"')
    region_column: str | None = Field(None, description="column of the units that says their region")
    spike_clock: Positive | None = Field(
        None,
        description="how many of the spike times make a second: 1 (as NWB has it), 1000 for ms, or the sampling rate",
    )

    def read(self, path: Path, base: Path, problems: Problems) -> Session:
        """Return spike counts (trial, unit[, window]). Raises MissingDependency where pynwb is not installed."""
        problems.unread[path] = ("species",)
        return _read_file(path, lambda file: self._read(file, path, problems))

    def _read(self, file: Any, path: Path, problems: Problems) -> Session:
        species = decode(getattr(file.subject, "species", None) or "").strip()
        facts = {} if species.lower() in UNKNOWN else {"species": common_name(species)}
        problems.stated |= facts.keys()
        del problems.unread[path]
        shown = problems.attempt(self._read_presentations, file, path, problems)
        units = problems.attempt(self._read_units, file, path, problems)
        if not self.windows:
            problems.add(f"{path}: the windows in which spikes are counted are missing; say windows = [[70, 170]] (ms)")
        if shown is None or units is None or not self.windows:
            raise Unusable
        ids, onsets = shown
        spikes = self._read_spikes(units, path, problems)
        clocks = Clocks(self.onset, self.spike_clock is not None, self.time_unit is not None)
        check_spikes(spikes, onsets, self.windows, clocks, path, problems)
        counts = spike_counts(list(spikes.values()), onsets, self.windows)
        _leave_unobserved_out(units, onsets, self.windows, counts, path, problems)
        table = {
            "neuroid_id": as_names(units.index),
            "region": self._find_regions(file, units, path, problems),
            "session": [decode(file.session_id or path.stem)] * len(units),
        }
        if subject := getattr(file.subject, "subject_id", None):
            table["subject"] = [decode(subject)] * len(units)
        values = counts if len(self.windows) > 1 else counts[:, :, 0]
        return Session(str(path), ids, values, pd.DataFrame(table), self.windows, self.units or "spikes", facts)

    def _read_presentations(self, file: Any, path: Path, problems: Problems) -> tuple[np.ndarray, np.ndarray]:
        """Return stimulus and onset (s) of each presentation."""
        tables = {str(name): table for name, table in (file.intervals or {}).items()}
        tables |= {name: table for name in ("trials", "epochs") if (table := getattr(file, name)) is not None}
        if self.presentations not in tables:
            near = suggest(self.presentations, tables)
            has = f"it has {', '.join(sorted(tables))}" if tables else "it has no tables of intervals at all"
            meant = f"; did you mean {near[0]!r}?" if near else '; say presentations = "..."'
            problems.fail(f"{path}: no table of intervals {self.presentations!r}; {has}{meant if tables else ''}")
        table = tables[self.presentations].to_dataframe()
        table = table.assign(**{str(c): decode_array(table[c], path) for c in table if table[c].dtype == object})
        where = f"{path}: {self.presentations}"
        stimuli, times = columns_of(table, {"stimulus": self.stimulus, "onset": self.onset}, where, problems)
        ids, onsets = as_names(stimuli), times.to_numpy(float)
        kept = ~np.isin(ids, self.skip)
        if not kept.any():
            problems.fail(f"{path}: {self.presentations} has no presentation of a stimulus")
        if np.isnan(onsets[kept]).any():
            problems.fail(f"{path}: {int(np.isnan(onsets[kept]).sum())} presentations have no {self.onset!r}")
        return ids[kept], onsets[kept] / (1000.0 if self.time_unit == "ms" else 1.0)

    def _read_units(self, file: Any, path: Path, problems: Problems) -> pd.DataFrame:
        """Return the units' table, less those that `where` leaves out."""
        if file.units is None or not len(file.units):
            series = [name for name, found in file.acquisition.items() if type(found).__name__ == "ElectricalSeries"]
            raw = f"; it has electrical series ({', '.join(series)}), which are not sorted here" if series else ""
            problems.fail(f"{path}: no units; spike times are needed{raw}")
        if "spike_times" not in file.units.colnames:
            problems.fail(f"{path}: units have no column 'spike_times' among {', '.join(file.units.colnames)}")
        left_out = ("waveforms", "waveform_mean", "waveform_sd", "electrodes")
        kept = [c for c in file.units.colnames if c not in left_out]
        table = pd.DataFrame(
            {c: [_plain(file.units[c][k]) for k in range(len(file.units))] for c in kept},
        )
        table = select_rows(table, self.where, f"{path}: units", problems)
        return table.assign(row=table.index).set_axis(np.asarray(file.units.id[:])[table.index])

    def _read_spikes(self, units: pd.DataFrame, path: Path, problems: Problems) -> dict[str, np.ndarray]:
        """Return the spike times (s) of each unit by its name; what is no time is left out and noted."""
        spikes: dict[str, np.ndarray] = {}
        lost: dict[str, int] = {}
        for name, given in zip(as_names(units.index).tolist(), units["spike_times"], strict=True):
            times = np.asarray(given, float).ravel()
            known = np.isfinite(times)
            if not known.all():
                lost[name] = int((~known).sum())
            spikes[name] = times[known] / (self.spike_clock or 1.0)
        if lost:
            name, count = max(lost.items(), key=lambda one: one[1])
            problems.note(
                f"{path}: spike_times of {len(lost)} units hold NaN or infinity, no times, which were left out: "
                f"{count} of {count + spikes[name].size} of unit {name!r}"
            )
        return spikes

    def _find_regions(self, file: Any, units: pd.DataFrame, path: Path, problems: Problems) -> list[str | None]:
        """Return the region of each unit: that of the column which the description names, else of its electrodes."""
        if self.region_column is not None:
            (column,) = columns_of(units.drop(columns="row"), {"region_column": self.region_column}, path, problems)
            return [None if one.lower() in UNKNOWN else one for one in as_names(column).tolist()]
        found = [_find_region(file, row, units) for row in units["row"]]
        named = [c for c in units.columns if re.search("area|region|location|structure", str(c), re.IGNORECASE)]
        if None in found and self.region is None and named:
            problems.add(f'{path}: the region of some units is not known; say region_column = "{named[0]}"?')
        return found


def _read_file(path: Path, use: Callable[[Any], T]) -> T:
    """Return what `use` makes of the content of a file."""
    reader: Any = pynwb.NWBHDF5IO
    with open_hdf5(path, "NWB") as held, warnings.catch_warnings():
        warnings.simplefilter("ignore")  # pynwb warns of every deviation of a file from its schema
        with reader(file=held, mode="r") as io:
            return use(io.read())


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


def _find_region(file: Any, row: int, units: pd.DataFrame) -> str | None:
    """Return the one region of the electrodes (or their group) of a unit; where there are none, of all of the file."""
    unit = units.iloc[int(np.flatnonzero(units["row"] == row)[0])]
    electrodes: Any = file.units["electrodes"][row] if "electrodes" in file.units.colnames else None
    if electrodes is None and "electrode_group" not in units.columns and file.electrodes is not None:
        electrodes = file.electrodes.to_dataframe()
    places: set[str] = set()
    if electrodes is not None:
        places = _drop_unknown(electrodes.get("location", ()))
        if not places and "group" in electrodes:
            places = _drop_unknown(group.location for group in electrodes["group"])
    if not places and "electrode_group" in units.columns:
        places = _drop_unknown([unit["electrode_group"].location])
    return next(iter(places)) if len(places) == 1 else None


def _plain(value: Any) -> Any:
    return decode(value) if isinstance(value, bytes) else value


def _drop_unknown(places: Iterable[Any]) -> set[str]:
    return {name for name in map(decode, places) if name.lower() not in UNKNOWN}


def _leave_unobserved_out(
    units: pd.DataFrame, onsets: np.ndarray, windows: Sequence[Window], counts: np.ndarray,
    path: Path, problems: Problems,
) -> None:  # fmt: skip
    """Replace counts of 0 by NaN, in place, where a unit was not observed: those are no measurements."""
    if "obs_intervals" not in units.columns:
        return
    begin = onsets + min(w[0] for w in windows) / 1000
    end = onsets + max(w[1] for w in windows) / 1000
    lost = 0
    for unit, intervals in enumerate(units["obs_intervals"]):
        spans = _join(np.asarray(intervals, float).reshape(-1, 2))
        if not len(spans):
            continue
        seen = ((begin[:, None] >= spans[:, 0]) & (end[:, None] <= spans[:, 1])).any(axis=1)
        counts[~seen, unit] = np.nan
        lost += int((~seen).sum())
    if lost:
        problems.note(f"{path}: {lost} of {len(onsets) * len(units)} counts lie outside of obs_intervals: not measured")


def _join(spans: np.ndarray) -> np.ndarray:
    """Return intervals in order, those that touch or overlap as one."""
    joined: list[list[float]] = []
    for begin, end in spans[np.argsort(spans[:, 0], kind="stable")].tolist():
        if joined and begin <= joined[-1][1] + 1e-6:
            joined[-1][1] = max(joined[-1][1], end)
        else:
            joined.append([begin, end])
    return np.array(joined).reshape(-1, 2)


def read_images(path: Path, container: str, problems: Problems) -> dict[str, np.ndarray]:
    """Return the images of a container of stimuli by name, uint8 (height, width[, 3]).

    Raises
    ------
    Unusable : there is no such container, or it is empty.
    MissingDependency : pynwb is not installed.
    """

    def images(file: Any) -> dict[str, np.ndarray]:
        held = {str(k): v for k, v in {**file.stimulus, **file.stimulus_template}.items()}
        if not getattr(held.get(container), "images", None):
            problems.fail(f"{path}: no container of images {container!r} among {some(held) or 'none'}")
        return {str(name): _pixels_of(np.asarray(image.data)) for name, image in held[container].images.items()}

    return _read_file(path, images)


def _pixels_of(image: np.ndarray) -> np.ndarray:
    """Return pixels: numbers between 0 and 1 are scaled to 255, others are kept as they are."""
    scaled = image * 255 if image.dtype.kind == "f" and image.max(initial=0) <= 1 else image
    return np.clip(np.round(scaled), 0, 255).astype(np.uint8)
