"""Few stimuli: they are scored without bias, the interval says how little they tell, and nobody else is blamed.

Guards against data of 12 to 20 stimuli that had no score, for which the model was blamed, and against shuffled controls
of -.7 to .7 with 21 stimuli, where one fold of ten counted.
"""

from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
import xarray as xr

from brainmark.core import Benchmark, BenchmarkCard, Experiment, Record, Stimuli
from brainmark.core.comparison import Comparison
from brainmark.core.controls import shuffled
from brainmark.core.errors import InvalidMeasurement, ModelError
from brainmark.core.score import make_score
from brainmark.metrics.regression.predictivity import ols, pls, ridge
from brainmark.metrics.statistics.ceilings import split_half
from brainmark.metrics.statistics.splits import Shuffled
from brainmark.testing import Constant, Noise


def unrelated(count: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Features, and responses that share two signals but none with the features."""
    generator = np.random.default_rng(seed)
    signals = generator.standard_normal((count, 2)) @ generator.standard_normal((2, 10))
    return generator.standard_normal((count, 12)), signals + 0.5 * generator.standard_normal((count, 10))


@pytest.mark.parametrize("count", [12, 20, 21])
def test_unrelated_models_score_zero_on_average_and_their_spread_lies_inside_the_interval(count: int) -> None:
    values, inside = [], []
    for seed in range(25):
        score = make_score("b", "noise", ridge(resamples=40)(*unrelated(count, seed)), None, {})
        values.append(score.value)
        assert score.interval is not None
        inside.append(score.interval[0] <= 0 <= score.interval[1])
        assert any(f"r rests on {count} presentations" in note for note in score.notes)
    assert abs(np.mean(values)) < 3 * np.std(values) / np.sqrt(len(values))
    assert np.std(values) < 1.25 / np.sqrt(count)
    assert np.mean(inside) > 0.65  # of 25 intervals; over 200 it is .86, as units share signals


@pytest.mark.parametrize("metric", [ridge, pls, ols])
@pytest.mark.parametrize("count", [6, 12, 20, 21, 29])
def test_a_model_that_is_right_is_found_with_few_stimuli(metric, count: int) -> None:
    generator = np.random.default_rng(0)
    x = generator.standard_normal((count, 1))
    y = x * [1.0, -2.0] + 0.01 * generator.standard_normal((count, 2))
    found = metric(resamples=0)(x, y)
    assert found.splits is not None
    assert found.splits.sizes["split"] == min(10, count // 3)
    assert found.aggregate() > 0.97


def test_thirty_stimuli_keep_their_ten_folds() -> None:
    assert [len(f.test) for f in Shuffled(10, fewest=3)(30)] == [3] * 10
    for one, other in zip(Shuffled(10, fewest=3)(57), Shuffled(10)(57), strict=True):
        assert np.array_equal(one.test, other.test)


def test_a_neuroid_that_saw_few_of_many_stimuli_is_scored_in_folds_of_its_own() -> None:
    generator = np.random.default_rng(1)
    x = generator.standard_normal((300, 1))
    y = np.repeat(x, 2, axis=1) + 0.01 * generator.standard_normal((300, 2))
    y[14:, 1] = np.nan
    found = ridge(resamples=20)(x, y)
    assert found.values.values[1] > 0.97
    assert "r is taken in 4 of 10 folds" in " ".join(found.notes)


def test_five_stimuli_are_too_few_and_that_is_said() -> None:
    with pytest.raises(InvalidMeasurement, match=r"5 presentations are too few .* need 6"):
        ridge()(*unrelated(5, 0))


def test_folds_that_do_not_count_are_counted() -> None:
    notes = " ".join(ridge(resamples=0, splits=Shuffled(10))(*unrelated(21, 0)).notes)
    assert "r is taken in 1 of 10 folds: the others test fewer than 3 presentations" in notes


def recording(values: np.ndarray) -> xr.DataArray:
    coords = {
        "stimulus_id": ("presentation", [f"s{i}" for i in range(len(values))]),
        "neuroid_id": ("neuroid", np.arange(values.shape[1])),
        "region": ("neuroid", ["IT"] * values.shape[1]),
    }
    return xr.DataArray(values, dims=("presentation", "neuroid", "repetition")[: values.ndim], coords=coords)


def benchmark(target: xr.DataArray, **more) -> Benchmark:
    ids = pd.Index(target.coords["stimulus_id"].values, name="stimulus_id")
    stimuli = Stimuli("few", "text", pd.DataFrame({"text": ids.to_numpy()}, index=ids))
    card = BenchmarkCard(
        summary="Few stimuli.", licence="MIT", cite="@misc{x, title={X}, author={Y}, year={2020}}", domain="language",
        species=("macaque",), region="IT", parent="IT", datasets=("few",), metric="ridge", simulated=True,
    )  # fmt: skip
    experiment = Experiment(stimuli, Record("IT"))
    return Benchmark("Few2020.IT-ridge", card, experiment, target, **{"metric": ridge(resamples=0), **more})


def test_the_data_are_blamed_where_no_answer_has_a_score() -> None:
    responses = np.zeros((40, 3))
    responses[7] = 1.0
    steady = benchmark(recording(responses * 0 + 2.5))
    with pytest.raises(InvalidMeasurement, match="undefined for any answer to these data, which have 40 presentations"):
        steady(Noise())
    small = benchmark(recording(unrelated(12, 0)[1]), metric=ridge(resamples=0, splits=Shuffled(10)))
    with pytest.raises(InvalidMeasurement, match="measured on 12 presentations at most, too few for folds"):
        small(Noise())


def test_the_model_is_blamed_where_another_answer_has_a_score() -> None:
    with pytest.raises(ModelError, match="constant predictions"):
        benchmark(recording(unrelated(40, 0)[1]))(Constant())


def test_one_trial_gives_no_ceiling_and_the_data_are_named() -> None:
    trials = np.full((40, 3, 2), np.nan)
    trials[..., 0] = unrelated(40, 0)[1][:, :3]
    with pytest.raises(InvalidMeasurement, match=r"^Few2020.IT-ridge: the ceiling is undefined for 3 of 3 units"):
        benchmark(recording(trials), ceiling=split_half(resamples=0))(Noise())


def test_no_value_is_ever_infinite_in_json() -> None:
    values = xr.DataArray([0.5, np.nan], dims="neuroid")
    score = make_score("b", "m", Comparison(values, details={"odd": np.nan}), Comparison(values + 0.2), {})
    assert "NaN" not in json.dumps(score.to_dict(), allow_nan=False)
    assert replace(score, controls={}).to_dict()["controls"] == {}


def test_control_of_shuffled_answers_has_a_score_with_twelve_stimuli() -> None:
    target = recording(unrelated(12, 3)[1])
    score = benchmark(target, metric=ridge(resamples=40), controls=(shuffled(),))(Noise())
    assert abs(score.controls["shuffled"].raw) < 0.9
    assert score.interval is not None
