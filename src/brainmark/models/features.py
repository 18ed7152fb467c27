"""Activations of any torch module, streamed: stimuli in, one preallocated float32 array per layer out."""

from __future__ import annotations

import contextlib
import difflib
import hashlib
import threading
from collections.abc import Callable, Generator, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any, Protocol, runtime_checkable

import numpy as np
import torch
from torch import Tensor, nn

from brainmark.core.errors import ModelError, ResourceError, UnknownName
from brainmark.core.stimuli import Media
from brainmark.models.memory import available_memory, human_bytes, keep_heap
from brainmark.models.outputs import one_tensor, tensors_in

OUTPUT = "output"
"""Name of the module's own output, unless one of its layers is called so."""

MOST_STIMULI = 32  # in a batch: larger ones are not faster on a CPU and cost memory
_FEW_LAYERS = 12  # as many are listed when a name is unknown
_LIVE_OUTPUTS = 4  # layer outputs of the largest size that a network holds at once (input, output, branch, scratch)
_USABLE = 0.8  # share of the free memory that a run may plan for

Reduction = Callable[[Tensor], Tensor]
"""Activations of a layer (stimuli, ...) -> fewer of them (stimuli, ...)."""
Progress = Callable[[int, int], None]
"""Called with (stimuli done, stimuli in all) after each batch."""


@runtime_checkable
class Stochastic(Protocol):
    """A module that draws random numbers, from one seed for each stimulus of the next batch."""

    def reseed(self, seeds: Sequence[int]) -> None:
        """Set the seeds of the stimuli in the next forward pass."""
        ...


@dataclass(frozen=True)
class AveragePool:
    """Reduction of maps (stimuli, channels, rows, columns) to a coarser grid of means; smaller maps stay."""

    rows: int
    columns: int

    def __call__(self, maps: Tensor) -> Tensor:
        """Return the means; what is no map stays as it is."""
        if maps.ndim != 4:
            return maps
        shape = (min(self.rows, maps.shape[2]), min(self.columns, maps.shape[3]))
        return maps if shape == tuple(maps.shape[2:]) else nn.functional.adaptive_avg_pool2d(maps, shape)


@dataclass(frozen=True, eq=False)
class AtPositions:
    """Reduction of maps (stimuli, channels, rows, columns) to (stimuli, channels, positions) of the flattened map."""

    positions: np.ndarray

    def __call__(self, maps: Tensor) -> Tensor:
        """Return the units at the positions."""
        chosen = torch.from_numpy(np.ascontiguousarray(self.positions)).to(maps.device)
        return maps.flatten(2).index_select(2, chosen)


@dataclass(frozen=True)
class Probe:
    """What one forward pass of a single stimulus showed.

    Attributes
    ----------
    shapes : layer -> shape of its output without the dimension of stimuli.
    calls : layer -> how often it ran in one pass (its last output counts).
    working : bytes that a pass needs for each stimulus, beside what is kept.
    """

    shapes: Mapping[str, tuple[int, ...]]
    calls: Mapping[str, int]
    working: int


class _EnoughSeen(Exception):
    """Ends a forward pass after the last wanted layer."""


def find_layers(module: nn.Module, names: Sequence[str]) -> dict[str, nn.Module]:
    """Return the named layers (dotted names as in ``named_modules``, or ``output``).

    Raises
    ------
    UnknownName : with all names if they are few, otherwise with the nearest.
    """
    known = {name: layer for name, layer in module.named_modules() if name}
    known.setdefault(OUTPUT, module)
    for name in names:
        if name not in known:
            raise UnknownName(f"layer of {type(module).__name__}", name, known, _offer(name, list(known)))
    return {name: known[name] for name in names}


def _offer(name: str, known: Sequence[str]) -> str:
    """What to say about the layers that there are."""
    if len(known) <= _FEW_LAYERS:
        return f" (layers: {', '.join(map(repr, known))})"
    nearest = ", ".join(map(repr, difflib.get_close_matches(name, known, n=3, cutoff=0)))
    return f" ({len(known)} layers, nearest {nearest}; all: [name for name, _ in network.named_modules()])"


def probe(module: nn.Module, sample: Tensor, layers: Sequence[str]) -> Probe:
    """Run one stimulus (1, ...) through the whole module and report shapes, calls and memory."""
    found = find_layers(module, layers)
    shapes: dict[str, tuple[int, ...]] = {}
    calls = dict.fromkeys(found, 0)
    largest = sample.nbytes

    def watch(_: nn.Module, __: Any, output: Any) -> None:
        nonlocal largest
        largest = max(largest, *(tensor.nbytes for _, tensor in tensors_in(output)), 0)

    def note(name: str) -> Callable[..., None]:
        def hook(layer: nn.Module, _: Any, output: Any) -> None:
            shapes[name] = tuple(one_tensor(output, name, only=layer is module).shape[1:])
            calls[name] += 1

        return hook

    with (
        keep_heap(),
        _hooks([*((m, watch) for m in module.modules()), *((m, note(n)) for n, m in found.items())]),
        _evaluating(module),
    ):
        module(sample)
    for name, count in calls.items():
        if not count:
            raise ModelError(f"layer {name!r} of {type(module).__name__} does not run in its forward pass")
    return Probe(shapes, calls, _LIVE_OUTPUTS * largest)


@dataclass(frozen=True, eq=False)
class Extractor:
    """Streams media through a module.

    Attributes
    ----------
    module : network; its training flags are restored after each run.
    prepare : medium -> array; runs in a thread beside the network.
    collate : arrays -> the module's input (stimuli, ...), on the CPU.
    device : where the module runs.
    batch : stimuli in a batch; None: as many as the memory allows, at most 32.
    """

    module: nn.Module
    prepare: Callable[[Any], np.ndarray] = np.asarray
    collate: Callable[[Sequence[np.ndarray]], Tensor] = field(default=lambda arrays: torch.from_numpy(np.stack(arrays)))
    device: str = "cpu"
    batch: int | None = None

    def probe(self, media: Media, layers: Sequence[str]) -> Probe:
        """Run the first stimulus and report shapes, calls and memory."""
        self.module.to(self.device)
        return probe(self.module, self.collate([self.prepare(media[0])]).to(self.device), layers)

    def __call__(
        self,
        media: Media,
        layers: Mapping[str, Reduction | None] | Sequence[str],
        *,
        probed: Probe | None = None,
        seed: int | None = None,
        progress: Progress | None = None,
    ) -> dict[str, np.ndarray]:
        """Return layer -> float32 (stimuli, ...), in the order of the media.

        A stimulus that comes more than once is computed once. With a seed, each stimulus draws its own random
        numbers from (seed, content): the same in any order and batch. Layers that share modules yield their last call.

        Raises
        ------
        UnknownName : a layer that is not there.
        InvalidModel : the module returns several tensors, and its output is asked for (of a layer, the first counts).
        ModelError : values that are not finite, naming the layer; a layer without a tensor.
        ResourceError : the result and one stimulus at a time would not fit into memory.
        """
        wanted = dict(layers) if isinstance(layers, Mapping) else dict.fromkeys(layers)
        probed = probed or self.probe(media, list(wanted))
        with _evaluating(self.module):
            run = _Run(self, media, wanted, probed, seed)
            return run.execute(progress)


class _Run:
    """One pass over media: state that would otherwise be passed around."""

    def __init__(
        self,
        extractor: Extractor,
        media: Media,
        wanted: Mapping[str, Reduction | None],
        probed: Probe,
        seed: int | None,
    ) -> None:
        self.extractor, self.media, self.wanted, self.probed, self.seed = extractor, media, wanted, probed, seed
        self.shapes = {n: _reduced_shape(n, probed.shapes[n], reduce) for n, reduce in wanted.items()}
        self.batch = self._fitting_batch()
        self.results = {n: torch.empty((len(media), *shape)) for n, shape in self.shapes.items()}
        self.rows: Tensor | slice = slice(0)
        self.calls_left: dict[str, int] = {}

    def _fitting_batch(self) -> int:
        """Stimuli to a batch, so that results and working memory fit; draws of modules without seeds go one by one."""
        kept = 4 * len(self.media) * sum(int(np.prod(s)) for s in self.shapes.values())
        free = int(available_memory() * _USABLE)
        on_cpu = torch.device(self.extractor.device).type == "cpu"
        working = self.probed.working if on_cpu else 0
        if kept + working > free:
            raise ResourceError(
                f"activations of {len(self.media)} stimuli need {human_bytes(kept + working)} "
                f"({', '.join(self.wanted)}), but {human_bytes(free)} of memory are free; "
                "ask for fewer layers or stimuli, or reduce the layers (AveragePool)"
            )
        if self.seed is not None and not isinstance(self.extractor.module, Stochastic):
            return 1
        fitting = max(1, (free - kept) // working) if working else MOST_STIMULI
        return min(self.extractor.batch or MOST_STIMULI, fitting, len(self.media))

    def execute(self, progress: Progress | None) -> dict[str, np.ndarray]:
        """Compute all batches, then copy the rows of repeated stimuli."""
        same_as: dict[int, int] = {}
        done = 0
        hooks = [(m, self._hook(n)) for n, m in find_layers(self.extractor.module, list(self.wanted)).items()]
        with _hooks(hooks), keep_heap(), torch.inference_mode():
            for rows, digests, stimuli in _prefetched(self._batches(same_as)):
                self._forward(rows, digests, stimuli)
                done += len(rows)
                if progress:
                    progress(done + sum(first <= rows[-1] for first in same_as.values()), len(self.media))
        arrays = {name: result.numpy() for name, result in self.results.items()}
        for array in arrays.values():
            for row, first in same_as.items():
                array[row] = array[first]
        return arrays

    def _batches(self, same_as: dict[int, int]) -> Iterator[tuple[list[int], list[bytes], Tensor]]:
        """Rows, content hashes and input of each batch of new stimuli; notes repeated ones in `same_as`."""
        first_row: dict[bytes, int] = {}
        rows: list[int] = []
        digests: list[bytes] = []
        arrays: list[np.ndarray] = []
        for row in range(len(self.media)):
            medium = self.media[row]
            digest = _digest(medium)
            if first_row.setdefault(digest, row) != row:
                same_as[row] = first_row[digest]
                continue
            rows.append(row)
            digests.append(digest)
            arrays.append(self.extractor.prepare(medium))
            if len(rows) == self.batch:
                yield rows, digests, self.extractor.collate(arrays)
                rows, digests, arrays = [], [], []
        if rows:
            yield rows, digests, self.extractor.collate(arrays)

    def _forward(self, rows: list[int], digests: list[bytes], stimuli: Tensor) -> None:
        consecutive = rows[-1] - rows[0] + 1 == len(rows)
        self.rows = slice(rows[0], rows[-1] + 1) if consecutive else torch.tensor(rows)
        self.calls_left = dict(self.probed.calls)
        with self._seeded(digests), contextlib.suppress(_EnoughSeen):
            self.extractor.module(stimuli.to(self.extractor.device, non_blocking=True))
        for name, result in self.results.items():
            if self.calls_left[name] > 0:
                raise ModelError(f"layer {name!r} ran fewer times for stimulus {rows[0]} than for the first stimulus")
            finite = torch.isfinite(result[self.rows]).flatten(1).all(1)
            if not finite.all():
                row = rows[int(torch.nonzero(~finite)[0])]
                raise ModelError(f"layer {name!r}: activations to stimulus {row} are NaN or infinite")

    @contextlib.contextmanager
    def _seeded(self, digests: list[bytes]) -> Generator[None]:
        if self.seed is None:
            yield
            return
        seeds = [_stimulus_seed(self.seed, digest) for digest in digests]
        module = self.extractor.module
        if isinstance(module, Stochastic):
            module.reseed(seeds)
            yield
            return
        with torch.random.fork_rng():
            torch.manual_seed(seeds[0])
            yield

    def _hook(self, name: str) -> Callable[..., None]:
        """Copy the (reduced) output at once, before an in-place operation can rewrite it."""
        reduce = self.wanted[name]

        def hook(layer: nn.Module, _: Any, output: Any) -> None:
            self.calls_left[name] -= 1
            if self.calls_left[name] > 0:
                return
            tensor = one_tensor(output, name, only=layer is self.extractor.module)
            tensor = tensor if reduce is None else reduce(tensor)
            if tuple(tensor.shape[1:]) != self.shapes[name]:
                raise ModelError(
                    f"layer {name!r}: the shape of its output changed from {self.shapes[name]} to "
                    f"{tuple(tensor.shape[1:])} between stimuli"
                )
            if isinstance(self.rows, slice):
                self.results[name][self.rows].copy_(tensor)
            else:
                self.results[name].index_copy_(0, self.rows, tensor.to("cpu", torch.float32))
            if all(left <= 0 for left in self.calls_left.values()):
                raise _EnoughSeen

        return hook


def _prefetched(items: Iterator[Any]) -> Iterator[Any]:
    """Compute the next item in a thread while this one is used."""
    with ThreadPoolExecutor(1, thread_name_prefix="brainmark-load") as pool:
        coming = pool.submit(next, items, None)
        while (item := coming.result()) is not None:
            coming = pool.submit(next, items, None)
            yield item


def _digest(medium: Any) -> bytes:
    if isinstance(medium, np.ndarray):
        head = f"{medium.dtype.str}{medium.shape}".encode()
        content: Any = np.ascontiguousarray(medium).data
    else:
        head, content = type(medium).__name__.encode(), medium if isinstance(medium, bytes) else str(medium).encode()
    whole = hashlib.blake2b(head, digest_size=16)
    whole.update(content)
    return whole.digest()


def _stimulus_seed(seed: int, digest: bytes) -> int:
    return int.from_bytes(hashlib.blake2b(digest, digest_size=7, key=seed.to_bytes(8, "little", signed=True)).digest())


def _reduced_shape(name: str, shape: tuple[int, ...], reduce: Reduction | None) -> tuple[int, ...]:
    if reduce is None:
        return shape
    reduced = reduce(torch.zeros((1, *shape)))
    if reduced.shape[0] != 1:
        raise ModelError(f"layer {name!r}: its reduction does not keep the dimension of stimuli")
    return tuple(reduced.shape[1:])


@contextlib.contextmanager
def _hooks(pairs: Sequence[tuple[nn.Module, Callable[..., None]]]) -> Generator[None]:
    handles = [module.register_forward_hook(hook) for module, hook in pairs]
    try:
        yield
    finally:
        for handle in handles:
            handle.remove()


_evaluation = threading.RLock()  # training flags and hooks belong to the module, which threads may share


@contextlib.contextmanager
def _evaluating(module: nn.Module) -> Generator[None]:
    """Evaluation mode without gradients; afterwards each layer trains again if it did before."""
    with _evaluation:
        training = [m for m in module.modules() if m.training]
        module.eval()
        try:
            with torch.inference_mode():
                yield
        finally:
            for m in training:
                m.training = True
