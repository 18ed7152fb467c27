"""Passes of stimuli through a network: batches go in, rows of activations are kept, and what is amiss is told."""

from __future__ import annotations

import contextlib
import hashlib
from collections.abc import Callable, Generator, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol, runtime_checkable

import torch
from torch import Tensor, nn

from brainmark.core.errors import ModelError, ResourceError
from brainmark.core.libraries import np
from brainmark.core.memory import keep_heap
from brainmark.core.stimuli import Media
from brainmark.models.activations import plan as planning
from brainmark.models.activations.calls import EnoughSeen, find_calls, hooked
from brainmark.models.activations.loading import Batch, Loader, prefetched
from brainmark.models.activations.outputs import call_with, one_tensor
from brainmark.models.activations.plan import TOGETHER, Plan, Probe, check_stimuli
from brainmark.models.activations.reductions import Reduction
from brainmark.models.activations.results import InMemory, OnDisk, Results, file_of
from brainmark.models.networks.seeds import draws_from

if TYPE_CHECKING:
    from brainmark.models.activations.extract import Extractor

_NOTHING = 1e-6  # values that may be what rounding left of numbers near one
_ALONE = 0.05  # of the length of a layer's answer: a stimulus alone and among others differ by less, by rounding

Progress = Callable[[int, int], None]
"""Called with (stimuli done, stimuli in all) after each batch."""


@runtime_checkable
class Stochastic(Protocol):
    """A module that draws random numbers, from one seed for each stimulus of the next batch."""

    def reseed(self, seeds: Sequence[int]) -> None:
        """Set the seeds of the stimuli in the next forward pass."""
        ...


class Run:
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
        self.results: dict[str, Results] = {}
        try:
            for name, shape in plan.shapes.items():
                place = None if into is None else file_of(into, name)
                self.results[name] = InMemory(len(media), shape) if place is None else OnDisk(place, len(media), shape)
        except BaseException:
            self._discard()
            raise
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
                self.probed.mode(),
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
            self._discard()

    def _discard(self) -> None:
        """Remove files that are not complete."""
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
                error.add_note(
                    f"in the forward pass of {self._label(min(batch.rows))} and {len(batch.rows) - 1} others"
                )
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
                self._keep(name, one_tensor(output, name, only=layer is self.extractor.module).detach())
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
                "normalisation without stored statistics does (give batch=1, or a network whose statistics are "
                "stored), or takes the dimension of stimuli for that of time (of torch's layers, say batch_first=True)"
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
                row = min(self.rows[int(place)] for place in torch.nonzero(broken))
                raise ModelError(f"layer {name!r}: activations to {self._label(row)} are NaN or infinite")
        self.results[name].put(self.rows, tensor)


def _stimulus_seed(seed: int, digest: bytes) -> int:
    return int.from_bytes(hashlib.blake2b(digest, digest_size=7, key=seed.to_bytes(8, "little", signed=True)).digest())


__all__ = ["Progress", "Run", "Stochastic"]
