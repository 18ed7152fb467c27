"""Choices, ratings and dissimilarities: measurements without neuroids."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from brainmark.core.libraries import np, pd, xr
from brainmark.data.packaging.arrays import read_dissimilarities
from brainmark.data.packaging.problems import Problems, some
from brainmark.data.packaging.reading import source_files
from brainmark.data.packaging.spec import ArraySource, Description, TableSource
from brainmark.data.packaging.stimuli import Found, find_stimuli, ordered
from brainmark.data.packaging.tables import read_answers

if TYPE_CHECKING:
    from collections.abc import Sequence


def measured_answers(
    told: Description, base: Path, scratch: Path, problems: Problems
) -> tuple[xr.DataArray, Found] | None:
    """Return choices, ratings or dissimilarities, and their stimuli; None where something is missing."""
    kind = told.recording[0].kind
    if kind == "dissimilarity":
        return _dissimilarities(told, base, scratch, problems)
    return _answers(told, base, scratch, problems)


def _answers(told: Description, base: Path, scratch: Path, problems: Problems) -> tuple[xr.DataArray, Found] | None:
    parts: list[pd.DataFrame] = []
    for source in told.recording:
        if not isinstance(source, TableSource):
            problems.add(f"recording: {source.kind} are read from tables (CSV, TSV), not from {source.format}")
            continue
        read = [read_answers(path, source, problems) for path in source_files(source, base, problems)]
        parts += [part for part in read if part is not None]
    if told.recording[0].kind == "ratings":
        if told.question is None:
            problems.add('question is missing: what was rated, such as "how pleasant is it?"')
        if told.scale is None:
            problems.add("scale is missing: the lowest and the highest rating, such as scale = [1, 7]")
        if told.stimuli.fitting is None:
            problems.add(
                'stimuli.fitting is missing: rated stimuli (column "rating") from which models learn the scale'
            )
    table = pd.concat(parts, ignore_index=True) if parts else pd.DataFrame({"stimulus_id": []})
    found = find_stimuli(
        told.stimuli, base, told.modality, problems, scratch, table["stimulus_id"].astype(str).unique().tolist()
    )
    if not parts or found is None:
        return None
    table = table.assign(stimulus_id=found.named(table["stimulus_id"]))
    order = ordered(found, table["stimulus_id"].tolist(), problems)
    if order is None:
        return None
    if told.recording[0].kind == "ratings":
        return _ratings(table, order, told, problems), found
    counted = "label" not in found.table.columns
    if counted:
        problems.note("stimuli have no column 'label' with the right answer: choices are counted over subjects")
    return choices(table, order, problems, counted), found


def choices(table: pd.DataFrame, order: Sequence[str], problems: Problems, counted: bool = False) -> xr.DataArray:
    """Return choices of each subject, 1 and 0; or counts of choices, as where someone answered a stimulus twice.

    Parameters
    ----------
    table : columns ``stimulus_id``, ``subject``, ``answer``; an empty answer was given, but fits no choice.
    order : of the presentations.
    """
    answers = sorted({str(a) for a in table["answer"].dropna()})
    subjects = sorted(set(table["subject"]))
    row = pd.Categorical(table["stimulus_id"], list(order)).codes
    given: Any = [None if pd.isna(answer) else str(answer) for answer in table["answer"]]
    chosen = pd.Categorical(np.array(given, object), answers).codes
    coords: dict[str, Any] = {
        "stimulus_id": ("presentation", np.array(order, str)),
        "choice": ("choice", np.array(answers, str)),
    }
    again = bool(table.duplicated(["stimulus_id", "subject"]).any())
    if again or counted:
        counts = np.zeros((len(order), len(answers)))
        np.add.at(counts, (row[chosen >= 0], chosen[chosen >= 0]), 1)
        if again:
            problems.note("someone answered a stimulus more than once: choices are counted over all trials")
        return xr.DataArray(counts, dims=("presentation", "choice"), coords=coords, attrs={"units": "choices"})
    who = pd.Categorical(table["subject"], subjects).codes
    values = np.full((len(order), len(answers), len(subjects)), np.nan)
    values[row, :, who] = 0.0
    values[row[chosen >= 0], chosen[chosen >= 0], who[chosen >= 0]] = 1.0
    coords["subject"] = ("subject", np.array(subjects, str))
    return xr.DataArray(values, dims=("presentation", "choice", "subject"), coords=coords, attrs={"units": "choice"})


def _ratings(table: pd.DataFrame, order: Sequence[str], told: Description, problems: Problems) -> xr.DataArray:
    if told.scale is not None:
        outside = table[(table["answer"] < told.scale[0]) | (table["answer"] > told.scale[1])]
        if len(outside):
            low, high = told.scale
            problems.add(
                f"{len(outside)} ratings lie outside of the scale {low:g} to {high:g}: {some(outside['answer'])}"
            )
    repeated = int(table.duplicated(["stimulus_id", "subject"]).sum())
    if repeated:
        problems.note(f"{repeated} ratings repeat one of the same subject and stimulus; they were averaged")
    mean = table.groupby(["stimulus_id", "subject"])["answer"].mean().unstack("subject").loc[list(order)]
    return xr.DataArray(
        mean.to_numpy(float),
        dims=("presentation", "subject"),
        coords={
            "stimulus_id": ("presentation", np.array(order, str)),
            "subject": ("subject", np.array(mean.columns, str)),
        },
        attrs={"units": "rating"},
    )


def _dissimilarities(
    told: Description, base: Path, scratch: Path, problems: Problems
) -> tuple[xr.DataArray, Found] | None:
    source = told.recording[0]
    if len(told.recording) > 1 or not isinstance(source, ArraySource):
        problems.add("recording: dissimilarities are one source, of arrays (.npy, .npz, .mat)")
        return None
    if source.region is None:
        problems.add('recording: region is missing: "IT", ..., or "behavior" where people judged')
    files = source_files(source, base, problems)
    read = read_dissimilarities(files[0], source, base, problems) if files else None
    ids = [] if read is None else read[1].tolist()
    found = find_stimuli(told.stimuli, base, told.modality, problems, scratch, ids)
    if read is None or found is None:
        return None
    cube, _, subjects = read
    if len(set(ids)) < len(ids):
        problems.add(f"{files[0]}: stimulus_id {some([i for i in set(ids) if ids.count(i) > 1])} stands more than once")
        return None
    order = ordered(found, ids, problems)
    if order is None:
        return None
    if not np.allclose(cube, cube.transpose(0, 2, 1), rtol=1e-5, atol=1e-8, equal_nan=True):
        problems.add(f"{files[0]}: dissimilarities are not symmetric")
        return None
    place = [ids.index(one) for one in order]
    cube = cube[:, place][:, :, place]
    coords: dict[str, Any] = {"stimulus_id": ("presentation", order), "other_id": ("other", order)}
    array = xr.DataArray(cube, dims=("subject", "presentation", "other"), coords=coords)
    if subjects is None:
        return array.isel(subject=0, drop=True), found
    return array.assign_coords(subject=("subject", subjects)).transpose("presentation", "other", "subject"), found
