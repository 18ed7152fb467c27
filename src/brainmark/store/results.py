"""Scores on disk: one file for each score, with a checksum over all of it, written completely.

The first line of a record is its format and the sha256 of all that follows. Then come, as lines of JSON, the key with
all that the score depends on, and the score; the rest is a netCDF file of units and draws. Nothing is parsed before the
checksum is right: a file that was cut, edited or renamed, or in which a bit was flipped, is not there, and a warning
says so.
Scores that earlier versions kept (a JSON file without a checksum) are not read; they are computed anew.
"""

from __future__ import annotations

import hashlib
import io
import json
import os
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from brainmark.core.errors import DataError, warn
from brainmark.core.libraries import np, xr
from brainmark.core.score import Score
from brainmark.data.writing import write_whole

FORMAT = b"brainmark-score-2"
ENDING = ".score"
DRAWS = "draws"


@dataclass(frozen=True, eq=False)
class StoredScore(Score):
    """A score that was kept; its units and draws are read when they are first used."""

    @cached_property
    def _arrays(self) -> xr.Dataset | None:
        _, (_, _, content) = _read(self.__dict__["_record"], self.__dict__["_digest"])
        # by path, xarray would keep it open
        return xr.load_dataset(io.BytesIO(content), engine="h5netcdf") if content else None

    @cached_property
    def units(self) -> xr.Dataset | None:  # pyright: ignore[reportIncompatibleVariableOverride]
        """See `Score`."""
        return None if self._arrays is None else self._arrays.drop_vars(DRAWS, errors="ignore")

    @cached_property
    def draws(self) -> np.ndarray | None:  # pyright: ignore[reportIncompatibleVariableOverride]
        """See `Score`."""
        return self._arrays[DRAWS].values if self._arrays is not None and DRAWS in self._arrays else None


@dataclass(frozen=True)
class ResultStore:
    """Keeps scores, so that no score is computed twice.

    A score is found by its key, which says what was compared with what, and holds as long as everything is as it was
    that it depends on: `depends_on` names each such thing with its version or digest. Scores of one key that depend on
    other versions stand beside each other.
    """

    folder: Path

    def get(self, key: str, depends_on: Mapping[str, str]) -> Score | None:
        """Return the score of this key for which all that it depends on is as `depends_on` says, or None."""
        for record in self._records(key):
            kept = _parse(record, key)
            if kept and not _differences(kept[1], depends_on):
                return kept[0]
        return None

    def find_changes(self, key: str, depends_on: Mapping[str, str]) -> tuple[str, ...]:
        """Return what has changed since the score of this key was kept that differs least; () where there is none."""
        kept = [parsed for record in self._records(key) if (parsed := _parse(record, key, silent=True))]
        return min((_differences(depended, depends_on) for _, depended in kept), key=len, default=())

    def put(self, key: str, depends_on: Mapping[str, str], score: Score) -> Path:
        """Store a score with what it depends on; return where.

        Raises
        ------
        DataError : the folder cannot be written to, the disk is full, or a number of the score is not finite. Nothing
            is left behind.
        """
        who = f"the score of {score.subject} on {score.benchmark}"
        head = json.dumps({"key": key, "depends_on": dict(depends_on)}, sort_keys=True)
        try:
            plain = json.dumps(score.to_dict(), allow_nan=False)
        except ValueError as error:
            raise DataError(f"cannot store {who}: a number of it is not finite ({error})") from None
        content = b""
        if score.units is not None:
            arrays = score.units if score.draws is None else score.units.assign({DRAWS: (DRAWS, score.draws)})
            content = bytes(arrays.to_netcdf(engine="h5netcdf"))
        body = f"{head}\n{plain}\n".encode() + content
        name = hashlib.sha256(json.dumps(dict(depends_on), sort_keys=True).encode()).hexdigest()[:16]
        record = Path(self._place(key), f"{name}{ENDING}")
        try:
            write_whole(record, b"%s %s\n%s" % (FORMAT, hashlib.sha256(body).hexdigest().encode(), body))
        except OSError as error:
            raise DataError(
                f"cannot store {who} in {record.parent}: "
                f"{error.strerror or error}; set BRAINMARK_HOME to a writable folder with space"
            ) from error
        return record

    def _place(self, key: str) -> str:
        return os.path.join(self.folder, key[:2], key)  # noqa: PTH118 - pathlib is slow where records are many

    def _records(self, key: str) -> list[str]:
        place = self._place(key)
        try:
            return sorted(f"{place}/{name}" for name in os.listdir(place) if name.endswith(ENDING))  # noqa: PTH208
        except OSError:
            return []


def _read(record: str, digest: str = "") -> tuple[str, list[bytes]]:
    """Return checksum and parts of a record. Raises DataError: it cannot be read, or its checksum is another."""
    try:
        with open(record, "rb") as file:  # noqa: PTH123
            head, _, body = file.read().partition(b"\n")
    except OSError as error:
        raise DataError(f"{record}: cannot be read ({error.strerror or error})") from None
    found = hashlib.sha256(body).hexdigest()
    if head != b"%s %s" % (FORMAT, found.encode()) or (digest and digest != found):
        raise DataError(f"{record}: is damaged, or was changed (its checksum is another)")
    return found, body.split(b"\n", 2)


def _parse(record: str, key: str, silent: bool = False) -> tuple[Score, dict[str, str]] | None:
    """Return the score of a record and what it depends on; None, and a warning, where it is damaged."""
    try:
        digest, (head, plain, content) = _read(record)
        found: dict[str, Any] = json.loads(head)
        if found["key"] != key:
            raise DataError(f"{record}: holds the score of another key; it was renamed")
        score = StoredScore.from_dict(plain)
        depends_on = {str(name): str(version) for name, version in found["depends_on"].items()}
    except (DataError, ValueError, TypeError, KeyError, AttributeError, RecursionError) as error:
        if not silent:
            told = str(error) if isinstance(error, DataError) else f"{record}: {type(error).__name__}: {error}"
            warn(f"a score that was kept is left out: {told}")
        return None
    if content:
        for name in ("units", "draws"):
            del score.__dict__[name]
        score.__dict__.update(_record=record, _digest=digest)
    return score, depends_on


def _differences(depended: Mapping[str, str], now: Mapping[str, str]) -> tuple[str, ...]:
    """Return in words what is not as it was of all that a score depended on."""
    return tuple(
        f"{name} was {_shorten(was)}, now {_shorten(now[name]) if name in now else 'gone'}"
        for name, was in depended.items()
        if now.get(name) != was
    )


def _shorten(version: str) -> str:
    return version if len(version) < 32 else f"{version[:12]}…"
