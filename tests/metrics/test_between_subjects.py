from __future__ import annotations

import numpy as np
import pytest
import xarray as xr
from scipy.optimize import curve_fit

from brainmark.core import InvalidMeasurement
from brainmark.metrics.regression.predictivity import ols, ridge
from brainmark.metrics.statistics.subjects import BetweenSubjects, Extrapolated, LeaveOneSubjectOut, saturation


def raters(n: int, subjects: int, noise: float, seed: int = 0) -> xr.DataArray:
    rng = np.random.default_rng(seed)
    values = rng.standard_normal((n, 1)) + np.sqrt(noise) * rng.standard_normal((n, subjects))
    return xr.DataArray(
        values, dims=("presentation", "subject"), coords={"subject": [f"s{i}" for i in range(subjects)]}
    )


def brains(n: int, q: int, subjects: int, shared: float, seed: int = 0) -> xr.DataArray:
    """Neuroids of several subjects that see the same 6 signals, and noise of their own (1 - shared of the variance)."""
    rng = np.random.default_rng(seed)
    latent = rng.standard_normal((n, 6))
    signal = latent @ rng.standard_normal((6, q * subjects))
    signal /= signal.std(0)
    values = np.sqrt(shared) * signal + np.sqrt(1 - shared) * rng.standard_normal(signal.shape)
    coords = {
        "subject": ("neuroid", np.repeat([f"m{i}" for i in range(subjects)], q)),
        "neuroid_id": ("neuroid", np.arange(q * subjects)),
    }
    return xr.DataArray(values, dims=("presentation", "neuroid"), coords=coords)


def test_leaving_one_subject_out() -> None:
    """r of one rater (noise v) with the mean of k others: 1 / sqrt((1 + v)(1 + v / k))."""
    found = LeaveOneSubjectOut(resamples=20)(raters(4000, 8, noise=2.0))
    assert found.aggregate() == pytest.approx(1 / np.sqrt(3 * (1 + 2 / 7)), abs=0.01)
    assert found.bounds is not None
    assert found.bounds[0] == pytest.approx(found.aggregate())
    # with itself in the mean of 8: covariance 1 + v / 8
    assert found.bounds[1] == pytest.approx((1 + 2 / 8) / np.sqrt(3 * (1 + 2 / 8)), abs=0.01)
    assert found.values.coords["subject"].values.tolist() == [f"s{i}" for i in range(8)]


def test_raters_that_saw_other_items_are_compared_on_those_they_share() -> None:
    target = raters(300, 4, noise=1.0)
    target.values[:150, 0] = np.nan
    target.values[0, :] = np.nan
    found = LeaveOneSubjectOut(resamples=0)(target)
    own, others = target.values[150:, 0], target.values[150:, 1:].mean(1)
    assert float(found.values[0]) == pytest.approx(np.corrcoef(own, others)[0, 1])
    with pytest.raises(InvalidMeasurement, match="two subjects at least"):
        LeaveOneSubjectOut()(target.isel(subject=[0]))


def test_another_animal_reaches_what_both_share() -> None:
    """With many neuroids of the others the latent signals are known: r = sqrt(shared) of the target's variance."""
    found = BetweenSubjects(ridge(resamples=30))(brains(600, 60, 3, shared=0.5))
    assert found.aggregate() == pytest.approx(np.sqrt(0.5), abs=0.04)
    assert found.replicates is not None
    assert found.replicates.shape == (30, 180)
    assert found.values.coords["neuroid_id"].values.tolist() == list(range(180))


def test_trials_are_averaged_and_incomplete_neuroids_predict_nothing() -> None:
    target = brains(100, 4, 2, shared=0.9)
    trials = target.expand_dims(repetition=2, axis=2) + xr.DataArray([-0.1, 0.1], dims="repetition")
    whole = BetweenSubjects(ols(resamples=0))(target)
    np.testing.assert_allclose(BetweenSubjects(ols(resamples=0))(trials).values, whole.values, atol=1e-9)
    target.values[:10, 0] = np.nan
    part = BetweenSubjects(ols(resamples=0))(target)
    fewer = BetweenSubjects(ols(resamples=0))(target.isel(neuroid=slice(1, None)))
    np.testing.assert_allclose(part.values[4:], fewer.values[3:], atol=1e-9)


@pytest.mark.parametrize(("v0", "tau"), [(0.8, 0.7), (0.5, 3.0), (0.3, 12.0)])
def test_saturation_is_the_least_squares_fit(v0: float, tau: float) -> None:
    sizes = np.arange(1, 8)
    rng = np.random.default_rng(0)
    r = v0 * (1 - np.exp(-sizes[:, None] / tau)) + 0.005 * rng.standard_normal((7, 30))
    found, found_tau = saturation(sizes, r)

    def curve(s: np.ndarray, a: float, t: float) -> np.ndarray:
        return a * (1 - np.exp(-s / t))

    for k in range(30):
        expected = curve_fit(curve, sizes, r[:, k], p0=(v0, tau), bounds=([-1, 0.1], [1, 70]))[0]
        if found[k] == 1.0:  # cut: the best curve lies above
            assert expected[0] > 0.999
            continue
        mine = np.sum((curve(sizes, found[k], found_tau[k]) - r[:, k]) ** 2)
        assert mine <= np.sum((curve(sizes, *expected) - r[:, k]) ** 2) * (1 + 1e-5) + 1e-15
    assert np.median(found) == pytest.approx(v0, rel=0.12)


def test_saturation_keeps_shapes_and_missing_values_and_bounds() -> None:
    r = np.random.default_rng(0).uniform(0.1, 0.3, (4, 5, 3))
    r[:, 1, 1] = np.nan
    r[:, 0, 0] = np.arange(1, 5)  # grows without end
    v0, tau = saturation(np.arange(1, 5), r)
    assert v0.shape == tau.shape == (5, 3)
    assert np.isnan(v0[1, 1])
    assert np.isnan(v0).sum() == 1
    assert v0[0, 0] == 1.0


def test_extrapolation_levels_off_near_the_largest_pools_and_below_the_truth() -> None:
    """Few noisy neuroids a subject: more subjects know the signals better; endless ones reach sqrt(shared)."""
    target = brains(800, 2, 7, shared=0.5, seed=3)
    metric = ridge(resamples=20)
    pooled, found = BetweenSubjects(metric)(target), Extrapolated(metric, pools=3)(target)
    single = BetweenSubjects(metric)(target.isel(neuroid=slice(4)))
    assert found.aggregate() > single.aggregate() + 0.1
    assert pooled.aggregate() - 0.03 < found.aggregate() < np.sqrt(0.5)
    assert found.replicates is not None
    assert found.replicates.shape == (20, 14)
    again = Extrapolated(metric, pools=3)(target)
    np.testing.assert_array_equal(found.values, again.values)


def test_what_does_not_fit_is_refused() -> None:
    target = brains(40, 3, 2, 0.5)
    with pytest.raises(InvalidMeasurement, match="no coordinate 'animal'"):
        BetweenSubjects(ols(), by="animal")(target)
    with pytest.raises(InvalidMeasurement, match="all neuroids are of subject 'm0'"):
        BetweenSubjects(ols())(target.isel(neuroid=slice(3)))
    with pytest.raises(InvalidMeasurement, match="three subjects at least; 'subject' has 2"):
        Extrapolated(ols())(target)
    target.values[0] = np.nan
    with pytest.raises(InvalidMeasurement, match="on all presentations"):
        BetweenSubjects(ols())(target)
