"""Recordings in CSV or TSV.

A long table has a row a value (stimulus, neuroid, value, and time bins if there are any); a wide one a row a trial and
a column a neuroid. Rows stand in the order in which trials were made, unless `repetition` names a column that says it.
"""

from __future__ import annotations

from collections.abc import Iterable
from fnmatch import fnmatchcase
from pathlib import Path

from pydantic import Field

from brainmark.core.libraries import np, pd
from brainmark.data.packaging.description import Recordings, TablePart, Texts, Window, add_format
from brainmark.data.packaging.names import as_names, compose
from brainmark.data.packaging.problems import Problems, Unusable, some
from brainmark.data.packaging.sessions import NEUROID, Session
from brainmark.data.packaging.tables import as_numbers, as_values, column_of, header, order_of, read_table
from brainmark.data.packaging.where import Where, select_rows
from brainmark.data.packaging.windows import Order, take_windows
from brainmark.data.readers.text_tables import TableLayout

TimeBins = tuple[tuple[float, float], ...]


@add_format("table", ".csv", ".tsv", ".tab", ".txt")
class TableSource(Recordings, TablePart):
    """CSV or TSV. Long: one row a value; wide: one row a trial, one column a neuroid (`neuroids`)."""

    stimulus: str = Field("stimulus_id", description="column: the stimulus")
    value: str = Field("value", description="of long tables and ratings, column: the value")
    neuroid: str = Field("neuroid_id", description="of long tables, column: the neuroid")
    neuroids: Texts = Field((), description="of wide tables: names or patterns of the columns that are neuroids")
    repetition: str | None = Field(None, description="column that orders the trials of a stimulus")
    start: str = Field("time_bin_start", description="of long tables, column: when a time bin starts")
    end: str = Field("time_bin_end", description="of long tables, column: when a time bin ends")
    choice: str = Field("choice", description="of choices, column: what was chosen")
    where: Where = Field((), description='rows that count, such as where.correct = 1 or where = "rt < 2000"')
    windows: tuple[Window, ...] = Field(
        (), description="ms after onset over which time bins are averaged; without bins, when the response was measured"
    )
    one_neuroid: bool = Field(False, description="of long tables: each file holds one neuroid, called as the file")
    stimuli_in_order: Order | None = Field(
        None, description="row i is stimulus i, in the order of the table, the numbers or the names of stimuli"
    )
    neuroid_table: str | None = Field(None, description="table with a row a neuroid: neuroid_id, region, subject, ...")

    def read(self, path: Path, base: Path, problems: Problems) -> Session:
        """Return the trials of a table."""
        table = select_rows(read_table(path, problems, self.layout), self.where, path, problems, self.layout)
        in_order = (self.stimuli_in_order, len(table)) if self.stimuli_in_order else None
        if in_order and not (self.neuroids or self.one_neuroid):
            problems.fail(
                f"{path}: stimuli_in_order needs a row for each presentation; this table has one for each value"
            )
        way = '; say stimulus = "...", or stimuli_in_order = "number" if row i is stimulus i'
        ids = range(len(table)) if in_order else column_of(table, self.stimulus, path, problems, way)
        table = table.assign(**{self.stimulus: as_names(ids)})
        table = table[~table[self.stimulus].isin(self.skip)]
        if self.repetition is not None:
            keys = order_of(column_of(table, self.repetition, path, problems))
            table = table.iloc[np.argsort(keys, kind="stable")]
        session = self._read_wide(table, path, problems) if self.neuroids else self._read_long(table, path, problems)
        session.in_order = in_order
        take_windows(session, self.windows, problems)
        if self.neuroid_table is not None:
            problems.attempt(_describe_neuroids, session, base / self.neuroid_table, problems, self.layout)
        return session

    def describes(self, path: Path) -> Iterable[str]:
        """Return the columns of the table, or of the table of neuroids."""
        return header(path if self.neuroid_table is None else path.parent / self.neuroid_table, self.layout)

    def _read_wide(self, table: pd.DataFrame, path: Path, problems: Problems) -> Session:
        chosen: dict[str, None] = {}
        for pattern in self.neuroids:
            hits = [c for c in map(str, table.columns) if c != self.stimulus and fnmatchcase(c, compose(pattern))]
            if not hits:
                problems.add(f"{path}: no column fits {pattern!r}, which stands for neuroids")
            chosen |= dict.fromkeys(hits)
        if not chosen:
            raise Unusable
        numbers = as_numbers(table[list(chosen)], path, problems, self.layout)
        neuroids = pd.DataFrame({"neuroid_id": list(chosen)})
        for column in (c for c in NEUROID[1:] if c in table.columns and c not in chosen):
            stated = table[column].dropna().unique()
            if len(stated) > 1 and not (column == "session" and self.across_sessions == "same"):
                way = ', or across_sessions = "same" if its neuroids are the same' if column == "session" else ""
                problems.fail(
                    f"{path}: rows are of {len(stated)} {column}s, {some(stated)}; write a table for each, choose one "
                    f'with where.{column} = "{stated[0]}"{way}'
                )
            if len(stated) == 1:
                neuroids[column] = str(stated[0])
        return Session(str(path), table[self.stimulus].to_numpy(str), numbers, neuroids, units=self.units)

    def _read_long(self, table: pd.DataFrame, path: Path, problems: Problems) -> Session:
        way = '; a table with a column for each neuroid says neuroids = "unit_*"'
        if self.one_neuroid:
            neuroid = pd.Series(path.stem, index=table.index, dtype=object)
        else:
            hint = f"{way}, one with one neuroid a file one_neuroid = true"
            neuroid = problems.attempt(column_of, table, self.neuroid, path, problems, hint)
        value = problems.attempt(column_of, table, self.value, path, problems, way)
        if neuroid is None or value is None:
            raise Unusable
        numbers = as_numbers(value.to_frame(), path, problems, self.layout)
        names = as_names(neuroid)
        bins, bin_of = problems.attempt(self._parse_bins, table, path, problems) or ((), np.zeros(len(table), int))
        if self.repetition is None:  # how often its cell stood before
            cell = [table[self.stimulus].to_numpy(), names, bin_of]
            trial = pd.Series(0, index=pd.MultiIndex.from_arrays(cell)).groupby(level=[0, 1, 2]).cumcount().to_numpy()
        else:
            trial = pd.factorize(order_of(table[self.repetition]), sort=True)[0]
        stimulus, shown = pd.factorize(table[self.stimulus])
        rows, place = np.unique(np.stack([trial, stimulus]), axis=1, return_inverse=True)
        who, units = pd.factorize(names)
        if (twice := pd.DataFrame({"t": place.reshape(-1), "n": who, "b": bin_of}).duplicated().to_numpy()).any():
            row = table.loc[twice].iloc[0]
            problems.fail(
                f"{path}: {int(twice.sum())} values stand for one neuroid in one trial, e.g. of stimulus "
                f"{row[self.stimulus]!r}, neuroid {names[twice][0]!r}, {self.repetition} {row[self.repetition]!r}"
            )
        values = np.full((rows.shape[1], len(units), max(len(bins), 1)), np.nan)
        values[place.reshape(-1), who, bin_of] = numbers[:, 0]
        neuroids = pd.DataFrame({"neuroid_id": units.astype(str)})
        for column in (c for c in NEUROID[1:] if c in table.columns):
            each = pd.Series(table[column].to_numpy(), index=who).groupby(level=0)
            if each.nunique().max() > 1:
                torn = units[int(each.nunique().to_numpy().argmax())]
                problems.fail(f"{path}: neuroid {str(torn)!r} has several values of {column!r}; give each its own name")
            neuroids[column] = each.first().reindex(range(len(units))).to_numpy()
        cube = values if bins else values[:, :, 0]
        return Session(str(path), np.asarray(shown, str)[rows[1]], cube, neuroids, bins, self.units)

    def _parse_bins(self, table: pd.DataFrame, path: Path, problems: Problems) -> tuple[TimeBins, np.ndarray]:
        """Return the time bins in ms, in order, and the bin of each row."""
        if self.start not in table.columns and self.end not in table.columns:
            return (), np.zeros(len(table), int)
        start, end = (column_of(table, c, path, problems) for c in (self.start, self.end))
        if self.time_unit is None:
            problems.fail(f'{path}: columns {self.start!r} and {self.end!r} hold times: say time_unit = "ms" or "s"')
        edges = as_numbers(pd.concat([start, end], axis=1), path, problems, self.layout)
        if not (edges[:, 1] > edges[:, 0]).all():
            row = int(np.flatnonzero(~(edges[:, 1] > edges[:, 0]))[0])
            problems.fail(f"{path}: line {table.index[row]} has a time bin that does not end after it starts")
        edges = np.round(edges * (1000.0 if self.time_unit == "s" else 1.0), 6)
        unique, place = np.unique(edges, axis=0, return_inverse=True)
        return tuple((float(a), float(b)) for a, b in unique), place.reshape(-1)


def _describe_neuroids(session: Session, path: Path, problems: Problems, layout: TableLayout) -> None:
    """Add what a table of neuroids knows."""
    known = read_table(path, problems, layout)
    known = known.assign(neuroid_id=as_names(column_of(known, "neuroid_id", path, problems))).drop_duplicates()
    twice = known["neuroid_id"].duplicated()
    if twice.any():
        problems.fail(f"{path}: neuroid_id {some(known['neuroid_id'][twice])} stands on several rows that differ")
    known = known.set_index("neuroid_id")
    own = session.neuroids["neuroid_id"].astype(str)
    lacking = sorted(set(own) - set(known.index))
    if lacking:
        problems.fail(f"{path}: {len(lacking)} of {len(own)} neuroids have no row: {some(lacking)}")
    for column in known.columns:
        of_own = known[column].reindex(own.tolist())
        session.neuroids[column] = of_own.to_numpy() if column in NEUROID else as_values(of_own, layout)
