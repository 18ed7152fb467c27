"""Passes of stimuli through a network: feeds batches, keeps rows of activations, and reports faults."""

from __future__ import annotations

import contextlib
import hashlib
import re
import sys
import threading
from collections.abc import Callable, Generator, Mapping, Sequence
from itertools import pairwise
from typing import Any, Protocol, runtime_checkable

from brainmark.core.devices import CPU, in_use, is_out_of_memory
from brainmark.core.errors import ModelError, ResourceError
from brainmark.core.libraries import nn, np, torch
from brainmark.core.memory import keep_heap
from brainmark.models.activations.batches import Batch
from brainmark.models.activations.hooks import EnoughSeen, Watch, arguments, find_calls
from brainmark.models.activations.plan import ExtractionPlan, Mode, Probe, check_stimuli, versions
from brainmark.models.activations.reductions import Reduction
from brainmark.models.networks.seeds import draw_from

_NOTHING = 1e-6  # values that may be what rounding left of numbers near one
_ALONE = 0.05  # of the length of a layer's answer: a stimulus alone and among others differ by less, by rounding


@runtime_checkable
class Stochastic(Protocol):
    """A module that draws random numbers, from one seed for each stimulus of the next batch."""

    def reseed(self, seeds: Sequence[int]) -> None:
        """Set the seeds of the stimuli in the next forward pass."""
        ...


class Run:
    """One run of media through a network, batch by batch.

    Parameters
    ----------
    module : the network.
    as_input : (what was collated, whether channels lie last in memory) -> the input on the network's device.
    wanted : layer -> its reduction, or None.
    probed, plan : what one stimulus showed, and what follows from it.
    count : media in all.
    seed : of the draws; None: the network draws no random numbers.
    label : row -> what errors call its stimulus.
    """

    def __init__(
        self,
        module: nn.Module,
        as_input: Callable[[Any, bool], Any],
        wanted: Mapping[str, Reduction | None],
        probed: Probe,
        plan: ExtractionPlan,
        seed: int | None,
        label: Callable[[int], str],
    ) -> None:
        self.module, self.as_input, self.wanted = module, as_input, wanted
        self.probed, self.plan, self.seed, self.label = probed, plan, seed, label
        calls = find_calls(module, list(wanted))
        self.runs = {call.layer: probed.calls[name] for name, call in calls.items()}
        self.watch = Watch(module, calls, self._keep)
        # not allocated by NumPy, which asks for huge pages: on virtual machines, touching them first takes 2 to 4 times
        # as long
        self.results = {
            name: torch.empty((plan.stimuli, *shape), dtype=torch.float32).numpy()
            for name, shape in plan.shapes.items()
        }
        self.channels_last = probed.channels_last
        self.comparable = seed is None and probed.weights == versions(module)

    def batch_of(self, size: int) -> int:
        """Return how many stimuli of `size` bytes make a batch: fewer than planned if they exceed the first."""
        ratio = size / max(self.probed.prepared, 1)
        return self.plan.batch if ratio <= 1 else max(1, int(self.plan.batch / ratio**2))

    @contextlib.contextmanager
    def open(self) -> Generator[None]:
        """Return a context in which batches pass: hooks are attached, and the heap is kept from one to the next."""
        try:
            with self.watch.attach(), keep_heap(), draw_from():
                yield
        except (MemoryError, RuntimeError) as error:
            if not is_out_of_memory(error):
                raise
            raise ResourceError(
                f"memory ran out with {self.plan.batch} stimuli in a batch ({error}); give a smaller batch"
            ) from error

    def forward(self, batch: Batch) -> None:
        """Pass a batch through the network and keep its rows. Raises ModelError, and what the network raises."""
        self.batch = batch
        among = self.comparable and len(batch.rows) > 1 and self.probed.digest in batch.digests
        self.known = batch.digests.index(self.probed.digest) if among else None  # the stimulus that was shown alone
        self.watch.begin(self.runs if batch.key == self.probed.key else None)
        try:
            positional, named = arguments(self.as_input(batch.inputs, self.channels_last))
            with self._seed(), contextlib.suppress(EnoughSeen):
                self.module(*positional, **named)
        except Exception as error:
            if not self.channels_last or is_out_of_memory(error):
                error.add_note(f"in the forward pass of {self.label(min(batch.rows))} and {len(batch.rows) - 1} others")
                raise
            self.channels_last = False  # a path that takes memory in its order, as `view` does
            self.forward(batch)
            return
        if missing := self.watch.missing:
            raise ModelError(
                f"layer {min(missing)!r} ran fewer times for {self.label(batch.rows[0])} than for the first"
            )

    def finish(self, same_as: Mapping[int, int]) -> dict[str, np.ndarray]:
        """Give rows that repeat another the values of that row, and return layer -> activations."""
        for values in self.results.values():
            for row, first in same_as.items():
                values[row] = values[first]
        return self.results

    def _seed(self) -> contextlib.AbstractContextManager[None]:
        if self.seed is None:
            return contextlib.nullcontext()
        seeds = [_stimulus_seed(self.seed, digest) for digest in self.batch.digests]
        if not isinstance(self.module, Stochastic):
            return draw_from(seeds[0])
        self.module.reseed(seeds + seeds[-1:] * (self.batch.passing - len(seeds)))
        return contextlib.nullcontext()

    def _check_alone(self, name: str, among: torch.Tensor) -> None:
        """Refuse a layer whose answer to a stimulus depends on the others in the batch: its numbers mean nothing."""
        alone = self.probed.alone[name][0]
        if alone.shape != among.shape or not alone.is_floating_point():
            return
        nothing = _NOTHING * alone.numel() ** 0.5
        off = float(_length(alone - among) / _length(alone).clamp(min=nothing))
        if off > _ALONE:
            raise ModelError(
                f"layer {name!r} of {type(self.module).__name__} gives another answer to a stimulus "
                f"when others are shown with it (by {off:.3g} of its length): it normalises over the batch, as batch "
                "normalisation without stored statistics does (give batch=1, or a network whose statistics are "
                "stored), or uses the dimension of stimuli as that of time (of torch's layers, say batch_first=True)"
            )

    def _keep(self, name: str, tensor: torch.Tensor) -> None:
        rows = self.batch.rows
        check_stimuli(tensor, name, self.batch.passing)
        if self.known is not None:
            self._check_alone(name, tensor[self.known])
        reduce = self.wanted[name]
        tensor = tensor[: len(rows)]
        tensor = tensor if reduce is None else reduce(tensor)
        if tuple(tensor.shape[1:]) != self.plan.shapes[name]:
            raise ModelError(
                f"layer {name!r}: the shape of its output is {tuple(tensor.shape[1:])} for "
                f"{self.label(rows[0])}, and {self.plan.shapes[name]} for the first stimulus; "
                "reduce it to one shape (MeanOver, TakeAt, AveragePool)"
            )
        # a sum is finite unless a value is not, or the values are huge: only then each is looked at
        if tensor.is_floating_point() and not torch.isfinite(tensor.sum(dtype=torch.float32)):
            broken = ~torch.isfinite(tensor.float()).flatten(1).all(1)
            if broken.any():
                row = min(rows[int(place)] for place in torch.nonzero(broken))
                raise ModelError(f"layer {name!r}: activations to {self.label(row)} are NaN or infinite")
        whole = torch.from_numpy(self.results[name])
        breaks = [k for k in range(1, len(rows)) if rows[k] != rows[k - 1] + 1]
        for first, stop in pairwise([0, *breaks, len(rows)]):  # a block at a time, which is copied once
            whole[rows[first] : rows[first] + stop - first].copy_(tensor[first:stop])


def _length(values: torch.Tensor) -> torch.Tensor:
    return torch.linalg.vector_norm(values, dtype=torch.float64)


def _stimulus_seed(seed: int, digest: bytes) -> int:
    return int.from_bytes(hashlib.blake2b(digest, digest_size=7, key=seed.to_bytes(8, "little", signed=True)).digest())


# --- modes of a network ----------------------------------------------------------------------------------------------

_evaluation = threading.RLock()  # training flags and hooks belong to the module, which threads may share


@contextlib.contextmanager
def evaluation_mode(module: nn.Module, mode: Mode | None = None) -> Generator[None]:
    """Evaluate a module, by default without gradients; afterwards each layer trains again if it did before.

    What `torch.compile` made runs as it was written: compiled layers call no hooks.
    """
    with _evaluation:
        training = [m for m in module.modules() if m.training]
        try:
            _evaluate(module)
            with (mode or torch.inference_mode)(), _as_written():
                yield
        finally:
            for m in training:
                m.training = True


def compute_in(precision: str, kind: str) -> contextlib.AbstractContextManager[Any]:
    """Return the context in which modules on a kind of device compute what they can in a precision."""
    if precision != "float32":
        return torch.autocast(kind, getattr(torch, precision))
    return _whole_single_precision() if kind == "cuda" else contextlib.nullcontext()


@contextlib.contextmanager
def _whole_single_precision() -> Generator[None]:
    """Let convolutions keep all digits of float32; PyTorch on CUDA drops more than half of them to be faster (TF32)."""
    before = torch.backends.cudnn.allow_tf32
    torch.backends.cudnn.allow_tf32 = False
    try:
        yield
    finally:
        torch.backends.cudnn.allow_tf32 = before


def put_in_place(module: nn.Module) -> torch.device:
    """Move a module to the device that was chosen, or leave it where it is; return the device."""
    first, compute = next(module.parameters(), None), in_use()
    here = torch.device(CPU) if first is None else first.device
    if compute.chosen and here != torch.device(compute.device):
        module.to(compute.device)
        return torch.device(compute.device)
    return here


def _as_written() -> contextlib.AbstractContextManager[Any]:
    compiler = sys.modules.get("torch._dynamo")  # there if anything was compiled; it takes a second to import
    return contextlib.nullcontext() if compiler is None else torch.compiler.set_stance("force_eager")


def _evaluate(module: nn.Module) -> None:
    """Leave training mode; programs that torch.export wrote have the one that they were exported in."""
    try:
        module.eval()
    except NotImplementedError:
        for m in module.modules():
            m.training = False
    for m in module.modules():
        if isinstance(m, nn.modules.batchnorm._NormBase):  # pyright: ignore[reportPrivateUsage]
            m.training = False  # also where `train` was overridden: it would see the batch, and learn from it


def needs_gradients(error: RuntimeError) -> bool:
    """Return whether a forward pass failed because it takes gradients, as inference by descent does."""
    return bool(re.search("grad|inference tensor", str(error), re.IGNORECASE))
