"""Answers of models and people: a model's probabilities, people's choices, and which of them are correct.

A target holds what each subject chose: (presentation, choice, subject), 1 for the label chosen and 0 for the others
(all 0: no answer, an error), NaN where a subject was not asked. A prediction holds probabilities (presentation,
choice), of which the largest is the model's choice (ties are shared out evenly). The right label of each presentation
is a coordinate of the target, ``label``.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeAlias

from brainmark.core.comparison import Comparison
from brainmark.core.errors import InvalidMeasurement
from brainmark.core.libraries import np, xr
from brainmark.metrics._arrays.inputs import (
    along_presentations,
    check_filled,
    check_numbers,
    check_same_stimuli,
    subject_names,
)  # fmt: skip
from brainmark.metrics._arrays.shapes import Float, Real
from brainmark.metrics.statistics.averages import divide, known_mean
from brainmark.metrics.statistics.resampling import resample

Agreement: TypeAlias = "Callable[[np.ndarray, np.ndarray, np.ndarray], np.ndarray]"
"""one, people, counts (draw, presentation) -> (draw, subject)."""


def label_table(target: xr.DataArray, name: str) -> Float[np.ndarray, "presentation choice"]:
    """Return the label of each presentation in a coordinate as a choice, one-hot (presentation, choice).

    Raises
    ------
    InvalidMeasurement : no such coordinate, or a label that is none of the choices.
    """
    labels, choices = along_presentations(target, name), np.asarray(target.coords["choice"].values)
    table = labels[:, None] == choices[None, :]
    lost = np.flatnonzero(table.sum(axis=1) != 1)
    if len(lost):
        raise InvalidMeasurement(f"label {str(labels[lost[0]])!r} of presentation {lost[0]} is not among the choices")
    return table.astype(float)


def probabilities(prediction: xr.DataArray, target: xr.DataArray) -> Float[np.ndarray, "presentation choice"]:
    """Return the probabilities (presentation, choice) of a model in the order of the target's choices.

    Raises
    ------
    InvalidMeasurement : other dimensions or stimuli, a missing choice, a probability that is none.
    """
    if set(prediction.dims) != {"presentation", "choice"}:
        raise InvalidMeasurement(f"a model's choices have (presentation, choice), not {tuple(prediction.dims)}")
    for name, array in (("prediction", prediction), ("target", target)):
        check_filled(array, name)
    check_same_stimuli(prediction, target)
    check_numbers(prediction.values, "prediction")
    check_numbers(target.values, "target", missing=True)
    given = {name: i for i, name in enumerate(np.asarray(prediction.coords["choice"].values))}
    offered = np.asarray(target.coords["choice"].values)
    lost = [name for name in offered if name not in given]
    if lost:
        raise InvalidMeasurement(f"the model gives no probability for choice {str(lost[0])!r}")
    values = prediction.transpose("presentation", "choice").values.astype(float)[:, [given[name] for name in offered]]
    if (values < 0).any():
        raise InvalidMeasurement("the model gives negative probabilities of choices")
    return values


def decide(prediction: xr.DataArray, target: xr.DataArray) -> Float[np.ndarray, "presentation choice"]:
    """Return the model's choices, one-hot in the target's order, (presentation, choice); ties are shared evenly."""
    values = probabilities(prediction, target)
    best = values == values.max(axis=1, keepdims=True)
    return best / best.sum(axis=1, keepdims=True)


def choices_of_people(target: xr.DataArray) -> Float[np.ndarray, "presentation choice subject"]:
    """Return what was chosen, (presentation, choice, subject)."""
    if not {"presentation", "choice"} <= set(target.dims) <= {"presentation", "choice", "subject"}:
        raise InvalidMeasurement(f"choices have (presentation, choice[, subject]), not {tuple(target.dims)}")
    target = target if "subject" in target.dims else target.expand_dims("subject")
    return target.transpose("presentation", "choice", "subject").values.astype(float)


def correctness(target: xr.DataArray, truth: str) -> Float[np.ndarray, "presentation subject"]:
    """Return whether (or how often) subjects were right, (presentation, subject); NaN: not asked."""
    return np.einsum("pcs,pc->ps", choices_of_people(target), label_table(target, truth))


def pool_others(
    people: Real[np.ndarray, "presentation *cell subject"],
) -> Float[np.ndarray, "presentation *cell subject"]:
    """Return for each subject (last axis) the mean of all others.

    Raises
    ------
    InvalidMeasurement : there is a single subject, and agreement needs two.
    """
    count = people.shape[-1]
    if count < 2:
        raise InvalidMeasurement("a ceiling between subjects needs at least two; the target has one")
    return np.stack([known_mean(np.delete(people, s, axis=-1)) for s in range(count)], axis=-1)


def strata_of(target: xr.DataArray, within: str | None) -> list[Float[np.ndarray, " presentation"]]:
    """Return one 0/1 row (presentation,) for each value of the coordinate `within`."""
    if within is None:
        return [np.ones(target.sizes["presentation"])]
    values = along_presentations(target, within)
    return [(values == value).astype(float) for value in np.unique(values)]


def compare_in_strata(
    agreement: Agreement,
    one: Real[np.ndarray, "presentation _"],
    people: Real[np.ndarray, "presentation subject"],
    target: xr.DataArray,
    within: str | None,
    resamples: int,
    seed: int,
    details: dict[str, float] | None = None,
) -> Comparison:
    """Compare with each subject within every stratum (`strata_of`), and average over those that have a value."""
    strata = strata_of(target, within)

    def statistic(counts: np.ndarray) -> np.ndarray:
        return known_mean(np.stack([agreement(one, people, counts * stratum) for stratum in strata], axis=-1))

    return resample(statistic, len(people), resamples, seed, subject_names(target), details=details)


def nearness(
    one: Real[np.ndarray, " presentation #subject"],
    people: Real[np.ndarray, " presentation #subject"],
    counts: Real[np.ndarray, "draw presentation"],
) -> Float[np.ndarray, "draw subject"]:
    """Return the nearness (`nearness_of_shares`) of mean shares under weights, (draw, subject)."""
    one, people = np.broadcast_arrays(one, people)
    known = np.isfinite(people) & np.isfinite(one)
    size = counts @ known.astype(float)
    return nearness_of_shares(*(divide(counts @ np.where(known, side, 0.0), size) for side in (one, people)))


def nearness_of_shares(one: Float[np.ndarray, " ..."], people: Float[np.ndarray, " ..."]) -> Float[np.ndarray, " ..."]:
    """Return 1 - |a - h| / max(h, 1 - h): 1 for equal shares, 0 for the largest distance that any share could have."""
    return 1 - np.abs(one - people) / np.maximum(people, 1 - people)
