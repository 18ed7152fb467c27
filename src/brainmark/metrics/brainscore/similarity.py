"""Similarity of populations as published: RDMs (correlation distance, Spearman) and linear CKA."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import xarray as xr

from brainmark.core.comparison import Comparison
from brainmark.core.errors import InvalidMeasurement
from brainmark.metrics.brainscore.assemblies import Recording, by_split, labels, matrix, paired, single
from brainmark.metrics.brainscore.splits import shuffle_splits, stratified_splits
from brainmark.metrics.geometry import linear_cka
from brainmark.metrics.rdm import compare_rdms, rdm_matrix, upper

_MANY = 2**21  # numbers beyond which float32 is not widened: ranks of millions of pairs then agree to 1e-9

Similarity = Callable[[np.ndarray, np.ndarray], float]
"""two populations (presentation, neuroid) -> a number."""


@dataclass(frozen=True)
class Whole:
    """Metric over all presentations at once."""

    similarity: Similarity

    def __call__(self, prediction: Recording, target: Recording) -> Comparison:
        """Compare two recordings (presentation, neuroid)."""
        return single(self.similarity(*paired(prediction, target)))


@dataclass(frozen=True)
class Subsampled:
    """Metric over random 90 % of the presentations, ten times.

    The published cross-validation has nothing to train: it looks at its "test" part only, which is made 90 %.
    """

    similarity: Similarity
    stratify: str | None = "object_name"
    splits: int = 10
    share: float = 0.9
    seed: int = 1

    def __call__(self, prediction: Recording, target: Recording) -> Comparison:
        """Compare two recordings (presentation, neuroid)."""
        x, y = paired(prediction, target)
        names = labels(target, self.stratify)
        if names is None:
            folds = shuffle_splits(len(y), self.splits, None, self.seed, test_size=self.share)
        else:
            folds = stratified_splits(names, self.splits, None, self.seed, test_size=self.share)
        rows = [np.sort(fold.test) for fold in folds]
        values = np.array([[self.similarity(x[r], y[r])] for r in rows])
        return by_split(values, target, dim="population")


def rdm_similarity(x: np.ndarray, y: np.ndarray) -> float:
    """Spearman correlation of the correlation-distance RDMs; NaN if any presentation has a constant pattern."""
    one, other = (upper(np.asarray(rdm_matrix(v.astype(float) if v.size <= _MANY else v))) for v in (x, y))
    if not (np.isfinite(one).all() and np.isfinite(other).all()):
        return float("nan")
    return compare_rdms(one, other, "spearman")


def unbiased_cka(x: np.ndarray, y: np.ndarray) -> float:
    """Unbiased linear CKA; 0 where the product of the variances is not positive, as published."""
    value = linear_cka(_centred(x), _centred(y), unbiased=True)
    return value if np.isfinite(value) else 0.0


def biased_cka(x: np.ndarray, y: np.ndarray) -> float:
    """Biased linear CKA."""
    return linear_cka(_centred(x), _centred(y), unbiased=False)


def _centred(x: np.ndarray) -> np.ndarray:
    return x - x.mean(axis=0, dtype=float)


def rdm() -> Whole:
    """Return ``rdm``: Spearman correlation of the upper triangles of two RDMs (1 - Pearson r)."""
    return Whole(rdm_similarity)


def rdm_cv(stratify: str | None = "object_name") -> Subsampled:
    """Return ``rdm_cv``: the same on ten random subsets of 90 %."""
    return Subsampled(rdm_similarity, stratify)


def cka(unbiased: bool = True) -> Whole:
    """Return ``cka``, or with `unbiased` False ``cka_biased`` and the ``cka`` of brainscore-language."""
    return Whole(unbiased_cka if unbiased else biased_cka)


def cka_cv(unbiased: bool = True, stratify: str | None = "object_name") -> Subsampled:
    """Return ``cka_cv``; that of brainscore-language is biased and not stratified."""
    return Subsampled(unbiased_cka if unbiased else biased_cka, stratify)


def rsa_ceiling(target: xr.DataArray, coordinate: str = "subject") -> Comparison:
    """Upper bound of Nili et al. (2014) over subjects, whose neuroids carry their name in `coordinate`.

    Returns
    -------
    Comparison with the bound as value; ``details`` has the lower bound (each subject against the others).
    """
    if coordinate not in target.coords:
        raise InvalidMeasurement(f"target has no coordinate {coordinate!r} along neuroid that tells subjects apart")
    names = np.asarray(target.coords[coordinate].values)
    values = matrix(target, "target").astype(float)
    vectors = np.stack([upper(np.asarray(rdm_matrix(values[:, names == name]))) for name in np.unique(names)])
    total = vectors.sum(axis=0)
    above = [compare_rdms(v, total, "spearman") for v in vectors]
    below = [compare_rdms(v, total - v, "spearman") for v in vectors] if len(vectors) > 1 else [float("nan")]
    return single(float(np.mean(above)), details={"lower bound": float(np.mean(below))})
