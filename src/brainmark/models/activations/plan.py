"""Plans an extraction: measures the memory for one stimulus, and estimates what the run will need."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field
from typing import Any

from brainmark.core.errors import InvalidModel, ModelError
from brainmark.core.libraries import nn, torch
from brainmark.core.wording import bytes_text, plural
from brainmark.models.activations.hooks import (
    EnoughSeen,
    Watch,
    arguments,
    check_ran,
    convert_tensors,
    find_calls,
    is_array,
    tensors_in,
)

BATCHES = (64, 32, 16, 8, 4, 2, 1)
"""Stimuli to a batch, the largest that fits. Few sizes, so that a run seldom differs."""
QUICK = 256 * 2**20
"""Bytes of tensors that live at once above which batches of more than `MANY` are no faster on a CPU, as caches end."""
MANY = 16
"""Stimuli that a batch has whatever their size, if the memory allows: each reads the weights of linear layers once."""
TOGETHER = 4
"""Batches are filled to multiples of this: kernels of linear layers round otherwise for the stimuli left over."""

_FRAGMENTS = (
    2.0  # memory that the allocator takes for a byte that lives; measured: 1.4 (ResNet-50) to 1.8 (DenseNet-121)
)
_BASE = 96 * 2**20  # buffers of the libraries for linear algebra and of threads
_WAITING = 4  # batches of prepared stimuli that wait for others of their shape, and of inputs that wait or are at work


Mode = Callable[[], AbstractContextManager[Any]]
"""Makes a context for passes, with or without gradients."""


@dataclass(frozen=True)
class Probe:
    """What forward passes of a single stimulus showed.

    Attributes
    ----------
    shapes : layer -> shape of its output without the dimension of stimuli.
    calls : layer -> how often it ran in one pass.
    working : bytes that a pass needs for each stimulus, beside what is kept.
    mode : `torch.inference_mode`, or `torch.enable_grad` for a network whose forward pass takes gradients.
    medium : bytes of a stimulus as it is decoded, prepared and put in.
    scratch : bytes that a pass needs once, whatever the batch.
    prepared, key : bytes and shapes of a prepared stimulus; for these shapes the counts of calls hold.
    changed : layer -> largest difference between two passes, relative to its largest activation, where there was one.
    digest, alone, weights : hash of the stimulus, what the layers put out for it when it was shown alone, and how often
        the weights had been changed in place by then.
    channels_last : whether images may lie channels last in memory, which is faster; see `layout`.
    orders : layer -> dimensions of channels, rows and columns in its output, None for no map; of layers that are
        reduced as maps.
    """

    shapes: Mapping[str, tuple[int, ...]]
    calls: Mapping[str, int]
    working: int
    mode: Mode
    medium: int = 0
    scratch: int = 0
    prepared: int = 0
    key: Any = None
    changed: Mapping[str, float] | None = None
    digest: bytes = b""
    alone: Mapping[str, torch.Tensor] = field(default_factory=dict[str, Any], repr=False)
    weights: tuple[int, ...] = field(default=(), repr=False)
    channels_last: bool = False
    orders: Mapping[str, tuple[int, int, int] | None] = field(default_factory=dict[str, Any])


@dataclass(frozen=True)
class ExtractionPlan:
    """What a run will do and need at most.

    Attributes
    ----------
    stimuli : how many.
    shapes : layer -> shape of what is kept of it for each stimulus.
    batch : stimuli that pass the network together.
    results : bytes of the activations.
    working : bytes of memory beside them.
    resident : bytes that the process held when the plan was made.
    """

    stimuli: int
    shapes: Mapping[str, tuple[int, ...]]
    batch: int
    results: int
    working: int
    resident: int

    @property
    def bytes(self) -> int:
        """Memory that the run adds to what the process holds, at most."""
        return self.working + self.results

    @property
    def peak(self) -> int:
        """Memory that the process will hold at most."""
        return self.resident + self.bytes

    def __str__(self) -> str:
        layers = f"{len(self.shapes)} {plural('layer', len(self.shapes))}"
        return (
            f"{layers} of {self.stimuli} stimuli in batches of {self.batch}: "
            f"at most {bytes_text(self.bytes)} of memory; {bytes_text(self.results)} of it are activations"
        )


def probe(module: nn.Module, sample: Any, layers: Sequence[str], mode: Mode) -> Probe:
    """Run one stimulus (1, ...) twice through the module and report shapes, calls, memory, and whether it changes.

    The second pass stops after the last wanted call.

    Raises
    ------
    UnknownName, ModelError, InvalidModel : see `extract.Extractor`.
    """
    calls = find_calls(module, layers)
    inputs = [t for _, t in tensors_in(sample)]
    stored = [*module.parameters(), *module.buffers()]
    shown = [_copy(sample), _copy(sample)]
    memory = _count_memory(*(t for _, t in tensors_in(shown[0])), *stored)
    passes: list[dict[str, torch.Tensor]] = []
    runs: dict[nn.Module, int] = {}

    def keep(name: str, tensor: torch.Tensor) -> None:
        check_stimuli(tensor, name, 1)
        memory.paused = True  # the copy is ours
        passes[-1][name] = tensor.clone()
        memory.paused = False

    watch = Watch(module, calls, keep)
    with watch.attach():
        for copy, context in zip(shown, (memory, nullcontext()), strict=True):
            passes.append({})
            positional, named = arguments(copy)
            try:
                with context:
                    module(*positional, **named)
            except EnoughSeen:
                pass
            except Exception as error:
                shapes = ", ".join(str(tuple(tensor.shape)) for tensor in inputs)
                error.add_note(f"in the forward pass of {type(module).__name__} on one stimulus, of shape {shapes}")
                raise
            runs = runs or watch.counts
            check_ran(module, calls, runs)
            watch.begin(runs)
    first, second = passes
    return Probe(
        {name: tuple(tensor.shape[1:]) for name, tensor in first.items()},
        {name: runs[call.layer] for name, call in calls.items()},
        working=memory.peak + max((t.nbytes for t in first.values()), default=0),
        mode=mode,
        medium=sum(t.nbytes for t in inputs),
        scratch=max((t.nbytes for t in stored), default=0),
        changed={name: off for name, was in first.items() if (off := _difference(was, second[name]))},
        alone=first,
        weights=versions(module),
    )


def versions(module: nn.Module) -> tuple[int, ...]:
    """Count how often each parameter and buffer was changed in place, as training does."""
    return tuple(0 if t.is_inference() else t._version for t in [*module.parameters(), *module.buffers()])


def _copy(sample: Any) -> Any:
    """Return the same input, of which a network may make what it likes: some normalise it in place."""
    return convert_tensors(sample, lambda tensor: tensor.clone() if is_array(tensor) else tensor)


def _count_memory(*known: torch.Tensor) -> Any:
    # its module derives a class from one of torch, and is imported when a network runs
    from brainmark.models.activations.live_memory import LiveMemory

    return LiveMemory(*known)


def check_stimuli(tensor: torch.Tensor, name: str, count: int) -> None:
    """Refuse an output whose first dimension is not that of the stimuli, or that is empty.

    Raises
    ------
    ModelError : says the shape.
    """
    shape = tuple(tensor.shape)
    if shape[0] != count:
        raise ModelError(
            f"layer {name!r}: its output has the shape {shape} for {count} {plural('stimulus', count)}; "
            "the first dimension must be that of stimuli: wrap the module"
        )
    if not tensor.numel():
        raise ModelError(f"layer {name!r}: its output is empty, of shape {shape}")


def _difference(before: torch.Tensor, after: torch.Tensor) -> float:
    """Return the largest difference relative to the largest value; NaN and NaN, and equal infinities, are alike."""
    if before.shape != after.shape:
        return math.inf
    if torch.equal(before, after):
        return 0.0
    before, after = before.double(), after.double()
    alike = (before == after) | (before.isnan() & after.isnan())
    off = torch.where(alike, 0.0, (before - after).abs()).nan_to_num(math.inf, math.inf).max()
    return float(off / before.nan_to_num(0.0, 0.0, 0.0).abs().max().clamp(min=1e-30))


def working_bytes(probed: Probe, batch: int, reducing: int = 0) -> tuple[int, int]:
    """Return the bytes beside the results that a batch needs: of the device, and of the machine's memory for inputs.

    `reducing` is what the reductions need for each stimulus. Batches of `TOGETHER` and more are filled to its
    multiples.
    """
    passing = batch if batch < TOGETHER else -(-batch // TOGETHER) * TOGETHER
    on_device = int(_FRAGMENTS * passing * (probed.working + reducing)) + probed.scratch
    return on_device, waiting_bytes(probed, batch) + _WAITING * batch * probed.medium + _BASE


def waiting_bytes(probed: Probe, batch: int) -> int:
    """Return the bytes of prepared stimuli that may wait for others of their shape."""
    return _WAITING * batch * probed.prepared


def reduce_shape(
    name: str, shape: tuple[int, ...], reduce: Callable[[torch.Tensor], torch.Tensor] | None
) -> tuple[tuple[int, ...], int]:
    """Return the shape that a reduction leaves, and the bytes that it takes for each stimulus.

    Raises
    ------
    InvalidModel : it is no function.
    ModelError : it does not keep the dimension of stimuli, or nothing is left.
    """
    if reduce is None:
        return shape, 0
    if not callable(reduce):
        raise InvalidModel(f"layer {name!r}: its reduction is {reduce!r}; give a function, such as SpatialMean()")
    sample = torch.zeros((1, *shape))
    reduce(sample)  # what it makes once for all is made here
    with _count_memory(sample) as memory:
        reduced = reduce(sample)
    if not reduced.ndim or reduced.shape[0] != 1 or not reduced.numel():
        raise ModelError(
            f"layer {name!r}: its reduction makes {tuple(reduced.shape)} of {tuple(sample.shape)}: "
            "it must keep the dimension of stimuli and return at least one number"
        )
    return tuple(reduced.shape[1:]), memory.peak
