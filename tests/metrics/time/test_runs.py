"""A delay is a time: volumes that were left out, and the borders of runs, do not move what a word acts on.

A delay of two volumes reached over six volumes that were left out, and over 100 s between two runs; two runs on clocks
of their own heard each other's words, and nothing was refused.
"""

from __future__ import annotations

import numpy as np
import pytest
import xarray as xr

from brainmark.core import InvalidMeasurement, metrics
from brainmark.metrics.statistics.splits import Contiguous
from brainmark.metrics.time.haemodynamics import BLOCK, CANONICAL, FIVE_BLOCKS, Delays, Response, delay
from brainmark.metrics.time.runs import BlocksInTime

GRID = 2000.0 * np.arange(60)
GENERATOR = np.random.default_rng(0)
ONSET = np.sort(GENERATOR.uniform(0, 100_000, 200))
VALUES = GENERATOR.normal(size=(200, 2))
RESPONSES = [CANONICAL, Delays((0, 1, 2, 3, 4)), Delays((3,))]


def spoken(onset: np.ndarray, values: np.ndarray, **along: object) -> xr.DataArray:
    coords = {"stimulus_id": [f"w{k}" for k in range(len(onset))], "onset": onset, **along}
    return xr.DataArray(
        values, dims=("presentation", "neuroid"), coords={k: ("presentation", v) for k, v in coords.items()}
    )


def measured(start: np.ndarray, **along: object) -> xr.DataArray:
    coords = {"time_bin_start": start, "time_bin_end": start + 2000, **along}
    return xr.DataArray(
        np.zeros((len(start), 1)), dims=("time_bin", "neuroid"), coords={k: ("time_bin", v) for k, v in coords.items()}
    )


@pytest.mark.parametrize("response", RESPONSES)
def test_volumes_left_out_change_nothing_in_the_others(response: Response) -> None:
    whole = delay(spoken(ONSET, VALUES), measured(GRID), response)
    for seed in range(5):
        kept = np.sort(np.random.default_rng(seed).choice(60, 35, replace=False))
        found = delay(spoken(ONSET, VALUES), measured(GRID[kept]), response)
        np.testing.assert_allclose(found, whole[kept], atol=1e-12)


@pytest.mark.parametrize("response", RESPONSES)
@pytest.mark.parametrize("pause", [0.0, 4000.0, 100_000.0])
def test_runs_are_delayed_each_by_itself(response: Response, pause: float) -> None:
    """By the convolution of each run alone, with labels on one clock, and with clocks that start again."""
    start, late = GRID[:20], GRID[:25]
    first, second = ONSET < 40_000, ONSET < 50_000
    alone = np.concatenate(
        [
            delay(spoken(ONSET[first], VALUES[first]), measured(start), response),
            delay(spoken(ONSET[second], VALUES[second]), measured(late), response),
        ]
    )
    words = np.concatenate([VALUES[first], VALUES[second]])
    runs = np.repeat(["1", "2"], [first.sum(), second.sum()])
    volumes = np.repeat([1, 2], [20, 25])
    shift = 40_000 + pause
    for moved in (0.0, shift):  # clocks of their own, one clock
        onset = np.concatenate([ONSET[first], ONSET[second] + moved])
        target = measured(np.concatenate([start, late + moved]), run=volumes)
        np.testing.assert_allclose(delay(spoken(onset, words, run=runs), target, response), alone, atol=1e-9)
    np.testing.assert_allclose(delay(spoken(onset, words), target, response), alone, atol=1e-9)


def test_a_long_pause_parts_what_has_no_labels() -> None:
    start = np.concatenate([GRID[:5], GRID[:5] + 100_000])
    found = delay(spoken(np.array([8500.0]), np.ones((1, 1))), measured(start), Delays((1, 2)))
    assert not found.any()


def test_clocks_that_start_again_need_labels() -> None:
    twice = np.concatenate([GRID[:5], GRID[:5]])
    words = spoken(ONSET, VALUES)
    with pytest.raises(InvalidMeasurement, match="volume 5 begins at 0 ms, not after volume 4 at 8000 ms; "):
        delay(words, measured(twice))
    target = measured(twice, run=np.repeat([1, 2], 5))
    with pytest.raises(InvalidMeasurement, match="words do not say of which run they are"):
        delay(words, target)
    with pytest.raises(InvalidMeasurement, match="words are of 3, volumes of 1, 2"):
        delay(spoken(ONSET, VALUES, run=np.full(200, 3)), target)
    both = spoken(np.concatenate([ONSET[:9], ONSET[:9]]), VALUES[:18], run=np.repeat([1, 2], 9))
    with pytest.raises(InvalidMeasurement, match="volumes do not say of which run"):
        delay(both, measured(GRID))
    with pytest.raises(InvalidMeasurement, match="'onset' of word 3 is nan"):
        delay(spoken(np.where(np.arange(200) == 3, np.nan, ONSET), VALUES), measured(GRID))


def test_sessions_may_number_their_runs_anew() -> None:
    words = spoken(np.array([100.0, 100.0]), np.array([[1.0], [5.0]]), run=["1", "1"], session=["a", "b"])
    target = measured(np.concatenate([GRID[:3], GRID[:3]]), run=["1"] * 6, session=["a"] * 3 + ["b"] * 3)
    np.testing.assert_array_equal(delay(words, target, Delays((1,)))[:, 0], [0, 1, 0, 0, 5, 0])


def test_folds_of_a_whole_run_are_contiguous() -> None:
    times = {"time_bin_start": GRID, "time_bin_end": GRID + 2000}
    for one, other in zip(BlocksInTime(5, 6)(60, times), Contiguous(5, 6)(60), strict=True):
        np.testing.assert_array_equal(one.train, other.train)
        np.testing.assert_array_equal(one.test, other.test)


@pytest.mark.parametrize("labelled", [False, True])
def test_training_keeps_away_in_time(labelled: bool) -> None:
    """Whatever is left out, and though two runs stand row by row beside each other."""
    start = np.repeat(2000.0 * np.arange(300), 2)[:400] if labelled else 2000.0 * np.arange(400)
    kept = np.sort(GENERATOR.choice(400, 300, replace=False))
    run = np.tile(["1", "2"], 200)[kept]
    times = {"time_bin_start": start[kept], "time_bin_end": start[kept] + 2000, **({"run": run} if labelled else {})}
    tested = []
    for train, test in FIVE_BLOCKS(300, times):
        away = np.abs(start[kept][train][:, None] - start[kept][test])
        same = (run[train][:, None] == run[test]) | (not labelled)
        assert away[same].min() > 2000 * BLOCK
        tested += test.tolist()
    assert sorted(tested) == list(range(300))


def test_steps_of_unequal_length_have_no_dynamics() -> None:
    """The map of one step was fitted to bins that were left out, as if nothing had been."""
    values = GENERATOR.normal(size=(20, 4, 9))
    start = np.delete(50.0 * np.arange(10), 4)
    coords = {
        "stimulus_id": ("presentation", [f"s{k}" for k in range(20)]),
        "neuroid_id": ("neuroid", [f"n{k}" for k in range(4)]),
        "region": ("neuroid", ["V4"] * 4),
        "time_bin_start": ("time_bin", start),
        "time_bin_end": ("time_bin", start + 50),
    }
    target = xr.DataArray(values, dims=("presentation", "neuroid", "time_bin"), coords=coords)
    metric = metrics["dynamic_similarity"].load(resamples=0)
    with pytest.raises(InvalidMeasurement, match="time bins are 50 to 100 ms apart"):
        metric(target, target)
    even = target.assign_coords(time_bin_start=("time_bin", 50.0 * np.arange(9)))
    assert metric(even, even).aggregate() == pytest.approx(1)


def test_a_brain_with_two_runs_is_predicted() -> None:
    """Scored by the benchmark's metric: what is delayed in each run by itself is predicted, also across the border."""
    start = np.concatenate([2000.0 * np.arange(100)] * 2)
    onset = np.tile(np.sort(GENERATOR.uniform(0, 190_000, 400)), 2)
    words = spoken(onset, GENERATOR.normal(size=(800, 2)), run=np.repeat(["a", "b"], 400))
    target = measured(start, run=np.repeat(["a", "b"], 100))
    course = delay(words, target)
    target = target.copy(data=course[:, :1]).assign_coords(neuroid_id=("neuroid", ["n"]), region=("neuroid", ["STG"]))
    assert metrics["bold_ridge"].load(resamples=0)(words, target).aggregate() > 0.99
