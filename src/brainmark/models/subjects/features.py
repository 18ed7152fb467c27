"""Features and answers that were computed elsewhere, as a subject: nothing of the model itself is needed to score it.

Rows are matched with stimuli by their identifiers, never by their order unless that is said. Of a file with several
arrays, the one that is called as a region is what is recorded from there; one called ``behavior`` is what behaviour is
read out from; and one called as a question (``choose``, ``match``, ``prefer``, ``odd_one_out``, ``rate``, ``read``)
holds the answers to it. A file with one array of features stands for every region. Answers that `brainmark record`
wrote are given to the experiment that they answer, whatever they are called.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import Any, cast

from brainmark.core import registry
from brainmark.core.cards import ModelCard
from brainmark.core.errors import InvalidModel, NotApplicable, warn
from brainmark.core.experiment import Ask, Choose, Experiment, Rate, Record
from brainmark.core.libraries import np, pd, xr
from brainmark.core.registry import Entry
from brainmark.core.stimuli import Media, Stimuli, content_digest
from brainmark.core.wording import plural
from brainmark.data.feature_files import (
    RowTable,
    check_ids,
    name_rows,
    read_ids,
    read_tables,
    rows_at_once,
    show_some,
)
from brainmark.data.fetch import file_digest
from brainmark.data.packaging.names import as_names
from brainmark.models.subjects.observer import Observer, as_answer
from brainmark.models.subjects.readout import REGIONS, Readout
from brainmark.models.subjects.units import as_recording

BEHAVIOR = "behavior"
"""Name of the array from which behaviour is read out."""
QUESTIONS = ("choose", "match", "prefer", "odd_one_out", "rate", "read", "decide", "move", "next_word")
_DTYPES = frozenset({"f4", "f8"})


def features(
    source: Any,
    *,
    ids: Any = None,
    name: str | None = None,
    regions: Mapping[str, str] | None = None,
    in_order: bool = False,
) -> FeatureSubject:
    """Return features that were computed elsewhere, as something that can be scored.

    Parameters
    ----------
    source : path of a ``.npy``, ``.npz`` or ``.nc`` file, an array (stimuli, units), a mapping of arrays by name, or an
        `xarray` object whose first dimension is stimuli, with a coordinate ``stimulus_id``.
    ids : identifiers of the rows: a path (see `brainmark.data.feature_files`) or a sequence of text.
    name : of the model; by default that of the file.
    regions : region -> name of the array that stands for it, where that is another one.
    in_order : the rows are in the order of the stimuli of the benchmark, and have no identifiers.

    Raises
    ------
    DataError : a file cannot be read; identifiers stand twice, or are not as many as rows.
    InvalidModel : identifiers are missing; arrays are masked, complex, or hold objects; a name is taken.

    >>> score(features("clip.npz", name="lab/clip-api"), "Cowley2023.V4-ridge")  # doctest: +SKIP
    """
    if isinstance(source, str | Path):
        path = Path(source)
        beside = Path(ids) if isinstance(ids, str | Path) else None
        tables = read_tables(path, beside)
        if beside is None and ids is not None:
            tables = name_rows(tables, check_ids(np.asarray(ids), f"identifiers of {path}"))
        parts = [path, beside] if beside else [path]
        content = _digest_of([file_digest(part) for part in parts], [] if beside or ids is None else np.asarray(ids))
    else:
        given = read_ids(Path(ids)) if isinstance(ids, str | Path) else ids
        named = None if given is None else check_ids(np.asarray(given), "identifiers of the features")
        tables = name_rows(_tables_of(source), named)
        content = _digest_of([content_digest(np.ascontiguousarray(t.values)).hex() for t in tables.values()],
                             [*tables, *(t.ids for t in tables.values())])  # fmt: skip
        path = None
    called = _check_name(name or (path.name if path else "features"))
    content = _digest_of([content, str(in_order)], sorted((regions or {}).items()))
    found = FeatureSubject(called, tables, dict(regions or {}), in_order, content)
    found.check()
    return found


def _digest_of(digests: list[str], values: Any) -> str:
    plain = [np.asarray(v).tolist() if v is not None else None for v in values]
    return hashlib.sha256(json.dumps([digests, plain]).encode()).hexdigest()


def _tables_of(source: Any) -> dict[str, RowTable]:
    """Return what is given as arrays, by name."""
    if isinstance(source, xr.Dataset):
        return {str(name): _table_of(array, str(name)) for name, array in source.data_vars.items()}
    if isinstance(source, Mapping):
        given = cast("Mapping[Any, Any]", source)
        return {str(name): _table_of(array, str(name)) for name, array in given.items()}
    return {"": _table_of(source, "")}


def _table_of(array: Any, name: str) -> RowTable:
    where = f"features {name!r}" if name else "features"
    if isinstance(array, np.ma.MaskedArray):
        raise InvalidModel(f"{where}: are a masked array; leave out the stimuli or units that are masked")
    if not isinstance(array, xr.DataArray):
        return RowTable(where, np.asarray(array))
    coords = {str(c): (tuple(map(str, known.dims)), known.values) for c, known in array.coords.items()}
    ids = coords.pop("stimulus_id", None) or coords.pop(str(array.dims[0]), None)
    named = None if ids is None else check_ids(ids[1], f"{where}: stimulus_id")
    return RowTable(where, array.values, named, coords, tuple(map(str, array.dims)))


def _check_name(name: str) -> str:
    if not name or not name.isprintable() or any(c.isspace() or c in "\\'\"" for c in name):
        raise InvalidModel(f"name {name!r}: has white space, quotes or signs that are not printed; give another name")
    if registry.models.get(name):
        raise InvalidModel(f"name {name!r}: is that of a registered model; give these features another name")
    return name


@dataclass(frozen=True, eq=False)
class FeatureSubject:
    """A subject whose answers were computed elsewhere; see `features`.

    Attributes
    ----------
    identifier : name of the model.
    tables : arrays by name.
    regions : region -> name of the array that stands for it.
    in_order : rows are in the order of the stimuli of an experiment.
    content : sha256 over all of this but the name.
    """

    identifier: str
    tables: Mapping[str, RowTable]
    regions: Mapping[str, str] = field(default_factory=dict)
    in_order: bool = False
    content: str = ""

    @cached_property
    def entry(self) -> Entry[Any, ModelCard]:
        """Its card, and the digest on which its scores depend."""
        card = ModelCard(
            summary=f"Features that were computed elsewhere ({', '.join(filter(None, self.tables)) or 'one array'}).",
            licence="not stated", cite="@misc{features, title = {Features that were computed elsewhere}}",
            domain="vision", family="features", regions=(), tags=("features",),
        )  # fmt: skip
        return Entry("model", self.identifier, self._again, card, lambda: self.content)

    def _again(self) -> FeatureSubject:
        return self

    def check(self) -> None:
        """Raise InvalidModel: rows without identifiers, arrays that hold no numbers, or regions without an array."""
        for name, table in self.tables.items():
            kind = table.values.dtype.kind
            if kind == "c":
                raise InvalidModel(f"{table.where}: holds complex numbers; give their real parts, or their magnitudes")
            if kind not in "fiub" and not (name in QUESTIONS and kind in "UST"):
                raise InvalidModel(f"{table.where}: holds {table.values.dtype}; features are numbers")
            if table.ids is None and not self.in_order:
                raise InvalidModel(
                    f"{table.where}: does not say which stimulus each row is; give the identifiers, or say that the "
                    "rows are in the order of the benchmark's stimuli (--in-order)"
                )
            if table.ids is not None and self.in_order:
                raise InvalidModel(f"{table.where}: names its stimuli, so that in_order is not needed; leave it out")
        for region, name in self.regions.items():
            if name not in self.tables:
                raise InvalidModel(f"region {region!r}: there is no array {name!r}, but {self._list_names()}")

    def perform(self, experiment: Experiment) -> xr.DataArray:
        """Return the rows of the stimuli.

        Raises
        ------
        NotApplicable : no array answers what is asked.
        InvalidModel : stimuli have no row; a row holds what is not finite; columns are not those that are asked for.
        """
        ask = experiment.ask
        for table in self.tables.values():
            if table.answers == experiment.digest:
                return self._give_back(table, experiment)
        if isinstance(ask, Record):
            return self._record(self._find(ask.region), experiment, ask)
        question = name_question(ask)
        if question in self.tables:
            return self._answer(self.tables[question], experiment)
        return self._observe(experiment, question)

    # --- recordings

    def _record(self, table: RowTable, experiment: Experiment, ask: Record) -> xr.DataArray:
        if ask.eccentricity is not None:
            raise NotApplicable(f"{table.where}: which units lie near fixation is not known ('brainmark record' does)")
        values, dims = table.values, ["presentation", "neuroid", "time_bin"]
        if len(values.shape) not in (2, 3) or 0 in values.shape:
            raise InvalidModel(f"{table.where}: has shape {values.shape}; features are (stimuli, units)")
        if len(values.shape) == 3:
            self._check_times(table, ask)
        taken = as_numbers(self._take(table, experiment.stimuli.ids, experiment, finite=True))
        units = {
            name: known for name, (along, known) in table.coords.items()
            if len(table.dims) > 1 and along == (table.dims[1],) and name not in ("region", "neuroid_id")
        }  # fmt: skip
        return as_recording(taken, units, experiment, dims[: taken.ndim])

    def _check_times(self, table: RowTable, ask: Record) -> None:
        known = [table.coords.get(f"time_bin_{edge}") for edge in ("start", "end")]
        if None in known or not ask.time_bins:
            asked = f"{len(ask.time_bins)} time bins" if ask.time_bins else "an average over time"
            raise InvalidModel(
                f"{table.where}: has shape {table.values.shape}, and {asked} are asked for; the third dimension is "
                "time bins, with time_bin_start and time_bin_end in ms"
            )
        given = list(zip(*(np.asarray(one[1], float).tolist() for one in known if one), strict=True))
        if given != [tuple(map(float, window)) for window in ask.time_bins]:
            raise InvalidModel(f"{table.where}: has time bins {given[:3]} ms; {list(ask.time_bins)[:3]} are asked for")

    def _find(self, region: str) -> RowTable:
        """Return the array that stands for a region."""
        wanted = self.regions.get(region, region)
        if wanted in self.tables:
            return self.tables[wanted]
        alone = [name for name in self.tables if name not in (*QUESTIONS, BEHAVIOR)]
        if len(alone) == 1 and alone[0] not in find_regions() and not self.tables[alone[0]].answers:
            return self.tables[alone[0]]
        raise NotApplicable(
            f"{self.identifier} has no array for {region!r}, but {self._list_names()}; say which one stands for it "
            f"(--region {region}=NAME)"
        )

    def _list_names(self) -> str:
        return show_some([name for name in self.tables if name]) or "one without a name"

    # --- rows

    def _take(self, table: RowTable, ids: np.ndarray, experiment: Experiment, *, finite: bool) -> np.ndarray:
        """Return the rows of these stimuli, checked to be finite."""
        rows = self._match(table, ids, experiment)
        taken = table.take(rows)
        if finite:
            check_finite(taken, ids, table)
        return taken

    def _match(self, table: RowTable, ids: np.ndarray, experiment: Experiment) -> np.ndarray:
        """Return the row of each stimulus."""
        what = f"{plural('stimulus', len(ids))} of {experiment.stimuli.identifier}"
        if table.ids is None:
            if table.values.shape[0] != len(ids):
                raise InvalidModel(f"{table.where}: has {table.values.shape[0]} rows for the {len(ids)} {what}")
            return np.arange(len(ids))
        rows = pd.Index(table.ids).get_indexer(pd.Index(as_names(ids.tolist())))
        if (rows < 0).any():
            absent = ids[rows < 0].tolist()
            raise InvalidModel(
                f"{table.where}: {len(absent)} of the {len(ids)} {what} have no row, such as {show_some(absent)}; "
                f"rows are called {show_some(table.ids.tolist())}"
            )
        if not table.answers and len(extra := np.delete(table.ids, rows)):
            warn(
                f"{table.where}: {len(extra)} of {len(table.ids)} rows are none of the {len(ids)} {what} and are not "
                f"used, such as {show_some(extra.tolist())}"
            )
        return rows

    # --- behaviour

    def _observe(self, experiment: Experiment, question: str) -> xr.DataArray:
        """Answer by a readout from features, as other models do."""
        name = self.regions.get(BEHAVIOR, BEHAVIOR)
        table = self.tables.get(name) or (self.tables.get("") if len(self.tables) == 1 else None)
        if table is None:
            raise NotApplicable(
                f"{self.identifier} has no array {question!r} of answers and none called 'behavior' to read them from, "
                f"but {self._list_names()}"
            )

        def record(media: Media, _: Readout) -> np.ndarray:
            ids = np.array([str(media[i]) for i in range(len(media))])
            if len(table.values.shape) != 2:
                raise InvalidModel(f"{table.where}: has shape {table.values.shape}; features are (stimuli, units)")
            return as_numbers(self._take(table, ids, experiment, finite=True))

        handed = replace(experiment, stimuli=_by_name(experiment.stimuli), ask=_with_names(experiment.ask))
        observer = Observer(self.identifier, record, behavior=Readout("features"))
        return observer.answer(handed)

    def _answer(self, table: RowTable, experiment: Experiment) -> xr.DataArray:
        """Return answers to a question: one value, or one for each choice."""
        ask, ids = experiment.ask, experiment.answered_ids
        choices = ask.choices() if "choice" in ask.dims else None
        taken = self._take(table, ids, experiment, finite=False)
        if choices is None:
            if taken.ndim != 1:
                raise InvalidModel(f"{table.where}: has shape {table.values.shape}; one answer a row is asked for")
            return as_answer(experiment, as_numbers(taken))
        if taken.ndim == 1 and taken.dtype.kind in "UT":
            unknown = np.setdiff1d(taken, choices.astype(str))
            if len(unknown):
                told = f"there are {show_some(choices.astype(str).tolist())} to choose from"
                raise InvalidModel(f"{table.where}: the answer {str(unknown[0])!r} is no choice; {told}")
            return as_answer(experiment, (taken[:, None] == choices.astype(str)).astype(np.float32), choices)
        if taken.ndim != 2:
            raise InvalidModel(f"{table.where}: has shape {table.values.shape}; answers are (stimuli, choices)")
        order = self._find_columns(table, choices, ask)
        check_finite(taken, ids, table)
        return as_answer(experiment, check_probabilities(as_numbers(taken)[:, order], ids, table), choices)

    def _find_columns(self, table: RowTable, choices: np.ndarray, ask: Ask) -> np.ndarray:
        """Return the column of each choice."""
        count = table.values.shape[1]
        if "choice" not in table.coords:
            if isinstance(ask, Choose):
                raise InvalidModel(
                    f"{table.where}: does not say what its {count} columns stand for; name the 'choices'"
                )
            labels = np.arange(count).astype(str)
        else:
            labels = check_ids(table.coords["choice"][1], f"{table.where}: choices")
        columns = pd.Index(labels).get_indexer(pd.Index(choices.astype(str)))
        if len(labels) != len(choices) or (columns < 0).any():
            raise InvalidModel(
                f"{table.where}: its columns are {show_some(labels.tolist())} ({count}); there are "
                f"{show_some(choices.astype(str).tolist())} ({len(choices)}) to choose from"
            )
        return columns

    # --- answers that were written by `brainmark record`

    def _give_back(self, table: RowTable, experiment: Experiment) -> xr.DataArray:
        taken = self._take(table, experiment.answered_ids, experiment, finite=False)
        coords = {name: known for name, known in table.coords.items() if "presentation" not in known[0]}
        answer = xr.DataArray(taken, dims=table.dims, coords=cast("Any", coords))
        return answer.assign_coords(stimulus_id=("presentation", experiment.answered_ids))


def name_question(ask: Ask) -> str:
    """Return what an array of answers to a question is called: ``odd_one_out`` for `OddOneOut`."""
    return re.sub(r"(?<!^)(?=[A-Z])", "_", type(ask).__name__).lower()


def find_regions() -> frozenset[str]:
    """Return the names of the regions that cards and benchmarks know."""
    return frozenset(REGIONS) | {entry.card.region for entry in registry.benchmarks.entries()}


def as_numbers(values: np.ndarray) -> np.ndarray:
    """Return numbers as float32 or float64 in the byte order of the machine, without loss: (rows, ...)."""
    if values.dtype.isnative and values.dtype.str[1:] in _DTYPES:
        return values
    exact = values.dtype.kind == "b" or values.dtype.itemsize <= 2 or values.dtype.str[1:] == "f4"
    return values.astype(np.float32 if exact else np.float64)


def check_finite(values: np.ndarray, ids: np.ndarray, table: RowTable) -> None:
    """Raise InvalidModel: a number is NaN, infinite or stands for what is missing; names stimulus and column."""
    step = rows_at_once(values)
    for start in range(0, len(values), step):
        block = values[start : start + step]
        wrong = ~np.isfinite(block) if block.dtype.kind == "f" else np.zeros(block.shape, bool)
        for missing in table.missing:
            wrong |= block == missing
        if wrong.any():
            row, *column = np.argwhere(wrong)[0].tolist()
            at = f", column {column[0]}" if column else ""
            held = block[(row, *column)]
            told = "missing" if np.isfinite(held) else held
            more = int(wrong.sum()) - 1
            others = f", and {more} more" if more else ""
            raise InvalidModel(f"{table.where}: stimulus {str(ids[start + row])!r}{at} is {told}{others}")


def check_probabilities(values: np.ndarray, ids: np.ndarray, table: RowTable) -> np.ndarray:
    """Return probabilities (stimuli, choices). Raises InvalidModel: a row is none; names the stimulus."""
    wrong = (values < 0).any(axis=1) | (np.abs(values.sum(axis=1) - 1) > 1e-3)
    if wrong.any():
        row = int(np.flatnonzero(wrong)[0])
        raise InvalidModel(
            f"{table.where}: {int(wrong.sum())} of {len(values)} rows are no probabilities, the first of stimulus "
            f"{str(ids[row])!r} (sum {values[row].sum():.3g}); give numbers from 0 to 1 whose sum is 1"
        )
    return values


def _by_name(stimuli: Stimuli) -> Stimuli:
    """Return stimuli whose media are their identifiers."""
    return replace(stimuli, media=tuple(stimuli.ids.tolist()))


def _with_names(ask: Ask) -> Ask:
    if isinstance(ask, Choose | Rate) and ask.fitting is not None:
        return replace(ask, fitting=_by_name(ask.fitting))
    return ask
