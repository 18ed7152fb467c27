"""How often one of two answers is given: stimulus by stimulus, and along a psychometric curve.

A target holds the share of trials on which people gave the answer, (presentation, subject), NaN where someone was not
asked; a prediction holds probabilities (presentation, choice), of which one choice is that answer.
"""

from __future__ import annotations

import numpy as np
import xarray as xr

from brainmark.core.comparison import Ceiling, Comparison, Metric
from brainmark.core.errors import InvalidMeasurement
from brainmark.metrics.inputs import check_filled, check_numbers, check_pair, check_same_stimuli
from brainmark.metrics.judgements import Method, judgement_correlation
from brainmark.metrics.resampling import draws
from brainmark.metrics.similarity import subject_names


def share_correlation(choice: str, method: Method = "pearson", resamples: int = 1000, seed: int = 0) -> Metric:
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


def curve_similarity(choice: str, level: str = "level", resamples: int = 1000, seed: int = 0) -> Metric:
    """How near a model's psychometric curve is to each subject's: mean over levels of 1 - |m - h| / max(h, 1 - h).

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
        people, levels = _shares(target), _levels(target, level)
        model = _probability(prediction, choice).values.astype(float)
        counts = draws(len(people), resamples, seed)
        own = np.broadcast_to(model[:, None], people.shape)
        details = _curve("", model, levels) | _curve(" of people", _mean(people), levels)
        return _comparison(own, people, levels, counts, target, details)

    return metric


def curve_similarity_ceiling(level: str = "level", resamples: int = 1000, seed: int = 0) -> Ceiling:
    """Return the similarity of each subject's psychometric curve with that of all others together."""

    def ceiling(target: xr.DataArray) -> Comparison:
        check_filled(target, "target")
        check_numbers(target.values, "target", missing=True)
        people, levels = _shares(target), _levels(target, level)
        if people.shape[1] < 2:
            raise InvalidMeasurement("a ceiling between subjects needs at least two; the target has one")
        others = np.stack([_mean(np.delete(people, s, axis=1)) for s in range(people.shape[1])], axis=1)
        return _comparison(others, people, levels, draws(len(people), resamples, seed), target, {})

    return ceiling


def _comparison(
    one: np.ndarray,
    people: np.ndarray,
    levels: np.ndarray,
    counts: np.ndarray,
    target: xr.DataArray,
    details: dict[str, float],
) -> Comparison:
    values = _similar(one, people, levels, np.ones((1, len(people))))[0]
    return Comparison(
        xr.DataArray(values, dims=("subject",), coords=subject_names(target)),
        replicates=_similar(one, people, levels, counts) if len(counts) else None,
        center="mean",
        details=details,
    )


def _similar(one: np.ndarray, people: np.ndarray, levels: np.ndarray, counts: np.ndarray) -> np.ndarray:
    """Similarity (draw, subject) of curves; levels of which a draw has no stimulus do not count in it."""
    known = np.isfinite(people)
    near: list[np.ndarray] = []
    for level in np.unique(levels):
        weights = counts * (levels == level)
        size = weights @ known.astype(float)
        asked = np.where(size > 0, size, np.nan)
        m, h = (weights @ np.where(known, side, 0.0) / asked for side in (one, people))
        near.append(1 - np.abs(m - h) / np.maximum(h, 1 - h))
    stacked = np.stack(near)
    measured = np.isfinite(stacked)
    number = measured.sum(axis=0)
    return np.where(number > 0, np.where(measured, stacked, 0).sum(axis=0) / np.maximum(number, 1), np.nan)


def _mean(people: np.ndarray) -> np.ndarray:
    """Mean over people who were asked (presentation,); NaN where nobody was."""
    known = np.isfinite(people)
    number = known.sum(axis=1)
    return np.where(number > 0, np.where(known, people, 0).sum(axis=1) / np.maximum(number, 1), np.nan)


def _curve(whose: str, shares: np.ndarray, levels: np.ndarray) -> dict[str, float]:
    """Threshold and slope of the psychometric function; nothing for shares that do not rise with the level."""
    from brainmark.metrics.psychophysics import fit_psychometric

    shares, levels = shares[np.isfinite(shares)], levels[np.isfinite(shares)]
    steps = np.unique(levels)
    each = np.array([(levels == step).sum() for step in steps], float)
    sums = np.array([shares[levels == step].sum() for step in steps])
    try:
        fitted = fit_psychometric(steps, sums, each, guess=None)
    except ValueError:
        return {}
    return {f"threshold{whose}": fitted.threshold, f"slope{whose}": fitted.slope}


def _check(prediction: xr.DataArray, target: xr.DataArray) -> None:
    for side in (prediction, target):
        if "presentation" not in side.dims:
            raise InvalidMeasurement(f"shares of an answer lie along presentations, not along {tuple(side.dims)}")
    check_pair(prediction, target)
    check_same_stimuli(prediction, target)


def _probability(prediction: xr.DataArray, choice: str) -> xr.DataArray:
    """Probability (presentation,) of one choice.

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


def _levels(target: xr.DataArray, level: str) -> np.ndarray:
    if level not in target.coords or target.coords[level].dims != ("presentation",):
        has = sorted(str(c) for c, v in target.coords.items() if v.dims == ("presentation",))
        raise InvalidMeasurement(f"target has no coordinate {level!r} along 'presentation'; it has {', '.join(has)}")
    return np.asarray(target.coords[level].values, float)
