"""Experiments: stimuli, the question, and the setting in which the animal or the person saw them."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass, is_dataclass
from functools import cached_property
from typing import Any, ClassVar, Literal

from brainmark.core.errors import InvalidMeasurement, InvalidStimuli, NotApplicable
from brainmark.core.libraries import np, xr
from brainmark.core.ranges import COUNT, DEGREES, MILLISECONDS, MOMENT, SEED, check_number
from brainmark.core.stimuli import Stimuli

TimeBin = tuple[float, float]
SPACE_BEFORE = "space_before"
"""Column of texts in parts: whether a space stands before the part (see `models.tokens.join_parts`)."""


class Ask:
    """A question to a subject; the class defines what an answer looks like.

    A package adds its own: a frozen dataclass that derives from this class, whose fields are what is asked. Subjects
    that do not know it raise NotApplicable.

    Attributes
    ----------
    dims : dimensions that an answer must have.
    optional_dims : dimensions that it may have besides.
    group : consecutive stimuli that one answer is about.
    in_words : answers may be words; else they are numbers, and valid measurements.
    """

    dims: tuple[str, ...] = ("presentation",)
    optional_dims: tuple[str, ...] = ("repetition",)
    group: int = 1
    in_words: ClassVar[bool] = False

    def choices(self) -> np.ndarray | None:
        """Return what there is to choose from, along the dimension "choice"; None: nothing."""
        return None

    def check(self, answer: xr.DataArray, name: str) -> None:
        """Raise InvalidMeasurement if an answer that is a valid measurement is none to this question."""

    def must_hold_numbers(self, answer: xr.DataArray, experiment: Experiment) -> xr.DataArray:
        """Return the part of an answer that may hold no NaN: usually all of it."""
        return answer


@dataclass(frozen=True)
class Record(Ask):
    """Record from a region: presentation x neuroid [x time_bin].

    `time_bins` are (start, end) in ms after onset; none: the average over the response.
    `eccentricity` asks for the units whose receptive-field centre lies at most so many degrees from fixation.
    """

    region: str
    time_bins: tuple[TimeBin, ...] = ()
    eccentricity: float | None = None

    def __post_init__(self) -> None:
        for number, (start, end) in enumerate(self.time_bins):
            check_number("Record", f"the start of time bin {number}", start, MOMENT, "ms")
            check_number("Record", f"the end of time bin {number}", end, MOMENT, "ms")
            if not start < end:
                raise InvalidStimuli(f"Record: time bin {number} ends at {end} ms, not after its start at {start} ms")
        check_number("Record", "eccentricity", self.eccentricity, (0.0, DEGREES[1]), "degrees", optional=True)

    @property
    def dims(self) -> tuple[str, ...]:  # pyright: ignore[reportIncompatibleVariableOverride]
        """Without time bins, the answer is an average over time."""
        return ("presentation", "neuroid", "time_bin") if self.time_bins else ("presentation", "neuroid")

    def check(self, answer: xr.DataArray, name: str) -> None:
        """Check that region and time bins are those that were asked for."""
        regions = answer.coords["region"].values.astype(str)
        for i in np.flatnonzero(regions != self.region):
            raise InvalidMeasurement(
                f"{name}: coordinate 'region' is {str(regions[i])!r} at neuroid {int(i)}; {self.region!r} was asked for"
            )
        if not self.time_bins:
            return
        edges = (answer.coords[f"time_bin_{edge}"].values.astype(float).tolist() for edge in ("start", "end"))
        given, asked = list(zip(*edges, strict=True)), [(float(a), float(b)) for a, b in self.time_bins]
        if given != asked:
            same = [one == other for one, other in zip(given, asked, strict=False)]
            i = same.index(False) if False in same else len(same)
            raise InvalidMeasurement(
                f"{name}: dimension 'time_bin' has {len(given)} bins, {len(asked)} were asked for; "
                f"they first differ at time_bin {i}"
            )


@dataclass(frozen=True, eq=False)
class Choose(Ask):
    """Choose one label per stimulus: presentation x choice, probabilities.

    Labels are either the words to choose from, or learnt from `fitting` stimuli (column ``label``).
    """

    dims = ("presentation", "choice")

    labels: tuple[str, ...] = ()
    fitting: Stimuli | None = None

    def choices(self) -> np.ndarray:
        """Return the labels. Raises NotApplicable: neither labels nor stimuli with labels are given."""
        if self.labels:
            return np.array(self.labels)
        if self.fitting is None or "label" not in self.fitting.table:
            raise NotApplicable("Choose names neither labels nor fitting stimuli with a column 'label'")
        return np.unique(self.fitting.table["label"].to_numpy(dtype=str))


@dataclass(frozen=True)
class OddOneOut(Ask):
    """Stimuli come in consecutive triplets; answer the position (0, 1, 2) of the odd one: one per triplet."""

    group = 3


@dataclass(frozen=True)
class Match(Ask):
    """Sample, then alternatives, in consecutive groups of `group` stimuli: probability of each alternative."""

    dims = ("presentation", "choice")

    group: int = 3

    def __post_init__(self) -> None:
        check_number("Match", "group", self.group, (2, COUNT[1]), "a sample and its alternatives", whole=True)

    def choices(self) -> np.ndarray:
        """Return the positions of the alternatives."""
        return np.arange(self.group - 1)


@dataclass(frozen=True)
class Prefer(Ask):
    """Stimuli come in consecutive groups of `group` alternatives: probability that each is the better one.

    Each alternative stands alone. Of sentences, the better one is the one that is more acceptable.
    """

    dims = ("presentation", "choice")

    group: int = 2

    def __post_init__(self) -> None:
        check_number("Prefer", "group", self.group, (2, COUNT[1]), "alternatives", whole=True)

    def choices(self) -> np.ndarray:
        """Return the positions of the alternatives."""
        return np.arange(self.group)


@dataclass(frozen=True)
class Read(Ask):
    """Read in order; give one value per presentation: "reading_time" (ms) or "surprisal" (bits)."""

    measure: Literal["reading_time", "surprisal"]

    def must_hold_numbers(self, answer: xr.DataArray, experiment: Experiment) -> xr.DataArray:
        """Leave out the first presentations of texts, which have no value because no text comes before them."""
        first = [together[0] for together in experiment.contexts if len(together) > 1]
        silent = np.asarray(answer.isnull().any([d for d in answer.dims if d != "presentation"]).values)
        kept = np.ones(len(silent), bool)
        kept[first] = ~silent[first]
        return answer if kept.all() else answer.isel(presentation=kept)


@dataclass(frozen=True)
class NextWord(Ask):
    """Give the next word after each presentation."""

    in_words = True


@dataclass(frozen=True, eq=False)
class Rate(Ask):
    """Rate each stimulus on a scale from `low` to `high`: one value a stimulus.

    What is rated is learnt from `fitting` stimuli (column ``rating``). With `group` 2, stimuli come in consecutive
    pairs, and how alike the two are is rated: one value a pair.
    """

    question: str
    low: float
    high: float
    fitting: Stimuli | None = None
    group: int = 1

    def __post_init__(self) -> None:
        for name in ("low", "high"):
            check_number("Rate", name, getattr(self, name), (-1e12, 1e12))
        if not self.low < self.high:
            raise InvalidStimuli(f"Rate: the scale ends at {self.high}, not above its start at {self.low}")
        check_number("Rate", "group", self.group, (1, 2), "stimuli that are rated together", whole=True)


@dataclass(frozen=True)
class Move(Ask):
    """Produce a movement: presentation x effector x time_bin, in the unit named."""

    dims = ("presentation", "effector", "time_bin")

    effectors: tuple[str, ...]
    unit: str


@dataclass(frozen=True)
class Decide(Ask):
    """Decide between alternatives in time: choice and response time (ms) for each presentation."""

    optional_dims = ("choice", "repetition")
    in_words = True

    alternatives: tuple[str, ...]
    limit: float | None = None

    def __post_init__(self) -> None:
        check_number("Decide", "limit", self.limit, MILLISECONDS, "ms", optional=True)


@dataclass(frozen=True)
class Setting:
    """What the subject sees and how often.

    Attributes
    ----------
    degrees : width of a visual stimulus in degrees of visual angle; None: not known, it fills the field of view.
    trials : presentations of each stimulus that are asked for (stochastic subjects differ between trials).
    duration : of one presentation, in ms; None: not known.
    context : column of the stimuli; presentations with the same value are one text (sound, film), taken in the order
        of the table, each with all that came before it. None: every presentation stands alone.
    seed : for subjects that draw random numbers.

    Raises
    ------
    InvalidStimuli : a number that is not finite, or outside of its range (`brainmark.core.ranges`).
    """

    degrees: float | None = None
    trials: int = 1
    duration: float | None = None
    seed: int = 0
    context: str | None = None

    def __post_init__(self) -> None:
        check_number("setting", "degrees", self.degrees, DEGREES, "degrees of visual angle", optional=True)
        check_number("setting", "trials", self.trials, COUNT, "presentations of each stimulus", whole=True)
        check_number("setting", "duration", self.duration, MILLISECONDS, "ms", optional=True)
        check_number("setting", "seed", self.seed, SEED, whole=True)
        if self.context is not None and not isinstance(self.context, str):  # pyright: ignore[reportUnnecessaryIsInstance]
            raise InvalidStimuli(f"setting: context is {self.context!r}; give the name of a column of the stimuli")


@dataclass(frozen=True, eq=False)
class Experiment:
    """Stimuli, a question and a setting: the only argument of `Subject.perform`."""

    stimuli: Stimuli
    ask: Ask
    setting: Setting = Setting()

    def __post_init__(self) -> None:
        if not (isinstance(self.ask, Ask) and is_dataclass(self.ask)):  # pyright: ignore[reportUnnecessaryIsInstance]
            raise TypeError(
                f"{type(self.ask).__name__} is not a question: derive a frozen dataclass from brainmark.core.Ask"
            )
        context, columns = self.setting.context, list(self.stimuli.table.columns)
        if context is not None and context not in columns:
            raise InvalidStimuli(
                f"stimuli {self.stimuli.identifier!r}: the setting's context is column {context!r}, "
                f"which is not among {columns}"
            )

    @cached_property
    def answered_ids(self) -> np.ndarray:
        """``stimulus_id`` of each presentation of an answer: of the first stimulus of each group."""
        return self.stimuli.ids[:: self.ask.group]

    @cached_property
    def contexts(self) -> list[list[int]]:
        """Positions of the presentations that are taken one after another, a list for each context."""
        if self.setting.context is None:
            return [[i] for i in range(len(self.stimuli))]
        together: dict[Any, list[int]] = {}
        for position, value in enumerate(self.stimuli.table[self.setting.context].tolist()):
            together.setdefault(value, []).append(position)
        return list(together.values())

    @cached_property
    def digest(self) -> str:
        """sha256 over the content of the stimuli, the question and the setting."""
        together = self.contexts if self.setting.context is not None else None
        parts = [self.stimuli.digest, type(self.ask).__name__, _plain(self.ask), _plain(self.setting), together]
        if together and SPACE_BEFORE in self.stimuli.table.columns:
            parts.append(self.stimuli.table[SPACE_BEFORE].astype(str).tolist())
        return hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()

    @property
    def key(self) -> tuple[str, tuple[str, ...]]:
        """What an answer is an answer to: the digest, and the names of the stimuli, which stand in the answer."""
        return self.digest, tuple(self.stimuli.ids.tolist())


def _plain(value: Any) -> Any:
    """Return what JSON can hold; 8, 8.0 and NumPy's 8 are one number."""
    value = value.item() if hasattr(value, "item") else value
    if isinstance(value, int | float):
        return float(value)
    if isinstance(value, Stimuli):
        learnt = [c for c in ("label", "rating") if c in value.table.columns]
        return [value.digest, {c: value.table[c].astype(str).tolist() for c in learnt}]
    if is_dataclass(value) and not isinstance(value, type):
        fields = {n: getattr(value, n) for n in value.__dataclass_fields__}
        return {n: _plain(v) for n, v in fields.items()}
    if isinstance(value, Sequence) and not isinstance(value, str):
        return [_plain(v) for v in value]
    return value
