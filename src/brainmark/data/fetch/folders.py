"""Many files that are registered together: folders of Git repositories, and folders of numbered files."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from urllib.parse import quote

from brainmark.core import DataError, InvalidRegistration, Source
from brainmark.core.errors import suggest
from brainmark.data.fetch.files import cache_place, fetch, keep_download, list_failures, lock
from brainmark.data.fetch.places import MIRROR, home, mirror_folders, origins

HOST = "https://raw.githubusercontent.com"
_AT_ONCE = 8  # downloads beside each other


@dataclass(frozen=True, eq=False)
class GitFolder:
    """Files of a public GitHub repository at a commit.

    Attributes
    ----------
    owner, repo : of the repository.
    commit : full sha1; a branch moves, a commit does not.
    folder : inside the repository; empty: its root.
    files : path relative to the folder -> (sha256, bytes).
    """

    owner: str
    repo: str
    commit: str
    folder: str
    files: Mapping[str, tuple[str, int]] = field(repr=False)

    def __post_init__(self) -> None:
        if not re.fullmatch(r"[0-9a-f]{40}", self.commit):
            raise InvalidRegistration(f"{self._name}: {self.commit!r} is not a commit (40 hexadecimal digits)")
        if not self.files:
            raise InvalidRegistration(f"{self._name}: names no file")

    @property
    def _name(self) -> str:
        return f"Git folder {self.owner}/{self.repo}/{self.folder}"

    def source(self, relative: str) -> Source:
        """Return URL, sha256 and size of one file.

        Raises
        ------
        DataError : the folder has no such file.
        """
        if relative not in self.files:
            near = suggest(relative, self.files)
            offer = f"; did you mean {near[0]!r}?" if near else ""
            raise DataError(f"{self._name}: no file {relative!r} is registered{offer}")
        sha256, size = self.files[relative]
        path = "/".join(p for p in (self.owner, self.repo, self.commit, self.folder.strip("/"), relative) if p)
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

    Registering every file of a set of 20,000 would need a megabyte of hashes; this way no file can change unnoticed
    either.

    Attributes
    ----------
    url : of the folder.
    count : number of files.
    size : bytes of all files.
    sha256 : over the sha256s (32 bytes each) of the files, in order.
    suffix : of the names.
    """

    url: str
    count: int
    size: int
    sha256: str
    suffix: str = ".jpg"

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
        DataError : no origin has a file, or the folder has other bytes; says where and the way out.
        """
        own = cache_place(f"{self.url}/{self.names[0]}").parent
        place = own.relative_to(home() / "files")
        faults: dict[Path, str] = {}
        for folder in [own, *(mirror / place for mirror in mirror_folders())]:
            if all((folder / name).is_file() for name in self.names):
                contents = _read_in_order((folder / name for name in self.names), advance)
                faults[folder] = self._find_fault(contents)
                if not faults[folder]:
                    return contents
        if own in faults:
            raise DataError(f"{own}: {faults[own]}; remove that folder and try again")
        try:
            own.mkdir(parents=True, exist_ok=True)
            with lock(own), ThreadPoolExecutor(_AT_ONCE, thread_name_prefix="brainmark-fetch") as pool:
                try:
                    contents = _read_in_order(pool.map(self._obtain, [own / name for name in self.names]), advance)
                except BaseException:
                    pool.shutdown(cancel_futures=True)
                    raise
        except OSError as error:
            raise DataError(f"cannot keep {self.url} in the cache, at {own}: {error.strerror or error}") from error
        if fault := self._find_fault(contents):
            told = [f"{folder}: {fault}" for folder, fault in faults.items()] + [f"{self.url}: {fault}"]
            raise DataError(f"{'; '.join(told)}; remove {own} and try again")
        return contents

    def _find_fault(self, contents: Sequence[bytes]) -> str:
        found = digest_in_order(contents)
        if found == self.sha256:
            return ""
        size = sum(map(len, contents))
        sizes = "" if size == self.size else f"; expected {self.size} bytes, found {size}"
        return f"wrong content: expected sha256 {self.sha256} over {self.count} files, found {found}{sizes}"

    def _obtain(self, target: Path) -> Path:
        """Return a file of the cache; download it unless it is there. The hash over the folder tells if it is right."""
        if target.is_file():
            return target
        tried: list[tuple[str, str]] = [(f"cache {target.parent}", "no such file")]
        for origin in origins(f"{self.url}/{target.name}"):
            reason = keep_download(origin, target, lambda _: "")
            if not reason:
                return target
            tried.append((origin, reason))
        raise DataError(
            f"cannot get {self.count} files like {target.name!r}; tried:{list_failures(tried)}\n"
            f"Connect to the network, or set {MIRROR} to a folder or base URL that holds "
            f"{target.parent.relative_to(home() / 'files')}"
        )


def _read_in_order(paths: Iterable[Path], advance: Callable[[int], None] | None) -> list[bytes]:
    contents: list[bytes] = []
    for path in paths:
        contents.append(path.read_bytes())
        if advance:
            advance(1)
    return contents


def digest_in_order(contents: Iterable[bytes]) -> str:
    """Return the sha256 over the sha256s of files, in order."""
    whole = hashlib.sha256()
    for content in contents:
        whole.update(hashlib.sha256(content).digest())
    return whole.hexdigest()
