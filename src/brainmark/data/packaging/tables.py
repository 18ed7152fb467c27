"""Recordings, choices and ratings in CSV or TSV.

A long table has a row a value (stimulus, neuroid, value, and time bins if there are any); a wide one a row a trial and
a column a neuroid. Rows stand in the order in which trials were made, unless `repetition` names a column that says it.
"""

from __future__ import annotations

from fnmatch import fnmatchcase
from pathlib import Path

from brainmark.core.libraries import np, pd
from brainmark.data.packaging.problems import Problems, some
from brainmark.data.packaging.sessions import NEUROID, Session
from brainmark.data.packaging.spec import TableSource
from brainmark.data.packaging.stimuli import as_names, column_of, read_table


def read_trials(path: Path, told: TableSource, base: Path, problems: Problems) -> Session | None:
    """Return the trials of a table; what is missing goes to `problems`."""
    table = read_table(path, problems)
    if table is None:
        return None
    ids = column_of(table, told.stimulus, path, problems, '; say stimulus = "..."')
    if ids is None:
        return None
    table = table.assign(**{told.stimulus: as_names(ids)})
    table = table[~table[told.stimulus].isin(told.skip)]
    if told.repetition is not None:
        if column_of(table, told.repetition, path, problems) is None:
            return None
        table = table.sort_values(told.repetition, kind="stable")
    session = _wide(table, path, told, problems) if told.neuroids else _long(table, path, told, problems)
    if session is not None:
        _describe_neuroids(session, told, base, problems)
    return session


def _wide(table: pd.DataFrame, path: Path, told: TableSource, problems: Problems) -> Session | None:
    chosen: dict[str, None] = {}
    for pattern in told.neuroids:
        hits = [c for c in map(str, table.columns) if c != told.stimulus and fnmatchcase(c, pattern)]
        if not hits:
            problems.add(f"{path}: no column fits {pattern!r}, which stands for neuroids")
        chosen |= dict.fromkeys(hits)
    if not chosen:
        return None
    numbers = _numbers(table[list(chosen)], path, problems)
    if numbers is None:
        return None
    neuroids = pd.DataFrame({"neuroid_id": list(chosen)})
    return Session(str(path), table[told.stimulus].to_numpy(str), numbers, neuroids, units=told.units)


def _long(table: pd.DataFrame, path: Path, told: TableSource, problems: Problems) -> Session | None:
    way = '; a table with a column for each neuroid says neuroids = "unit_*"'
    neuroid = column_of(table, told.neuroid, path, problems, way)
    value = column_of(table, told.value, path, problems, way)
    if neuroid is None or value is None:
        return None
    numbers = _numbers(value.to_frame(), path, problems)
    if numbers is None:
        return None
    names = as_names(neuroid)
    bins, bin_of = _time_bins(table, path, told, problems)
    key = pd.MultiIndex.from_arrays([table[told.stimulus], names, bin_of])
    trial = _trial_of(table, told, key)
    stimulus, shown = pd.factorize(table[told.stimulus])
    rows, place = np.unique(np.stack([trial, stimulus]), axis=1, return_inverse=True)
    who, units = pd.factorize(names)
    if (twice := pd.DataFrame({"t": place.reshape(-1), "n": who, "b": bin_of}).duplicated().to_numpy()).any():
        row = table.loc[twice].iloc[0]
        problems.add(
            f"{path}: {int(twice.sum())} values stand for one neuroid in one trial, e.g. of stimulus "
            f"{row[told.stimulus]!r}, neuroid {row[told.neuroid]!r}, {told.repetition} {row[told.repetition]!r}"
        )
        return None
    values = np.full((rows.shape[1], len(units), max(len(bins), 1)), np.nan)
    values[place.reshape(-1), who, bin_of] = numbers[:, 0]
    extra = [c for c in NEUROID[1:] if c in table.columns]
    neuroids = pd.DataFrame({"neuroid_id": units.astype(str)})
    for column in extra:
        each = pd.Series(table[column].to_numpy(), index=who).groupby(level=0)
        if each.nunique().max() > 1:
            bad = units[int(each.nunique().to_numpy().argmax())]
            problems.add(f"{path}: neuroid {str(bad)!r} has several values of {column!r}")
            return None
        neuroids[column] = each.first().reindex(range(len(units))).to_numpy()
    cube = values if bins else values[:, :, 0]
    return Session(str(path), np.asarray(shown, str)[rows[1]], cube, neuroids, bins, told.units)


def _trial_of(table: pd.DataFrame, told: TableSource, key: pd.MultiIndex) -> np.ndarray:
    """Number of the trial of each row: as the column says, else how often its cell stood before."""
    if told.repetition is not None:
        return pd.factorize(table[told.repetition], sort=True)[0]
    return pd.Series(np.zeros(len(key)), index=key).groupby(level=[0, 1, 2]).cumcount().to_numpy()


def _time_bins(
    table: pd.DataFrame, path: Path, told: TableSource, problems: Problems
) -> tuple[tuple[tuple[float, float], ...], np.ndarray]:
    """Time bins in ms, in order, and the bin of each row."""
    none = np.zeros(len(table), int)
    if told.start not in table.columns and told.end not in table.columns:
        return (), none
    start, end = (column_of(table, c, path, problems) for c in (told.start, told.end))
    if start is None or end is None:
        return (), none
    if told.time_unit is None:
        problems.add(f'{path}: columns {told.start!r} and {told.end!r} hold times: say time_unit = "ms" or "s"')
        return (), none
    edges = _numbers(pd.concat([start, end], axis=1), path, problems)
    if edges is None:
        return (), none
    if not (edges[:, 1] > edges[:, 0]).all():
        row = int(np.flatnonzero(~(edges[:, 1] > edges[:, 0]))[0])
        problems.add(f"{path}: row {row} has a time bin that does not end after it starts")
        return (), none
    edges = np.round(edges * (1000.0 if told.time_unit == "s" else 1.0), 6)
    unique, place = np.unique(edges, axis=0, return_inverse=True)
    return tuple((float(a), float(b)) for a, b in unique), place.reshape(-1)


def _numbers(columns: pd.DataFrame, path: Path, problems: Problems) -> np.ndarray | None:
    """Return columns as numbers; text among them is named by column and row."""
    numbers = columns.apply(pd.to_numeric, errors="coerce")
    bad = numbers.isna() & columns.notna()
    if bad.to_numpy().any():
        row, column = (int(i) for i in np.argwhere(bad.to_numpy())[0])
        problems.add(
            f"{path}: column {str(columns.columns[column])!r} holds {columns.iloc[row, column]!r} in row {row}, "
            f"which is no number ({int(bad.to_numpy().sum())} such fields); leave empty what was not measured"
        )
        return None
    return numbers.to_numpy(float)


def _describe_neuroids(session: Session, told: TableSource, base: Path, problems: Problems) -> None:
    """Add what a table of neuroids knows, then what is said of all."""
    if told.neuroid_table is not None:
        path = base / told.neuroid_table
        known = read_table(path, problems)
        ids = None if known is None else column_of(known, "neuroid_id", path, problems)
        if known is None or ids is None:
            return
        known = known.assign(neuroid_id=as_names(ids)).drop_duplicates("neuroid_id").set_index("neuroid_id")
        own = session.neuroids["neuroid_id"].astype(str)
        lacking = sorted(set(own) - set(known.index))
        if lacking:
            problems.add(f"{path}: {len(lacking)} of {len(own)} neuroids have no row: {some(lacking)}")
            return
        for column in known.columns:
            session.neuroids[column] = known[column].reindex(own.tolist()).to_numpy()


def read_answers(path: Path, told: TableSource, problems: Problems) -> pd.DataFrame | None:
    """Return choices or ratings as a table with the columns ``stimulus_id``, ``subject``, ``answer``, a row a trial."""
    table = read_table(path, problems)
    if table is None:
        return None
    answer = told.choice if told.kind == "choices" else told.value
    wanted = {"stimulus_id": told.stimulus, "answer": answer}
    ways = {"stimulus_id": "stimulus", "answer": "choice" if told.kind == "choices" else "value"}
    found = {n: column_of(table, c, path, problems, f'; say {ways[n]} = "..."') for n, c in wanted.items()}
    if any(column is None for column in found.values()):
        return None
    subject = table["subject"] if "subject" in table.columns else told.subject
    made = pd.DataFrame(
        {"stimulus_id": as_names(found["stimulus_id"]), "answer": found["answer"], "subject": subject}  # pyright: ignore[reportArgumentType]
    )
    if made["subject"].isna().any():
        problems.add(f'{path}: who answered is missing; add a column "subject", or say subject = "..."')
        return None
    made["subject"] = as_names(made["subject"])
    if told.kind == "ratings":
        numbers = _numbers(made[["answer"]], path, problems)
        if numbers is None:
            return None
        made["answer"] = numbers[:, 0]
    return made[~made["stimulus_id"].isin(told.skip)]
