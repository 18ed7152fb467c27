"""Activations of any torch module, streamed: stimuli in, one preallocated float32 array per layer out."""

from __future__ import annotations

import contextlib
import dataclasses
import fnmatch
import logging
from collections.abc import Callable, Mapping, Sequence, Sized
from dataclasses import dataclass
from typing import Any, TypeAlias

from brainmark.core.devices import CPU, free_memory, in_use, note
from brainmark.core.errors import InvalidModel, InvalidStimuli, ModelError, ResourceError, UnknownName
from brainmark.core.libraries import nn, np, torch
from brainmark.core.memory import available_memory, keep_heap, resident_memory
from brainmark.core.stimuli import Media
from brainmark.core.wording import bytes_text
from brainmark.models.activations import plan as planning
from brainmark.models.activations.batches import Loader, as_arrays, bytes_of, digest_of, prefetch, shapes_of, stack
from brainmark.models.activations.blocks import list_blocks
from brainmark.models.activations.hooks import ALL, BLOCKS, OUTPUT, all_calls, check_weights, convert_tensors
from brainmark.models.activations.layout import CHANNELS_FIRST, find_orders, takes_channels_last
from brainmark.models.activations.passes import Run, Stochastic, compute_in, evaluation_mode, needs_gradients
from brainmark.models.activations.plan import BATCHES, MANY, QUICK, TOGETHER, ExtractionPlan, Probe
from brainmark.models.activations.reductions import Arranged, AtPositions, AveragePool, Reduction, WholeMap
from brainmark.models.networks.seeds import draw_from
from brainmark.models.subjects.arguments import a_module_of, check_count

_USABLE = 0.8  # share of the free memory that a run may plan for
_REPEATS = {"float32": 1e-3, "bfloat16": 5e-2}  # of the largest activation: two passes differ by less

Layers: TypeAlias = "Mapping[str, Reduction | None] | Sequence[str]"
"""One layer, several, or layers and what each is reduced by; ``all`` stands for every distinct output."""
Progress = Callable[[int, int], None]
"""Called with (stimuli done, stimuli in all) after each batch."""

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
    device : where the module runs, and stays; None: what is in use, see `brainmark.core.devices`.
    batch : stimuli in a batch; None: 16 to 64, fewer of large maps, or if the memory is short.
    dtype : torch.bfloat16 computes what it can in that precision, about twice as fast where the processor knows it,
        with errors of some per cent of a layer's largest activation; None: the precision in use.
    """

    module: nn.Module
    prepare: Callable[[Any], Any] = as_arrays
    collate: Callable[[Sequence[Any]], Any] = stack
    device: str | None = None
    batch: int | None = None
    dtype: torch.dtype | None = None

    def __post_init__(self) -> None:
        if not isinstance(self.module, nn.Module):  # pyright: ignore[reportUnnecessaryIsInstance]
            raise InvalidModel(
                f"Extractor: module is a {type(self.module).__name__}; give a torch.nn.Module{a_module_of(self.module)}"
            )
        if self.precision not in _REPEATS:
            raise InvalidModel(f"Extractor: dtype = {self.dtype}; give torch.float32 or torch.bfloat16")
        if self.batch is not None:
            check_count("Extractor", "batch", self.batch, "give a number of stimuli, or None")

    @property
    def place(self) -> torch.device:
        """The device on which it runs now."""
        return torch.device(self.device or in_use().device)

    @property
    def precision(self) -> str:
        """The type in which it computes now: "float32" or "bfloat16"."""
        return in_use().precision if self.dtype is None else str(self.dtype).removeprefix("torch.")

    def layers(self, media: Media) -> list[str]:
        """Return names of every distinct output of the network, in the order of running: what ``all`` stands for."""
        return self._list(media, all_calls)

    def blocks(self, media: Media) -> list[str]:
        """Return names of its blocks in the order of running, or of every distinct output where it has none."""
        return self._list(media, list_blocks) or self.layers(media)

    def find_layers(self, media: Media, names: Sequence[str]) -> list[str]:
        """Return the layers that names mean: ``blocks``, ``all``, or patterns such as ``layer3.*``.

        Raises
        ------
        UnknownName : no layer fits a pattern; whether other names are there is not looked up.
        """
        found: list[str] = []
        for name in names:
            if name == BLOCKS:
                found += self.blocks(media)
            elif name == ALL:
                found += self.layers(media)
            elif set(name) & set("*?["):
                known = list(dict.fromkeys([*self.layers(media), *self.blocks(media)]))
                found += (fitting := fnmatch.filter(known, name))
                if not fitting:
                    raise UnknownName(f"layer of {type(self.module).__name__}", name, known, " (no layer fits)")
            else:
                found.append(name)
        return list(dict.fromkeys(found))

    def _list(self, media: Media, names_of: Callable[[nn.Module, Any, Any], list[str]]) -> list[str]:
        prepared = self._prepare_first(media)
        one, two = self._as_input(self.collate([prepared])), self._as_input(self.collate([prepared] * 2))
        try:
            with evaluation_mode(self.module, torch.no_grad), draw_from():
                return names_of(self.module, one, two)
        except RuntimeError as error:
            if not needs_gradients(error):
                raise
        with evaluation_mode(self.module, torch.enable_grad), draw_from():
            return names_of(self.module, one, two)

    def probe(self, media: Media, layers: Layers) -> Probe:
        """Run the first stimulus twice and report shapes, calls, memory and whether the module changes.

        What is tried once for each network: whether its images may lie channels last in memory; and once for each layer
        of which `layers` has a reduction of maps: which dimensions of its output are the map.
        """
        prepared = self._prepare_first(media)
        sample = self._as_input(self.collate([prepared]))
        names = [layers] if isinstance(layers, str) else list(layers)
        if ALL in names:
            names = list(dict.fromkeys([*self.layers(media), *(name for name in names if name != ALL)]))
        size, found, last = bytes_of(prepared), None, False
        for mode in (torch.inference_mode, torch.enable_grad):
            try:
                with evaluation_mode(self.module, mode), draw_from(), keep_heap(), self._precision():
                    found = planning.probe(self.module, sample, names, mode)
                    two = self._as_input(self.collate([prepared] * 2))
                    last = takes_channels_last(self.module, sample, two, _REPEATS[self.precision])
                break
            except RuntimeError as error:
                if mode is torch.enable_grad or not needs_gradients(error):
                    raise
        assert found is not None
        medium = found.medium + bytes_of(media[0]) + size
        known = {"medium": medium, "prepared": size, "key": shapes_of(prepared), "digest": digest_of(media[0], 0)}
        return self._find_maps(layers, dataclasses.replace(found, channels_last=last, **known), sample)

    def _find_maps(self, layers: Layers, probed: Probe, sample: Any) -> Probe:
        """Return what the probe showed, with the order of the maps that are reduced."""
        reduced = [name for name, reduce in self._complete(layers, probed).items() if getattr(reduce, "of_maps", False)]
        shapes = {name: probed.shapes[name] for name in reduced if name not in probed.orders}
        if not shapes:
            return probed
        with evaluation_mode(self.module, probed.mode), keep_heap(), self._precision():
            orders = find_orders(self.module, sample, shapes, probed.calls)
        return dataclasses.replace(probed, orders={**probed.orders, **orders})

    def plan(
        self, media: Media, layers: Layers, *, probed: Probe | None = None, seed: int | None = None
    ) -> ExtractionPlan:
        """Return what a call with the same arguments will do, and the memory that it will need at most.

        Raises
        ------
        ResourceError : there is less memory.
        """
        probed = self._complete_probe(media, layers, probed)
        reduced = {
            name: planning.reduce_shape(name, probed.shapes[name], reduce)
            for name, reduce in self._reductions(layers, probed).items()
        }
        shapes = {name: shape for name, (shape, _) in reduced.items()}
        results = 4 * len(media) * sum(int(np.prod(shape, dtype=np.int64)) for shape in shapes.values())
        reducing = max((scratch for _, scratch in reduced.values()), default=0)
        device, plan, passing = self.place, None, 0
        on_cpu = device.type == CPU
        free = int(available_memory() * _USABLE)
        room = free if on_cpu else int(available_memory(device) * _USABLE)
        for batch in self._sizes(len(media), seed, probed.working if on_cpu else 0):
            passing, beside = planning.working_bytes(probed, batch, reducing)
            working = beside + (passing if on_cpu else 0)
            plan = ExtractionPlan(len(media), shapes, batch, results, working, resident_memory())
            if plan.bytes <= free and (on_cpu or passing <= room):
                return plan
        assert plan is not None
        if plan.bytes <= free:
            raise ResourceError(
                f"{type(self.module).__name__} needs {bytes_text(passing)} to pass {plan.batch} of the stimuli, but "
                f"{bytes_text(room)} of the memory of {device} are free; take 'cpu', or a device with more"
            )
        fewer = "a smaller batch, " if plan.batch > 1 else ""
        raise ResourceError(
            f"activations of {plan.stimuli} stimuli need {bytes_text(plan.bytes)} ({', '.join(shapes)}; "
            f"{plan.batch} at a time), but {bytes_text(free)} of memory are free; ask for {fewer}fewer layers or "
            "stimuli, or reduce the layers (AveragePool, SpatialMean)"
        )

    def __call__(
        self,
        media: Media,
        layers: Layers,
        *,
        probed: Probe | None = None,
        seed: int | None = None,
        progress: Progress | None = None,
        ids: Sequence[str] | None = None,
    ) -> dict[str, np.ndarray]:
        """Return layer -> float32 (stimuli, ...), in the order of the media.

        A layer that runs several times in a pass yields its last call; ``relu@0`` is its first. A stimulus that comes
        more than once is computed once. The same call yields the same bits on one machine. So do, on a CPU, batches
        of four stimuli or more, whatever their size: they are filled to multiples of four, as the stimuli left over
        would be rounded otherwise. With a seed, each stimulus draws its own random numbers from (seed, content): the
        same in any order and batch.

        Parameters
        ----------
        probed : what `probe` returned for these media and layers.
        ids : names of the stimuli, for errors.

        Raises
        ------
        UnknownName : a layer, or a call of it, that is not there.
        InvalidModel : the module returns several tensors, and its output is asked for (of a layer, the first counts).
        ModelError : values that are not finite, naming layer and stimulus; a layer without a tensor of stimuli; shapes
            that differ between stimuli; without a seed, a module that changes from one pass to the next.
        ResourceError : the result and one stimulus at a time would not fit into memory; or that of a device ran out,
            also with half of the planned batch.
        """

        def label(row: int) -> str:
            return f"stimulus {row}" if ids is None else f"stimulus {ids[row]!r} ({row})"

        probed = self._complete_probe(media, layers, probed)
        plan = self.plan(media, layers, probed=probed, seed=seed)
        if seed is None:
            self._check_steady(probed)
        _log.info("%s: %s", type(self.module).__name__, plan)
        halved = False
        while True:
            run = Run(self.module, self._as_input, self._reductions(layers, probed), probed, plan, seed, label)
            waiting, together = planning.waiting_bytes(probed, plan.batch), min(TOGETHER, plan.batch)
            loader = Loader(media, self.prepare, self.collate, run.batch_of, waiting, label, together)
            done = reported = 0
            try:
                with evaluation_mode(self.module, probed.mode), run.open(), self._precision():
                    for batch in prefetch(loader.batches()):
                        run.forward(batch)
                        done += len(batch.rows)
                        if progress:
                            reported = done + batch.repeats
                            progress(reported, len(media))
                break
            except ResourceError:
                if halved or self.place.type == CPU or plan.batch == 1:
                    raise
            del run, loader  # which hold memory of the device
            free_memory()
            plan, halved = dataclasses.replace(plan, batch=plan.batch // 2), True
            note(f"the memory of {self.place} ran out: {plan.batch} stimuli were shown at a time, not {2 * plan.batch}")
        if progress and reported < len(media):
            progress(len(media), len(media))
        return run.finish(loader.same_as)

    def _sizes(self, count: int, seed: int | None, working: int) -> list[int]:
        """Return the sizes of a batch to try, the largest first; draws of modules without seeds go one by one."""
        if seed is not None and not isinstance(self.module, Stochastic):
            return [1]
        quick = [size for size in BATCHES if size <= MANY or size * working <= QUICK]
        most = self.batch or quick[0]
        first = max(min(count, most), min(most, TOGETHER))
        return [first] if self.batch else [first, *(size for size in quick if size < first)]

    def _prepare_first(self, media: Media) -> Any:
        """Return the first stimulus as it is prepared; the module is on its device then."""
        if not isinstance(media, Sized):  # pyright: ignore[reportUnnecessaryIsInstance]
            raise InvalidStimuli(f"stimuli are a {type(media).__name__}, without a length; give a list")
        if not len(media):
            raise InvalidStimuli(f"no stimuli to show to {type(self.module).__name__}")
        check_weights(self.module)
        try:
            torch.empty(0, device=self.place)
        except (AssertionError, RuntimeError) as error:
            first = (str(error).splitlines() or [""])[0]
            raise InvalidModel(
                f"Extractor: device = {self.device!r}: {first}; give 'cpu', or one that is here"
            ) from error
        self.module.to(self.place)
        return self.prepare(media[0])

    def _complete_probe(self, media: Media, layers: Layers, probed: Probe | None) -> Probe:
        """Return what `probe` shows, or what it showed before, with the orders of all maps that are reduced."""
        if probed is None:
            return self.probe(media, layers)
        reduced = [n for n, reduce in self._complete(layers, probed).items() if getattr(reduce, "of_maps", False)]
        if not set(reduced) - set(probed.orders):
            return probed
        return self._find_maps(layers, probed, self._as_input(self.collate([self._prepare_first(media)])))

    def _complete(self, layers: Layers, probed: Probe) -> dict[str, Reduction | None]:
        """Return the reduction of each layer, those that ``all`` stands for included."""
        names = [layers] if isinstance(layers, str) else layers
        wanted = dict(names) if isinstance(names, Mapping) else dict.fromkeys(names)
        if ALL in wanted:
            wanted = dict.fromkeys(probed.shapes, wanted.pop(ALL)) | wanted
        return wanted

    def _reductions(self, layers: Layers, probed: Probe) -> dict[str, Reduction | None]:
        """Return the reduction of each layer; those of maps get maps with channels first, and no other outputs."""

        def arrange(name: str, reduce: Reduction | None) -> Reduction | None:
            if reduce is None or not getattr(reduce, "of_maps", False):
                return reduce
            order = probed.orders[name]
            if order is None or (order == CHANNELS_FIRST and isinstance(reduce, WholeMap)):
                return None
            return reduce if order == CHANNELS_FIRST else Arranged(order, reduce)

        return {name: arrange(name, reduce) for name, reduce in self._complete(layers, probed).items()}

    def _as_input(self, inputs: Any, channels_last: bool = False) -> Any:
        """Put inputs on the device, in the module's precision; contiguous, as PyTorch does, or channels last."""
        floats, place = next((p.dtype for p in self.module.parameters() if p.is_floating_point()), None), self.place

        def convert(tensor: torch.Tensor) -> torch.Tensor:
            dtype = floats if floats and tensor.is_floating_point() else tensor.dtype
            order = torch.channels_last if channels_last and tensor.ndim == 4 else torch.contiguous_format
            return tensor.to(place, dtype, non_blocking=True, memory_format=order)

        return convert_tensors(inputs, convert)

    def _precision(self) -> contextlib.AbstractContextManager[Any]:
        """Return the context in which the module computes in its precision."""
        return compute_in(self.precision, self.place.type)

    def _check_steady(self, probed: Probe) -> None:
        for layer, off in (probed.changed or {}).items():
            if off > _REPEATS[self.precision]:
                raise ModelError(
                    f"layer {layer!r} of {type(self.module).__name__} gives another answer to the first stimulus "
                    f"when it is shown again (by {off:.3g} of its largest activation): it draws random numbers "
                    "(give a seed; of a subject, say stochastic=True), or it keeps state between stimuli"
                )


__all__ = [
    "ALL",
    "OUTPUT",
    "AtPositions",
    "AveragePool",
    "ExtractionPlan",
    "Extractor",
    "Layers",
    "Probe",
    "Progress",
    "Reduction",
    "Stochastic",
]  # fmt: skip
