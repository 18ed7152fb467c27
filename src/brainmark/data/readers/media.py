"""Stimuli in files that are neither images nor texts: arrays of movements, dots and frames, and sounds."""

from __future__ import annotations

import warnings
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

from brainmark.core.errors import DataError
from brainmark.core.libraries import scipy
from brainmark.data.readers.archive import IMAGES
from brainmark.data.readers.arrays import npy_of
from brainmark.data.readers.damage import explain_damage

_SOUNDS = frozenset({".wav", ".npy"})
_ARRAYS = frozenset({".npy"})


def suffixes_of(modality: str) -> frozenset[str]:
    """Return the endings of files that hold stimuli of a modality."""
    return {"image": IMAGES, "audio": _SOUNDS}.get(modality, _ARRAYS)


def read_medium(path: Path) -> Any:
    """Return an array of numbers (.npy), or a sound (.wav) as its samples a second and the samples (time[, channel]).

    Raises
    ------
    DataError : it cannot be read, or holds something else.
    """
    if path.suffix.lower() == ".wav":
        with explain_damage(path, "cannot be read as a sound"), warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of notes inside the file that are no sound
            rate, samples = scipy.io.wavfile.read(path)
        return int(rate), samples
    array = npy_of(path)
    if array.dtype.kind not in "fiub" or not array.size:
        raise DataError(f"{path}: holds {array.dtype} {array.shape}; a stimulus is an array of numbers")
    return array


@dataclass(frozen=True)
class MediaFiles:
    """Files of arrays or sounds, read when they are used (see `read_medium`)."""

    paths: tuple[Path, ...]
    concurrent: ClassVar[bool] = True
    """Threads may read at once."""

    def __len__(self) -> int:
        return len(self.paths)

    def __getitem__(self, index: int) -> Any:
        return read_medium(self.paths[index])
