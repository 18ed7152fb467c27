"""Agreement of labels as published: error consistency, accuracy, accuracy distance; and two single numbers."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from itertools import combinations
from typing import TypeAlias

from brainmark.brainscore.metrics.assemblies import single
from brainmark.core.comparison import Comparison, Metric
from brainmark.core.errors import InvalidMeasurement
from brainmark.core.libraries import np, pd, xr
from brainmark.core.registry import metric
from brainmark.core.vocabulary import MetricExample, add_comparison
from brainmark.metrics._arrays.inputs import check_filled, check_same_stimuli
from brainmark.metrics._arrays.shapes import Bool, Shaped

Pairwise: TypeAlias = "Callable[[np.ndarray, np.ndarray], float]"
"""correctness of two observers (presentation,) -> a number."""


def accuracy(
    prediction: xr.DataArray | Shaped[np.ndarray, " presentation"],
    target: xr.DataArray | Shaped[np.ndarray, " presentation"],
) -> Comparison:
    """Return the share of equal labels, row by row.

    The error is the standard deviation of right and wrong, not of their mean.
    """
    given, wanted = np.asarray(prediction), np.asarray(target)
    if given.shape != wanted.shape or not given.size:
        raise InvalidMeasurement(
            f"prediction has {given.size} labels and target {wanted.size}; both need one a stimulus"
        )
    right = given == wanted
    return single(float(np.mean(right)), float(np.std(right)))


def error_consistency(prediction: xr.DataArray, target: xr.DataArray) -> Comparison:
    """Return Cohen's kappa of right and wrong in each condition, averaged over conditions, then subjects.

    The result is the size of kappa, without its sign.

    Parameters
    ----------
    prediction : labels (presentation,) with coordinates ``stimulus_id``, ``truth``, ``condition``.
    target : the same for all subjects in one row of presentations, with a coordinate ``subject``.

    Returns
    -------
    Comparison with the magnitude of the mean; the error is the standard deviation over subjects and conditions.
    """
    check_filled(prediction, "prediction")
    check_filled(target, "target")
    model, people = _Observer(prediction), _observers(target)
    return _summarize([_compare_conditions(model, person) for person in people])


def error_consistency_ceiling(target: xr.DataArray) -> Comparison:
    """Return the error consistency of every pair of subjects."""
    return _summarize([_compare_conditions(a, b) for a, b in combinations(_observers(target), 2)])


def kappa(one: Bool[np.ndarray, " presentation"], other: Bool[np.ndarray, " presentation"]) -> float:
    """Return Cohen's kappa of correctness; NaN where both observers are always right or always wrong."""
    p, q = one.mean(), other.mean()
    expected = p * q + (1 - p) * (1 - q)
    observed = (one == other).mean()
    return float((observed - expected) / (1 - expected)) if expected < 1 else float("nan")


@add_comparison("object labels")
def object_labels(count: int, generator: np.random.Generator) -> MetricExample:
    """Return the labels that one person gave, and the same labels, of which a third are wrong."""
    names = np.array(["ant", "bee", "cat", "dog"])
    truth, wrong = np.arange(count) % 4, generator.random(count) < 1 / 3
    columns = {"stimulus_id": [f"image-{i:03d}" for i in range(count)], "truth": names[truth]}
    columns |= {"condition": np.arange(count) // 4 % 2, "subject": np.full(count, "person")}
    coords = {name: ("presentation", values) for name, values in columns.items()}
    target = xr.DataArray(names[np.where(wrong, truth - 1, truth)], dims="presentation", coords=coords)
    return MetricExample(target.drop_vars("subject"), target, chosen=True, disturb=_mislabel)


def _mislabel(labels: xr.DataArray, level: float, generator: np.random.Generator) -> xr.DataArray:
    changed = generator.random(labels.shape) < level / (1 + level)
    return labels.copy(data=np.where(changed, "nothing", labels.values))


label_metric = partial(metric, cite="geirhos2021", compares="object labels", chance=None)


@label_metric(
    "brainscore-accuracy",
    summary="Share of equal labels, as Brain-Score publishes it.",
    tags=("behavior", "engineering", "brainscore"),
)
def published_accuracy() -> Metric:
    """Return `accuracy`; the target's coordinate ``truth`` holds the right labels."""

    def compare(prediction: xr.DataArray, target: xr.DataArray) -> Comparison:
        check_same_stimuli(prediction, target)
        return accuracy(prediction, target.coords["truth"])

    return compare


@label_metric(
    "brainscore-error-consistency",
    summary="Whether errors are made on the same stimuli (Cohen's kappa), as Brain-Score publishes it.",
    tags=("behavior", "brainscore"),
)
def published_error_consistency() -> Metric:
    """Return `error_consistency`."""
    return error_consistency


def accuracy_distance(prediction: xr.DataArray, target: xr.DataArray) -> Comparison:
    """Return 1 - |a - h| / max(h, 1 - h) of accuracies a and h for each subject, averaged.

    Parameters
    ----------
    prediction, target : as for `error_consistency`.
    """
    model = _Observer(prediction)
    near = [_compare(model, person, None, nearness) for person in _observers(target)]
    return single(abs(float(np.mean(near))), float(np.std(near)))


def accuracy_distance_ceiling(target: xr.DataArray) -> Comparison:
    """Return the accuracy distance of every pair of subjects, the second of which is the reference."""
    near = [_compare(a, b, None, nearness) for a, b in combinations(_observers(target), 2)]
    return single(abs(float(np.mean(near))), float(np.std(near)))


def nearness(one: Bool[np.ndarray, " presentation"], other: Bool[np.ndarray, " presentation"]) -> float:
    """Return the accuracy distance of two observers, from their correctness (presentation,)."""
    a, h = one.mean(), other.mean()
    return float(1 - abs(a - h) / max(1 - h, h))


def value_delta(prediction: float, target: float, scale: float = 1.0) -> Comparison:
    """Return exp(-scale |prediction - target|)."""
    return single(float(np.exp(-scale * abs(prediction - target))), float("nan"))


class _Observer:
    """Labels of one observer, in the order of ``stimulus_id``."""

    def __init__(self, answers: xr.DataArray) -> None:
        if answers.ndim == 2 and 1 in answers.shape:
            answers = answers.isel({answers.dims[answers.shape.index(1)]: 0})
        if answers.dims != ("presentation",):
            raise InvalidMeasurement(f"labels have dimensions {answers.dims}; expected (presentation,)")
        order = np.argsort(answers.coords["stimulus_id"].values, kind="stable")
        self.coords = {str(k): v.values[order] for k, v in answers.coords.items() if v.dims == ("presentation",)}
        if "truth" not in self.coords:
            raise InvalidMeasurement("labels have no coordinate 'truth' that says which one is right")
        self.labels = answers.values[order]

    def rows(self, condition: object = None) -> np.ndarray:
        """Return the positions in one condition; None: all."""
        if condition is None:
            return np.arange(len(self.labels))
        return np.flatnonzero(self.coords["condition"] == condition)


def _observers(target: xr.DataArray) -> list[_Observer]:
    if "subject" not in target.coords:
        raise InvalidMeasurement("target has no coordinate 'subject'")
    code, names = pd.factorize(target.coords["subject"].values, sort=True)
    return [_Observer(target.isel(presentation=np.flatnonzero(code == k))) for k in range(len(names))]


def _compare(one: _Observer, other: _Observer, condition: object, compare: Pairwise) -> float:
    rows, others = one.rows(condition), other.rows(condition)
    ids = one.coords["stimulus_id"][rows], other.coords["stimulus_id"][others]
    if len(rows) != len(others) or (ids[0] != ids[1]).any():
        where = "" if condition is None else f" where condition is {str(condition)!r}"
        raise InvalidMeasurement(f"observers saw different stimuli{where}: {len(rows)} and {len(others)}")
    truth = other.coords["truth"][others]
    right = one.labels[rows] == (truth if compare is nearness else one.coords["truth"][rows])
    return compare(right, other.labels[others] == truth)


def _compare_conditions(one: _Observer, other: _Observer) -> list[float]:
    """Return kappa in each condition."""
    if "condition" not in other.coords:
        raise InvalidMeasurement("labels have no coordinate 'condition'")
    return [_compare(one, other, c, kappa) for c in np.unique(other.coords["condition"])]


def _summarize(kappas: list[list[float]]) -> Comparison:
    values = np.array(kappas)
    by_subject = np.array([row[np.isfinite(row)].mean() if np.isfinite(row).any() else np.nan for row in values])
    known = values[np.isfinite(values)]
    if not known.size:
        return single(float("nan"), float("nan"))
    return single(abs(float(np.nanmean(by_subject))), float(known.std()))
