"""RDMs of several subjects: what the true RDM would reach with each, and the bounds of Nili et al. (2014).

Subjects may lack stimuli or pairs. Each is compared over the pairs that it has, as the metric compares it.
"""

from __future__ import annotations

from typing import Literal

from brainmark.core.libraries import np
from brainmark.metrics._arrays.shapes import Float, Real
from brainmark.metrics.similarity.rdm import Compare, compare_rdms, upper
from brainmark.metrics.similarity.rdm_resampling import resample_agreement, resample_rdms
from brainmark.metrics.statistics.averages import divide, known_mean
from brainmark.metrics.statistics.ranks import midranks


def compare_truth(
    rdms: Real[np.ndarray, "subject condition condition"], counts: Real[np.ndarray, "draw condition"], compare: Compare
) -> Float[np.ndarray, "draw subject"]:
    """Return the similarity that the true RDM would have with each subject's, over the pairs that this subject has.

    Where all have all pairs: the similarity with the mean of the others, over the root of that mean's reliability.
    Where they do not, that mean rests on another number of subjects at each pair, and the level and spread of an RDM
    depend on which pairs it has: then a subject's mean similarity with single others, over the root of the mean
    similarity of any two, both weighted by the pairs that two subjects share.

    Parameters
    ----------
    rdms : NaN off the diagonal: not measured.
    counts : how often each condition was drawn.

    Returns
    -------
    (draw, subject); NaN where subjects do not agree more than by chance, or share no pairs with any other.
    """
    complete = bool(np.isfinite(upper(rdms)).all())
    return from_correlation((_compare_with_mean if complete else _compare_in_pairs)(rdms, counts, compare), compare)


def _compare_with_mean(rdms: np.ndarray, counts: np.ndarray, compare: Compare) -> np.ndarray:
    """Standardise RDMs without gaps, and compare each with the mean of the others."""
    count = len(rdms)
    vectors = upper(rdms)
    level = 0.0 if compare in ("cosine", "whitened-cosine") else vectors.mean(axis=1)[:, None, None]
    size = np.sqrt(np.mean((vectors - np.reshape(level, (-1, 1))) ** 2, axis=1))[:, None, None]
    scaled = (rdms - level) / np.where(size > 0, size, 1)
    total = scaled.sum(axis=0)
    own = np.empty((len(counts), count))
    for s in range(count):
        others = (total - scaled[s]) / (count - 1)
        own[:, s] = resample_rdms(others, rdms[s : s + 1], counts, compare)[:, 0]
    between = as_correlation(resample_agreement(rdms, counts, compare), compare)
    agree = between > 0
    between = np.where(agree, between, 1)
    reliability = (count - 1) * between / (1 + (count - 2) * between)
    return np.where(agree[:, None], as_correlation(own, compare) / np.sqrt(reliability)[:, None], np.nan)


def _compare_in_pairs(rdms: np.ndarray, counts: np.ndarray, compare: Compare) -> np.ndarray:
    """Compare every two subjects over the pairs of conditions that both have."""
    count, counts = len(rdms), np.asarray(counts, float)
    similar, shared = np.zeros((2, len(counts), count, count))
    known = np.isfinite(rdms) & ~np.eye(rdms.shape[1], dtype=bool)
    for s in range(count - 1):
        r = as_correlation(resample_rdms(rdms[s], rdms[s + 1 :], counts, compare), compare)
        both = (known[s] & known[s + 1 :]).astype(float)
        weight = np.where(np.isfinite(r), np.einsum("di,sij,dj->ds", counts, both, counts, optimize=True), 0)
        similar[:, s, s + 1 :] = weight * np.nan_to_num(r)
        shared[:, s, s + 1 :] = weight
    similar, shared = (part + part.swapaxes(1, 2) for part in (similar, shared))
    between = divide(similar.sum(axis=(1, 2)), shared.sum(axis=(1, 2)))
    return divide(divide(similar.sum(axis=2), shared.sum(axis=2)), np.sqrt(np.maximum(between, 0))[:, None])


def nili_bounds(
    vectors: Real[np.ndarray, "subject pair"], compare: Compare = "spearman", pool: Literal["mean", "ranks"] = "mean"
) -> tuple[float, float]:
    """Return the lower and upper bound of the noise ceiling of RDMs (Nili et al. 2014).

    Parameters
    ----------
    vectors : (subject, pairs); NaN: a pair that this subject lacks. Means are over the subjects that have a pair.
    compare : as `compare_rdms`.
    pool : how subjects are averaged: as measured, or after ranking. With ``ranks`` no model can exceed the upper
        bound of a rank correlation; the mean of the measured values, usual in the field, lies slightly below it.

    Returns
    -------
    Mean similarity of a subject with the mean of the others, and with the mean of all; NaN: nothing can be compared.
    """
    known = np.isfinite(vectors)
    pooled = np.stack([_rank_known(v) for v in vectors]) if pool == "ranks" else vectors
    total, seen = np.where(known, pooled, 0).sum(axis=0), known.sum(axis=0)
    below = [
        compare_rdms(v, divide(total - np.where(k, p, 0), seen - k), compare)
        for v, p, k in zip(vectors, pooled, known, strict=True)
    ]
    above = [compare_rdms(v, divide(total, seen), compare) for v in vectors]
    lower, higher = known_mean(np.array([below, above]))
    return float(lower), float(higher)


def _rank_known(vector: np.ndarray) -> np.ndarray:
    """Return the midranks of what is not NaN."""
    ranks = np.full(vector.shape, np.nan)
    known = np.isfinite(vector)
    ranks[known] = midranks(vector[known])
    return ranks


def as_correlation(value: Float[np.ndarray, "*axes"], compare: Compare) -> Float[np.ndarray, "*axes"]:
    """Return r of two Gaussian variables with tau = 2/pi arcsin(r) (Greiner 1909): reliabilities are about r."""
    return np.sin(np.pi / 2 * value) if compare == "tau-a" else value


def from_correlation(r: Float[np.ndarray, "*axes"], compare: Compare) -> Float[np.ndarray, "*axes"]:
    """Undo `as_correlation`."""
    return 2 / np.pi * np.arcsin(np.clip(r, -1, 1)) if compare == "tau-a" else r
