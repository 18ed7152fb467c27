"""What extracting activations will need: measured on one stimulus, announced before the run."""

from __future__ import annotations

import math
import weakref
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor, nn
from torch.utils._python_dispatch import TorchDispatchMode

from brainmark.core.errors import InvalidModel, ModelError
from brainmark.core.wording import bytes_text, plural
from brainmark.models.activations.calls import Call, EnoughSeen, check_ran, find_calls, hooked
from brainmark.models.activations.outputs import call_with, converted, is_array, one_tensor, tensors_in
from brainmark.models.activations.shortcuts import Following, Shortcuts

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
    medium : bytes of a stimulus as it is decoded, prepared and put in.
    scratch : bytes that a pass needs once, whatever the batch.
    prepared, key : bytes and shapes of a prepared stimulus; for these shapes the counts of calls hold.
    changed : layer -> largest difference between two passes, relative to its largest activation, where there was one.
    digest, alone, weights : hash of the stimulus, what the layers put out for it when it was shown alone, and how often
        the weights had been changed in place by then.
    shortcuts : what the run may compute otherwise; one pass took them, and agreed with one that did not.
    mode : `torch.inference_mode`, or `torch.enable_grad` for a network whose forward pass takes gradients.
    """

    shapes: Mapping[str, tuple[int, ...]]
    calls: Mapping[str, int]
    working: int
    medium: int = 0
    scratch: int = 0
    prepared: int = 0
    key: Any = None
    changed: Mapping[str, float] | None = None
    shortcuts: Shortcuts = field(default_factory=Shortcuts)
    digest: bytes = b""
    alone: Mapping[str, Tensor] = field(default_factory=dict[str, Tensor], repr=False)
    weights: tuple[int, ...] = field(default=(), repr=False)
    mode: Mode = torch.inference_mode


@dataclass(frozen=True)
class Plan:
    """What a run will do and need at most.

    Attributes
    ----------
    stimuli : how many.
    shapes : layer -> shape of what is kept of it for each stimulus.
    batch : stimuli that pass the network together.
    results : bytes of the activations, on disk if `on_disk`.
    working : bytes of memory beside them.
    resident : bytes that the process held when the plan was made.
    """

    stimuli: int
    shapes: Mapping[str, tuple[int, ...]]
    batch: int
    results: int
    working: int
    resident: int
    on_disk: bool = False

    @property
    def bytes(self) -> int:
        """Memory that the run adds to what the process holds, at most."""
        return self.working + (0 if self.on_disk else self.results)

    @property
    def peak(self) -> int:
        """Memory that the process will hold at most."""
        return self.resident + self.bytes

    def __str__(self) -> str:
        layers = f"{len(self.shapes)} layer{'s' * (len(self.shapes) != 1)}"
        where = "on disk" if self.on_disk else "in memory"
        return (
            f"{layers} of {self.stimuli} stimuli in batches of {self.batch}: "
            f"at most {bytes_text(self.bytes)} of memory; {bytes_text(self.results)} of activations {where}"
        )


class LiveMemory(TorchDispatchMode):
    """Follows the tensors that operations make: `peak` is the most bytes of them that lived at once."""

    def __init__(self, *known: Tensor) -> None:
        super().__init__()
        self.live = self.peak = 0
        self.paused = False
        self._sizes = {_place(t): 0 for t in known if is_array(t)}

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        """Run an operation and count what it made."""
        made = func(*args, **(kwargs or {}))
        if self.paused:
            return made
        for _, tensor in tensors_in(made):
            if not is_array(tensor):
                continue
            storage, address = tensor.untyped_storage(), _place(tensor)
            if address not in self._sizes:
                self._sizes[address] = storage.nbytes()
                self.live += storage.nbytes()
                self.peak = max(self.peak, self.live)
                weakref.finalize(storage, self._gone, address)
        return made

    def _gone(self, address: int) -> None:
        self.live -= self._sizes.pop(address, 0)


def versions(module: nn.Module) -> tuple[int, ...]:
    """How often each parameter and buffer was changed in place, as training does."""
    return tuple(0 if t.is_inference() else t._version for t in [*module.parameters(), *module.buffers()])


def _place(tensor: Tensor) -> int:
    """What tensors on the same memory share."""
    return tensor.untyped_storage()._cdata  # pyright: ignore[reportPrivateUsage]


def probe(module: nn.Module, sample: Any, layers: Sequence[str], *, agree: float) -> Probe:
    """Run one stimulus (1, ...) twice through the module and report shapes, calls, memory, and whether it changes.

    The second pass stops after the last wanted call and takes shortcuts; if it differs by more than `agree` of a
    layer's largest activation, a third one takes none, and says whether the module itself changes.

    Raises
    ------
    UnknownName, ModelError, InvalidModel : see `features.Extractor`.
    """
    calls = find_calls(module, layers)
    inputs = [t for _, t in tensors_in(sample)]
    stored = [*module.parameters(), *module.buffers()]
    shown = _copied(sample)
    memory = LiveMemory(*(t for _, t in tensors_in(shown)), *stored)
    once = _Pass(module, calls, {}, memory)
    with memory, Following(module) as following:
        returned = once.run(shown)
    shortcuts = Shortcuts() if torch.is_grad_enabled() else following.shortcuts()  # oneDNN's products have no gradient
    del returned
    check_ran(module, calls, once.counts)
    changed = _changed(once, sample, shortcuts)
    if max(changed.values(), default=0.0) > agree:
        shortcuts = Shortcuts()
        changed = _changed(once, sample, shortcuts)
    return Probe(
        {name: tuple(tensor.shape[1:]) for name, tensor in once.outputs.items()},
        {name: once.counts[call.layer] for name, call in calls.items()},
        working=memory.peak + max((t.nbytes for t in once.outputs.values()), default=0),
        medium=sum(t.nbytes for t in inputs),
        scratch=max((t.nbytes for t in stored), default=0) + shortcuts.bytes,
        changed=changed,
        shortcuts=shortcuts,
        alone=once.outputs,
        weights=versions(module),
    )


def _changed(once: _Pass, sample: Any, shortcuts: Shortcuts) -> dict[str, float]:
    """Run the sample again, and return how far each layer that differs is off."""
    again = _Pass(once.module, once.calls, once.counts, once.memory)
    with shortcuts.taken():
        again.run(_copied(sample))
    return {name: off for name, was in once.outputs.items() if (off := _difference(was, again.outputs[name]))}


def _copied(sample: Any) -> Any:
    """The same input, of which a network may make what it likes: some normalise it in place."""
    return converted(sample, lambda tensor: tensor.clone() if is_array(tensor) else tensor)


class _Pass:
    """One pass of a single stimulus: a copy of each wanted output, and how often each layer ran."""

    def __init__(
        self, module: nn.Module, calls: Mapping[str, Call], expected: Mapping[nn.Module, int], memory: LiveMemory
    ) -> None:
        self.module, self.calls, self.expected, self.memory = module, calls, expected, memory
        self.outputs: dict[str, Tensor] = {}
        self.counts: dict[nn.Module, int] = {}

    def run(self, sample: Any) -> Any:
        """Forward the sample, with expected counts only as far as the last wanted call, and return what it returns."""
        with hooked([(layer, self._hook) for layer in {c.layer for c in self.calls.values()}]):
            try:
                return call_with(self.module, sample)
            except EnoughSeen:
                return None
            except Exception as error:
                shapes = ", ".join(str(tuple(tensor.shape)) for _, tensor in tensors_in(sample))
                error.add_note(
                    f"in the forward pass of {type(self.module).__name__} on one stimulus, of shape {shapes}"
                )
                raise

    def _hook(self, layer: nn.Module, _: Any, output: Any) -> None:
        index = self.counts[layer] = self.counts.get(layer, 0) + 1
        for name, call in self.calls.items():
            if call.layer is layer and (call.index is None or call.index == index - 1):
                tensor = one_tensor(output, name, only=layer is self.module)
                check_stimuli(tensor, name, 1)
                self.memory.paused = True  # the copy is ours
                self.outputs[name] = tensor.detach().clone()
                self.memory.paused = False
        if self.expected and all(
            self.counts.get(c.layer, 0) > (self.expected[c.layer] - 1 if c.index is None else c.index)
            for c in self.calls.values()
        ):
            raise EnoughSeen


def check_stimuli(tensor: Tensor, name: str, count: int) -> None:
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


def _difference(before: Tensor, after: Tensor) -> float:
    """Largest difference relative to the largest value; NaN and NaN, and equal infinities, are alike."""
    if before.shape != after.shape:
        return math.inf
    if torch.equal(before, after):
        return 0.0
    before, after = before.double(), after.double()
    alike = (before == after) | (before.isnan() & after.isnan())
    off = torch.where(alike, 0.0, (before - after).abs()).nan_to_num(math.inf, math.inf).max()
    return float(off / before.nan_to_num(0.0, 0.0, 0.0).abs().max().clamp(min=1e-30))


def working_bytes(probed: Probe, batch: int, reducing: int = 0) -> tuple[int, int]:
    """Bytes beside the results that a batch needs: of the module's device, and of the machine's memory for inputs.

    `reducing` is what the reductions need for each stimulus.
    """
    passing = int(_FRAGMENTS * filled(batch) * (probed.working + reducing)) + probed.scratch
    return passing, waiting_bytes(probed, batch) + _WAITING * batch * probed.medium + _BASE


def filled(batch: int) -> int:
    """Stimuli in a batch with those that fill it: the next multiple of `TOGETHER`, but fewer are left alone."""
    return batch if batch < TOGETHER else -(-batch // TOGETHER) * TOGETHER


def waiting_bytes(probed: Probe, batch: int) -> int:
    """Bytes of prepared stimuli that may wait for others of their shape."""
    return _WAITING * batch * probed.prepared


def reduced_shape(name: str, shape: tuple[int, ...], reduce: Callable[[Tensor], Tensor] | None) -> tuple[Any, int]:
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
    with LiveMemory(sample) as memory:
        reduced = reduce(sample)
    if not reduced.ndim or reduced.shape[0] != 1 or not reduced.numel():
        raise ModelError(
            f"layer {name!r}: its reduction makes {tuple(reduced.shape)} of {tuple(sample.shape)}: "
            "it must keep the dimension of stimuli and leave something"
        )
    return tuple(reduced.shape[1:]), memory.peak


__all__ = [
    "BATCHES",
    "MANY",
    "QUICK",
    "TOGETHER",
    "LiveMemory",
    "Mode",
    "Plan",
    "Probe",
    "check_stimuli",
    "filled",
    "probe",
    "reduced_shape",
    "versions",
    "waiting_bytes",
    "working_bytes",
]
