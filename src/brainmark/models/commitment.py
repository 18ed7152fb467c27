"""What a model commits to: layers stand for regions, pixels for degrees. Loads torch when a network first runs."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Any, Literal, Protocol, cast, runtime_checkable

import numpy as np
import xarray as xr

from brainmark.core.errors import ModelError, NotApplicable
from brainmark.core.experiment import Experiment, Record, TimeBin
from brainmark.core.subject import Subject
from brainmark.models.arguments import check_count, check_name, is_finite, numbers_in, refuse
from brainmark.models.screen import Screen
from brainmark.models.units import Units, grid, near_fixation, recording, tiles

if TYPE_CHECKING:
    from torch import Tensor, nn

    from brainmark.models.features import Extractor, Progress, Reduction

REGIONS = ("V1", "V2", "V4", "IT")
IMAGENET_MEAN, IMAGENET_STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)


@dataclass(frozen=True)
class Steps:
    """When a layer that runs several times in one pass stands for: its commitment to time.

    Call k of the layer (k = 0 ... count - 1) stands for start + k step to start + (k + 1) step.

    Attributes
    ----------
    start, step : ms; start is counted from the onset of the stimulus.
    count : calls that are read.

    Raises
    ------
    InvalidModel : a field that describes no course of time.
    """

    start: float
    step: float
    count: int

    def __post_init__(self) -> None:
        if not is_finite(self.start):
            raise refuse("Steps", "start", self.start, "give ms after the onset of the stimulus")
        if not (is_finite(self.step) and self.step > 0):
            raise refuse("Steps", "step", self.step, "give a positive number of ms")
        check_count("Steps", "count", self.count, "give the number of calls that are read")

    def weights(self, time_bins: Sequence[TimeBin]) -> np.ndarray:
        """Share of each step (bin, step) in each time bin, by overlap; rows sum to 1.

        A bin that overlaps no step is given the nearest one: what the layer did first (last) is taken to hold before
        (after). Without bins there is one row, the average over the response.
        """
        if not len(time_bins):
            return np.full((1, self.count), 1 / self.count)
        edges = self.start + self.step * np.arange(self.count + 1)
        begin, end = np.asarray(time_bins, float).T[:, :, None]
        overlap = np.clip(np.minimum(end, edges[1:]) - np.maximum(begin, edges[:-1]), 0, None)
        none = ~overlap.any(axis=1)
        overlap[none, np.where(end[none, 0] <= edges[0], 0, self.count - 1)] = 1.0
        return overlap / overlap.sum(axis=1, keepdims=True)


@dataclass(frozen=True)
class Head:
    """The layer whose output is one number (logit) for each class, and what the classes are called.

    Attributes
    ----------
    layer : dotted name of a layer, or ``output``.
    classes : the names in the order of the logits; or ``imagenet``, the 1000 classes in the order of their WordNet ids.

    Raises
    ------
    InvalidModel : a field that describes no head.
    """

    layer: str = "output"
    classes: Literal["imagenet"] | tuple[str, ...] = "imagenet"

    def __post_init__(self) -> None:
        check_name("Head", "layer", self.layer, "name the layer that puts out the logits, or 'output'")
        way_out = "give 'imagenet', or at least two different names in the order of the logits"
        if self.classes == "imagenet":
            return
        if isinstance(self.classes, str) or not isinstance(self.classes, Sequence):  # pyright: ignore[reportUnnecessaryIsInstance]
            raise refuse("Head", "classes", self.classes, way_out)
        for name in self.classes:
            check_name("Head", "classes", name, way_out)
        if len(set(self.classes)) < max(len(self.classes), 2):
            raise refuse("Head", "classes", self.classes, way_out)
        object.__setattr__(self, "classes", tuple(self.classes))


@dataclass(frozen=True)
class Readout:
    """Where a region is read from.

    Attributes
    ----------
    layer : dotted name of a layer, or ``output``.
    pool : maps larger than this many rows and columns are averaged to them (unless single units near fixation are
        asked for); None: every unit.
    first, step : centre of the first unit and distance of its neighbours, in pixels from the left (top) edge of the
        field of view; None: the map tiles the field evenly.
    time : when each call of a layer stands for that runs several times in a pass; None: its last call, at all times.

    Raises
    ------
    InvalidModel : a field that describes no readout.
    """

    layer: str
    pool: int | None = None
    first: float | None = None
    step: float | None = None
    time: Steps | None = None

    def __post_init__(self) -> None:
        check_name("Readout", "layer", self.layer, "name a layer of the network, or 'output'")
        if self.pool is not None:
            check_count("Readout", "pool", self.pool, "give rows and columns to keep, or None for every unit")
        if (self.first is None) != (self.step is None):
            missing = "first" if self.first is None else "step"
            raise refuse("Readout", missing, None, "give first and step together, or neither for an even tiling")
        if self.first is not None and not is_finite(self.first):
            raise refuse("Readout", "first", self.first, "give a number of pixels")
        if self.step is not None and not (is_finite(self.step) and self.step > 0):
            raise refuse("Readout", "step", self.step, "give a positive number of pixels")
        if self.time is not None and not isinstance(self.time, Steps):  # pyright: ignore[reportUnnecessaryIsInstance]
            raise refuse("Readout", "time", self.time, "give Steps(start, step, count) in ms, or None")

    def centres(self, count: int, screen: Screen) -> np.ndarray:
        """Receptive-field centres (count,) of a row of units, in degrees from fixation, ascending."""
        if self.first is None or self.step is None:
            return tiles(count, screen.degrees)
        return (self.first + self.step * np.arange(count) - screen.size / 2) / screen.pixels_per_degree


def asked_record(experiment: Experiment, identifier: str, regions: Sequence[str]) -> Record:
    """Return the question if it is to record one of `regions` while images are shown.

    Raises
    ------
    NotApplicable : says what was asked and what this subject can do.
    """
    ask, modality = experiment.ask, experiment.stimuli.modality
    can = f"it records {', '.join(regions)} while it sees images"
    if modality != "image":
        raise NotApplicable(f"{identifier} cannot take stimuli of modality {modality!r}; {can}")
    if not isinstance(ask, Record):
        raise NotApplicable(f"{identifier} cannot answer {type(ask).__name__}; {can}")
    if ask.region not in regions:
        raise NotApplicable(f"{identifier} commits no layer to region {ask.region!r}; {can}")
    return ask


@dataclass(frozen=True, eq=False)
class VisionSubject:
    """A network that sees images and whose layers stand for regions.

    Attributes
    ----------
    identifier : name.
    network : the module, or a function that makes it when it is first needed.
    regions : region -> layer or `Readout`.
    degrees, size : field of view in degrees of visual angle and in pixels; stimuli keep their visual angle.
    mean, std : of the input channels (0-1), subtracted and divided by.
    stochastic : the network draws random numbers; each stimulus and trial has draws of its own, from the setting's
        seed and the content of the stimulus. A deterministic network answers once, whatever trials are asked for.
    head : logits, and what they stand for; None: it chooses among no words.
    behavior : what choices learnt from fitting stimuli, matches, odd ones out and ratings are read from; None: what
        stands for IT.
    batch, device, progress : see `features.Extractor`.

    Raises
    ------
    InvalidModel : a field that describes no such network.
    """

    identifier: str
    network: nn.Module | Callable[[], nn.Module]
    regions: Mapping[str, str | Readout]
    degrees: float = 8.0
    size: int = 224
    mean: tuple[float, ...] = (0.0, 0.0, 0.0)
    std: tuple[float, ...] = (1.0, 1.0, 1.0)
    stochastic: bool = False
    head: Head | None = None
    behavior: str | Readout | None = None
    batch: int | None = None
    device: str = "cpu"
    progress: Progress | None = field(default=None, repr=False)

    def __post_init__(self) -> None:
        check_name("VisionSubject", "identifier", self.identifier, "give the model a name")
        owner = f"VisionSubject {self.identifier!r}"
        if not callable(self.network):
            raise refuse(owner, "network", self.network, "give a torch.nn.Module, or a function that makes one")
        _check_regions(owner, self.regions)
        if not (is_finite(self.degrees) and self.degrees > 0):
            raise refuse(owner, "degrees", self.degrees, "give the width of the field of view in degrees, e.g. 8.0")
        check_count(owner, "size", self.size, "give the width of the network's input in pixels, e.g. 224")
        _channels(owner, "mean", self.mean)
        if min(_channels(owner, "std", self.std)) <= 0:
            raise refuse(
                owner, "std", self.std, "inputs are divided by it: give positive numbers, e.g. (1.0, 1.0, 1.0)"
            )
        if self.head is not None and not isinstance(self.head, Head):  # pyright: ignore[reportUnnecessaryIsInstance]
            raise refuse(owner, "head", self.head, "give Head(layer, classes), or None for a network without logits")
        if self.behavior is not None and not isinstance(self.behavior, Readout):
            check_name(owner, "behavior", self.behavior, "name a layer, give a Readout, or None for the one of IT")
        if self.batch is not None:
            check_count(owner, "batch", self.batch, "give a number of stimuli, or None for as many as memory allows")

    @cached_property
    def module(self) -> nn.Module:
        """The network, made once."""
        from torch import nn

        if isinstance(self.network, nn.Module):
            return self.network
        made = self.network()
        if not isinstance(made, nn.Module):  # pyright: ignore[reportUnnecessaryIsInstance]
            raise ModelError(f"{self.identifier}: its factory made a {type(made).__name__}, not a torch.nn.Module")
        return made

    @property
    def weights_digest(self) -> str:
        """sha256 over names and values of all parameters and buffers."""
        from torch import uint8

        whole = hashlib.sha256()
        for name, tensor in [*self.module.named_parameters(), *self.module.named_buffers()]:
            values = tensor.detach().cpu().contiguous()
            whole.update(f"{name}{values.dtype}{tuple(values.shape)}".encode())
            whole.update(values.flatten().view(uint8).numpy().tobytes())
        return whole.hexdigest()

    @property
    def screen(self) -> Screen:
        """Field of view."""
        return Screen(self.degrees, self.size)

    def perform(self, experiment: Experiment) -> xr.DataArray:
        """Record: presentation x neuroid [x time_bin], float32.

        With an eccentricity the single units of the layer near fixation are given, otherwise its pooled maps.
        More than one trial of a stochastic network adds the dimension ``repetition``.

        Raises
        ------
        NotApplicable : another question, modality or region than it commits to.
        UnknownName, ModelError, ResourceError : see `features.Extractor`.
        """
        ask = asked_record(experiment, self.identifier, tuple(self.regions))
        given = self.regions[ask.region]
        readout = given if isinstance(given, Readout) else Readout(given)
        extractor = self._extractor(experiment.setting.degrees)
        media = experiment.stimuli.media
        probed = extractor.probe(media, [readout.layer])
        units, reduce = self._units(readout, probed.shapes[readout.layer], ask.eccentricity)

        def answers(seed: int | None) -> np.ndarray:
            found = extractor(media, {readout.layer: reduce}, probed=probed, seed=seed, progress=self.progress)
            return found[readout.layer].reshape(len(media), -1)

        setting = experiment.setting
        if not self.stochastic:
            values = answers(None)
        elif setting.trials == 1:
            values = answers(setting.seed)
        else:
            seeds = np.random.SeedSequence(setting.seed).generate_state(setting.trials, np.uint32)
            values = np.stack([answers(int(s)) for s in seeds], axis=-1)
        return recording(values, units, experiment)

    def _extractor(self, degrees: float | None) -> Extractor:
        import torch

        from brainmark.models.features import Extractor

        mean, std = torch.tensor(self.mean).view(-1, 1, 1), torch.tensor(self.std).view(-1, 1, 1)
        plain = not mean.any() and bool((std == 1).all())

        def collate(frames: Sequence[np.ndarray]) -> Tensor:
            images = torch.from_numpy(np.stack(frames)).permute(0, 3, 1, 2)  # stays channels-last in memory
            images = images.float().div_(255)
            return images if plain else images.sub_(mean).div_(std)

        screen = self.screen
        return Extractor(self.module, lambda m: screen.show(m, degrees), collate, self.device, self.batch)

    def _units(
        self, readout: Readout, shape: tuple[int, ...], eccentricity: float | None
    ) -> tuple[Units, Reduction | None]:
        """Units of a layer whose output has `shape`, and the reduction that yields their activations.

        Units without a map see the whole field of view: their centre is fixation.
        """
        from brainmark.models.features import AtPositions, AveragePool

        if len(shape) != 3:
            return Units(readout.layer, int(np.prod(shape)), np.zeros(1), np.zeros(1)), None
        channels, rows, columns = shape
        across, down = readout.centres(columns, self.screen), -readout.centres(rows, self.screen)
        if eccentricity is not None:
            x, y = grid(across, down)
            kept = near_fixation(x, y, eccentricity)
            return Units(readout.layer, channels, x[kept], y[kept]), AtPositions(kept)
        if readout.pool is None:
            return Units(readout.layer, channels, *grid(across, down)), None
        pool = AveragePool(readout.pool, readout.pool)
        return Units(readout.layer, channels, *grid(_pooled(across, pool.columns), _pooled(down, pool.rows))), pool


def _check_regions(owner: str, regions: Any) -> None:
    """Refuse what does not map names of regions to layers or readouts."""
    if not isinstance(regions, Mapping) or not regions:
        raise refuse(owner, "regions", regions, "map each region to a layer, e.g. {'IT': 'output'}")
    for region, readout in cast("Mapping[Any, Any]", regions).items():
        check_name(owner, "a key of regions", region, "regions are named by text, e.g. 'IT'")
        if not isinstance(readout, Readout):
            check_name(owner, f"regions[{region!r}]", readout, "name a layer ('output' is the last), or give a Readout")


def _channels(owner: str, name: str, values: Any) -> list[float]:
    """Return one number for all channels of the screen, or three."""
    numbers = numbers_in(values)
    if numbers is None or len(numbers) not in (1, 3):
        raise refuse(owner, name, values, "give three finite numbers (red, green, blue; inputs run from 0 to 1)")
    return numbers


def _pooled(centres: np.ndarray, count: int) -> np.ndarray:
    """Mean centre in each of `count` bins, as adaptive average pooling forms them; fewer centres stay as they are."""
    size = len(centres)
    if size <= count:
        return centres
    bins = np.arange(count)
    starts, stops = bins * size // count, -((bins + 1) * -size // count)
    return np.array([centres[a:b].mean() for a, b in zip(starts, stops, strict=True)])


@runtime_checkable
class _Network(Protocol):
    """What a torch.nn.Module has, without loading torch."""

    def named_modules(self) -> Any: ...
    def forward(self, *inputs: Any) -> Any: ...


def as_subject(
    thing: object,
    identifier: str | None = None,
    *,
    regions: Mapping[str, str | Readout] | None = None,
    degrees: float = 8.0,
    size: int = 224,
    mean: tuple[float, ...] = IMAGENET_MEAN,
    std: tuple[float, ...] = IMAGENET_STD,
) -> Subject:
    """Return anything with `perform` as it is, and a torch module as a `VisionSubject`.

    Without `regions` the module's output stands for V1, V2, V4 and IT. Inputs are normalised as usual for ImageNet.

    Raises
    ------
    TypeError : neither a subject nor a module.
    InvalidModel : see `VisionSubject`.
    """
    if callable(getattr(thing, "perform", None)) and not isinstance(thing, type):
        if not isinstance(getattr(thing, "identifier", None), str):
            raise TypeError(f"{_named(thing)} has `perform` but no `identifier` (a string); give it a name")
        return cast(Subject, thing)
    if not isinstance(thing, _Network) or isinstance(thing, type):
        hint = "; call it first" if isinstance(thing, type) else ""
        raise TypeError(
            f"{_named(thing)} is no subject: pass a torch.nn.Module, or an object with `identifier` and "
            f"`perform(experiment)`{hint}"
        )
    return VisionSubject(
        identifier or type(thing).__name__,
        cast("nn.Module", thing),
        dict.fromkeys(REGIONS, "output") if regions is None else regions,
        degrees=degrees,
        size=size,
        mean=mean,
        std=std,
    )


def _named(thing: object) -> str:
    return f"the class {thing.__name__}" if isinstance(thing, type) else f"a {type(thing).__name__}"
