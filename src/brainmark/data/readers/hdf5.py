"""The one place where HDF5 files are opened: MATLAB 7.3, NWB, netCDF-4 and others."""

from __future__ import annotations

from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from brainmark.core.errors import DataError, suggest
from brainmark.core.libraries import h5py, np
from brainmark.data.readers.damage import explain_damage
from brainmark.data.readers.text import decode_array
from brainmark.data.readers.trial import try_reading

_SIGNATURE = b"\x89HDF\r\n\x1a\n"
_TOUCHED = 64_000_000  # bytes of a data set that a trial reads; of larger ones, the first and the last row
_WAY_OUT = "values that lie in another file are not read: copy them into this one"


@contextmanager
def open_hdf5(path: Path, what: str = "HDF5", *, verified: bool = False) -> Generator[Any]:
    """Open an HDF5 file to read; what the library raises in the block, too, becomes one line.

    Parameters
    ----------
    what : the format, for messages.
    verified : its checksum was compared with one that is known, so that it is as it was written. Other files are
        first read in a process of their own, see `trial`.

    Raises
    ------
    DataError : it is damaged, or keeps some of its values in other files, by a link or as an external or virtual
        data set: what its checksum says would not hold for those.
    """
    if not verified:
        try_reading(path, read_everything, what)
    with explain_damage(path, f"cannot be read as {what}"), h5py.File(path, "r") as file:
        for item in _walk(file):
            _refuse_outside(item, f"{path}: ")
        yield file


def hdf5_of(path: Path, name: str) -> np.ndarray:
    """Read a data set of an HDF5 file by its name, ``group/name``; bytes become text.

    Raises
    ------
    DataError : it cannot be read, or holds no such data set, or one of something else than numbers and texts.
    """
    with open_hdf5(path) as file:
        if not isinstance(file.get(name), h5py.Dataset):
            known = [str(item.name).lstrip("/") for item in _walk(file) if isinstance(item, h5py.Dataset)]
            near = suggest(name, known)
            hint = f"; did you mean {near[0]!r}?" if near else f" among {', '.join(known[:12])}"
            raise DataError(f"{path}: has no data set {name!r}{hint}")
        values = decode_array(file[name][()], path)
        numbers = h5py.check_enum_dtype(file[name].dtype)
        if numbers is not None:  # an enumeration is its names
            named = {number: text for text, number in numbers.items()}
            values = np.array([named.get(v, str(v)) for v in values.ravel().tolist()], str).reshape(values.shape)
    if values.dtype.kind not in "fiubU":
        raise DataError(f"{path}: {name!r} holds {values.dtype}; expected numbers or texts")
    return values


def is_hdf5(path: Path) -> bool:
    """Return whether a file is HDF5, also behind a block of a user, as MATLAB writes it. Raises DataError."""
    with explain_damage(path, "cannot be read"), path.open("rb") as file:
        for place in (0, *(512 << k for k in range(12))):
            file.seek(place)
            if file.read(len(_SIGNATURE)) == _SIGNATURE:
                return True
    return False


def read_everything(path: str) -> None:
    """Read every attribute, and every data set or, where it is large, its first and last row; keep nothing."""
    with h5py.File(path, "r") as file:
        for item in _walk(file):
            _refuse_outside(item, "")
            _ = [item.attrs[name] for name in item.attrs]
            if not isinstance(item, h5py.Dataset) or item.shape is None:
                continue
            if item.size * item.dtype.itemsize <= _TOUCHED:
                _ = item[()]
            elif item.ndim and item.size:
                _ = item[:1], item[-1:]


def _walk(file: Any) -> Generator[Any]:
    """Yield all groups and data sets, each once, the file itself first."""
    library: Any = h5py
    seen: set[Any] = set()
    todo = [file]
    while todo:
        item = todo.pop()
        address = library.h5o.get_info(item.id).addr
        if address in seen:
            continue
        seen.add(address)
        yield item
        if isinstance(item, h5py.Group):
            hard = [name for name in item if isinstance(item.get(name, getlink=True), h5py.HardLink)]
            todo += [item[name] for name in hard]


def _refuse_outside(item: Any, where: str) -> None:
    """Refuse links to other files, and values that are kept in them."""
    if isinstance(item, h5py.Group):
        for name in item:
            link = item.get(name, getlink=True)
            if isinstance(link, h5py.ExternalLink):
                place = f"{str(item.name).rstrip('/')}/{name}"
                raise DataError(f"{where}{place} is a link to the file {link.filename!r}; {_WAY_OUT}")
    elif isinstance(item, h5py.Dataset):
        files = [str(source[0]) for source in item.external or ()]
        virtual = item.virtual_sources() if item.is_virtual else ()
        files += [source.file_name for source in virtual if source.file_name != "."]
        if files:
            raise DataError(f"{where}{item.name} keeps its values in the file {files[0]!r}; {_WAY_OUT}")
