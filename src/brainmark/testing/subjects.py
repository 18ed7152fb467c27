"""Simulated subjects with known answers, which a benchmark must score high, score low, or refuse."""

from __future__ import annotations

import hashlib
import math
from dataclasses import dataclass, field

from brainmark.core.errors import NotApplicable
from brainmark.core.experiment import Experiment, Move, NextWord, OddOneOut, Record
from brainmark.core.libraries import np, xr
from brainmark.core.subject import Subject


@dataclass(frozen=True)
class Noise:
    """Answers with random numbers, seeded by the names of the stimuli and unrelated to their content."""

    identifier: str = "noise"
    units: int = 20
    seed: int = 0

    def perform(self, experiment: Experiment) -> xr.DataArray:
        """Return positive random numbers of the shape that is asked for."""
        like = _template(experiment, self.units)
        rows = [
            _generator(str(i), self.seed).gamma(2.0, 1.0, like.shape[1:]) for i in like.coords["stimulus_id"].values
        ]
        return _normalise(like.copy(data=np.stack(rows)), experiment)


@dataclass(frozen=True)
class Constant:
    """Answers every question with one number, whatever is shown."""

    value: float = 0.0
    identifier: str = "constant"
    units: int = 20

    def perform(self, experiment: Experiment) -> xr.DataArray:
        """Return `value` in the shape that is asked for."""
        like = _template(experiment, self.units)
        return like.copy(data=np.full(like.shape, self.value))


@dataclass(frozen=True)
class Projection:
    """A well-behaved small model: fixed random projections of what is shown, for images and texts.

    Its units are the same whatever is shown; it answers `Record` for its regions and refuses all else.
    """

    regions: tuple[str, ...] = ("V1", "IT")
    identifier: str = "projection"
    units: int = 20
    seed: int = 0

    def perform(self, experiment: Experiment) -> xr.DataArray:
        """Return presentation x neuroid [x time_bin], rectified.

        Raises
        ------
        NotApplicable : another question, region or kind of stimuli.
        """
        ask = experiment.ask
        if not isinstance(ask, Record):
            raise NotApplicable(f"{self.identifier} answers Record, not {type(ask).__name__}")
        if ask.region not in self.regions:
            raise NotApplicable(f"{self.identifier} has no region {ask.region!r}; it has {', '.join(self.regions)}")
        if experiment.stimuli.modality not in ("image", "text"):
            raise NotApplicable(f"{self.identifier} takes images and texts, not {experiment.stimuli.modality}")
        media = experiment.stimuli.media
        seen = np.stack([_summary(media[i]) for i in range(len(media))])
        weights = _generator(ask.region, self.seed).standard_normal((seen.shape[1], self.units))
        like = _template(experiment, self.units)
        # one product for each: how a product of many rows is rounded can depend on how many they are
        values = np.maximum(np.stack([row @ weights for row in seen]), 0.0)
        return like.copy(data=np.broadcast_to(values.reshape(values.shape + (1,) * (like.ndim - 2)), like.shape).copy())


@dataclass(frozen=True, eq=False)
class Echo:
    """Answers with a given measurement, row by row: the best that a subject can do on it."""

    measurement: xr.DataArray
    identifier: str = "echo"

    def perform(self, experiment: Experiment) -> xr.DataArray:
        """Return the measurement averaged over repetitions, in the order of the stimuli.

        Raises
        ------
        NotApplicable : a stimulus was not measured.
        """
        mean = self.measurement
        if "repetition" in mean.dims:
            mean = mean.mean("repetition", skipna=True)
        position = {str(s): i for i, s in enumerate(mean.coords["stimulus_id"].values)}
        missing = [str(s) for s in experiment.stimuli.ids if str(s) not in position]
        if missing:
            raise NotApplicable(f"{self.identifier} was not measured with stimulus {missing[0]!r}")
        return mean.isel(presentation=[position[str(s)] for s in experiment.stimuli.ids])


@dataclass(frozen=True, eq=False)
class Truncated:
    """Leaves out the last presentations of another subject's answer."""

    of: Subject = field(default_factory=Noise)
    missing: int = 1
    identifier: str = "truncated"

    def perform(self, experiment: Experiment) -> xr.DataArray:
        """Return an answer with too few presentations."""
        answer = self.of.perform(experiment)
        return answer.isel(presentation=slice(0, answer.sizes["presentation"] - self.missing))


@dataclass(frozen=True, eq=False)
class Misnamed:
    """Answers the right number of presentations in the wrong order."""

    of: Subject = field(default_factory=Noise)
    identifier: str = "misnamed"

    def perform(self, experiment: Experiment) -> xr.DataArray:
        """Return an answer whose presentations are reversed."""
        return self.of.perform(experiment).isel(presentation=slice(None, None, -1))


@dataclass(frozen=True, eq=False)
class Undefined:
    """Answers with one value that is not a number."""

    of: Subject = field(default_factory=Noise)
    value: float = math.nan
    identifier: str = "undefined"

    def perform(self, experiment: Experiment) -> xr.DataArray:
        """Return another subject's answer, its last value replaced."""
        answer = self.of.perform(experiment).astype(float).copy()
        answer[(-1,) * answer.ndim] = self.value
        return answer


@dataclass(frozen=True, eq=False)
class Failing:
    """Raises an error whenever it is asked."""

    error: BaseException = field(default_factory=lambda: ValueError("this subject always fails"))
    identifier: str = "failing"

    def perform(self, experiment: Experiment) -> xr.DataArray:
        """Raise the error."""
        raise self.error


@dataclass(frozen=True)
class Refusing:
    """Says that it cannot do what is asked."""

    reason: str = "this subject takes part in nothing"
    identifier: str = "refusing"

    def perform(self, experiment: Experiment) -> xr.DataArray:
        """Raise `NotApplicable`."""
        raise NotApplicable(f"{self.identifier}: {self.reason}")


def _generator(name: str, seed: int) -> np.random.Generator:
    return np.random.default_rng([seed, int.from_bytes(hashlib.sha256(name.encode()).digest()[:8], "little")])


def _summary(medium: np.ndarray | str) -> np.ndarray:
    """Return 48 numbers about a stimulus: means of a 4 x 4 grid in 3 colours, or letters of a text in 48 classes."""
    if isinstance(medium, str):
        return np.bincount([ord(c) % 48 for c in medium] or [0], minlength=48) / (len(medium) or 1)
    rows, columns = (np.linspace(0, n, 5).astype(int) for n in medium.shape[:2])
    blocks = [
        medium[rows[i] : rows[i + 1], columns[j] : columns[j + 1]].mean(axis=(0, 1)) for i in range(4) for j in range(4)
    ]
    return np.concatenate(blocks) / 255.0 - 0.5


def _template(experiment: Experiment, units: int) -> xr.DataArray:
    """Return an answer of zeros with the dimensions and coordinates that are asked for."""
    ask, ids = experiment.ask, experiment.stimuli.ids
    group = ask.group
    sizes = {"presentation": len(ids[::group])}
    coords: dict[str, tuple[str, np.ndarray]] = {"stimulus_id": ("presentation", ids[::group])}
    if isinstance(ask, Record):
        sizes["neuroid"] = units
        coords["neuroid_id"] = ("neuroid", np.char.add(f"{ask.region}-", np.arange(units).astype(str)))
        coords["region"] = ("neuroid", np.full(units, ask.region))
    bins = ask.time_bins if isinstance(ask, Record) else ((0.0, 100.0),) if isinstance(ask, Move) else ()
    if isinstance(ask, Move):
        sizes["effector"] = len(ask.effectors)
        coords["effector"] = ("effector", np.array(ask.effectors))
    if bins:
        sizes["time_bin"] = len(bins)
        coords["time_bin_start"] = ("time_bin", np.array([b[0] for b in bins], float))
        coords["time_bin_end"] = ("time_bin", np.array([b[1] for b in bins], float))
    labels = ask.choices()
    if labels is not None:
        sizes["choice"] = len(labels)
        coords["choice"] = ("choice", labels)
    return xr.DataArray(np.zeros(tuple(sizes.values())), dims=tuple(sizes), coords=coords)


def _normalise(answer: xr.DataArray, experiment: Experiment) -> xr.DataArray:
    if isinstance(experiment.ask, OddOneOut):
        return answer.astype(int) % 3
    if isinstance(experiment.ask, NextWord):
        return answer.copy(data=np.char.add("word-", answer.values.astype(int).astype(str)))
    return answer / answer.sum("choice") if "choice" in answer.dims else answer
