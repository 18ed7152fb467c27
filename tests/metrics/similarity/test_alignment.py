from __future__ import annotations

import numpy as np
import pytest
import xarray as xr

from brainmark.core.errors import InvalidMeasurement
from brainmark.metrics.similarity.alignment import Kernel, cka, cka_ceiling, procrustes, resample_cka
from brainmark.metrics.similarity.geometry import linear_cka, procrustes_similarity
from brainmark.metrics.statistics.resampling import draws


def recording(values: np.ndarray) -> xr.DataArray:
    return xr.DataArray(values, dims=("presentation", "neuroid", "repetition")[: values.ndim])


@pytest.fixture
def signal() -> np.ndarray:
    generator = np.random.default_rng(0)
    return generator.normal(size=(80, 5)) @ generator.normal(size=(5, 25))


def test_cka_is_one_number_with_its_replicates(signal: np.ndarray) -> None:
    model = signal[:, :10] + np.random.default_rng(1).normal(size=(80, 10))
    comparison = cka(resamples=30)(recording(model), recording(signal))
    assert comparison.values.dims == ("population",)
    assert comparison.aggregate() == pytest.approx(linear_cka(model, signal))
    assert comparison.replicates is not None
    assert comparison.replicates.shape == (30, 1)
    assert np.std(comparison.replicates) > 0


@pytest.mark.parametrize("noise", [0.5, 2.0, 6.0])
def test_the_true_population_reaches_its_ceiling(signal: np.ndarray, noise: float) -> None:
    ratios = []
    for seed in range(5):
        trials = signal[..., None] + noise * np.random.default_rng(seed).normal(size=(*signal.shape, 6))
        target = recording(trials)
        raw = cka(resamples=0)(recording(signal), target.mean("repetition")).aggregate()
        ceiling = cka_ceiling(resamples=0)(target).aggregate()
        ratios.append(raw / ceiling)
    assert np.mean(ratios) == pytest.approx(1, abs=0.03)


def test_ceiling_copes_with_unequal_numbers_of_trials(signal: np.ndarray) -> None:
    trials = signal[..., None] + np.random.default_rng(3).normal(size=(*signal.shape, 6))
    trials[::3, :, 4:] = np.nan
    ceiling = cka_ceiling(resamples=20)(recording(trials))
    assert 0.8 < ceiling.aggregate() < 1
    assert ceiling.replicates is not None
    assert ceiling.replicates.shape == (20, 1)
    trials[5, 0, 1:] = np.nan
    assert "1 of" in cka(resamples=0)(recording(signal), recording(trials)).notes[0]
    assert cka_ceiling(resamples=0)(recording(trials)).aggregate() < 1
    trials[5, :, 1:] = np.nan
    with pytest.raises(InvalidMeasurement, match="no neuroid has two repetitions"):
        cka_ceiling(resamples=0)(recording(trials))


def test_procrustes_replicates_are_those_of_the_drawn_stimuli(signal: np.ndarray) -> None:
    from brainmark.metrics.statistics.resampling import draws

    model = signal[:, :10] + np.random.default_rng(1).normal(size=(80, 10))
    comparison = procrustes(resamples=5, seed=2)(recording(model), recording(signal))
    assert comparison.replicates is not None
    for found, count in zip(comparison.replicates[:, 0], draws(80, 5, 2), strict=True):
        drawn = np.repeat(np.arange(80), count)
        assert found == pytest.approx(procrustes_similarity(model[drawn], signal[drawn]))


def test_neuroids_that_lack_a_stimulus_are_left_out(signal: np.ndarray) -> None:
    holed = signal.copy()
    holed[3, 7] = np.nan
    comparison = cka(resamples=0)(recording(signal), recording(holed))
    assert comparison.aggregate() == pytest.approx(linear_cka(signal, np.delete(signal, 7, axis=1)))
    assert "target: 1 of 25 neuroids lack a stimulus" in comparison.notes[0]


def test_refusals(signal: np.ndarray) -> None:
    with pytest.raises(InvalidMeasurement, match="'time_bin'"):
        cka()(recording(signal).expand_dims("time_bin"), recording(signal))
    with pytest.raises(InvalidMeasurement, match="79 predicted presentations for 80"):
        cka()(recording(signal[1:]), recording(signal))
    with pytest.raises(InvalidMeasurement, match="every neuroid has a stimulus"):
        cka()(recording(signal), recording(np.where(np.eye(80, 25) > 0, np.nan, signal)))
    with pytest.raises(InvalidMeasurement, match="repetition"):
        cka_ceiling()(recording(signal))


@pytest.mark.parametrize("kernel", ["linear", "rbf"])
def test_draws_of_unrelated_populations_spread_as_far_as_their_alignment_does(kernel: Kernel) -> None:
    """Draws with replacement triple what pairs of stimuli alone bring: intervals were too wide by 1.7."""
    values, spread = [], []
    for seed in range(40):
        x, y = np.random.default_rng(seed).normal(size=(2, 40, 6))
        found = cka(resamples=40, kernel=kernel)(x, y)
        assert found.replicates is not None
        values.append(found.aggregate())
        spread.append(found.replicates.var())
    assert 0.75 < np.std(values) / np.sqrt(np.mean(spread)) < 1.25


def test_draws_of_a_population_with_itself_and_noise_keep_their_spread(signal: np.ndarray) -> None:
    """What single stimuli bring is not of pairs: draws stay nearly as wide as they are."""
    noisy = signal + 0.5 * np.random.default_rng(0).normal(size=signal.shape)
    found = cka(resamples=100)(signal, noisy)
    centred = [side - side.mean(axis=0) for side in (signal, noisy)]
    plain = resample_cka(*(side @ side.T for side in centred), draws(len(signal), 100).astype(float))
    assert found.replicates is not None
    assert 0.8 < found.replicates.std() / plain.std() <= 1
