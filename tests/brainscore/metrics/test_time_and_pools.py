"""Published metrics over time bins, object-level behaviour and random pools, written out the long way."""

from __future__ import annotations

import numpy as np
import pytest
import xarray as xr
from scipy.stats import norm, pearsonr
from sklearn.cross_decomposition import PLSRegression
from sklearn.linear_model import Ridge
from sklearn.model_selection import ShuffleSplit

from brainmark.brainscore import metrics as bs
from brainmark.core import Comparison, InvalidMeasurement

BINS = {"time_bin_start": ("time_bin", [70.0, 100.0]), "time_bin_end": ("time_bin", [100.0, 130.0])}


def binned(values: np.ndarray, order: np.ndarray) -> xr.DataArray:
    coords = {"stimulus_id": ("presentation", [f"s{i:03d}" for i in order]), **BINS}
    return xr.DataArray(values, dims=("presentation", "neuroid", "time_bin"), coords=coords)


@pytest.fixture
def recordings() -> tuple[xr.DataArray, xr.DataArray]:
    """A model in another order than the brain, with two time bins each."""
    rng = np.random.default_rng(3)
    latent = rng.standard_normal((50, 8, 2)).cumsum(axis=2)
    x = np.einsum("nlt,lp->npt", latent, rng.standard_normal((8, 40))) + rng.standard_normal((50, 40, 2))
    y = np.einsum("nlt,lq->nqt", latent, rng.standard_normal((8, 6))) + rng.standard_normal((50, 6, 2))
    order = rng.permutation(50)
    return binned(x[order], order), binned(y, np.arange(50))


@pytest.mark.parametrize(
    ("metric", "estimator"),
    [
        (bs.spantime_pls(components=5), PLSRegression(5, scale=False)),
        (bs.spantime_ridge(alpha=3.0), Ridge(3.0)),
    ],
)
def test_one_map_serves_all_time_bins(metric: bs.SpanTime, estimator, recordings) -> None:
    prediction, target = recordings
    found = metric(prediction, target)
    x, y = (a.sortby("stimulus_id").values.transpose(2, 0, 1) for a in (prediction, target))
    expected = np.empty((2, 10))
    for k, (train, test) in enumerate(ShuffleSplit(10, train_size=0.9, random_state=1).split(y[0])):
        estimator.fit(np.concatenate(x[:, train]), np.concatenate(y[:, train]))
        for t in range(2):
            predicted = estimator.predict(x[t][test])
            expected[t, k] = np.median([pearsonr(a, b)[0] for a, b in zip(predicted.T, y[t][test].T, strict=True)])
    assert list(found) == [(70.0, 100.0), (100.0, 130.0)]
    for comparison, splits in zip(found.values(), expected, strict=True):
        assert bs.aggregate(comparison).value == pytest.approx(splits.mean(), abs=1e-6)
        assert bs.aggregate(comparison).error == pytest.approx(splits.std() / np.sqrt(10), abs=1e-6)


def test_time_bins_must_be_there_and_be_the_same(recordings) -> None:
    prediction, target = recordings
    with pytest.raises(InvalidMeasurement, match="different time bins"):
        bs.spantime_ridge()(prediction.isel(time_bin=[0]), target)
    with pytest.raises(InvalidMeasurement, match=r"expected .*time_bin"):
        bs.spantime_ridge()(prediction.isel(time_bin=0), target.isel(time_bin=0))


def test_a_ceiling_in_each_time_bin_is_that_of_the_bin(recordings) -> None:
    target = recordings[1]
    rng = np.random.default_rng(0)
    trials = xr.concat([target + rng.standard_normal(target.shape) for _ in range(4)], "repetition")
    found = bs.by_time(bs.internal_consistency)(trials)
    alone = bs.internal_consistency(trials.isel(time_bin=1))
    np.testing.assert_array_equal(found[100.0, 130.0].splits, alone.splits)


def test_sensitivity_for_pairs_of_objects_by_loops() -> None:
    rng = np.random.default_rng(5)
    truth = np.arange(30) % 3
    p = rng.uniform(0.05, 0.95, (30, 3))
    p[np.arange(30), truth] = np.nan
    expected = np.full((3, 3), np.nan)
    for a in range(3):
        for b in range(3):
            if a != b:
                taken, missed = np.mean(p[truth == a, b]), np.mean(p[truth == b, a])
                expected[a, b] = norm.ppf(1 - missed) - norm.ppf(taken)
    np.testing.assert_allclose(bs.behavior.object_dprimes(p, truth), expected)
    np.testing.assert_allclose(expected, expected.T)


def saturating(pool: xr.DataArray, subject: xr.DataArray) -> Comparison:
    """Predictions that get better with the number of subjects in the pool."""
    others = len(np.unique(pool.coords["subject"]))
    r = np.full((3, subject.sizes["neuroid"]), 0.6 * (1 - np.exp(-(others + 1) / 2.5)))
    return Comparison(xr.DataArray(r[0], dims="neuroid"), xr.DataArray(r, dims=("split", "neuroid")))


def test_random_pools_find_the_asymptote_that_all_pools_find() -> None:
    subjects = ("neuroid", np.repeat(np.arange(5), 2))
    target = xr.DataArray(np.ones((4, 10)), dims=("presentation", "neuroid"), coords={"subject": subjects})
    found = bs.SampledExtrapolation(saturating, bootstraps=5)(target)
    np.testing.assert_allclose(found.values.values, 0.6, atol=1e-4)
    with pytest.raises(InvalidMeasurement, match="3 subjects are too few"):
        bs.SampledExtrapolation(saturating)(target.isel(neuroid=slice(6)))
