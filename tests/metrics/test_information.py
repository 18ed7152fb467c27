from __future__ import annotations

import numpy as np
import pytest
import xarray as xr

from brainmark.core.errors import InvalidMeasurement
from brainmark.metrics.regression.information import (
    information_by_size,
    information_consistency,
    performances,
    task_information,
)
from brainmark.metrics.statistics.resampling import draws
from brainmark.metrics.statistics.splits import LeaveOut

NAMES = ("category", "x", "size", "pose")


@pytest.fixture
def tasks() -> dict[str, np.ndarray]:
    generator = np.random.default_rng(0)
    return {
        "category": np.array(["animal", "car", "face", "plane"])[generator.integers(0, 4, 240)],
        "x": generator.uniform(-1, 1, 240),
        "size": generator.normal(size=240),
        "pose": generator.normal(size=240),
    }


def population(tasks: dict[str, np.ndarray], strength: dict[str, float], seed: int, neuroids: int = 60) -> np.ndarray:
    """Each task is carried by random directions, as strong as told, in unit noise."""
    generator = np.random.default_rng(seed)
    values = generator.normal(size=(240, neuroids))
    for name, task in tasks.items():
        code = (task[:, None] == np.unique(task)) if task.dtype.kind == "U" else task[:, None] / task.std()
        values += strength[name] * code @ generator.normal(size=(code.shape[1], neuroids))
    return values


def recording(values: np.ndarray, tasks: dict[str, np.ndarray] | None = None) -> xr.DataArray:
    coords = {name: ("presentation", task) for name, task in (tasks or {}).items()}
    return xr.DataArray(values, dims=("presentation", "neuroid"), coords=coords)


def test_what_is_stronger_is_read_out_better(tasks: dict[str, np.ndarray]) -> None:
    strength = {"category": 0.5, "x": 0.3, "size": 0.1, "pose": 0.0}
    found = performances(task_information(population(tasks, strength, 1), tasks), tasks)[0]
    assert found[0] > 0.9
    assert found[1] > 0.8
    assert found[2] == pytest.approx(0.5, abs=0.25)
    assert found[3] == pytest.approx(0, abs=0.2)


def test_performances_are_accuracies_and_correlations(tasks: dict[str, np.ndarray]) -> None:
    values = population(tasks, dict.fromkeys(NAMES, 0.15), 2)
    readouts = task_information(values, tasks)
    for count in [np.ones(240, int), *draws(240, 3, 0)]:
        found = performances(readouts, tasks, count[None])[0]
        drawn = np.repeat(np.arange(240), count[readouts.rows])
        truth = tasks["category"][readouts.rows][drawn]
        right = readouts.values["category"][drawn] > 0
        accuracy = np.mean([right[truth == name].mean() for name in np.unique(truth)])
        assert found[0] == pytest.approx((accuracy - 0.25) / 0.75)
        x, y = readouts.values["x"][drawn], tasks["x"][readouts.rows][drawn]
        # Within folds and together differ little where there is much to read out.
        assert found[1] == pytest.approx(np.corrcoef(x, y)[0, 1], abs=0.05)


def test_readouts_are_out_of_fold(tasks: dict[str, np.ndarray]) -> None:
    """More neuroids than images fit anything they have seen."""
    noise = np.random.default_rng(3).normal(size=(240, 1000))
    found = performances(task_information(noise, tasks), tasks)[0]
    np.testing.assert_allclose(found, 0, atol=0.2)


def test_splits_may_follow_a_task(tasks: dict[str, np.ndarray]) -> None:
    values = population(tasks, dict.fromkeys(NAMES, 0.15), 2)
    readouts = task_information(values, tasks, LeaveOut("category"))
    assert readouts.sizes == np.unique(tasks["category"], return_counts=True)[1].tolist()
    assert performances(readouts, tasks)[0, 0] < 0  # a category that was never trained on is never named


def test_a_model_with_the_same_information_is_consistent(tasks: dict[str, np.ndarray]) -> None:
    strength = {"category": 0.5, "x": 0.25, "size": 0.12, "pose": 0.0}
    brain = recording(population(tasks, strength, 4), tasks)
    metric = information_consistency(NAMES, resamples=60)
    same = metric(recording(population(tasks, strength, 5, neuroids=90)), brain)
    assert same.aggregate() > 0.9
    assert same.replicates is not None
    assert same.replicates.shape == (60, 1)
    turned = dict(zip(NAMES, [0.0, 0.12, 0.25, 0.5], strict=True))
    assert metric(recording(population(tasks, turned, 6)), brain).aggregate() < 0
    assert same.details["model: category"] > same.details["model: pose"]


def test_equal_numbers_of_neuroids_are_compared(tasks: dict[str, np.ndarray]) -> None:
    values = population(tasks, dict.fromkeys(NAMES, 0.12), 7, neuroids=200)
    found = information_by_size(values, tasks, (5, 40, 200), samples=3)
    assert found.dims == ("size", "task")
    assert (np.diff(found.mean("task")) > 0).all()


def test_refusals(tasks: dict[str, np.ndarray]) -> None:
    brain = recording(population(tasks, dict.fromkeys(NAMES, 0.2), 8), tasks)
    with pytest.raises(ValueError, match="at least three"):
        information_consistency(("category", "x"))
    with pytest.raises(InvalidMeasurement, match="no coordinate 'hue'"):
        information_consistency((*NAMES, "hue"))(brain, brain)
    with pytest.raises(InvalidMeasurement, match="61 neuroids are asked for; the population has 60"):
        information_consistency(NAMES, neuroids=61)(brain, brain)
    with pytest.raises(InvalidMeasurement, match="'category' has a single label, 'car'"):
        information_consistency(NAMES)(brain, brain.assign_coords(category=("presentation", np.full(240, "car"))))
    with pytest.raises(InvalidMeasurement, match="'x' has missing values or does not vary"):
        information_consistency(NAMES)(brain, brain.assign_coords(x=("presentation", np.ones(240))))
    with pytest.raises(InvalidMeasurement, match="presentation, neuroid"):
        information_consistency(NAMES)(brain.expand_dims("time_bin"), brain)
