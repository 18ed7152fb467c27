"""Shape bias: which of two conflicting cues decides what an image is taken for (Geirhos et al. 2019, ICLR).

An image has the shape of one label and the texture of another. Of the decisions for either of the two, the bias is
the share of those for the shape; decisions for a third label do not count. Targets and predictions are those of
`brainmark.metrics.behavior.answers`.
"""

from __future__ import annotations

from brainmark.core.comparison import Ceiling, Comparison, Metric
from brainmark.core.errors import InvalidMeasurement
from brainmark.core.libraries import np, xr
from brainmark.core.registry import metric
from brainmark.metrics._arrays.inputs import subject_names
from brainmark.metrics._arrays.shapes import Float, Real
from brainmark.metrics.behavior.answers import choices_of_people, decide, label_table, nearness_of_shares, pool_others
from brainmark.metrics.statistics.averages import divide
from brainmark.metrics.statistics.resampling import resample

DECIDED = "decided for one of both cues in"
"""How the note begins that stands beside a shape bias: the share of images on which the bias rests."""


def shape_bias_ceiling(shape: str = "label", texture: str = "texture", resamples: int = 1000, seed: int = 0) -> Ceiling:
    """Return how near the bias of all others together is to each subject's, as `shape_bias` parametrises."""

    def ceiling(target: xr.DataArray) -> Comparison:
        people = cue_decisions(choices_of_people(target), target, shape, texture)
        others = pool_others(people)

        def statistic(counts: np.ndarray) -> np.ndarray:
            return nearness_of_shares(bias(others, counts), bias(people, counts))

        return resample(statistic, target.sizes["presentation"], resamples, seed, subject_names(target))

    return ceiling


@metric(
    "shape_bias",
    summary="How near a model's preference for shape over texture is to each subject's, on conflicting cues.",
    cite="geirhos2019 geirhos2021", compares="choices", ceiling=shape_bias_ceiling, ceiling_over=("subject",),
    chance=None, tags=("behavior",),
)  # fmt: skip
def shape_bias(shape: str = "label", texture: str = "texture", resamples: int = 1000, seed: int = 0) -> Metric:
    """Return how near a model's shape bias is to each subject's: 1 - |b - h| / max(h, 1 - h), between 0 and 1.

    The denominator is the largest distance that any model could have.

    Parameters
    ----------
    shape, texture : coordinates of the target along presentation; images in which both are one label do not count.
    resamples : bootstrap draws of presentations; 0: no replicates.
    seed : of the draws.

    Returns
    -------
    Comparison with one value a subject, NaN for a model that never decides for either cue; ``details`` has the biases
    and the share of decisions for a cue, on which the model's bias rests.

    Raises
    ------
    InvalidMeasurement : the target lacks a coordinate, or no image has conflicting cues.
    """

    def metric(prediction: xr.DataArray, target: xr.DataArray) -> Comparison:
        single = (decide(prediction, target) == 1).astype(float)  # choices that tie decide for nothing
        model = cue_decisions(single[:, :, None], target, shape, texture)
        people = cue_decisions(choices_of_people(target), target, shape, texture)
        size = target.sizes["presentation"]
        each = np.ones((1, size))
        own, theirs = float(bias(model, each)[0, 0]), float(np.nanmean(bias(people, each)))
        conflicting = (label_table(target, shape) != label_table(target, texture)).any(axis=1).sum()
        details = {"share decided": float(model.sum() / conflicting), "shape bias of subjects": theirs}
        details |= {"shape bias": own} if np.isfinite(own) else {}
        by_shape = f", {own:.0%} of these for the shape" if np.isfinite(own) else ""
        note = f"{DECIDED} {details['share decided']:.0%} of the images{by_shape}"

        def statistic(counts: np.ndarray) -> np.ndarray:
            return nearness_of_shares(bias(model, counts), bias(people, counts))

        return resample(statistic, size, resamples, seed, subject_names(target), details=details, notes=(note,))

    return metric


def cue_decisions(
    chosen: Float[np.ndarray, "presentation choice subject"], target: xr.DataArray, shape: str, texture: str
) -> Float[np.ndarray, "2 presentation subject"]:
    """Return decisions (cue, presentation, subject) for the shape and for the texture of each image; 0 where neither.

    `chosen` is (presentation, choice, subject), shares or one-hot. Not asked (NaN), or no conflict: 0.
    """
    cues = np.stack([label_table(target, shape), label_table(target, texture)])
    conflict = (cues[0] != cues[1]).any(axis=1)
    if not conflict.any():
        raise InvalidMeasurement(f"no image has a {shape!r} that conflicts with its {texture!r}")
    return np.einsum("pcs,kpc->kps", np.nan_to_num(chosen), cues) * conflict[None, :, None]


def bias(
    cued: Float[np.ndarray, "2 presentation subject"], counts: Real[np.ndarray, "draw presentation"]
) -> Float[np.ndarray, "draw subject"]:
    """Return the shape bias (draw, subject) of decisions (cue, presentation, subject) under weights (draw, image)."""
    for_shape, for_texture = counts @ cued[0], counts @ cued[1]
    return divide(for_shape, for_shape + for_texture)
