"""Metrics without a name on the command line pair presentations too: other stimuli, or their order, are refused."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
import xarray as xr

from brainmark.core import Comparison, InvalidMeasurement
from brainmark.metrics.behavior.odd_one_out import odd_one_out
from brainmark.metrics.statistics.subjects import leave_one_subject_out
from brainmark.metrics.time.dynamics import dynamic_similarity
from brainmark.metrics.time.temporal import solution_times

COUNT, BINS = 48, 6
Pair = tuple[xr.DataArray, xr.DataArray]


def along(values: np.ndarray, *rest: str, **coords: np.ndarray) -> xr.DataArray:
    named = {"stimulus_id": np.array([f"s{i}" for i in range(len(values))])} | coords
    of = {name: ("presentation", v) for name, v in named.items()}
    return xr.DataArray(values, dims=("presentation", *rest), coords=of)


def over_time() -> np.ndarray:
    rng = np.random.default_rng(0)
    patterns = np.repeat(rng.standard_normal((4, 10)), COUNT // 4, axis=0)
    return patterns[..., None] * np.linspace(0, 1, BINS) + 0.5 * rng.standard_normal((COUNT, 10, BINS))


def solved() -> Pair:
    label = np.repeat(list("abcd"), COUNT // 4)
    answer = along(over_time(), "neuroid", "time_bin").assign_coords(
        time_bin_start=("time_bin", 20.0 * np.arange(BINS)), time_bin_end=("time_bin", 20.0 * np.arange(1, BINS + 1))
    )
    times = np.random.default_rng(1).uniform(20, 100, COUNT)
    return answer, along(times, label=label, threshold=np.full(COUNT, 1.0))


def moving() -> Pair:
    return along(over_time(), "neuroid", "time_bin"), along(over_time()[:, :7], "neuroid", "time_bin")


def odd() -> Pair:
    rng = np.random.default_rng(3)
    return along(rng.integers(3, size=COUNT)), along(rng.dirichlet(np.ones(3), COUNT), "choice")


CASES: dict[str, tuple[Callable[[xr.DataArray, xr.DataArray], Comparison], Callable[[], Pair]]] = {
    "solution_times": (solution_times(resamples=0), solved),
    "dynamic_similarity": (dynamic_similarity(rank=4, resamples=0), moving),
    "odd_one_out": (odd_one_out(resamples=0), odd),
}


@pytest.mark.parametrize("name", CASES)
def test_another_order_or_number_of_stimuli_is_refused(name: str) -> None:
    metric, make = CASES[name]
    prediction, target = make()
    assert np.isfinite(metric(prediction, target).aggregate())
    with pytest.raises(InvalidMeasurement, match="presentation 0 is stimulus_id 's47' in the prediction, 's0'"):
        metric(prediction.isel(presentation=slice(None, None, -1)), target)
    with pytest.raises(InvalidMeasurement, match=r"30|triplets"):
        metric(prediction.isel(presentation=slice(30)), target)
    with pytest.raises(InvalidMeasurement, match="expected a labelled array"):
        metric(prediction.values, target)  # pyright: ignore[reportArgumentType]


@pytest.mark.parametrize("name", ["solution_times", "dynamic_similarity"])
@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_a_model_answers_every_time_bin(name: str, value: float) -> None:
    metric, make = CASES[name]
    prediction, target = make()
    holed = prediction.copy(deep=True)
    holed[3, 2, 1] = value
    with pytest.raises(InvalidMeasurement, match="prediction: 1 of 2880 values are NaN"):
        metric(holed, target)


def test_subjects_measured_too_little_have_no_ceiling_and_no_warning() -> None:
    found = leave_one_subject_out(5)(xr.DataArray(np.arange(6.0).reshape(2, 3), dims=("presentation", "subject")))
    assert np.isnan(found.values).all()
    assert found.bounds is None
    with pytest.raises(InvalidMeasurement, match="NaN only"):
        leave_one_subject_out(5)(xr.DataArray(np.full((9, 3), np.nan), dims=("presentation", "subject")))
