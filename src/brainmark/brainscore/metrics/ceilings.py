"""Ceilings of the published scores: halves of the repetitions, and subjects who predict each other."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import combinations

from brainmark.brainscore.metrics.assemblies import by_split, group_rows, means
from brainmark.brainscore.metrics.splits import shuffle_splits
from brainmark.core.comparison import Comparison
from brainmark.core.errors import InvalidMeasurement
from brainmark.core.libraries import np, scipy, xr
from brainmark.metrics._arrays.backend import all_finite
from brainmark.metrics._arrays.inputs import check_filled, check_numbers
from brainmark.metrics._arrays.scale import rescale
from brainmark.metrics._arrays.shapes import Shaped
from brainmark.metrics.statistics.correlation import pearson


def internal_consistency(target: xr.DataArray, splits: int = 10, seed: int = 1) -> Comparison:
    """Return the split-half consistency of each neuroid with Spearman-Brown correction, ``internal_consistency``.

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
    trials = rescale(_arrange_trials(target))[0]
    if len(trials) < 2:
        raise InvalidMeasurement("a split-half ceiling needs at least two repetitions")
    halves = [half for fold in shuffle_splits(len(trials), splits, 0.5, seed) for half in fold]
    averages = _average_halves(trials, halves)
    with np.errstate(divide="ignore", invalid="ignore"):
        r = np.stack([np.asarray(pearson(averages[2 * k], averages[2 * k + 1])) for k in range(splits)])
        return by_split(2 * r / (1 + r), target)


def _average_halves(trials: np.ndarray, halves: Sequence[np.ndarray]) -> np.ndarray:
    """Return the mean (half, stimulus, neuroid) over some repetitions each, of what was measured."""
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


def _arrange_trials(target: xr.DataArray) -> np.ndarray:
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
    group, first = group_rows([ids])
    cell, where = np.unique(group * len(names) + code, return_inverse=True)
    trials = np.full((len(first) * len(names), values.shape[1]), np.nan, values.dtype)
    trials[cell] = means(values, where, len(cell))
    return trials.reshape(len(first), len(names), -1).swapaxes(0, 1)


@dataclass(frozen=True)
class ExtrapolationCeiling:
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
        """Return the ceiling of each neuroid of a target (presentation, neuroid).

        Raises
        ------
        InvalidMeasurement : no such coordinate, or too few subjects.
        """
        if self.coordinate not in target.coords:
            raise InvalidMeasurement(f"target has no coordinate {self.coordinate!r} along neuroid")
        subjects = np.asarray(target.coords[self.coordinate].values)
        names = np.array(sorted(set(subjects.tolist())))
        if len(names) < 3:
            raise InvalidMeasurement(f"extrapolation over subjects needs at least 3; there are {len(names)}")
        sizes = np.arange(2, len(names) + 1)
        collected = [
            np.concatenate([self._predict(target, subjects, members, chosen) for members, chosen in pools])
            for pools in self.draw_pools(names)
        ]
        # the fit tries tau below 0, where the exponential overflows; two sizes leave no covariance, which nobody uses
        with np.errstate(over="ignore", invalid="ignore"), warnings.catch_warnings():
            warnings.filterwarnings("ignore", "Covariance of the parameters")
            v0 = np.array(
                [self._extrapolate(sizes, [c[:, k] for c in collected]) for k in range(target.sizes["neuroid"])]
            )
        coords = {str(k): v for k, v in target.coords.items() if v.dims == ("neuroid",)}
        return Comparison(xr.DataArray(v0, dims="neuroid", coords=coords), details={"error": float("nan")})

    def draw_pools(self, names: Shaped[np.ndarray, " subject"]) -> Iterator[list[tuple[np.ndarray, np.ndarray]]]:
        """Yield the pools of each size, from two on: names of their members, and of those who are predicted."""
        for size in range(2, len(names) + 1):
            yield [(np.array(pool), np.array(pool)) for pool in combinations(names, size)]

    def _predict(
        self, target: xr.DataArray, subjects: np.ndarray, members: np.ndarray, chosen: np.ndarray
    ) -> np.ndarray:
        """Return scores (split, neuroid) of the chosen members, each predicted by the other ones; NaN elsewhere."""
        scores = np.full((1, len(subjects)), np.nan)
        for subject in chosen:
            own = np.flatnonzero(subjects == subject)
            others = np.flatnonzero(np.isin(subjects, members[members != subject]))
            result = self.metric(target.isel(neuroid=others), target.isel(neuroid=own))
            splits = result.splits if result.splits is not None else result.values.expand_dims("split")
            if len(scores) != splits.sizes["split"]:
                scores = np.repeat(scores[:1], splits.sizes["split"], axis=0)
            scores[:, own] = splits.values
        return scores

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


@dataclass(frozen=True)
class SampledExtrapolation(ExtrapolationCeiling):
    """The ceiling of Pereira 2018: ten random pools of each size, with five draws of held-out subjects.

    All draws come from two generators of seed 0. The published draws also follow the order in which Python iterates
    over a set of subjects' names, which differs from process to process for text; here it is their sorted order, as
    it is there for small integers.

    Attributes
    ----------
    pools : different ordered draws of subjects of each size; two of them may hold the same subjects.
    held_out : draws of a subject to predict from the others of a pool, with replacement.
    """

    coordinate: str = "subject"
    pools: int = 10
    held_out: int = 5

    def draw_pools(self, names: Shaped[np.ndarray, " subject"]) -> Iterator[list[tuple[np.ndarray, np.ndarray]]]:
        """Yield the pools of each size. Raises InvalidMeasurement: too few subjects for so many draws of two."""
        if len(names) * (len(names) - 1) < self.pools:
            raise InvalidMeasurement(f"{len(names)} subjects are too few for {self.pools} draws of two")
        pools, held_out = np.random.RandomState(0), np.random.RandomState(0)
        for size in range(2, len(names) + 1):
            drawn: set[tuple[int, ...]] = set()
            while len(drawn) < self.pools:
                drawn.add(tuple(pools.choice(len(names), size=size, replace=False).tolist()))
            found: dict[str, tuple[np.ndarray, np.ndarray]] = {}
            for pool in drawn:  # in the order of the set, as published: it decides who is held out
                members = names[np.sort(np.array(pool))]
                chosen = members[np.unique(held_out.choice(size, size=self.held_out))]
                found[str(tuple(names[list(pool)].tolist()))] = members, chosen
            yield [found[key] for key in sorted(found)]
