"""Many files that are registered together: folders of Git repositories, and folders of numbered files."""

from __future__ import annotations

import base64
import hashlib
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from functools import cached_property, partial
from pathlib import Path
from urllib.parse import quote

from brainmark.core import DataError, InvalidRegistration, MissingData, Source
from brainmark.core.errors import suggest
from brainmark.data.fetch.files import (
    cache_place,
    download_copy,
    explain_cache_error,
    fetch,
    file_digest,
    find_copy,
    lock,
)

HOST = "https://raw.githubusercontent.com"
_AT_ONCE = 8  # downloads beside each other


@dataclass(frozen=True, eq=False)
class GitFolder:
    """Files of a public GitHub repository at a commit.

    Attributes
    ----------
    address : ``owner/repository@commit/folder``; the commit as its full sha1, because a branch moves; no folder: the
        root of the repository.
    files : path relative to the folder -> (sha256, bytes).
    """

    address: str
    files: Mapping[str, tuple[str, int]] = field(repr=False)

    def __post_init__(self) -> None:
        if not re.fullmatch(r"[^/@]+/[^/@]+@[0-9a-f]{40}(/.+)?", self.address):
            raise InvalidRegistration(
                f"Git folder {self.address!r}: say owner/repository@commit/folder, the commit as 40 hexadecimal digits"
            )
        if not self.files:
            raise InvalidRegistration(f"Git folder {self.address}: names no file")

    def source(self, relative: str) -> Source:
        """Return URL, sha256 and size of one file.

        Raises
        ------
        DataError : the folder has no such file.
        """
        if relative not in self.files:
            near = suggest(relative, self.files)
            offer = f"; did you mean {near[0]!r}?" if near else ""
            raise DataError(f"Git folder {self.address}: no file {relative!r} is registered{offer}")
        sha256, size = self.files[relative]
        path = f"{self.address.replace('@', '/').strip('/')}/{relative}"
        return Source(url=f"{HOST}/{quote(path)}", sha256=sha256, size=size)

    @property
    def sources(self) -> tuple[Source, ...]:
        """All files, in the order of registration: what goes on the card."""
        return tuple(self.source(relative) for relative in self.files)

    def fetch(self, relative: str, *, progress: bool = False) -> Path:
        """Return the path of a verified copy of one file."""
        return fetch(self.source(relative), progress=progress)

    def fetch_all(self, relatives: Iterable[str] | None = None, *, progress: bool = False) -> dict[str, Path]:
        """Return the paths of verified copies, by relative name; of all files if none are named."""
        names = self.files if relatives is None else relatives
        return {name: self.fetch(name, progress=progress) for name in names}


def read_list(path: Path) -> dict[str, tuple[str, int]]:
    """Read the files of a big folder from a list beside the study: sha256, bytes and path, separated by tabs.

    Raises
    ------
    InvalidRegistration : a line has another form; names file and line.
    """
    files: dict[str, tuple[str, int]] = {}
    for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), start=1):
        if not line or line.startswith("#"):
            continue
        match = re.fullmatch(r"([0-9a-f]{64})\t(\d+)\t(\S.*)", line)
        if not match:
            raise InvalidRegistration(f"{path}, line {number}: not 'sha256<TAB>bytes<TAB>path': {line[:80]!r}")
        files[match[3]] = (match[1], int(match[2]))
    return files


@dataclass(frozen=True)
class NumberedFiles:
    """Files ``0000<suffix>``, ``0001<suffix>``, ... under one URL, with one hash over all of them.

    Registering the hash of every file of a set of 20,000 would need a megabyte. This way no file can change unnoticed
    either, and the start of each hash says which file is wrong.

    Attributes
    ----------
    url : of the folder.
    count : number of files.
    size : bytes of all files.
    sha256 : over the sha256s (32 bytes each) of the files, in order.
    starts : the first three bytes of these sha256s, in order, as base64.
    suffix : of the names.
    """

    url: str
    count: int
    size: int
    sha256: str
    starts: str = field(repr=False)
    suffix: str = ".jpg"

    def __post_init__(self) -> None:
        if len(self.starts) != 4 * self.count:
            raise InvalidRegistration(
                f"{self.url}: starts has {len(self.starts)} characters; expected {4 * self.count}, four for each file"
            )

    @cached_property
    def names(self) -> tuple[str, ...]:
        """Names of the files, in order."""
        return tuple(f"{number:04d}{self.suffix}" for number in range(self.count))

    def read(self, advance: Callable[[int], None] | None = None) -> list[bytes]:
        """Return the content of all files, verified; what no mirror folder and not the cache has is downloaded.

        Parameters
        ----------
        advance : called with the number of files that were read, 1 each time.

        Raises
        ------
        DataError : no origin has a file, or the files together are others; says which and the way out.
        """
        contents: list[bytes] = []
        for path in self._find_all():
            contents.append(path.read_bytes())
            if advance:
                advance(1)
        found = digest_in_order(contents)
        if found != self.sha256:
            size = sum(map(len, contents))
            sizes = "" if size == self.size else f"; expected {self.size} bytes, found {size}"
            raise DataError(
                f"{self.url}: wrong content: expected sha256 {self.sha256} over {self.count} files, found {found}"
                f"{sizes}; remove {cache_place(f'{self.url}/{self.names[0]}').parent} and try again"
            )
        return contents

    def _find_all(self) -> Sequence[Path]:
        """Return the paths of all files; those that are nowhere at hand are downloaded beside each other."""
        wanted = [(f"{self.url}/{name}", partial(self._find_fault, number)) for number, name in enumerate(self.names)]
        found = [find_copy(url, find_fault)[0] for url, find_fault in wanted]
        missing = [number for number, path in enumerate(found) if path is None]
        if not missing:
            return [path for path in found if path]
        try:
            with (
                lock(cache_place(wanted[0][0]).parent) as parts,
                ThreadPoolExecutor(_AT_ONCE, thread_name_prefix="brainmark-fetch") as pool,
            ):
                try:
                    paths = pool.map(lambda n: download_copy(wanted[n][0], wanted[n][1], parts), missing)
                    downloaded = dict(zip(missing, paths, strict=True))
                except BaseException:
                    pool.shutdown(cancel_futures=True)
                    raise
        except OSError as error:
            raise explain_cache_error(error, self.url) from error
        except MissingData as error:
            raise MissingData(f"{len(missing)} of {self.count} files of {self.url} are not at hand: {error}") from error
        return [path or downloaded[number] for number, path in enumerate(found)]

    def _find_fault(self, number: int, path: Path) -> str:
        """Return what is wrong with a file as a copy of the file of that number; empty if nothing."""
        if not path.is_file():
            return "no such file"
        start = base64.b64encode(bytes.fromhex(file_digest(path)[:6])).decode()
        right = self.starts[4 * number : 4 * number + 4]
        return "" if start == right else f"wrong content: its sha256 starts, as base64, with {start}, not {right}"


def digest_in_order(contents: Iterable[bytes]) -> str:
    """Return the sha256 over the sha256s of files, in order."""
    whole = hashlib.sha256()
    for content in contents:
        whole.update(hashlib.sha256(content).digest())
    return whole.hexdigest()
