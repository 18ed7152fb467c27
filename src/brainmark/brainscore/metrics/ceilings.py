"""Ceilings of the published scores, and how scores are divided by them."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import combinations

from brainmark.brainscore.metrics.assemblies import Aggregate, by_split, grouped, means, single
from brainmark.brainscore.metrics.splits import shuffle_splits
from brainmark.core.comparison import Comparison
from brainmark.core.errors import InvalidMeasurement
from brainmark.core.libraries import np, scipy, xr
from brainmark.metrics._arrays.backend import all_finite
from brainmark.metrics._arrays.inputs import check_filled, check_numbers
from brainmark.metrics._arrays.shapes import Float, Real
from brainmark.metrics.statistics.correlation import pearson


def internal_consistency(target: xr.DataArray, splits: int = 10, seed: int = 1) -> Comparison:
    """Split-half consistency of each neuroid with Spearman-Brown correction, ``internal_consistency``.

    The repetition numbers are halved at random (the odd one falls to the second half), halves averaged by stimulus and
    correlated, each r corrected to 2r / (1 + r), also where r is negative.

    Parameters
    ----------
    target : (presentation, neuroid, repetition), or (presentation, neuroid) with a coordinate ``repetition``.
    splits, seed : of the random halvings.

    Raises
    ------
    InvalidMeasurement : fewer than two repetitions, or halves that show different stimuli.
    """
    check_filled(target, "target")
    check_numbers(target.values, "target", missing=True)
    trials = _trials(target)
    if len(trials) < 2:
        raise InvalidMeasurement("a split-half ceiling needs at least two repetitions")
    halves = [half for fold in shuffle_splits(len(trials), splits, 0.5, seed) for half in fold]
    averages = _averages(trials, halves)
    with np.errstate(divide="ignore", invalid="ignore"):
        r = np.stack([np.asarray(pearson(averages[2 * k], averages[2 * k + 1])) for k in range(splits)])
        return by_split(2 * r / (1 + r), target)


def _averages(trials: np.ndarray, halves: Sequence[np.ndarray]) -> np.ndarray:
    """Mean (half, stimulus, neuroid) over some repetitions each, of what was measured."""
    weights = np.zeros((len(halves), len(trials)), trials.dtype)
    for row, half in zip(weights, halves, strict=True):
        row[half] = 1
    flat = trials.reshape(len(trials), -1)
    if all_finite(flat):
        averages = (weights / weights.sum(axis=1, keepdims=True)) @ flat
    else:
        known = np.isfinite(flat)
        count = weights @ known.astype(trials.dtype)
        averages = np.where(count > 0, weights @ np.where(known, flat, 0) / np.maximum(count, 1), np.nan)
    return averages.reshape(len(halves), *trials.shape[1:])


def _trials(target: xr.DataArray) -> np.ndarray:
    """Return trials (repetition, stimulus, neuroid); NaN where a stimulus lacks a repetition."""
    if "repetition" in target.dims:
        return target.transpose("repetition", "presentation", "neuroid").values
    if "repetition" not in target.coords:
        raise InvalidMeasurement("target has neither a dimension nor a coordinate 'repetition'")
    values = target.transpose("presentation", "neuroid").values
    repetition = np.asarray(target.coords["repetition"].values)
    ids = np.asarray(target.coords["stimulus_id"].values)
    names, code = np.unique(repetition, return_inverse=True)
    n, left = divmod(len(ids), len(names))
    if not left:  # blocks of whole repetitions need no sorting of labels
        blocks = ids.reshape(len(names), n)
        if (code.reshape(len(names), n) == np.arange(len(names))[:, None]).all() and (blocks == blocks[0]).all():
            return values.reshape(len(names), n, -1)
    group, first = grouped([ids])
    cell, where = np.unique(group * len(names) + code, return_inverse=True)
    trials = np.full((len(first) * len(names), values.shape[1]), np.nan, values.dtype)
    trials[cell] = means(values, where, len(cell))
    return trials.reshape(len(first), len(names), -1).swapaxes(0, 1)


def explained_variance(score: Aggregate, ceiling: Aggregate) -> Aggregate:
    """Return r^2 / reliability (since 2026); the sign of r is lost, and the error stays that of r."""
    return Aggregate(score.value**2 / ceiling.value, score.error)


def squared_ratio(score: Aggregate, ceiling: Aggregate) -> Aggregate:
    """Return (r / reliability)^2, used before 2026 and still by one study; sign and error as above."""
    return Aggregate((score.value / ceiling.value) ** 2, score.error)


def ratio(score: Aggregate, ceiling: Aggregate) -> Aggregate:
    """Return score / ceiling (behaviour, RDMs, language); the error stays that of the raw score."""
    return Aggregate(score.value / ceiling.value, score.error)


def explained_variance_per_neuroid(score: Comparison, ceiling: Comparison) -> float:
    """Return the mean over neuroids of r^2 / reliability; NaN neuroids do not count."""
    r, reliability = (np.asarray(c.values.values, float) for c in (score, ceiling))
    if r.shape != reliability.shape:
        raise InvalidMeasurement(f"score has {r.size} neuroids, ceiling {reliability.size}")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)
        return float(np.nanmean(r**2 / reliability))


@dataclass(frozen=True)
class Extrapolated:
    """Ceiling of brainscore-language: how well subjects predict one held out, extrapolated to infinitely many.

    For pools of 2, 3, ... all subjects, every subject of the pool is predicted by the others with the metric; per
    neuroid, v0 (1 - exp(-x / tau)) is fitted to the mean scores of 100 bootstrap samples (seed 0) over pool sizes x,
    v0 within 0 and 1; the ceiling of a neuroid is the median v0, that of the whole their median.

    Attributes
    ----------
    metric : (pool, subject) -> comparison with splits, such as `language.linear_pearsonr`.
    coordinate : along neuroid, that names subjects.
    bootstraps : samples per neuroid.
    """

    metric: Callable[[xr.DataArray, xr.DataArray], Comparison]
    coordinate: str = "subject_id"
    bootstraps: int = 100

    def __call__(self, target: xr.DataArray) -> Comparison:
        """Return the ceiling of each neuroid of a target (presentation, neuroid)."""
        if self.coordinate not in target.coords:
            raise InvalidMeasurement(f"target has no coordinate {self.coordinate!r} along neuroid")
        subjects = np.asarray(target.coords[self.coordinate].values)
        names = sorted(set(subjects.tolist()))
        if len(names) < 3:
            raise InvalidMeasurement(f"extrapolation over subjects needs at least 3; there are {len(names)}")
        sizes = np.arange(2, len(names) + 1)
        collected = [self._collect(target, subjects, names, int(size)) for size in sizes]
        return self.extrapolated(target, sizes, collected)

    def extrapolated(
        self,
        target: xr.DataArray,
        sizes: Real[np.ndarray, " size"],
        collected: Sequence[Float[np.ndarray, "_ neuroid"]],
    ) -> Comparison:
        """Return the ceiling of each neuroid from its scores (any, neuroid) in pools of each size; NaN: no score."""
        # the fit tries tau below 0, where the exponential overflows; two sizes leave no covariance, which nobody uses
        with np.errstate(over="ignore", invalid="ignore"), warnings.catch_warnings():
            warnings.filterwarnings("ignore", "Covariance of the parameters")
            v0 = np.array(
                [self._extrapolate(sizes, [c[:, k] for c in collected]) for k in range(target.sizes["neuroid"])]
            )
        error = {"error": float("nan")}
        coords = {str(k): v for k, v in target.coords.items() if v.dims == ("neuroid",)}
        return Comparison(xr.DataArray(v0, dims="neuroid", coords=coords), details=error)

    def _collect(self, target: xr.DataArray, subjects: np.ndarray, names: Sequence[str], size: int) -> np.ndarray:
        """Scores (combination x split, neuroid) of all pools of a size, NaN where a neuroid's subject was not in it."""
        rows: list[np.ndarray] = []
        for pool in combinations(names, size):
            scores: np.ndarray | None = None
            for subject in pool:
                own = np.flatnonzero(subjects == subject)
                others = np.flatnonzero(np.isin(subjects, [s for s in pool if s != subject]))
                result = self.metric(target.isel(neuroid=others), target.isel(neuroid=own))
                splits = result.splits if result.splits is not None else result.values.expand_dims("split")
                if scores is None:
                    scores = np.full((splits.sizes["split"], len(subjects)), np.nan)
                scores[:, own] = splits.values
            assert scores is not None
            rows.append(scores)
        return np.concatenate(rows)

    def _extrapolate(self, sizes: np.ndarray, scores: Sequence[np.ndarray]) -> float:

        generator = np.random.RandomState(0)
        known = [s[np.isfinite(s)] for s in scores]
        fitted: list[float] = []
        for _ in range(self.bootstraps):
            drawn = np.array([generator.choice(s, size=len(s)).mean() if len(s) else np.nan for s in known])
            valid = np.isfinite(drawn)
            try:
                v0 = scipy.optimize.curve_fit(
                    _saturation, sizes[valid], drawn[valid], bounds=([0, -np.inf], [1, np.inf])
                )[0][0]
            except (RuntimeError, ValueError, TypeError):  # no optimum, or too few points
                v0 = np.nan
            fitted.append(v0)
        return float(np.median(fitted))


def _saturation(x: np.ndarray, v0: float, tau: float) -> np.ndarray:
    return v0 * (1 - np.exp(-x / tau))


def constant(value: float) -> Comparison:
    """Return a ceiling that a study states as a number."""
    return single(value)
