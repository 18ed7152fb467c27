"""Scores on disk: for each key one JSON file, and one netCDF file of units and draws, written completely."""

from __future__ import annotations

import io
import json
from dataclasses import dataclass
from pathlib import Path

from brainmark.core.errors import DataError
from brainmark.core.libraries import xr
from brainmark.core.score import Score
from brainmark.data.writing import write_whole

DRAWS = "draws"


@dataclass(frozen=True)
class ResultStore:
    """Keeps scores by key, so that no score is computed twice."""

    folder: Path

    def get(self, key: str) -> Score | None:
        """Return the score stored under `key`, or None; a damaged record counts as none."""
        record = self._path(key, ".json")
        try:
            plain = json.loads(record.read_text(encoding="utf-8"))
            units = self._path(key, ".nc")
            if not units.exists():
                return Score.from_dict(plain)
            loaded = xr.load_dataset(io.BytesIO(units.read_bytes()), engine="h5netcdf")  # by path, xarray keeps it open
            draws = loaded[DRAWS].values if DRAWS in loaded else None
            return Score.from_dict(plain, loaded.drop_vars(DRAWS, errors="ignore"), draws)
        except (OSError, ValueError, TypeError, KeyError, AttributeError, RuntimeError):
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
            if score.units is not None:
                arrays = score.units if score.draws is None else score.units.assign({DRAWS: (DRAWS, score.draws)})
                write_whole(self._path(key, ".nc"), bytes(arrays.to_netcdf(engine="h5netcdf")))
            write_whole(record, text.encode())
        except OSError as error:
            raise DataError(
                f"cannot store the score of {score.subject} on {score.benchmark} in {record.parent}: "
                f"{error.strerror or error}; set BRAINMARK_HOME to a writable folder with space"
            ) from error
        return record

    def _path(self, key: str, ending: str) -> Path:
        return self.folder / key[:2] / f"{key}{ending}"
