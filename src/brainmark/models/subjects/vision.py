"""Vision networks as subjects: layers stand for regions, pixels for degrees."""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any, get_args

from brainmark.core.errors import InvalidModel, ModelError, NotApplicable
from brainmark.core.experiment import Experiment, Record, Setting, TimeBin
from brainmark.core.libraries import Image, nn, np, torch, xr
from brainmark.core.stimuli import Media, Selected
from brainmark.models.activations.extract import Extractor, Probe, Progress, Stochastic
from brainmark.models.activations.hooks import digest_of_weights
from brainmark.models.activations.identity import describe_device
from brainmark.models.activations.kept import Identity, Kept, Rows, RowsWanted, find_kept
from brainmark.models.activations.kept import record as record_kept
from brainmark.models.activations.reductions import AtPositions, AveragePool, Reduction, WholeMap, shape_of_map
from brainmark.models.readouts.answers import Similarity
from brainmark.models.subjects.arguments import check_count, check_name, is_finite, numbers_in, refuse
from brainmark.models.subjects.observer import Observer
from brainmark.models.subjects.readout import REGIONS, Head, Readout, Steps, as_readout, check_readout, check_regions
from brainmark.models.subjects.screen import ChannelOrder, Screen
from brainmark.models.subjects.units import Units, grid, near_fixation, recording

IMAGENET_MEAN, IMAGENET_STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)


def check_record(experiment: Experiment, identifier: str, regions: Sequence[str]) -> Record:
    """Return the question if it is to record one of `regions` (none: any region) while images are shown.

    Raises
    ------
    NotApplicable : says what was asked and what this subject can do.
    """
    ask, modality = experiment.ask, experiment.stimuli.modality
    can = f"it records {', '.join(regions) or 'from layers'} while it sees images"
    if modality != "image":
        raise NotApplicable(f"{identifier} cannot take stimuli of modality {modality!r}; {can}")
    if not isinstance(ask, Record):
        raise NotApplicable(f"{identifier} cannot answer {type(ask).__name__}; {can}")
    if regions and ask.region not in regions:
        raise NotApplicable(f"{identifier} has no layer for region {ask.region!r}; {can}")
    return ask


@dataclass(frozen=True, eq=False)
class VisionSubject:
    """A network that sees images, and whose layers stand for regions.

    Attributes
    ----------
    identifier : name.
    network : the module, or a function that makes it when it is first needed.
    regions : region -> layer or `Readout`.
    degrees, size : field of view in degrees of visual angle and in pixels; stimuli keep their visual angle.
    mean, std : of red, green and blue (0-1), subtracted and divided by.
    channels : "rgb" or "bgr", the order in which the network takes them.
    stochastic : the network draws random numbers; each stimulus and trial has draws of its own, from the setting's
        seed and the content of the stimulus. A deterministic network answers once, whatever trials are asked for.
    head : logits, and what they stand for; None: it chooses among no words.
    behavior : what choices learnt from fitting stimuli, matches, odd ones out and ratings are recorded from; None: what
        stands for IT.
    similarity : "cosine" or "dot": what matches and odd ones out are chosen by.
    batch, device, progress : see `extract.Extractor`.
    guesses : names of those fields that nobody stated; they are values that are usual.

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
    channels: ChannelOrder = "rgb"
    stochastic: bool = False
    head: Head | None = None
    behavior: str | Readout | None = None
    similarity: Similarity = "cosine"
    batch: int | None = None
    device: str | None = None
    progress: Progress | None = field(default=None, repr=False)
    guesses: tuple[str, ...] = field(default=(), repr=False)

    def __post_init__(self) -> None:
        check_name("VisionSubject", "identifier", self.identifier, "give the model a name")
        owner = f"VisionSubject {self.identifier!r}"
        if not callable(self.network):
            raise refuse(owner, "network", self.network, "give a torch.nn.Module, or a function that makes one")
        check_regions(owner, self.regions)
        if not (is_finite(self.degrees) and self.degrees > 0):
            raise refuse(owner, "degrees", self.degrees, "give the width of the field of view in degrees, e.g. 8.0")
        check_count(owner, "size", self.size, "give the width of the network's input in pixels, e.g. 224")
        _channels(owner, "mean", self.mean)
        if min(_channels(owner, "std", self.std)) <= 0:
            raise refuse(
                owner, "std", self.std, "inputs are divided by it: give positive numbers, e.g. (1.0, 1.0, 1.0)"
            )
        if self.channels not in get_args(ChannelOrder):
            raise refuse(owner, "channels", self.channels, "give 'rgb' or 'bgr'")
        if self.head is not None and not isinstance(self.head, Head):  # pyright: ignore[reportUnnecessaryIsInstance]
            raise refuse(owner, "head", self.head, "give Head(layer, classes), or None for a network without logits")
        if self.behavior is not None:
            check_readout(owner, "behavior", self.behavior)
        if self.similarity not in get_args(Similarity):
            raise refuse(owner, "similarity", self.similarity, "give 'cosine' or 'dot'")
        if self.batch is not None:
            check_count(owner, "batch", self.batch, "give a number of stimuli, or None for as many as memory allows")

    @cached_property
    def module(self) -> nn.Module:
        """The network, made once."""
        if isinstance(self.network, nn.Module):
            return self.network
        made = self.network()
        if not isinstance(made, nn.Module):  # pyright: ignore[reportUnnecessaryIsInstance]
            raise ModelError(f"{self.identifier}: its factory made a {type(made).__name__}, not a torch.nn.Module")
        return made

    @property
    def weights_digest(self) -> str:
        """sha256 over names and values of all parameters and buffers."""
        return digest_of_weights(self.module)

    @property
    def screen(self) -> Screen:
        """Field of view."""
        return Screen(self.degrees, self.size)

    def perform(self, experiment: Experiment) -> xr.DataArray:
        """Record: presentation x neuroid [x time_bin], float32. Choose, Match: x choice. OddOneOut, Rate: one value.

        With an eccentricity the single units of the layer near fixation are given, otherwise its pooled maps. Time
        bins of a readout with `Steps` are weighted means of its steps, and alike for all others.
        More than one trial of a stochastic network adds the dimension ``repetition``.

        Raises
        ------
        NotApplicable : a question, modality, region or label that it does not commit to.
        InvalidStimuli : see `observer.Observer`.
        ModelError : activations that are not numbers, or differ when a stimulus is shown again.
        UnknownName, InvalidModel, ResourceError : see `extract.Extractor`.
        """
        images, setting = experiment.stimuli.modality == "image", experiment.setting
        trials: list[xr.DataArray] = []
        for seed in self._seeds(setting):
            if images and not isinstance(experiment.ask, Record):
                trials.append(self._observer(setting.degrees, seed).answer(experiment))
                continue
            ask = check_record(experiment, self.identifier, tuple(self.regions))
            readouts, ids = [as_readout(self.regions[ask.region])], experiment.stimuli.ids.tolist()
            ((values, units),) = self._record(experiment.stimuli.media, readouts, setting.degrees, seed, ask, ids)
            trials.append(recording(values, units, experiment))
        return trials[0] if len(trials) == 1 else xr.concat(trials, "repetition").transpose(..., "repetition")

    def _seeds(self, setting: Setting) -> list[int] | list[None]:
        """Return one seed for each trial; a deterministic network has one trial, and no seed."""
        if not self.stochastic:
            return [None]
        if setting.trials == 1:
            return [setting.seed]
        return np.random.SeedSequence(setting.seed).generate_state(setting.trials, np.uint32).tolist()

    def record_from(self, experiment: Experiment, readouts: Sequence[str | Readout]) -> list[xr.DataArray]:
        """Return what it would answer if the region were recorded from each of these, in one pass of the network.

        Of a stochastic network, the first trial. Raises as `perform`; InvalidModel for a layer that is recorded twice.
        """
        ask, setting, stimuli = check_record(experiment, self.identifier, ()), experiment.setting, experiment.stimuli
        chosen, seed = [as_readout(r) for r in readouts], self._seeds(setting)[0]
        recorded = self._record(stimuli.media, chosen, setting.degrees, seed, ask, stimuli.ids.tolist())
        return [recording(values, units, experiment) for values, units in recorded]

    def layers(self, experiment: Experiment, names: Sequence[str] = ("all",)) -> dict[str, tuple[int, ...]]:
        """Return layers -> shapes of what they put out for a stimulus. Raises UnknownName.

        Maps are (channels, rows, columns), in whatever order the layer puts them out; anything else is one row of
        units. ``all`` stands for every layer that puts out numbers of its own, in the order they run, ``blocks`` for
        its blocks, and ``layer3.*`` for all that fit the pattern.
        """
        check_record(experiment, self.identifier, ())
        extractor, media = self._extractor(experiment.setting.degrees), experiment.stimuli.media
        probed = extractor.probe(media, dict.fromkeys(extractor.find_layers(media, names), WholeMap()))
        return {name: shape_of_map(shape, probed.orders[name]) for name, shape in probed.shapes.items()}

    def pool_for(self, region: str, shape: tuple[int, ...], most: int) -> int | None:
        """Return rows and columns of a map of at most `most` units (but one for each channel); None: all of them."""
        if len(shape) != 3 or math.prod(shape) <= most:
            return None
        side = max(1, math.isqrt(most // shape[0]))
        return side if side < max(shape[1:]) else None

    def with_regions(self, regions: Mapping[str, str | Readout]) -> VisionSubject:
        """Return the same network with other commitments for these regions."""
        guesses = tuple(name for name in self.guesses if name != "regions")
        return replace(self, network=self.module, regions={**self.regions, **regions}, guesses=guesses)

    def _observer(self, degrees: float | None, seed: int | None) -> Observer:
        def record(media: Media, readout: Readout) -> np.ndarray:
            return self._record(media, [readout], degrees, seed)[0][0]

        given = self.behavior or self.regions.get("IT")
        behavior = None if given is None else as_readout(given)
        return Observer(self.identifier, record, self.head, behavior, self.similarity)

    def _record(
        self,
        media: Media,
        readouts: Sequence[Readout],
        degrees: float | None,
        seed: int | None,
        ask: Record | None = None,
        ids: Sequence[str] | None = None,
    ) -> list[tuple[np.ndarray, Units]]:
        """Return activations (stimuli, units) and units of each readout; with Steps, (stimuli, units, bin).

        The network runs once; a layer can be recorded by one readout only.
        """
        eccentricity, time_bins = (ask.eccentricity, ask.time_bins) if ask else (None, ())
        names = [name for readout in readouts for name in readout.calls]
        if len(set(names)) < len(names):
            raise InvalidModel(f"{self.identifier}: a layer is recorded twice among {', '.join(names)}")
        committed = [(as_readout(r), eccentricity) for r in self.regions.values()]
        committed += [(as_readout(self.behavior), None)] if self.behavior else []
        committed += [(Readout(self.head.layer), None)] if self.head else []
        asked = {name: (readout, eccentricity) for readout in readouts for name in readout.calls}
        others = {name: one for one in committed for name in one[0].calls if name not in asked}
        seen = (type(self), self.degrees, self.size, self.mean, self.std, self.channels, self.stochastic, degrees)
        extractor = self._extractor(degrees)
        recorder = _Recorder(media, ids, extractor, seed, self._units, {**others, **asked}, seen, self.progress)
        if kept := find_kept():
            wanted = RowsWanted(media, _tell(asked), _tell(others), {"model": self.identifier})
            found = record_kept(kept, wanted, recorder)
        else:
            found = recorder(range(len(media)), names)
        units = [self._units(r, found[r.calls[0]][1], eccentricity)[0] for r in readouts]
        return [
            (_over_time([found.pop(name)[0] for name in readout.calls], readout.time, time_bins), where)
            for readout, where in zip(readouts, units, strict=True)
        ]

    def _extractor(self, degrees: float | None) -> Extractor:
        # of a whole row of pixels: long rows are faster to subtract and divide than three channels
        mean, std = (torch.tensor(v).expand(3).repeat(self.size) for v in (self.mean, self.std))
        plain = not mean.any() and bool((std == 1).all())

        def collate(frames: Sequence[np.ndarray]) -> torch.Tensor:
            pixels = torch.from_numpy(np.stack(frames))
            rows = pixels.flatten(2).float().div_(255)
            rows = rows if plain else rows.sub_(mean).div_(std)
            seen = rows.view(pixels.shape).permute(0, 3, 1, 2)  # stays channels-last in memory
            return seen if self.channels == "rgb" else seen.flip(1)

        screen = self.screen
        return Extractor(self.module, lambda m: screen.show(m, degrees), collate, self.device, self.batch)

    def _units(
        self, readout: Readout, shape: tuple[int, ...], eccentricity: float | None
    ) -> tuple[Units, Reduction | None]:
        """Return the units of a layer whose output has `shape`, and the reduction that yields their activations.

        `shape` is (channels, rows, columns) of a map. Units without a map see the whole field of view: their centre is
        fixation.
        """
        if len(shape) != 3:
            return Units(readout.layers[0], int(np.prod(shape)), np.zeros(1), np.zeros(1)), None
        channels, rows, columns = shape
        across, down = readout.centres(columns, self.screen), -readout.centres(rows, self.screen)
        if eccentricity is not None:
            x, y = grid(across, down)
            kept = near_fixation(x, y, eccentricity)
            return Units(readout.layers[0], channels, x[kept], y[kept]), AtPositions(kept)
        if not isinstance(readout.pool, int):
            return Units(readout.layers[0], channels, *grid(across, down)), WholeMap()
        pool = AveragePool(readout.pool, readout.pool)
        return Units(
            readout.layers[0], channels, *grid(_pool_centres(across, pool.columns), _pool_centres(down, pool.rows))
        ), pool


_Asked = tuple[Readout, float | None]
"""What a call of a layer is read for, and within which eccentricity."""


def _tell(asked: Mapping[str, _Asked]) -> dict[str, str]:
    """Return the reduction of each call of a layer as text."""
    return {name: json.dumps([r.pool, r.first, r.step, within]) for name, (r, within) in asked.items()}


@dataclass(eq=False)
class _Recorder:
    """Records calls of layers on some of the stimuli, as often as it is asked; the network is tried out once.

    Attributes
    ----------
    media, ids : the stimuli, and their names for errors.
    extractor : of the network.
    seed : of its draws.
    units : readout, shape of its layer's output and eccentricity -> units and reduction.
    asked : what each call of a layer is read for.
    seen : how the network sees stimuli.
    progress : see `extract.Extractor`.
    """

    media: Media
    ids: Sequence[str] | None
    extractor: Extractor
    seed: int | None
    units: Callable[[Readout, tuple[int, ...], float | None], tuple[Units, Reduction | None]]
    asked: Mapping[str, _Asked]
    seen: tuple[Any, ...]
    progress: Progress | None
    _tried: tuple[list[str], Probe] | None = None
    _done: int = 0

    def identify(self, kept: Kept) -> Identity | None:
        """Return what tells the network, and how it sees and runs, from others."""
        extractor = self.extractor
        run = (self.seed, extractor.precision, describe_device(extractor.place), extractor.batch)
        return kept.identify(extractor.module, self.seen, run, Image.__version__)

    def __call__(self, rows: Sequence[int], names: Sequence[str]) -> dict[str, Rows]:
        """Return the rows of these stimuli for these calls of layers."""
        whole = len(rows) == len(self.media)
        media = self.media if whole else Selected(self.media, tuple(rows))
        ids = self.ids if self.ids is None or whole else [self.ids[row] for row in rows]
        if self._tried is None or self._tried[0] != list(names):
            self._tried = list(names), self.extractor.probe(media, dict.fromkeys(names, WholeMap()))
        probed = self._tried[1]
        shapes, reductions = {}, {}
        for name in names:
            readout, eccentricity = self.asked[name]
            first = readout.calls[0]
            shapes[name] = shape_of_map(probed.shapes[first], probed.orders[first])
            reductions[name] = self.units(readout, shapes[name], eccentricity)[1]
        made = self.extractor(media, reductions, probed=probed, seed=self.seed, progress=self._report, ids=ids)
        self._done = 0 if whole else self._done + len(rows)
        return {name: (made.pop(name).reshape(len(media), -1), shapes[name]) for name in names}

    @property
    def alike(self) -> bool:
        """Whether the network answers alike: as it did when it was tried out, or as its draws begin anew."""
        if self.seed is not None:
            return isinstance(self.extractor.module, Stochastic)
        return self._tried is not None and not self._tried[1].changed

    def _report(self, done: int, _: int) -> None:
        if self.progress:
            self.progress(self._done + done, len(self.media))


def _over_time(steps: Sequence[np.ndarray], time: Steps | None, time_bins: Sequence[TimeBin]) -> np.ndarray:
    """Average activations (stimuli, units) of steps with weights; a step that stands alone passes unchanged."""
    if time is None:
        return steps[0]
    means = [_mix(steps, weights) for weights in time.weights(time_bins)]
    return np.stack(means, axis=-1) if time_bins else means[0]


def _mix(steps: Sequence[np.ndarray], weights: np.ndarray) -> np.ndarray:
    """Return the weighted mean of activations; a single step passes unchanged."""
    parts = [(s, np.float32(w)) for s, w in zip(steps, weights, strict=True) if w]
    if len(parts) == 1:
        return parts[0][0]
    mean = parts[0][0] * parts[0][1]
    for step, weight in parts[1:]:
        mean += step * weight
    return mean


def _channels(owner: str, name: str, values: Any) -> list[float]:
    """Return one number for all channels of the screen, or three."""
    numbers = numbers_in(values)
    if numbers is None or len(numbers) not in (1, 3):
        raise refuse(owner, name, values, "give three finite numbers (red, green, blue; inputs run from 0 to 1)")
    return numbers


def _pool_centres(centres: np.ndarray, count: int) -> np.ndarray:
    """Return the mean centre in each of `count` bins, as adaptive average pooling forms them.

    Fewer centres stay as they are.
    """
    size = len(centres)
    if size <= count:
        return centres
    bins = np.arange(count)
    starts, stops = bins * size // count, -((bins + 1) * -size // count)
    return np.array([centres[a:b].mean() for a, b in zip(starts, stops, strict=True)])


__all__ = [
    "IMAGENET_MEAN", "IMAGENET_STD", "REGIONS", "Head", "Readout", "Steps", "VisionSubject", "check_record",
]  # fmt: skip
