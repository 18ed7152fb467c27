"""Shape bias: which of two conflicting cues decides what an image is taken for (Geirhos et al. 2019, ICLR).

An image has the shape of one label and the texture of another. Of the decisions for either of the two, the bias is
the share of those for the shape; decisions for a third label do not count. Targets and predictions as in
`brainmark.metrics.behavior.choices`.
"""

from __future__ import annotations

from brainmark.core.comparison import Ceiling, Comparison, Metric
from brainmark.core.errors import InvalidMeasurement
from brainmark.core.libraries import np, xr
from brainmark.core.registry import metric
from brainmark.metrics._arrays.shapes import Float, Real
from brainmark.metrics.behavior.choices import by_subject, check_several, chosen_labels, decisions
from brainmark.metrics.behavior.patterns import labelled_choices


def shape_bias_ceiling(shape: str = "label", texture: str = "texture", resamples: int = 1000, seed: int = 0) -> Ceiling:
    """Return how near the bias of all others together is to each subject's, as `shape_bias` parametrises."""

    def ceiling(target: xr.DataArray) -> Comparison:
        people = cue_decisions(chosen_labels(target), target, shape, texture)
        check_several(people[0])

        def values(counts: np.ndarray) -> np.ndarray:
            alone = bias(people, counts)
            others = np.stack([np.delete(people, s, axis=2).sum(axis=2) for s in range(people.shape[2])], axis=2)
            return _nearness(bias(others, counts), alone)

        return by_subject(values, target, target.sizes["presentation"], resamples, seed)

    return ceiling


@metric(
    "shape_bias",
    summary="How near a model's preference for shape over texture is to each subject's, on conflicting cues.",
    cite="geirhos2019 geirhos2021",
    compares="choices",
    ceiling=shape_bias_ceiling,
    ceiling_over=("subject",),
    chance=None,
    tags=("behavior",),
)
def shape_bias(shape: str = "label", texture: str = "texture", resamples: int = 1000, seed: int = 0) -> Metric:
    """How near a model's shape bias is to each subject's: 1 - |b - h| / max(h, 1 - h), between 0 and 1.

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
        single = (decisions(prediction, target) == 1).astype(float)  # choices that tie decide for nothing
        model = cue_decisions(single[:, :, None], target, shape, texture)
        people = cue_decisions(chosen_labels(target), target, shape, texture)
        size = target.sizes["presentation"]

        def values(counts: np.ndarray) -> np.ndarray:
            return _nearness(bias(model, counts), bias(people, counts))

        each = np.ones((1, size))
        own, theirs = float(bias(model, each)[0, 0]), float(np.nanmean(bias(people, each)))
        conflicting = (labelled_choices(target, shape) != labelled_choices(target, texture)).any(axis=1).sum()
        details = {"share decided": float(model.sum() / conflicting), "shape bias of subjects": theirs}
        details |= {"shape bias": own} if np.isfinite(own) else {}
        return by_subject(values, target, size, resamples, seed, details)

    return metric


def cue_decisions(
    chosen: Float[np.ndarray, "presentation choice subject"], target: xr.DataArray, shape: str, texture: str
) -> Float[np.ndarray, "2 presentation subject"]:
    """Decisions (cue, presentation, subject) for the shape and for the texture of each image; 0 where neither.

    `chosen` is (presentation, choice, subject), shares or one-hot. Not asked (NaN), or no conflict: 0.
    """
    cues = np.stack([labelled_choices(target, shape), labelled_choices(target, texture)])
    conflict = (cues[0] != cues[1]).any(axis=1)
    if not conflict.any():
        raise InvalidMeasurement(f"no image has a {shape!r} that conflicts with its {texture!r}")
    return np.einsum("pcs,kpc->kps", np.nan_to_num(chosen), cues) * conflict[None, :, None]


def bias(
    cued: Float[np.ndarray, "2 presentation subject"], counts: Real[np.ndarray, "draw presentation"]
) -> Float[np.ndarray, "draw subject"]:
    """Shape bias (draw, subject) of decisions (cue, presentation, subject) under weights (draw, presentation)."""
    for_shape, for_texture = counts @ cued[0], counts @ cued[1]
    both = for_shape + for_texture
    return np.where(both > 0, for_shape / np.where(both > 0, both, 1), np.nan)


def _nearness(model: np.ndarray, people: np.ndarray) -> np.ndarray:
    return 1 - np.abs(model - people) / np.maximum(people, 1 - people)
