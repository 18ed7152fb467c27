"""Scores: a value normalised by its ceiling, with interval, units, controls and stamp."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from brainmark.core.comparison import UNDEFINED, Comparison
from brainmark.core.convention import DEFAULT, FEW_UNITS, Convention
from brainmark.core.errors import DataError, FailureKind, InvalidMeasurement, ModelError
from brainmark.core.libraries import np, xr
from brainmark.core.text import hide_secrets, name_commands

Interval = tuple[float, float]
ABOVE_CEILING = "above the ceiling"
"""How the note begins on a score whose whole interval is."""


@dataclass(frozen=True)
class Stamp:
    """Everything that is needed to reproduce a score.

    Attributes
    ----------
    created : time, UTC.
    brainmark, commit, code : version; Git commit of a checkout ("+": with changes); sha256 of the files of the package
        that a score may depend on.
    python, packages, hardware : what it ran on.
    experiment, target : sha256 over content, see `Experiment.digest`; over the values of the target.
    sources : URL -> sha256 (or published sha1) of the data files; empty for simulated data.
    model : sha256 of the model's registration and source file; for an object, its type.
    weights : sha256 over parameters and buffers; None: the model has none.
    seed : of the benchmark.
    seconds : that this score took; peak_memory : of the process until then, in bytes.
    data : where the files came from, see `brainmark.run.stamp.data_origin`.
    device, precision : what networks and metrics ran on, and in which type networks computed.
    """

    created: str
    brainmark: str
    commit: str | None
    code: str
    python: str
    packages: Mapping[str, str]
    hardware: Mapping[str, str]
    experiment: str
    target: str
    model: str
    seed: int
    seconds: float
    peak_memory: int
    data: str = "cached"
    sources: Mapping[str, str] = field(default_factory=dict)
    weights: str | None = None
    device: str = "cpu"
    precision: str = "float32"


@dataclass(frozen=True)
class ControlScore:
    """A score of something that should do badly, on the same scale as `Score.value`."""

    value: float
    raw: float


@dataclass(frozen=True, eq=False)
class Score:
    """How brain-like a subject is on a benchmark. Its texts command no terminal (see `name_commands`).

    Attributes
    ----------
    value : raw / ceiling; equal to raw where no ceiling could be measured (`ceiling` is None).
    raw : centre over units of the metric.
    ceiling : centre over units of what a perfect model could reach; None: not measurable with these data.
    interval : 95 % interval of `value`, resampling stimuli and units; None: the metric does not resample.
    raw_interval : the same of `raw`.
    ceiling_bounds : lower and upper bound of the ceiling, or its 95 % interval.
    units : raw value (and ceiling) per unit.
    controls : by name.
    details : further figures of metric and ceiling, by name.
    notes : what the reader must know.
    draws : (draw,) `value` under the joint draws of stimuli and units that `interval` spans, their median moved to
        it; NaN: no signal under this draw. Draw k of two scores rests on the same stimuli where they have the same
        stimuli, and on the same units where these bear the same names. None: no interval.
    """

    benchmark: str
    subject: str
    value: float
    raw: float
    ceiling: float | None
    interval: Interval | None
    raw_interval: Interval | None = None
    ceiling_bounds: Interval | None = None
    units: xr.Dataset | None = None
    controls: Mapping[str, ControlScore] = field(default_factory=dict)
    details: Mapping[str, float] = field(default_factory=dict)
    notes: tuple[str, ...] = ()
    stamp: Stamp | None = None
    draws: np.ndarray | None = None

    def __post_init__(self) -> None:
        names = {name: name_commands(getattr(self, name)) for name in ("benchmark", "subject")}
        controls = {name_commands(name): control for name, control in self.controls.items()}
        details = {name_commands(name): value for name, value in self.details.items()}
        notes = tuple(map(name_commands, self.notes))
        self.__dict__.update(names, controls=controls, details=details, notes=notes)

    @property
    def above_ceiling(self) -> bool:
        """Whether the whole interval lies above 1: the model predicts the data better than they predict themselves.

        It may have read the responses it is compared with, or the ceiling is estimated too low; of forty models that
        reach the ceiling one is above it by chance.
        """
        return self.ceiling is not None and self.interval is not None and self.interval[0] > 1

    def __repr__(self) -> str:
        spread = f" [{self.interval[0]:.3f}, {self.interval[1]:.3f}]" if self.interval else ""
        ceiling = "no ceiling" if self.ceiling is None else f"ceiling {self.ceiling:.3f}"
        return f"Score({self.subject} on {self.benchmark}: {self.value:.3f}{spread}, raw {self.raw:.3f}, {ceiling})"

    def to_dict(self) -> dict[str, Any]:
        """Return everything but units and draws, ready for JSON; a detail that is no number (NaN) is None."""
        names = (f.name for f in fields(self) if f.name not in ("units", "draws", "controls", "stamp"))
        plain: dict[str, Any] = {name: getattr(self, name) for name in names}
        plain["details"] = {k: v if math.isfinite(v) else None for k, v in self.details.items()}
        plain["controls"] = {k: asdict(v) for k, v in self.controls.items()}
        plain["stamp"] = asdict(self.stamp) if self.stamp else None
        return plain

    @classmethod
    def from_dict(
        cls, plain: Mapping[str, Any] | bytes, units: xr.Dataset | None = None, draws: np.ndarray | None = None
    ) -> Score:
        """Make a score from what `to_dict` returned, as it is or as JSON.

        Raises
        ------
        DataError : a field is missing, unknown, of another type, or a number that is not finite; names it.
        """
        try:
            parse = _PlainScore.model_validate_json if isinstance(plain, bytes) else _PlainScore.model_validate
            values: dict[str, Any] = parse(plain).__dict__.copy()  # pyright: ignore[reportArgumentType]
        except ValidationError as error:
            first = error.errors(include_url=False)[0]
            place, given = ".".join(map(str, first["loc"])) or "the whole", repr(first["input"])
            raise DataError(f"not a score: {place} is {given[:80]}: {first['msg']}") from None
        values["details"] = {k: math.nan if v is None else v for k, v in values["details"].items()}
        values["controls"] = {k: ControlScore(v.value, v.raw) for k, v in values["controls"].items()}
        return cls(**values, units=units, draws=draws)


_Number = Annotated[float, Field(allow_inf_nan=False, strict=True)]
_Ends = tuple[_Number, _Number]  # a list, after JSON


class _Plain(BaseModel):
    model_config = ConfigDict(extra="forbid", defer_build=True)


class _PlainControl(_Plain):
    value: _Number
    raw: _Number


class _PlainScore(_Plain):
    """A score as `Score.to_dict` gives it."""

    benchmark: str
    subject: str
    value: _Number
    raw: _Number
    ceiling: _Number | None
    interval: _Ends | None
    raw_interval: _Ends | None = None
    ceiling_bounds: _Ends | None = None
    details: dict[str, _Number | None]
    controls: dict[str, _PlainControl]
    notes: tuple[str, ...]
    stamp: Stamp | None = None


@dataclass(frozen=True)
class Failure:
    """A score that could not be computed, and why."""

    benchmark: str
    subject: str
    kind: FailureKind
    reason: str

    def __post_init__(self) -> None:
        names = {name: name_commands(getattr(self, name)) for name in ("benchmark", "subject")}
        self.__dict__.update(names, reason=name_commands(hide_secrets(self.reason)))

    def to_dict(self) -> dict[str, Any]:
        """Return a plain dictionary, ready for JSON."""
        return {
            "benchmark": self.benchmark,
            "subject": self.subject,
            "failure": self.kind,
            "reason": self.reason,
        }


Outcome = Score | Failure
"""What becomes of a model on a benchmark."""


def make_score(
    benchmark: str,
    subject: str,
    raw: Comparison,
    ceiling: Comparison | None,
    controls: Mapping[str, Comparison],
    seed: int = 0,
    convention: Convention = DEFAULT,
) -> Score:
    """Put a metric's comparison, its ceiling and its controls together, as the convention says.

    The interval spans the 2.5th to 97.5th percentile of the convention's draws, after their median is moved to the
    value: resampling with replacement shifts some statistics (distances between distributions grow, duplicated stimuli
    agree), and that shift is no error of the value.

    Raises
    ------
    ModelError : no unit has a defined value.
    InvalidMeasurement : the ceiling is not above 0, or undefined for all units (with a value).
    """
    aligned, top = convention.align(raw, ceiling)
    raw_value = convention.center(aligned)
    if not math.isfinite(raw_value):
        raise _explain_undefined(benchmark, subject, raw, ceiling)
    top_value = None if top is None else convention.center(top)
    if top_value is not None and not top_value > 0:
        raise InvalidMeasurement(
            f"{benchmark}: the ceiling is {top_value:.3g}, so these data have no reliable signal to compare models with"
        )
    value = convention.normalize(aligned, top)
    if not math.isfinite(value):
        raise InvalidMeasurement(f"{benchmark}: raw {raw_value:.3g} and ceiling {top_value} give no value")
    raw_draws, top_draws = convention.draw(aligned, top, seed)
    draws = raw_draws
    if top_value is not None:  # a draw without any signal is left out of the interval
        draws = np.divide(raw_draws, top_draws, out=np.full(len(raw_draws), np.nan), where=top_draws > 1e-9 * top_value)
    interval = interval_of(draws, value)
    scores = {
        name: ControlScore(value=convention.normalize(control, top), raw=convention.center(control))
        for name, control in ((n, convention.align(c, ceiling)[0]) for n, c in controls.items())
    }
    scored = {name: score for name, score in scores.items() if math.isfinite(score.value)}
    return Score(
        benchmark=benchmark,
        subject=subject,
        value=value,
        raw=raw_value,
        ceiling=top_value,
        interval=interval,
        raw_interval=interval_of(raw_draws, raw_value),
        ceiling_bounds=None if ceiling is None else ceiling.bounds or interval_of(top_draws, top_value or 0.0),
        units=_tabulate_units(raw, ceiling),
        controls=scored,
        details=raw.details | (ceiling.details if ceiling else {}) | raw.details,  # equal names: the metric's
        notes=_gather_notes(raw, ceiling, aligned, interval, [n for n in scores if n not in scored]),
        draws=draws - np.nanmedian(draws) + value if interval else None,
    )


def _explain_undefined(
    benchmark: str, subject: str, raw: Comparison, ceiling: Comparison | None
) -> ModelError | InvalidMeasurement:
    """Return the error of a score without a value: the model's, or that of the data where these have no ceiling."""
    valued = int(np.isfinite(raw.array).sum())
    if ceiling is not None and valued:
        known, count = int(np.isfinite(ceiling.array).sum()), ceiling.values.size
        both = f"; {valued} units have a value, and none of them a ceiling" if known else ""
        why = "; ".join(_keep_other_notes(ceiling.notes)) or "too few trials, or no reliable signal"
        return InvalidMeasurement(
            f"{benchmark}: the ceiling is undefined for {count - known} of {count} units of these data: {why}{both}"
        )
    why = "; ".join(_keep_other_notes(raw.notes)) or "constant predictions?"
    return ModelError(f"{subject} on {benchmark}: the metric is undefined for all {raw.values.size} units: {why}")


def _gather_notes(
    raw: Comparison,
    ceiling: Comparison | None,
    aligned: Comparison,
    interval: Interval | None,
    undefined: list[str],
) -> tuple[str, ...]:
    """Return what metric and ceiling note, and what a reader must know of units and controls that do not count."""
    notes = [*_keep_other_notes(raw.notes + (ceiling.notes if ceiling else ()))]
    if ceiling is None:
        notes.append("no ceiling: the value is not normalised")
    elif interval is not None and interval[0] > 1:
        notes.append(
            f"{ABOVE_CEILING}: the whole interval is above 1; the model may have read these responses, or the ceiling "
            "is estimated too low"
        )
    known, count, of = int(np.isfinite(aligned.array).sum()), raw.values.size, f"(dimension {raw.unit!r})"
    if known < count:
        notes.append(f"left out: {count - known} of {count} {of}, without a value or a ceiling")
    if 1 < known < FEW_UNITS and interval is not None:
        notes.append(f"the interval rests on {known} units {of}: it is too narrow")
    if undefined:
        notes.append(f"controls without a value: {', '.join(undefined)}")
    return tuple(notes)


def _keep_other_notes(notes: tuple[str, ...]) -> tuple[str, ...]:
    """Leave out the notes that only count undefined values: these are counted for metric and ceiling together."""
    return tuple(note for note in notes if not note.startswith(UNDEFINED))


def interval_of(draws: np.ndarray, at: float) -> Interval | None:
    """Return the 95 % interval of a figure `at` from its draws, their median moved to it; None: too few are finite."""
    draws = draws[np.isfinite(draws)]
    if len(draws) < 20:
        return None
    low, middle, high = np.percentile(draws, [2.5, 50, 97.5])
    return float(low - middle + at), float(high - middle + at)


def _tabulate_units(raw: Comparison, ceiling: Comparison | None) -> xr.Dataset:
    columns = {"raw": raw.values.reset_coords(drop=True)}
    if ceiling is not None and ceiling.unit == raw.unit and ceiling.values.shape == raw.values.shape:
        columns["ceiling"] = xr.DataArray(ceiling.values.values, dims=raw.values.dims)
    return xr.Dataset(columns).assign_coords({str(k): v for k, v in raw.values.coords.items()})
