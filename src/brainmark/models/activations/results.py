"""Where activations go: one float32 array per layer, in memory or in a file of its own."""

from __future__ import annotations

import os
import shutil
from collections.abc import Mapping, Sequence
from itertools import pairwise
from pathlib import Path
from typing import Protocol

import torch
from torch import Tensor

from brainmark.core.errors import ResourceError
from brainmark.core.libraries import np
from brainmark.core.wording import bytes_text


class Results(Protocol):
    """Activations (stimuli, ...) that are filled row by row."""

    def put(self, rows: Sequence[int], values: Tensor) -> None:
        """Write the values (len(rows), ...) of some stimuli."""
        ...

    def repeat(self, same_as: Mapping[int, int]) -> None:
        """Give rows the values of the rows that they repeat."""
        ...

    def finish(self) -> np.ndarray:
        """Return the whole."""
        ...


class InMemory:
    """An array, allocated at once."""

    def __init__(self, count: int, shape: tuple[int, ...]) -> None:
        # not by NumPy, which asks for huge pages: on virtual machines, touching them first takes 2 to 4 times as long
        self.array = torch.empty((count, *shape), dtype=torch.float32).numpy()

    def put(self, rows: Sequence[int], values: Tensor) -> None:
        """Write the values (len(rows), ...) of some stimuli."""
        whole = torch.from_numpy(self.array)
        breaks = [k for k in range(1, len(rows)) if rows[k] != rows[k - 1] + 1]
        for first, stop in pairwise([0, *breaks, len(rows)]):  # a block at a time, which is copied once
            whole[rows[first] : rows[first] + stop - first].copy_(values[first:stop])

    def repeat(self, same_as: Mapping[int, int]) -> None:
        """Give rows the values of the rows that they repeat."""
        for row, first in same_as.items():
            self.array[row] = self.array[first]

    def finish(self) -> np.ndarray:
        """Return the array."""
        return self.array


class OnDisk:
    """A .npy file, written without holding it; it has its name once it is complete."""

    def __init__(self, path: Path, count: int, shape: tuple[int, ...]) -> None:
        self.path, self.shape = path, (count, *shape)
        self.part = path.with_name(f"{path.name}.{os.getpid()}.part")
        path.parent.mkdir(parents=True, exist_ok=True)
        self.file = self.part.open("w+b")
        head = {"descr": "<f4", "fortran_order": False, "shape": self.shape}
        np.lib.format.write_array_header_1_0(self.file, head)
        self.start, self.row = self.file.tell(), 4 * int(np.prod(shape, dtype=np.int64))
        self.file.truncate(self.start + self.row * count)

    def put(self, rows: Sequence[int], values: Tensor) -> None:
        """Write the values (len(rows), ...) of some stimuli."""
        block = values.to("cpu", torch.float32).contiguous()
        for row, line in zip(rows, block.numpy().astype("<f4", copy=False), strict=True):
            self.file.seek(self.start + row * self.row)
            self.file.write(line.data)

    def repeat(self, same_as: Mapping[int, int]) -> None:
        """Give rows the values of the rows that they repeat."""
        for row, first in same_as.items():
            self.file.seek(self.start + first * self.row)
            line = self.file.read(self.row)
            self.file.seek(self.start + row * self.row)
            self.file.write(line)

    def finish(self) -> np.ndarray:
        """Return the file's array, mapped into memory."""
        self.file.close()
        self.part.replace(self.path)
        return np.load(self.path, mmap_mode="r+")

    def discard(self) -> None:
        """Remove what is not complete."""
        self.file.close()
        self.part.unlink(missing_ok=True)


def file_of(folder: Path, layer: str) -> Path:
    """Return where a layer's activations lie in a folder."""
    return folder / f"{layer.replace('/', '_')}.npy"


def check_disk(folder: Path, needed: int) -> None:
    """Refuse to write more than there is room for.

    Raises
    ------
    ResourceError : says how much is free.
    """
    folder.mkdir(parents=True, exist_ok=True)
    free = shutil.disk_usage(folder).free
    if needed > free:
        raise ResourceError(
            f"activations need {bytes_text(needed)} on disk, but {bytes_text(free)} are free in {folder}"
        )


__all__ = ["InMemory", "OnDisk", "Results", "check_disk", "file_of"]
