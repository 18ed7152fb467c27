"""Finds a copy of a file, checks that it is the right one, or downloads it."""

from __future__ import annotations

import hashlib
import os
import shutil
import threading
from collections.abc import Callable, Generator, Iterable, Sequence
from contextlib import contextmanager, nullcontext, suppress
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Literal, TypeAlias

from brainmark.core import DataError, MissingData, Source
from brainmark.core.libraries import filelock
from brainmark.core.wording import bytes_text
from brainmark.data.fetch.download import Unavailable, download, explain_write_error, is_offered, show_bar
from brainmark.data.fetch.places import (
    MIRROR,
    TABLES,
    as_url,
    home,
    local_path,
    mirror_folders,
    mirror_urls,
    mirrors,
    origins,
    places,
)

FindFault: TypeAlias = Callable[[Path], str]
State = Literal["shipped", "local", "cached", "mirrored", "mirror?", "missing", "damaged"]

_known: dict[tuple[Path, str], tuple[tuple[int, int, int], str]] = {}  # path, hash -> (size, time, inode), digest
_known_lock = threading.Lock()


@dataclass(frozen=True)
class Whereabouts:
    """Where a registered file is.

    Attributes
    ----------
    state : "shipped" with the package, "local" (a file of a packaged data set), "cached", "mirrored" in a folder (or
        at a URL, if it was asked), "mirror?" (only a mirror URL may have it), "damaged" (a copy in the cache has other
        bytes) or "missing".
    path : of the copy, if it is on this machine.
    note : which mirror, or what is wrong.
    """

    source: Source
    state: State
    path: Path | None = None
    note: str = ""


@dataclass(frozen=True)
class Checkpoint:
    """One published file of weights, whose authors publish no full hash: at most its first digits are checked.

    Attributes
    ----------
    url : where it is published.
    sha256 : first hexadecimal digits of its hash, as far as they are published; empty: none are.
    """

    url: str
    sha256: str = ""

    def path(self) -> Path:
        """Return the file, from the cache, a mirror or the network.

        Raises
        ------
        DataError : no place has it, or the cache cannot be written to; says what was tried, and the way out.
        """
        try:
            return _obtain(self.url, self._find_fault)
        except MissingData as error:
            raise DataError(f"{error}, or take random weights: NAME:random, or --random-weights") from error

    def _find_fault(self, path: Path) -> str:
        if not path.is_file():
            return "no such file"
        return "" if file_digest(path).startswith(self.sha256) else f"its sha256 does not begin with {self.sha256}"


def fetch(source: Source, *, progress: bool = False) -> Path:
    """Return the path of a file with the registered bytes; download it if no copy is at hand.

    Parameters
    ----------
    source : URL, hash and size of the file.
    progress : show a bar, if this is a terminal.

    Raises
    ------
    MissingData : no origin gives it; lists every origin that was tried and why it failed, and the way out.
    DataError : the cache cannot be written, or a file of one's own is damaged.
    """
    if own := local_path(source.url):
        if fault := find_fault(own, source):
            raise DataError(f"{own}: {fault}")
        return own
    if table := _find_table(source):
        return table
    return _obtain(source.url, partial(find_fault, source=source), source.size, progress=progress)


def fetch_all(sources: Iterable[Source], *, progress: bool = False) -> tuple[Path, ...]:
    """Fetch several files, in order; what was complete before an interruption stays."""
    return tuple(fetch(source, progress=progress) for source in sources)


def where(source: Source, *, ask: bool = False, thorough: bool = True) -> Whereabouts:
    """Say where a file is; without network access unless `ask`, which asks mirror URLs.

    Unless it is `thorough`, a file of the right size is taken for the right one, and is not read.
    """
    find = partial(find_fault if thorough else _find_other_size, source=source)
    if own := local_path(source.url):
        fault = find(own)
        state: State = "local" if not fault else "damaged" if own.exists() else "missing"
        return Whereabouts(source, state, own if own.exists() else None, fault or str(own))
    if table := _find_table(source):
        return Whereabouts(source, "shipped", table, str(table))
    target = cache_place(source.url)
    copy, tried = find_copy(source.url, find)
    if copy == target:
        return Whereabouts(source, "cached", copy)
    if copy:
        return Whereabouts(source, "mirrored", copy, str(copy))
    urls = mirror_urls()
    for base in urls if ask else ():
        if any(is_offered(as_url(base, place)) for place in places(source.url)):
            return Whereabouts(source, "mirrored", None, base)
    if target.exists():
        return Whereabouts(source, "damaged", target, tried[0][1])
    return Whereabouts(source, "mirror?", None, ", ".join(urls)) if urls and not ask else Whereabouts(source, "missing")


def cache_place(url: str) -> Path:
    """Return the place in the cache of the file at `url`, whether it is there or not."""
    return home() / "files" / places(url)[0]


def file_digest(path: Path, algorithm: Literal["sha256", "sha1"] = "sha256") -> str:
    """Return a hash of a file; it is read again only when its size, time of change or inode differ.

    Raises
    ------
    DataError : it cannot be read.
    """
    try:
        status = path.stat()
        state = (status.st_size, status.st_mtime_ns, status.st_ino)
        with _known_lock:
            seen = _known.get((path, algorithm))
        if seen and seen[0] == state:
            return seen[1]
        with path.open("rb") as file:
            digest = hashlib.file_digest(file, algorithm).hexdigest()
    except OSError as error:
        raise DataError(f"{path}: {error.strerror or error}") from error
    with _known_lock:
        _known[path, algorithm] = (state, digest)
    return digest


def find_fault(path: Path, source: Source) -> str:
    """Return what is wrong with the file at `path` as a copy of `source`; empty if it has the registered bytes."""
    try:
        if not path.is_file():
            return "it is a folder, not a file" if path.exists() else "no such file"
        size, found = path.stat().st_size, file_digest(path, source.algorithm)
    except (OSError, DataError) as error:
        return f"it cannot be read ({error})"
    right_size = source.size in (None, size)
    if found == source.digest and right_size:
        return ""
    sizes = "" if right_size else f"; expected {source.size} bytes, found {size}"
    return f"wrong content: expected {source.algorithm} {source.digest}, found {found}{sizes}"


def _find_other_size(path: Path, source: Source) -> str:
    """Return what is wrong with a file as far as its size tells; empty: nothing."""
    try:
        size = path.stat().st_size
    except OSError as error:
        return str(error.strerror)
    return "" if source.size in (None, size) else f"it has {size} bytes instead of {source.size}"


@contextmanager
def lock(target: Path) -> Generator[Path]:
    """Let one process or thread at a time write to a place in the cache.

    Yields
    ------
    An empty folder for the files that come; it is gone afterwards. Those that killed processes left are removed.
    """
    name = hashlib.sha256(os.fsencode(target)).hexdigest()
    parts = home() / "files" / ".parts"
    with _take_lock(name):
        for left in parts.iterdir() if parts.is_dir() else ():
            with suppress(filelock.Timeout, OSError), nullcontext() if left.name == name else _take_lock(left.name, 0):
                shutil.rmtree(left)
        (parts / name).mkdir(parents=True)
        try:
            yield parts / name
        finally:
            shutil.rmtree(parts / name, ignore_errors=True)


def _take_lock(name: str, seconds: float = -1) -> filelock.BaseFileLock:
    locks = home() / "locks"
    locks.mkdir(parents=True, exist_ok=True)
    return filelock.FileLock(locks / f"{name}.lock", timeout=seconds)


def _obtain(
    url: str,
    find_fault: FindFault,
    size: int | None = None,
    *,
    progress: bool = False,
) -> Path:
    """Return a copy of the file at `url` in which nothing is wrong; download it if none is at hand. Errors: `fetch`."""
    copy, _ = find_copy(url, find_fault)
    if copy:
        return copy
    try:
        with lock(cache_place(url)) as parts:
            return download_copy(url, find_fault, parts, size, progress=progress)
    except OSError as error:
        raise explain_cache_error(error, url, size) from error


def find_copy(url: str, find_fault: FindFault) -> tuple[Path | None, list[tuple[str, str]]]:
    """Look in the cache and in mirror folders: the copy, or the places that were tried with the reason of each."""
    relative = places(url)
    target = home() / "files" / relative[0]
    reason = find_fault(target)
    if not reason:
        return target, []
    tried: list[tuple[str, str]] = []
    for folder in mirror_folders():
        faults: dict[Path, str] = {}
        for place in relative:
            copy = folder / place
            faults[copy] = find_fault(copy)
            if not faults[copy]:
                return copy, []
        shown = next((copy for copy in faults if copy.exists()), next(iter(faults)))
        tried.append((f"mirror {shown}", faults[shown]))
    unusable = [(f"mirror {mirror.given}", mirror.problem) for mirror in mirrors() if mirror.problem]
    return None, [(f"cache {target}", reason), *unusable, *tried]


def download_copy(
    url: str, find_fault: FindFault, parts: Path, size: int | None = None, *, progress: bool = False
) -> Path:
    """Return the copy of a file which was found, or downloaded from the first origin that gives it, under a `lock`.

    Parameters
    ----------
    find_fault : what is wrong with a copy; empty if nothing.
    parts : the folder that `lock` gives.
    size : in bytes; an origin that gives more is given up.

    Raises
    ------
    MissingData : no origin gives it; lists each with its reason.
    OSError : it cannot be written.
    """
    copy, tried = find_copy(url, find_fault)  # another process may have been faster
    if copy:
        return copy
    target = cache_place(url)
    target.parent.mkdir(parents=True, exist_ok=True)
    _check_room(target, size)
    for origin in origins(url):
        part = parts / target.name
        try:
            with show_bar(target.name, size) if progress else nullcontext() as advance:
                download(origin, part, size=size, advance=advance)
            fault = find_fault(part)
            if not fault:
                with part.open("rb+") as file:
                    os.fsync(file.fileno())
                part.replace(target)
                return target
        except Unavailable as error:
            fault = str(error)
        tried.append((origin, fault))
    raise MissingData(_say_what_was_tried(url, size, tried))


def explain_cache_error(error: OSError, url: str, size: int | None = None) -> DataError:
    """Return the error that says which file cannot be kept in the cache, why, and the way out."""
    place = error.filename or cache_place(url)
    return DataError(f"cannot keep {_name(url, size)} in the cache, at {place}: {explain_write_error(error)}")


def _check_room(target: Path, size: int | None) -> None:
    """Refuse before the download what cannot fit."""
    free = shutil.disk_usage(target.parent).free
    if size is not None and free < size:
        raise DataError(
            f"cannot keep {target.name!r} in the cache {target.parent}: it has {bytes_text(size)}, "
            f"the disk has {bytes_text(free)} left: free some space, or set BRAINMARK_HOME to a folder on another disk"
        )


def _say_what_was_tried(url: str, size: int | None, tried: Sequence[tuple[str, str]]) -> str:
    place = places(url)[0]
    wrong = [place for place, reason in tried if "wrong content" in reason and place.startswith(("mirror", "cache"))]
    mend = f"Replace or remove the copy with other content ({wrong[0]}); otherwise connect" if wrong else "Connect"
    refused = any(reason.startswith(("HTTP 401", "HTTP 403")) for _, reason in tried)
    listed = "".join(f"\n  - {place}: {reason}" for place, reason in tried)
    login = "; if its host requires credentials, download it with yours into such a folder" if refused else ""
    return (
        f"cannot get {_name(url, size)}; tried:{listed}\n"
        f"{mend} to the network, or set {MIRROR} to a folder or base URL that holds {place}{login}"
    )


def _name(url: str, size: int | None) -> str:
    return f"{places(url)[0].name!r}" + ("" if size is None else f" ({bytes_text(size)})")


def _find_table(source: Source) -> Path | None:
    """Return the table that ships with the package and has the registered bytes, if there is one."""
    return next((path for path in TABLES.glob("*.csv") if file_digest(path, source.algorithm) == source.digest), None)
