"""Hashes: whether a file is the one that was registered."""

from __future__ import annotations

import hashlib
import threading
from pathlib import Path
from typing import Literal

from brainmark.core import Source

_known: dict[tuple[Path, str], tuple[tuple[int, int, int], str]] = {}  # path, hash -> (size, time, inode), digest
_lock = threading.Lock()


def sha256_of(path: Path) -> str:
    """Return the sha256 of a file, see `digest_of`."""
    return digest_of(path, "sha256")


def digest_of(path: Path, algorithm: Literal["sha256", "sha1"]) -> str:
    """Return a hash of a file; it is read again only when its size, time of change or inode differ.

    Raises
    ------
    OSError : it cannot be read.
    """
    status = path.stat()
    state = (status.st_size, status.st_mtime_ns, status.st_ino)
    with _lock:
        seen = _known.get((path, algorithm))
    if seen and seen[0] == state:
        return seen[1]
    with path.open("rb") as file:
        digest = hashlib.file_digest(file, algorithm).hexdigest()
    with _lock:
        _known[path, algorithm] = (state, digest)
    return digest


def fault(path: Path, source: Source) -> str:
    """Return what is wrong with the file at `path` as a copy of `source`; empty if it has the registered bytes."""
    try:
        if not path.exists():
            return "no such file"
        if not path.is_file():
            return "it is a folder, not a file"
        size, found = path.stat().st_size, digest_of(path, source.algorithm)
    except OSError as error:
        return f"it cannot be read ({error.strerror or error})"
    known_size = source.size in (None, size)
    if found == source.digest and known_size:
        return ""
    sizes = "" if known_size else f"; expected {source.size} bytes, found {size}"
    return f"wrong content: expected {source.algorithm} {source.digest}, found {found}{sizes}"
