"""Small published tables that ship with the package, as text with their citation in comment lines."""

from __future__ import annotations

import hashlib
from functools import cache
from pathlib import Path

from brainmark.core import DataError, Source
from brainmark.core.libraries import pd, xr
from brainmark.data.files.verify import fault

FOLDER = Path(__file__).parents[1] / "studies" / "tables"


@cache
def _by_sha256() -> dict[str, Path]:
    return {hashlib.sha256(path.read_bytes()).hexdigest(): path for path in sorted(FOLDER.glob("*.csv"))}


def shipped(sha256: str) -> Path | None:
    """Return the path of the shipped table with these bytes, if there is one."""
    return _by_sha256().get(sha256)


def read_table(name: str, source: Source) -> pd.DataFrame:
    """Return a shipped table, after checking that it is the one on the card.

    Parameters
    ----------
    name : of the file in this folder; lines that start with "#" hold its citation and the meaning of its columns.
    source : from the card: URL of the publication; sha256 and size of the shipped file.

    Raises
    ------
    DataError : it is missing or its bytes are others.
    """
    path = FOLDER / name
    reason = fault(path, source)
    if reason:
        raise DataError(f"shipped table {path}: {reason}; reinstall brainmark")
    return pd.read_csv(path, comment="#")


def histogram_of(table: pd.DataFrame, name: str, units: str) -> xr.DataArray:
    """Return the columns ``bin_start, bin_end, cells`` as a histogram: (bin,), numbers of cells."""
    return xr.DataArray(
        table["cells"].to_numpy(int),
        dims="bin",
        coords={column: ("bin", table[column].to_numpy(float)) for column in ("bin_start", "bin_end")},
        name=name,
        attrs={"units": units},
    )
