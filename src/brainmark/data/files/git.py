"""A folder of a Git repository at one commit: one registered source of many files."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import quote

from brainmark.core import DataError, InvalidRegistration, Source
from brainmark.core.errors import suggest

HOST = "https://raw.githubusercontent.com"


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
            raise InvalidRegistration(f"{self._name}: {self.commit!r} is no commit (40 hexadecimal digits)")
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
        try:
            sha256, size = self.files[relative]
        except KeyError:
            near = suggest(relative, self.files)
            offer = f"; did you mean {near[0]!r}?" if near else ""
            raise DataError(f"{self._name}: no file {relative!r} is registered{offer}") from None
        path = "/".join(p for p in (self.owner, self.repo, self.commit, self.folder.strip("/"), relative) if p)
        return Source(url=f"{HOST}/{quote(path)}", sha256=sha256, size=size)

    @property
    def sources(self) -> tuple[Source, ...]:
        """All files, in the order of registration: what goes on the card."""
        return tuple(self.source(relative) for relative in self.files)

    def fetch(self, relative: str, *, progress: bool = False) -> Path:
        """Return the path of a verified copy of one file."""
        from brainmark.data.files.fetch import fetch

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
