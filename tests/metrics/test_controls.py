from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import xarray as xr
from scipy import ndimage, stats

from brainmark.core import Comparison, InvalidMeasurement
from brainmark.metrics.language import nuisances
from brainmark.metrics.regression.predictivity import Predictivity, ols, ridge
from brainmark.metrics.statistics.controls import permutation_test, shuffled_minus_contiguous
from brainmark.metrics.statistics.splits import Contiguous, Grouped

PASSAGES = np.repeat(np.arange(48), 4)


def recording(values: np.ndarray) -> xr.DataArray:
    return xr.DataArray(
        values, dims=("presentation", "neuroid"), coords={"story": ("presentation", np.arange(len(values)) // 4)}
    )


def slow_noise(n: int, q: int, seed: int = 0) -> np.ndarray:
    return ndimage.gaussian_filter1d(np.random.default_rng(seed).standard_normal((n, q)), 6, axis=0)


def test_a_model_of_neighbourhood_alone_scores_only_when_neighbours_leak() -> None:
    """OASM on pure autocorrelated noise: high with shuffled folds, nothing with contiguous ones."""
    rng = np.random.default_rng(0)
    passages = np.repeat(np.arange(96), 4)
    y = np.repeat(rng.standard_normal((96, 20)), 4, axis=0) + 0.3 * rng.standard_normal((384, 20))
    oasm = nuisances.autocorrelation(passages, sigma=1.0)
    gap = shuffled_minus_contiguous(ridge(resamples=0), recording(oasm), recording(y), contiguous=Contiguous(8))
    assert gap.shuffled.aggregate() > 0.8
    assert np.isnan(gap.contiguous.aggregate())  # it says the same of every stimulus of another passage
    assert gap.value == gap.shuffled.aggregate()
    assert gap.warning is not None
    assert f"score {gap.value:.2f} higher" in gap.warning


def test_no_gap_no_warning() -> None:
    rng = np.random.default_rng(1)
    x = rng.standard_normal((200, 4))
    gap = shuffled_minus_contiguous(ols(resamples=0), recording(x), recording(x @ rng.standard_normal((4, 5))))
    assert gap.value == pytest.approx(0.0, abs=0.01)
    assert gap.warning is None


def test_autocorrelation_stays_within_its_group() -> None:
    found = nuisances.autocorrelation(["a", "a", "b", "a"], sigma=1.0)
    near, far = np.exp(-0.5), np.exp(-2.0)
    np.testing.assert_allclose(found, [[1, near, 0, far], [near, 1, 0, near], [0, 0, 1, 0], [far, near, 0, 1]])
    np.testing.assert_array_equal(nuisances.autocorrelation(PASSAGES, sigma=0), np.eye(192))


def test_position_is_the_place_within_the_passage() -> None:
    found = nuisances.position(PASSAGES, sigma=0)
    np.testing.assert_array_equal(found, np.tile(np.eye(4), (48, 1)))
    smooth = nuisances.position(["x", "y", "x"], sigma=1.0)
    np.testing.assert_allclose(smooth, [[1, np.exp(-0.5)], [1, np.exp(-0.5)], [np.exp(-0.5), 1]])
    with pytest.raises(InvalidMeasurement, match="sigma"):
        nuisances.position(PASSAGES, sigma=-1)


def test_sizes_of_texts_and_word_rate() -> None:
    np.testing.assert_allclose(nuisances.text_size(["to be", "a  bee", ""]), [[2, 5, 2.5], [2, 6, 3], [0, 0, 0]])
    np.testing.assert_allclose(nuisances.word_rate([0.1, 0.2, 1.5, 3.9], [0, 1, 2, 4]), [[2], [1], [0.5]])
    with pytest.raises(InvalidMeasurement, match="increase"):
        nuisances.word_rate([0.1], [1, 0])


def test_pixels_average_blocks() -> None:
    image = np.zeros((40, 60, 3), np.uint8)
    image[:20, :30] = 255
    found = nuisances.pixels([image, image.astype(float) / 255], size=2)
    np.testing.assert_allclose(found[0], found[1])
    np.testing.assert_allclose(found[0], [1, 1, 1] + [0] * 9 + [0.25, np.sqrt(0.25 * 0.75)])
    with pytest.raises(InvalidMeasurement, match="16 x 16"):
        nuisances.pixels([image[:8]])


def test_acoustic_energy_is_in_decibels() -> None:
    t = np.arange(8000) / 8000
    sound = np.sin(2 * np.pi * 440 * t) * np.where(t < 0.5, 1.0, 0.1)
    sound[t >= 0.75] = 0
    found = nuisances.acoustic_energy([sound], bins=4)[0]
    np.testing.assert_allclose(found, [-3.01, -3.01, -23.01, -100], atol=0.01)
    with pytest.raises(InvalidMeasurement, match="10 stretches"):
        nuisances.acoustic_energy([sound[:5]])


def test_p_values_of_unrelated_data_are_uniform() -> None:
    metric, found = ols(resamples=0), []
    for seed in range(60):
        rng = np.random.default_rng(seed)
        x, y = rng.standard_normal((30, 2)), rng.standard_normal((30, 2))
        found.append(permutation_test(metric, recording(x), recording(y), permutations=39, seed=seed).p)
    assert stats.kstest(np.array(found) - 0.5 / 40, "uniform").pvalue > 0.01
    assert min(found) >= 1 / 40


def test_a_relation_is_found() -> None:
    rng = np.random.default_rng(0)
    x = rng.standard_normal((60, 3))
    y = x @ rng.standard_normal((3, 4)) + rng.standard_normal((60, 4))
    y[5, 1] = np.nan
    found = permutation_test(ols(resamples=0), recording(x), recording(y), permutations=39)
    assert found.p == 1 / 40
    assert found.units_null.shape == (39, 4)
    assert found.value == ols(resamples=0)(recording(x), recording(y)).aggregate()
    assert abs(found.null.mean()) < 0.1


def test_what_is_undefined_is_not_significant(monkeypatch: pytest.MonkeyPatch) -> None:
    rng = np.random.default_rng(0)
    x, y = recording(rng.standard_normal((40, 3))), rng.standard_normal((40, 2))
    assert np.isnan(permutation_test(ols(resamples=0), x, recording(np.ones((40, 2))), 20).p)
    compare, calls = Predictivity.compare, []

    def sometimes(metric: Predictivity, *given: Any) -> Comparison:
        calls.append(1)
        found = compare(metric, *given)
        lost = len(calls) > 1 and len(calls) % 2 == 0  # every other permutation, never the true order
        return replace(found, values=found.values * np.nan) if lost else found

    monkeypatch.setattr(Predictivity, "compare", sometimes)
    found = permutation_test(ols(resamples=0), x, recording(x.values[:, :2] + 0.1 * y), 39)
    assert np.isnan(found.null).sum() == 20
    assert found.p == 21 / 40


def test_shifts_keep_the_autocorrelation_that_shuffling_destroys() -> None:
    """Two slow signals without relation: shuffled permutations call them related too often, shifted ones do not."""
    metric = ols(splits=Grouped("story", 5), resamples=0)
    p = {"shuffle": [], "shift": []}
    for seed in range(30):
        x, y = recording(slow_noise(120, 1, seed)), recording(slow_noise(120, 1, 1000 + seed))
        for how, values in p.items():
            values.append(permutation_test(metric, x, y, 39, seed, how).p <= 0.05)  # type: ignore[arg-type]
    assert np.mean(p["shuffle"]) > 0.15
    assert np.mean(p["shift"]) < 0.15


def test_permutations_within_blocks_keep_what_blocks_share() -> None:
    rng = np.random.default_rng(0)
    block = np.repeat(rng.standard_normal((8, 1)), 15, axis=0) * 5
    x, y = block + rng.standard_normal((120, 1)), block + rng.standard_normal((120, 1))
    day = xr.DataArray(np.repeat(np.arange(8), 15), dims="presentation")
    target = recording(y).assign_coords(day=day)
    free = permutation_test(ols(resamples=0), recording(x), target, 39)
    kept = permutation_test(ols(resamples=0), recording(x), target, 39, within="day")
    assert free.p == 1 / 40
    assert kept.p > 0.05
    assert kept.null.mean() > 0.8
    with pytest.raises(InvalidMeasurement, match="no coordinate 'week'"):
        permutation_test(ols(), recording(x), target, 39, within="week")
    with pytest.raises(InvalidMeasurement, match="10 permutations"):
        permutation_test(ols(), recording(x), target, 10)
