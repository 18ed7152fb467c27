from __future__ import annotations

import warnings

import numpy as np
import pytest
import xarray as xr
from scipy.spatial.distance import pdist, squareform
from sklearn.covariance import ledoit_wolf as sklearn_ledoit_wolf

from brainmark.core import InvalidMeasurement
from brainmark.metrics.similarity.crossnobis import crossnobis_rdm, ledoit_wolf, noise_precision
from brainmark.metrics.similarity.rdm import rdm_matrix
from brainmark.metrics.similarity.rsa import rdm, rdm_ceiling

with warnings.catch_warnings():
    warnings.simplefilter("ignore")
    import rsatoolbox


@pytest.fixture
def repeats() -> np.ndarray:
    generator = np.random.default_rng(0)
    return generator.normal(size=(6, 12))[None] + generator.normal(size=(5, 6, 12))


@pytest.fixture
def precision() -> np.ndarray:
    root = np.random.default_rng(1).normal(size=(12, 20))
    return np.linalg.inv(root @ root.T)


def crossnobis_slowly(repeats: np.ndarray, precision: np.ndarray) -> np.ndarray:
    count = repeats.shape[1]
    result = np.zeros((count, count))
    for i in range(count):
        for j in range(count):
            difference = repeats[:, i] - repeats[:, j]
            products = difference @ precision @ difference.T
            result[i, j] = products[~np.eye(len(repeats), dtype=bool)].mean()
    return result


def test_crossnobis_is_the_mean_over_pairs_of_repetitions(repeats: np.ndarray, precision: np.ndarray) -> None:
    np.testing.assert_allclose(crossnobis_rdm(repeats, precision), crossnobis_slowly(repeats, precision), atol=1e-10)
    np.testing.assert_allclose(crossnobis_rdm(repeats), crossnobis_slowly(repeats, np.eye(12)), atol=1e-10)


def test_crossnobis_is_rsatoolboxs(repeats: np.ndarray, precision: np.ndarray) -> None:
    runs, conditions = np.meshgrid(np.arange(5), np.arange(6), indexing="ij")
    data = rsatoolbox.data.Dataset(
        repeats.reshape(30, 12), obs_descriptors={"conditions": conditions.ravel(), "runs": runs.ravel()}
    )
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of its own averaging
        theirs = rsatoolbox.rdm.calc_rdm(
            data, method="crossnobis", descriptor="conditions", cv_descriptor="runs", noise=precision
        )
    found = crossnobis_rdm(repeats, precision) / 12  # theirs is per channel
    np.testing.assert_allclose(found, theirs.get_matrices()[0], atol=1e-10)


def test_runs_that_lack_conditions_are_rsatoolboxs(repeats: np.ndarray, precision: np.ndarray) -> None:
    repeats = repeats + 3 * np.random.default_rng(4).normal(size=12)
    repeats[3:, 1] = repeats[2, 4] = np.nan
    run, condition = np.nonzero(~np.isnan(repeats[..., 0]))
    data = rsatoolbox.data.Dataset(repeats[run, condition], obs_descriptors={"condition": condition, "run": run})
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of its own casts
        theirs = rsatoolbox.rdm.calc_rdm_unbalanced(
            data, method="crossnobis", descriptor="condition", cv_descriptor="run", noise=precision
        )
    np.testing.assert_allclose(crossnobis_rdm(repeats, precision) / 12, theirs.get_matrices()[0], atol=1e-10)


def test_equal_conditions_are_at_zero_whatever_runs_share_and_lack() -> None:
    generator = np.random.default_rng(5)
    found = []
    for _ in range(1000):
        repeats = generator.normal(size=(4, 6, 20)) + 2 * generator.normal(size=(4, 1, 20))
        repeats[2:, :3] = np.nan
        found.append(squareform(crossnobis_rdm(repeats)).mean())
    assert np.mean(found) == pytest.approx(0, abs=4 * np.std(found) / np.sqrt(len(found)))


def test_means_of_complete_conditions_take_off_the_noise_of_a_shared_pattern() -> None:
    generator = np.random.default_rng(6)
    plain, referred = [], []
    for _ in range(200):
        repeats = generator.normal(size=(4, 6, 20)) + 10 * generator.normal(size=20)
        repeats[2:, :3] = np.nan
        plain.append(crossnobis_rdm(repeats)[0, 5])
        referred.append(crossnobis_rdm(repeats - repeats[:, 3:].mean(axis=1, keepdims=True))[0, 5])
    assert np.std(referred) < np.std(plain) / 2
    assert np.mean(referred) == pytest.approx(0, abs=4 * np.std(referred) / np.sqrt(200))


def test_equal_conditions_are_at_zero_for_crossnobis_only() -> None:
    generator = np.random.default_rng(2)
    crossed, plain = [], []
    for _ in range(200):
        noise = generator.normal(size=(6, 2, 30))
        crossed.append(crossnobis_rdm(noise)[0, 1])
        plain.append(rdm_matrix(noise.mean(axis=0), "squared_euclidean")[0, 1])
    assert np.mean(crossed) == pytest.approx(0, abs=4 * np.std(crossed) / np.sqrt(200))
    assert min(crossed) < 0 < max(crossed)
    assert np.mean(plain) == pytest.approx(30 * 2 / 6, rel=0.05)


def test_missing_patterns_leave_the_expected_value_alone() -> None:
    generator = np.random.default_rng(3)
    truth = generator.normal(size=(4, 30))
    found = []
    for _ in range(200):
        repeats = truth + generator.normal(size=(5, 4, 30))
        repeats[3:, 1] = np.nan
        repeats[4, 2] = np.nan
        found.append(crossnobis_rdm(repeats))
    expected = squareform(pdist(truth, "sqeuclidean"))
    error = np.std(found, axis=0) / np.sqrt(200)
    assert (np.abs(np.mean(found, axis=0) - expected) <= 4 * error + 1e-9).all()


def test_a_condition_measured_once_has_no_distance(repeats: np.ndarray) -> None:
    repeats[1:, 2] = np.nan
    matrix = crossnobis_rdm(repeats)
    assert np.isnan(np.delete(matrix[2], 2)).all()
    assert np.isfinite(np.delete(np.delete(matrix, 2, 0), 2, 1)).all()


@pytest.mark.parametrize("shape", [(10, 4), (50, 80)])
def test_shrinkage_is_scikit_learns(shape: tuple[int, int]) -> None:
    residuals = np.random.default_rng(4).normal(size=shape) * np.linspace(1, 3, shape[1])
    np.testing.assert_allclose(
        ledoit_wolf(residuals), sklearn_ledoit_wolf(residuals, assume_centered=True)[0], atol=1e-10
    )


def test_precision_recovers_the_noise() -> None:
    generator = np.random.default_rng(5)
    root = np.diag([1.0, 2.0, 0.5]) + 0.3
    noise = generator.normal(size=(4, 3000, 3)) @ root
    noise[3, ::2] = np.nan
    repeats = noise + generator.normal(size=(3000, 3)) * 5
    np.testing.assert_allclose(np.linalg.inv(noise_precision(repeats)), root.T @ root, atol=0.2)


def test_refusals(repeats: np.ndarray) -> None:
    with pytest.raises(ValueError, match="at least one condition with two repetitions"):
        noise_precision(repeats[:1])
    with pytest.raises(ValueError, match="noise covariance is zero"):
        noise_precision(np.ones((3, 2, 4)))
    repeats[1, 3, 5] = np.nan
    with pytest.raises(ValueError, match="condition 3 in repetition 1 is measured in part only"):
        crossnobis_rdm(repeats)
    with pytest.raises(ValueError, match="2 dimensions"):
        crossnobis_rdm(np.ones((3, 2)))


def test_a_model_is_compared_with_trials() -> None:
    generator = np.random.default_rng(7)
    truth = generator.normal(size=(12, 9))
    trials = truth[..., None] + 0.3 * generator.normal(size=(12, 9, 8))
    target = xr.DataArray(trials, dims=("presentation", "neuroid", "repetition"))
    model = xr.DataArray(truth, dims=("presentation", "neuroid"))
    assert rdm("crossnobis", "pearson", resamples=0)(model, target).aggregate() > 0.9
    assert rdm_ceiling(distance="crossnobis") is None
    with pytest.raises(InvalidMeasurement, match=r"compared as \('repetition'"):
        rdm("crossnobis")(model, target.mean("repetition"))
