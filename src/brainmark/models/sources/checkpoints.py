"""Published weights: from a URL to a file, through the cache and the mirrors that data come from.

Their authors publish no full hash: at most its first digits, as part of the file's name. These are checked.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from filelock import FileLock

from brainmark.core.errors import DataError
from brainmark.data.files.download import Unavailable, cannot_write, download
from brainmark.data.files.places import as_url, places
from brainmark.data.files.settings import home, mirrors
from brainmark.data.files.verify import sha256_of
from brainmark.data.files.whole import whole_file


@dataclass(frozen=True)
class Checkpoint:
    """One published file of weights.

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
        target = home() / "files" / places(self.url)[0]
        tried: list[str] = []
        folders = [m.folder for m in mirrors() if m.folder and not m.problem]
        for copy in (target, *(folder / place for folder in folders for place in places(self.url))):
            if copy.is_file():
                if self._fits(copy):
                    return copy
                tried.append(f"{copy}: its sha256 does not begin with {self.sha256}")
        try:
            return self._downloaded(target, tried)
        except OSError as error:
            name, place = places(self.url)[0].name, error.filename or target
            raise DataError(f"cannot keep {name!r} in the cache, at {place}: {cannot_write(error)}") from error

    def _downloaded(self, target: Path, tried: list[str]) -> Path:
        """Download to the cache, once for all processes that want it. Raises DataError, OSError."""
        locks = home() / "locks"
        locks.mkdir(parents=True, exist_ok=True)
        with FileLock(locks / f"{hashlib.sha256(self.url.encode()).hexdigest()}.lock"):
            if target.is_file() and self._fits(target):  # another process was faster
                return target
            for origin in self._origins():
                try:
                    with whole_file(target) as part:
                        download(origin, part)
                        if not self._fits(part):
                            raise Unavailable(f"the sha256 of what it gave does not begin with {self.sha256}")
                    return target
                except Unavailable as error:
                    tried.append(f"{origin}: {error}")
        raise DataError(self._nowhere(tried))

    def _fits(self, path: Path) -> bool:
        return not self.sha256 or sha256_of(path).startswith(self.sha256)

    def _origins(self) -> Iterator[str]:
        for mirror in mirrors():
            if mirror.url and not mirror.problem:
                yield from (as_url(mirror.url, place) for place in places(self.url))
        yield self.url

    def _nowhere(self, tried: list[str]) -> str:
        lines = "".join(f"\n  - {place}" for place in tried)
        return (
            f"cannot get the published weights {places(self.url)[0].name!r}; tried:{lines}\n"
            "Connect to the network, put the file into a mirror (BRAINMARK_MIRROR), "
            "or take random weights: NAME:random, or --random-weights"
        )


__all__ = ["Checkpoint"]
