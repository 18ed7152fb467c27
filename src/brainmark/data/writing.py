"""Writes a file or a folder completely or not at all."""

from __future__ import annotations

import errno
import os
import platform
import re
import shutil
import threading
from collections.abc import Generator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path

_HOST = re.sub(r"\W", "-", platform.node())[:40]
_tidy: set[Path] = set()


@contextmanager
def whole_file(path: Path, flush: bool = True) -> Generator[Path]:
    """Yield a temporary name beside `path` to write to; then flush to the disk, rename. On any error nothing is left.

    Without `flush`, a loss of power may cost the content of a file that is there: what reads it has to check it.

    Raises
    ------
    OSError : the folder cannot be made or written to, or the disk is full.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    _remove_leftovers(path.parent)
    part = beside(path, "part")
    try:
        yield part
        if flush:
            with part.open("rb+") as file:
                os.fsync(file.fileno())
        part.replace(path)
    finally:
        part.unlink(missing_ok=True)


def write_whole(path: Path, content: bytes) -> None:
    """Write a file, see `whole_file`; on any error `path` is as it was. Raises OSError."""
    with whole_file(path) as part:
        part.write_bytes(content)


def beside(path: Path, ending: str) -> Path:
    """Return a hidden name beside `path` that no other machine, process or thread takes."""
    return path.with_name(f".{path.name}.{_HOST}.{os.getpid()}.{threading.get_ident()}.{ending}")


def _remove_leftovers(folder: Path) -> None:
    """Remove, once in this process, what killed processes of this machine left in a folder."""
    if folder in _tidy:
        return
    _tidy.add(folder)
    for left in folder.glob(f".*.{_HOST}.*.part"):
        with suppress(OSError, ValueError):
            if not _is_running(int(left.name.split(".")[-3])):
                shutil.rmtree(left) if left.is_dir() else left.unlink()


def _is_running(pid: int) -> bool:
    if os.name != "posix":  # elsewhere the question would stop the process
        return True
    try:
        os.kill(pid, 0)  # asks, and sends nothing
    except ProcessLookupError:
        return False
    except OSError:  # of another user
        return True
    return True


def write_folder(path: Path, files: Mapping[str, bytes | Path], replace: bool = False) -> None:
    """Write a folder beside its place and rename it; on any error what was at `path` is as it was.

    Thousands of files are not flushed one by one: what a loss of power may cost, a list of their hashes has to tell.

    Parameters
    ----------
    path : of the folder.
    files : content, or the file to copy, by name relative to the folder.
    replace : an existing folder gives way; without it, it is an error.

    Raises
    ------
    FileExistsError : there is something, and `replace` is not said.
    OSError : it cannot be written, or the disk is full.
    """
    if path.exists() and not replace:
        raise FileExistsError(errno.EEXIST, "is there already", str(path))
    _remove_leftovers(path.parent)
    part, old = beside(path, "part"), beside(path, "old")
    try:
        for name, content in files.items():
            target = part / name
            target.parent.mkdir(parents=True, exist_ok=True)
            if isinstance(content, Path):
                shutil.copyfile(content, target)
            else:
                target.write_bytes(content)
        if path.exists():
            path.rename(old)
        try:
            part.rename(path)
        except BaseException:
            if old.exists():
                old.rename(path)
            raise
        if old.is_dir():
            shutil.rmtree(old, ignore_errors=True)
        else:
            old.unlink(missing_ok=True)
    finally:
        shutil.rmtree(part, ignore_errors=True)
