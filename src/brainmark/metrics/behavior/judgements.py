"""Judgements with one number a stimulus: ratings, reading times.

Judgements are (presentation,) or, with the people kept apart, (presentation, subject); NaN where someone gave none.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Literal, get_args

from brainmark.core.comparison import Ceiling, Comparison, Metric
from brainmark.core.errors import InvalidMeasurement
from brainmark.core.libraries import np, xr
from brainmark.core.registry import metric
from brainmark.metrics._arrays.inputs import check_pair, check_same_stimuli
from brainmark.metrics._arrays.shapes import Float, Real
from brainmark.metrics.statistics.averages import known_mean
from brainmark.metrics.statistics.ceilings import harmonic_mean, spearman_brown
from brainmark.metrics.statistics.correlation import weighted_pearson
from brainmark.metrics.statistics.ranks import midranks
from brainmark.metrics.statistics.resampling import resample

Method = Literal["pearson", "spearman"]


def judgement_ceiling(method: Method = "pearson", halvings: int = 100, resamples: int = 1000, seed: int = 0) -> Ceiling:
    """Return the correlation that the true mean judgement would reach with the mean of these people.

    People (or repetitions) are halved at random; r between the halves' means, averaged over halvings and corrected to
    the whole group (`spearman_brown`), is the reliability of the mean; the ceiling is its square root. Presentations
    without a judgement in one half do not count in that split. For ``spearman``, r is the correlation of ranks.
    """
    _check(method)

    def ceiling(target: xr.DataArray) -> Comparison:
        people = _judgements(target)
        if people.shape[1] < 2:
            raise InvalidMeasurement("a ceiling of judgements needs (presentation, subject) with at least two subjects")
        generator = np.random.default_rng([seed, 3])
        judged = np.isfinite(people)
        correlations: list[Callable[[np.ndarray], np.ndarray]] = []
        judges = np.empty((halvings, 2))
        for k in range(halvings):
            order = generator.permutation(people.shape[1])
            parts = order[: len(order) // 2], order[len(order) // 2 :]
            one, other = (known_mean(people[:, part]) for part in parts)
            known = np.isfinite(one) & np.isfinite(other)
            correlations.append(_correlate(one, other, method))
            judges[k] = [harmonic_mean(judged[known][:, part].sum(axis=1))[0] for part in parts]
        fewer, more = 1 / np.mean(1 / judges, axis=0)
        whole = harmonic_mean(judged.sum(axis=1))[0]

        def root(r: np.ndarray) -> np.ndarray:
            return np.sqrt(spearman_brown(r, fewer, more, whole))

        once = np.ones((1, len(people)))
        return resample(  # draws average ten halvings: their scatter is small next to that of the stimuli
            lambda counts: root(np.mean([correlate(counts) for correlate in correlations[:10]], axis=0)),
            len(people),
            resamples,
            seed,
            value=root(np.nanmean([correlate(once)[0] for correlate in correlations], axis=0)),
        )

    return ceiling


@metric(
    "judgement_correlation",
    summary="Correlates one number a stimulus, such as a rating or a reading time, with people's mean.",
    cite="galton1888", compares="judgements", ceiling=judgement_ceiling, tags=("behavior",),
)  # fmt: skip
def judgement_correlation(method: Method = "pearson", resamples: int = 1000, seed: int = 0) -> Metric:
    """Correlate a model's judgements with the mean judgement of people.

    Parameters
    ----------
    method : ``pearson``, or ``spearman`` (ranks are computed anew in each draw).
    resamples : bootstrap draws of presentations; 0: no replicates.
    seed : of the draws.

    Returns
    -------
    Comparison with one value; presentations that no one judged are left out.
    """
    _check(method)

    def metric(prediction: xr.DataArray, target: xr.DataArray) -> Comparison:
        if prediction.dims != ("presentation",):
            raise InvalidMeasurement(f"a model's judgements have (presentation), not {tuple(prediction.dims)}")
        judged = _judgements(target)
        check_pair(prediction, target)
        check_same_stimuli(prediction, target)
        correlation = _correlate(prediction.values.astype(float), known_mean(judged), method)
        return resample(correlation, len(judged), resamples, seed)

    return metric


def _correlate(
    one: Float[np.ndarray, " presentation"], other: Float[np.ndarray, " presentation"], method: Method
) -> Callable[[np.ndarray], np.ndarray]:
    """Return r over the presentations that both have, as a function of how often each counts: (draw, 1)."""
    known = np.isfinite(one) & np.isfinite(other)
    one, other = one[known], other[known]

    def values(counts: np.ndarray) -> np.ndarray:
        weights = counts[:, known]
        if method == "pearson":
            return weighted_pearson(one, other, weights)[:, None]
        return np.array([weighted_pearson(_ranks(one, w), _ranks(other, w), w[None]) for w in weights])

    return values


def _ranks(
    values: Float[np.ndarray, " presentation"], weights: Real[np.ndarray, " presentation"]
) -> Float[np.ndarray, " presentation"]:
    """Return the midranks of values that stand `weights` times each."""
    ranks = midranks(values)
    order = np.argsort(ranks)
    _, group = np.unique(ranks[order], return_inverse=True)
    sizes = np.bincount(group, weights[order])
    result = np.empty_like(ranks)
    result[order] = (np.cumsum(sizes) - sizes / 2)[group]
    return result


def _judgements(target: xr.DataArray) -> Float[np.ndarray, "presentation subject"]:
    """Return the judgements (presentation, person)."""
    kept = [d for d in ("subject", "repetition") if d in target.dims]
    if set(target.dims) != {"presentation", *kept} or len(kept) > 1:
        raise InvalidMeasurement(f"judgements have (presentation[, subject or repetition]), not {tuple(target.dims)}")
    target = target if kept else target.expand_dims(subject=1, axis=1)
    return target.transpose("presentation", ...).values.astype(float)


def _check(method: str) -> None:
    if method not in get_args(Method):
        raise ValueError(f"unknown method {method!r}: use one of {', '.join(get_args(Method))}")
