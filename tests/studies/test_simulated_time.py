"""Dynamics are worth what they should be where the answer is known."""

from __future__ import annotations

import numpy as np
import pytest

from brainmark.core import Benchmark, NotApplicable, benchmarks, models
from brainmark.testing import check_benchmark


@pytest.fixture(scope="module")
def temporal() -> Benchmark:
    return benchmarks["Simulated.IT-temporal-ridge"].load()


@pytest.fixture(scope="module")
def ost() -> Benchmark:
    return benchmarks["Simulated.IT-ost"].load()


def test_the_network_over_time_reaches_the_ceiling_and_a_static_one_does_not(temporal: Benchmark) -> None:
    score = temporal(models["simulated-truth-over-time"].load())
    assert 0.95 < score.value < 1.03
    assert score.controls["pixels"].value < score.value - 0.15  # a static model: the same answer in all bins
    assert abs(score.controls["shuffled"].value) < 0.1


def test_solution_times_are_recovered_and_a_static_model_has_none(ost: Benchmark) -> None:
    score = ost(models["simulated-truth-over-time"].load())
    assert score.value > 0.8
    assert score.interval is not None
    assert score.interval[0] > 0.75
    assert abs(score.controls["shuffled times"].value) < 0.2
    with pytest.raises(NotApplicable, match="without dynamics"):
        ost(models["pixels"].load())


def test_faint_objects_are_solved_late(ost: Benchmark) -> None:
    contrast = np.array([ost.experiment.stimuli.media[i].std() for i in range(240)])
    times = ost.target.values
    assert np.corrcoef(contrast, 1 / times)[0, 1] > 0.95
    assert 90 < times.min() < times.max() < 230


@pytest.mark.slow
@pytest.mark.parametrize("name", ["Simulated.IT-temporal-ridge", "Simulated.IT-ost"])
def test_the_benchmarks_keep_the_contract(name: str) -> None:
    for result in check_benchmark(name):
        assert result.outcome != "failed", result
