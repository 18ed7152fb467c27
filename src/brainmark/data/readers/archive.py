"""Images inside a zip file as media: read when asked for, never unpacked."""

from __future__ import annotations

import io
import os
import re
import threading
import zipfile
from pathlib import Path, PurePosixPath
from typing import Any, ClassVar

from brainmark.core import DataError
from brainmark.core.images import decode_image
from brainmark.core.libraries import np
from brainmark.core.wording import bytes_text
from brainmark.data.readers.damage import explain_damage

LARGEST_MEMBER = 1 << 29  # bytes of an image, unpacked
IMAGES = frozenset({".jpg", ".jpeg", ".png", ".bmp", ".gif", ".tif", ".tiff", ".webp"})


class ZipImages:
    """Images of a zip file by position, decoded as by `core.stimuli.decode_image`.

    Threads, forked workers and pickled copies each read through a handle of their own.

    Parameters
    ----------
    path : of the zip file.
    members : names inside it, in presentation order; all images sorted by number when left out.

    Raises
    ------
    DataError : it is no zip file, lacks a member, or (when left out) its images cannot be put in order.
    """

    concurrent: ClassVar[bool] = True

    def __init__(self, path: Path, members: tuple[str, ...] | None = None) -> None:
        self.path = Path(path)
        self._handles = threading.local()
        names = self._open().namelist()
        self.members = by_number(names, self.path) if members is None else tuple(members)
        missing = set(self.members) - set(names)
        if missing:
            raise DataError(f"{self.path}: has no member {min(missing)!r} ({len(missing)} of {len(self)} are missing)")
        check_members(self._open(), self.path)

    def names(self) -> list[str]:
        """Return the names of all files inside, whether they are among the members or not."""
        return [name for name in self._open().namelist() if not name.endswith("/")]

    def __len__(self) -> int:
        return len(self.members)

    def __getitem__(self, index: int) -> np.ndarray:
        member = self.members[index]
        with explain_damage(self.path, f"cannot read image {member!r}"):
            return decode_image(io.BytesIO(self._open().read(member)))

    def __repr__(self) -> str:
        return f"ZipImages({str(self.path)!r}, {len(self)} images)"

    def __getstate__(self) -> dict[str, Any]:
        return {"path": self.path, "members": self.members}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.path, self.members = state["path"], state["members"]
        self._handles = threading.local()

    def _open(self) -> zipfile.ZipFile:
        """Return this thread's handle; a forked process must not share the file position of its parent."""
        owner, handle = getattr(self._handles, "open", (None, None))
        if handle is None or owner != os.getpid():
            with explain_damage(self.path, "cannot be read as a zip file"):
                handle = zipfile.ZipFile(self.path)
            self._handles.open = (os.getpid(), handle)
        return handle


def check_members(archive: zipfile.ZipFile, path: Path) -> None:
    """Refuse an archive in which a file unpacks to more than any image has, before it takes all memory or the disk.

    Raises
    ------
    DataError : names the member and its size.
    """
    large = next((member for member in archive.infolist() if member.file_size > LARGEST_MEMBER), None)
    if large:
        raise DataError(
            f"{path}: member {large.filename!r} unpacks to {bytes_text(large.file_size)}; "
            f"an image has at most {bytes_text(LARGEST_MEMBER)}"
        )


def by_number(names: list[str], path: Path) -> tuple[str, ...]:
    """Return the images among the names, sorted by the last number in the name of the file.

    Raises
    ------
    DataError : none is there, one has no number, or two have the same.
    """
    position: dict[int, str] = {}
    for name in names:
        file = PurePosixPath(name)
        if file.suffix.lower() not in IMAGES or any(p.startswith((".", "__MACOSX")) for p in file.parts):
            continue
        digits = re.findall(r"\d+", file.stem)
        if not digits:
            raise DataError(f"{path}: image {name!r} has no number to be sorted by")
        number = int(digits[-1])
        if number in position:
            raise DataError(f"{path}: images {position[number]!r} and {name!r} have the same number")
        position[number] = name
    if not position:
        raise DataError(f"{path}: holds no images")
    return tuple(position[number] for number in sorted(position))
