"""What is shown, read or played: one row per stimulus, in presentation order.

Array libraries are loaded with the first image, not before: modules that register things import this one.
"""

from __future__ import annotations

import hashlib
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, fields, is_dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, ClassVar, Protocol, cast

from brainmark.core.errors import InvalidStimuli, suggest
from brainmark.core.images import check_mask, decode_image
from brainmark.core.libraries import Image, np, pd


class Media(Protocol):
    """The stimuli themselves, by position. Images are uint8 arrays (height, width, 3), sRGB.

    Media with a true attribute `concurrent` are read by several threads at once; others by one at a time.
    """

    def __len__(self) -> int: ...
    def __getitem__(self, index: int, /) -> Any: ...


@dataclass(frozen=True)
class ImageFiles:
    """Image files on disk, decoded when they are used (see `decode_image`)."""

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

    def digest_at(self, index: int) -> bytes:
        """Return the hash of an image (`content_digest`); a file that has not changed since is not decoded again."""
        try:
            state = self.paths[index].stat()
        except OSError:
            return content_digest(self[index])  # which says what is wrong
        known = (state.st_dev, state.st_ino, state.st_size, state.st_mtime_ns, state.st_ctime_ns)
        if known not in _of_files:
            if len(_of_files) >= _MOST_FILES:
                _of_files.clear()
            _of_files[known] = content_digest(self[index])
        return _of_files[known]


_MOST_FILES = 200_000
_of_files: dict[tuple[int, ...], bytes] = {}


MODALITIES: dict[str, Callable[[int], Stimuli] | None] = dict.fromkeys(
    ("image", "text", "audio", "kinematics", "dots", "video")
)
"""Modality -> a maker of so many small stimuli, for the conformance suite (`brainmark.testing` has our own)."""


@dataclass(frozen=True)
class Selected:
    """Some media of another sequence, in the order of `positions`; media are loaded when they are used."""

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

    def digest_at(self, index: int) -> bytes:
        """Return the hash of a stimulus, see `digest_at`."""
        return digest_at(self.media, self.positions[index])


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
    modality: str
    table: pd.DataFrame
    media: Media = field(default=())  # type: ignore[assignment]

    def __post_init__(self) -> None:
        if self.modality not in MODALITIES:
            near = suggest(self.modality, MODALITIES)
            offer = f"did you mean {near[0]!r}?" if near else f"known are {', '.join(MODALITIES)}"
            raise InvalidStimuli(
                f"stimuli {self.identifier!r}: modality is {self.modality!r}; {offer} (a package adds its own: "
                "brainmark.core.add_modality)"
            )
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
            whole.update(digest_at(self.media, index))
        return whole.hexdigest()

    def take(self, positions: Sequence[int] | np.ndarray, identifier: str | None = None) -> Stimuli:
        """Return the stimuli at `positions`, in that order."""
        chosen = tuple(int(p) for p in positions)
        name = identifier or f"{self.identifier}[{len(chosen)}]"
        return Stimuli(name, self.modality, self.table.iloc[list(chosen)], Selected(self.media, chosen))


def digest_at(media: Media, index: int) -> bytes:
    """Return the sha256 over the content of one of several media, see `content_digest`; some know it without loading.

    Raises
    ------
    InvalidStimuli : it cannot be loaded, or its content is not known.
    """
    known = getattr(media, "digest_at", None)
    return content_digest(media[index]) if known is None else known(index)


def content_digest(medium: Any, new: Callable[[], Any] = hashlib.sha256) -> bytes:
    """Return the hash of what a stimulus holds: equal contents have equal hashes, whichever object holds them.

    Arrays, tensors, strings, bytes, numbers and Pillow images are hashed by their values; lists, tuples, mappings,
    dataclasses and arrays of objects part by part.

    Parameters
    ----------
    new : makes an empty hash, as the functions of `hashlib`.

    Raises
    ------
    InvalidStimuli : the content of this type is not known; the text of an object may be the same for two contents.
    """
    whole = new()
    for piece in _pieces(medium, new):
        whole.update(piece)
    return whole.digest()


def _pieces(medium: Any, new: Callable[[], Any]) -> Iterator[Any]:
    """Yield the bytes that make up a medium; of one with parts their hashes, so that none runs into the next."""
    check_mask(medium)
    if isinstance(medium, str):
        yield medium.encode("utf-8", "surrogatepass")
    elif isinstance(medium, bytes):
        yield medium
    elif isinstance(medium, np.ndarray) and not medium.dtype.hasobject:
        yield f"{medium.dtype.str}{medium.shape}".encode()
        yield medium.tobytes()
    elif (tensor := _bits_of_tensor(medium)) is not None:
        yield from _pieces(tensor, new)
    else:
        head, parts = _parts(medium)
        yield f"{head}{len(parts)}".encode()
        for part in parts:
            yield content_digest(part, new)


def _bits_of_tensor(medium: Any) -> np.ndarray | None:
    """Return the values of a torch tensor; in a type that NumPy lacks (bfloat16, float8), their bits.

    None for other media, and for tensors whose values do not lie side by side (sparse, nested, quantised).
    """
    library = sys.modules.get("torch")
    if library is None or not isinstance(medium, library.Tensor):
        return None
    if medium.layout != library.strided or medium.is_nested or medium.is_quantized:
        return None
    values = medium.detach().cpu().resolve_conj().resolve_neg().contiguous()
    try:
        return values.numpy()
    except TypeError:
        bits = values.flatten().view(library.uint8).numpy()
        return np.frombuffer(f"{values.dtype}{tuple(values.shape)}".encode() + bits.tobytes(), np.uint8)


def _parts(medium: Any) -> tuple[str, Sequence[Any]]:
    """Return the kind of a medium and what it consists of."""
    kind = type(medium).__name__
    if medium is None or isinstance(medium, bool | int | float | complex | np.generic):
        return kind, [repr(medium)]
    if isinstance(medium, np.ndarray):
        return f"{medium.dtype}{medium.shape}", medium.ravel().tolist()
    if isinstance(medium, tuple | list):
        return "sequence", cast("Sequence[Any]", medium)
    if isinstance(medium, Mapping):
        return "mapping", [part for item in cast("Mapping[Any, Any]", medium).items() for part in item]
    if is_dataclass(medium) and not isinstance(medium, type):
        return kind, [part for f in fields(medium) for part in (f.name, getattr(medium, f.name))]
    if isinstance(medium, Image.Image):
        colours = medium.getpalette("RGBA") if medium.mode in ("P", "PA") else None
        return "picture", [medium.mode, medium.size, medium.tobytes(), colours, medium.info.get("transparency")]
    raise InvalidStimuli(
        f"cannot hash a stimulus of type {kind}: use an array, a picture, a string, bytes, or a tuple, mapping or "
        "dataclass of these"
    )
