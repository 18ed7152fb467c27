"""Small published tables that ship with the package, as text with the citation in comment lines."""

from __future__ import annotations

from brainmark.core import DataError, Source
from brainmark.core.libraries import pd
from brainmark.data.fetch.files import find_fault
from brainmark.data.fetch.places import TABLES


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
    path = TABLES / name
    reason = find_fault(path, source)
    if reason:
        raise DataError(f"shipped table {path}: {reason}; reinstall brainmark")
    return pd.read_csv(path, comment="#")
