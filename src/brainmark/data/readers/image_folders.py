"""Small images of one size, decoded once and kept as one array, because ten thousand files are slow to open."""

from __future__ import annotations

import hashlib
import io
from collections.abc import Sequence
from contextlib import suppress

from brainmark.core import DataError
from brainmark.core.errors import warn
from brainmark.core.libraries import Image, np
from brainmark.data.fetch.download import explain_write_error, show_bar
from brainmark.data.fetch.folders import NumberedFiles
from brainmark.data.fetch.places import home
from brainmark.data.readers.damage import explain_damage
from brainmark.data.writing import write_whole


def decode_folders(name: str, folders: Sequence[NumberedFiles], shape: tuple[int, int, int]) -> np.ndarray:
    """Return the images of all folders (images, rows, columns, 3), uint8, in order.

    The array is kept in ``BRAINMARK_HOME/arrays`` under the sha256 of the files and of its own pixels: an array that
    is damaged, or was made of other files, is made again.

    Parameters
    ----------
    name : of the set, for the name of the array and the bar.
    folders : see `NumberedFiles`.
    shape : of one image.

    Raises
    ------
    DataError : see `NumberedFiles.read`; a file cannot be decoded or has another shape.
    """
    sources = hashlib.sha256("".join(f.sha256 for f in folders).encode()).hexdigest()[:16]
    whole = (sum(f.count for f in folders), *shape)
    for kept in sorted((home() / "arrays").glob(f"{name}-{sources}-*.raw")):
        content = kept.read_bytes()
        if kept.stem.endswith(hashlib.sha256(content).hexdigest()) and len(content) == np.prod(whole):
            return np.frombuffer(content, np.uint8).reshape(whole)
        with suppress(OSError):
            kept.unlink()
    pixels = _decode_all(name, folders, whole)
    content = pixels.tobytes()
    kept = home() / "arrays" / f"{name}-{sources}-{hashlib.sha256(content).hexdigest()}.raw"
    try:
        write_whole(kept, content)
    except OSError as error:  # the images themselves are there
        warn(f"the images of {name} are not kept at {kept}: {explain_write_error(error)}")
    return pixels


def _decode_all(name: str, folders: Sequence[NumberedFiles], whole: tuple[int, ...]) -> np.ndarray:
    pixels = np.empty(whole, np.uint8)
    row = 0
    with show_bar(name, whole[0], in_bytes=False) as advance:
        for folder in folders:
            for file, content in zip(folder.names, folder.read(advance), strict=True):
                pixels[row] = _decode_image(content, f"{folder.url}/{file}", whole[1:])
                row += 1
    return pixels


def _decode_image(content: bytes, origin: str, shape: tuple[int, ...]) -> np.ndarray:
    with explain_damage(origin, "cannot be decoded"), Image.open(io.BytesIO(content)) as image:
        pixels = np.asarray(image.convert("RGB"))
    if pixels.shape != shape:
        raise DataError(f"{origin}: the image has shape {pixels.shape}; expected {shape}")
    return pixels
