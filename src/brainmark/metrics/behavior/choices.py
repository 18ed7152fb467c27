"""Choices of one label among many, stimulus by stimulus: whether a model errs like people do.

A target holds what each subject chose: (presentation, choice, subject), 1 for the label chosen and 0 for the others
(all 0: no answer, an error), NaN where a subject was not asked. A prediction holds probabilities (presentation,
choice), of which the largest is the model's choice (ties are shared out evenly). The right label of each presentation
is a coordinate of the target, ``label``.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import TypeAlias

from brainmark.core.comparison import Ceiling, Comparison, Metric
from brainmark.core.errors import InvalidMeasurement
from brainmark.core.libraries import np, xr
from brainmark.core.registry import metric
from brainmark.metrics._arrays.inputs import along_presentations
from brainmark.metrics._arrays.shapes import Float, Real
from brainmark.metrics.behavior.patterns import aligned_choices, known_mean, labelled_choices
from brainmark.metrics.similarity.rsa import subject_names
from brainmark.metrics.statistics.resampling import draws

ByWeight: TypeAlias = "Callable[[np.ndarray], np.ndarray]"
"""counts (draw, presentation) -> values (draw, subject)."""


def error_consistency_ceiling(
    truth: str = "label", within: str | None = None, resamples: int = 1000, seed: int = 0
) -> Ceiling:
    """Return the mean kappa of each subject with every other: how consistent people are with each other.

    Parameters as in `error_consistency`. It is no upper bound: a model without the subjects' own noise may exceed it.
    """

    def consistency(own: np.ndarray, others: np.ndarray, counts: Iterable[np.ndarray]) -> np.ndarray:
        return known_mean(averaged([kappa(own, others, each) for each in counts]))

    return _between_people(consistency, truth, within, resamples, seed)


@metric(
    "error_consistency",
    summary="Cohen's kappa between the right and wrong answers of a model and of each subject.",
    cite="geirhos2020",
    compares="choices",
    ceiling=error_consistency_ceiling,
    ceiling_over=("subject",),
    tags=("behavior",),
)
def error_consistency(truth: str = "label", within: str | None = None, resamples: int = 1000, seed: int = 0) -> Metric:
    """Cohen's kappa between a model's and each subject's right and wrong answers (Geirhos et al. 2020, NeurIPS).

    kappa = (observed - expected agreement) / (1 - expected), where two independent observers with these accuracies
    would agree by p q + (1 - p)(1 - q). The sign is kept: a model that errs where people do not scores below 0.

    Parameters
    ----------
    truth : coordinate of the target that holds the right label.
    within : coordinate of the target, such as ``condition``; kappa is computed within each of its values and averaged.
        Pooling conditions of different difficulty makes errors look consistent.
    resamples : bootstrap draws of presentations; 0: no replicates.
    seed : of the draws.

    Returns
    -------
    Comparison with one value a subject; ``details`` has the accuracies and the range that kappa can take with them.
    """

    def metric(prediction: xr.DataArray, target: xr.DataArray) -> Comparison:
        people = _correctness(target, truth)
        model = _model_correctness(prediction, target, truth)
        strata = strata_of(target, within)

        def values(counts: np.ndarray) -> np.ndarray:
            return averaged([kappa(model[:, None], people, counts * stratum) for stratum in strata])

        accuracy = known_mean(people.T)  # NaN: never asked
        low, high = kappa_bounds(float(model.mean()), accuracy)
        details = {
            "accuracy": float(model.mean()),
            "accuracy of subjects": float(np.nanmean(accuracy)),
            "lowest possible": float(np.nanmean(low)),
            "highest possible": float(np.nanmean(high)),
        }
        return by_subject(values, target, len(model), resamples, seed, details)

    return metric


def accuracy_distance_ceiling(
    truth: str = "label", within: str | None = None, resamples: int = 1000, seed: int = 0
) -> Ceiling:
    """Return the accuracy distance of each subject from the mean of the others, as `error_consistency` parametrises."""

    def distance(own: np.ndarray, others: np.ndarray, counts: Iterable[np.ndarray]) -> np.ndarray:
        mean = known_mean(others)[:, None]
        return averaged([nearness(mean, own, each) for each in counts])[:, 0]

    return _between_people(distance, truth, within, resamples, seed)


@metric(
    "accuracy_distance",
    summary="How near a model's accuracy is to each subject's, as a share of the largest distance possible.",
    cite="geirhos2021",
    compares="choices",
    ceiling=accuracy_distance_ceiling,
    ceiling_over=("subject",),
    chance=None,
    tags=("behavior",),
)
def accuracy_distance(truth: str = "label", within: str | None = None, resamples: int = 1000, seed: int = 0) -> Metric:
    """How near a model's accuracy is to each subject's: 1 - |a - h| / max(h, 1 - h), between 0 and 1.

    The denominator is the largest distance that any model could have. Parameters as in `error_consistency`.
    """

    def metric(prediction: xr.DataArray, target: xr.DataArray) -> Comparison:
        people = _correctness(target, truth)
        model = _model_correctness(prediction, target, truth)
        strata = strata_of(target, within)

        def values(counts: np.ndarray) -> np.ndarray:
            return averaged([nearness(model[:, None], people, counts * stratum) for stratum in strata])

        return by_subject(values, target, len(model), resamples, seed, {"accuracy": float(model.mean())})

    return metric


def _between_people(
    compared: Callable[[np.ndarray, np.ndarray, Iterable[np.ndarray]], np.ndarray],
    truth: str,
    within: str | None,
    resamples: int,
    seed: int,
) -> Ceiling:
    """Return the ceiling that compares each subject with the others.

    `compared`: what the subject got right (presentation, 1), what the others did (presentation, subjects), how often
    each presentation counts in each stratum -> one value a draw.
    """

    def ceiling(target: xr.DataArray) -> Comparison:
        people = _correctness(target, truth)
        check_several(people)
        strata = strata_of(target, within)

        def values(counts: np.ndarray) -> np.ndarray:
            rows = [
                compared(people[:, s, None], np.delete(people, s, axis=1), (counts * stratum for stratum in strata))
                for s in range(people.shape[1])
            ]
            return np.stack(rows, axis=1)

        return by_subject(values, target, len(people), resamples, seed)

    return ceiling


def confusion_ceiling(truth: str = "label", resamples: int = 1000, seed: int = 0) -> Ceiling:
    """Return the correlation of each subject's confusions with those of the others together."""

    def ceiling(target: xr.DataArray) -> Comparison:
        table, chosen = labelled_choices(target, truth), chosen_labels(target)
        check_several(chosen[:, 0])

        def values(counts: np.ndarray) -> np.ndarray:
            rows: list[np.ndarray] = []
            for s in range(chosen.shape[2]):
                others = confusions(known_mean(np.delete(chosen, s, axis=2))[..., None], table, counts)
                rows.append(_correlated(others, confusions(chosen[..., s, None], table, counts), table)[:, 0])
            return np.stack(rows, axis=1)

        return by_subject(values, target, len(chosen), resamples, seed)

    return ceiling


@metric(
    "confusion_similarity",
    summary="Correlates what a model and each subject take a label for when they err.",
    cite="geirhos2021",
    compares="choices",
    ceiling=confusion_ceiling,
    ceiling_over=("subject",),
    chance=None,
    tags=("behavior",),
)
def confusion_similarity(truth: str = "label", resamples: int = 1000, seed: int = 0) -> Metric:
    """Pearson correlation of the model's confusions with each subject's: shares of wrong labels given the right one.

    The model's shares are its mean probabilities: they tell more of its confusions than its few errors do. Right
    answers (the diagonal) do not count: they would make any able model look alike. Labels that were never right have no
    row. Parameters as in `error_consistency`.
    """

    def metric(prediction: xr.DataArray, target: xr.DataArray) -> Comparison:
        table, chosen = labelled_choices(target, truth), chosen_labels(target)
        guess = aligned_choices(prediction, target)
        guess = guess / np.maximum(guess.sum(axis=1, keepdims=True), 1e-300)

        def values(counts: np.ndarray) -> np.ndarray:
            model = confusions(guess[:, :, None], table, counts)
            return _correlated(model, confusions(chosen, table, counts), table)

        return by_subject(values, target, len(guess), resamples, seed)

    return metric


def kappa(
    one: Real[np.ndarray, " presentation #subject"],
    other: Real[np.ndarray, " presentation #subject"],
    counts: Real[np.ndarray, "draw presentation"],
) -> Float[np.ndarray, "draw subject"]:
    """Cohen's kappa of correctness under weights.

    Parameters
    ----------
    one, other : (presentation, subject), 1: right, 0: wrong; one may have a single column; NaN: not asked.
    counts : (draw, presentation)

    Returns
    -------
    (draw, subject); NaN where both are always right or always wrong.
    """
    one, other = np.broadcast_arrays(one, other)
    known = np.isfinite(one) & np.isfinite(other)
    a, b = np.where(known, one, 0.0), np.where(known, other, 0.0)
    size = counts @ known.astype(float)
    asked = np.where(size > 0, size, np.nan)
    p, q = counts @ a / asked, counts @ b / asked
    observed = counts @ (a * b + (1 - a) * (1 - b) * known) / asked
    expected = p * q + (1 - p) * (1 - q)
    # Only two observers without any error (or any success) leave nothing to agree upon beyond chance.
    defined = 1 - expected > 1e-12
    return np.where(defined, (observed - expected) / np.where(defined, 1 - expected, 1), np.nan)


def kappa_bounds(
    p: float | Real[np.ndarray, " ..."], q: float | Real[np.ndarray, " ..."]
) -> tuple[Float[np.ndarray, " *cell"], Float[np.ndarray, " *cell"]]:
    """Lowest and highest kappa that accuracies p and q allow (Geirhos et al. 2020, eq. 3 and 4)."""
    p, q = np.asarray(p, float), np.asarray(q, float)
    expected = p * q + (1 - p) * (1 - q)
    room = np.where(1 - expected > 1e-12, 1 - expected, np.nan)
    return np.asarray((np.abs(p + q - 1) - expected) / room), np.asarray((1 - np.abs(p - q) - expected) / room)


def confusions(
    chosen: Real[np.ndarray, "presentation choice subject"],
    table: Real[np.ndarray, "presentation label"],
    counts: Real[np.ndarray, "draw presentation"],
) -> Float[np.ndarray, "draw label choice subject"]:
    """Shares (draw, right label, choice, subject) of choices.

    `chosen` is (presentation, choice, subject), `table` (presentation, right label) one-hot, `counts` weights (draw,
    presentation). NaN for labels that were never right.
    """
    known = np.asarray(np.isfinite(chosen).all(axis=1))
    filled = np.where(known[:, None, :], chosen, 0.0)
    result = np.full((len(counts), table.shape[1], *chosen.shape[1:]), np.nan)
    for label in range(table.shape[1]):
        shown = np.flatnonzero(table[:, label])
        if not len(shown):
            continue
        weights = counts[:, shown].astype(float)
        asked = (weights @ known[shown].astype(float))[:, None]
        sums = (weights @ filled[shown].reshape(len(shown), -1)).reshape(len(counts), *chosen.shape[1:])
        result[:, label] = np.where(asked > 0, sums / np.where(asked > 0, asked, 1), np.nan)
    return result


def nearness(
    model: Real[np.ndarray, " presentation #subject"],
    people: Real[np.ndarray, " presentation #subject"],
    counts: Real[np.ndarray, "draw presentation"],
) -> Float[np.ndarray, "draw subject"]:
    """1 - |a - h| / max(h, 1 - h) of mean shares under weights, (draw, subject)."""
    model, people = np.broadcast_arrays(model, people)
    known = np.isfinite(people) & np.isfinite(model)
    size = counts @ known.astype(float)
    asked = np.where(size > 0, size, np.nan)
    a, h = (counts @ np.where(known, side, 0.0) / asked for side in (model, people))
    return 1 - np.abs(a - h) / np.maximum(h, 1 - h)


def _correlated(
    model: Float[np.ndarray, "draw label choice #subject"],
    people: Float[np.ndarray, "draw label choice subject"],
    table: Real[np.ndarray, "presentation label"],
) -> Float[np.ndarray, "draw subject"]:
    """Pearson correlation over wrong labels, (draw, subject)."""
    labels = np.arange(table.shape[1])
    wrong = labels[:, None] != labels[None, :]
    x, y = np.broadcast_arrays(model[:, wrong], people[:, wrong])
    known = np.isfinite(x) & np.isfinite(y)
    size = np.maximum(known.sum(axis=1, keepdims=True), 1)
    x, y = (np.where(known, v, 0.0) for v in (x, y))
    x, y = (np.where(known, v - v.sum(axis=1, keepdims=True) / size, 0.0) for v in (x, y))
    length = np.sqrt((x * x).sum(axis=1) * (y * y).sum(axis=1))
    return np.where(length > 1e-12, (x * y).sum(axis=1) / np.where(length > 1e-12, length, 1), np.nan)


def by_subject(
    values: ByWeight,
    target: xr.DataArray,
    size: int,
    resamples: int,
    seed: int,
    details: dict[str, float] | None = None,
) -> Comparison:
    """Values of subjects, and under `resamples` draws of `size` presentations."""
    return Comparison(
        values=xr.DataArray(values(np.ones((1, size)))[0], dims=("subject",), coords=subject_names(target)),
        replicates=values(draws(size, resamples, seed).astype(float)) if resamples else None,
        center="mean",
        details=details or {},
    )


def averaged(parts: list[Float[np.ndarray, "draw subject"]]) -> Float[np.ndarray, "draw subject"]:
    """Mean over strata of what is defined, (draw, subject)."""
    return known_mean(np.moveaxis(np.stack(parts), 0, -1))


def strata_of(target: xr.DataArray, within: str | None) -> list[Float[np.ndarray, " presentation"]]:
    """One 0/1 row (presentation,) for each value of the coordinate `within`."""
    if within is None:
        return [np.ones(target.sizes["presentation"])]
    values = along_presentations(target, within)
    return [(values == value).astype(float) for value in np.unique(values)]


def chosen_labels(target: xr.DataArray) -> Float[np.ndarray, "presentation choice subject"]:
    """What was chosen, (presentation, choice, subject)."""
    if not {"presentation", "choice"} <= set(target.dims) <= {"presentation", "choice", "subject"}:
        raise InvalidMeasurement(f"choices have (presentation, choice[, subject]), not {tuple(target.dims)}")
    target = target if "subject" in target.dims else target.expand_dims("subject")
    return target.transpose("presentation", "choice", "subject").values.astype(float)


def _correctness(target: xr.DataArray, truth: str) -> Float[np.ndarray, "presentation subject"]:
    """Whether (or how often) subjects were right, (presentation, subject); NaN: not asked."""
    return np.einsum("pcs,pc->ps", chosen_labels(target), labelled_choices(target, truth))


def decisions(prediction: xr.DataArray, target: xr.DataArray) -> Float[np.ndarray, "presentation choice"]:
    """The model's choices, one-hot in the order of the target's, (presentation, choice); ties are shared out evenly."""
    values = aligned_choices(prediction, target)
    best = values == values.max(axis=1, keepdims=True)
    return best / best.sum(axis=1, keepdims=True)


def _model_correctness(
    prediction: xr.DataArray, target: xr.DataArray, truth: str
) -> Float[np.ndarray, " presentation"]:
    return (decisions(prediction, target) * labelled_choices(target, truth)).sum(axis=1)


def check_several(people: Real[np.ndarray, "presentation subject ..."]) -> None:
    """Refuse a single subject (last axis): there is nobody to agree with."""
    if people.shape[1] < 2:
        raise InvalidMeasurement("a ceiling between subjects needs at least two; the target has one")
