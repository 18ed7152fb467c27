"""Ceilings between subjects: what other brains of the same kind say about one, mapped as a model would be."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from itertools import combinations
from math import comb

from brainmark.core.comparison import Comparison
from brainmark.core.errors import InvalidMeasurement
from brainmark.core.libraries import np, xr
from brainmark.metrics._arrays.inputs import check_filled, check_numbers, unit_coordinates
from brainmark.metrics._arrays.shapes import Float, Real, Shaped
from brainmark.metrics.behavior.patterns import known_mean
from brainmark.metrics.regression.predictivity import Predictivity
from brainmark.metrics.statistics.correlation import pearson, resampled_pearson
from brainmark.metrics.statistics.resampling import draws


@dataclass(frozen=True)
class LeaveOneSubjectOut:
    """Ceiling of a correlation with single subjects: each one's r with the mean of all others.

    `bounds` are the means of r with the others (lower: the mean of few is noisy) and with all, the subject itself
    included (upper), as Nili et al. 2014 bound RDMs.

    Attributes
    ----------
    resamples, seed : of presentations, on the draws that metrics use.
    block : neighbouring presentations that are drawn together.
    """

    resamples: int = 1000
    seed: int = 0
    block: int = 1

    def __call__(self, target: xr.DataArray) -> Comparison:
        """Return the ceiling of a target (presentation, subject); NaN: not measured.

        Raises
        ------
        InvalidMeasurement : other dimensions, fewer than two subjects.
        """
        check_filled(target, "target")
        check_numbers(target.values, "target", missing=True)
        if set(target.dims) != {"presentation", "subject"} or target.sizes["subject"] < 2:
            raise InvalidMeasurement(
                f"target has sizes {dict(target.sizes)}; leaving one subject out needs (presentation, subject), "
                "and two subjects at least"
            )
        y = np.asarray(target.transpose("presentation", "subject").values, float)
        counts = draws(len(y), self.resamples, self.seed, self.block)
        count = y.shape[1]
        lower, upper = np.full(count, np.nan), np.full(count, np.nan)
        replicates = np.full((self.resamples, count), np.nan)
        for s in range(count):
            others, everyone = _mean(np.delete(y, s, axis=1)), _mean(y)
            rows = np.flatnonzero(np.isfinite(y[:, s]) & np.isfinite(others))
            if len(rows) < 3:
                continue
            own = y[rows, s][:, None]
            lower[s] = pearson(own, others[rows, None])[0]
            upper[s] = pearson(own, everyone[rows, None])[0]
            replicates[:, s] = resampled_pearson(own, others[rows, None], [len(rows)], counts[:, rows], False)[:, 0]
        return Comparison(
            values=xr.DataArray(lower, dims="subject", coords=unit_coordinates(target, "subject")),
            replicates=replicates if self.resamples else None,
            center="mean",
            bounds=(float(known_mean(lower[None])[0]), float(known_mean(upper[None])[0])),
        )


@dataclass(frozen=True)
class BetweenSubjects:
    """Ceiling: how well the neuroids of the other subjects predict those of one, with the mapping used for models.

    A model is as good as another animal when it reaches this (Feather et al. 2025); it is no bound, since a model may
    know more of one brain than others do.

    Attributes
    ----------
    metric : the mapping, folds and resampling of the models.
    by : coordinate along neuroid that names the subject.
    """

    metric: Predictivity
    by: str = "subject"

    def __call__(self, target: xr.DataArray) -> Comparison:
        """Return r of each neuroid of a target (presentation, neuroid[, repetition]), others measured throughout."""
        target = _averaged(target)
        subject = subjects_of(target, self.by)
        names = np.unique(subject)
        parts = [
            (subject == name, self.metric(_features(target, subject != name), _part(target, subject == name)))
            for name in names
        ]
        return _together(target, parts)


@dataclass(frozen=True)
class Extrapolated:
    """Ceiling: predictions from pools of other subjects, extrapolated to infinitely many of them.

    r of each neuroid, predicted from s other subjects, is averaged over pools of that size and fitted by
    v0 (1 - exp(-s / tau)) (Schrimpf et al. 2021); its ceiling is v0. Neuroids whose r does not level off within
    the subjects at hand have a v0 above 1, which is cut to 1; where r grows more slowly than the curve, v0 is too low.

    Attributes
    ----------
    metric : the mapping, folds and resampling.
    by : coordinate along neuroid that names the subject.
    pools : pools of each size at most, drawn at random.
    seed : of the pools.
    """

    metric: Predictivity
    by: str = "subject"
    pools: int = 5
    seed: int = 0

    def __call__(self, target: xr.DataArray) -> Comparison:
        """Return v0 of each neuroid of a target (presentation, neuroid[, repetition]) of three subjects at least."""
        target = _averaged(target)
        subject = subjects_of(target, self.by)
        names = np.unique(subject)
        if len(names) < 3:
            raise InvalidMeasurement(f"extrapolation needs three subjects at least; {self.by!r} has {len(names)}")
        generator = np.random.default_rng([self.seed, 4])
        parts: list[tuple[np.ndarray, Comparison]] = []
        for name in names:
            own = _part(target, subject == name)
            others, sizes = [n for n in names if n != name], np.arange(1, len(names))
            found = [
                [
                    self.metric(_features(target, np.isin(subject, pool)), own)
                    for pool in _pools(others, int(size), self.pools, generator)
                ]
                for size in sizes
            ]
            v0 = saturation(sizes, np.stack([np.mean([f.values.values for f in pools], axis=0) for pools in found]))[0]
            drawn = None
            if self.metric.resamples:
                means = [np.mean([f.replicates for f in pools if f.replicates is not None], axis=0) for pools in found]
                drawn = saturation(sizes, np.stack(means))[0]
            one = found[0][0]
            parts.append(
                (subject == name, replace(one, values=one.values.copy(data=v0), splits=None, replicates=drawn))
            )
        return _together(target, parts)


def saturation(
    sizes: Real[np.ndarray, " size"], r: Real[np.ndarray, " size *unit"]
) -> tuple[Float[np.ndarray, " *unit"], Float[np.ndarray, " *unit"]]:
    """Fit v0 (1 - exp(-s / tau)) by least squares along the first axis, for all entries together.

    v0 follows from tau in closed form; tau is searched on a logarithmic grid from a tenth of a subject to ten times
    the largest pool, then between the grid's neighbours.

    Parameters
    ----------
    sizes : (S,) subjects in the pool.
    r : (S, ...) scores.

    Returns
    -------
    v0, tau : (...); v0 within [-1, 1]; NaN where r is.
    """
    sizes = np.asarray(sizes, float)
    grid = np.geomspace(0.1, 10 * sizes.max(), 60)
    curves = 1 - np.exp(-sizes / grid[:, None])  # (taus, S)
    shape = r.shape[1:]
    flat = r.reshape(len(sizes), -1)
    # the error of the best v0 is |r|^2 - (curve . r)^2 / |curve|^2
    gain = (curves @ np.where(np.isfinite(flat), flat, 0.0)) ** 2 / np.sum(curves**2, axis=1)[:, None]
    best = np.argmax(gain, axis=0)
    low, high = np.log(grid[np.maximum(best - 1, 0)]), np.log(grid[np.minimum(best + 1, len(grid) - 1)])
    tau = np.exp(_golden(lambda t: _gain(np.exp(t), sizes, flat), low, high))
    curve = 1 - np.exp(-sizes[:, None] / tau)
    v0 = np.sum(curve * flat, axis=0) / np.sum(curve**2, axis=0)
    return np.clip(v0, -1.0, 1.0).reshape(shape), np.where(np.isfinite(v0), tau, np.nan).reshape(shape)


def _gain(tau: np.ndarray, sizes: np.ndarray, r: np.ndarray) -> np.ndarray:
    curve = 1 - np.exp(-sizes[:, None] / tau)
    return np.sum(curve * r, axis=0) ** 2 / np.sum(curve**2, axis=0)


def _golden(gain: Callable[[np.ndarray], np.ndarray], low: np.ndarray, high: np.ndarray, steps: int = 40) -> np.ndarray:
    """Golden-section search for the maximum between `low` and `high`, entry by entry."""
    ratio = (np.sqrt(5) - 1) / 2
    for _ in range(steps):
        a, b = high - ratio * (high - low), low + ratio * (high - low)
        left = gain(a) >= gain(b)
        low, high = np.where(left, low, a), np.where(left, b, high)
    return (low + high) / 2


def subjects_of(target: xr.DataArray, by: str) -> Shaped[np.ndarray, " neuroid"]:
    """Return the subject of each neuroid.

    Raises
    ------
    InvalidMeasurement : no such coordinate, a single subject.
    """
    if by not in target.coords or target.coords[by].dims != ("neuroid",):
        raise InvalidMeasurement(f"neuroids have no coordinate {by!r}; they have {sorted(unit_coordinates(target))}")
    names = target.coords[by].values.astype(str)
    if len(np.unique(names)) < 2:
        raise InvalidMeasurement(f"all neuroids are of {by} {str(names[0])!r}; a ceiling between subjects needs two")
    return names


def _averaged(target: xr.DataArray) -> xr.DataArray:
    return target.mean("repetition", skipna=True, keep_attrs=True) if "repetition" in target.dims else target


def _part(target: xr.DataArray, chosen: np.ndarray) -> xr.DataArray:
    return target.isel(neuroid=np.flatnonzero(chosen))


def _features(target: xr.DataArray, chosen: np.ndarray) -> xr.DataArray:
    """Neuroids that were measured on every presentation, to predict others from."""
    part = _part(target, chosen)
    whole = np.isfinite(part.transpose("presentation", "neuroid").values).all(axis=0)
    if not whole.any():
        raise InvalidMeasurement("no neuroid of the other subjects was measured on all presentations")
    return part.isel(neuroid=np.flatnonzero(whole))


def _together(target: xr.DataArray, parts: list[tuple[np.ndarray, Comparison]]) -> Comparison:
    values = np.full(target.sizes["neuroid"], np.nan)
    rows = [c.replicates for _, c in parts if c.replicates is not None]
    replicates = np.full((len(rows[0]), len(values)), np.nan) if len(rows) == len(parts) else None
    for chosen, part in parts:
        values[chosen] = part.values.values
        if replicates is not None and part.replicates is not None:
            replicates[:, chosen] = part.replicates
    notes = dict.fromkeys(note for _, part in parts for note in part.notes)
    array = xr.DataArray(values, dims="neuroid", coords=unit_coordinates(target))
    return Comparison(array, replicates=replicates, notes=tuple(notes))


def _pools(names: list[str], size: int, most: int, generator: np.random.Generator) -> list[tuple[str, ...]]:
    if comb(len(names), size) <= most:
        return list(combinations(names, size))
    found: dict[tuple[str, ...], None] = {}
    while len(found) < most:
        found[tuple(sorted(generator.choice(names, size, replace=False)))] = None
    return list(found)


def _mean(y: np.ndarray) -> np.ndarray:
    measured = np.isfinite(y)
    count = measured.sum(axis=1)
    return np.where(count > 0, np.where(measured, y, 0.0).sum(axis=1) / np.maximum(count, 1), np.nan)
