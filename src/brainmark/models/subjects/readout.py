"""Readouts: which layers of a network stand for which regions, times and classes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any, Literal, cast, get_args

from brainmark.core.experiment import TimeBin
from brainmark.core.libraries import np
from brainmark.models.subjects.arguments import check_count, check_name, is_finite, refuse
from brainmark.models.subjects.screen import Screen
from brainmark.models.subjects.units import tiles

REGIONS = ("V1", "V2", "V4", "IT")
"""Of the ventral stream, in the order in which signals reach them."""
LANGUAGE_REGIONS: tuple[str, ...] = (
    "language_system",
    "language_system_left_hemisphere",
    "language_system_right_hemisphere",
    "LATL",
    "RATL",
    "LPTL",
    "LIPL",
    "LIFG",
    "LPreM",
)
"""Regions that data sets of language name: the language network as a whole, and areas of it (anterior and posterior
temporal, inferior parietal, inferior frontal, premotor)."""
DEPTH = 2 / 3
"""Share of the blocks that have run, past the middle, where maps found on recordings usually lie: not fitted."""
Pool = Literal["last", "mean", "all", "first"]
"""How the tokens of a part are pooled, see `Readout`."""


@dataclass(frozen=True)
class Steps:
    """The times (ms) that the calls of a layer stand for, if it runs several times in one pass.

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
        """Return the share of each step (bin, step) in each time bin, by overlap; rows sum to 1.

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
    """The layer whose output is one number (logit) for each class, and the names of the classes.

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
    """Where a region is recorded from: a layer of a vision network, one or several of a language network.

    Attributes
    ----------
    layer : dotted name of a layer, or ``output``; several stand side by side.
    pool : of maps, rows and columns to which larger ones are averaged (unless single units near fixation are asked
        for); None: every unit. Of texts, the ``last`` token of a part (so does None) or the ``mean`` of its tokens; of
        networks that see both sides also the mean of all tokens of the pass with those of its frame (``all``, as
        sentence encoders are trained), or the ``first``.
    first, step : centre of the first unit and distance of its neighbours, in pixels from the left (top) edge of the
        field of view; None: the map tiles the field evenly.
    time : when each call of a layer stands for that runs several times in a pass; None: its last call, at all times.
    units : layer -> its units that are read; None: all.
    unit_length : whether each representation is divided by its length, as sentence encoders are trained.

    Raises
    ------
    InvalidModel : a field that describes no readout.
    """

    layer: str | tuple[str, ...]
    pool: int | Pool | None = None
    first: float | None = None
    step: float | None = None
    time: Steps | None = None
    units: Mapping[str, Sequence[int]] | None = None
    unit_length: bool = False

    def __post_init__(self) -> None:
        layers = self.layers
        for name in layers:
            check_name("Readout", "layer", name, "name a layer of the network, or 'output'")
        if not layers or len(set(layers)) < len(layers):
            raise refuse("Readout", "layer", self.layer, "name at least one layer, each once")
        object.__setattr__(self, "layer", layers[0] if len(layers) == 1 else layers)
        if self.pool is not None and self.pool not in get_args(Pool):
            way_out = f"give rows and columns to keep, one of {', '.join(get_args(Pool))}, or None"
            check_count("Readout", "pool", self.pool, way_out)
        if (self.first is None) != (self.step is None):
            missing = "first" if self.first is None else "step"
            raise refuse("Readout", missing, None, "give first and step together, or neither for an even tiling")
        if self.first is not None and not is_finite(self.first):
            raise refuse("Readout", "first", self.first, "give a number of pixels")
        if self.step is not None and not (is_finite(self.step) and self.step > 0):
            raise refuse("Readout", "step", self.step, "give a positive number of pixels")
        if self.time is not None and not isinstance(self.time, Steps):  # pyright: ignore[reportUnnecessaryIsInstance]
            raise refuse("Readout", "time", self.time, "give Steps(start, step, count) in ms, or None")
        if self.units is not None and not any(len(self.units.get(n, ())) for n in layers):
            raise refuse("Readout", "units", self.units, "name at least one unit of its layers, or None for all")

    @property
    def layers(self) -> tuple[str, ...]:
        """Names of its layers."""
        return (self.layer,) if isinstance(self.layer, str) else tuple(self.layer)

    @property
    def calls(self) -> list[str]:
        """What is read of its layers: their last call, or each of the steps."""
        if self.time is None:
            return list(self.layers)
        return [f"{name}@{k}" for name in self.layers for k in range(self.time.count)]

    def as_table(self) -> dict[str, Any]:
        """Return it as a file of descriptions says it; what is as usual is left out."""
        fields = {name: value for name, value in asdict(self).items() if value is not None and value is not False}
        fields["layer"] = self.layer if isinstance(self.layer, str) else list(self.layer)
        if self.units is not None:
            fields["units"] = {n: [int(u) for u in self.units[n]] for n in self.layers if n in self.units}
        return fields

    def centres(self, count: int, screen: Screen) -> np.ndarray:
        """Return the receptive-field centres (count,) of a row of units, in degrees from fixation, ascending."""
        if self.first is None or self.step is None:
            return tiles(count, screen.degrees)
        return (self.first + self.step * np.arange(count) - screen.size / 2) / screen.pixels_per_degree


def as_readout(given: str | Readout) -> Readout:
    """Return the readout, or that of the layer with this name."""
    return given if isinstance(given, Readout) else Readout(given)


def check_regions(owner: str, regions: Any, *, takes_text: bool = False) -> None:
    """Refuse what does not map names of regions to layers or readouts of a vision network, or `takes_text`."""
    example = "{'language_system': 'h.8'}" if takes_text else "{'IT': 'output'}"
    if not isinstance(regions, Mapping) or not regions:
        raise refuse(owner, "regions", regions, f"map each region to a layer, e.g. {example}")
    for region, readout in cast("Mapping[Any, Any]", regions).items():
        check_name(owner, "a key of regions", region, "regions are named by text, e.g. 'IT'")
        check_readout(owner, f"regions[{region!r}]", readout, takes_text=takes_text)


def check_readout(owner: str, field: str, given: Any, *, takes_text: bool = False) -> None:
    """Refuse what is neither a layer nor a readout of a vision network, or `takes_text`."""
    if not isinstance(given, Readout):
        check_name(owner, field, given, "name a layer ('output' is the last), or give a Readout")
    elif takes_text and (isinstance(given.pool, int) or given.first is not None or given.time):
        way_out = f"of a language network, pool is one of {', '.join(get_args(Pool))}; give no first, step or time"
        raise refuse(owner, field, given, way_out)
    elif not takes_text and (isinstance(given.pool, str) or len(given.layers) > 1 or given.units or given.unit_length):
        way_out = "a vision network is recorded from all units of one layer, as they are, and pool is a number"
        raise refuse(owner, field, given, way_out)
