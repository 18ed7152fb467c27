"""Scores on disk: one JSON file, and one netCDF file of units, for each key. Never half-written."""

from __future__ import annotations

import json
import os
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import xarray as xr

from brainmark.core.errors import DataError
from brainmark.core.score import Score


@dataclass(frozen=True)
class ResultStore:
    """Remembers scores by key: the same work is never done twice."""

    folder: Path

    def get(self, key: str) -> Score | None:
        """Return the score stored under `key`, or None; a damaged record counts as none."""
        record = self._path(key, ".json")
        try:
            plain = json.loads(record.read_text(encoding="utf-8"))
            units = self._path(key, ".nc")
            loaded = None
            if units.exists():
                with xr.open_dataset(units, engine="h5netcdf") as opened:
                    loaded = opened.load()
            return Score.from_dict(plain, loaded)
        except (OSError, ValueError, TypeError, KeyError):
            return None

    def put(self, key: str, score: Score) -> Path:
        """Store a score; return where.

        Raises
        ------
        DataError : the folder cannot be written to, or the disk is full. Nothing is left behind.
        """
        record = self._path(key, ".json")
        text = json.dumps(score.to_dict(), indent=1, allow_nan=False)
        try:
            record.parent.mkdir(parents=True, exist_ok=True)
            if score.units is not None:
                units = score.units
                write_atomically(self._path(key, ".nc"), lambda path: units.to_netcdf(path, engine="h5netcdf"))
            write_atomically(record, lambda path: path.write_text(text, encoding="utf-8"))
        except OSError as error:
            raise DataError(
                f"cannot store the score of {score.subject} on {score.benchmark} in {record.parent}: "
                f"{error.strerror or error}; set BRAINMARK_HOME to a writable folder with space"
            ) from error
        return record

    def _path(self, key: str, ending: str) -> Path:
        return self.folder / key[:2] / f"{key}{ending}"


def write_atomically(path: Path, write: Callable[[Path], object]) -> None:
    """Let `write` fill a temporary file beside `path`, then rename it; on any error nothing is left."""
    handle, name = tempfile.mkstemp(prefix=f".{path.name}.", suffix=".part", dir=path.parent)
    os.close(handle)
    temporary = Path(name)
    try:
        write(temporary)
        temporary.chmod(0o644)
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)
