from __future__ import annotations

import numpy as np
import pytest
import xarray as xr

from brainmark.core import Comparison, InvalidMeasurement, metrics
from brainmark.core.score import make_score
from brainmark.metrics.regression.predictivity import Predictivity, note_edges, ols, pls, ridge, widen_for_training
from brainmark.metrics.statistics.ceilings import split_half
from brainmark.metrics.statistics.splits import Contiguous, Grouped, Shuffled


def recording(values: np.ndarray, prefix: str = "s") -> xr.DataArray:
    n, q = values.shape[:2]
    return xr.DataArray(
        values,
        dims=("presentation", "neuroid", "repetition")[: values.ndim],
        coords={
            "stimulus_id": ("presentation", [f"{prefix}{i:04d}" for i in range(n)]),
            "neuroid_id": ("neuroid", [f"n{i}" for i in range(q)]),
            "region": ("neuroid", ["V4"] * q),
        },
    )


def simulated_brain(
    n: int, p: int, q: int, trials: int, noise: float, seed: int = 0
) -> tuple[xr.DataArray, xr.DataArray]:
    """Features and trials of neuroids that are linear in the features; signal variance 1, `noise` per trial."""
    rng = np.random.default_rng(seed)
    x = rng.standard_normal((n, p))
    signal = x @ rng.standard_normal((p, q))
    signal /= signal.std(0)
    return recording(x), recording(signal[:, :, None] + np.sqrt(noise) * rng.standard_normal((n, q, trials)))


ALL = {"pls": pls(components=10, resamples=50), "ridge": ridge(resamples=50), "ols": ols(resamples=50)}


@pytest.mark.parametrize("name", ALL)
def test_a_noiseless_linear_brain_is_predicted(name: str) -> None:
    features, trials = simulated_brain(200, 10, 12, 1, noise=0.0)
    comparison = ALL[name](features, trials.isel(repetition=0))
    assert comparison.values.min() > 0.999
    assert comparison.values.dims == ("neuroid",)
    assert list(comparison.values.coords["neuroid_id"].values) == [f"n{i}" for i in range(12)]
    assert comparison.splits is not None
    assert comparison.splits.shape == (10, 12)
    assert comparison.replicates is not None
    assert comparison.replicates.shape == (50, 12)


@pytest.mark.parametrize("noise", [0.5, 2.0, 8.0])
def test_the_true_model_reaches_the_ceiling(noise: float) -> None:
    features, trials = simulated_brain(2000, 8, 60, 8, noise, seed=int(noise * 10))
    raw = ridge(resamples=50)(features, trials.mean("repetition"))
    score = make_score("b", "true model", raw, split_half(resamples=50)(trials), {})
    assert score.value == pytest.approx(1.0, abs=0.02)
    assert score.ceiling == pytest.approx(np.sqrt(8 / (8 + noise)), abs=0.02)


@pytest.mark.parametrize(("name", "p"), [(m, p) for m in ALL for p in (3, 20, 150)])
def test_without_a_relation_r_is_zero_on_average_not_negative(name: str, p: int) -> None:
    rng = np.random.default_rng(p)
    metric = Predictivity(ALL[name].predict, ALL[name].splits, resamples=0)
    means = [
        metric(recording(rng.standard_normal((60, p))), recording(rng.standard_normal((60, 60)))).values.mean()
        for _ in range(10)
    ]
    error = np.std(means) / np.sqrt(len(means))
    assert abs(np.mean(means)) < max(0.02, 3 * error)
    assert error < 0.02


def test_shuffled_labels_give_zero() -> None:
    features, trials = simulated_brain(300, 20, 80, 3, noise=1.0)
    order = np.random.default_rng(5).permutation(300)
    target = trials.mean("repetition")
    for metric in ALL.values():
        assert abs(metric(features.copy(data=features.values[order]), target).aggregate()) < 0.05


def test_a_negative_relation_keeps_its_sign() -> None:
    """A relation that turns between training and test is scored below zero, not squared away."""
    rng = np.random.default_rng(0)
    x = rng.standard_normal((200, 1))
    block = np.repeat(np.arange(4), 50)
    y = x * np.where(block == 3, -4.0, 1.0)[:, None] * np.ones((1, 3))
    comparison = ols(splits=Contiguous(4), resamples=0)(recording(x), recording(y))
    assert comparison.splits is not None
    assert (comparison.splits.isel(split=3) < -0.99).all()


def test_neuroids_measured_on_other_presentations_are_fitted_on_those() -> None:
    features, trials = simulated_brain(150, 20, 9, 1, noise=0.5)
    target = trials.isel(repetition=0).copy()
    target.values[100:, 3:6] = np.nan
    for metric in ALL.values():
        both = metric(features, target)
        whole = metric(features, target.isel(neuroid=[0, 1, 2, 6, 7, 8]))
        np.testing.assert_allclose(both.values.values[[0, 1, 2, 6, 7, 8]], whole.values.values, atol=1e-9)
        assert both.values.values[3:6].min() > 0.4
        assert both.replicates is not None
        assert np.isfinite(both.replicates).all()


def test_a_part_of_the_presentations_gives_what_it_gives_alone() -> None:
    features, trials = simulated_brain(120, 15, 4, 1, noise=0.3)
    target = trials.isel(repetition=0).copy()
    target.values[::2] = np.nan
    target.values[:, 0] = trials.values[:, 0, 0]
    halves = {0: slice(None), 1: slice(1, None, 2)}
    for column, rows in halves.items():
        alone = ols(splits=_Given(), resamples=0)(
            features.isel(presentation=rows), target.isel(presentation=rows, neuroid=[column])
        )
        joint = ols(splits=_Given(), resamples=0)(features, target)
        assert float(joint.values[column]) == pytest.approx(float(alone.values[0]), abs=1e-9)


class _Given:
    """Two folds that do not depend on which other presentations there are, given by the stimulus."""

    def __call__(self, n, labels=None):
        from brainmark.metrics.statistics.splits import Fold

        first = np.array([int(s[1:]) % 4 < 2 for s in labels["stimulus_id"]])
        return Fold(np.flatnonzero(first), np.flatnonzero(~first)), Fold(np.flatnonzero(~first), np.flatnonzero(first))


def test_constant_target_and_constant_prediction_are_undefined_and_said() -> None:
    features, trials = simulated_brain(100, 5, 4, 1, noise=0.5)
    target = trials.isel(repetition=0).copy()
    target.values[:, 2] = 3.7
    for metric in ALL.values():
        comparison = metric(features, target)
        assert np.isnan(comparison.values.values).tolist() == [False, False, True, False]
        assert any("undefined for 1 of 4" in note for note in comparison.notes)
        blind = metric(features.copy(data=np.full(features.shape, 2.5)), target)
        assert np.isnan(blind.values.values).all()


def test_too_few_components_and_too_few_presentations_are_said() -> None:
    features, trials = simulated_brain(60, 4, 6, 1, noise=0.5)
    target = trials.isel(repetition=0).copy()
    comparison = pls(components=25, resamples=0)(features, target)
    assert comparison.notes == ("PLS used 4 of 25 components: the data do not carry more",)
    target.values[2:, 1] = np.nan  # two neuroids on two presentations, but not the same ones
    target.values[:58, 2] = np.nan
    target.values[:, 3] = 2.0
    comparison = ols(splits=Shuffled(2), resamples=3)(features, target)
    assert np.isnan(comparison.values.values).tolist() == [False, True, True, True, False, False]
    assert comparison.notes == (
        "r is undefined for 2 of 6 neuroids (measured on 2 presentations at most, too few for folds that test 3)",
        "r is undefined for 1 of 6 neuroids (constant responses)",
    )


@pytest.mark.parametrize("neuroids", [3, 60])
def test_constant_targets_of_any_number_leave_pls_without_components(neuroids: int) -> None:
    features, _ = simulated_brain(40, 5, 2, 1, noise=0.5)
    found = pls(components=3, resamples=0)(features.values, np.full((40, neuroids), 2.0))
    assert np.isnan(found.values.values).all()
    assert "PLS used 0 of 3 components: the data do not carry more" in found.notes


def test_a_mapping_says_when_its_penalties_end_at_the_edge() -> None:
    features, trials = simulated_brain(80, 5, 4, 1, noise=0.01)
    target = trials.isel(repetition=0)
    found = ridge(alphas=[1e3, 1e4], resamples=0)(features, target)
    assert found.notes == ("chosen penalties at an edge of the grid: 100.0% at the lower edge",)
    assert ridge(alphas=[1e3], resamples=0)(features, target).notes == ()
    grid = np.array([1.0, 10.0])
    assert note_edges(np.repeat(grid, [1, 9])[None], np.array([0.1, 1.0, 10.0, 100.0])) == ()
    assert note_edges(np.repeat(grid, [2, 8])[None], grid) == (
        "chosen penalties at an edge of the grid: 20.0% at the lower edge, 80.0% at the upper edge",
    )


def test_replicates_follow_the_shared_draws() -> None:
    features, trials = simulated_brain(80, 5, 3, 1, noise=1.0)
    target = trials.isel(repetition=0)
    first, second = (ridge(resamples=40, seed=s)(features, target).replicates for s in (0, 0))
    assert first is not None
    np.testing.assert_array_equal(first, second)
    other = ridge(resamples=40, seed=1)(features, target).replicates
    assert other is not None
    assert np.abs(first - other).max() > 1e-3


def test_splitters_use_coordinates_of_the_presentations() -> None:
    features, trials = simulated_brain(90, 5, 3, 1, noise=0.1)
    target = trials.isel(repetition=0).assign_coords(story=("presentation", np.repeat(list("abcdefghi"), 10)))
    comparison = ols(splits=Grouped("story", folds=3), resamples=0)(features, target)
    assert comparison.values.min() > 0.9
    with pytest.raises(InvalidMeasurement, match="no coordinate 'passage'"):
        ols(splits=Grouped("passage", folds=3))(features, target)


def test_what_does_not_fit_is_refused() -> None:
    features, trials = simulated_brain(50, 5, 3, 2, noise=0.1)
    target = trials.mean("repetition")
    with pytest.raises(InvalidMeasurement, match="repetition"):
        ols()(features, trials)
    with pytest.raises(InvalidMeasurement, match="49 predicted presentations for 50"):
        ols()(features.isel(presentation=slice(1, None)), target)
    with pytest.raises(InvalidMeasurement, match=r"presentation 0 is stimulus_id 's0049'"):
        ols()(features.isel(presentation=slice(None, None, -1)), target)
    with pytest.raises(InvalidMeasurement, match="5 presentations are too few"):
        ols()(features.isel(presentation=slice(5)), target.isel(presentation=slice(5)))
    with pytest.raises(InvalidMeasurement, match=r"features: .* NaN, infinite"):
        ols()(features.where(features > -2), target)


@pytest.mark.parametrize("name", ["pls", "ridge", "ols"])
def test_registered_metrics_make_comparisons(name: str) -> None:
    features, trials = simulated_brain(60, 5, 3, 1, noise=0.1)
    comparison = metrics[name].load(resamples=5)(features, trials.isel(repetition=0))
    assert isinstance(comparison, Comparison)
    assert comparison.aggregate() > 0.9


def spreads(fit: Predictivity, n: int, related: float = 0.0) -> tuple[float, float]:
    """How far r of neuroids of one signal, with noise of their own, lies from that of others; how far its draws do."""
    rng = np.random.default_rng(n)
    x = rng.normal(size=(n, 30))
    y = related * (x @ rng.normal(size=30))[:, None] + rng.normal(size=(n, 250))
    found = fit(x, y)
    assert found.replicates is not None
    return float(found.array.std()), float(np.sqrt(np.mean(np.var(found.replicates, axis=0))))


def test_without_a_relation_draws_spread_as_far_as_r_does() -> None:
    """Predictions of folds share training rows: draws that keep them were too narrow by 1.4, coverage .78."""
    of_neuroids, of_draws = spreads(ridge(resamples=60), 150)
    assert 0.85 < of_neuroids / of_draws < 1.2


def test_draws_of_a_mapping_that_is_well_known_are_not_widened() -> None:
    folds = Shuffled(10)(150)
    drawn = np.random.default_rng(0).normal(0.5, 0.05, size=(40, 3))
    truth = np.random.default_rng(1).normal(size=(150, 3))
    known = widen_for_training(drawn, np.full(3, 0.5), folds, lambda fold: truth[fold.test])
    np.testing.assert_allclose(known, drawn)
    noise = np.random.default_rng(2)
    unknown = widen_for_training(drawn, np.full(3, 0.5), folds, lambda fold: noise.normal(size=(len(fold.test), 3)))
    ratio = np.std(unknown) / np.std(drawn)
    assert 1.25 < ratio <= 2**0.5 + 1e-9
