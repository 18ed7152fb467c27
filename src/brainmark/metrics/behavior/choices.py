"""Choices of one label among many: accuracy, and whether a model makes the same errors as people.

Targets and predictions are those of `brainmark.metrics.behavior.answers`.
"""

from __future__ import annotations

from brainmark.core.comparison import Ceiling, Comparison, Metric
from brainmark.core.libraries import np, xr
from brainmark.core.registry import metric
from brainmark.metrics._arrays.inputs import along_presentations, subject_names
from brainmark.metrics._arrays.shapes import Float, Real
from brainmark.metrics.behavior.answers import (
    choices_of_people,
    compare_in_strata,
    correctness,
    decide,
    label_table,
    nearness,
    pool_others,
    probabilities,
    strata_of,
)  # fmt: skip
from brainmark.metrics.statistics.averages import divide, known_mean
from brainmark.metrics.statistics.resampling import resample


@metric(
    "accuracy", summary="Share of stimuli on which the model's first choice is the right label (top-1).",
    cite="deng2009", compares="choices", chance=None, tags=("behavior", "engineering"),
)  # fmt: skip
def accuracy(
    truth: str = "label", by: str | None = None, people: str | None = None, resamples: int = 1000, seed: int = 0
) -> Metric:
    """Return the share of presentations on which the model's first choice is the right label (top-1).

    Parameters
    ----------
    truth : coordinate of the target along presentation with the right label, one of its choices.
    by : coordinate of the target along presentation; each of its labels has a value of its own, and the centre is their
        mean. None: one value over all presentations.
    people : coordinate of the target along presentation with the share of people who are right, one share for each
        label of `by`; None: not known.
    resamples : bootstrap draws of presentations; 0: no replicates.
    seed : of the draws.

    Returns
    -------
    Comparison with one value (or one a label); choices that tie share the presentation evenly. ``details`` has chance
    (one over the number of choices) and the mean log2 probability of the right label; of people, their mean share and
    its correlation with the values.
    """

    def compare(prediction: xr.DataArray, target: xr.DataArray) -> Comparison:
        values, right = probabilities(prediction, target), label_table(target, truth)
        solved = (decide(prediction, target) * right).sum(axis=1)
        groups = np.stack(strata_of(target, by), axis=1)
        names = ["top-1"] if by is None else np.unique(along_presentations(target, by)).astype(str)
        total = values.sum(axis=1)
        shares = (values * right).sum(axis=1) / np.where(total > 0, total, 1)
        details = {
            "chance": 1 / values.shape[1],
            "log2 probability of the right label": float(np.log2(np.clip(shares, 1e-12, None)).mean()),
        }
        if people is not None:
            reached = along_presentations(target, people).astype(float)[groups.argmax(axis=0)]
            found = solved @ groups / groups.sum(axis=0)
            details["people"] = float(reached.mean())
            if len(reached) > 2 and np.ptp(found) > 0:
                details["r with people over paradigms"] = float(np.corrcoef(found, reached)[0, 1])

        def statistic(counts: np.ndarray) -> np.ndarray:
            return divide((counts * solved) @ groups, counts @ groups)

        return resample(statistic, len(solved), resamples, seed, {"pattern": names}, details=details)

    return compare


def error_consistency_ceiling(
    truth: str = "label", within: str | None = None, resamples: int = 1000, seed: int = 0
) -> Ceiling:
    """Return the mean kappa of each subject with every other: how consistent people are with each other.

    Parameters as in `error_consistency`. It is no upper bound: a model without the subjects' own noise may exceed it.
    """

    def ceiling(target: xr.DataArray) -> Comparison:
        people, strata = correctness(target, truth), strata_of(target, within)
        pool_others(people)  # refuses a single subject

        def with_others(s: int, counts: np.ndarray) -> np.ndarray:
            own, others = people[:, s, None], np.delete(people, s, axis=1)
            return known_mean(known_mean(np.stack([kappa(own, others, counts * each) for each in strata], axis=-1)))

        def statistic(counts: np.ndarray) -> np.ndarray:
            return np.stack([with_others(s, counts) for s in range(people.shape[1])], axis=1)

        return resample(statistic, len(people), resamples, seed, subject_names(target))

    return ceiling


@metric(
    "error_consistency", summary="Cohen's kappa between the right and wrong answers of a model and of each subject.",
    cite="geirhos2020", compares="choices", ceiling=error_consistency_ceiling, ceiling_over=("subject",),
    tags=("behavior",),
)  # fmt: skip
def error_consistency(truth: str = "label", within: str | None = None, resamples: int = 1000, seed: int = 0) -> Metric:
    """Return Cohen's kappa between a model's and each subject's right and wrong answers (Geirhos et al. 2020, NeurIPS).

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

    def compare(prediction: xr.DataArray, target: xr.DataArray) -> Comparison:
        people, model = correctness(target, truth), _model_correctness(prediction, target, truth)
        accuracies = known_mean(people.T)  # NaN: never asked
        low, high = kappa_bounds(float(model.mean()), accuracies)
        details = {
            "accuracy": float(model.mean()),
            "accuracy of subjects": float(np.nanmean(accuracies)),
            "lowest possible": float(np.nanmean(low)),
            "highest possible": float(np.nanmean(high)),
        }
        return compare_in_strata(kappa, model[:, None], people, target, within, resamples, seed, details)

    return compare


def accuracy_distance_ceiling(
    truth: str = "label", within: str | None = None, resamples: int = 1000, seed: int = 0
) -> Ceiling:
    """Return the accuracy distance of each subject from the mean of the others, as `error_consistency` parametrises."""

    def ceiling(target: xr.DataArray) -> Comparison:
        people = correctness(target, truth)
        return compare_in_strata(nearness, pool_others(people), people, target, within, resamples, seed)

    return ceiling


@metric(
    "accuracy_distance",
    summary="How near a model's accuracy is to each subject's, as a share of the largest distance possible.",
    cite="geirhos2021", compares="choices", ceiling=accuracy_distance_ceiling, ceiling_over=("subject",), chance=None,
    tags=("behavior",),
)  # fmt: skip
def accuracy_distance(truth: str = "label", within: str | None = None, resamples: int = 1000, seed: int = 0) -> Metric:
    """Return how near a model's accuracy is to each subject's: 1 - |a - h| / max(h, 1 - h), between 0 and 1.

    The denominator is the largest distance that any model could have. Parameters as in `error_consistency`.
    """

    def compare(prediction: xr.DataArray, target: xr.DataArray) -> Comparison:
        people, model = correctness(target, truth), _model_correctness(prediction, target, truth)
        details = {"accuracy": float(model.mean())}
        return compare_in_strata(nearness, model[:, None], people, target, within, resamples, seed, details)

    return compare


def confusion_ceiling(truth: str = "label", resamples: int = 1000, seed: int = 0) -> Ceiling:
    """Return the correlation of each subject's confusions with those of the others together."""

    def ceiling(target: xr.DataArray) -> Comparison:
        chosen = choices_of_people(target)
        return _compare_confusions(pool_others(chosen), chosen, target, truth, resamples, seed)

    return ceiling


@metric(
    "confusion_similarity", summary="Correlates what a model and each subject take a label for when they err.",
    cite="geirhos2021", compares="choices", ceiling=confusion_ceiling, ceiling_over=("subject",), chance=None,
    tags=("behavior",),
)  # fmt: skip
def confusion_similarity(truth: str = "label", resamples: int = 1000, seed: int = 0) -> Metric:
    """Correlate the model's confusions with each subject's (Pearson): shares of wrong labels given the right one.

    The model's shares are its mean probabilities: they tell more of its confusions than its few errors do. Right
    answers (the diagonal) do not count: they would make any able model look alike. Labels that were never right have no
    row. Parameters as in `error_consistency`.
    """

    def compare(prediction: xr.DataArray, target: xr.DataArray) -> Comparison:
        guess = probabilities(prediction, target)
        guess = guess / np.maximum(guess.sum(axis=1, keepdims=True), 1e-300)
        return _compare_confusions(guess[:, :, None], choices_of_people(target), target, truth, resamples, seed)

    return compare


def _model_correctness(
    prediction: xr.DataArray, target: xr.DataArray, truth: str
) -> Float[np.ndarray, " presentation"]:
    return (decide(prediction, target) * label_table(target, truth)).sum(axis=1)


def _compare_confusions(
    one: Float[np.ndarray, "presentation choice _"],
    people: Float[np.ndarray, "presentation choice subject"],
    target: xr.DataArray,
    truth: str,
    resamples: int,
    seed: int,
) -> Comparison:
    """Return the Pearson correlation of confusions over wrong labels, subject by subject."""
    table = label_table(target, truth)
    wrong = ~np.eye(table.shape[1], dtype=bool)

    def statistic(counts: np.ndarray) -> np.ndarray:
        x, y = np.broadcast_arrays(*(confusions(side, table, counts)[:, wrong] for side in (one, people)))
        known = np.isfinite(x) & np.isfinite(y)
        size = np.maximum(known.sum(axis=1, keepdims=True), 1)
        x, y = (np.where(known, v, 0.0) for v in (x, y))
        x, y = (np.where(known, v - v.sum(axis=1, keepdims=True) / size, 0.0) for v in (x, y))
        length = np.sqrt((x * x).sum(axis=1) * (y * y).sum(axis=1))
        return divide((x * y).sum(axis=1), np.where(length > 1e-12, length, 0))

    return resample(statistic, len(table), resamples, seed, subject_names(target))


def kappa(
    one: Real[np.ndarray, " presentation #subject"],
    other: Real[np.ndarray, " presentation #subject"],
    counts: Real[np.ndarray, "draw presentation"],
) -> Float[np.ndarray, "draw subject"]:
    """Return Cohen's kappa of correctness under weights.

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
    p, q, observed = (divide(counts @ v, size) for v in (a, b, a * b + (1 - a) * (1 - b) * known))
    expected = p * q + (1 - p) * (1 - q)
    # Only two observers without any error (or any success) leave nothing to agree upon beyond chance.
    return divide(observed - expected, np.where(1 - expected > 1e-12, 1 - expected, 0))


def kappa_bounds(
    p: float | Real[np.ndarray, " ..."], q: float | Real[np.ndarray, " ..."]
) -> tuple[Float[np.ndarray, " *cell"], Float[np.ndarray, " *cell"]]:
    """Return the lowest and highest kappa that accuracies p and q allow (Geirhos et al. 2020, eq. 3 and 4)."""
    p, q = np.asarray(p, float), np.asarray(q, float)
    expected = p * q + (1 - p) * (1 - q)
    room = np.where(1 - expected > 1e-12, 1 - expected, np.nan)
    return np.asarray((np.abs(p + q - 1) - expected) / room), np.asarray((1 - np.abs(p - q) - expected) / room)


def confusions(
    chosen: Real[np.ndarray, "presentation choice subject"],
    table: Real[np.ndarray, "presentation label"],
    counts: Real[np.ndarray, "draw presentation"],
) -> Float[np.ndarray, "draw label choice subject"]:
    """Return the shares (draw, right label, choice, subject) of choices.

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
        result[:, label] = divide(sums, asked)
    return result
