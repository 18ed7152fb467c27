from __future__ import annotations

import numpy as np
import pytest
import xarray as xr

from brainmark.core import InvalidMeasurement
from brainmark.metrics.statistics.ceilings import correlate_halves, spearman_brown, split_half
from brainmark.metrics.statistics.resampling import draws


def trials(n: int, q: int, repetitions: np.ndarray | int, noise: float, seed: int = 0) -> xr.DataArray:
    """Signal of variance 1 and `noise` per trial; presentation i has repetitions[i] trials, the rest is NaN."""
    rng = np.random.default_rng(seed)
    counts = np.broadcast_to(repetitions, n)
    signal = rng.standard_normal((n, q))
    signal /= signal.std(0)
    values = signal[:, :, None] + np.sqrt(noise) * rng.standard_normal((n, q, counts.max()))
    values = np.where(np.arange(counts.max()) < counts[:, None, None], values, np.nan)
    return xr.DataArray(values, dims=("presentation", "neuroid", "repetition"))


@pytest.mark.parametrize("noise", [0.5, 2.0, 6.0, 20.0])
@pytest.mark.parametrize("unequal", [False, True])
def test_reliability_is_that_of_the_mean(noise: float, unequal: bool) -> None:
    """The mean of m trials has reliability 1 / (1 + noise / m)."""
    n = 1500
    counts = np.random.default_rng(1).integers(6, 11, size=n) if unequal else np.full(n, 8)
    reliability = 1 / (1 + noise * np.mean(1 / counts))
    found = split_half(resamples=0)(trials(n, 60, counts, noise))
    assert found.details["reliability"] == pytest.approx(reliability, abs=0.012)
    assert found.aggregate() == pytest.approx(np.sqrt(reliability), abs=0.008)
    assert found.replicates is None


def test_scatter_of_single_splits_does_not_lower_the_reliability() -> None:
    """Few, noisy presentations: correcting each split and averaging after is always lower than averaging before."""
    target = trials(40, 3000, 4, noise=4.0)  # reliability .5
    single = np.stack([correlate_halves(target.values, halvings=1, seed=s)[0] for s in range(20)])
    mean = single.mean(0)
    before, after = 2 * mean / (1 + mean), (2 * single / (1 + single)).mean(0)
    assert (after < before).all()
    assert before.mean() == pytest.approx(0.5, abs=0.01)
    assert after.mean() < before.mean() - 0.004


def test_halves_of_the_same_neuroids_recorded_apart() -> None:
    """Neuroids with missing trials are treated as if they had been recorded alone."""
    target = trials(60, 4, 8, noise=1.0)
    target.values[:30, 2, 4:] = np.nan
    target.values[40:, 3, :] = np.nan
    together = split_half(halvings=5, resamples=8)(target)
    for column in (2, 3):
        alone = split_half(halvings=5, resamples=8)(target.isel(neuroid=[column]))
        assert float(together.values[column]) == pytest.approx(float(alone.values[0]), rel=1e-12)
        assert together.replicates is not None
        assert alone.replicates is not None
        np.testing.assert_allclose(together.replicates[:, column], alone.replicates[:, 0], rtol=1e-12)


def test_two_repetitions_have_one_half_each() -> None:
    target = trials(200, 5, 2, noise=1.0)
    first, second = target.values[:, :, 0], target.values[:, :, 1]
    r = [np.corrcoef(a, b)[0, 1] for a, b in zip(first.T, second.T, strict=True)]
    found = correlate_halves(target.values, halvings=200)[0]
    np.testing.assert_allclose(found, r, atol=0.03)


def test_replicates_rest_on_the_draws_of_the_metrics() -> None:
    target = trials(50, 3, 4, noise=1.0)
    counts = draws(50, 6, seed=4)
    r, replicates = correlate_halves(target.values, halvings=3, seed=4, counts=counts)[:2]
    whole, same = correlate_halves(target.values, halvings=3, seed=4, counts=np.ones((1, 50), int))[:2]
    np.testing.assert_allclose(same[0], r, rtol=1e-10)
    np.testing.assert_allclose(whole, r, rtol=1e-12)
    found = split_half(halvings=3, resamples=6, seed=4)(target).replicates
    np.testing.assert_allclose(found, np.sqrt(spearman_brown(replicates)), rtol=1e-12)


def test_neuroids_without_signal_have_no_ceiling_and_that_is_said() -> None:
    noise = np.random.default_rng(2).standard_normal((80, 400, 6))
    found = split_half(resamples=20)(xr.DataArray(noise, dims=("presentation", "neuroid", "repetition")))
    lost = int(np.isnan(found.values).sum())
    assert 120 < lost < 280
    assert f"{lost} of 400 neuroids have no reliable signal (split-half r <= 0)" in found.notes


def test_presentations_with_one_repetition_do_not_count() -> None:
    target = trials(40, 3, 6, noise=1.0)
    more = xr.concat([target, target.isel(presentation=slice(10)).where(target.repetition < 1)], "presentation")
    np.testing.assert_allclose(correlate_halves(more.values)[0], correlate_halves(target.values)[0], rtol=1e-12)
    single = split_half(resamples=5)(target.isel(repetition=[0]))
    assert np.isnan(single.values).all()
    assert single.details == {}


def test_no_repetitions_are_refused() -> None:
    with pytest.raises(InvalidMeasurement, match="needs \\(presentation, neuroid, repetition\\)"):
        split_half()(trials(10, 3, 4, 1.0).mean("repetition"))


def test_spearman_brown() -> None:
    np.testing.assert_allclose(spearman_brown(np.array([0.5, 1.0, 0.0, -0.3])), [2 / 3, 1.0, np.nan, np.nan])


@pytest.mark.parametrize("noise", [1.0, 3.0])
@pytest.mark.parametrize("repetitions", [3, 5, (1, 9), (2, 3, 12)])
def test_halves_that_are_unequal_are_corrected_for_what_they_are(noise: float, repetitions: int | tuple) -> None:
    """One and two of three repetitions correlate less than halves; the whole has presentations of one trial too."""
    n = 3000
    counts = np.resize(repetitions, n)
    target = trials(n, 60, counts, noise)
    reached = [
        np.corrcoef(signal, mean)[0, 1]
        for signal, mean in zip(
            np.random.default_rng(0).standard_normal((n, 60)).T, target.mean("repetition").values.T, strict=True
        )
    ]
    found = split_half(halvings=10, resamples=0)(target)
    assert found.aggregate() == pytest.approx(np.median(reached), rel=0.012)
    assert found.aggregate() == pytest.approx(np.sqrt(1 / (1 + noise * np.mean(1 / counts))), rel=0.012)


def test_draws_are_corrected_for_the_trials_of_their_presentations() -> None:
    target = trials(60, 5, np.resize((1, 2, 3, 8), 60), 1.0)
    found = split_half(halvings=4, resamples=6, seed=3)(target)
    counts = draws(60, 6, 3)
    assert found.replicates is not None
    for k, count in enumerate(counts):
        r = correlate_halves(target.values, 4, 3, count[None])[1][0]
        number = target.notnull().sum("repetition").values[:, 0]
        weight = count * (number > 1)
        half = weight.sum() / (weight / np.maximum(number // 2, 1) / 2 + weight / ((number + 1) // 2) / 2).sum()
        whole = count.sum() / (count / number).sum()
        ratio = whole / half
        np.testing.assert_allclose(found.replicates[k] ** 2, ratio * r / (1 + (ratio - 1) * r), rtol=1e-9)


def test_spearman_brown_of_unequal_parts() -> None:
    """Horst's formula is exact for parts of any size."""
    noise = np.array([0.2, 1.0, 7.0])
    for first, second in ((1, 2), (3, 3), (1, 9)):
        r = 1 / np.sqrt((1 + noise / first) * (1 + noise / second))
        np.testing.assert_allclose(
            spearman_brown(r, first, second, first + second), 1 / (1 + noise / (first + second)), rtol=1e-12
        )
