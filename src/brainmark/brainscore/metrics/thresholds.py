"""Psychometric thresholds and their elevation as published (function of Wichmann & Hill 2001, eq. 1).

Levels above which a model gets worse are cut off; a cumulative Gaussian with a lapse rate of .03 to .5 is fitted by
maximum likelihood from 50 slopes at every level; fits with r^2 below .4, accuracies below .6 and thresholds beyond the
measured levels score 0.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal, NamedTuple

from brainmark.brainscore.metrics.assemblies import single
from brainmark.core.comparison import Comparison
from brainmark.core.errors import InvalidMeasurement
from brainmark.core.libraries import np, scipy, xr
from brainmark.metrics._arrays.shapes import Float, Real

_GUESS = 0.5
_SLOPES = 50  # from 0.001 to 10, evenly in their logarithm
_LAPSES = (0.03, 0.5)
_LEAST_R2 = 0.4

Accuracy = float | Literal["inflection"]


class Fit(NamedTuple):
    """A psychometric function: guess + (1 - guess - lapse) * Phi(slope * (level - middle))."""

    slope: float
    middle: float
    lapse: float

    def __call__(self, level: Real[np.ndarray, "*grid"] | float) -> Float[np.ndarray, "*grid"]:
        """Return the accuracy at a level."""
        return np.asarray(
            _GUESS
            + (1 - _GUESS - self.lapse) * scipy.special.ndtr(self.slope * (np.asarray(level, float) - self.middle))
        )

    def level(self, accuracy: float) -> float:
        """Return the level of an accuracy; NaN where the function never has it."""
        return float(self.middle + scipy.special.ndtri((accuracy - _GUESS) / (1 - _GUESS - self.lapse)) / self.slope)


def threshold(
    prediction: xr.DataArray | float,
    target: Sequence[float] | Real[np.ndarray, " person"],
    variable: str = "level",
    accuracy: Accuracy = "inflection",
    required: float = 0.6,
) -> Comparison:
    """Compare a model's threshold with people's: mean over people of 1 - |model - person| / person, at least 0.

    Parameters
    ----------
    prediction : probabilities (presentation, choice) with coordinates ``image_label`` and `variable`, or a threshold.
    target : thresholds of people.
    variable : coordinate that holds the level of the stimulus.
    accuracy : at which the threshold is read; "inflection": half-way between those at the lowest and highest level.
    required : mean accuracy below which nothing is fitted.
    """
    found = float(prediction) if not isinstance(prediction, xr.DataArray) else None
    if isinstance(prediction, xr.DataArray):
        found = measure_threshold(prediction, variable, accuracy, required)[0]
    return single(0.0, 0.0) if found is None else _compare_with_people(found, target)


def threshold_elevation(
    prediction: tuple[xr.DataArray, xr.DataArray] | float,
    target: tuple[Sequence[float], Sequence[float]] | list[float],
    variable: str = "level",
    accuracy: Accuracy = "inflection",
    required: tuple[float, float] = (0.6, 0.6),
) -> Comparison:
    """Compare how much a condition raises the threshold above a baseline, as `threshold` does.

    Parameters
    ----------
    prediction : probabilities in the baseline and in the condition, or an elevation.
    target : thresholds of people in both (same people in the same order), or their elevations.
    accuracy : "inflection" is that of the baseline, for both.
    required : mean accuracies in baseline and condition.
    """
    people = elevations(*target) if isinstance(target, tuple) else list(target)
    if not isinstance(prediction, tuple):
        return _compare_with_people(float(prediction), people)
    base, accuracy = measure_threshold(prediction[0], variable, accuracy, required[0])
    if base is None:
        return single(0.0)
    raised = measure_threshold(prediction[1], variable, accuracy, required[1])[0]
    return single(0.0) if raised is None else _compare_with_people(raised / base, people)


def elevations(baseline: Sequence[float], condition: Sequence[float]) -> list[float]:
    """Return thresholds of a condition over those of the baseline, person by person."""
    if len(baseline) != len(condition):
        raise InvalidMeasurement(f"{len(baseline)} people have a baseline, {len(condition)} a condition")
    return [c / b for b, c in zip(baseline, condition, strict=True)]


def threshold_ceiling(target: Sequence[float] | Real[np.ndarray, " person"]) -> Comparison:
    """Score people drawn at random (seeds 0, 1, ...; a person may be drawn twice) against the others."""
    people = [float(value) for value in target]
    if len(people) < 2:
        raise InvalidMeasurement("a ceiling of thresholds needs at least two people")
    scores: list[float] = []
    for seed in range(len(people)):
        one = np.random.RandomState(seed).choice(people, replace=False)
        people.remove(one)
        scores.append(_compare_with_people(float(one), people).aggregate())
        people.append(one)
    return single(float(np.mean(scores)), float(np.std(scores)))


def measure_threshold(
    answers: xr.DataArray, variable: str, accuracy: Accuracy, required: float
) -> tuple[float | None, Accuracy]:
    """Return a model's threshold, None if there is none, and the accuracy at which it was read."""
    picked = answers.coords["choice"].values[answers.transpose("presentation", "choice").values.argmax(axis=1)]
    right = picked == answers.coords["image_label"].values
    if right.mean() < required:
        return None, accuracy
    every = np.asarray(answers.coords[variable].values, float)
    levels, code = np.unique(every, return_inverse=True)
    rates = np.bincount(code, weights=right) / np.bincount(code)
    kept = count_monotone_levels(rates)
    if kept < len(levels) / 3:
        return None, accuracy
    fit = fit_psychometric(levels[:kept], rates[:kept])
    if fit is None:
        return None, accuracy
    if accuracy == "inflection":
        low, high = float(fit(levels[0])), float(fit(levels[-1]))
        accuracy = low + (high - low) / 2
    found = fit.level(accuracy)
    return (None if np.isnan(found) or found > levels[kept - 1] else found), accuracy


def count_monotone_levels(rates: Real[np.ndarray, " level"]) -> int:
    """Return how many levels stand before those from which on all rates lie a standard deviation below the best."""
    best = int(rates.argmax())
    far = np.abs(rates - rates[best]) >= rates.std()
    for start in range(best + 1, len(rates)):
        if far[start:].all():
            return start
    return len(rates)


def fit_psychometric(levels: Real[np.ndarray, " level"], rates: Real[np.ndarray, " level"]) -> Fit | None:
    """Fit by maximum likelihood from every level and 50 slopes; None where r^2 is below .4 or nothing converges."""
    from threadpoolctl import threadpool_limits  # loaded for this fit alone

    best: Fit | None = None
    least = np.inf
    bounds = ((None, None), (None, None), _LAPSES)
    with np.errstate(all="ignore"), threadpool_limits(1):  # hundreds of tiny fits: threads would only wait
        for slope in np.logspace(-3, 1, _SLOPES):
            for middle in levels:
                start = np.array([slope, middle, 1 - rates.max()])
                result = scipy.optimize.minimize(
                    _unlikelihood, start, args=(levels, rates), method="L-BFGS-B", bounds=bounds
                )
                value = _unlikelihood(result.x, levels, rates)
                if value < least:
                    best, least = Fit(*map(float, result.x)), value
        if best is None:
            return None
        spread = np.sum((rates - rates.mean()) ** 2)
        r2 = 1 - np.sum((rates - best(levels)) ** 2) / spread if spread > 0 else float(np.allclose(rates, best(levels)))
    return None if r2 < _LEAST_R2 else best


def _unlikelihood(parameters: np.ndarray, levels: np.ndarray, rates: np.ndarray) -> float:
    p = Fit(*parameters)(levels)
    return float(-np.sum(rates * np.log(p) + (1 - rates) * np.log(1 - p)))


def _compare_with_people(found: float, people: Sequence[float] | np.ndarray) -> Comparison:
    person = np.asarray(people, float)
    scores = np.maximum(1 - np.abs(person - found) / person, 0)
    return single(float(scores.mean()), float(scores.std()))
