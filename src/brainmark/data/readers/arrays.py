"""Reads arrays from NumPy files; unexpected content is reported with the file and the field."""

from __future__ import annotations

from pathlib import Path

from brainmark.core.errors import DataError, suggest
from brainmark.core.libraries import np
from brainmark.data.readers.damage import explain_damage
from brainmark.data.readers.text import decode_array


def array_of(path: Path, shape: tuple[int, ...]) -> np.ndarray:
    """Read a numeric ``.npy`` file of the given shape.

    Raises
    ------
    DataError : it cannot be read, or has another shape or type.
    """
    array = npy_of(path)
    if array.shape != shape or array.dtype.kind not in "fiu":
        raise DataError(f"{path}: holds {array.dtype} {array.shape}; expected numbers of shape {shape}")
    return array


def npy_of(path: Path) -> np.ndarray:
    """Read a ``.npy`` file; bytes become text. Raises DataError."""
    with explain_damage(path, "cannot be read as .npy"), path.open("rb") as file:
        return decode_array(np.lib.format.read_array(file, allow_pickle=False), path)


def npz_of(path: Path, name: str) -> np.ndarray:
    """Read an array of a ``.npz`` file; bytes become text.

    Raises
    ------
    DataError : it cannot be read, or holds no such array.
    """
    with explain_damage(path, "cannot be read as .npz"), np.load(path, allow_pickle=False) as held:
        if name not in held.files:
            near = suggest(name, held.files)
            hint = f"; did you mean {near[0]!r}?" if near else ""
            raise DataError(f"{path}: has no array {name!r} among {', '.join(held.files)}{hint}")
        return decode_array(held[name], path)
