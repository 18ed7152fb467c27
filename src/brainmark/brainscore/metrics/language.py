"""Metrics of brainscore-language 2.3.0: least squares and ridge, over shuffled rows or whole passages."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import partial

from brainmark.brainscore.metrics.assemblies import Recording, by_split, labels, pair, single
from brainmark.brainscore.metrics.mappings import FitAndPredict, ols_mapping, ridgecv_mapping
from brainmark.brainscore.metrics.regression import sort_training_rows
from brainmark.brainscore.metrics.splits import fold_groups, shuffle_splits
from brainmark.core.comparison import Comparison, Metric
from brainmark.core.errors import InvalidMeasurement
from brainmark.core.libraries import np, xr
from brainmark.core.registry import metric
from brainmark.metrics._arrays.inputs import check_filled, check_numbers, check_same_stimuli
from brainmark.metrics._arrays.shapes import Real
from brainmark.metrics.statistics.averages import known_mean
from brainmark.metrics.statistics.splits import Fold

ALPHAS = tuple(10.0**i for i in range(-3, 4))
_CUTOFF = 1e-6  # scikit-learn from 1.7 on: singular values below this share of the largest do not count
_SMALL = 1e-8  # added to both lengths before r is divided by them


@dataclass(frozen=True)
class Linear:
    """Metric ``linear_pearsonr`` or ``ridge_pearsonr``.

    Attributes
    ----------
    mapping : how voxels are predicted.
    group : coordinate whose labels are kept together (story, passage), in shuffled folds of seed 1234; None: ten random
        splits of 90/10, seed 1.
    splits : folds.
    """

    mapping: FitAndPredict
    group: str | None = None
    splits: int = 10

    def __call__(self, prediction: Recording, target: Recording) -> Comparison:
        """Compare two recordings (presentation, neuroid).

        Raises
        ------
        InvalidMeasurement : different presentations, NaN, no coordinate `group`.
        """
        x, y = pair(prediction, target)
        if (x == x[0]).all():
            raise InvalidMeasurement(
                "the prediction is the same for all presentations"
            )  # published: 0, but for rounding
        folds = sort_training_rows(self._split(target, len(y)), target)
        predictions, notes = self.mapping(x, y, folds)
        r = np.stack([_correlate(p, y[f.test]) for p, f in zip(predictions, folds, strict=True)])
        made = by_split(r, target, notes)
        return replace(made, details={"score": made.details["score"]})  # published without an error

    def _split(self, target: Recording, n: int) -> tuple[Fold, ...]:
        if self.group is None:
            return shuffle_splits(n, self.splits)
        names = labels(target, self.group)
        if names is None:
            raise InvalidMeasurement(f"target has no coordinate {self.group!r} along presentation to group by")
        return fold_groups(names, self.splits)


published_metric = partial(metric, cite="schrimpf2021", domain="language")
voxel_metric = partial(published_metric, compares="recordings", tags=("regression", "brainscore"))


@voxel_metric(
    "brainscore-linear-pearsonr",
    summary="Predictivity by least squares exactly as brainscore-language publishes it.",
)
def linear_pearsonr(group: str | None = None, splits: int = 10) -> Linear:
    """Return ``linear_pearsonr``: least squares."""
    return Linear(partial(ols_mapping, cutoff=_CUTOFF), group, splits)


@voxel_metric(
    "brainscore-ridge-pearsonr",
    summary="Predictivity by ridge with one penalty for all voxels, as brainscore-language publishes it.",
)
def ridge_pearsonr(group: str | None = None, splits: int = 10, alphas: Sequence[float] = ALPHAS) -> Linear:
    """Return ``ridge_pearsonr``: one penalty for all voxels, chosen by leave-one-out on the training rows."""
    return Linear(partial(ridgecv_mapping, alphas=alphas), group, splits)


@published_metric(
    "brainscore-pearsonr", summary="Magnitude of the correlation of two vectors, as brainscore-language publishes it.",
    compares="judgements", chance=None, tags=("behavior", "brainscore"),
)  # fmt: skip
def published_pearsonr() -> Metric:
    """Return `pearsonr` of measurements with the same stimuli."""

    def compare(prediction: xr.DataArray, target: xr.DataArray) -> Comparison:
        check_filled(prediction, "prediction")
        check_same_stimuli(prediction, target)
        return pearsonr(prediction, target)

    return compare


def pearsonr(
    prediction: xr.DataArray | Real[np.ndarray, " _"], target: xr.DataArray | Real[np.ndarray, " _"]
) -> Comparison:
    """Return the magnitude of Pearson's r of two vectors, ``pearsonr``; the sign is lost (`details` has r).

    Raises
    ------
    InvalidMeasurement : vectors of different lengths, or NaN; the published code gives NaN.
    """
    x, y = np.asarray(prediction, float), np.asarray(target, float)
    if x.shape != y.shape or x.ndim != 1:
        raise InvalidMeasurement(
            f"{x.shape} values are correlated with {y.shape}: two vectors of one length are needed"
        )
    check_numbers(x, "prediction")
    check_numbers(y, "target")
    if not (np.ptp(x) > 0 and np.ptp(y) > 0):
        return single(float("nan"))
    r = float(np.corrcoef(x, y)[0, 1])
    return single(abs(r), details={"r": r})


def reading_ceiling(target: xr.DataArray, splits: int = 10) -> Comparison:
    """Return the split-half consistency of mean reading times: the ceiling of ``Futrell2018-pearsonr``.

    Readers are halved (one half drawn with seed 0), halves averaged over who read a word and correlated (`pearsonr`),
    each r corrected to 2r / (1 + r); the ceiling is the median.

    Parameters
    ----------
    target : (presentation, subject); NaN: not read.
    splits : random halvings.

    Raises
    ------
    InvalidMeasurement : fewer than two readers, or words that no reader in a half has read.
    """
    if set(target.dims) != {"presentation", "subject"} or target.sizes["subject"] < 2:
        raise InvalidMeasurement(
            f"target has sizes {dict(target.sizes)}; at least two subjects are needed for halves of readers"
        )
    times = np.asarray(target.transpose("subject", "presentation").values, float)
    generator = np.random.RandomState(0)
    corrected: list[float] = []
    for _ in range(splits):
        half = generator.choice(len(times), size=len(times) // 2, replace=False)
        first = np.isin(np.arange(len(times)), half)
        means = [known_mean(part.T) for part in (times[first], times[~first])]
        r = pearsonr(means[0], means[1]).aggregate()
        corrected.append(2 * r / (1 + r))
    return single(float(np.median(corrected)), details={"error": float("nan")})


def _correlate(predicted: np.ndarray, truth: np.ndarray) -> np.ndarray:
    x, y = predicted.astype(float), truth.astype(float)  # single precision would not hold the squares of large values
    x, y = x - x.mean(axis=0), y - y.mean(axis=0)
    cross = np.einsum("nq,nq->q", x, y)
    return cross / ((_norm(x) + _SMALL) * (_norm(y) + _SMALL))


def _norm(x: np.ndarray) -> np.ndarray:
    return np.sqrt(np.einsum("nq,nq->q", x, x))
