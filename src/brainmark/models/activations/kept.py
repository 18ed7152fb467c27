"""Keeps activations on disk, so that each stimulus passes a network once: for all benchmarks, processes and machines.

It is switched on by `keep_activations`; whoever records (see `subjects.vision`) asks `record` for the rows of some
layers and says how the missing ones are computed. What is missing passes the network once for all layers that the model
commits to. A row is known by the network (weights, code, preprocessing, seed of its draws, precision, device, versions
of the libraries), by layer and reduction, and by the content of its stimulus. Where anything fails, rows are computed
as if nothing were kept.
"""

from __future__ import annotations

import hashlib
import json
import logging
import os
import weakref
import zlib
from collections.abc import Generator, Iterator, Mapping, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Literal, Protocol, TypeAlias

from brainmark.core.errors import BrainmarkError, DataError, InvalidStimuli, warn
from brainmark.core.libraries import nn, np, torch
from brainmark.core.memory import available_memory
from brainmark.core.stimuli import Media, digest_at
from brainmark.core.wording import bytes_text, read_bytes
from brainmark.data.fetch.places import home
from brainmark.models.activations.hooks import digest_of_weights
from brainmark.models.activations.identity import CannotDescribe, describe_network, describe_object
from brainmark.models.activations.plan import versions
from brainmark.models.activations.shards import Group, evict, free_bytes

LIMIT = "BRAINMARK_ACTIVATIONS"
"""Names the most bytes of activations that are kept, such as ``50 GB``; 0: none are."""
USUAL_LIMIT = 20 * 10**9
_LEAST_FREE = 2**30  # bytes of the disk that are left to others
_FIRST = 16  # stimuli after which it is known how many bytes each has, and the fewest that are computed together
_CHUNK = 2**26  # bytes of rows that are computed before they are written: few, as fresh memory is slow
_SHARE_OF_OTHERS = 4  # layers that nobody asked for take no more than one part in so many of the limit
_USABLE = 0.8  # share of the free memory that rows may take
_SAMPLE = 64  # numbers of each weight that are looked at to see whether it is as it was

Rows: TypeAlias = "tuple[np.ndarray, tuple[int, ...]]"
"""Activations (stimuli, units), float32, and the shape of the map that they are reduced from."""

_log = logging.getLogger(__name__)


def folder() -> Path:
    """Return the folder of kept activations; it need not exist yet."""
    return home() / "activations"


def limit() -> int:
    """Return the most bytes that are kept. Raises DataError: ``BRAINMARK_ACTIVATIONS`` is no number of bytes."""
    given = os.environ.get(LIMIT, "").strip()
    if not given:
        return USUAL_LIMIT
    try:
        return read_bytes(given)
    except ValueError:
        raise DataError(
            f"{LIMIT} is {given!r}; give a number of bytes, such as 500MB or 50GB, or 0 to keep none"
        ) from None


@dataclass(frozen=True)
class Identity:
    """What tells a network from others.

    Attributes
    ----------
    layers : digest of its layers and what they hold, as it was when the network was first met.
    weights : digest of its weights.
    seen : how it sees stimuli and runs.
    now : digest of its layers and what they hold now.
    """

    layers: str
    weights: str
    seen: str
    now: str

    @property
    def key(self) -> str:
        """Name of its folder."""
        return hashlib.sha256(json.dumps([self.layers, self.weights, self.seen]).encode()).hexdigest()[:32]

    def is_still(self, other: Identity | None, alike: bool) -> bool:
        """Return whether the network is the same after some passes.

        What layers count or remember may change if the answers do not (`alike`); their weights may not. A network that
        holds what this one holds now is then known as this one.
        """
        if other is None or (other.weights, other.seen) != (self.weights, self.seen):
            return False
        if other.layers != self.layers and alike:
            _as_before[other.now] = self.layers
        return other.layers == self.layers or alike


_as_before: dict[str, str] = {}
"""Digest of what layers hold after passes -> that of what they held before, where their answers do not depend on it."""


@dataclass(eq=False)
class Kept:
    """Kept activations, as one run sees them.

    Attributes
    ----------
    folder : where they are.
    most : bytes that are kept; what was used longest ago goes first.
    """

    folder: Path
    most: int
    _broken: bool = False
    _unchecked: int | None = None
    _weights: weakref.WeakKeyDictionary[nn.Module, tuple[Any, str]] = field(
        default_factory=weakref.WeakKeyDictionary[Any, Any]
    )

    def group(self, network: str, layer: str, reduction: str) -> Group:
        """Return the rows of a layer."""
        name = hashlib.sha256(json.dumps([layer, reduction]).encode()).hexdigest()[:32]
        return Group(self.folder / network / name)

    def identify(self, module: nn.Module, *parts: Any) -> Identity | None:
        """Return what tells a network and its preprocessing (`parts`) from others; None: that cannot be told."""
        try:
            layers, seen = describe_network(module), describe_object(parts)
            return Identity(_as_before.get(layers, layers), self._read_weights(module), seen, layers)
        except (CannotDescribe, BrainmarkError) as error:
            _log.info("activations of %s are not kept: %s", type(module).__name__, error)
            return None

    def _read_weights(self, module: nn.Module) -> str:
        """Return the digest of the weights; they are read again once they changed."""
        state = _sample_weights(module)
        known = self._weights.get(module)
        if known is None or known[0] != state:
            known = self._weights[module] = (state, digest_of_weights(module))
        return known[1]

    def write(self, group: Group, about: Mapping[str, str], digests: Sequence[bytes], rows: np.ndarray) -> None:
        """Keep rows, unless the disk has no room; where that fails, nothing more is kept, and a warning says so."""
        if self._broken or rows.nbytes > self.most:
            return
        try:
            if free_bytes(self.folder) < rows.nbytes + min(_LEAST_FREE, self.most):
                raise OSError(f"less than {bytes_text(min(_LEAST_FREE, self.most))} of the disk would be free")
            group.write(about, digests, rows)
            self._unchecked = None if self._unchecked is None else self._unchecked + rows.nbytes
            if self._unchecked is None or self._unchecked > self.most // 20:
                evict(self.folder, self.most)
                self._unchecked = 0
        except OSError as error:
            self._broken = True
            warn(f"activations are not kept in {self.folder}: {error}")


def _sample_weights(module: nn.Module) -> Any:
    """Return what changes when weights do: their places, how often they were changed, and some of their numbers."""
    total, places = 0, []
    for tensor in [*module.parameters(), *module.buffers()]:
        flat = tensor.detach().reshape(-1) if tensor.is_contiguous() else tensor.detach().flatten()[:0]
        sample = flat[:: max(1, flat.numel() // _SAMPLE)].float().cpu().contiguous().numpy()
        total = zlib.crc32(sample.tobytes(), total)
        places.append(tensor.data_ptr())
    return versions(module), tuple(places), total


_active: ContextVar[Kept | Literal["off"] | None] = ContextVar("kept activations", default=None)


@contextmanager
def keep_activations(wanted: bool = True, place: tuple[Path, int] | None = None) -> Generator[None]:
    """Keep activations that are recorded in the block, and use those that were kept.

    Blocks within blocks share what the outermost knows; with `wanted` False, nothing is read or kept within.

    Parameters
    ----------
    place : folder, and most bytes; None: those of the user.

    Raises
    ------
    DataError : see `limit`.
    """
    now = _active.get()
    if now == "off" or not wanted:
        now = "off"
    else:
        where, most = place or (folder(), limit())
        if now is None or (now.folder, now.most) != (where, most):
            now = Kept(where, most) if most else "off"
    token = _active.set(now)
    try:
        yield
    finally:
        _active.reset(token)


def find_kept() -> Kept | None:
    """Return what is kept; None where nothing is."""
    now = _active.get()
    return None if now == "off" else now


# --- recording -------------------------------------------------------------------------------------------------------


class Recorder(Protocol):
    """Records layers of one network."""

    def identify(self, kept: Kept) -> Identity | None:
        """Return what tells the network from others."""
        ...

    def __call__(self, rows: Sequence[int], names: Sequence[str]) -> dict[str, Rows]:
        """Return the rows of the stimuli at these positions for these layers."""
        ...

    @property
    def alike(self) -> bool:
        """Whether the network answered to the bit alike when a stimulus was shown again."""
        ...


@dataclass(frozen=True)
class RowsWanted:
    """What is recorded: rows of layers on stimuli.

    Attributes
    ----------
    media : the stimuli.
    layers : those asked for, by name, and the reduction of each, as text.
    others : those that the same pass may record for later.
    about : what is noted beside the rows, as text by name.
    """

    media: Media
    layers: Mapping[str, str]
    others: Mapping[str, str]
    about: Mapping[str, str]


def record(kept: Kept, wanted: RowsWanted, recorder: Recorder) -> dict[str, Rows]:
    """Return the rows of all stimuli for the layers asked for: those that are kept, and the rest computed.

    The numbers are those of the recorder called once for all stimuli, to the bit where it gives a stimulus the same
    numbers whatever others are shown.
    """
    for attempt in (wanted, replace(wanted, others={}))[: 2 if wanted.others else 1]:
        try:
            found = _record(kept, attempt, recorder)
        except Exception as error:  # noqa: BLE001 - of any network; what still fails below is told
            _log.info("%s: recorded otherwise: %s", wanted.about, error)
            continue
        if found is not None:
            return found
        break
    return recorder(range(len(wanted.media)), list(wanted.layers))


def _record(kept: Kept, wanted: RowsWanted, recorder: Recorder) -> dict[str, Rows] | None:
    """Return the rows with the help of what is kept; None where that cannot help."""
    network = recorder.identify(kept)
    digests = None if network is None else _read_digests(wanted.media)
    if network is None or digests is None:
        return None
    distinct = list(dict.fromkeys(digests))
    groups = {name: kept.group(network.key, name, how) for name, how in {**wanted.layers, **wanted.others}.items()}
    if not _fits([groups[name] for name in wanted.layers], len(distinct)):
        return None
    whole = _Whole(len(distinct))
    for name in wanted.layers:
        whole.take(name, groups[name].read(distinct))
    missing = whole.list_missing(list(wanted.layers))
    _log.info("%s: %d of %d stimuli are kept", wanted.about, len(distinct) - len(missing), len(distinct))
    if missing:
        first = {digest: row for row, digest in reversed(list(enumerate(digests)))}
        positions = [first[digest] for digest in distinct]
        for names, rows, made in _compute(kept, wanted, recorder, network, missing, positions):
            for name, (values, shape) in made.items():
                if name in wanted.layers:
                    whole.add(name, rows, values, shape)
                if name in names:
                    about = {**wanted.about, "layer": name, "shape": json.dumps(shape)}
                    kept.write(groups[name], about, [distinct[row] for row in rows], values)
    place = {digest: row for row, digest in enumerate(distinct)}
    return whole.spread([place[digest] for digest in digests] if len(distinct) < len(digests) else None)


def _compute(
    kept: Kept,
    wanted: RowsWanted,
    recorder: Recorder,
    network: Identity,
    missing: Sequence[int],
    positions: Sequence[int],
) -> Iterator[tuple[list[str], Sequence[int], dict[str, Rows]]]:
    """Yield names of layers to keep, rows, and what was recorded for them, some stimuli at a time.

    What nobody asked for is recorded as far as it takes a small share of the room.
    """
    asked, names = list(wanted.layers), [*wanted.layers, *wanted.others]
    start, step = 0, _FIRST
    while start < len(missing):
        rows, left = missing[start : start + step], len(missing) - start
        made = recorder([positions[row] for row in rows], names)
        sizes = {name: values[0].nbytes for name, (values, _) in made.items()}
        needed = sum(sizes[name] for name in asked) * left
        names = [*asked, *_choose_small({n: sizes[n] * left for n in names if n not in asked}, kept.most)]
        steady = network.is_still(recorder.identify(kept), recorder.alike)
        yield names if steady and needed <= kept.most // 2 else [], rows, made
        start += len(rows)
        step = max(_FIRST, _CHUNK // sum(sizes.values()) // _FIRST * _FIRST)


def _choose_small(sizes: Mapping[str, int], most: int) -> list[str]:
    """Return the layers that nobody asked for and that are recorded nonetheless: the smallest that have room."""
    chosen, total = set[str](), 0
    for name in sorted(sizes, key=lambda n: sizes[n]):
        total += sizes[name]
        if total <= most // _SHARE_OF_OTHERS:
            chosen.add(name)
    return [name for name in sizes if name in chosen]


class _Whole:
    """Rows of all stimuli, as they come together."""

    def __init__(self, count: int) -> None:
        self.count = count
        self.rows: dict[str, np.ndarray] = {}
        self.shapes: dict[str, tuple[int, ...]] = {}
        self.have: dict[str, np.ndarray] = {}

    def take(self, name: str, found: tuple[Mapping[str, str], np.ndarray, np.ndarray] | None) -> None:
        """Take what was kept of a layer."""
        self.have[name] = np.zeros(self.count, bool)
        if found is not None:
            about, self.rows[name], self.have[name] = found
            self.shapes[name] = tuple(json.loads(about["shape"]))

    def list_missing(self, names: Sequence[str]) -> list[int]:
        """Return the stimuli of which a layer lacks its row."""
        return np.flatnonzero(~np.logical_and.reduce([self.have[name] for name in names])).tolist()

    def add(self, name: str, places: Sequence[int], values: np.ndarray, shape: tuple[int, ...]) -> None:
        """Add rows that were computed."""
        self.shapes[name] = shape
        if len(places) == self.count:
            self.rows[name] = values
            return
        if name not in self.rows:
            self.rows[name] = torch.empty((self.count, values.shape[1]), dtype=torch.float32).numpy()
        self.rows[name][places] = values

    def spread(self, places: Sequence[int] | None) -> dict[str, Rows]:
        """Return the rows, or those at `places` where stimuli come more than once."""
        return {n: (rows if places is None else rows[places], self.shapes[n]) for n, rows in self.rows.items()}


def _read_digests(media: Media) -> list[bytes] | None:
    """Return the digest of each stimulus; None where the content of one is not known."""
    try:
        return [digest_at(media, row) for row in range(len(media))]
    except InvalidStimuli:
        return None


def _fits(groups: Sequence[Group], count: int) -> bool:
    """Return whether rows that are kept fit into memory."""
    sizes = [next((shard.row_bytes for shard in group.shards()), 0) for group in groups]
    return count * sum(sizes) <= available_memory() * _USABLE
