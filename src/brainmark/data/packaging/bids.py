"""Derivatives of BIDS data sets: one beta a trial, or time series, with the events they follow.

Values are in images (NIfTI, GIFTI, CIFTI) or in tables (TSV). A file of data and its file of events have the same
subject, session, task and run in their names. Places are those in the mask, or in the labels of the atlas, of each
region; columns of tables those that fit its pattern. Times in BIDS are seconds.
"""

from __future__ import annotations

import re
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any, NamedTuple

from pydantic import Field

from brainmark.core.errors import DataError
from brainmark.core.libraries import np, pd
from brainmark.data.packaging.bids_files import (
    check_choices,
    entities,
    fill,
    find_events,
    labels_beside,
    read_facts,
    read_sidecar,
    refuse_twins,
    simplify,
)
from brainmark.data.packaging.description import Positive, Recordings, TablePart, Window, add_format, find_files
from brainmark.data.packaging.problems import Problems, Unusable, some
from brainmark.data.packaging.sessions import Session
from brainmark.data.packaging.tables import as_names, as_numbers, column_of, read_table
from brainmark.data.packaging.times import check_events, check_step, check_windows
from brainmark.data.packaging.where import Where, select_rows
from brainmark.data.readers.brain_images import BrainImage, Parcels, bring_to, choose_inside, read_image
from brainmark.data.readers.damage import explain_damage

_TABLES = (".tsv", ".tsv.gz")
_RUN = ("sub", "ses", "task", "run")
_BETAS = re.compile("_[a-z]*(beta|cope|statmap|contrast)s?$", re.IGNORECASE)


class Measured(NamedTuple):
    """What a file of data holds: values (sample, neuroid), neuroids, and times of samples where the file has them."""

    values: np.ndarray
    neuroids: pd.DataFrame
    step: float | None = None
    start: float = 0.0
    places: str | None = None


@add_format("bids")
class BidsSource(Recordings, TablePart):
    """Derivatives of a BIDS data set: betas (one a trial) or time series, with their events."""

    events: str = Field("**/*_events.tsv", description="pattern of the files of events")
    stimulus: str = Field("stim_file", description="column of the events: the identifier of the stimulus")
    regions: dict[str, str] = Field(
        default_factory=dict[str, str],
        description="pattern of the mask of each region, of an atlas with labels (FILE#12 or FILE#V1), or of columns",
    )
    windows: tuple[Window, ...] = Field((), description="ms after onset; of time series")
    where: Where = Field((), description='events that count, such as where.trial_type = "image"')
    entities: dict[str, str] = Field(
        default_factory=dict[str, str],
        description='parts of the names of files that are read, such as entities.space = "T1w"',
    )
    repetition_time: Positive | None = Field(
        None, description="time between two samples of a time series in s, where no file states it"
    )

    def files(self, base: Path, problems: Problems) -> list[Path]:
        """Return the files of data; several of one run are a problem."""
        paths = [p for p in super().files(base, problems) if p.suffix != ".json"]
        paths = check_choices(self.entities, paths, problems)
        groups: dict[Any, list[Path]] = {}
        for path in paths:
            own = entities(path)
            run = tuple(simplify(name, own.get(name)) for name in _RUN)
            groups.setdefault((run, *self._find_events(path, base)), []).append(path)
        refuse_twins(groups, problems)
        return paths

    def read(self, path: Path, base: Path, problems: Problems) -> Session:
        """Return the trials of one file of derivatives. Raises MissingDependency where nibabel is not installed."""
        facts = read_facts(path, problems)
        problems.stated |= facts.keys()
        events = problems.attempt(self._read_events, path, base, problems)
        read = self._read_columns if path.name.endswith(_TABLES) else self._read_places
        measured = problems.attempt(read, path, base, problems)
        if events is None or measured is None:
            raise Unusable
        ids, onsets = events
        values, neuroids = measured.values, measured.neuroids
        if onsets is not None and _BETAS.search(path.name.partition(".")[0]):
            problems.fail(f"{path}: windows are for time series; by its name, this file holds one beta a trial")
        if onsets is not None:
            values = self._average_windows(measured, onsets, path, problems)
        elif len(values) != len(ids):
            problems.fail(
                f"{path}: {len(values)} values of each neuroid for {len(ids)} events; of a time series say "
                "windows = [[4000, 8000]] (ms after onset)"
            )
        kept = ~np.isin(ids, self.skip)
        found = entities(path)
        for column, entity in (("subject", "sub"), ("session", "ses")):
            if entity in found:
                neuroids = neuroids.assign(**{column: f"{entity}-{found[entity]}"})
        places = measured.places
        return Session(str(path), ids[kept], values[kept], neuroids, self.windows, self.units, facts, places=places)

    # --- events ------------------------------------------------------------------------------------------------------

    def _find_events(self, path: Path, base: Path) -> list[Path]:
        return find_events(path, find_files(fill(self.events, entities(path)), base))

    def _read_events(self, path: Path, base: Path, problems: Problems) -> tuple[np.ndarray, np.ndarray | None]:
        """Return the stimulus of each event that belongs to a file of data and, if they are needed, onsets in s."""
        found = self._find_events(path, base)
        if len(found) != 1:
            which = f"{len(found)} files of events fit: {some(found, 3)}" if found else f"no file fits {self.events!r}"
            problems.fail(
                f'{path}: its events are not found: {which}; say events = "..." (a pattern; {{sub}}, {{run}} ...)'
            )
        table = select_rows(read_table(found[0], problems, self.layout), self.where, found[0], problems)
        ids = as_names(column_of(table, self.stimulus, found[0], problems, '; say stimulus = "..."'))
        if not self.windows:
            return ids, None
        check_windows(self.windows, str(path), problems)
        column = column_of(table, "onset", found[0], problems).to_frame()
        onsets = as_numbers(column, found[0], problems, self.layout)[:, 0]
        if np.isnan(onsets).any():
            problems.fail(f"{found[0]}: {int(np.isnan(onsets).sum())} of {len(onsets)} events have no onset")
        return ids, onsets / (1000.0 if self.time_unit == "ms" else 1.0)

    # --- data --------------------------------------------------------------------------------------------------------

    def _read_places(self, path: Path, base: Path, problems: Problems) -> Measured:
        """Return values inside the masks, and where each place lies."""
        image = read_image(path)
        if isinstance(image.places, Parcels):
            return self._take_columns(pd.DataFrame(image.values.T, columns=image.places.labels), path, problems, image)
        if not self.regions:
            problems.fail(
                f'{path}: which voxels belong to which region is missing; say regions.V1 = "pattern of its mask"'
            )
        parts: list[np.ndarray] = []
        masks: list[np.ndarray] = []
        tables: list[pd.DataFrame] = []
        for region, pattern in self.regions.items():
            inside = self._read_mask(region, pattern, path, base, image, problems)
            masks.append(inside)
            parts.append(image.values[inside].T)
            hemisphere = entities(path).get("hemi", "")
            prefix = f"{hemisphere}-" if hemisphere and not getattr(image.places, "hemisphere", "x") else ""
            names = [f"{region}/{prefix}{name}" for name in image.places.names(inside)]
            tables.append(pd.DataFrame({"neuroid_id": names, "region": region}))
        values, neuroids = np.concatenate(parts, axis=1), pd.concat(tables, ignore_index=True)
        twice = int((np.sum(masks, axis=0) > 1).sum())
        if twice:
            problems.note(f"{path}: {twice} places are in more than one region, and neuroids of each")
        constant = (values == values[:1]).all(axis=0) | np.isnan(values).all(axis=0)
        if constant.any() and len(values) > 1:
            problems.note(f"{path}: {int(constant.sum())} of {len(constant)} voxels have no signal and were left out")
            values, neuroids = values[:, ~constant], neuroids[~constant].reset_index(drop=True)
        return Measured(values, neuroids, image.step, image.start, image.places.describe())

    def _read_mask(
        self, region: str, pattern: str, path: Path, base: Path, image: BrainImage, problems: Problems
    ) -> np.ndarray:
        """Return which places of the data belong to a region."""
        own = entities(path)
        where, _, chosen = pattern.partition("#")
        files = find_files(fill(where, own), base)
        if len(files) != 1:
            which = f": {some(files, 3)}" if files else ""
            problems.fail(
                f"{path}: {len(files)} masks of {region} fit {where!r}{which}; name one ({{sub}} is the subject)"
            )
        mask_path, said = files[0], entities(files[0])
        for name in ("sub", "space", "hemi"):
            if name in own and name in said and own[name] != said[name]:
                problems.fail(f"{mask_path}: is of {name} {said[name]!r}, but {path.name} is of {name} {own[name]!r}")
        mask = read_image(mask_path)
        labels = mask.labels or (labels_beside(mask_path) if chosen else {})
        try:
            values, moved = bring_to(mask, image.places)
            inside, remark = choose_inside(values, _split_labels(chosen, labels), labels)
        except DataError as error:
            problems.fail(f"{mask_path}: {error}")
        if not inside.any():
            problems.fail(f"{mask_path}: no place of {path.name} is in the mask")
        for text in filter(None, (moved, remark)):
            problems.note(f"{mask_path}: {text}")
        return inside

    def _read_columns(self, path: Path, base: Path, problems: Problems) -> Measured:
        """Return values of a table, and the region of each column."""
        columns = read_sidecar(path).get("Columns") if path.name.endswith(".gz") else None
        if columns is None:
            table = read_table(path, problems, self.layout)
        else:  # such tables have no header
            with explain_damage(path, "cannot be read as a table"):
                table = pd.read_csv(
                    path, sep="\t", header=None, dtype=str, keep_default_na=False, na_values=["", "n/a"]
                )
                table.columns = [str(column) for column in columns]
        return self._take_columns(table, path, problems)

    def _take_columns(
        self, table: pd.DataFrame, path: Path, problems: Problems, image: BrainImage | None = None
    ) -> Measured:
        neuroids = pd.DataFrame({"neuroid_id": [str(c) for c in table.columns]})
        if self.regions:
            fits = [
                next((region for region, pattern in self.regions.items() if fnmatchcase(str(c), pattern)), None)
                for c in table.columns
            ]
            kept = [k for k, region in enumerate(fits) if region]
            if not kept:
                problems.fail(f"{path}: no column fits a pattern of regions, {some(self.regions.values())}")
            neuroids = neuroids.assign(region=np.array(fits, object)).iloc[kept].reset_index(drop=True)
            table = table.iloc[:, kept]
        step, start = (None, 0.0) if image is None else (image.step, image.start)
        return Measured(as_numbers(table, path, problems, self.layout), neuroids, step, start)

    # --- time series -------------------------------------------------------------------------------------------------

    def _average_windows(self, measured: Measured, onsets: np.ndarray, path: Path, problems: Problems) -> np.ndarray:
        """Return the mean of the samples in each window after each onset, (event, neuroid[, window])."""
        series = measured.values
        times = self._find_times(measured, path, problems)
        step = float(np.median(np.diff(times))) if len(times) > 1 else 0.0
        check_events(
            onsets, (float(times[0]), float(times[-1]) + step), str(path), self.time_unit is not None, problems
        )
        values = np.full((len(onsets), series.shape[1], len(self.windows)), np.nan)
        for k, (start, end) in enumerate(self.windows):
            for row, onset in enumerate(onsets):
                inside = (times >= onset + start / 1000) & (times < onset + end / 1000)
                if inside.any():
                    values[row, :, k] = series[inside].mean(axis=0)
        empty = int(np.isnan(values).all(axis=(1, 2)).sum())
        if empty == len(onsets):
            problems.fail(f"{path}: no sample (every {step:g} s) lies in a window after an onset; windows are in ms")
        if empty:
            problems.note(f"{path}: {empty} of {len(onsets)} events have no sample in their windows: not measured")
        return values if len(self.windows) > 1 else values[:, :, 0]

    def _find_times(self, measured: Measured, path: Path, problems: Problems) -> np.ndarray:
        """Return the time of each sample in s: as the sidecar, the description or the file itself states it."""
        described, count = read_sidecar(path), len(measured.values)
        volumes = described.get("VolumeTiming")
        if volumes is not None:
            times = _numbers_of(volumes)
            if times is None or len(times) != count or not (np.diff(times) > 0).all():
                problems.fail(f"{path}: VolumeTiming in its sidecar is not one time, later each, for {count} samples")
            return times
        stated = {name: _number_of(described, name, path, problems) for name in ("RepetitionTime", "SamplingFrequency")}
        steps = {"RepetitionTime": stated["RepetitionTime"], "repetition_time": self.repetition_time}
        frequency = stated["SamplingFrequency"]
        if frequency is not None and frequency <= 0:
            problems.fail(f"{path}: SamplingFrequency in its sidecar is {frequency:g}; expected samples per second")
        if frequency is not None:
            steps["SamplingFrequency"] = 1 / frequency
        known = {name: float(step) for name, step in steps.items() if step is not None}
        if not known and measured.step is not None:
            known = {"the header of the file": measured.step}
        if not known:
            problems.fail(
                f"{path}: its sidecar (JSON) states neither RepetitionTime nor SamplingFrequency; say "
                "repetition_time = ... (s between two samples)"
            )
        field, step = next(iter(known.items()))
        check_step(step, str(path), field, problems)
        if max(known.values()) > 1.01 * min(known.values()):
            told = ", ".join(f"{k} {v:g} s" for k, v in known.items())
            problems.fail(f"{path}: times between samples differ: {told}")
        if measured.step is not None and not 0.99 < measured.step / step < 1.01:
            problems.note(
                f"{path}: its header has {measured.step:g} s between samples, {field} {step:g} s, which counts"
            )
        start = _number_of(described, "StartTime", path, problems)
        return (measured.start if start is None else start) + step * np.arange(count)


def _split_labels(chosen: str, labels: dict[int, str] | Any) -> list[str]:
    """Return labels that are listed with commas; a name may hold commas itself."""
    if not chosen or chosen in labels.values():
        return [chosen] if chosen else []
    return [part.strip() for part in chosen.split(",") if part.strip()]


def _numbers_of(value: Any) -> np.ndarray | None:
    plain = isinstance(value, list) and all(isinstance(v, int | float) and not isinstance(v, bool) for v in value)
    return np.array(value, float) if plain and value else None


def _number_of(described: dict[str, Any], name: str, path: Path, problems: Problems) -> float | None:
    """Return a number of a sidecar; None where it has none, or null."""
    value = described.get(name)
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, int | float) or not np.isfinite(value):
        problems.fail(f"{path}: {name} in its sidecar is {value!r}; expected a number")
    return float(value)
