"""Many small files that are registered together: a table of folders, each with one sha256 over all its files.

Registering every file of a set of 20,000 would need a megabyte of hashes. A folder of numbered files has one: the
sha256 over the sha256s of its files, in order. No file can change unnoticed, and the table itself is a source with a
sha256 of its own (see `brainmark.data.tables`).
"""

from __future__ import annotations

import hashlib
import warnings
from collections.abc import Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

from brainmark.core import DataError
from brainmark.data.files import settings
from brainmark.data.files.download import Unavailable, download
from brainmark.data.files.places import as_url, places
from brainmark.data.files.whole import beside

if TYPE_CHECKING:
    from collections.abc import Callable, Generator

_AT_ONCE = 8  # downloads beside each other


@dataclass(frozen=True)
class NumberedFiles:
    """Files ``0000<suffix>``, ``0001<suffix>``, ... under one URL.

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

    def read(self, done: Callable[[], None] | None = None) -> list[bytes]:
        """Return the content of all files, verified; what no mirror folder and not the cache has is downloaded.

        Parameters
        ----------
        done : called after each file.

        Raises
        ------
        DataError : no origin has a file, or the folder has other bytes; says where and the way out.
        """
        own = settings.home() / "files" / self._folder
        faults: list[str] = []
        for folder in [own, *self._mirror_folders()]:
            contents = self._read_from(folder, done)
            if contents is not None:
                if self._fault(contents) is None:
                    return contents
                faults.append(f"{folder}: {self._fault(contents)}")
        if any(fault.startswith(f"{own}:") for fault in faults):
            raise DataError(f"{faults[0]}; remove that folder and try again")
        contents = self._download(own, done)
        if fault := self._fault(contents):
            raise DataError("; ".join([*faults, f"{self.url}: {fault}"]) + f"; remove {own} and try again")
        return contents

    @property
    def _folder(self) -> Path:
        return Path(places(f"{self.url}/{self.names[0]}")[0]).parent

    def _mirror_folders(self) -> Iterable[Path]:
        for mirror in settings.mirrors():
            if mirror.problem:
                warnings.warn(f"{settings.MIRROR}: {mirror.given!r} is left out: {mirror.problem}", stacklevel=5)
            elif mirror.folder:
                yield mirror.folder / self._folder

    def _read_from(self, folder: Path, done: Callable[[], None] | None) -> list[bytes] | None:
        """Contents of a folder that has all files; None if it lacks one."""
        contents: list[bytes] = []
        for name in self.names:
            try:
                contents.append((folder / name).read_bytes())
            except OSError:
                return None
            if done:
                done()
        return contents

    def _fault(self, contents: Sequence[bytes]) -> str | None:
        found = digest_of(contents)
        if found == self.sha256:
            return None
        size = sum(map(len, contents))
        sizes = "" if size == self.size else f"; expected {self.size} bytes, found {size}"
        return f"wrong content: expected sha256 {self.sha256} over {self.count} files, found {found}{sizes}"

    def _download(self, folder: Path, done: Callable[[], None] | None) -> list[bytes]:
        """Get the files that the cache lacks, a few at a time; an interrupted download goes on where it stopped."""
        with ThreadPoolExecutor(_AT_ONCE, thread_name_prefix="brainmark-fetch") as pool:
            waiting = [pool.submit(self._get, name, folder) for name in self.names]
            contents: list[bytes] = []
            try:
                for task in waiting:
                    contents.append(task.result())
                    if done:
                        done()
            except BaseException:
                pool.shutdown(cancel_futures=True)
                raise
        return contents

    def _get(self, name: str, folder: Path) -> bytes:

        target = folder / name
        if target.is_file():
            return target.read_bytes()
        bases = [m.url for m in settings.mirrors() if m.url and not m.problem]
        origins = [as_url(base, places(f"{self.url}/{name}")[0]) for base in bases] + [f"{self.url}/{name}"]
        tried: list[str] = []
        part = beside(target, "part")  # processes may fetch the same folder
        try:
            folder.mkdir(parents=True, exist_ok=True)
            for origin in origins:
                try:
                    download(origin, part, None)
                    part.replace(target)
                    return target.read_bytes()
                except Unavailable as error:
                    tried.append(f"\n  - {origin}: {error}")
        except OSError as error:
            raise DataError(f"cannot keep {name!r} in the cache, at {folder}: {error.strerror or error}") from error
        finally:
            part.unlink(missing_ok=True)
        raise DataError(
            f"cannot get {self.count} files like {name!r}; tried:\n  - cache {folder}{''.join(tried)}\n"
            f"Connect to the network, or set {settings.MIRROR} to a folder or base URL that holds {self._folder}"
        )


def digest_of(contents: Iterable[bytes]) -> str:
    """sha256 over the sha256s of files, in order."""
    whole = hashlib.sha256()
    for content in contents:
        whole.update(hashlib.sha256(content).digest())
    return whole.hexdigest()


@contextmanager
def counting(title: str, total: int) -> Generator[Callable[[], None] | None]:
    """Show a bar of files on standard error; without a terminal, nothing."""
    from rich.console import Console
    from rich.progress import Progress

    console = Console(stderr=True)
    with Progress(console=console, transient=True) if console.is_terminal else nullcontext() as progress:
        if progress is None:
            yield None
            return
        task = progress.add_task(title, total=total)
        yield lambda: progress.advance(task)
