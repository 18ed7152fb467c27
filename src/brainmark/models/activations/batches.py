"""Batches of stimuli for a network: decoded in threads, without repeats, grouped by shape."""

from __future__ import annotations

import hashlib
import os
from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from functools import partial
from typing import Any, cast

from brainmark.core.errors import InvalidStimuli
from brainmark.core.images import check_mask
from brainmark.core.libraries import np, torch
from brainmark.core.stimuli import Media, content_digest

_MOST_WORKERS = 4
_AHEAD = 2  # stimuli that each worker may be ahead


@dataclass(frozen=True, eq=False)
class Batch:
    """Stimuli that pass together.

    Attributes
    ----------
    rows : their positions among the media.
    digests : hashes of their contents.
    inputs : what the module is called with.
    passing : stimuli in the inputs, of which the last may stand several times.
    key : shapes of one prepared stimulus.
    repeats : how many media so far repeat an earlier one.
    """

    rows: list[int]
    digests: list[bytes]
    inputs: Any
    passing: int
    key: Any
    repeats: int


@dataclass(frozen=True, eq=False)
class Loader:
    """Loads media in order, and puts new ones of equal shape together.

    Attributes
    ----------
    media, prepare, collate : see `extract.Extractor`.
    size : bytes of a prepared stimulus -> stimuli to a batch.
    waiting : bytes of prepared stimuli that may wait for others of their shape.
    label : row -> what errors call its stimulus.
    together : batches are filled to a multiple of this with their last stimulus.
    same_as : rows that repeat another -> that row; complete when the batches are through.
    """

    media: Media
    prepare: Callable[[Any], Any]
    collate: Callable[[Sequence[Any]], Any]
    size: Callable[[int], int]
    waiting: int
    label: Callable[[int], str]
    together: int = 1
    same_as: dict[int, int] = field(default_factory=dict)

    def batches(self) -> Iterator[Batch]:
        """Yield batches of stimuli that are no repeats."""
        first_row: dict[bytes, int] = {}
        pending: dict[Any, list[tuple[int, bytes, Any]]] = {}
        held = 0
        for row, (digest, prepared) in enumerate(self._load_all(first_row)):
            if first_row.setdefault(digest, row) != row:
                self.same_as[row] = first_row[digest]
                continue
            key = shapes_of(prepared)
            group = pending.setdefault(key, [])
            group.append((row, digest, prepared))
            held += (size := bytes_of(prepared))
            if len(group) >= self.size(size):
                held -= size * len(group)
                yield self._batch(key, pending.pop(key))
            elif held > self.waiting:
                fullest = max(pending, key=lambda k: len(pending[k]))
                held -= sum(bytes_of(p) for _, _, p in pending[fullest])
                yield self._batch(fullest, pending.pop(fullest))
        for key, group in pending.items():
            yield self._batch(key, group)

    def _batch(self, key: Any, group: list[tuple[int, bytes, Any]]) -> Batch:
        if group[0][0] == 0:
            # what the first stimulus evokes alone is known; in the midst, others before and after it can change it
            group = [*group[1 : 1 + len(group) // 2], group[0], *group[1 + len(group) // 2 :]]
        prepared = [medium for _, _, medium in group]
        together = min(self.together, self.size(bytes_of(prepared[-1])))
        prepared.extend(prepared[-1:] * (-len(group) % together))
        rows, digests = [row for row, _, _ in group], [digest for _, digest, _ in group]
        return Batch(rows, digests, self.collate(prepared), len(prepared), key, len(self.same_as))

    def _load_all(self, seen: Mapping[bytes, int]) -> Iterator[tuple[bytes, Any]]:
        """Yield hash and prepared form of each medium, in order, read by several threads where the media allow it."""
        workers = min(_MOST_WORKERS, os.cpu_count() or 1) if is_concurrent(self.media) else 1
        if workers == 1:
            for row in range(len(self.media)):
                yield self._load(row, seen)
            return
        with ThreadPoolExecutor(workers, thread_name_prefix="brainmark-decode") as pool:
            coming: deque[Future[tuple[bytes, Any]]] = deque()
            try:
                for row in range(len(self.media)):
                    coming.append(pool.submit(self._load, row, seen))
                    if len(coming) > _AHEAD * workers:
                        yield coming.popleft().result()
                while coming:
                    yield coming.popleft().result()
            finally:
                for future in coming:
                    future.cancel()

    def _load(self, row: int, seen: Mapping[bytes, int]) -> tuple[bytes, Any]:
        """Prepare one medium, unless its content is already on the way."""
        try:
            medium = self.media[row]
            digest = digest_of(medium, row)
            return digest, None if digest in seen else self.prepare(medium)
        except InvalidStimuli as error:
            raise InvalidStimuli(f"{self.label(row)}: {error}") from error
        except Exception as error:
            error.add_note(f"while {self.label(row)} was prepared")
            raise


def is_concurrent(media: Media) -> bool:
    """Return whether several threads may read the media at once: those that say so, and those in memory."""
    return bool(getattr(media, "concurrent", isinstance(media, tuple | list | np.ndarray)))


def prefetch(items: Iterator[Any]) -> Iterator[Any]:
    """Compute the next item in a thread while this one is used."""
    with ThreadPoolExecutor(1, thread_name_prefix="brainmark-load") as pool:
        coming = pool.submit(next, items, None)
        while (item := coming.result()) is not None:
            coming = pool.submit(next, items, None)
            yield item


def as_arrays(medium: Any) -> Any:
    """Return a medium as an array; mappings and tuples of arrays, which are several inputs, hold arrays."""
    if isinstance(medium, Mapping):
        return {key: as_arrays(value) for key, value in cast("Mapping[Any, Any]", medium).items()}
    if isinstance(medium, tuple) and any(isinstance(part, np.ndarray | torch.Tensor) for part in medium):
        return tuple(as_arrays(part) for part in cast("tuple[Any, ...]", medium))
    check_mask(medium)
    return np.asarray(medium)


def stack(prepared: Sequence[Any]) -> Any:
    """Put prepared stimuli into one input: arrays and numbers are stacked, within mappings and tuples too."""
    first = prepared[0]
    if isinstance(first, Mapping):
        return {key: stack([p[key] for p in prepared]) for key in cast("Mapping[Any, Any]", first)}
    if isinstance(first, tuple | list):
        return tuple(stack(parts) for parts in zip(*prepared, strict=True))
    if isinstance(first, torch.Tensor):
        return torch.stack(list(prepared))
    return torch.from_numpy(np.stack([np.asarray(p) for p in prepared]))


def shapes_of(prepared: Any) -> Any:
    """Return what must be equal for stimuli to pass together: shapes and types, within mappings and tuples too."""
    if isinstance(prepared, Mapping):
        return tuple((key, shapes_of(value)) for key, value in cast("Mapping[Any, Any]", prepared).items())
    if isinstance(prepared, tuple | list):
        return tuple(shapes_of(value) for value in cast("Sequence[Any]", prepared))
    array: Any = prepared if isinstance(prepared, np.ndarray | torch.Tensor) else np.asarray(prepared)
    return (tuple(array.shape), str(array.dtype))


def bytes_of(prepared: Any) -> int:
    """Return the bytes of the arrays in a prepared stimulus."""
    if isinstance(prepared, Mapping):
        return sum(bytes_of(value) for value in cast("Mapping[Any, Any]", prepared).values())
    if isinstance(prepared, tuple | list):
        return sum(bytes_of(value) for value in cast("Sequence[Any]", prepared))
    if isinstance(prepared, str):
        return len(prepared)
    if isinstance(prepared, torch.Tensor):
        return prepared.numel() * prepared.element_size()
    return int(getattr(prepared, "nbytes", 8))


def digest_of(medium: Any, row: int) -> bytes:
    """Return the hash of a medium's content; one whose content is not known equals no other, so its row stands in."""
    try:
        return content_digest(medium, partial(hashlib.blake2b, digest_size=16))
    except InvalidStimuli:
        return f"stimulus {row}".encode()
