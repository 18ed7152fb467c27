"""Published weights: from a URL to a file, through the cache and the mirrors that data come from.

Their authors publish no full hash: at most its first digits, as part of the file's name. These are checked.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from filelock import FileLock

from brainmark.core.errors import DataError
from brainmark.data.download import Unavailable, download
from brainmark.data.places import as_url, places
from brainmark.data.settings import home, mirrors

_BLOCK = 2**20


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
        DataError : no place has it; lists what was tried, and how to go on with random weights.
        """
        target = home() / "files" / places(self.url)[0]
        tried: list[str] = []
        folders = [m.folder for m in mirrors() if m.folder and not m.problem]
        for copy in (target, *(folder / place for folder in folders for place in places(self.url))):
            if copy.is_file():
                if self._fits(copy):
                    return copy
                tried.append(f"{copy}: its sha256 does not begin with {self.sha256}")
        target.parent.mkdir(parents=True, exist_ok=True)
        part = target.with_name(f"{target.name}.{os.getpid()}.part")
        with FileLock(target.with_name(f"{target.name}.lock")):
            if target.is_file() and self._fits(target):  # another process was faster
                return target
            for origin in self._origins():
                try:
                    download(origin, part)
                    if self._fits(part):
                        part.replace(target)
                        return target
                    tried.append(f"{origin}: the sha256 of what it gave does not begin with {self.sha256}")
                except Unavailable as error:
                    tried.append(f"{origin}: {error}")
                finally:
                    part.unlink(missing_ok=True)
        raise DataError(self._nowhere(tried))

    def _fits(self, path: Path) -> bool:
        if not self.sha256:
            return True
        whole = hashlib.sha256()
        with path.open("rb") as file:
            while block := file.read(_BLOCK):
                whole.update(block)
        return whole.hexdigest().startswith(self.sha256)

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
