from __future__ import annotations

import numpy as np
import pytest
import xarray as xr
from scipy.optimize import linear_sum_assignment

from brainmark.core.errors import InvalidMeasurement
from brainmark.metrics.time.dynamics import dynamic_similarity, eigenvalue_distance, fit_dynamics


def rotation(angle: float, decay: float) -> np.ndarray:
    return decay * np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])


def trajectories(step: np.ndarray, neuroids: int = 20, seed: int = 0, noise: float = 0.0) -> np.ndarray:
    """(trial, time, neuroid) of x' = step x from random starts, seen through a random linear map."""
    generator = np.random.default_rng(seed)
    state = generator.normal(size=(60, len(step)))
    states = [state]
    for _ in range(24):
        states.append(states[-1] @ step.T)
    seen = np.stack(states, axis=1) @ generator.normal(size=(len(step), neuroids))
    return seen + noise * generator.normal(size=seen.shape)


def recording(values: np.ndarray) -> xr.DataArray:
    return xr.DataArray(values, dims=("presentation", "time_bin", "neuroid"))


@pytest.mark.parametrize("delays", [1, 3])
def test_eigenvalues_of_a_linear_system_are_found(delays: int) -> None:
    step = np.zeros((4, 4))
    step[:2, :2], step[2:, 2:] = rotation(0.4, 0.95), rotation(1.2, 0.8)
    values = trajectories(step)
    values -= values.mean(axis=(0, 1))
    found = np.linalg.eigvals(fit_dynamics(trajectories(step), delays, rank=4))
    expected = np.linalg.eigvals(step)
    for value in expected:
        assert np.abs(found - value).min() < 0.02


def test_the_penalty_is_in_units_of_the_mean_squared_singular_value() -> None:
    """One dimension: x' = a x is fitted by a s / (s + ridge s), whatever the scale; several: each by its own s."""
    values = 5 * trajectories(np.diag([0.9, 0.5]), neuroids=2, noise=0.0)
    centred = values - values.mean(axis=(0, 1))
    before, after = centred[:, :-1].reshape(-1, 2), centred[:, 1:].reshape(-1, 2)
    white = np.linalg.svd(centred.reshape(-1, 2), full_matrices=False)
    basis = white[2].T / white[1]
    x, y = before @ basis, after @ basis
    penalty = 0.4 * np.trace(x.T @ x) / 2
    expected = np.linalg.eigvals(np.linalg.solve(x.T @ x + penalty * np.eye(2), x.T @ y))
    found = np.linalg.eigvals(fit_dynamics(values, rank=2, ridge=0.4))
    np.testing.assert_allclose(np.sort(found.real), np.sort(expected.real), atol=1e-9)


def test_rotation_and_decay_of_the_same_geometry_differ() -> None:
    """Circles run through slowly are the same points as circles run through fast: geometry cannot tell them apart."""
    slow, fast = trajectories(rotation(0.2, 1.0)), trajectories(rotation(1.0, 1.0))
    same = trajectories(rotation(0.2, 1.0), neuroids=35, seed=1)
    metric = dynamic_similarity(rank=2, resamples=0)
    assert metric(recording(slow), recording(same)).aggregate() == pytest.approx(1, abs=0.01)
    assert metric(recording(slow), recording(fast)).aggregate() == pytest.approx(
        1 - abs(np.exp(0.2j) - np.exp(1j)) / 2, abs=0.02
    )


def test_any_view_of_the_states_gives_the_same_value() -> None:
    generator = np.random.default_rng(2)
    one, other = trajectories(rotation(0.3, 0.9), noise=0.05), trajectories(rotation(0.7, 0.95), seed=3, noise=0.05)
    turned = one @ np.linalg.qr(generator.normal(size=(20, 20)))[0] * 7 + 3
    metric = dynamic_similarity(delays=2, rank=4, resamples=0)
    assert metric(recording(turned), recording(other)).aggregate() == pytest.approx(
        metric(recording(one), recording(other)).aggregate(), abs=1e-8
    )
    assert metric(recording(other), recording(one)).aggregate() == pytest.approx(
        metric(recording(one), recording(other)).aggregate()
    )
    assert metric(recording(one), recording(one)).aggregate() == pytest.approx(1)


def test_replicates_are_those_of_the_drawn_trials() -> None:
    one, other = trajectories(rotation(0.3, 0.9), noise=0.1), trajectories(rotation(0.5, 0.9), seed=3, noise=0.1)
    found = dynamic_similarity(rank=2, ridge=0.0, resamples=30, seed=1)(recording(one), recording(other)).replicates
    assert found is not None
    assert found.shape == (30, 1)
    assert 1e-5 < found.std() < 0.1
    same = dynamic_similarity(rank=2, ridge=0.0, resamples=3, seed=1)(recording(one), recording(other)).replicates
    np.testing.assert_array_equal(same, found[:3])


def test_eigenvalue_distance_is_the_best_matching() -> None:
    assert eigenvalue_distance(np.diag([1.0, 0.5]), np.diag([0.4, 1.0])) == pytest.approx(0.05)
    assert eigenvalue_distance(np.diag([1.0, 0.0]), np.diag([1.0])) == pytest.approx(0.5)
    assert eigenvalue_distance(rotation(0.3, 0.9), rotation(0.3, 0.9).T) == pytest.approx(0)


def test_spectra_of_any_sizes_are_matched_with_equal_shares() -> None:
    """Against repeating each spectrum until both have one length; that of 150 and 151 would have 22,650 entries."""
    generator = np.random.default_rng(3)
    one, other = generator.normal(size=(4, 4)), generator.normal(size=(6, 6))
    a, b = np.repeat(np.linalg.eigvals(one), 3), np.repeat(np.linalg.eigvals(other), 2)
    distance = np.abs(a[:, None] - b)
    expected = distance[linear_sum_assignment(distance)].mean()
    assert eigenvalue_distance(one, other) == pytest.approx(expected)
    near = eigenvalue_distance(np.diag(np.linspace(0, 1, 150)), np.diag(np.linspace(0, 1, 151)))
    assert near < 0.01


def test_refusals() -> None:
    values = trajectories(rotation(0.3, 0.9))
    with pytest.raises(ValueError, match="2 dimensions"):
        fit_dynamics(values[0])
    with pytest.raises(ValueError, match="one step of states of 25 times"):
        fit_dynamics(values, delays=25)
    with pytest.raises(ValueError, match="do not vary"):
        fit_dynamics(np.ones((4, 5, 3)))
    with pytest.raises(InvalidMeasurement, match="do not vary"):
        dynamic_similarity()(recording(np.ones((4, 5, 3))), recording(np.ones((4, 5, 3))))
    with pytest.raises(InvalidMeasurement, match="presentations and time bins"):
        dynamic_similarity()(recording(values[1:]), recording(values))
    with pytest.raises(InvalidMeasurement, match="populations are compared as"):
        dynamic_similarity()(recording(values).isel(time_bin=0), recording(values))
    holed = values.copy()
    holed[:, 0] = np.nan
    with pytest.raises(InvalidMeasurement, match="target: every neuroid has a stimulus"):
        dynamic_similarity()(recording(values), recording(holed))
