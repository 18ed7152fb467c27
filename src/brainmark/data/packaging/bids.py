"""Derivatives of BIDS data sets: one beta a trial (NIfTI or TSV), or time series (TSV), with the events they follow.

A file of data and its file of events have the same subject, session, task and run in their names. Voxels are those in
the mask of each region, columns of tables those that fit its pattern. Times in BIDS are seconds.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any

from brainmark.core.errors import MissingDependency
from brainmark.core.libraries import np, pd
from brainmark.data.packaging.files import all_files
from brainmark.data.packaging.problems import Problems, some
from brainmark.data.packaging.sessions import Session, common_name
from brainmark.data.packaging.spec import BidsSource
from brainmark.data.packaging.stimuli import as_names, column_of, read_table

_LINKED = ("sub", "ses", "task", "run")
_ENTITY = re.compile(r"(?:^|_)([A-Za-z]+)-([A-Za-z0-9]+)")


def entities(path: Path) -> dict[str, str]:
    """Return the entities in the name of a file: ``sub-01_task-x_bold.nii`` -> {"sub": "01", "task": "x"}."""
    return dict(_ENTITY.findall(path.name.partition(".")[0]))


def read_bids(path: Path, told: BidsSource, base: Path, problems: Problems) -> Session | None:
    """Return the trials of one file of derivatives; what is missing goes to `problems`.

    Raises
    ------
    MissingDependency : nibabel is not installed.
    """
    events = _events(path, told, base, problems)
    table = path.suffix == ".tsv"
    read = _columns(path, told, problems) if table else _voxels(path, told, base, problems)
    if events is None or read is None:
        return None
    ids, onsets = events
    series, neuroids = read
    timed = bool(told.windows)
    if timed and not table:
        problems.add(f"{path}: windows are for time series in TSV; a NIfTI holds one beta a trial")
        return None
    if timed:
        values = _in_windows(series, onsets, path, told, problems)
        if values is None:
            return None
    elif len(series) != len(ids):
        what = "; of a time series say windows = [[4000, 8000]] (ms after onset)" if table else ""
        problems.add(f"{path}: {len(series)} values of each neuroid for {len(ids)} events{what}")
        return None
    else:
        values = series
    kept = ~np.isin(ids, told.skip)
    found = entities(path)
    neuroids = neuroids.assign(subject=f"sub-{found['sub']}") if "sub" in found else neuroids
    neuroids = neuroids.assign(session=f"ses-{found['ses']}") if "ses" in found else neuroids
    bins = tuple((float(a), float(b)) for a, b in told.windows)
    return Session(str(path), ids[kept], values[kept], neuroids, bins, told.units, _facts(path))


def _events(path: Path, told: BidsSource, base: Path, problems: Problems) -> tuple[np.ndarray, np.ndarray] | None:
    """Stimulus and onset (s) of each event that belongs to a file of data."""
    own = entities(path)
    found = [
        p
        for p in all_files([_filled(told.events, own)], base)
        if all(own.get(k) == v for k, v in entities(p).items() if k in _LINKED)
    ]
    if len(found) != 1:
        which = f"{len(found)} files of events fit: {some(found, 3)}" if found else f"no file fits {told.events!r}"
        problems.add(f'{path}: its events are not found: {which}; say events = "..." (a pattern; {{sub}}, {{run}} ...)')
        return None
    table = read_table(found[0], problems)
    if table is None:
        return None
    for column, wanted in told.where.items():
        if column_of(table, column, found[0], problems) is None:
            return None
        table = table[table[column].astype(str) == str(wanted)]
    ids = column_of(table, told.stimulus, found[0], problems, '; say stimulus = "..."')
    onsets = column_of(table, "onset", found[0], problems)
    if ids is None or onsets is None:
        return None
    return as_names(ids), onsets.to_numpy(float)


def _filled(pattern: str, own: Mapping[str, str]) -> str:
    for name, value in own.items():
        pattern = pattern.replace(f"{{{name}}}", value)
    return pattern


def _voxels(path: Path, told: BidsSource, base: Path, problems: Problems) -> tuple[np.ndarray, pd.DataFrame] | None:
    """Betas (trial, voxel) inside the masks, and where each voxel lies."""
    if not told.regions:
        problems.add(f'{path}: which voxels belong to which region is missing; say regions.V1 = "pattern of its mask"')
        return None
    image = _nifti(path, problems)
    if image is None:
        return None
    if image.ndim != 4:
        problems.add(f"{path}: is {image.shape}; expected a volume for each trial, (x, y, z, trial)")
        return None
    parts: list[np.ndarray] = []
    tables: list[pd.DataFrame] = []
    for region, pattern in told.regions.items():
        files = all_files([_filled(pattern, entities(path))], base)
        if len(files) != 1:
            problems.add(f"{path}: {len(files)} masks of {region} fit {pattern!r}; name one ({{sub}} is the subject)")
            return None
        mask = _nifti(files[0], problems)
        if mask is None:
            return None
        if mask.shape != image.shape[:3]:
            problems.add(f"{files[0]}: is {mask.shape}, but the betas are {image.shape[:3]}; put both into one space")
            return None
        inside = np.nan_to_num(mask) > 0.5
        if not inside.any():
            problems.add(f"{files[0]}: no voxel is in the mask")
            return None
        places = np.argwhere(inside)
        parts.append(image[inside].T)
        tables.append(
            pd.DataFrame({"neuroid_id": [f"{region}/{x}-{y}-{z}" for x, y, z in places.tolist()], "region": region})
        )
    values, neuroids = np.concatenate(parts, axis=1), pd.concat(tables, ignore_index=True)
    constant = (values == values[:1]).all(axis=0) | np.isnan(values).all(axis=0)
    if constant.any():
        problems.note(f"{path}: {int(constant.sum())} of {len(constant)} voxels have no signal and were left out")
    return values[:, ~constant], neuroids[~constant].reset_index(drop=True)


def _nifti(path: Path, problems: Problems) -> np.ndarray | None:
    """Scaled values of an image."""
    try:
        import nibabel
        from nibabel.filebasedimages import ImageFileError
    except ImportError:
        raise MissingDependency("nibabel", "data", f"reading {path.name}") from None
    try:
        loaded: Any = nibabel.load(path)  # pyright: ignore[reportPrivateImportUsage]
        return np.asarray(loaded.get_fdata(dtype=np.float32))
    except (OSError, EOFError, ValueError, ImageFileError) as error:
        problems.add(f"{path} cannot be read as NIfTI: {' '.join(str(error).split())}")
        return None


def _columns(path: Path, told: BidsSource, problems: Problems) -> tuple[np.ndarray, pd.DataFrame] | None:
    """Values (row, column) of a table, and the region of each column."""
    table = read_table(path, problems)
    if table is None:
        return None
    numbers = table.apply(pd.to_numeric, errors="coerce")
    text = [str(c) for c in table.columns if numbers[c].isna().sum() > table[c].isna().sum()]
    if text:
        problems.add(f"{path}: columns {some(text)} hold text; a table of derivatives holds numbers")
        return None
    neuroids = pd.DataFrame({"neuroid_id": [str(c) for c in table.columns]})
    if told.regions:
        fits = [_region_of(str(c), told.regions) for c in table.columns]
        kept = [k for k, region in enumerate(fits) if region]
        if not kept:
            problems.add(f"{path}: no column fits a pattern of regions, {some(told.regions.values())}")
            return None
        neuroids = neuroids.assign(region=np.array(fits, object)).iloc[kept].reset_index(drop=True)
        numbers = numbers.iloc[:, kept]
    return numbers.to_numpy(float), neuroids


def _region_of(column: str, patterns: Mapping[str, str]) -> str | None:
    return next((region for region, pattern in patterns.items() if fnmatchcase(column, pattern)), None)


def _in_windows(
    series: np.ndarray, onsets: np.ndarray, path: Path, told: BidsSource, problems: Problems
) -> np.ndarray | None:
    """Mean of the samples in each window after each onset, (event, neuroid[, window])."""
    described = _sidecar(path)
    step = described.get("RepetitionTime") or (1 / f if (f := described.get("SamplingFrequency")) else None)
    if not step:
        problems.add(
            f"{path}: {path.with_suffix('.json').name} beside it states neither RepetitionTime nor SamplingFrequency"
        )
        return None
    times = float(described.get("StartTime", 0.0)) + float(step) * np.arange(len(series))
    values = np.full((len(onsets), series.shape[1], len(told.windows)), np.nan)
    for k, (start, end) in enumerate(told.windows):
        for row, onset in enumerate(onsets):
            inside = (times >= onset + start / 1000) & (times < onset + end / 1000)
            if inside.any():
                values[row, :, k] = series[inside].mean(axis=0)
    empty = int(np.isnan(values).all(axis=(1, 2)).sum())
    if empty == len(onsets):
        problems.add(f"{path}: no sample (every {float(step):g} s) lies in a window after an onset; windows are in ms")
        return None
    if empty:
        problems.note(f"{path}: {empty} of {len(onsets)} events have no sample in their windows: not measured")
    return values if len(told.windows) > 1 else values[:, :, 0]


def _sidecar(path: Path) -> dict[str, Any]:
    """JSON beside a file, or above it under the inheritance principle; nearest first."""
    own = entities(path)
    suffix = path.name.partition(".")[0].rpartition("_")[2]
    found: dict[str, Any] = {}
    for folder in (path.parent, *path.parents[1:6]):
        for candidate in sorted(folder.glob(f"*{suffix}.json"), key=lambda p: -len(p.name)):
            if entities(candidate).items() <= own.items():
                found = _json(candidate) | found
        if (folder / "dataset_description.json").is_file():
            break
    return found


def _json(path: Path) -> dict[str, Any]:
    try:
        content = json.loads(path.read_text("utf-8"))
    except (OSError, ValueError):
        return {}
    return content if isinstance(content, dict) else {}


def _facts(path: Path) -> dict[str, Any]:
    """What the data set states of itself: licence, species."""
    facts: dict[str, Any] = {}
    own = entities(path)
    for folder in path.parents[:8]:
        described = _json(folder / "dataset_description.json")
        if described.get("License"):
            facts.setdefault("licence", str(described["License"]))
        if described.get("Name"):
            facts.setdefault("description", str(described["Name"]))
        people = folder / "participants.tsv"
        if people.is_file() and "species" not in facts:
            species = _species(pd.read_csv(people, sep="\t", dtype=str), own)
            facts |= {"species": species} if species else {}
    return facts


def _species(people: pd.DataFrame, own: Mapping[str, str]) -> str | None:
    if not {"participant_id", "species"} <= set(people.columns):
        return None
    row = people[people["participant_id"] == f"sub-{own.get('sub')}"]["species"].dropna()
    return common_name(row.iloc[0]) if len(row) else None
