"""Keeps every outcome of a model on a benchmark, so that none is computed twice.

An outcome is found by its key, which says what was compared with what, and holds as long as all is as it was that it
depends on: `depends_on` names each such thing with its version or digest. Rows are added and never changed. A checksum
over the whole row is verified before anything of it is parsed: a row that was edited, or in which a bit was flipped, is
not there, and a warning says so.
"""

from __future__ import annotations

import hashlib
import io
import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cached_property
from typing import Any, TypedDict, Unpack

from sqlalchemy import Connection, Engine, Row, Table, select
from sqlalchemy.dialects import postgresql, sqlite

from brainmark.core.errors import DataError, warn
from brainmark.core.libraries import np, xr
from brainmark.core.score import Failure, Outcome, Score
from brainmark.store.database import begin_reading, begin_writing, open_database, show_url
from brainmark.store.schema import MEASURED, arrays, cards, scores

DRAWS = "draws"
AT_ONCE = 5000
"""Keys that one question to the database names."""
LONG = 40
"""Letters of a value that are shown as they are; of a longer one, such as a digest, the first are."""
UNDECLARED = "code of brainmark"
"""What outcomes depended on before versions were declared: a digest of all code."""
BEFORE = "it was kept when every change of code counted, before versions were declared"
"""All that can be told of such an outcome: it is history, as what its code computed is not known."""
_encode = json.JSONEncoder(ensure_ascii=False).encode  # that of `json.dumps` is made anew for each row
CHECKED = tuple(column.name for column in scores.columns if column.name not in ("id", "record", "checksum"))
"""The columns that the checksum of a row covers, in order; the record has a digest among them."""


@dataclass(frozen=True)
class KeptCard:
    """What was known of a model or a benchmark when it was scored: JSON, see `brainmark.core.cards`."""

    kind: str
    name: str
    text: str

    @property
    def digest(self) -> str:
        """The sha256 that names it."""
        return digest_of(f"{self.kind}\n{self.name}\n{self.text}".encode())


class KeptFacts(TypedDict, total=False):
    """What is known of an outcome beside itself.

    Attributes
    ----------
    layers : "committed" or "chosen", see `brainmark.run.scoring.Layers`.
    convention : prefix of the tree of the benchmark; "" is the convention of Brainmark.
    source : where it was published; by default it was measured here.
    model_card, benchmark_card : as they were then.
    """

    layers: str
    convention: str
    source: str
    model_card: KeptCard | None
    benchmark_card: KeptCard | None


@dataclass(frozen=True)
class ResultStore:
    """The outcomes in a database, see `store.database`."""

    engine: Engine

    @classmethod
    def open(cls, url: str | None = None) -> ResultStore:
        """Return the store at a URL, or that of ``BRAINMARK_STORE`` and ``BRAINMARK_HOME``. Raises DataError."""
        return cls(open_database(url))

    def get(self, key: str, depends_on: Mapping[str, str]) -> Outcome | None:
        """Return the newest outcome of a key that depended on what `depends_on` says, or None. Raises DataError."""
        return self.get_all({key: depends_on}).get(key)

    def get_all(self, wanted: Mapping[str, Mapping[str, str]]) -> dict[str, Outcome]:
        """Return what `get` returns for each key with what it depends on, in few questions to the database.

        Raises
        ------
        DataError : the database cannot be read.
        """
        states = {key: digest_state(depends_on) for key, depends_on in wanted.items()}
        found: dict[str, Outcome] = {}
        for row in self._rows(list(states), list(dict.fromkeys(states.values()))):
            if row.state == states[row.key] and row.key not in found and (plain := read_record(row)):
                outcome = self._make_outcome(row, plain["outcome"])
                found |= {row.key: outcome} if outcome else {}
        return found

    def find_changes(self, key: str, depends_on: Mapping[str, str]) -> tuple[str, ...]:
        """Return what has changed since the score of this key that differs least; () where none is kept."""
        return self.find_all_changes({key: depends_on}).get(key, ())

    def find_all_changes(self, wanted: Mapping[str, Mapping[str, str]]) -> dict[str, tuple[str, ...]]:
        """Return what `find_changes` returns for each key of which a score is kept, in few questions."""
        found: dict[str, tuple[str, ...]] = {}
        for row in self._rows(list(wanted)):
            if row.status == "scored" and (plain := read_record(row, silent=True)):
                differences = list_differences(plain["depends_on"], wanted[row.key])
                found[row.key] = min(found.get(row.key, differences), differences, key=len)
        return found

    def put(self, depends_on: Mapping[str, str], outcome: Outcome, **facts: Unpack[KeptFacts]) -> None:
        """Add an outcome with what it depends on; one that is there already stays as it is.

        Raises
        ------
        DataError : a number of the outcome is not finite, or the database cannot be written to. Nothing is kept then.
        """
        self.put_all([(depends_on, outcome, facts)])

    def put_all(self, outcomes: Iterable[tuple[Mapping[str, str], Outcome, KeptFacts]]) -> int:
        """Add outcomes, all or none; return how many were not there before. Errors: see `put`."""
        prepared = [prepare_row(*one) for one in outcomes]
        with begin_writing(self.engine) as connection:
            return sum(add_row(connection, *one) for one in prepared)

    def read_arrays(self, digest: str) -> bytes:
        """Return the netCDF file of units and draws with this sha256.

        Raises
        ------
        DataError : it is not there, or damaged.
        """
        with begin_reading(self.engine) as connection:
            content = connection.execute(select(arrays.c.content).where(arrays.c.digest == digest)).scalar()
        if content is None or digest_of(content) != digest:
            raise DataError(
                f"the store of scores, {show_url(self.engine)}: the units {digest[:12]}… of a score are damaged"
            )
        return content

    def _rows(self, keys: Sequence[str], states: Sequence[str] = ()) -> Iterator[Row[Any]]:
        """Yield the rows of these keys that were measured, newest first; with `states` those in one of them."""
        few = states if len(states) <= AT_ONCE else ()  # else the caller chooses among all
        for start in range(0, len(keys), AT_ONCE):
            asked = select(scores).where(scores.c.key.in_(keys[start : start + AT_ONCE]), scores.c.source == MEASURED)
            asked = asked.where(scores.c.state.in_(few)) if few else asked
            with begin_reading(self.engine) as connection:
                yield from connection.execute(asked.order_by(scores.c.id.desc())).all()

    def _make_outcome(self, row: Row[Any], plain: Mapping[str, Any]) -> Outcome | None:
        try:
            if row.status != "scored":
                return Failure(plain["benchmark"], plain["subject"], plain["failure"], plain["reason"])
            score = KeptScore.from_dict(plain)
        except (DataError, KeyError, TypeError) as error:
            _warn_of_damage(row, f": {error}")
            return None
        if row.arrays:
            for name in ("units", "draws"):
                del score.__dict__[name]
            score.__dict__.update(_store=self, _digest=row.arrays)
        return score


@dataclass(frozen=True, eq=False, repr=False)
class KeptScore(Score):
    """A score that was kept; its units and draws are read when they are first used."""

    @cached_property
    def _arrays(self) -> xr.Dataset | None:
        if "_store" not in self.__dict__:
            return None
        content = self.__dict__["_store"].read_arrays(self.__dict__["_digest"])
        return xr.load_dataset(io.BytesIO(content), engine="h5netcdf")

    @cached_property
    def units(self) -> xr.Dataset | None:  # pyright: ignore[reportIncompatibleVariableOverride]
        """See `Score`."""
        return None if self._arrays is None else self._arrays.drop_vars(DRAWS, errors="ignore")

    @cached_property
    def draws(self) -> np.ndarray | None:  # pyright: ignore[reportIncompatibleVariableOverride]
        """See `Score`."""
        return self._arrays[DRAWS].values if self._arrays is not None and DRAWS in self._arrays else None


def read_record(row: Row[Any], silent: bool = False) -> dict[str, Any] | None:
    """Return the record of a row whose checksums are right; None, and a warning, where one is not."""
    if digest_of(row.record.encode()) != row.record_digest:
        if not silent:
            _warn_of_damage(row)
        return None
    return json.loads(row.record) if is_whole(row, silent) else None


def is_whole(row: Row[Any], silent: bool = False) -> bool:
    """Whether the columns of a row are as they were written; a warning says which row is not."""
    whole = _digest_values([getattr(row, name) for name in CHECKED]) == row.checksum
    if not whole and not silent:
        _warn_of_damage(row)
    return whole


def _warn_of_damage(row: Row[Any], why: str = "") -> None:
    told = f"{row.model!r} on {row.benchmark!r} (row {row.id} of the store){why}"
    warn(f"an outcome that was kept is left out, as it is damaged or was changed: {told}")


def key_of(model: str, benchmark: str, layers: str) -> str:
    """Return the key under which the outcomes of a model on a benchmark are kept."""
    return digest_of(json.dumps(["score", model, benchmark, layers]).encode())


def digest_state(depends_on: Mapping[str, str]) -> str:
    """Return the sha256 over all that an outcome depends on."""
    return digest_lines(list_lines(depends_on))


def list_lines(depends_on: Mapping[str, str]) -> list[str]:
    """Return each thing that an outcome depends on as a line, from which `digest_lines` makes the state."""
    return [f"{name}={value!r}" for name, value in depends_on.items()]


def digest_lines(lines: Iterable[str]) -> str:
    """Return the sha256 over lines in any order."""
    return digest_of("\n".join(sorted(lines)).encode())


def checksum_of(row: Mapping[str, Any]) -> str:
    """Return the sha256 over the columns of a row, but its id and the checksum itself."""
    return _digest_values([row[name] for name in CHECKED])


def _digest_values(values: list[Any]) -> str:
    return hashlib.sha256(_encode(values).encode()).hexdigest()


def digest_of(content: bytes) -> str:
    """Return the sha256, by which contents and cards are named."""
    return hashlib.sha256(content).hexdigest()


def prepare_row(
    depends_on: Mapping[str, str], outcome: Outcome, facts: KeptFacts
) -> tuple[dict[str, Any], bytes, list[KeptCard]]:
    """Return the row of an outcome, its arrays and its cards. Raises DataError: a number is not finite."""
    try:
        plain = {"depends_on": dict(depends_on), "outcome": outcome.to_dict()}
        record = json.dumps(plain, sort_keys=True, allow_nan=False)
    except ValueError as error:
        who = f"the outcome of {outcome.subject} on {outcome.benchmark}"
        raise DataError(f"cannot keep {who}: a number of it is not finite ({error})") from None
    content = _pack_arrays(outcome) if isinstance(outcome, Score) else b""
    known = {kind: card for kind in ("model_card", "benchmark_card") if (card := facts.get(kind))}
    layers = facts.get("layers", "committed")
    row = _columns_of(outcome) | {
        "key": key_of(outcome.subject, outcome.benchmark, layers),
        "state": digest_state(depends_on),
        "layers": layers,
        "source": facts.get("source", MEASURED),
        "convention": facts.get("convention", ""),
        "record": record,
        "record_digest": digest_of(record.encode()),
        "arrays": digest_of(content) if content else None,
        "model_card": known["model_card"].digest if "model_card" in known else None,
        "benchmark_card": known["benchmark_card"].digest if "benchmark_card" in known else None,
    }
    return row | {"checksum": checksum_of(row)}, content, list(known.values())


def add_row(connection: Connection, row: Mapping[str, Any], content: bytes, known: Iterable[KeptCard]) -> bool:
    """Add a row with its arrays and cards unless it is there; return whether it was not."""
    same = [scores.c[name] == row[name] for name in ("key", "state", "source", "status")]
    if connection.execute(select(scores.c.id).where(*same)).first():
        return False
    for card in known:
        _add_once(connection, cards, card.digest, {"kind": card.kind, "name": card.name, "card": card.text})
    if content:
        _add_once(connection, arrays, row["arrays"], {"content": content})
    return _insert_new(connection, scores, row)


def _columns_of(outcome: Outcome) -> dict[str, Any]:
    """Return the columns of a row that are there to be queried."""
    row: dict[str, Any] = {"model": outcome.subject, "benchmark": outcome.benchmark}
    numbers = dict.fromkeys(("value", "raw", "ceiling", "low", "high", "seconds", "memory"))
    if isinstance(outcome, Failure):
        status = "not_applicable" if outcome.kind == "not_applicable" else "failed"
        return {**row, **numbers, "status": status, "created": _now()}
    low, high = outcome.interval or (None, None)
    numbers |= {"value": outcome.value, "raw": outcome.raw, "ceiling": outcome.ceiling, "low": low, "high": high}
    if outcome.stamp:
        numbers |= {"seconds": outcome.stamp.seconds, "memory": outcome.stamp.peak_memory}
    return {**row, **numbers, "status": "scored", "created": outcome.stamp.created if outcome.stamp else _now()}


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="seconds")


def _pack_arrays(score: Score) -> bytes:
    """Return units and draws as a netCDF file; empty where there are none."""
    if score.units is None:
        return b""
    packed = score.units if score.draws is None else score.units.assign({DRAWS: (DRAWS, score.draws)})
    return bytes(packed.to_netcdf(engine="h5netcdf"))


def _add_once(connection: Connection, table: Table, digest: str, columns: Mapping[str, Any]) -> None:
    if not connection.execute(select(table.c.digest).where(table.c.digest == digest)).first():
        _insert_new(connection, table, {"digest": digest, **columns})


def _insert_new(connection: Connection, table: Table, row: Mapping[str, Any]) -> bool:
    """Insert a row unless another process has just done so; return whether it was inserted."""
    insert = {"sqlite": sqlite.insert, "postgresql": postgresql.insert}[connection.dialect.name]
    added = insert(table).values(**row).on_conflict_do_nothing().returning(*table.primary_key)
    return connection.execute(added).first() is not None


def list_differences(depended: Mapping[str, str], now: Mapping[str, str]) -> tuple[str, ...]:
    """Return in words what is not as it was of all that an outcome depended on, or what it depends on now."""
    if UNDECLARED in depended and UNDECLARED not in now:
        return (BEFORE,)
    return tuple(
        f"{name} was {_shorten(depended.get(name))}, now {_shorten(now.get(name))}"
        for name in dict.fromkeys((*depended, *now))
        if now.get(name) != depended.get(name)
    )


def _shorten(version: str | None) -> str:
    if version is None:
        return "absent"
    return version if len(version) <= LONG else f"{version[:12]}…"
