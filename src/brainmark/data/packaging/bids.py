"""Derivatives of BIDS data sets: one beta a trial (NIfTI or TSV), or time series (TSV), with the events they follow.

A file of data and its file of events have the same subject, session, task and run in their names. Voxels are those in
the mask of each region, columns of tables those that fit its pattern. Times in BIDS are seconds.
"""

from __future__ import annotations

import io
import re
from collections.abc import Mapping
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any

from pydantic import Field

from brainmark.core.errors import DataError
from brainmark.core.libraries import nibabel, np, pd
from brainmark.data.packaging.description import Recordings, Window, add_format, find_files
from brainmark.data.packaging.problems import Problems, Unusable, some
from brainmark.data.packaging.sessions import Session, common_name
from brainmark.data.packaging.tables import as_names, as_numbers, column_of, read_table
from brainmark.data.packaging.where import Where, select_rows
from brainmark.data.readers.damage import explain_damage
from brainmark.data.readers.text import read_json

_LINKED = ("sub", "ses", "task", "run")
_ENTITY = re.compile(r"(?:^|_)([A-Za-z]+)-([A-Za-z0-9]+)")


@add_format("bids")
class BidsSource(Recordings):
    """Derivatives of a BIDS data set: betas (NIfTI or TSV, one a trial) or time series, with their events."""

    events: str = Field("**/*_events.tsv", description="pattern of the files of events")
    stimulus: str = Field("stim_file", description="column of the events: the stimulus")
    regions: dict[str, str] = Field(default_factory=dict[str, str], description="pattern of the mask of each region")
    windows: tuple[Window, ...] = Field((), description="ms after onset; of time series")
    where: Where = Field((), description='events that count, such as where.trial_type = "image"')

    def read(self, path: Path, base: Path, problems: Problems) -> Session:
        """Return the trials of one file of derivatives. Raises MissingDependency where nibabel is not installed."""
        table = path.suffix == ".tsv"
        events = problems.attempt(self._read_events, path, base, problems)
        read = problems.attempt(self._read_columns if table else self._read_voxels, path, base, problems)
        if events is None or read is None:
            raise Unusable
        ids, onsets = events
        values, neuroids = read
        if self.windows and not table:
            problems.fail(f"{path}: windows are for time series in TSV; a NIfTI holds one beta a trial")
        if self.windows:
            values = self._average_windows(values, onsets, path, problems)
        elif len(values) != len(ids):
            what = "; of a time series say windows = [[4000, 8000]] (ms after onset)" if table else ""
            problems.fail(f"{path}: {len(values)} values of each neuroid for {len(ids)} events{what}")
        kept = ~np.isin(ids, self.skip)
        found = entities(path)
        for column, entity in (("subject", "sub"), ("session", "ses")):
            if entity in found:
                neuroids = neuroids.assign(**{column: f"{entity}-{found[entity]}"})
        return Session(str(path), ids[kept], values[kept], neuroids, self.windows, self.units, _read_facts(path))

    def _read_events(self, path: Path, base: Path, problems: Problems) -> tuple[np.ndarray, np.ndarray]:
        """Return stimulus and onset (s) of each event that belongs to a file of data."""
        own = entities(path)
        found = [
            p
            for p in find_files([_fill(self.events, own)], base)
            if all(own.get(k) == v for k, v in entities(p).items() if k in _LINKED)
        ]
        if len(found) != 1:
            which = f"{len(found)} files of events fit: {some(found, 3)}" if found else f"no file fits {self.events!r}"
            problems.fail(
                f'{path}: its events are not found: {which}; say events = "..." (a pattern; {{sub}}, {{run}} ...)'
            )
        table = select_rows(read_table(found[0], problems), self.where, found[0], problems)
        ids = column_of(table, self.stimulus, found[0], problems, '; say stimulus = "..."')
        onsets = column_of(table, "onset", found[0], problems).to_frame()
        return as_names(ids), as_numbers(onsets, found[0], problems)[:, 0]

    def _read_voxels(self, path: Path, base: Path, problems: Problems) -> tuple[np.ndarray, pd.DataFrame]:
        """Return betas (trial, voxel) inside the masks, and where each voxel lies."""
        if not self.regions:
            problems.fail(
                f'{path}: which voxels belong to which region is missing; say regions.V1 = "pattern of its mask"'
            )
        image = _read_nifti(path)
        if image.ndim != 4:
            problems.fail(f"{path}: is {image.shape}; expected a volume for each trial, (x, y, z, trial)")
        parts: list[np.ndarray] = []
        tables: list[pd.DataFrame] = []
        for region, pattern in self.regions.items():
            files = find_files([_fill(pattern, entities(path))], base)
            if len(files) != 1:
                problems.fail(
                    f"{path}: {len(files)} masks of {region} fit {pattern!r}; name one ({{sub}} is the subject)"
                )
            mask = _read_nifti(files[0])
            if mask.shape != image.shape[:3]:
                problems.fail(
                    f"{files[0]}: is {mask.shape}, but the betas are {image.shape[:3]}; put both into one space"
                )
            inside = np.nan_to_num(mask) > 0.5
            if not inside.any():
                problems.fail(f"{files[0]}: no voxel is in the mask")
            parts.append(image[inside].T)
            names = [f"{region}/{x}-{y}-{z}" for x, y, z in np.argwhere(inside).tolist()]
            tables.append(pd.DataFrame({"neuroid_id": names, "region": region}))
        values, neuroids = np.concatenate(parts, axis=1), pd.concat(tables, ignore_index=True)
        constant = (values == values[:1]).all(axis=0) | np.isnan(values).all(axis=0)
        if constant.any():
            problems.note(f"{path}: {int(constant.sum())} of {len(constant)} voxels have no signal and were left out")
        return values[:, ~constant], neuroids[~constant].reset_index(drop=True)

    def _read_columns(self, path: Path, base: Path, problems: Problems) -> tuple[np.ndarray, pd.DataFrame]:
        """Return values (row, column) of a table, and the region of each column."""
        table = read_table(path, problems)
        numbers = table.apply(pd.to_numeric, errors="coerce")
        text = [str(c) for c in table.columns if numbers[c].isna().sum() > table[c].isna().sum()]
        if text:
            problems.fail(f"{path}: columns {some(text)} hold text; a table of derivatives holds numbers")
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
            numbers = numbers.iloc[:, kept]
        return numbers.to_numpy(float), neuroids

    def _average_windows(self, series: np.ndarray, onsets: np.ndarray, path: Path, problems: Problems) -> np.ndarray:
        """Return the mean of the samples in each window after each onset, (event, neuroid[, window])."""
        described = _read_sidecar(path)
        step = described.get("RepetitionTime") or (1 / f if (f := described.get("SamplingFrequency")) else None)
        if not step:
            problems.fail(
                f"{path}: {path.with_suffix('.json').name} beside it states neither RepetitionTime nor "
                "SamplingFrequency"
            )
        times = float(described.get("StartTime", 0.0)) + float(step) * np.arange(len(series))
        values = np.full((len(onsets), series.shape[1], len(self.windows)), np.nan)
        for k, (start, end) in enumerate(self.windows):
            for row, onset in enumerate(onsets):
                inside = (times >= onset + start / 1000) & (times < onset + end / 1000)
                if inside.any():
                    values[row, :, k] = series[inside].mean(axis=0)
        empty = int(np.isnan(values).all(axis=(1, 2)).sum())
        if empty == len(onsets):
            problems.fail(
                f"{path}: no sample (every {float(step):g} s) lies in a window after an onset; windows are in ms"
            )
        if empty:
            problems.note(f"{path}: {empty} of {len(onsets)} events have no sample in their windows: not measured")
        return values if len(self.windows) > 1 else values[:, :, 0]


def entities(path: Path) -> dict[str, str]:
    """Return the entities in the name of a file: ``sub-01_task-x_bold.nii`` -> {"sub": "01", "task": "x"}."""
    return dict(_ENTITY.findall(path.name.partition(".")[0]))


def _fill(pattern: str, own: Mapping[str, str]) -> str:
    """Return a pattern with the entities of a file in it."""
    for name, value in own.items():
        pattern = pattern.replace(f"{{{name}}}", value)
    return pattern


def _read_nifti(path: Path) -> np.ndarray:
    """Return the scaled values of an image."""
    with explain_damage(path, "cannot be read as NIfTI"):
        image: Any = nibabel.load(path)
        return np.asarray(image.get_fdata(dtype=np.float32))


def _read_sidecar(path: Path) -> dict[str, Any]:
    """Read the JSON beside a file, or above it under the inheritance principle; nearest first."""
    own = entities(path)
    suffix = path.name.partition(".")[0].rpartition("_")[2]
    found: dict[str, Any] = {}
    for folder in (path.parent, *path.parents[1:6]):
        for candidate in sorted(folder.glob(f"*{suffix}.json"), key=lambda p: -len(p.name)):
            if entities(candidate).items() <= own.items():
                found = _read_json(candidate) | found
        if (folder / "dataset_description.json").is_file():
            break
    return found


def _read_json(path: Path) -> dict[str, Any]:
    try:
        return read_json(path)
    except DataError:
        return {}


def _read_facts(path: Path) -> dict[str, Any]:
    """Return what the data set states of itself: licence, species."""
    facts: dict[str, Any] = {}
    person = f"sub-{entities(path).get('sub')}"
    for folder in path.parents[:8]:
        described = _read_json(folder / "dataset_description.json")
        if described.get("License"):
            facts.setdefault("licence", str(described["License"]))
        people = folder / "participants.tsv"
        if people.is_file() and "species" not in facts:
            text = people.read_bytes().decode("utf-8-sig", errors="replace")  # names may be in any encoding
            with explain_damage(people, "cannot be read as a table"):
                table = pd.read_csv(io.StringIO(text), sep="\t", dtype=str)
            if {"participant_id", "species"} <= set(table.columns):
                species = table[table["participant_id"] == person]["species"].dropna()
                facts |= {"species": common_name(species.iloc[0])} if len(species) else {}
    return facts
