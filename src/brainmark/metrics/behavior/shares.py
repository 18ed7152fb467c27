"""How often one of two answers is given: stimulus by stimulus, and along a psychometric curve.

A target holds the share of trials on which people gave the answer, (presentation, subject), NaN where someone was not
asked; a prediction holds probabilities (presentation, choice), of which one choice is that answer.
"""

from __future__ import annotations

from brainmark.core.comparison import Ceiling, Comparison, Metric
from brainmark.core.errors import InvalidMeasurement
from brainmark.core.libraries import np, xr
from brainmark.core.registry import metric
from brainmark.metrics._arrays.inputs import (
    along_presentations,
    check_filled,
    check_numbers,
    check_pair,
    check_same_stimuli,
)
from brainmark.metrics.behavior.answers import compare_in_strata, nearness, pool_others
from brainmark.metrics.behavior.judgements import Method, judgement_ceiling, judgement_correlation
from brainmark.metrics.behavior.psychophysics import fit_psychometric
from brainmark.metrics.statistics.averages import known_mean


@metric(
    "share_correlation",
    summary="Correlates a model's probability of one of two answers with the share of people's trials.",
    cite="galton1888", compares="shares", ceiling=judgement_ceiling, tags=("behavior",),
)  # fmt: skip
def share_correlation(choice: str = "yes", method: Method = "pearson", resamples: int = 1000, seed: int = 0) -> Metric:
    """Correlate a model's probability of an answer with the share of people's trials, over stimuli.

    Parameters
    ----------
    choice : the answer whose share the target holds.
    method, resamples, seed : see `judgement_correlation`; its ceiling is `judgement_ceiling`.
    """
    correlate = judgement_correlation(method, resamples, seed)

    def metric(prediction: xr.DataArray, target: xr.DataArray) -> Comparison:
        _check(prediction, target)
        return correlate(_probability(prediction, choice), target)

    return metric


def curve_similarity_ceiling(level: str = "level", resamples: int = 1000, seed: int = 0) -> Ceiling:
    """Return the similarity of each subject's psychometric curve with that of all others together."""

    def ceiling(target: xr.DataArray) -> Comparison:
        check_filled(target, "target")
        check_numbers(target.values, "target", missing=True)
        people = _shares(target)
        return compare_in_strata(nearness, pool_others(people), people, target, level, resamples, seed)

    return ceiling


@metric(
    "curve_similarity", summary="How near a model's psychometric curve is to each subject's, level by level.",
    cite="geirhos2021", compares="shares", ceiling=curve_similarity_ceiling, ceiling_over=("subject",), chance=None,
    tags=("behavior", "psychophysics"),
)  # fmt: skip
def curve_similarity(choice: str = "yes", level: str = "level", resamples: int = 1000, seed: int = 0) -> Metric:
    """Return how near a model's psychometric curve is to each subject's: 1 - |m - h| / max(h, 1 - h), over levels.

    m and h are the shares of the answer among the stimuli of a level; 1: the same curve, 0: as far from it as possible.

    Parameters
    ----------
    choice : the answer whose share the target holds.
    level : coordinate of the target with the strength of each stimulus.
    resamples : bootstrap draws of presentations; 0: no replicates.
    seed : of the draws.

    Returns
    -------
    Comparison with one value a subject; ``details`` has threshold and slope of the fitted curves (of the model, and
    of all people together), where a curve can be fitted.
    """

    def metric(prediction: xr.DataArray, target: xr.DataArray) -> Comparison:
        _check(prediction, target)
        people, levels = _shares(target), along_presentations(target, level).astype(float)
        model = _probability(prediction, choice).values.astype(float)
        details = _curve("", model, levels) | _curve(" of people", known_mean(people), levels)
        return compare_in_strata(nearness, model[:, None], people, target, level, resamples, seed, details)

    return metric


def _curve(whose: str, shares: np.ndarray, levels: np.ndarray) -> dict[str, float]:
    """Return threshold and slope of the psychometric function; nothing for shares that do not rise with the level."""
    shares, levels = shares[np.isfinite(shares)], levels[np.isfinite(shares)]
    steps = np.unique(levels)
    each = np.array([(levels == step).sum() for step in steps], float)
    sums = np.array([shares[levels == step].sum() for step in steps])
    try:
        fitted = fit_psychometric(steps, sums, each, guess=None)
    except ValueError:
        return {}
    if not fitted.converged:  # which the fit has warned of
        return {}
    return {f"threshold{whose}": fitted.threshold, f"slope{whose}": fitted.slope}


def _check(prediction: xr.DataArray, target: xr.DataArray) -> None:
    for side in (prediction, target):
        if "presentation" not in side.dims:
            raise InvalidMeasurement(f"shares of an answer lie along presentations, not along {tuple(side.dims)}")
    check_pair(prediction, target)
    check_same_stimuli(prediction, target)


def _probability(prediction: xr.DataArray, choice: str) -> xr.DataArray:
    """Return the probability (presentation,) of one choice.

    Raises
    ------
    InvalidMeasurement : other dimensions, or the model gives no probability for that choice.
    """
    if set(prediction.dims) != {"presentation", "choice"}:
        raise InvalidMeasurement(f"a model's choices have (presentation, choice), not {tuple(prediction.dims)}")
    given = prediction.coords["choice"].values.astype(str).tolist()
    if choice not in given:
        raise InvalidMeasurement(f"the model gives no probability for choice {choice!r}, only for {', '.join(given)}")
    return prediction.isel(choice=given.index(choice), drop=True)


def _shares(target: xr.DataArray) -> np.ndarray:
    if not {"presentation"} <= set(target.dims) <= {"presentation", "subject"}:
        raise InvalidMeasurement(f"shares of an answer have (presentation[, subject]), not {tuple(target.dims)}")
    target = target if "subject" in target.dims else target.expand_dims("subject", axis=1)
    values = target.transpose("presentation", "subject").values.astype(float)
    if np.nanmin(values) < 0 or np.nanmax(values) > 1:
        raise InvalidMeasurement("shares of an answer lie between 0 and 1")
    return values
