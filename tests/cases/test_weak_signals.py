"""Weak data: what is true reaches the ceiling, also where many neurons have no reliable signal by chance.

Guards against ceilings of those neurons alone whose halves of trials agree by luck (the true model then scored .4 to
.85), and against draws of conditions that rest on one pair or two.
"""

from __future__ import annotations

import numpy as np
import pytest
import xarray as xr

from brainmark.core.comparison import Comparison
from brainmark.core.errors import InvalidMeasurement
from brainmark.core.score import make_score
from brainmark.core.time_bins import each_time_bin, each_time_bin_ceiling
from brainmark.metrics.similarity.rdm_resampling import resample_agreement, resample_rdms
from brainmark.metrics.statistics.ceilings import split_half


def record(strength: float, trials: int, seed: int, neuroids: int = 60) -> tuple[np.ndarray, xr.DataArray]:
    """The true responses (100 stimuli), and trials of them with noise of variance 1."""
    generator = np.random.default_rng(seed)
    signal = generator.standard_normal((100, neuroids)) * np.sqrt(strength)
    values = signal[..., None] + generator.standard_normal((100, neuroids, trials))
    return signal, xr.DataArray(values, dims=("presentation", "neuroid", "repetition"))


def correlate(prediction: xr.DataArray, target: xr.DataArray) -> Comparison:
    pairs = zip(prediction.values.T, target.values.T, strict=True)
    return Comparison(xr.DataArray([np.corrcoef(x, y)[0, 1] for x, y in pairs], dims="neuroid"))


@pytest.mark.parametrize(("strength", "trials"), [(1.0, 4), (0.1, 2), (0.03, 4), (0.03, 10)])
def test_the_true_model_scores_one_however_weak_the_signal(strength: float, trials: int) -> None:
    values = []
    for seed in range(8):
        signal, target = record(strength, trials, seed)
        truth = xr.DataArray(signal, dims=("presentation", "neuroid"))
        raw = correlate(truth, target.mean("repetition"))
        values.append(make_score("b", "truth", raw, split_half(halvings=10, resamples=0)(target), {}).value)
    assert np.mean(values) == pytest.approx(1, abs=0.07)


def test_noise_alone_has_no_ceiling_though_some_neurons_agree_by_chance() -> None:
    _, target = record(0.0, 4, 1, neuroids=41)
    top = split_half(halvings=10, resamples=0)(target)
    assert top.no_signal is not None
    assert np.array_equal(top.no_signal, np.isnan(top.values.values))
    if top.no_signal.mean() > 0.5:
        with pytest.raises(InvalidMeasurement, match="the ceiling is 0, so these data have no reliable signal"):
            make_score("b", "m", correlate(target.mean("repetition"), target.mean("repetition")), top, {})
    counted = top.count_all()
    assert np.isfinite(counted.values.values).all()
    assert counted.count_all() is counted


def test_neurons_that_were_not_measured_twice_stay_out() -> None:
    _, target = record(1.0, 3, 0, neuroids=4)
    target[:, 0, 1:] = np.nan
    top = split_half(resamples=0)(target)
    assert np.isnan(top.count_all().values.values).tolist() == [True, False, False, False]


def test_bins_before_the_response_count_in_metric_and_ceiling_alike() -> None:
    signal, late = record(0.5, 4, 3, neuroids=30)
    _, early = record(0.0, 4, 4, neuroids=30)
    target = xr.concat([early, late], "time_bin").transpose("presentation", "neuroid", "time_bin", "repetition")
    truth = np.stack([np.random.default_rng(0).standard_normal(signal.shape), signal], axis=-1)
    raw = each_time_bin(correlate)(
        xr.DataArray(truth, dims=("presentation", "neuroid", "time_bin")), target.mean("repetition")
    )
    top = each_time_bin_ceiling(split_half(halvings=10, resamples=0))(target)
    assert raw.array[1] / top.array[1] == pytest.approx(1, abs=0.05)
    assert top.array[0] < 0.25  # the mean of those that are positive by chance would be .4


def square(vector: np.ndarray, size: int) -> np.ndarray:
    matrix = np.zeros((size, size))
    matrix[np.triu_indices(size, 1)] = vector
    return matrix + matrix.T


@pytest.mark.parametrize("compare", ["pearson", "spearman", "cosine", "rho-a", "tau-a", "whitened-cosine"])
def test_a_draw_of_one_or_two_pairs_is_undefined_however_often_they_are_drawn(compare: str) -> None:
    generator = np.random.default_rng(0)
    one, other = (square(generator.random(6), 4) for _ in range(2))
    other[0, 1] = other[1, 0] = np.nan
    counts = np.array([[1, 1, 2, 0], [2, 0, 2, 0], [1, 0, 1, 2], [1, 1, 1, 1], [4, 0, 0, 0]])
    found = resample_rdms(one, other[None], counts, compare)[:, 0]
    assert np.isfinite(found).tolist() == [False, False, True, True, False]


def test_agreement_between_subjects_needs_three_pairs_as_well() -> None:
    generator = np.random.default_rng(0)
    rdms = np.stack([square(generator.random(6), 4) for _ in range(3)])
    found = resample_agreement(rdms, np.array([[2, 2, 0, 0], [1, 1, 2, 0], [1, 1, 1, 1]]), "spearman")
    assert np.isfinite(found).tolist() == [False, True, True]
