from __future__ import annotations

import numpy as np
import pytest
import xarray as xr
from sklearn.discriminant_analysis import LinearDiscriminantAnalysis

from brainmark.core.errors import InvalidMeasurement, NotApplicable
from brainmark.metrics.statistics.splits import Fold
from brainmark.metrics.time.temporal import (
    discriminant_probabilities,
    first_crossing,
    sensitivity_over_time,
    solution_times,
)

BINS = np.arange(70, 250, 20)


def recording(values: np.ndarray) -> xr.DataArray:
    """(presentation, neuroid, time_bin[, repetition])."""
    dims = ("presentation", "neuroid", "time_bin", "repetition")[: values.ndim]
    coords = {"time_bin_start": ("time_bin", BINS), "time_bin_end": ("time_bin", BINS + 20)} if values.ndim > 2 else {}
    return xr.DataArray(values, dims=dims, coords=coords)


@pytest.fixture
def ramp() -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """A population whose class signal sets in at a known time for each of 200 images: values, labels, onsets (ms)."""
    generator = np.random.default_rng(0)
    labels = np.array(["bear", "car", "dog", "elk"])[np.arange(200) % 4]
    onset = generator.uniform(80, 200, 200)
    directions = generator.normal(size=(4, 40))[np.arange(200) % 4]
    strength = np.clip((BINS + 10 - onset[:, None]) / 60, 0, 1)
    values = directions[:, :, None] * strength[:, None] + 0.4 * generator.normal(size=(200, 40, len(BINS)))
    return values, labels, onset


def solved_by(onset: np.ndarray, labels: np.ndarray) -> xr.DataArray:
    coords = {"label": ("presentation", labels), "threshold": ("presentation", np.full(len(labels), 2.5))}
    return xr.DataArray(onset, dims=("presentation",), coords=coords)


def test_known_latencies_are_recovered(ramp: tuple[np.ndarray, np.ndarray, np.ndarray]) -> None:
    values, labels, onset = ramp
    comparison = solution_times(resamples=40)(recording(values), solved_by(onset, labels))
    assert comparison.aggregate() > 0.85
    assert comparison.details["share of images solved"] > 0.9
    assert comparison.replicates is not None
    assert comparison.replicates.shape == (40, 1)
    assert np.percentile(comparison.replicates, 2.5) > 0.7
    wrong = np.random.default_rng(1).permutation(200)
    assert solution_times(resamples=0)(recording(values), solved_by(onset[wrong], labels)).aggregate() < 0.25


def test_a_static_model_has_no_solution_times(ramp: tuple[np.ndarray, np.ndarray, np.ndarray]) -> None:
    values, labels, onset = ramp
    static = np.repeat(values[:, :, -1:], len(BINS), axis=2)
    with pytest.raises(NotApplicable, match="alike in all time bins"):
        solution_times(resamples=10)(recording(static), solved_by(onset, labels))


def test_images_that_one_side_never_solves_do_not_count(ramp: tuple[np.ndarray, np.ndarray, np.ndarray]) -> None:
    values, labels, onset = ramp
    brain = solved_by(np.where(np.arange(200) < 20, np.nan, onset), labels)
    comparison = solution_times(resamples=0)(recording(values), brain)
    assert comparison.details["images compared"] <= 180
    noise = np.random.default_rng(2).normal(size=values.shape)
    nothing = solution_times(resamples=7)(
        recording(noise), brain.assign_coords(threshold=("presentation", np.full(200, 9.0)))
    )
    assert np.isnan(nothing.aggregate())
    assert nothing.details["share of images solved"] == 0
    assert nothing.replicates is not None
    assert nothing.replicates.shape == (7, 1)


def test_first_crossing_interpolates() -> None:
    reached = np.array([[0, 2, 0, np.nan, 0], [1, 3, 0, 0, 2], [3, 4, 0, 2, 0.0]])
    found = first_crossing(reached, np.array([2, 1, 1, 1, 2]), np.array([10.0, 20, 30]))
    np.testing.assert_allclose(found, [25, 10, np.nan, 25, 20])


@pytest.mark.parametrize("neuroids", [5, 300])
def test_probabilities_are_scikit_learns(neuroids: int) -> None:
    """Its "auto" shrinkage standardises each neuroid; at unit variance within classes both are Ledoit & Wolf's."""
    from brainmark.metrics.similarity.crossnobis import shrinkage

    generator = np.random.default_rng(3)
    truth = generator.integers(0, 3, 90)
    x = generator.normal(size=(3, neuroids))[truth] + generator.normal(size=(90, neuroids))
    fold = Fold(np.arange(60), np.arange(60, 90))
    means = np.stack([x[:60][truth[:60] == c].mean(axis=0) for c in range(3)])
    level, share = shrinkage(x[:60] - means[truth[:60]])
    theirs = LinearDiscriminantAnalysis(
        solver="lsqr", priors=np.full(3, 1 / 3), covariance_estimator=_Shrunk(means, truth[:60], level, share)
    )
    expected = theirs.fit(x[:60], truth[:60]).predict_proba(x[60:])
    np.testing.assert_allclose(discriminant_probabilities(x, truth, fold, 3), expected, atol=1e-8)


class _Shrunk:
    """The pooled covariance within classes, shrunk as told; scikit-learn fits it class by class and averages."""

    def __init__(self, means: np.ndarray, truth: np.ndarray, level: float, share: float) -> None:
        self.sizes = np.bincount(truth)
        self.level, self.share, self.seen = level, share, 0

    def fit(self, x: np.ndarray) -> _Shrunk:
        within = x - x.mean(axis=0)
        # Weighted by class sizes the classes' covariances average to the pooled one; scikit-learn weighs by priors.
        weight = 3 * len(x) / self.sizes.sum()
        pooled = weight * within.T @ within / len(x)
        self.covariance_ = (1 - self.share) * pooled + self.share * self.level * np.eye(x.shape[1])
        return self

    def get_params(self, deep: bool = True) -> dict[str, object]:
        return {}


def test_sensitivity_rises_with_the_signal(ramp: tuple[np.ndarray, np.ndarray, np.ndarray]) -> None:
    values, labels, _ = ramp
    found = sensitivity_over_time(np.moveaxis(values, 2, 0), labels)
    assert found.shape == (len(BINS), 200)
    mean = found.mean(axis=1)
    assert mean[0] < 0.5
    assert mean[-1] > 2
    shuffled = np.random.default_rng(4).permutation(labels)
    assert abs(sensitivity_over_time(np.moveaxis(values, 2, 0)[-1:], shuffled).mean()) < 0.5


def test_refusals(ramp: tuple[np.ndarray, np.ndarray, np.ndarray]) -> None:
    values, labels, onset = ramp
    target = solved_by(onset, labels)
    with pytest.raises(InvalidMeasurement, match="'neuroid'"):
        solution_times()(recording(values[:, :, 0]), target)
    with pytest.raises(InvalidMeasurement, match="no coordinate 'threshold'"):
        solution_times()(recording(values), target.drop_vars("threshold"))
    with pytest.raises(InvalidMeasurement, match="at least two labels"):
        sensitivity_over_time(np.ones((1, 20, 3)), np.full(20, "cat"))
