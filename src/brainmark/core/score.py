"""Scores: a value normalised by its ceiling, with interval, units, controls and stamp."""

from __future__ import annotations

import math
import zlib
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace
from typing import Any, Literal

from brainmark.core.comparison import UNDEFINED, Comparison, Published, center
from brainmark.core.errors import FailureKind, InvalidMeasurement, ModelError
from brainmark.core.libraries import np, scipy, xr

Interval = tuple[float, float]

FEW_UNITS = 5
"""Below this number of units, percentiles of their draws say little; intervals are then marked as too narrow."""


@dataclass(frozen=True)
class Stamp:
    """What is needed to get the number again.

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
    data : where the files came from, see `brainmark.run.origin`.
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


@dataclass(frozen=True)
class ControlScore:
    """A score of something that should do badly, on the same scale as `Score.value`."""

    value: float
    raw: float


@dataclass(frozen=True, eq=False)
class Score:
    """How brain-like a subject is on a benchmark.

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

    def __repr__(self) -> str:
        spread = f" [{self.interval[0]:.3f}, {self.interval[1]:.3f}]" if self.interval else ""
        ceiling = "no ceiling" if self.ceiling is None else f"ceiling {self.ceiling:.3f}"
        return f"Score({self.subject} on {self.benchmark}: {self.value:.3f}{spread}, raw {self.raw:.3f}, {ceiling})"

    def to_dict(self) -> dict[str, Any]:
        """Return everything but units and draws, ready for JSON; a detail that is no number (NaN) is None."""
        plain = {k: v for k, v in self.__dict__.items() if k not in ("units", "draws", "controls", "stamp")}
        plain["details"] = {k: v if math.isfinite(v) else None for k, v in self.details.items()}
        plain["controls"] = {k: asdict(v) for k, v in self.controls.items()}
        plain["stamp"] = asdict(self.stamp) if self.stamp else None
        return plain

    @classmethod
    def from_dict(
        cls, plain: Mapping[str, Any], units: xr.Dataset | None = None, draws: np.ndarray | None = None
    ) -> Score:
        """Inverse of `to_dict`."""
        values = dict(plain)
        for name in ("interval", "raw_interval", "ceiling_bounds"):
            values[name] = tuple(values[name]) if values.get(name) is not None else None
        values["details"] = {k: math.nan if v is None else v for k, v in values["details"].items()}
        values["notes"] = tuple(values["notes"])
        values["controls"] = {k: ControlScore(**v) for k, v in values["controls"].items()}
        values["stamp"] = Stamp(**values["stamp"]) if values.get("stamp") else None
        return cls(**values, units=units, draws=draws)

    def stamped(self, stamp: Stamp) -> Score:
        """Return the same score with a stamp."""
        return replace(self, stamp=stamp)


@dataclass(frozen=True)
class Failure:
    """A score that could not be computed, and why."""

    benchmark: str
    subject: str
    kind: FailureKind
    reason: str

    def to_dict(self) -> dict[str, Any]:
        """Return a plain dictionary, ready for JSON."""
        return {
            "benchmark": self.benchmark,
            "subject": self.subject,
            "failure": self.kind,
            "reason": self.reason,
        }


def make_score(
    benchmark: str,
    subject: str,
    raw: Comparison,
    ceiling: Comparison | None,
    controls: Mapping[str, Comparison],
    seed: int = 0,
    published: Published | None = None,
) -> Score:
    """Put a metric's comparison, its ceiling and its controls together.

    The value is the ratio of centres, so that one unit with a poor ceiling cannot carry it. Its interval spans the
    2.5th to 97.5th percentile of the ratio over joint draws of stimuli (the replicates) and units (drawn here), after
    their median is moved to the value: resampling with replacement shifts some statistics (distances between
    distributions grow, duplicated stimuli agree), and that shift is no error of the value.
    Units without a ceiling (no reliable signal) count in neither centre.
    With a `published` convention, centre and value are its own, and there is no interval.

    Raises
    ------
    ModelError : no unit has a defined value.
    InvalidMeasurement : the ceiling is not above 0.
    """
    value_of, ceiling_of = _aligned(raw, ceiling)
    raw_value = published.center(raw) if published else float(center(value_of[None], raw.center)[0])
    if not math.isfinite(raw_value):
        why = "; ".join(_explained(raw.notes)) or "constant predictions?"
        raise ModelError(f"{subject} on {benchmark}: the metric is undefined for all {raw.values.size} units: {why}")
    top = None if ceiling is None else float(center(ceiling_of[None], ceiling.center)[0])
    if published and ceiling is not None:
        top = published.center(ceiling)
    if top is not None and not top > 0:
        raise InvalidMeasurement(
            f"{benchmark}: the ceiling is {top:.3g}, so these data hold no reliable signal to compare models with"
        )
    if published:
        return _as_published(benchmark, subject, (raw, raw_value), (ceiling, top), controls, published)
    value = raw_value if top is None else raw_value / top
    draws = _draws(raw, ceiling, value_of, ceiling_of, seed)
    ratios = draws[0]
    if top is not None:  # a draw without any signal is left out of the interval
        ratios = np.divide(*draws, out=np.full(len(ratios), np.nan), where=draws[1] > 1e-9 * top)
    interval = interval_of(ratios, value)
    bounds = None if ceiling is None or top is None else ceiling.bounds or interval_of(draws[1], top)
    notes = _explained(raw.notes + (ceiling.notes if ceiling else ("no ceiling: the value is not normalised",)))
    left_out = int(np.isnan(value_of).sum())
    if left_out:
        notes += (f"left out: {left_out} of {value_of.size} (dimension {raw.unit!r}), without a value or a ceiling",)
    known = value_of.size - left_out
    if 1 < known < FEW_UNITS and len(ratios):
        notes += (f"the interval rests on {known} units (dimension {raw.unit!r}): it is too narrow",)
    scores, undefined = _controls(controls, ceiling, top)
    notes += undefined
    return Score(
        benchmark=benchmark,
        subject=subject,
        value=value,
        raw=raw_value,
        ceiling=top,
        interval=interval,
        raw_interval=interval_of(draws[0], raw_value),
        ceiling_bounds=bounds,
        units=_units(raw, ceiling),
        controls=scores,
        details={**raw.details, **(ceiling.details if ceiling else {})},
        notes=notes,
        draws=ratios - np.nanmedian(ratios) + value if interval else None,
    )


def _as_published(
    benchmark: str,
    subject: str,
    raw: tuple[Comparison, float],
    ceiling: tuple[Comparison | None, float | None],
    controls: Mapping[str, Comparison],
    published: Published,
) -> Score:
    """Score in a published convention, from comparisons with their centres: no interval, no units left out."""

    def value(comparison: Comparison) -> float:
        return published.center(comparison) if top is None else published.normalised(comparison, top)

    top = ceiling[0]
    scores = {name: ControlScore(value(c), published.center(c)) for name, c in controls.items()}
    undefined = [name for name, score in scores.items() if not math.isfinite(score.value)]
    notes = raw[0].notes + (top.notes if top else ("no ceiling: the value is not normalised",))
    notes += (f"controls without a value: {', '.join(undefined)}",) if undefined else ()
    return Score(
        benchmark=benchmark,
        subject=subject,
        value=value(raw[0]),
        raw=raw[1],
        ceiling=ceiling[1],
        interval=None,
        units=_units(raw[0], top),
        controls={name: score for name, score in scores.items() if name not in undefined},
        details={**(top.details if top else {}), **raw[0].details},
        notes=notes,
    )


def _explained(notes: tuple[str, ...]) -> tuple[str, ...]:
    """Notes that say more than how many values are undefined: that is said of metric and ceiling together."""
    return tuple(note for note in notes if not note.startswith(UNDEFINED))


def _aligned(raw: Comparison, ceiling: Comparison | None) -> tuple[np.ndarray, np.ndarray]:
    """Values per unit; where raw and ceiling share their units, those without either are NaN in both."""
    value_of = np.asarray(raw.values.values, float)
    if ceiling is None:
        return value_of, np.empty(0)
    ceiling_of = np.asarray(ceiling.values.values, float)
    if ceiling.unit == raw.unit and ceiling_of.shape == value_of.shape:
        known = np.isfinite(value_of) & np.isfinite(ceiling_of)
        return np.where(known, value_of, np.nan), np.where(known, ceiling_of, np.nan)
    return value_of, ceiling_of


def _draws(
    raw: Comparison, ceiling: Comparison | None, value_of: np.ndarray, ceiling_of: np.ndarray, seed: int
) -> tuple[np.ndarray, np.ndarray]:
    """Centres of raw and ceiling under joint draws of stimuli and units: two arrays (replicate,); may be empty.

    Drawing units already brings in the error of each unit; from the replicates only what all units share with a draw
    of stimuli is added (`shared_errors`), or that error would count three times (Owen 2007, Ann. Appl. Stat. 1, 386).
    """
    if raw.replicates is None:
        return np.empty(0), np.empty(0)
    count = len(raw.replicates)
    if ceiling is not None and ceiling.replicates is not None:
        count = min(count, len(ceiling.replicates))
    resampled = [(raw, value_of)]
    if ceiling is not None and ceiling.replicates is not None:
        resampled.append((ceiling, ceiling_of))
    shifts = shared_errors([_replicates(c, count) - values for c, values in resampled])
    generator = np.random.default_rng([seed, 1, *_names_of_units(raw)])
    units = generator.integers(value_of.size, size=(count, value_of.size))
    raw_draws = _drawn(value_of, units, raw.center) + shifts[0]
    if ceiling is None:
        return raw_draws, np.empty(0)
    if len(shifts) == 1:
        return raw_draws, np.full(count, float(center(ceiling_of[None], ceiling.center)[0]))
    if ceiling_of.size != value_of.size:
        units = generator.integers(ceiling_of.size, size=(count, ceiling_of.size))
    return raw_draws, _drawn(ceiling_of, units, ceiling.center) + shifts[1]


def _names_of_units(comparison: Comparison) -> list[int]:
    """A number that tells units of different names apart, so that only the same units are drawn together."""
    name = f"{comparison.unit}_id" if f"{comparison.unit}_id" in comparison.values.coords else comparison.unit
    if name not in comparison.values.coords:
        return []
    return [zlib.crc32("\n".join(comparison.values.coords[name].values.astype(str)).encode())]


def _drawn(values: np.ndarray, units: np.ndarray, how: Literal["median", "mean"]) -> np.ndarray:
    """Centres (draw,) of drawn units (draw, unit).

    Draws of few units scatter less than their mean does, and have the tails of a normal distribution: deviations of
    the mean are stretched from the percentiles that they have to those of Student's t. Medians need no such thing.
    """
    drawn = center(values[units], how)
    known = int(np.isfinite(values).sum())
    if how == "median" or known < 2:
        return drawn
    middle = center(values[None], how)
    return middle + student_stretch(known) * (drawn - middle)


def student_stretch(units: int) -> float:
    """Return by how much draws of some units are spread too little for a 95 % interval, by Student's t.

    Below `FEW_UNITS` it grows no further: their percentiles then say little anyway.
    """
    count = max(units, FEW_UNITS)
    return math.sqrt(count / (count - 1)) * float(scipy.special.stdtrit(count - 1, 0.975)) / 1.959964


def _replicates(comparison: Comparison, count: int) -> np.ndarray:
    assert comparison.replicates is not None
    return comparison.replicates[:count]


def shared_errors(errors: list[np.ndarray]) -> np.ndarray:
    """What all units have in common of their errors (replicate, unit) under each draw of stimuli: (arrays, replicate).

    The mean over units holds that, and the units' own errors divided by their number. It is scaled linearly, so that
    its covariance (between metric and ceiling as well) loses the latter. A single unit keeps all of its error.
    """
    means = np.stack([center(e, "mean") for e in errors])
    means = np.where(np.isfinite(means), means, 0.0)
    total = np.atleast_2d(np.cov(means))
    own = np.zeros_like(total)
    for i, one in enumerate(errors):
        for j, other in enumerate(errors):
            if one.shape == other.shape and one.shape[1] > 1:
                rest = (one - means[i][:, None]) * (other - means[j][:, None])
                own[i, j] = center(rest.reshape(1, -1), "mean")[0] / (one.shape[1] - 1)
    middle = means.mean(1, keepdims=True)
    return middle + _root(total - own) @ np.linalg.pinv(_root(total)) @ (means - middle)


def _root(covariance: np.ndarray) -> np.ndarray:
    """Square root of a symmetric matrix, negative eigenvalues taken as 0."""
    values, vectors = np.linalg.eigh(covariance)
    return (vectors * np.sqrt(np.maximum(values, 0.0))) @ vectors.T


def interval_of(draws: np.ndarray, at: float) -> Interval | None:
    """95 % interval of a figure `at` from its draws, their median moved to it; None: fewer than 20 are finite."""
    draws = draws[np.isfinite(draws)]
    if len(draws) < 20:
        return None
    low, middle, high = np.percentile(draws, [2.5, 50, 97.5])
    return float(low - middle + at), float(high - middle + at)


def _controls(
    controls: Mapping[str, Comparison], ceiling: Comparison | None, top: float | None
) -> tuple[dict[str, ControlScore], tuple[str, ...]]:
    """Scores of the controls, over the same units as the score; those without a value are named in a note."""
    scores: dict[str, ControlScore] = {}
    for name, control in controls.items():
        raw = float(center(_aligned(control, ceiling)[0][None], control.center)[0])
        if math.isfinite(raw):
            scores[name] = ControlScore(value=raw / top if top else raw, raw=raw)
    undefined = [name for name in controls if name not in scores]
    return scores, (f"controls without a value: {', '.join(undefined)}",) if undefined else ()


def _units(raw: Comparison, ceiling: Comparison | None) -> xr.Dataset:
    columns = {"raw": raw.values.reset_coords(drop=True)}
    if ceiling is not None and ceiling.unit == raw.unit and ceiling.values.shape == raw.values.shape:
        columns["ceiling"] = xr.DataArray(ceiling.values.values, dims=raw.values.dims)
    return xr.Dataset(columns).assign_coords({str(k): v for k, v in raw.values.coords.items()})
