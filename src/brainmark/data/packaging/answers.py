"""Choices, ratings and dissimilarities: measurements without neuroids."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from brainmark.core.libraries import np, pd, xr
from brainmark.data.packaging.arrays import ArraySource
from brainmark.data.packaging.description import Description
from brainmark.data.packaging.names import as_names, compose
from brainmark.data.packaging.problems import Problems, Unusable, some
from brainmark.data.packaging.stimuli import Found, StimuliFinder
from brainmark.data.packaging.tables import as_numbers, columns_of, read_table
from brainmark.data.packaging.trials import TableSource
from brainmark.data.packaging.where import select_rows

SHORTEST, LONGEST = 20.0, 20_000.0
"""Between these, in ms, lies the median of reading times of words or regions."""


def read_answers(spec: Description, base: Path, find: StimuliFinder, problems: Problems) -> tuple[xr.DataArray, Found]:
    """Return choices or ratings, and their stimuli. Raises Unusable."""
    parts: list[pd.DataFrame] = []
    for source in spec.recording:
        if not isinstance(source, TableSource):
            problems.add(f"recording: {source.kind} are read from tables (CSV, TSV), not from {source.file[0]}")
            continue
        read = [
            problems.attempt_file(_read_answers_of, path, source, problems) for path in source.files(base, problems)
        ]
        parts += [part for part in read if part is not None]
    kind = spec.recording[0].kind
    rated = kind == "ratings"
    if rated:
        _check_rating(spec, problems)
    table = pd.concat(parts, ignore_index=True) if parts else pd.DataFrame({"stimulus_id": []})
    found = find(table["stimulus_id"].astype(str).unique().tolist())
    if not parts:
        raise Unusable
    table = table.assign(stimulus_id=found.rename(table["stimulus_id"]))
    order = found.order(table["stimulus_id"].tolist(), problems)
    if rated:
        return _average_ratings(table, order, spec, problems), found
    if kind == "reading_times":
        return _average_times(table, order, problems), found
    counted = "label" not in found.table.columns
    if not counted and (unlabelled := found.table["label"].isna()).any():
        problems.fail(f"stimuli.table: {some(found.table.index[unlabelled])} have no label; give each the right answer")
    if counted:
        problems.note("stimuli have no column 'label' with the right answer: choices are counted over subjects")
    return arrange_choices(table, order, problems, counted), found


def _check_rating(spec: Description, problems: Problems) -> None:
    """Add what a description of ratings lacks."""
    if spec.question is None:
        problems.add('question is missing: what was rated, such as "how pleasant is it?"')
    if spec.scale is None:
        problems.add("scale is missing: the lowest and the highest rating, such as scale = [1, 7]")
    if spec.stimuli.fitting is None:
        problems.add('stimuli.fitting is missing: rated stimuli (column "rating") from which models learn the scale')


def _read_answers_of(path: Path, spec: TableSource, problems: Problems) -> pd.DataFrame:
    """Return the answers of one file: columns ``stimulus_id``, ``subject``, ``answer``, a row a trial."""
    table = select_rows(read_table(path, problems, spec.layout), spec.where, path, problems, spec.layout)
    answer = {"choice": spec.choice} if spec.kind == "choices" else {"value": spec.value}
    ids, answers = columns_of(table, {"stimulus": spec.stimulus} | answer, path, problems)
    made = pd.DataFrame({"stimulus_id": as_names(ids), "answer": answers})
    made["subject"] = table["subject"] if "subject" in table.columns else spec.subject
    if made["subject"].isna().any():
        problems.fail(f'{path}: who answered is missing; add a column "subject", or say subject = "..."')
    made["subject"] = as_names(made["subject"])
    if spec.kind in ("ratings", "reading_times"):
        made["answer"] = as_numbers(answers.to_frame(), path, problems, spec.layout)[:, 0]
    else:
        made["answer"] = np.array([None if _is_missing(a, spec.missing) else compose(a) for a in answers], object)
    if spec.kind == "reading_times":
        made["answer"] *= 1000.0 if spec.time_unit == "s" else 1.0
    return made[~made["stimulus_id"].isin(spec.skip)]


def _is_missing(answer: str | None, missing: Sequence[str]) -> bool:
    return answer is None or answer in missing


def arrange_choices(
    table: pd.DataFrame, order: Sequence[str], problems: Problems, counted: bool = False
) -> xr.DataArray:
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


def _average_times(table: pd.DataFrame, order: Sequence[str], problems: Problems) -> xr.DataArray:
    """Return reading times (presentation, subject) in ms; NaN where someone did not read a word."""
    times = table["answer"].dropna()
    if len(times) and times.min() < 0:
        problems.add(f"reading times are negative: {some(times[times < 0])}; leave out or mend what is no time")
    if len(times) and not SHORTEST <= times.median() <= LONGEST:
        unit = 'seconds; say time_unit = "s"' if times.median() < SHORTEST else "microseconds; divide by 1000"
        problems.add(f"half of the reading times are below {times.median():g} ms: they look like {unit}")
    mean = _mean_answers(table, order, problems, "reading times")
    return mean.assign_attrs(units="ms")


def _average_ratings(table: pd.DataFrame, order: Sequence[str], spec: Description, problems: Problems) -> xr.DataArray:
    if spec.scale is not None:
        outside = table[(table["answer"] < spec.scale[0]) | (table["answer"] > spec.scale[1])]
        if len(outside):
            low, high = spec.scale
            problems.add(
                f"{len(outside)} ratings lie outside of the scale {low:g} to {high:g}: {some(outside['answer'])}"
            )
    return _mean_answers(table, order, problems, "ratings").assign_attrs(units="rating")


def _mean_answers(table: pd.DataFrame, order: Sequence[str], problems: Problems, what: str) -> xr.DataArray:
    """Return the mean answer (presentation, subject) of each subject to each stimulus; NaN where there is none."""
    repeated = int(table.duplicated(["stimulus_id", "subject"]).sum())
    if repeated:
        problems.note(f"{repeated} {what} repeat one of the same subject and stimulus; they were averaged")
    mean = table.groupby(["stimulus_id", "subject"])["answer"].mean().unstack("subject").reindex(list(order))
    return xr.DataArray(
        mean.to_numpy(float),
        dims=("presentation", "subject"),
        coords={
            "stimulus_id": ("presentation", np.array(order, str)),
            "subject": ("subject", np.array(mean.columns, str)),
        },
    )


def read_dissimilarities(
    spec: Description, base: Path, find: StimuliFinder, problems: Problems
) -> tuple[xr.DataArray, Found]:
    """Return dissimilarities of stimuli, and these. Raises Unusable."""
    source = spec.recording[0]
    if len(spec.recording) > 1 or not isinstance(source, ArraySource):
        problems.fail("recording: dissimilarities are one source, of arrays (.npy, .npz, .mat)")
    if source.region is None:
        problems.add('recording: region is missing: "IT", ..., or "behavior" where people judged')
    files = source.files(base, problems)
    read = problems.attempt_file(source.read_dissimilarities, files[0], base, problems) if files else None
    found = find([] if read is None else read[1])
    if read is None:
        raise Unusable
    cube, ids, subjects = read
    if len(set(ids)) < len(ids):
        problems.fail(
            f"{files[0]}: stimulus_id {some([i for i in set(ids) if ids.count(i) > 1])} stands more than once"
        )
    order = found.order(ids, problems)
    if not np.allclose(cube, cube.transpose(0, 2, 1), rtol=1e-5, atol=1e-8, equal_nan=True):
        problems.fail(f"{files[0]}: dissimilarities are not symmetric")
    place = [ids.index(one) for one in order]
    coords: dict[str, Any] = {"stimulus_id": ("presentation", order), "other_id": ("other", order)}
    array = xr.DataArray(cube[:, place][:, :, place], dims=("subject", "presentation", "other"), coords=coords)
    if subjects is None:
        return array.isel(subject=0, drop=True), found
    return array.assign_coords(subject=("subject", subjects)).transpose("presentation", "other", "subject"), found
