"""What a model commits to: layers stand for regions, pixels for degrees. Loads torch when a network first runs."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import TYPE_CHECKING, Any, Protocol, cast, get_args, runtime_checkable

from brainmark.core.errors import InvalidModel, ModelError, NotApplicable
from brainmark.core.experiment import Experiment, Record, Setting, TimeBin
from brainmark.core.libraries import nn, np, torch, xr
from brainmark.core.stimuli import Media
from brainmark.core.subject import Subject
from brainmark.models.readouts.answers import Similarity
from brainmark.models.sources.arguments import (
    a_module_of,
    check_count,
    check_name,
    is_finite,
    lacks_tokenizer,
    numbers_in,
    refuse,
)
from brainmark.models.subjects.layers import REGIONS, Head, Readout, Steps, as_readout, check_regions
from brainmark.models.subjects.screen import Screen
from brainmark.models.subjects.units import Units, grid, near_fixation, recording

if TYPE_CHECKING:
    from brainmark.models.activations.extract import Extractor, Progress, Reduction

IMAGENET_MEAN, IMAGENET_STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)


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
    similarity : "cosine" or "dot": what matches and odd ones out are chosen by.
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
    similarity: Similarity = "cosine"
    batch: int | None = None
    device: str = "cpu"
    progress: Progress | None = field(default=None, repr=False)

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
        if self.head is not None and not isinstance(self.head, Head):  # pyright: ignore[reportUnnecessaryIsInstance]
            raise refuse(owner, "head", self.head, "give Head(layer, classes), or None for a network without logits")
        if self.behavior is not None and not isinstance(self.behavior, Readout):
            check_name(owner, "behavior", self.behavior, "name a layer, give a Readout, or None for the one of IT")
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
        from brainmark.models.activations.hooks import digest_of_weights

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
        InvalidStimuli : see `behavior.Observer`.
        ModelError : activations that are not numbers, or differ when a stimulus is shown again.
        UnknownName, InvalidModel, ResourceError : see `features.Extractor`.
        """
        answers = self._record if isinstance(experiment.ask, Record) else self._behave
        trials = [answers(experiment, seed) for seed in self._seeds(experiment.setting)]
        return trials[0] if len(trials) == 1 else xr.concat(trials, "repetition").transpose(..., "repetition")

    def _seeds(self, setting: Setting) -> list[int] | list[None]:
        """One seed for each trial; a deterministic network has one trial, and none."""
        if not self.stochastic:
            return [None]
        if setting.trials == 1:
            return [setting.seed]
        return np.random.SeedSequence(setting.seed).generate_state(setting.trials, np.uint32).tolist()

    def _record(self, experiment: Experiment, seed: int | None) -> xr.DataArray:
        ask = asked_record(experiment, self.identifier, tuple(self.regions))
        return self._recordings(experiment, [as_readout(self.regions[ask.region])], seed)[0]

    def record_from(self, experiment: Experiment, readouts: Sequence[str | Readout]) -> list[xr.DataArray]:
        """Return what it would answer if the region were read from each of these, in one pass of the network.

        Of a stochastic network, the first trial. Raises as `perform`; InvalidModel for a layer that is read twice.
        """
        asked_record(experiment, self.identifier, [experiment.ask.region] if isinstance(experiment.ask, Record) else ())
        return self._recordings(experiment, [as_readout(r) for r in readouts], self._seeds(experiment.setting)[0])

    def layers(self, experiment: Experiment, names: Sequence[str] = ("all",)) -> dict[str, tuple[int, ...]]:
        """Return layers -> shapes of what they put out for a stimulus. Raises UnknownName.

        ``all`` stands for every layer that puts out numbers of its own, in the order they run.
        """
        asked_record(experiment, self.identifier, [experiment.ask.region] if isinstance(experiment.ask, Record) else ())
        return dict(self._extractor(experiment.setting.degrees).probe(experiment.stimuli.media, names).shapes)

    def pool_for(self, region: str, shape: tuple[int, ...], most: int) -> int | None:
        """Return rows and columns of a map of at most `most` units (but one for each channel); None: all of them."""
        if len(shape) != 3 or math.prod(shape) <= most:
            return None
        side = max(1, math.isqrt(most // shape[0]))
        return side if side < max(shape[1:]) else None

    def readout(self, layer: str, pool: int | str | None) -> Readout:
        """Return the commitment to a layer, pooled to so many rows and columns. Raises InvalidModel."""
        return Readout(layer, pool=cast("int | None", pool))

    def with_regions(self, regions: Mapping[str, str | Readout]) -> VisionSubject:
        """Return the same network with other commitments for these regions."""
        return replace(self, network=self.module, regions={**self.regions, **regions})

    def _recordings(self, experiment: Experiment, readouts: Sequence[Readout], seed: int | None) -> list[xr.DataArray]:
        ask = experiment.ask
        assert isinstance(ask, Record)
        degrees, dims = experiment.setting.degrees, ("presentation", "neuroid", "time_bin")
        stimuli = experiment.stimuli
        read = self._read(stimuli.media, readouts, degrees, seed, ask.eccentricity, ask.time_bins, stimuli.ids.tolist())
        return [recording(values, units, experiment, dims[: values.ndim]) for values, units in read]

    def _behave(self, experiment: Experiment, seed: int | None) -> xr.DataArray:
        from brainmark.models.subjects.observer import Observer

        if experiment.stimuli.modality != "image":
            asked_record(experiment, self.identifier, tuple(self.regions))
        degrees, given = experiment.setting.degrees, self.behavior or self.regions.get("IT")
        readout = None if given is None else as_readout(given)
        logits = Readout("output" if self.head is None else self.head.layer)
        return Observer(
            self.identifier,
            self.head,
            lambda media: self._read(media, [logits], degrees, seed)[0][0],
            readout and (lambda media: self._read(media, [readout], degrees, seed)[0][0]),
            self.similarity,
        ).answer(experiment)

    def _read(
        self,
        media: Media,
        readouts: Sequence[Readout],
        degrees: float | None,
        seed: int | None,
        eccentricity: float | None = None,
        time_bins: Sequence[TimeBin] = (),
        ids: Sequence[str] | None = None,
    ) -> list[tuple[np.ndarray, Units]]:
        """Activations (stimuli, units) and units of each readout, with time bins (stimuli, units, bin) if it has Steps.

        The network runs once; a layer can be read by one readout only.
        """
        extractor = self._extractor(degrees)
        calls = [r.calls for r in readouts]
        names = [name for names in calls for name in names]
        if len(set(names)) < len(names):
            raise InvalidModel(f"{self.identifier}: a layer is read twice among {', '.join(names)}")
        probed = extractor.probe(media, names)
        units, wanted = [], {}
        for readout, of_readout in zip(readouts, calls, strict=True):
            where, reduce = self._units(readout, probed.shapes[of_readout[0]], eccentricity)
            units.append(where)
            wanted |= dict.fromkeys(of_readout, reduce)
        found = extractor(media, wanted, probed=probed, seed=seed, progress=self.progress, ids=ids)
        return [
            (_over_time([found.pop(n).reshape(len(media), -1) for n in of_readout], readout.time, time_bins), where)
            for readout, of_readout, where in zip(readouts, calls, units, strict=True)
        ]

    def _extractor(self, degrees: float | None) -> Extractor:

        from brainmark.models.activations.extract import Extractor

        # of a whole row of pixels: long rows are faster to subtract and divide than three channels
        mean, std = (torch.tensor(v).expand(3).repeat(self.size) for v in (self.mean, self.std))
        plain = not mean.any() and bool((std == 1).all())

        def collate(frames: Sequence[np.ndarray]) -> torch.Tensor:
            pixels = torch.from_numpy(np.stack(frames))
            rows = pixels.flatten(2).float().div_(255)
            rows = rows if plain else rows.sub_(mean).div_(std)
            return rows.view(pixels.shape).permute(0, 3, 1, 2)  # stays channels-last in memory

        screen = self.screen
        return Extractor(self.module, lambda m: screen.show(m, degrees), collate, self.device, self.batch)

    def _units(
        self, readout: Readout, shape: tuple[int, ...], eccentricity: float | None
    ) -> tuple[Units, Reduction | None]:
        """Units of a layer whose output has `shape`, and the reduction that yields their activations.

        Units without a map see the whole field of view: their centre is fixation.
        """
        from brainmark.models.activations.extract import AtPositions, AveragePool

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


def _over_time(steps: Sequence[np.ndarray], time: Steps | None, time_bins: Sequence[TimeBin]) -> np.ndarray:
    """Activations (stimuli, units) of steps -> their weighted means; a step that stands alone passes unchanged."""
    if time is None:
        return steps[0]
    means = [_mixed(steps, weights) for weights in time.weights(time_bins)]
    return np.stack(means, axis=-1) if time_bins else means[0]


def _mixed(steps: Sequence[np.ndarray], weights: np.ndarray) -> np.ndarray:
    """Weighted mean of activations; a single step passes unchanged."""
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
    """Return anything with `perform` as it is, a torch module as a `VisionSubject`, a subject of Brain-Score as ours.

    A network that reads comes with its tokenizer: ``(network, tokenizer)``.
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
    if not isinstance(thing, type) and any(callable(getattr(thing, name, None)) for name in ("look_at", "digest_text")):
        from brainmark.brainscore.subjects import from_brainscore

        return from_brainscore(thing, identifier)
    if isinstance(thing, tuple) and len(pair := cast("tuple[Any, ...]", thing)) == 2 and isinstance(pair[0], _Network):
        from brainmark.models.subjects.language import as_language_subject

        return as_language_subject(
            identifier or type(pair[0]).__name__, cast(Any, pair[0]), pair[1], cast(Any, regions)
        )
    if lacks := lacks_tokenizer(thing):
        raise TypeError(lacks)
    if not isinstance(thing, _Network) or isinstance(thing, type):
        hint = "; call it first" if isinstance(thing, type) else a_module_of(thing)
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


__all__ = [
    "IMAGENET_MEAN", "IMAGENET_STD", "REGIONS", "Head", "Readout", "Steps", "VisionSubject", "as_subject",
    "asked_record",
]  # fmt: skip
