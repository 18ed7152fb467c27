"""Task information: what can be read out linearly from a population, and whether model and brain agree on it.

Category, identity, position, size, pose ... are decoded from equal numbers of neuroids. A model is consistent with a
region if what is easy to read out there is easy to read out in the model (Hong et al. 2016, Nat. Neurosci.; Yamins &
DiCarlo 2016, Nat. Neurosci.).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from brainmark.core.comparison import Comparison, Metric
from brainmark.core.errors import InvalidMeasurement
from brainmark.core.libraries import np, xr
from brainmark.metrics._arrays.inputs import along_presentations, check_filled, check_numbers, check_same_stimuli
from brainmark.metrics._arrays.shapes import Bool, Float, Integer, Real, Shaped
from brainmark.metrics.regression.features import prepare
from brainmark.metrics.regression.ridge import relative_alphas, ridge_predictions
from brainmark.metrics.similarity.rdm import pearson
from brainmark.metrics.statistics.correlation import resampled_pearson
from brainmark.metrics.statistics.resampling import draws
from brainmark.metrics.statistics.splits import Shuffled, Splitter

_PENALTIES = tuple(10.0**i for i in range(-4, 3))  # in units of the mean squared length of a pattern


@dataclass(frozen=True, eq=False)
class Readouts:
    """Out-of-fold readouts of several tasks.

    Attributes
    ----------
    values : task -> (row,): the predicted number; or, for labels, the score of the right label less the best score of a
        wrong one (positive: classified rightly).
    rows : (row,) presentations in the order of the folds.
    sizes : rows of each fold.
    """

    values: dict[str, Float[np.ndarray, " row"]]
    rows: Integer[np.ndarray, " row"]
    sizes: list[int]


def task_information(
    population: Real[np.ndarray, "presentation neuroid"],
    tasks: dict[str, Shaped[np.ndarray, " presentation"]],
    splits: Splitter | None = None,
) -> Readouts:
    """Read out each task by ridge regression from presentations that trained on others.

    Parameters
    ----------
    population : (presentation, neuroid)
    tasks : name -> (presentation,) numbers, or labels (strings, booleans).
    splits : of presentations, whose labels are the tasks; None: ten shuffled folds.
    """
    tables = [_targets(name, values) for name, values in tasks.items()]
    folds = (splits or Shuffled())(len(population), tasks)
    features = prepare(np.asarray(population, float))
    penalties = relative_alphas(features, _PENALTIES)
    found, _ = ridge_predictions(features, np.concatenate(tables, axis=1), folds, penalties)
    rows = np.concatenate([fold.test for fold in folds])
    scores = np.split(np.asarray(found), np.cumsum([table.shape[1] for table in tables])[:-1], axis=1)
    values = {
        name: own[:, 0] if _is_number(task) else _margin(own, table[rows])
        for (name, task), own, table in zip(tasks.items(), scores, tables, strict=True)
    }
    return Readouts(values, rows, [len(fold.test) for fold in folds])


def performances(
    readouts: Readouts,
    tasks: dict[str, Shaped[np.ndarray, " presentation"]],
    counts: Real[np.ndarray, "draw presentation"] | None = None,
) -> Float[np.ndarray, "_ task"]:
    """How well each task is read out, (draw, task), on one scale with chance 0 and 1 for a perfect readout.

    Numbers: Pearson r between readout and truth within the folds (see `brainmark.metrics.statistics.correlation.fold_pearson`).
    Labels: accuracy averaged over labels, (accuracy - 1/k) / (1 - 1/k).

    Parameters
    ----------
    readouts : see `task_information`.
    tasks : the same tasks.
    counts : (draw, presentation) how often each presentation counts; None: one draw, each once.
    """
    present = len(next(iter(tasks.values())))
    weights = np.ones((1, present)) if counts is None else np.asarray(counts)
    weights = weights[:, readouts.rows]
    columns: list[np.ndarray] = []
    for name, values in tasks.items():
        readout, truth = readouts.values[name], values[readouts.rows]
        if _is_number(values):
            found = resampled_pearson(readout[:, None], truth.astype(float)[:, None], readouts.sizes, weights)[:, 0]
        else:
            found = _accuracy(readout > 0, truth, weights.astype(float))
        columns.append(found)
    return np.stack(columns, axis=1)


def _accuracy(
    right: Bool[np.ndarray, " row"], labels: Shaped[np.ndarray, " row"], weights: Real[np.ndarray, "draw row"]
) -> Float[np.ndarray, " draw"]:
    """Accuracy averaged over the labels that were drawn, 0 at chance, (draw,)."""
    table = (labels[:, None] == np.unique(labels)).astype(float)
    size = weights @ table
    share = np.where(size > 0, (weights * right) @ table / np.where(size > 0, size, 1), 0.0)
    classes = (size > 0).sum(axis=1)
    chance = 1 / np.maximum(classes, 2)
    return np.where(classes > 1, (share.sum(axis=1) / np.maximum(classes, 1) - chance) / (1 - chance), np.nan)


def information_consistency(
    tasks: Sequence[str] = ("label",),
    neuroids: int | None = None,
    samples: int = 5,
    splits: Splitter | None = None,
    resamples: int = 200,
    seed: int = 0,
) -> Metric:
    """Correlate how well each task is read out from a model's population with how well from a brain's.

    Parameters
    ----------
    tasks : coordinates of the target along presentation, at least three: labels or numbers.
    neuroids : drawn from either side, without replacement; None: as many as the smaller population has.
    samples : populations drawn, whose performances are averaged.
    splits : of presentations; None: ten shuffled folds.
    resamples : bootstrap draws of presentations (of the out-of-fold readouts); 0: no replicates.
    seed : of populations and draws.

    Returns
    -------
    Comparison with one value, the Pearson correlation over tasks; ``details`` has the performances of both sides.
    """
    if len(tasks) < 3:
        raise ValueError(f"a consistency over tasks needs at least three of them, not {len(tasks)}")

    def metric(prediction: xr.DataArray, target: xr.DataArray) -> Comparison:
        wanted = {name: _task(target, name) for name in tasks}
        sides = [_population(side, name) for side, name in ((prediction, "prediction"), (target, "target"))]
        check_same_stimuli(prediction, target)
        size = min(side.shape[1] for side in sides) if neuroids is None else neuroids
        counts = np.vstack([np.ones((1, len(sides[0]))), draws(len(sides[0]), resamples, seed)])
        found = [_sampled(side, wanted, size, samples, splits, counts, seed) for side in sides]
        values = np.array([pearson(*(side[d] for side in found)) for d in range(len(counts))])
        details = {
            f"{who}: {name}": float(side[0, k])
            for who, side in zip(("model", "brain"), found, strict=True)
            for k, name in enumerate(tasks)
        }
        return Comparison(
            xr.DataArray(values[:1], dims=("population",), coords={"population": ["all"]}),
            replicates=values[1:, None] if resamples else None,
            center="mean",
            details=details,
        )

    return metric


def information_by_size(
    population: Real[np.ndarray, "presentation neuroid"],
    tasks: dict[str, Shaped[np.ndarray, " presentation"]],
    sizes: Sequence[int],
    samples: int = 5,
    splits: Splitter | None = None,
    seed: int = 0,
) -> xr.DataArray:
    """Performance (size, task) of populations of growing size drawn from `population` (presentation, neuroid)."""
    ones = np.ones((1, len(population)))
    rows = [_sampled(population, tasks, size, samples, splits, ones, seed)[0] for size in sizes]
    return xr.DataArray(np.stack(rows), dims=("size", "task"), coords={"size": list(sizes), "task": list(tasks)})


def _sampled(
    population: np.ndarray,
    tasks: dict[str, np.ndarray],
    size: int,
    samples: int,
    splits: Splitter | None,
    counts: np.ndarray,
    seed: int,
) -> np.ndarray:
    """Performance (draw, task) averaged over populations of `size` neuroids."""
    available = population.shape[1]
    if not 0 < size <= available:
        raise InvalidMeasurement(f"{size} neuroids are asked for; the population has {available}")
    generator = np.random.default_rng([seed, 4])
    times = 1 if size == available else samples
    parts = [
        performances(
            task_information(population[:, generator.permutation(available)[:size]], tasks, splits), tasks, counts
        )
        for _ in range(times)
    ]
    return np.mean(parts, axis=0)


def _targets(name: str, values: Shaped[np.ndarray, " presentation"]) -> Float[np.ndarray, "presentation _"]:
    """What is regressed on, (presentation, column): the number, standardised, or the labels one-hot."""
    if _is_number(values):
        numbers = values.astype(float)
        spread = numbers.std()
        if not (np.isfinite(numbers).all() and spread > 0):
            raise InvalidMeasurement(f"task {name!r} has missing values or does not vary")
        return ((numbers - numbers.mean()) / spread)[:, None]
    labels = np.unique(values)
    if len(labels) < 2:
        raise InvalidMeasurement(f"task {name!r} has a single label, {str(labels[0])!r}")
    return (values[:, None] == labels).astype(float)


def _margin(scores: Float[np.ndarray, "row label"], table: Real[np.ndarray, "row label"]) -> Float[np.ndarray, " row"]:
    right = (scores * table).sum(axis=1)
    return right - np.where(table > 0, -np.inf, scores).max(axis=1)


def _is_number(values: Shaped[np.ndarray, " ..."]) -> bool:
    return np.asarray(values).dtype.kind in "fiu"


def _task(target: xr.DataArray, name: str) -> Shaped[np.ndarray, " presentation"]:
    values = along_presentations(target, name)
    return values if values.dtype.kind in "fiub" else values.astype(str)


def _population(recording: xr.DataArray, name: str) -> Float[np.ndarray, "presentation neuroid"]:
    """Patterns (presentation, neuroid) of the neuroids that were measured throughout."""
    check_filled(recording, name)
    check_numbers(recording.values, name, missing=True)
    if "repetition" in recording.dims:
        recording = recording.mean("repetition", skipna=True)
    if set(recording.dims) != {"presentation", "neuroid"}:
        raise InvalidMeasurement(f"information is read out of (presentation, neuroid), not {tuple(recording.dims)}")
    values = recording.transpose("presentation", "neuroid").values.astype(float)
    known = np.isfinite(values).all(axis=0)
    if not known.any():
        raise InvalidMeasurement(f"{name}: every neuroid lacks some presentation")
    return values[:, known]
