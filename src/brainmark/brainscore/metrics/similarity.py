"""Similarity of populations as published: RDMs (correlation distance, Spearman) and linear CKA."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import TypeAlias

from brainmark.brainscore.metrics.assemblies import Recording, align, by_split, labels, matrix, single, stimulus_ids
from brainmark.brainscore.metrics.splits import random_splits
from brainmark.core.comparison import Comparison
from brainmark.core.errors import InvalidMeasurement
from brainmark.core.libraries import np, xr
from brainmark.core.registry import metric
from brainmark.metrics._arrays.shapes import Real
from brainmark.metrics.similarity.geometry import linear_ckas
from brainmark.metrics.similarity.rdm import compare_rdms, pattern_cosines, rdm_matrix, spearman_among, upper

_MANY = 1000  # presentations from which on float32 is not widened: ranks of so many pairs then agree to 1e-9

Rows: TypeAlias = "Sequence[np.ndarray | None]"
"""the presentations that each value is about; None: all."""

Similarity: TypeAlias = "Callable[[np.ndarray, np.ndarray, Rows], list[float]]"
"""two populations (presentation, neuroid), subsets of presentations -> one number for each subset."""


@dataclass(frozen=True)
class Whole:
    """Metric over all presentations at once."""

    similarity: Similarity

    def __call__(self, prediction: Recording, target: Recording) -> Comparison:
        """Compare two recordings (presentation, neuroid)."""
        x, y, _ = _put_in_order(prediction, target)
        return single(self.similarity(x, y, (None,))[0])


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
        x, y, places = _put_in_order(prediction, target)
        names = labels(target, self.stratify)
        folds = random_splits(len(y), names, self.splits, None, self.seed, test_size=self.share)
        values = self.similarity(x, y, [np.sort(places[fold.test]) for fold in folds])
        return by_split(np.array(values)[:, None], target, dim="population")


def _put_in_order(prediction: Recording, target: Recording) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return both populations in the same order, and where the target's presentations stand in it.

    That is the order of ``stimulus_id``, as published: the last digits of an RDM, by which equal distances are ranked,
    are not quite symmetric. Many presentations stay in the prediction's order, for the target is the smaller to copy.
    """
    x, y, places = align(prediction, target)
    places = np.arange(len(y)) if places is None else places
    if len(y) < _MANY and isinstance(prediction, xr.DataArray) and isinstance(target, xr.DataArray):
        order = np.argsort(stimulus_ids(prediction, "prediction"))
    else:
        order = np.arange(len(y))
    if (order[:-1] < order[1:]).all():
        return x, y if (places == order).all() else y[np.argsort(places)], places
    place = np.argsort(order)[places]
    return x[order], y[np.argsort(place)], place


def rdm_similarity(
    x: Real[np.ndarray, "presentation _"], y: Real[np.ndarray, "presentation neuroid"], subsets: Rows = (None,)
) -> list[float]:
    """Return the Spearman correlation of correlation-distance RDMs; NaN if any presentation has a constant pattern."""
    matrices = [_correlation_rdm(v) if len(v) < _MANY else pattern_cosines(v, centred=True) for v in (x, y)]
    parts = [rows for rows in subsets if rows is not None and len(rows) > 2]
    if len(parts) == len(subsets) and len(x) < _MANY and any(_has_ties(matrix) for matrix in matrices):
        return [rdm_similarity(x[rows], y[rows])[0] for rows in parts]
    if len(parts) > 1 and len(parts) == len(subsets) and all(np.isfinite(matrix).all() for matrix in matrices):
        return spearman_among(matrices[0], matrices[1], parts)
    return [_spearman(*(upper(matrix, rows) for matrix in matrices)) for rows in subsets]


def _correlation_rdm(values: np.ndarray) -> np.ndarray:
    """Return 1 - r, (presentation, presentation), by the published steps: their rounding decides the ranks of ties.

    With many presentations few pairs tie next to all there are, and ranks are those of r itself, upside down.
    """
    constant = (values == values[:, :1]).all(axis=1)
    if constant.all() or len(values) < 2:  # a single neuroid among them
        return np.full((len(values), len(values)), np.nan)
    with np.errstate(invalid="ignore", divide="ignore"):
        matrix = 1 - np.atleast_2d(np.corrcoef(values.astype(float)))
    matrix[constant], matrix[:, constant] = np.nan, np.nan
    return matrix


def _has_ties(matrix: np.ndarray) -> bool:
    """Return whether distances are equal but for rounding: the last digits of a part then differ from the whole."""
    ordered = np.sort(upper(matrix))
    return bool((np.diff(ordered) < 1e-13).any())


def _spearman(one: np.ndarray, other: np.ndarray) -> float:
    return compare_rdms(one, other) if np.isfinite(one).all() and np.isfinite(other).all() else float("nan")


def unbiased_cka(
    x: Real[np.ndarray, "presentation _"], y: Real[np.ndarray, "presentation neuroid"], subsets: Rows = (None,)
) -> list[float]:
    """Return unbiased linear CKA; 0 where the product of the estimated variances is not positive, as published.

    NaN where one side is constant: what is published then is 0 or rounding.
    """
    values = linear_ckas(x, y, subsets)
    undefined = [
        np.isnan(value) and not (_varies(x, rows) and _varies(y, rows))
        for value, rows in zip(values, subsets, strict=True)
    ]
    return [value if np.isfinite(value) or lost else 0.0 for value, lost in zip(values, undefined, strict=True)]


def _biased_cka(x: np.ndarray, y: np.ndarray, subsets: Rows = (None,)) -> list[float]:
    return linear_ckas(x, y, subsets, unbiased=False)


def _varies(values: np.ndarray, rows: np.ndarray | None) -> bool:
    drawn = values if rows is None else values[rows]
    return bool((drawn != drawn[0]).any())


similarity_metric = partial(metric, compares="recordings", tags=("similarity", "brainscore"))


@similarity_metric(
    "brainscore-rdm",
    summary="Spearman correlation of the dissimilarities of two populations exactly as Brain-Score publishes it.",
    cite="schrimpf2018 kriegeskorte2008",
)
def rdm() -> Whole:
    """Return ``rdm``: Spearman correlation of the upper triangles of two RDMs (1 - Pearson r)."""
    return Whole(rdm_similarity)


@similarity_metric(
    "brainscore-rdm-cv",
    summary="The published comparison of dissimilarities on ten random subsets of 90 % of the presentations.",
    cite="schrimpf2018 kriegeskorte2008",
)
def rdm_cv(stratify: str | None = "object_name") -> Subsampled:
    """Return ``rdm_cv``: the same on ten random subsets of 90 %."""
    return Subsampled(rdm_similarity, stratify)


@similarity_metric(
    "brainscore-cka",
    summary="Linear centred kernel alignment of two populations exactly as Brain-Score publishes it.",
    cite="schrimpf2018 kornblith2019",
)
def cka(unbiased: bool = True) -> Whole:
    """Return ``cka``, or with `unbiased` False ``cka_biased`` and the ``cka`` of brainscore-language."""
    return Whole(unbiased_cka if unbiased else _biased_cka)


@similarity_metric(
    "brainscore-cka-cv",
    summary="The published kernel alignment on ten random subsets of 90 % of the presentations.",
    cite="schrimpf2018 kornblith2019",
)
def cka_cv(unbiased: bool = True, stratify: str | None = "object_name") -> Subsampled:
    """Return ``cka_cv``; that of brainscore-language is biased and not stratified."""
    return Subsampled(unbiased_cka if unbiased else _biased_cka, stratify)


def rsa_ceiling(target: xr.DataArray, coordinate: str = "subject") -> Comparison:
    """Return the upper bound of Nili et al. (2014) over subjects, whose neuroids carry their name in `coordinate`.

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
