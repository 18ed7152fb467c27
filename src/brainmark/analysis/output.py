"""Files made from scores: bad paths are refused before anything is computed, and files are written completely."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

from brainmark.core.errors import ResourceError
from brainmark.data.writing import write_whole


def check_place(path: Path, what: str, endings: Sequence[str] = ()) -> None:
    """Refuse a place for a file that cannot be written to.

    Parameters
    ----------
    what : kind of file, for the message.
    endings : those that the name may have; none: any.

    Raises
    ------
    ResourceError
    """
    folder = path.absolute().parent
    if endings and path.suffix.lower() not in endings:
        raise ResourceError(f"cannot write the {what} {path}: its name must end in one of {', '.join(endings)}")
    if path.is_dir():
        raise ResourceError(f"cannot write the {what} {path}: it is a folder; name a file in it")
    if not folder.is_dir():
        raise ResourceError(f"cannot write the {what} {path}: no folder {folder}; make it first")
    if not os.access(folder, os.W_OK):
        raise ResourceError(f"cannot write the {what} {path}: {folder} is not writable")


def write_file(path: Path, content: str | bytes, what: str) -> Path:
    """Write a file; return its path. Raises ResourceError."""
    try:
        write_whole(path, content.encode() if isinstance(content, str) else content)
    except OSError as error:
        raise ResourceError(f"cannot write the {what} {path}: {error.strerror or error}") from error
    return path
