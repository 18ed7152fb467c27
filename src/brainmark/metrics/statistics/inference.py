"""Statistics of scores: intervals over stimuli, units and subjects, models compared in pairs, many at a time."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations

from brainmark.core.comparison import Comparison, center
from brainmark.core.convention import shared_errors
from brainmark.core.errors import InvalidMeasurement
from brainmark.core.libraries import np
from brainmark.metrics._arrays.shapes import Bool, Float, Integer, Real, Shaped

Interval = tuple[float, float]


@dataclass(frozen=True)
class Difference:
    """How much better one model is than another.

    Attributes
    ----------
    first, second : names of the models.
    value : centre over units of the first less that of the second, over the centre of the ceiling if there is one.
    interval : 95 % interval.
    p : of no difference, two-sided.
    q : p with the false discovery rate controlled over all pairs compared (Benjamini & Hochberg 1995).
    effect : mean difference over units in units of its noise-corrected spread (`effect_size`).
    """

    first: str
    second: str
    value: float
    interval: Interval
    p: float
    q: float
    effect: float


def compare_models(
    models: Mapping[str, Comparison],
    ceiling: Comparison | None = None,
    groups: Sequence[object] | Shaped[np.ndarray, " unit"] | None = None,
    seed: int = 0,
    level: float = 0.95,
) -> list[Difference]:
    """Compare all pairs of models on the same target.

    Stimuli, units and subjects are drawn anew for both models of a pair together, so that what they share cancels.

    Parameters
    ----------
    models : by name; comparisons over the same units, with replicates on the same draws of stimuli.
    ceiling : of these units; units without one do not count.
    groups : subject of each unit; subjects are drawn first, then their units.
    seed : of the draws of units.
    level : of the intervals.

    Raises
    ------
    InvalidMeasurement : fewer than two models, other units, no replicates, or a ceiling that is not above 0.
    """
    known = _defined(models, ceiling)
    values = np.stack([np.asarray(m.values.values, float)[known] for m in models.values()])
    replicates = np.stack([m.replicates[:, known] for m in models.values() if m.replicates is not None])
    how = next(iter(models.values())).center
    labels = None if groups is None else np.asarray(groups)[known]
    draws = _unit_draws(values.shape[1], replicates.shape[1], labels, seed)
    top = 1.0 if ceiling is None else _top(ceiling, known)
    names = list(models)
    drawn = np.stack([center(v[draws], how) for v in values])  # (models, replicates)
    found: list[tuple[str, str, float, Interval, float, float]] = []
    for i, j in combinations(range(len(names)), 2):
        error = (replicates[i] - values[i]) - (replicates[j] - values[j])
        sample = drawn[i] - drawn[j] + shared_errors([error])[0]
        value = float(center(values[i][None], how)[0] - center(values[j][None], how)[0])
        interval, p = _summary(sample, value, level)
        effect = effect_size(values[i] - values[j], replicates[i] - replicates[j])
        found.append((names[i], names[j], value / top, (interval[0] / top, interval[1] / top), p, effect))
    q = false_discovery_rate(np.array([f[4] for f in found]))
    return [Difference(*f[:5], q=float(qs), effect=f[5]) for f, qs in zip(found, q, strict=True)]


def interval(
    comparison: Comparison,
    groups: Sequence[object] | Shaped[np.ndarray, " unit"] | None = None,
    seed: int = 0,
    level: float = 0.95,
) -> Interval:
    """Interval of the centre over units, drawing stimuli, units and (with `groups`) subjects.

    Without replicates only units and subjects are drawn (bootstrap of cells).

    Raises
    ------
    InvalidMeasurement : no unit with a value, a single unit without replicates.
    """
    values = np.asarray(comparison.values.values, float)
    known = np.isfinite(values)
    if not known.any() or (comparison.replicates is None and known.sum() < 2):
        raise InvalidMeasurement(
            f"an interval needs replicates, or two units with a value; {int(known.sum())} have one"
        )
    values = values[known]
    count = 1000 if comparison.replicates is None else len(comparison.replicates)
    labels = None if groups is None else np.asarray(groups)[known]
    draws = _unit_draws(len(values), count, labels, seed)
    sample = center(values[draws], comparison.center)
    if comparison.replicates is not None:
        sample = sample + shared_errors([comparison.replicates[:, known] - values])[0]
    return _summary(sample, float(center(values[None], comparison.center)[0]), level)[0]


def effect_size(values: Real[np.ndarray, " unit"], replicates: Real[np.ndarray, "replicate unit"]) -> float:
    """Mean over units by their standard deviation, from which the variance of measurement errors is taken off.

    Cohen's d with the spread that units would show without noise: observed variance less the mean variance of a
    unit's replicates. NaN where the noise explains all the spread.

    Parameters
    ----------
    values : (units,) differences.
    replicates : (replicates, units) the same under resampled stimuli.
    """
    known = np.isfinite(values)
    values, replicates = values[known], replicates[:, known]
    if len(values) < 2:
        return float("nan")
    noise = np.nanmean(np.nanvar(replicates, axis=0, ddof=1)) if len(replicates) > 1 else 0.0
    spread = float(np.var(values, ddof=1) - noise)
    return float(np.mean(values)) / float(np.sqrt(spread)) if spread > 0 else float("nan")


def false_discovery_rate(p: Real[np.ndarray, " *test"], dependent: bool = False) -> Float[np.ndarray, " *test"]:
    """Adjusted p of many tests: the smallest false discovery rate at which each would be called significant.

    Benjamini & Hochberg 1995 for independent or positively dependent tests, Benjamini & Yekutieli 2001 with
    `dependent`. NaN stays NaN and does not count as a test.
    """
    p = np.asarray(p, float)
    known = np.flatnonzero(np.isfinite(p))
    if ((p[known] < 0) | (p[known] > 1)).any():
        raise ValueError("p values lie between 0 and 1")
    order = known[np.argsort(p[known])]
    n = len(order)
    factor = np.sum(1 / np.arange(1, n + 1)) if dependent else 1.0
    raised = p[order] * n * factor / np.arange(1, n + 1)
    adjusted = np.full(p.shape, np.nan)
    adjusted[order] = np.minimum(np.minimum.accumulate(raised[::-1])[::-1], 1.0)
    return adjusted


def holm(p: Real[np.ndarray, " *test"]) -> Float[np.ndarray, " *test"]:
    """Adjusted p of many tests: the smallest chance of any false call at which each would be called (Holm 1979).

    NaN stays NaN and does not count as a test.
    """
    p = np.asarray(p, float)
    known = np.flatnonzero(np.isfinite(p))
    if ((p[known] < 0) | (p[known] > 1)).any():
        raise ValueError("p values lie between 0 and 1")
    order = known[np.argsort(p[known])]
    raised = p[order] * np.arange(len(order), 0, -1)
    adjusted = np.full(p.shape, np.nan)
    adjusted[order] = np.minimum(np.maximum.accumulate(raised), 1.0)
    return adjusted


def _defined(models: Mapping[str, Comparison], ceiling: Comparison | None) -> Bool[np.ndarray, " unit"]:
    """Units (mask) that all models, and the ceiling, have a value for; checks that they can be compared."""
    if len(models) < 2:
        raise InvalidMeasurement(f"comparing needs two models; there is {len(models)}")
    first_name, first = next(iter(models.items()))
    known = np.ones(first.values.size, bool)
    for name, one in models.items():
        if one.replicates is None or first.replicates is None:
            raise InvalidMeasurement(f"{name!r} has no replicates under resampled stimuli")
        if one.replicates.shape != first.replicates.shape:
            raise InvalidMeasurement(f"{name!r} and {first_name!r} are not scored on the same units and draws")
        if not np.isfinite(one.replicates).any():
            raise InvalidMeasurement(f"{name!r} has no value under any draw of stimuli")
        known &= np.isfinite(one.values.values)
    if ceiling is not None:
        if ceiling.values.shape != known.shape:
            raise InvalidMeasurement(f"the ceiling has {ceiling.values.size} units, the models have {known.size}")
        known &= np.isfinite(ceiling.values.values)
    if not known.any():
        raise InvalidMeasurement("no unit has a value for all models")
    return known


def _top(ceiling: Comparison, known: Bool[np.ndarray, " unit"]) -> float:
    """Centre of a ceiling over the units that are compared."""
    top = float(center(np.asarray(ceiling.values.values, float)[None, known], ceiling.center)[0])
    if not top > 0:
        raise InvalidMeasurement(f"the ceiling is {top:.3g}: these data hold no reliable signal to compare models with")
    return top


def _unit_draws(
    units: int, count: int, groups: Sequence[object] | Shaped[np.ndarray, " unit"] | None, seed: int
) -> Integer[np.ndarray, "_ unit"]:
    """Positions (count, units) of units drawn with replacement: within subjects that are drawn first, if any.

    Draws keep the number of units where subjects have as many each; else they are filled up by drawing again.
    """
    generator = np.random.default_rng([seed, 1])
    if groups is None:
        return generator.integers(units, size=(count, units))
    codes = np.unique(np.asarray(groups).astype(str), return_inverse=True)[1]
    members = [np.flatnonzero(codes == c) for c in range(int(codes.max()) + 1)]
    rows = np.empty((count, units), int)
    for k in range(count):
        drawn: list[np.ndarray] = []
        while sum(len(d) for d in drawn) < units:
            chosen = generator.integers(len(members), size=len(members))
            drawn.extend(generator.choice(members[g], len(members[g])) for g in chosen)
        rows[k] = np.concatenate(drawn)[:units]
    return rows


def _summary(sample: Float[np.ndarray, " draw"], value: float, level: float) -> tuple[Interval, float]:
    """Interval around `value` from a sample of draws, and the two-sided p of 0."""
    moved = sample[np.isfinite(sample)]
    moved = moved - np.median(moved) + value
    low, high = np.quantile(moved, [(1 - level) / 2, (1 + level) / 2])
    tail = min(np.sum(moved <= 0), np.sum(moved >= 0))
    return (float(low), float(high)), float(min(1.0, 2 * (1 + tail) / (1 + len(moved))))
