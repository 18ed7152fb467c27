"""Scores do not depend on the unit of features and recordings, in single and in double precision.

Wrong outcomes guarded against: CKA of 0 for activations of 1e8 and of NaN for those of 1e-15, RDMs, PLS and least
squares that failed from 1e17 on, as sums of products ran out of single precision; digits lost next to a large mean.
"""

from __future__ import annotations

import inspect

import numpy as np
import pytest
import xarray as xr
from scipy.spatial.distance import pdist
from sklearn.linear_model import LinearRegression, Ridge, RidgeCV

from brainmark.brainscore import metrics as brainscore
from brainmark.core import metrics
from brainmark.metrics.regression.pls import pls_predictions
from brainmark.metrics.regression.ridge import ols_predictions, ridge_predictions
from brainmark.metrics.similarity.crossnobis import crossnobis_rdm, noise_precision
from brainmark.metrics.similarity.geometry import linear_cka, procrustes_similarity
from brainmark.metrics.similarity.rdm import compare_rdms, rdm_matrix, upper
from brainmark.metrics.statistics.ceilings import split_half
from brainmark.metrics.statistics.splits import Shuffled
from brainmark.metrics.time.dynamics import eigenvalue_distance, fit_dynamics
from brainmark.metrics.tuning.gratings import sparseness
from brainmark.testing.examples import metric_example

KINDS = ("recordings", "recordings over time", "dissimilarities", "trajectories", "series")
FIXED_PENALTY = ("brainscore-ridge", "brainscore-ridgecv", "brainscore-ridge-pearsonr")
SMALL_SUM = "brainscore-linear-pearsonr"  # adds 1e-8 to lengths of targets, as published
NAMES = [name for name in sorted(metrics) if metrics[name].card.compares in KINDS]
POWERS = (-100, 70)


def made(name: str):
    factory = metrics[name].factory
    return factory(resamples=2) if "resamples" in inspect.signature(factory).parameters else factory()


def example(name: str, dtype: type) -> tuple[xr.DataArray, xr.DataArray]:
    given = metric_example(metrics[name].card.compares)
    return given.prediction.astype(dtype), given.target.astype(dtype)


def figures(name: str, prediction: xr.DataArray, target: xr.DataArray) -> np.ndarray:
    found = made(name)(prediction, target)
    parts = [found.values.values.ravel()]
    if found.replicates is not None:
        parts.append(found.replicates.ravel())
    return np.concatenate(parts)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("name", [n for n in NAMES if n not in FIXED_PENALTY])
def test_powers_of_two_of_the_features_change_no_digit(name: str, dtype: type) -> None:
    prediction, target = example(name, dtype)
    wanted = figures(name, prediction, target)
    for power in POWERS:
        np.testing.assert_array_equal(figures(name, prediction * dtype(2.0**power), target), wanted, err_msg=f"{power}")


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("name", [n for n in NAMES if n not in (*FIXED_PENALTY, SMALL_SUM)])
def test_powers_of_two_of_the_recording_change_no_digit(name: str, dtype: type) -> None:
    prediction, target = example(name, dtype)
    wanted = figures(name, prediction, target)
    for power in POWERS:
        np.testing.assert_array_equal(figures(name, prediction, target * dtype(2.0**power)), wanted, err_msg=f"{power}")


def test_large_recordings_in_single_precision_have_the_published_r() -> None:
    prediction, target = example(SMALL_SUM, np.float32)
    wanted = figures(SMALL_SUM, prediction, target)
    np.testing.assert_allclose(figures(SMALL_SUM, prediction, target * np.float32(2.0**80)), wanted, atol=1e-5)


@pytest.mark.parametrize("name", [n for n in NAMES if n not in FIXED_PENALTY])
def test_any_unit_gives_the_same_score(name: str) -> None:
    for dtype, scales in ((np.float32, (1e-30, 1e8)), (np.float64, (1e30,))):
        prediction, target = example(name, dtype)
        wanted = figures(name, prediction, target)
        for scale in scales:
            found = figures(name, prediction * dtype(scale), target)
            np.testing.assert_allclose(found, wanted, rtol=0, atol=2e-4 if dtype is np.float32 else 1e-7)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("scale", [2.0**-40, 2.0**-9, 2.0**40])
def test_penalties_keep_their_unit(scale: float, dtype: type) -> None:
    rng = np.random.default_rng(0)
    x = (rng.standard_normal((60, 40)) * scale).astype(dtype)
    y = rng.standard_normal((60, 3)) * 2.0**50
    folds = Shuffled(4)(60)
    alphas = np.array([0.1, 1.0, 10.0, 100.0]) * scale**2
    wanted = [
        Ridge(alphas[1]).fit(x[f.train].astype(float), y[f.train]).predict(x[f.test].astype(float)) for f in folds
    ]
    np.testing.assert_allclose(
        ridge_predictions(x, y, folds, alphas[1:2])[0] / 2.0**50, np.concatenate(wanted) / 2.0**50, atol=1e-5
    )
    models = [RidgeCV(alphas, alpha_per_target=True).fit(x[f.train].astype(float), y[f.train]) for f in folds]
    np.testing.assert_array_equal(ridge_predictions(x, y, folds, alphas)[1], [m.alpha_ for m in models])
    wide = np.concatenate([x.astype(float), rng.standard_normal((60, 100)) * scale], axis=1)  # dual
    least = [LinearRegression(tol=1e-14).fit(wide[f.train], y[f.train]).predict(wide[f.test]) for f in folds]
    np.testing.assert_allclose(ols_predictions(wide, y, folds) / 2.0**50, np.concatenate(least) / 2.0**50, atol=1e-9)


def test_the_published_fixed_penalty_stays_that_of_the_given_unit() -> None:
    given = metric_example("recordings")
    x, y = given.prediction.values, given.target.values
    wanted = brainscore.ridge(alpha=1.0)(x * 2.0**-20, y).values
    np.testing.assert_array_equal(brainscore.ridge(alpha=2.0**40)(x, y).values, wanted)
    np.testing.assert_array_equal(brainscore.ridge(alpha=2.0**200)(x * 2.0**80, y).values, wanted)


def test_values_with_a_unit_come_back_in_it() -> None:
    rng = np.random.default_rng(1)
    x = rng.standard_normal((12, 7)).astype(np.float32)
    for scale in (2.0**-90, 2.0**80):
        for distance, power in (("euclidean", 1), ("squared_euclidean", 2)):
            found = rdm_matrix(x * np.float32(scale), distance)
            np.testing.assert_allclose(upper(found) / scale**power, upper(rdm_matrix(x, distance)), rtol=1e-6)
        trials = rng.standard_normal((4, 6, 5)).astype(np.float32)
        large = trials * np.float32(scale)
        np.testing.assert_allclose(noise_precision(large) * scale**2, noise_precision(trials), rtol=1e-6)
        np.testing.assert_allclose(crossnobis_rdm(large) / scale**2, crossnobis_rdm(trials), rtol=1e-6, atol=1e-7)
        folds = Shuffled(3)(12)
        y = rng.standard_normal((12, 2))
        np.testing.assert_array_equal(
            pls_predictions(x, y * scale, folds, 2)[0] / scale, pls_predictions(x, y, folds, 2)[0]
        )
        np.testing.assert_allclose(sparseness(np.abs(large[0])), sparseness(np.abs(trials[0])), rtol=1e-6)
        one, other = fit_dynamics(trials), fit_dynamics(large)
        assert eigenvalue_distance(one, other) < 1e-6


def test_ceilings_do_not_depend_on_the_unit() -> None:
    rng = np.random.default_rng(2)
    trials = (rng.standard_normal((40, 3, 1)) + rng.standard_normal((40, 3, 6))).astype(np.float32)
    trials[3, 1, 2] = np.nan
    target = xr.DataArray(trials, dims=("presentation", "neuroid", "repetition"))
    wanted = split_half(resamples=3)(target).values.values
    published = brainscore.internal_consistency(target).values.values
    for scale in (np.float32(2.0**-120), np.float32(2.0**125)):
        np.testing.assert_array_equal(split_half(resamples=3)(target * scale).values.values, wanted)
        np.testing.assert_array_equal(brainscore.internal_consistency(target * scale).values.values, published)


@pytest.mark.parametrize("units", [8, 50])
def test_the_smallest_numbers_of_single_precision_count(units: int) -> None:
    rng = np.random.default_rng(3)
    x, y = rng.integers(-900, 900, (30, units)).astype(float), rng.standard_normal((30, 4))
    tiny = (x * 2.0**-149).astype(np.float32)  # all below the smallest normal number
    assert linear_cka(tiny, y) == pytest.approx(linear_cka(x, y), abs=1e-5)
    assert procrustes_similarity(tiny, y) == pytest.approx(procrustes_similarity(x, y), abs=1e-4)
    np.testing.assert_allclose(rdm_matrix(tiny), rdm_matrix(x), atol=1e-5)
    folds = Shuffled(3)(30)
    np.testing.assert_allclose(ols_predictions(tiny, y, folds), ols_predictions(x, y, folds), atol=2e-3)


OFFSETS = ("one", "a unit", "a presentation")


@pytest.mark.parametrize("offset", OFFSETS)
@pytest.mark.parametrize(
    "name", ["cka", "procrustes", "rdm", "ols", "pls", "ridge", "brainscore-rdm", "brainscore-pls"]
)
def test_large_means_cost_no_digits_of_single_precision(name: str, offset: str) -> None:
    rng = np.random.default_rng(4)
    latent = rng.standard_normal((60, 5))
    y = latent @ rng.standard_normal((5, 10)) + 0.3 * rng.standard_normal((60, 10))
    x = latent @ rng.standard_normal((5, 90)) + 0.3 * rng.standard_normal((60, 90))
    size = {"one": 1e6, "a unit": 1e5 * rng.standard_normal(90), "a presentation": 1e4 * rng.standard_normal((60, 1))}
    given = (x + size[offset]).astype(np.float32)  # rounds the features; both sides have the same
    dims, ids = ("presentation", "neuroid"), {"stimulus_id": ("presentation", [f"{i:02d}" for i in range(60)])}
    found, wanted = (
        figures(name, xr.DataArray(a, ids, dims), xr.DataArray(y, ids, dims)) for a in (given, given.astype(float))
    )
    np.testing.assert_allclose(found, wanted, rtol=0, atol=2e-4)


@pytest.mark.parametrize("units", [20, 200])
def test_a_unit_of_another_scale_hides_no_others(units: int) -> None:
    rng = np.random.default_rng(5)
    x = rng.standard_normal((80, units)).astype(np.float32)
    y = x[:, 1:9] @ rng.standard_normal((8, 3))
    x[:, 0] *= 30_000
    folds = Shuffled(4)(80)
    wide = x.astype(float)
    least = [LinearRegression(tol=1e-14).fit(wide[f.train], y[f.train]).predict(wide[f.test]) for f in folds]
    np.testing.assert_allclose(ols_predictions(x, y, folds), np.concatenate(least), atol=1e-4)
    ridge = [Ridge(5.0).fit(wide[f.train], y[f.train]).predict(wide[f.test]) for f in folds]
    np.testing.assert_allclose(ridge_predictions(x, y, folds, [5.0])[0], np.concatenate(ridge), atol=1e-4)


def test_one_presentation_of_another_scale_leaves_the_rdm_of_the_others_as_it_is() -> None:
    rng = np.random.default_rng(6)
    x = rng.standard_normal((20, 30))
    x[4] *= 1e25
    wanted = pdist(x, "correlation")
    np.testing.assert_allclose(upper(rdm_matrix(x.astype(np.float32))), wanted, atol=1e-5)
    assert compare_rdms(upper(rdm_matrix(x.astype(np.float32))), wanted) > 0.999999
