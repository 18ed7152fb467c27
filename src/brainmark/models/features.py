"""Activations of any torch module, streamed: stimuli in, one preallocated float32 array per layer out."""

from __future__ import annotations

import contextlib
import dataclasses
import hashlib
import logging
import threading
from collections.abc import Callable, Generator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, Protocol, runtime_checkable

import numpy as np
import torch
from torch import Tensor, nn

from brainmark.core.errors import InvalidModel, InvalidStimuli, ModelError, ResourceError
from brainmark.core.stimuli import Media
from brainmark.models import plan as planning
from brainmark.models.calls import ALL, OUTPUT, EnoughSeen, all_calls, find_calls, hooked
from brainmark.models.loading import Batch, Loader, as_arrays, bytes_of, digest_of, prefetched, shapes_of, stacked
from brainmark.models.memory import available_memory, human_bytes, keep_heap, resident_memory
from brainmark.models.networks.seeds import draws_from
from brainmark.models.outputs import call_with, check_weights, converted, one_tensor
from brainmark.models.plan import (
    BATCHES,
    MANY,
    QUICK,
    TOGETHER,
    Plan,
    Probe,
    check_stimuli,
    reduced_shape,
    working_bytes,
)
from brainmark.models.reductions import AtPositions, AveragePool, Reduction
from brainmark.models.results import InMemory, OnDisk, Results, check_disk, file_of

_USABLE = 0.8  # share of the free memory that a run may plan for
_REPEATS = {torch.float32: 1e-3, torch.bfloat16: 5e-2}  # of the largest activation: two passes differ by less
_AGREES = {torch.float32: 1e-4, torch.bfloat16: 5e-2}  # the same, of a pass that takes shortcuts and one that does not
_NOTHING = 1e-6  # values that may be what rounding left of numbers near one
_ALONE = 0.05  # of the length of a layer's answer: a stimulus alone and among others differ by less, by rounding

Progress = Callable[[int, int], None]
"""Called with (stimuli done, stimuli in all) after each batch."""
Layers = Mapping[str, Reduction | None] | Sequence[str]
"""One layer, several, or layers and what each is reduced by; ``all`` stands for every distinct output."""

_log = logging.getLogger(__name__)


@runtime_checkable
class Stochastic(Protocol):
    """A module that draws random numbers, from one seed for each stimulus of the next batch."""

    def reseed(self, seeds: Sequence[int]) -> None:
        """Set the seeds of the stimuli in the next forward pass."""
        ...


@dataclass(frozen=True, eq=False)
class Extractor:
    """Streams media through a module.

    Attributes
    ----------
    module : network; its training flags are restored after each run.
    prepare : medium -> array, or mapping or tuple of arrays; runs in threads beside the network.
    collate : what was prepared -> the module's input (stimuli, ...), on the CPU: a tensor, a tuple (arguments by
        position) or a mapping (by name). Stimuli of equal shapes come together.
    device : where the module runs, and stays.
    batch : stimuli in a batch; None: 16 to 64, fewer of large maps, or if the memory is short.
    dtype : torch.bfloat16 computes what it can in that precision, about twice as fast where the processor knows it,
        with errors of some per cent of a layer's largest activation.
    """

    module: nn.Module
    prepare: Callable[[Any], Any] = as_arrays
    collate: Callable[[Sequence[Any]], Any] = stacked
    device: str = "cpu"
    batch: int | None = None
    dtype: torch.dtype = torch.float32

    def __post_init__(self) -> None:
        if not isinstance(self.module, nn.Module):  # pyright: ignore[reportUnnecessaryIsInstance]
            raise InvalidModel(f"Extractor: module is a {type(self.module).__name__}; give a torch.nn.Module")
        if self.dtype not in _REPEATS:
            raise InvalidModel(f"Extractor: dtype = {self.dtype}; give torch.float32 or torch.bfloat16")
        if self.batch is not None and self.batch < 1:
            raise InvalidModel(f"Extractor: batch = {self.batch}; give a number of stimuli, or None")

    def layers(self, media: Media) -> list[str]:
        """Names of every distinct output of the network, in the order of running: what ``all`` stands for."""
        sample, _, _ = self._sample(media)
        with evaluating(self.module, inference=False), draws_from():
            return all_calls(self.module, sample)

    def probe(self, media: Media, layers: Layers, *, seed: int | None = None) -> Probe:
        """Run the first stimulus twice and report shapes, calls, memory and whether the module changes."""
        sample, stored, key = self._sample(media)
        names = self._names(media, _listed(layers))
        with evaluating(self.module), draws_from(), keep_heap(), self.precision():
            found = planning.probe(self.module, sample, names, agree=_AGREES[self.dtype])
        medium = found.medium + stored[0] + stored[1]
        return dataclasses.replace(found, medium=medium, prepared=stored[1], key=key, digest=digest_of(media[0]))

    def plan(
        self,
        media: Media,
        layers: Layers,
        *,
        probed: Probe | None = None,
        seed: int | None = None,
        into: Path | None = None,
    ) -> Plan:
        """Say what a call with the same arguments will do, and the memory that it will need at most.

        Raises
        ------
        ResourceError : there is less memory, or room on the disk.
        """
        probed = probed or self.probe(media, layers)
        reduced = {
            name: reduced_shape(name, probed.shapes[name], reduce)
            for name, reduce in self._wanted(layers, probed).items()
        }
        shapes = {name: shape for name, (shape, _) in reduced.items()}
        results = 4 * len(media) * sum(int(np.prod(shape, dtype=np.int64)) for shape in shapes.values())
        reducing = max((scratch for _, scratch in reduced.values()), default=0)
        if into is not None:
            check_disk(into, results)
        on_cpu = torch.device(self.device).type == "cpu"
        free = int(available_memory() * _USABLE)

        def with_batch(batch: int) -> tuple[Plan, bool]:
            passing, beside = working_bytes(probed, batch, reducing)
            working = beside + (passing if on_cpu else 0)
            plan = Plan(len(media), shapes, batch, results, working, resident_memory(), into is not None)
            return plan, plan.bytes <= free and (on_cpu or passing <= _free_on(self.device))

        plans = [with_batch(batch) for batch in self._sizes(len(media), seed, probed.working if on_cpu else 0)]
        for plan, fits in plans:
            if fits:
                return plan
        raise ResourceError(_too_much(plans[-1][0], free, list(shapes)))

    def __call__(
        self,
        media: Media,
        layers: Layers,
        *,
        probed: Probe | None = None,
        seed: int | None = None,
        progress: Progress | None = None,
        ids: Sequence[str] | None = None,
        into: Path | None = None,
    ) -> dict[str, np.ndarray]:
        """Return layer -> float32 (stimuli, ...), in the order of the media.

        A layer that runs several times in a pass yields its last call; ``relu@0`` is its first. A stimulus that comes
        more than once is computed once. The same call yields the same bits on one machine. So do, on a CPU, batches
        of four stimuli or more, whatever their size: they are filled to multiples of four, as the stimuli left over
        would be rounded otherwise. With a seed, each stimulus draws its own random numbers from (seed, content): the
        same in any order and batch.

        Parameters
        ----------
        ids : names of the stimuli, for errors.
        into : a folder; each layer goes to a .npy file there, and is returned mapped into memory.

        Raises
        ------
        UnknownName : a layer, or a call of it, that is not there.
        InvalidModel : the module returns several tensors, and its output is asked for (of a layer, the first counts).
        ModelError : values that are not finite, naming layer and stimulus; a layer without a tensor of stimuli; shapes
            that differ between stimuli; without a seed, a module that changes from one pass to the next.
        ResourceError : the result and one stimulus at a time would not fit into memory.
        """
        probed = probed or self.probe(media, layers, seed=seed)
        plan = self.plan(media, layers, probed=probed, seed=seed, into=into)
        if seed is None:
            self._check_steady(probed)
        _log.info("%s: %s", type(self.module).__name__, plan)
        with evaluating(self.module):
            return _Run(self, media, self._wanted(layers, probed), probed, plan, seed, ids, into).execute(progress)

    def _sizes(self, count: int, seed: int | None, working: int) -> list[int]:
        """Sizes of a batch to try, the largest first; draws of modules without seeds go one by one."""
        if seed is not None and not isinstance(self.module, Stochastic):
            return [1]
        quick = [size for size in BATCHES if size <= MANY or size * working <= QUICK]
        most = self.batch or quick[0]
        first = max(min(count, most), min(most, TOGETHER))
        return [first] if self.batch else [first, *(size for size in quick if size < first)]

    def _sample(self, media: Media) -> tuple[Any, tuple[int, int], Any]:
        """The first stimulus as input, the bytes of its medium and of its prepared form, and the shapes of that."""
        if not len(media):
            raise InvalidStimuli(f"no stimuli to show to {type(self.module).__name__}")
        check_weights(self.module)
        self.module.to(self.device)
        medium = media[0]
        prepared = self.prepare(medium)
        return self.as_input(self.collate([prepared])), (bytes_of(medium), bytes_of(prepared)), shapes_of(prepared)

    def _names(self, media: Media, layers: Sequence[str]) -> list[str]:
        if ALL not in layers:
            return list(layers)
        return list(dict.fromkeys([*self.layers(media), *(name for name in layers if name != ALL)]))

    def _wanted(self, layers: Layers, probed: Probe) -> dict[str, Reduction | None]:
        wanted = dict(layers) if isinstance(layers, Mapping) else dict.fromkeys(_listed(layers))
        if ALL in wanted:
            wanted = dict.fromkeys(probed.shapes, wanted.pop(ALL)) | wanted
        return wanted

    def as_input(self, inputs: Any) -> Any:
        """Inputs on the device, in the module's precision, and with channels last where it has convolutions of maps."""
        floats = next((p.dtype for p in self.module.parameters() if p.is_floating_point()), None)
        maps = any(isinstance(m, nn.Conv2d) for m in self.module.modules())

        def convert(tensor: Tensor) -> Tensor:
            dtype = floats if floats and tensor.is_floating_point() else tensor.dtype
            order = torch.channels_last if maps and tensor.ndim == 4 else torch.preserve_format
            return tensor.to(self.device, dtype, non_blocking=True, memory_format=order)

        return converted(inputs, convert)

    def precision(self) -> contextlib.AbstractContextManager[Any]:
        """Context in which the module computes in `dtype`."""
        lower = self.dtype != torch.float32
        return torch.autocast(torch.device(self.device).type, self.dtype) if lower else contextlib.nullcontext()

    def _check_steady(self, probed: Probe) -> None:
        for layer, off in (probed.changed or {}).items():
            if off > _REPEATS[self.dtype]:
                raise ModelError(
                    f"layer {layer!r} of {type(self.module).__name__} answers the first stimulus otherwise when it is "
                    f"shown again (by {off:.3g} of its largest activation): it draws random numbers (give a seed; "
                    "of a subject, say stochastic=True), or it remembers what it saw"
                )


class _Run:
    """One pass over media: state that would otherwise be passed around."""

    def __init__(
        self,
        extractor: Extractor,
        media: Media,
        wanted: Mapping[str, Reduction | None],
        probed: Probe,
        plan: Plan,
        seed: int | None,
        ids: Sequence[str] | None,
        into: Path | None,
    ) -> None:
        self.extractor, self.media, self.wanted, self.probed, self.seed = extractor, media, wanted, probed, seed
        self.plan, self.ids = plan, ids
        self.calls = find_calls(extractor.module, list(wanted))
        self.results: dict[str, Results] = {
            name: InMemory(len(media), shape) if into is None else OnDisk(file_of(into, name), len(media), shape)
            for name, shape in plan.shapes.items()
        }
        self.rows: list[int] = []
        self.passing = 0  # stimuli in the batch, repeats that fill it included
        self.counts: dict[nn.Module, int] = {}
        self.missing: set[str] = set()
        self.as_probed = True
        self.comparable = seed is None and probed.weights == planning.versions(extractor.module)
        self.known: int | None = None  # place in the batch of the stimulus that was shown alone before

    def execute(self, progress: Progress | None) -> dict[str, np.ndarray]:
        """Compute all batches, then copy the rows of repeated stimuli."""
        extractor, total, done, reported = self.extractor, len(self.media), 0, 0
        loader = Loader(
            self.media,
            extractor.prepare,
            extractor.collate,
            self._batch_of,
            planning.waiting_bytes(self.probed, self.plan.batch),
            self._label,
            min(TOGETHER, self.plan.batch),
        )
        hooks = [(layer, self._hook) for layer in {call.layer for call in self.calls.values()}]
        try:
            with (
                hooked(hooks),
                keep_heap(),
                torch.inference_mode(),
                extractor.precision(),
                self.probed.shortcuts.taken(),
                draws_from(),
            ):
                for batch in prefetched(loader.batches()):
                    self._forward(batch)
                    done += len(batch.rows)
                    if progress:
                        reported = done + batch.repeats
                        progress(reported, total)
            if progress and reported < total:
                progress(total, total)
            for result in self.results.values():
                result.repeat(loader.same_as)
            return {name: result.finish() for name, result in self.results.items()}
        except (MemoryError, torch.OutOfMemoryError) as error:
            raise ResourceError(
                f"memory ran out with {self.plan.batch} stimuli in a batch ({error}); give a smaller batch"
            ) from error
        finally:
            for result in self.results.values():
                if isinstance(result, OnDisk):
                    result.discard()

    def _batch_of(self, size: int) -> int:
        """Stimuli of `size` bytes to a batch: fewer than planned of those that are larger than the first one."""
        ratio = size / max(self.probed.prepared, 1)
        return self.plan.batch if ratio <= 1 else max(1, int(self.plan.batch / ratio**2))

    def _label(self, row: int) -> str:
        return f"stimulus {row}" if self.ids is None else f"stimulus {self.ids[row]!r} ({row})"

    def _forward(self, batch: Batch) -> None:
        self.rows, self.passing, self.counts = batch.rows, batch.passing, {}
        self.as_probed = batch.key == self.probed.key
        among = self.comparable and len(batch.rows) > 1 and self.probed.digest in batch.digests
        self.known = batch.digests.index(self.probed.digest) if among else None
        self.missing = set(self.wanted)
        inputs = self.extractor.as_input(batch.inputs)
        with self._seeded(batch.digests):
            try:
                call_with(self.extractor.module, inputs)
            except EnoughSeen:
                pass
            except Exception as error:
                error.add_note(f"in the forward pass of {self._label(batch.rows[0])} and {len(batch.rows) - 1} others")
                raise
        if self.missing:
            raise ModelError(
                f"layer {min(self.missing)!r} ran fewer times for {self._label(batch.rows[0])} than for the first"
            )

    @contextlib.contextmanager
    def _seeded(self, digests: list[bytes]) -> Generator[None]:
        if self.seed is None:
            yield
            return
        seeds = [_stimulus_seed(self.seed, digest) for digest in digests]
        module = self.extractor.module
        if isinstance(module, Stochastic):
            module.reseed(seeds + seeds[-1:] * (self.passing - len(seeds)))
            yield
            return
        with draws_from(seeds[0]):
            yield

    def _hook(self, layer: nn.Module, _: Any, output: Any) -> None:
        """Keep what is wanted of a call at once, before an in-place operation can rewrite it."""
        index = self.counts.get(layer, 0)
        self.counts[layer] = index + 1
        for name, call in self.calls.items():
            if call.layer is not layer:
                continue
            last = self.probed.calls[name] - 1
            if index == call.index or (call.index is None and (index == last or not self.as_probed)):
                self._keep(name, one_tensor(output, name, only=layer is self.extractor.module))
                self.missing.discard(name)
        if self.as_probed and not self.missing:
            raise EnoughSeen

    def _check_alone(self, name: str, among: Tensor) -> None:
        """Refuse a layer that answers a stimulus otherwise when others are shown with it: its numbers mean nothing."""
        alone = self.probed.alone[name][0]
        if alone.shape != among.shape or not alone.is_floating_point():
            return
        length = partial(torch.linalg.vector_norm, dtype=torch.float64)
        nothing = _NOTHING * alone.numel() ** 0.5
        off = float(length(alone - among) / length(alone).clamp(min=nothing))
        if off > _ALONE:
            raise ModelError(
                f"layer {name!r} of {type(self.extractor.module).__name__} answers a stimulus otherwise when others "
                f"are shown with it (by {off:.3g} of its length): it normalises over the batch, as batch "
                "normalisation without stored statistics does; give batch=1, or a network whose statistics are stored"
            )

    def _keep(self, name: str, tensor: Tensor) -> None:
        check_stimuli(tensor, name, self.passing)
        if self.known is not None:
            self._check_alone(name, tensor[self.known])
        reduce = self.wanted[name]
        tensor = tensor[: len(self.rows)]
        tensor = tensor if reduce is None else reduce(tensor)
        if tuple(tensor.shape[1:]) != self.plan.shapes[name]:
            raise ModelError(
                f"layer {name!r}: the shape of its output is {tuple(tensor.shape[1:])} for "
                f"{self._label(self.rows[0])}, and {self.plan.shapes[name]} for the first stimulus; "
                "reduce it to one shape (MeanOver, TakeAt, AveragePool)"
            )
        # a sum is finite unless a value is not, or the values are huge: only then each is looked at
        if tensor.is_floating_point() and not torch.isfinite(tensor.sum(dtype=torch.float32)):
            broken = ~torch.isfinite(tensor.float()).flatten(1).all(1)
            if broken.any():
                row = self.rows[int(torch.nonzero(broken)[0])]
                raise ModelError(f"layer {name!r}: activations to {self._label(row)} are NaN or infinite")
        self.results[name].put(self.rows, tensor)


def _listed(layers: Layers) -> list[str]:
    return [layers] if isinstance(layers, str) else list(layers)


def _too_much(plan: Plan, free: int, layers: Sequence[str]) -> str:
    out = "" if plan.on_disk else "write them to files (into=FOLDER), "
    fewer = "a smaller batch, " if plan.batch > 1 else ""
    return (
        f"activations of {plan.stimuli} stimuli need {human_bytes(plan.bytes)} ({', '.join(layers)}; "
        f"{plan.batch} at a time), but {human_bytes(free)} of memory are free; {out}ask for {fewer}fewer layers or "
        "stimuli, or reduce the layers (AveragePool, Projection)"
    )


def _free_on(device: str) -> int:
    kind = torch.device(device).type
    return int(torch.cuda.mem_get_info(device)[0] * _USABLE) if kind == "cuda" else available_memory()


def _stimulus_seed(seed: int, digest: bytes) -> int:
    return int.from_bytes(hashlib.blake2b(digest, digest_size=7, key=seed.to_bytes(8, "little", signed=True)).digest())


_evaluation = threading.RLock()  # training flags and hooks belong to the module, which threads may share


@contextlib.contextmanager
def evaluating(module: nn.Module, *, inference: bool = True) -> Generator[None]:
    """Evaluation mode without gradients; afterwards each layer trains again if it did before."""
    with _evaluation:
        training = [m for m in module.modules() if m.training]
        module.eval()
        try:
            with torch.inference_mode() if inference else torch.no_grad():
                yield
        finally:
            for m in training:
                m.training = True


__all__ = [
    "ALL",
    "OUTPUT",
    "AtPositions",
    "AveragePool",
    "Extractor",
    "Layers",
    "Plan",
    "Probe",
    "Progress",
    "Reduction",
    "Stochastic",
    "evaluating",
]
