"""Where data or predictions are one value but for rounding, r is undefined; the rounding is not scored.

Wrong outcome guarded against: a neuroid that answers to one stimulus got an r of -1 or 1 from least squares and PLS. In
the fold that tests this stimulus all training responses are the same: nothing but a constant can be predicted. In
the other folds the tested responses are the same.
"""

from __future__ import annotations

import numpy as np
import pytest
import xarray as xr
from sklearn.linear_model import LinearRegression

from brainmark.brainscore import metrics as brainscore
from brainmark.core import metrics
from brainmark.core.measurement import average_trials
from brainmark.metrics.regression.matching import match_units
from brainmark.metrics.regression.pls import pls_predictions
from brainmark.metrics.regression.predictivity import Predictivity
from brainmark.metrics.regression.ridge import ols_predictions, ridge_predictions
from brainmark.metrics.statistics.correlation import never_varies, resample_pearson
from brainmark.metrics.statistics.splits import LeaveOut, Random, Shuffled

MAPPINGS = {
    "ols": metrics["ols"].factory(resamples=20),
    "pls": metrics["pls"].factory(5, resamples=20),
    "ridge": metrics["ridge"].factory(resamples=20),
    "ridge with one penalty": metrics["ridge"].factory([1.0], resamples=20),
    "single_unit": metrics["single_unit"].factory(resamples=20),
    "soft_matching": metrics["soft_matching"].factory(resamples=20),
    "brainscore-linear": brainscore.linear_predictivity(),
    "brainscore-pls": brainscore.pls(5),
    "brainscore-ridge": brainscore.ridge(),
    "brainscore-ridgecv": brainscore.ridgecv((1.0, 10.0)),
    "brainscore-neuron-to-neuron": brainscore.neuron_to_neuron(),
}


@pytest.mark.parametrize("units", [10, 90])
@pytest.mark.parametrize("base", [0.0, 0.1, 3.0, -1e5])
@pytest.mark.parametrize("name", MAPPINGS)
def test_a_response_to_one_stimulus_cannot_be_predicted(name: str, base: float, units: int) -> None:
    rng = np.random.default_rng(0)
    x, y = rng.standard_normal((60, units)), np.full((60, 61), base)
    y[np.arange(60), np.arange(60)] += 5
    y[:, 60] = rng.standard_normal(60)  # one that varies
    found = MAPPINGS[name](x, y)
    assert np.isnan(found.values.values[:60]).all()
    assert np.isfinite(found.values.values[60])
    if found.replicates is not None:
        assert np.isnan(found.replicates[:, :60]).all()
        assert np.isfinite(found.replicates[:, 60]).all()
    alone = MAPPINGS[name](x, y[:, 7:8])
    assert np.isnan(alone.values.values).all()


@pytest.mark.parametrize("name", ["ols", "pls", "brainscore-linear"])
def test_units_that_tell_nothing_about_the_tested_stimuli_predict_a_constant(name: str) -> None:
    y = np.random.default_rng(1).standard_normal((60, 4))
    y -= y.mean(axis=0)
    found = MAPPINGS[name](np.eye(60), y)  # each unit answers to one stimulus
    assert np.isnan(found.values.values).all()


def test_what_is_fitted_to_one_value_predicts_it() -> None:
    rng = np.random.default_rng(2)
    x, y = rng.standard_normal((30, 4)), np.full((30, 2), 0.3)
    y[3] = 8.0
    for folds in (Shuffled(5)(30), Random(8, 0.8)(30)):
        wanted = np.concatenate([LinearRegression().fit(x[f.train], y[f.train]).predict(x[f.test]) for f in folds])
        held = np.concatenate([np.full(len(f.test), 3 in f.test) for f in folds])
        for found in (
            pls_predictions(x, y, folds, 3)[0],
            ols_predictions(x, y, folds),
            ridge_predictions(x, y, folds, [1e-12])[0],
        ):
            assert np.ptp(found[held], axis=0).max() == 0
            np.testing.assert_allclose(found[held], 0.3, atol=1e-14)
        np.testing.assert_allclose(ols_predictions(x, y, folds), wanted, atol=1e-12)
        assert np.isnan(match_units(x, y, folds)[held]).all()


def test_one_tested_stimulus_is_predicted_as_ever() -> None:
    rng = np.random.default_rng(3)
    x, y = rng.standard_normal((20, 3)), rng.standard_normal((20, 2))
    folds = LeaveOut("stimulus")(20, {"stimulus": np.arange(20)})
    wanted = np.concatenate([LinearRegression().fit(x[f.train], y[f.train]).predict(x[f.test]) for f in folds])
    np.testing.assert_allclose(ols_predictions(x, y, folds), wanted, atol=1e-12)


def test_small_variation_about_a_large_mean_is_no_constant() -> None:
    rng = np.random.default_rng(4)
    x = rng.standard_normal((60, 5))
    y = x @ rng.standard_normal((5, 3))
    metric = metrics["ols"].factory(resamples=0)
    assert isinstance(metric, Predictivity)
    np.testing.assert_allclose(metric(x, 1e6 + 1e-3 * y).values, metric(x, y).values, atol=1e-4)
    assert not never_varies(1e6 + 1e-3 * y).any()
    assert never_varies(np.full((7, 1), 0.1) + np.array([[0], [0], [0], [0], [0], [0], [1.4e-17]])).all()


def test_draws_of_a_constant_with_a_large_value_have_no_r() -> None:
    rng = np.random.default_rng(5)
    counts = rng.multinomial(9, np.full(9, 1 / 9), 50)
    for value in (0.1, 1 / 3, 1e7 / 3):
        found = resample_pearson(rng.standard_normal((9, 1)), np.full((9, 1), value), [9], counts)
        assert np.isnan(found).all()


def test_the_mean_of_equal_trials_is_their_value_whatever_their_number() -> None:
    trials = np.full((12, 2, 9), 0.1, np.float32)
    trials[3] = 5.0
    for row in range(12):
        trials[row, :, 2 + row % 7 :] = np.nan
    dims, coords = (
        ("presentation", "neuroid", "repetition"),
        {"stimulus_id": ("presentation", [f"s{i}" for i in range(12)])},
    )
    mean = average_trials(xr.DataArray(trials, coords, dims))
    assert mean.dtype == np.float32
    assert never_varies(np.delete(mean.values, 3, axis=0)).all()
