"""What is shown, read or played: one row per stimulus, in presentation order.

Array libraries are loaded with the first image, not before: modules that register things import this one.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any, BinaryIO, ClassVar, Protocol

from brainmark.core.cards import Modality
from brainmark.core.errors import InvalidStimuli
from brainmark.core.libraries import Image, np, pd


class Media(Protocol):
    """The stimuli themselves, by position. Images are uint8 arrays (height, width, 3), sRGB.

    Media with a true attribute `concurrent` are read by several threads at once; others by one at a time.
    """

    def __len__(self) -> int: ...
    def __getitem__(self, index: int, /) -> Any: ...


@dataclass(frozen=True)
class ImageFiles:
    """Image files on disk, decoded when asked for (see `decode_image`)."""

    paths: tuple[Path, ...]
    concurrent: ClassVar[bool] = True
    """Threads may decode at once."""

    def __len__(self) -> int:
        return len(self.paths)

    def __getitem__(self, index: int) -> np.ndarray:
        path = self.paths[index]
        try:
            return decode_image(path)
        except FileNotFoundError:
            raise InvalidStimuli(f"image {index}: no file {path}") from None
        except InvalidStimuli as error:
            raise InvalidStimuli(f"image {index}: cannot decode {path}: {error}") from error


def decode_image(source: Path | BinaryIO) -> np.ndarray:
    """Return the pixels of an image file, uint8 (height, width, 3), sRGB, as they lie in the file.

    Grey, palette, 1-bit and CMYK images are converted, 16 bits are scaled (Pillow would cut them), transparency shows
    the mid-grey screen, and of several frames the first counts. A note on how the camera was held (EXIF orientation)
    and colour profiles are not applied, as by the programs that show stimuli in experiments.

    Raises
    ------
    FileNotFoundError : no such file.
    InvalidStimuli : it is damaged, cut short or no image.
    """
    try:
        with Image.open(source) as image:
            return _rgb(image)
    except FileNotFoundError:
        raise
    except Exception as error:  # Pillow's decoders raise many types: OSError, SyntaxError, ValueError, struct.error ...
        raise InvalidStimuli(f"{type(error).__name__}: {error}") from error


def _rgb(image: Image.Image) -> np.ndarray:

    if image.mode == "F":
        raise ValueError("pixels are real numbers of no known scale; save them as 8 or 16 bits")
    if image.mode == "I" and image.format not in ("PNG", "PPM"):  # which are read as such, and have 16 bits
        raise ValueError("pixels are 32-bit integers of no known scale; save them as 8 or 16 bits")
    if image.mode.startswith("I"):
        grey = (np.clip(np.asarray(image, np.int64), 0, 65535) + 128) // 257
        return np.repeat(grey.astype(np.uint8)[..., None], 3, axis=2)
    if image.has_transparency_data:
        screen = Image.new("RGBA", image.size, (128, 128, 128, 255))
        screen.alpha_composite(image.convert("RGBA"))
        return np.asarray(screen.convert("RGB"))
    return np.asarray(image if image.mode == "RGB" else image.convert("RGB"))


@dataclass(frozen=True)
class Selected:
    """Some media of another sequence, in the order of `positions`; nothing is loaded before it is asked for."""

    media: Media
    positions: tuple[int, ...]

    @property
    def concurrent(self) -> bool:
        """Whether threads may read at once."""
        return bool(getattr(self.media, "concurrent", isinstance(self.media, tuple | list)))

    def __len__(self) -> int:
        return len(self.positions)

    def __getitem__(self, index: int) -> Any:
        return self.media[self.positions[index]]


@dataclass(frozen=True, eq=False)
class Stimuli:
    """Stimuli of one modality.

    Parameters
    ----------
    identifier : name of the set.
    modality : "image", "text", "audio", ...
    table : one row per stimulus in presentation order; the index, named ``stimulus_id``, is unique;
        columns are metadata (and, for text, the column ``text``).
    media : the stimuli by position; taken from the columns ``path`` (images) or ``text`` when left out.
    """

    identifier: str
    modality: Modality
    table: pd.DataFrame
    media: Media = field(default=())  # type: ignore[assignment]

    def __post_init__(self) -> None:
        table = self.table
        if table.index.name != "stimulus_id":
            if "stimulus_id" not in table.columns:
                raise InvalidStimuli(
                    f"stimuli {self.identifier!r}: no index or column 'stimulus_id' among {list(table.columns)}"
                )
            table = table.set_index("stimulus_id")
        table = table.set_axis(table.index.astype(str).rename("stimulus_id"), axis=0)
        object.__setattr__(self, "table", table)
        if len(table) == 0:
            raise InvalidStimuli(f"stimuli {self.identifier!r}: the table is empty")
        twice = table.index[table.index.duplicated()]
        if len(twice):
            raise InvalidStimuli(
                f"stimuli {self.identifier!r}: stimulus_id {twice[0]!r} stands {(table.index == twice[0]).sum()} times"
            )
        if len(self.media) == 0:
            object.__setattr__(self, "media", self._media_of_table())
        if len(self.media) != len(table):
            raise InvalidStimuli(
                f"stimuli {self.identifier!r}: {len(self.media)} media for {len(table)} rows of the table"
            )

    def _media_of_table(self) -> Media:
        column = {"image": "path", "text": "text"}.get(self.modality, "path")
        if column not in self.table.columns:
            raise InvalidStimuli(
                f"stimuli {self.identifier!r}: neither media nor a column {column!r} among {list(self.table.columns)}"
            )
        values = self.table[column].tolist()
        if self.modality == "image":
            return ImageFiles(tuple(Path(p) for p in values))
        return tuple(values)

    def __len__(self) -> int:
        return len(self.table)

    @property
    def ids(self) -> np.ndarray:
        """Identifiers (stimuli,), in presentation order."""
        return self.table.index.to_numpy(dtype=str)

    @cached_property
    def digest(self) -> str:
        """sha256 over the content of every stimulus, in order; names and metadata do not count."""
        whole = hashlib.sha256(f"{self.modality}:{len(self)}".encode())
        for index in range(len(self)):
            whole.update(_content(self.media[index]))
        return whole.hexdigest()

    def take(self, positions: Sequence[int] | np.ndarray, identifier: str | None = None) -> Stimuli:
        """Return the stimuli at `positions`, in that order."""
        chosen = tuple(int(p) for p in positions)
        name = identifier or f"{self.identifier}[{len(chosen)}]"
        return Stimuli(name, self.modality, self.table.iloc[list(chosen)], Selected(self.media, chosen))


def _content(medium: Any) -> bytes:

    if isinstance(medium, np.ndarray):
        head = f"{medium.dtype.str}{medium.shape}".encode()
        return hashlib.sha256(head + np.ascontiguousarray(medium).tobytes()).digest()
    if isinstance(medium, bytes):
        return hashlib.sha256(medium).digest()
    if isinstance(medium, str):
        return hashlib.sha256(medium.encode()).digest()
    raise InvalidStimuli(f"cannot hash a stimulus of type {type(medium).__name__}: use an array, a string or bytes")
