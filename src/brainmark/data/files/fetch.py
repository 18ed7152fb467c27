"""From a registered file (URL, hash, size) to a path with exactly those bytes.

Order: a table shipped with the package, the cache, mirror folders (used in place, nothing is copied), mirror URLs,
the network. Every copy is hashed before it is used. The cache is ``<home>/files`` and is laid out like a mirror
(see `brainmark.data.files.places`); downloads go to a temporary name beside their place, are checked, flushed to the
disk, and renamed. ``<home>/locks`` holds one lock for each file, so that processes wait for each other
instead of downloading twice; what a killed process leaves behind, the next one overwrites.
"""

from __future__ import annotations

import os
import shutil
import warnings
from collections.abc import Generator, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from brainmark.core import DataError, MissingData, Source
from brainmark.core.wording import bytes_text
from brainmark.data.files import settings
from brainmark.data.files.download import Bar, Unavailable, cannot_write, download, offered
from brainmark.data.files.places import as_url, local_path, places
from brainmark.data.files.verify import fault
from brainmark.data.tables import shipped

State = Literal["shipped", "local", "cached", "mirrored", "mirror?", "missing", "damaged"]


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
        if reason := fault(own, source):
            raise DataError(f"{own}: {reason}")
        return own
    at_hand, tried = _at_hand(source)
    if at_hand:
        return at_hand
    target = cached_path(source)
    with _cache_errors(source, target), _locked(source):
        if not fault(target, source):  # another process was faster
            return target
        target.parent.mkdir(parents=True, exist_ok=True)
        part = target.with_name(f"{target.name}.{source.digest[:8]}.part")
        _room_for(source, part)
        for origin in _origins(source):
            reason = _try(origin, source, part, target, progress)
            if not reason:
                return target
            tried.append((origin, reason))
    raise MissingData(_nowhere(source, tried))


def fetch_all(sources: Iterable[Source], *, progress: bool = False) -> tuple[Path, ...]:
    """Fetch several files, in order; what was complete before an interruption stays."""
    return tuple(fetch(source, progress=progress) for source in sources)


def where(source: Source, *, ask: bool = False) -> Whereabouts:
    """Say where a file is; without network access unless `ask`, which asks mirror URLs."""
    if own := local_path(source.url):
        reason = fault(own, source)
        state: State = "local" if not reason else "damaged" if own.exists() else "missing"
        return Whereabouts(source, state, own if own.exists() else None, reason or str(own))
    at_hand, tried = _at_hand(source)
    target = cached_path(source)
    if at_hand:
        if at_hand == target:
            return Whereabouts(source, "cached", at_hand)
        state = "shipped" if shipped(source.digest) else "mirrored"
        return Whereabouts(source, state, at_hand, str(at_hand))
    urls = [m.url for m in settings.mirrors() if m.url and not m.problem]
    if ask:
        for url in urls:
            if any(offered(as_url(url, place)) for place in places(source.url)):
                return Whereabouts(source, "mirrored", None, url)
    damaged = [reason for place, reason in tried if place == f"cache {target}" and target.exists()]
    if damaged:
        return Whereabouts(source, "damaged", target, damaged[0])
    if urls and not ask:
        return Whereabouts(source, "mirror?", None, ", ".join(urls))
    return Whereabouts(source, "missing")


def cached_path(source: Source) -> Path:
    """Return the place of a file in the cache, whether it is there or not."""
    return settings.home() / "files" / places(source.url)[0]


def _at_hand(source: Source) -> tuple[Path | None, list[tuple[str, str]]]:
    """Look where no network is needed: the copy, or the places that were tried with the reason of each."""
    own = shipped(source.digest)
    if own:
        return own, []
    target = cached_path(source)
    reason = fault(target, source)
    if not reason:
        return target, []
    tried = [(f"cache {target}", reason)]
    for mirror in settings.mirrors():
        if mirror.problem:
            tried.append((f"mirror {mirror.given}", mirror.problem))
            warnings.warn(f"{settings.MIRROR}: {mirror.given!r} is left out: {mirror.problem}", stacklevel=4)
        elif mirror.folder:
            copies = [mirror.folder / place for place in places(source.url)]
            reasons = {copy: fault(copy, source) for copy in copies}
            found = next((copy for copy, reason in reasons.items() if not reason), None)
            if found:
                return found, []
            present = [copy for copy in copies if copy.exists()]
            worst = present[0] if present else copies[0]
            tried.append((f"mirror {worst}", reasons[worst]))
    return None, tried


def _origins(source: Source) -> Iterator[str]:
    """Yield the addresses to download from: the mirror URLs, then the file's own."""
    for mirror in settings.mirrors():
        if mirror.url and not mirror.problem:
            yield from (as_url(mirror.url, place) for place in places(source.url))
    yield source.url


def _try(url: str, source: Source, part: Path, target: Path, progress: bool) -> str:
    """Download, check, keep: the reason why not, or empty."""
    try:
        with _bar(source, progress) as bar:
            download(url, part, bar)
        reason = fault(part, source)
        if not reason:
            _flush(part)
            part.replace(target)
        return reason
    except Unavailable as error:
        return str(error)
    finally:
        part.unlink(missing_ok=True)


def _flush(path: Path) -> None:
    with path.open("rb+") as file:
        os.fsync(file.fileno())


@contextmanager
def _bar(source: Source, progress: bool) -> Generator[Bar | None]:
    if not progress:
        yield None
        return
    from brainmark.data.files.progress import bar

    with bar(_name(source), source.size or 0) as shown:
        yield shown


@contextmanager
def _locked(source: Source) -> Generator[None]:
    from filelock import FileLock

    locks = settings.home() / "locks"
    locks.mkdir(parents=True, exist_ok=True)
    with FileLock(locks / f"{source.digest}.lock"):
        yield


@contextmanager
def _cache_errors(source: Source, target: Path) -> Generator[None]:
    try:
        yield
    except OSError as error:
        place = error.filename or target
        raise DataError(
            f"cannot keep {_name(source)!r} ({bytes_text(source.size)}) in the cache, at {place}: {cannot_write(error)}"
        ) from error


def _room_for(source: Source, part: Path) -> None:
    """Refuse before the download what cannot fit."""
    part.unlink(missing_ok=True)  # of a process that was killed
    free = shutil.disk_usage(part.parent).free
    if source.size is not None and free < source.size:
        raise DataError(
            f"cannot keep {_name(source)!r} in the cache {part.parent}: it has {bytes_text(source.size)}, "
            f"the disk has {bytes_text(free)} left: free some space, or set BRAINMARK_HOME to a folder on another disk"
        )


def _nowhere(source: Source, tried: Sequence[tuple[str, str]]) -> str:
    lines = "".join(f"\n  - {place}: {reason}" for place, reason in tried)
    wrong = [place for place, reason in tried if "wrong content" in reason and place.startswith(("mirror", "cache"))]
    mend = f"Replace or remove the copy with other content ({wrong[0]}); otherwise connect" if wrong else "Connect"
    refused = any(reason.startswith(("HTTP 401", "HTTP 403")) for _, reason in tried)
    login = "; if its host wants credentials, download it with yours into such a folder" * refused
    return (
        f"cannot get {_name(source)!r} ({bytes_text(source.size)}); tried:{lines}\n"
        f"{mend} to the network, or set {settings.MIRROR} to a folder or base URL that holds {places(source.url)[0]}"
        f"{login}"
    )


def _name(source: Source) -> str:
    return places(source.url)[0].name
