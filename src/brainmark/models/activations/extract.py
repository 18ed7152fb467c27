"""Activations of any torch module, streamed: stimuli in, one preallocated float32 array per layer out."""

from __future__ import annotations

import contextlib
import dataclasses
import logging
import re
import sys
import threading
from collections.abc import Callable, Generator, Mapping, Sequence, Sized
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import torch
from torch import Tensor, nn

from brainmark.core.errors import InvalidModel, InvalidStimuli, ModelError, ResourceError
from brainmark.core.libraries import np
from brainmark.core.memory import available_memory, keep_heap, resident_memory
from brainmark.core.stimuli import Media
from brainmark.core.wording import bytes_text
from brainmark.models.activations import plan as planning
from brainmark.models.activations.calls import ALL, OUTPUT, all_calls
from brainmark.models.activations.loading import as_arrays, bytes_of, digest_of, shapes_of, stacked
from brainmark.models.activations.outputs import check_weights, converted
from brainmark.models.activations.passes import Progress, Run, Stochastic
from brainmark.models.activations.plan import (
    BATCHES,
    MANY,
    QUICK,
    TOGETHER,
    Mode,
    Plan,
    Probe,
    reduced_shape,
    working_bytes,
)
from brainmark.models.activations.reductions import AtPositions, AveragePool, Reduction
from brainmark.models.activations.results import check_disk
from brainmark.models.networks.seeds import draws_from
from brainmark.models.sources.arguments import a_module_of, check_count

_USABLE = 0.8  # share of the free memory that a run may plan for
_REPEATS = {torch.float32: 1e-3, torch.bfloat16: 5e-2}  # of the largest activation: two passes differ by less
_AGREES = {torch.float32: 1e-4, torch.bfloat16: 5e-2}  # the same, of a pass that takes shortcuts and one that does not

Layers = Mapping[str, Reduction | None] | Sequence[str]
"""One layer, several, or layers and what each is reduced by; ``all`` stands for every distinct output."""

_T = TypeVar("_T")

_log = logging.getLogger(__name__)


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
            raise InvalidModel(
                f"Extractor: module is a {type(self.module).__name__}; give a torch.nn.Module{a_module_of(self.module)}"
            )
        if self.dtype not in _REPEATS:
            raise InvalidModel(f"Extractor: dtype = {self.dtype}; give torch.float32 or torch.bfloat16")
        if self.batch is not None:
            check_count("Extractor", "batch", self.batch, "give a number of stimuli, or None")

    def layers(self, media: Media) -> list[str]:
        """Names of every distinct output of the network, in the order of running: what ``all`` stands for."""
        sample, _, _ = self._sample(media)

        def found(mode: Mode) -> list[str]:
            with evaluating(self.module, mode), draws_from():
                return all_calls(self.module, sample)

        return _with_gradients_if_needed(found, torch.no_grad)[0]

    def probe(self, media: Media, layers: Layers, *, seed: int | None = None) -> Probe:
        """Run the first stimulus twice and report shapes, calls, memory and whether the module changes."""
        sample, stored, key = self._sample(media)
        names = self._names(media, _listed(layers))

        def probed(mode: Mode) -> Probe:
            with evaluating(self.module, mode), draws_from(), keep_heap(), self.precision():
                return planning.probe(self.module, sample, names, agree=_AGREES[self.dtype])

        found, mode = _with_gradients_if_needed(probed, torch.inference_mode)
        medium = found.medium + stored[0] + stored[1]
        return dataclasses.replace(
            found, medium=medium, prepared=stored[1], key=key, digest=digest_of(media[0], 0), mode=mode
        )

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
        device = torch.device(self.device)
        on_cpu = device.type == "cpu"
        free = int(available_memory() * _USABLE)

        def with_batch(batch: int) -> tuple[Plan, bool]:
            passing, beside = working_bytes(probed, batch, reducing)
            working = beside + (passing if on_cpu else 0)
            plan = Plan(len(media), shapes, batch, results, working, resident_memory(), into is not None)
            return plan, plan.bytes <= free and (on_cpu or passing <= available_memory(device) * _USABLE)

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
        with evaluating(self.module, probed.mode):
            return Run(self, media, self._wanted(layers, probed), probed, plan, seed, ids, into).execute(progress)

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
        if not isinstance(media, Sized):  # pyright: ignore[reportUnnecessaryIsInstance]
            raise InvalidStimuli(f"stimuli are a {type(media).__name__}, without a length; give a list")
        if not len(media):
            raise InvalidStimuli(f"no stimuli to show to {type(self.module).__name__}")
        check_weights(self.module)
        self._move()
        medium = media[0]
        prepared = self.prepare(medium)
        return self.as_input(self.collate([prepared])), (bytes_of(medium), bytes_of(prepared)), shapes_of(prepared)

    def _move(self) -> None:
        """Bring the module to its device. Raises InvalidModel if there is no such device here."""
        try:
            torch.empty(0, device=self.device)
        except (AssertionError, RuntimeError) as error:
            first = (str(error).splitlines() or [""])[0]
            raise InvalidModel(
                f"Extractor: device = {self.device!r}: {first}; give 'cpu', or one that is here"
            ) from error
        self.module.to(self.device)

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


def _listed(layers: Layers) -> list[str]:
    return [layers] if isinstance(layers, str) else list(layers)


def _too_much(plan: Plan, free: int, layers: Sequence[str]) -> str:
    out = "" if plan.on_disk else "write them to files (into=FOLDER), "
    fewer = "a smaller batch, " if plan.batch > 1 else ""
    return (
        f"activations of {plan.stimuli} stimuli need {bytes_text(plan.bytes)} ({', '.join(layers)}; "
        f"{plan.batch} at a time), but {bytes_text(free)} of memory are free; {out}ask for {fewer}fewer layers or "
        "stimuli, or reduce the layers (AveragePool, Projection)"
    )


_evaluation = threading.RLock()  # training flags and hooks belong to the module, which threads may share


@contextlib.contextmanager
def evaluating(module: nn.Module, mode: Mode = torch.inference_mode) -> Generator[None]:
    """Evaluation mode, by default without gradients; afterwards each layer trains again if it did before."""
    with _evaluation:
        training = [m for m in module.modules() if m.training]
        try:
            _evaluate(module)
            with mode(), _uncompiled():
                yield
        finally:
            for m in training:
                m.training = True


def _with_gradients_if_needed(run: Callable[[Mode], _T], mode: Mode) -> tuple[_T, Mode]:
    """Run in a mode without gradients, or with them if the forward pass takes some, as inference by descent does."""
    try:
        return run(mode), mode
    except RuntimeError as error:
        if not re.search("grad|inference tensor", str(error), re.IGNORECASE):
            raise
    return run(torch.enable_grad), torch.enable_grad


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


def _uncompiled() -> contextlib.AbstractContextManager[Any]:
    """Context in which what `torch.compile` made runs as it was written: compiled layers call no hooks."""
    compiler = sys.modules.get("torch._dynamo")  # there if anything was compiled; it takes a second to import
    return contextlib.nullcontext() if compiler is None else torch.compiler.set_stance("force_eager")


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
