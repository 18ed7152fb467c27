"""Sessions: the trials that a reader takes from its files, and how several sessions become one measurement.

Neuroids of several animals or sessions are joined along ``neuroid``: each has its own identifier, and NaN where it was
not measured. Trials of a stimulus stand along ``repetition`` in the order in which they were made; where some stimuli
(or some neuroids) have fewer, the rest is NaN.
"""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import dataclass, field
from typing import Any

from brainmark.core.libraries import np, pd, xr
from brainmark.data.packaging.problems import Problems, some
from brainmark.data.packaging.times import check_time_bins

NEUROID = ("neuroid_id", "region", "subject", "session")
SPECIES = {
    "macaca": "macaque", "rhesus": "macaque", "homo sapiens": "human", "mus musculus": "mouse",
    "rattus": "rat", "callithrix": "marmoset", "mustela": "ferret", "felis": "cat", "danio": "zebrafish",
}  # fmt: skip
"""How binomial names begin, and the name of the field."""
_TAKEN = frozenset([
    "presentation", "neuroid", "time_bin", "repetition", "stimulus_id", "time_bin_start", "time_bin_end", "measurement",
])  # fmt: skip


def common_name(species: str) -> str:
    """Return how the field calls a species: "Macaca mulatta" -> "macaque"."""
    return next((name for start, name in SPECIES.items() if species.strip().lower().startswith(start)), species.strip())


@dataclass(eq=False)
class Session:
    """Trials from one file.

    Attributes
    ----------
    where : the file, for messages.
    stimulus_ids : (trial,).
    values : (trial, neuroid) or (trial, neuroid, time_bin); NaN: not measured.
    neuroids : a row a neuroid; columns ``neuroid_id``, ``region``, ``subject``, ``session`` as far as they are known.
    time_bins : (start, end) in ms after onset.
    units : of the values.
    facts : what the file states beside: species, licence, cite ...
    places : where neuroids with these identifiers lie, such as the grid of the voxels, if the file says it.
    in_order : how the stimuli are ordered and how many presentations there are, where `stimulus_ids` are places.
    """

    where: str
    stimulus_ids: np.ndarray
    values: np.ndarray
    neuroids: pd.DataFrame
    time_bins: tuple[tuple[float, float], ...] = ()
    units: str | None = None
    facts: dict[str, Any] = field(default_factory=dict[str, Any])
    places: str | None = None
    in_order: tuple[str, int] | None = None


def check_session(session: Session, problems: Problems) -> None:
    """Add what a session lacks: regions, subjects, units, trials with a stimulus."""
    where, count = session.where, len(session.neuroids)
    for what, number in (("neuroid", count), ("trial", len(session.stimulus_ids))):
        if not number:
            problems.add(f"{where}: no {what} is left")
    for column, way in (
        ("region", 'region = "V4" for all, or a region for each neuroid'),
        ("subject", 'subject = "monkey A" for all, or a subject for each neuroid'),
    ):
        known = session.neuroids.get(column)
        lacking = count if known is None else int((known.isna() | (known.astype(str).str.strip() == "")).sum())
        if lacking:
            problems.add(f"{where}: {lacking} of {count} neuroids have no {column}; say {way}")
    ids = session.neuroids["neuroid_id"].astype(str)
    if ids.duplicated().any():
        twice = ids[ids.duplicated()].unique()
        problems.add(f"{where}: neuroid_id {some(twice)} stands more than once; give every neuroid its own")
    if not session.units:
        problems.add(f'{where}: the units of the values are missing; say units = "spikes/s" (or "z", "percent", ...)')
    nameless = np.flatnonzero(pd.isna(session.stimulus_ids) | (session.stimulus_ids == ""))
    if len(nameless):
        rows = some([int(r) for r in nameless])
        problems.add(
            f'{where}: {len(nameless)} trials name no stimulus (rows {rows}); if nothing was shown, skip = [""]'
        )
    if np.isinf(session.values).any():
        problems.add(f"{where}: {int(np.isinf(session.values).sum())} values are infinite; NaN means not measured")
    check_time_bins(session.time_bins, where, problems)


def check_together(sessions: list[Session], problems: Problems) -> None:
    """Add what keeps sessions from being put together: other units or time bins."""
    for what, of in (("units", "units"), ("time bins", "time_bins")):
        seen = {getattr(s, of): s.where for s in reversed(sessions)}
        if len(seen) > 1:
            (one, there), (other, here) = list(seen.items())[:2]
            problems.add(f"{what} differ: {one!r} in {there}, {other!r} in {here}; package them apart, or convert them")
    _check_places(sessions, problems)


def _check_places(sessions: list[Session], problems: Problems) -> None:
    """Add files in which one identifier stands for several places, such as a voxel of grids that are mirror images."""
    seen: dict[tuple[str, str], Session] = {}
    for session in sessions:
        if session.places is None or "subject" not in session.neuroids:
            continue
        for key in zip(
            session.neuroids["subject"].astype(str), session.neuroids["neuroid_id"].astype(str), strict=True
        ):
            other = seen.setdefault(key, session)
            if other.places != session.places:
                problems.add(
                    f"{session.where}: neuroid {key[1]!r} of {key[0]!r} lies elsewhere than in {other.where}: here the "
                    f"places are {session.places}, there {other.places}; bring all runs to one grid"
                )
                break


def name_neuroids(sessions: list[Session], across: str | None, problems: Problems) -> list[list[str]]:
    """Return the identifier of each neuroid of each session, unique over all unless it is the same neuron.

    `across` is "same" or "different", as the description states for neuroids with the same identifier in several
    files. Where an identifier alone is not unique, the subject, and the session if needed, precede it.
    """
    plain = [s.neuroids["neuroid_id"].astype(str).tolist() for s in sessions]
    subjects = [s.neuroids["subject"].astype(str).tolist() for s in sessions]
    full = [list(zip(*pair, strict=True)) for pair in zip(subjects, plain, strict=True)]
    sightings = Counter(key for keys in full for key in set(keys))
    shared = {key for key, count in sightings.items() if count > 1}
    if shared and across is None:
        subject, one = sorted(shared)[0]
        problems.add(
            f"{len(shared)} neuroids stand in several files under one identifier, e.g. {one!r} of {subject!r}: say "
            'across_sessions = "same" if these are the same neurons, "different" if not'
        )
        return plain
    subjects_of: dict[str, set[str]] = {}
    for subject, one in sightings:
        subjects_of.setdefault(one, set()).add(subject)
    names = [[f"{s}/{n}" if len(subjects_of[n]) > 1 else n for s, n in keys] for keys in full]
    if across == "different":
        names = [
            [f"{session}/{name}" if key in shared else name for name, key in zip(row, keys, strict=True)]
            for session, row, keys in zip(_session_names(sessions), names, full, strict=True)
        ]
    return names


def _session_names(sessions: list[Session]) -> list[str]:
    """Return the name of each session: as it is known, else its number; unique."""
    given = [str(s.neuroids["session"].iloc[0]) if "session" in s.neuroids else "" for s in sessions]
    unique = len(set(given)) == len(given) and all(given)
    return given if unique else [f"session{number}" for number in range(1, len(sessions) + 1)]


def join_sessions(sessions: list[Session], names: list[list[str]], order: list[str]) -> xr.DataArray:
    """Return one measurement: presentation x neuroid [x time_bin] [x repetition]; a single bin is no dimension.

    Parameters
    ----------
    sessions, names : from `name_neuroids`.
    order : stimulus identifiers in the order of presentations; every trial's stimulus is among them.
    """
    columns = {name: place for place, name in enumerate(dict.fromkeys(n for row in names for n in row))}
    rows = {one: place for place, one in enumerate(order)}
    single = len(sessions[0].time_bins) == 1  # the response as a whole: its window becomes an attribute
    bins = () if single else sessions[0].time_bins
    stimulus = [np.array([rows[one] for one in s.stimulus_ids], int) for s in sessions]
    slots, most = _slots(stimulus, names, len(order), len(columns), columns)
    dtype = np.result_type(*[s.values.dtype if s.values.dtype.kind == "f" else np.float32 for s in sessions])
    shape = (len(order), most, len(columns), *([len(bins)] if bins else []))
    cube = np.full(shape, np.nan, dtype)
    for session, own, where, slot in zip(sessions, names, stimulus, slots, strict=True):
        cube[where[:, None], slot[:, None], np.array([columns[n] for n in own])[None]] = (
            session.values[:, :, 0] if single and session.values.ndim == 3 else session.values
        )
    dims = ("presentation", "repetition", "neuroid", *(["time_bin"] if bins else []))
    measured = xr.DataArray(cube, dims=dims, coords={"stimulus_id": ("presentation", np.array(order, str))})
    measured.attrs["units"] = str(sessions[0].units)
    measured = measured.assign_coords(_along_neuroids(sessions, names, list(columns)))
    if bins:
        edges = np.array(bins, float)
        measured = measured.assign_coords(
            time_bin_start=("time_bin", edges[:, 0]), time_bin_end=("time_bin", edges[:, 1])
        )
    elif single:
        start, end = sessions[0].time_bins[0]
        measured.attrs |= {"time_bin_start": start, "time_bin_end": end}
    measured = measured.transpose("presentation", "neuroid", *(["time_bin"] if bins else []), "repetition")
    return measured if most > 1 else measured.isel(repetition=0, drop=True)


def _slots(
    stimulus: list[np.ndarray], names: list[list[str]], count: int, neuroids: int, columns: dict[str, int]
) -> tuple[list[np.ndarray], int]:
    """Return slot of each trial along repetition; sessions that share neurons go on where the one before stopped."""
    used = np.zeros((count, neuroids), np.int32)
    slots: list[np.ndarray] = []
    for trials, own in zip(stimulus, names, strict=True):
        mine = np.array([columns[n] for n in own])
        begun = used[:, mine].max(axis=1)
        slot = begun[trials] + pd.Series(trials).groupby(trials).cumcount().to_numpy()
        made = np.bincount(trials, minlength=count)
        used[:, mine] = np.where(made[:, None] > 0, begun[:, None] + made[:, None], used[:, mine])
        slots.append(slot)
    return slots, int(used.max())


def _along_neuroids(sessions: list[Session], names: list[list[str]], order: list[str]) -> dict[str, Any]:
    """Return the coordinates along neuroid; of a neuron in several sessions as the first states them."""
    frames = [s.neuroids.assign(neuroid_id=own) for s, own in zip(sessions, names, strict=True)]
    table = pd.concat(frames, ignore_index=True).drop_duplicates("neuroid_id").set_index("neuroid_id").loc[order]
    coordinates: dict[str, Any] = {"neuroid_id": ("neuroid", np.array(order, str))}
    for column in table.columns:
        values, name = table[column], re.sub(r"\W", "_", str(column))
        if values.isna().all() or name in _TAKEN:
            continue
        numbers = pd.api.types.is_numeric_dtype(values) and not pd.api.types.is_bool_dtype(values)
        coordinates[name] = (
            "neuroid",
            values.to_numpy(float if values.isna().any() else None) if numbers else _texts(values),
        )
    return coordinates


def _texts(values: pd.Series) -> np.ndarray:
    return np.array(["" if pd.isna(v) else str(v) for v in values], dtype=str)
