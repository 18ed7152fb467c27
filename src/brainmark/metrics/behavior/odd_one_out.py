"""Choices of the odd one out of three stimuli (Hebart et al. 2020)."""

from __future__ import annotations

from brainmark.core.comparison import Ceiling, Comparison, Metric
from brainmark.core.errors import InvalidMeasurement
from brainmark.core.libraries import np, xr
from brainmark.core.registry import metric
from brainmark.metrics._arrays.inputs import check_filled, check_numbers, check_same_stimuli
from brainmark.metrics._arrays.shapes import Float
from brainmark.metrics.statistics.averages import divide
from brainmark.metrics.statistics.resampling import resample


def odd_one_out_ceiling(resamples: int = 1000, seed: int = 0) -> Ceiling:
    """Return how often two people who judge the same triplet agree, from counts of choices.

    The mean over triplets with at least two choices of sum n (n - 1) / (N (N - 1)): unbiased, and what a model that
    answers like a further person reaches. A model that always takes the majority's choice may exceed it.
    """

    def ceiling(target: xr.DataArray) -> Comparison:
        counts = target.transpose("presentation", "choice").values.astype(float)
        number = counts.sum(axis=1)
        if not np.array_equal(counts, np.rint(counts)) or not (number > 1).any():
            raise InvalidMeasurement("a ceiling needs whole counts of choices, more than one for some triplet")
        repeated = number > 1
        room = np.where(repeated, number * (number - 1), 1)
        agree = np.where(repeated, (counts * (counts - 1)).sum(axis=1) / room, np.nan)
        return _mean_of(agree, resamples, seed)

    return ceiling


@metric(
    "odd_one_out", summary="Share of people's choices of the odd one out of three that a model makes too.",
    cite="hebart2020", compares="triplets", ceiling=odd_one_out_ceiling, ceiling_over=(), chance=1 / 3,
    tags=("behavior",),
)  # fmt: skip
def odd_one_out(resamples: int = 1000, seed: int = 0) -> Metric:
    """Return the share of people's choices of the odd one out of three that a model makes too; chance is 1/3.

    The prediction is the position (0, 1, 2) that the model finds odd, (presentation,); the target holds shares (or
    counts) of people's choices (presentation, choice), three choices in the order of the stimuli.

    Parameters
    ----------
    resamples : bootstrap draws of triplets; 0: no replicates.
    seed : of the draws.
    """

    def metric(prediction: xr.DataArray, target: xr.DataArray) -> Comparison:
        shares = _triplets(target)
        check_filled(prediction, "prediction")
        position = prediction.values
        if prediction.dims != ("presentation",) or len(position) != len(shares):
            raise InvalidMeasurement(
                f"the odd one of {len(shares)} triplets is asked for, not {dict(prediction.sizes)}"
            )
        check_same_stimuli(prediction, target)
        if not np.isin(position, (0, 1, 2)).all():
            raise InvalidMeasurement("the odd one must be given by its position: 0, 1 or 2")
        return _mean_of(shares[np.arange(len(shares)), position.astype(int)], resamples, seed)

    return metric


def _mean_of(values: Float[np.ndarray, " triplet"], resamples: int, seed: int) -> Comparison:
    """Return the mean over triplets of what is not NaN."""
    known = np.isfinite(values)
    filled = np.where(known, values, 0)[:, None]

    def statistic(counts: np.ndarray) -> np.ndarray:
        return divide(counts @ filled, counts @ known[:, None])

    return resample(statistic, len(values), resamples, seed)


def _triplets(target: xr.DataArray) -> Float[np.ndarray, "triplet 3"]:
    if set(target.dims) != {"presentation", "choice"} or target.sizes["choice"] != 3:
        raise InvalidMeasurement(f"choices of the odd one have (presentation, choice) with 3, not {dict(target.sizes)}")
    check_numbers(target.values, "target")
    counts = target.transpose("presentation", "choice").values.astype(float)
    total = counts.sum(axis=1, keepdims=True)
    if not (total > 0).all() or (counts < 0).any():
        raise InvalidMeasurement("every triplet needs a choice, and shares must not be negative")
    return counts / total
