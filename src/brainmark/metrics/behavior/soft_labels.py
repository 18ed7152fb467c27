"""Distributions of people's choices for each stimulus.

A target holds counts of choices (presentation, choice), as in CIFAR-10H (Peterson et al. 2019, ICCV); a prediction
holds probabilities (presentation, choice).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Literal, get_args

from brainmark.core.comparison import Ceiling, Comparison, Metric
from brainmark.core.errors import InvalidMeasurement
from brainmark.core.libraries import np, xr
from brainmark.core.registry import metric
from brainmark.metrics._arrays.shapes import Float, Real
from brainmark.metrics.behavior.answers import label_table, probabilities
from brainmark.metrics.statistics.averages import divide
from brainmark.metrics.statistics.ceilings import harmonic_mean, spearman_brown
from brainmark.metrics.statistics.resampling import resample

Aspect = Literal["errors", "entropy", "choices"]


def soft_labels_ceiling(
    aspect: Aspect = "errors", truth: str = "label", halvings: int = 10, resamples: int = 1000, seed: int = 0
) -> Ceiling:
    """Return the correlation that the true distribution of choices would reach: the root of the reliability.

    Counts are halved at random; r between halves, averaged over halvings and corrected for the doubled number of
    choices (`brainmark.metrics.statistics.ceilings.spearman_brown`), is the reliability of the whole. Parameters as in
    `soft_labels`.
    """
    _check(aspect)

    def ceiling(target: xr.DataArray) -> Comparison:
        counts = _counts(target)
        if not np.array_equal(counts, np.rint(counts)) or (counts.sum(axis=1) < 2).any():
            raise InvalidMeasurement("a ceiling needs whole counts of choices, at least two for each presentation")
        number = counts.sum(axis=1)
        fewer, more, whole = (float(harmonic_mean(n)[0]) for n in (number // 2, (number + 1) // 2, number))

        def root(r: np.ndarray) -> np.ndarray:
            return np.sqrt(spearman_brown(r, fewer, more, whole))

        generator = np.random.default_rng([seed, 3])
        halves = [halve(counts, generator) for _ in range(halvings)]
        profiles = [[_profile(_normalise(half), target, aspect, truth) for half in pair] for pair in halves]
        correlations = [_correlate(*pair) for pair in profiles]

        def statistic(draw: np.ndarray) -> np.ndarray:
            return root(np.mean([correlation(draw) for correlation in correlations], axis=0))

        return resample(statistic, len(counts), resamples, seed, {"pattern": [aspect]})

    return ceiling


@metric(
    "soft_labels",
    summary="Correlates how a model and people spread their choices over wrong labels, or how unsure they are.",
    cite="peterson2019", compares="choices", ceiling=soft_labels_ceiling, ceiling_over=(), tags=("behavior",),
)  # fmt: skip
def soft_labels(aspect: Aspect = "errors", truth: str = "label", resamples: int = 1000, seed: int = 0) -> Metric:
    """Correlate how a model and people spread their choices.

    Parameters
    ----------
    aspect : ``errors``: the probabilities of wrong labels, over all stimuli and labels; ``entropy``: the uncertainty
        about each stimulus, over stimuli; ``choices``: the probabilities of all labels, over stimuli and labels.
    truth : coordinate of the target along presentation with the right label (for ``errors``).
    resamples : bootstrap draws of presentations; 0: no replicates.
    seed : of the draws.

    Returns
    -------
    Comparison with one value; ``details`` has the mean cross-entropy of people's choices under the model, in bits, the
    lowest that any model could have (people's own entropy), and that of a model that knows nothing.
    """
    _check(aspect)

    def metric(prediction: xr.DataArray, target: xr.DataArray) -> Comparison:
        model = _normalise(probabilities(prediction, target))
        people = _normalise(_counts(target))
        one, other = (_profile(side, target, aspect, truth) for side in (model, people))
        details = {
            "cross-entropy (bits)": float(-(people * np.log2(np.clip(model, 1e-12, None))).sum(axis=1).mean()),
            "entropy of people (bits)": float(entropy(people).mean()),
            "entropy of uniform choices (bits)": float(np.log2(people.shape[1])),
        }
        coords = {"pattern": [aspect]}
        return resample(_correlate(one, other), len(one), resamples, seed, coords, details=details)

    return metric


def halve(
    counts: Real[np.ndarray, "stimulus choice"], generator: np.random.Generator
) -> tuple[Real[np.ndarray, "stimulus choice"], Real[np.ndarray, "stimulus choice"]]:
    """Split the choices on each stimulus into random halves, without replacement (multivariate hypergeometric)."""
    left = counts.astype(np.int64)
    total = left.sum(axis=1)
    wanted = total // 2
    first = np.zeros_like(left)
    for choice in range(left.shape[1]):
        total = total - left[:, choice]
        first[:, choice] = generator.hypergeometric(left[:, choice], total, wanted)
        wanted = wanted - first[:, choice]
    return first, left - first


def entropy(shares: Float[np.ndarray, "*stimulus _"]) -> Float[np.ndarray, " *stimulus"]:
    """Return the entropy in bits along the last axis; 0 log 0 = 0."""
    return -(shares * np.log2(np.where(shares > 0, shares, 1))).sum(axis=-1)


def _profile(shares: np.ndarray, target: xr.DataArray, aspect: Aspect, truth: str) -> np.ndarray:
    """Return what is correlated, (presentation, column)."""
    if aspect == "entropy":
        return entropy(shares)[:, None]
    if aspect == "choices":
        return shares
    right = label_table(target, truth) > 0
    return shares[~right].reshape(len(shares), -1)


def _correlate(
    one: Float[np.ndarray, "presentation _"], other: Float[np.ndarray, "presentation _"]
) -> Callable[[np.ndarray], np.ndarray]:
    """Return Pearson's r over all entries as a function of how often each presentation counts."""
    one, other = one - one.mean(), other - other.mean()  # a shift changes no r and keeps the differences below exact
    # Presentations are drawn as wholes, so that sums over their columns are all that a draw needs.
    sums = np.stack([v.sum(axis=1) for v in (one, other, one * one, other * other, one * other)], axis=1)
    least = 1e-12 * np.sqrt((one * one).mean() * (other * other).mean())

    def values(counts: np.ndarray) -> np.ndarray:
        size = counts.sum(axis=1) * one.shape[1]
        sx, sy, xx, yy, xy = (counts @ sums).T / size
        length = np.sqrt(np.clip(xx - sx * sx, 0, None) * np.clip(yy - sy * sy, 0, None))
        return divide(xy - sx * sy, np.where(length > least, length, 0))[:, None]

    return values


def _counts(target: xr.DataArray) -> np.ndarray:
    if set(target.dims) != {"presentation", "choice"}:
        raise InvalidMeasurement(f"counts of choices have (presentation, choice), not {tuple(target.dims)}")
    counts = target.transpose("presentation", "choice").values.astype(float)
    if not np.isfinite(counts).all() or (counts < 0).any():
        raise InvalidMeasurement("counts of choices must be numbers that are not negative")
    return counts


def _normalise(values: np.ndarray) -> np.ndarray:
    total = values.sum(axis=1, keepdims=True)
    if not (total > 0).all():
        raise InvalidMeasurement(f"presentation {int(np.flatnonzero(~(total > 0))[0])} has no choice at all")
    return values / total


def _check(aspect: str) -> None:
    if aspect not in get_args(Aspect):
        raise ValueError(f"unknown aspect {aspect!r}: use one of {', '.join(get_args(Aspect))}")
