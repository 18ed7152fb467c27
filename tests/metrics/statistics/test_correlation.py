from __future__ import annotations

import numpy as np
import pytest
from scipy import special, stats

from brainmark.metrics.statistics.correlation import (
    correct_attenuation,
    fold_pearson,
    pearson,
    pearson_of_blocks,
    resample_pearson,
)
from brainmark.metrics.statistics.resampling import draws

RNG = np.random.default_rng(0)
X = RNG.standard_normal((90, 6))
Y = 0.6 * X + RNG.standard_normal((90, 6)) + 100.0
SIZES = [30, 25, 35]


def test_pearson_is_that_of_scipy() -> None:
    expected = [stats.pearsonr(X[:, j], Y[:, j]).statistic for j in range(6)]
    np.testing.assert_allclose(pearson(X, Y), expected, rtol=1e-12)


def test_pearson_of_a_constant_is_undefined_however_large() -> None:
    constant = np.full((90, 6), 1e9 / 3)
    assert np.isnan(pearson(X, constant)).all()
    assert np.isnan(pearson(constant, Y)).all()
    assert np.isfinite(pearson(X * 1e-3 + 1e6, Y)).all()


def test_fold_pearson_is_the_weighted_mean_of_corrected_folds() -> None:
    ends = np.cumsum(SIZES)
    expected = (
        sum(s * correct_attenuation(pearson(X[e - s : e], Y[e - s : e]), s) for s, e in zip(SIZES, ends, strict=True))
        / 90
    )
    np.testing.assert_allclose(fold_pearson(X, Y, SIZES), expected, rtol=1e-12)


def test_folds_of_constants_do_not_count_and_perfect_is_one() -> None:
    half = Y.copy()
    half[:30] = 7.0
    np.testing.assert_allclose(fold_pearson(X, half, SIZES), fold_pearson(X[30:], Y[30:], SIZES[1:]), rtol=1e-12)
    np.testing.assert_allclose(fold_pearson(2 * X + 3, X, SIZES), 1.0, rtol=1e-12)
    assert np.isnan(fold_pearson(X[:4], Y[:4], [2, 2])).all()


@pytest.mark.parametrize(("n", "fourth_order"), [(6, 0.03), (10, 0.004), (40, 1.5e-5), (200, 2.5e-8)])
def test_unbiased_follows_the_hypergeometric_function(n: int, fourth_order: float) -> None:
    r = np.linspace(-1, 1, 21)
    exact = r * special.hyp2f1(0.5, 0.5, (n - 2) / 2, 1 - r**2)
    np.testing.assert_allclose(correct_attenuation(r, n), exact, atol=fourth_order, rtol=0)
    np.testing.assert_allclose(correct_attenuation(r, np.full(21, float(n))), correct_attenuation(r, n), rtol=1e-14)


@pytest.mark.parametrize("rho", [0.0, 0.3, 0.8])
def test_small_folds_do_not_attenuate(rho: float) -> None:
    rng = np.random.default_rng(1)
    x = rng.standard_normal((60, 4000))
    y = rho * x + np.sqrt(1 - rho**2) * rng.standard_normal(x.shape)
    r = fold_pearson(x, y, [6] * 10)
    assert r.mean() == pytest.approx(rho, abs=0.012)


def test_resampling_is_writing_rows_as_often_as_they_count() -> None:
    counts = draws(90, 7, seed=2)
    found = resample_pearson(X, Y, [90], counts, correct=False, block=4)
    for k in range(7):
        rows = np.repeat(np.arange(90), counts[k])
        np.testing.assert_allclose(found[k], pearson(X[rows], Y[rows]), rtol=1e-9)


def test_resampling_within_folds() -> None:
    counts = draws(90, 7, seed=3)
    found = resample_pearson(X, Y, SIZES, counts)
    fold = np.repeat([0, 1, 2], SIZES)
    for k in range(7):
        rows = np.repeat(np.arange(90), counts[k])
        sizes = [int(counts[k][fold == f].sum()) for f in range(3)]
        np.testing.assert_allclose(found[k], fold_pearson(X[rows], Y[rows], sizes), rtol=1e-9)


def test_counting_every_row_once_changes_nothing() -> None:
    np.testing.assert_allclose(
        resample_pearson(X, Y, SIZES, np.ones((1, 90), int))[0], fold_pearson(X, Y, SIZES), rtol=1e-10
    )
    assert resample_pearson(X, Y, SIZES, np.empty((0, 90))).shape == (0, 6)


def test_folds_that_draws_leave_with_two_rows_do_not_count() -> None:
    """Two rows correlate by 1 or -1, whatever they are."""
    counts = np.zeros((1, 90), int)
    counts[0, [3, 40]] = 1  # of the first fold one row, of the second one
    counts[0, [31, 32, 60, 61, 62, 63, 64]] = 1, 0, 2, 1, 1, 1, 2
    found = resample_pearson(X, Y, SIZES, counts)[0]
    rows = np.repeat(np.arange(55, 90), counts[0, 55:])
    np.testing.assert_allclose(found, correct_attenuation(pearson(X[rows], Y[rows]), len(rows)), rtol=1e-9)


def test_a_resample_without_variation_is_undefined() -> None:
    spikes = np.zeros((90, 1))
    spikes[4] = 1.0
    counts = np.ones((2, 90), int)
    counts[1, 4] = 0
    found = resample_pearson(X[:, :1], spikes, [90], counts)
    assert np.isfinite(found[0, 0])
    assert np.isnan(found[1, 0])


@pytest.mark.parametrize("step", [1, 7, 100])
def test_correlation_of_blocks_is_that_of_the_whole(step: int) -> None:
    generator = np.random.default_rng(step)
    x = generator.normal(size=(100, 3, 5)) + 1e6
    y = x + generator.normal(size=(100, 3, 5))
    x[:, 0, 0] = 0.1
    blocks = ((x[k : k + step].copy(), y[k : k + step].copy()) for k in range(0, 100, step))
    expected = pearson(x.reshape(100, -1), y.reshape(100, -1)).reshape(3, 5)
    assert np.isnan(expected[0, 0])
    np.testing.assert_allclose(pearson_of_blocks(blocks), expected, rtol=1e-9)
    with pytest.raises(ValueError, match="no block"):
        pearson_of_blocks([])
