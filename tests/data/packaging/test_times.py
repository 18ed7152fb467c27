"""Times in another unit or on another clock are refused: they would give no spikes in any window, without an error."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path

import numpy as np
import pytest

from brainmark.data.packaging import Problems
from brainmark.data.packaging.problems import Unusable
from brainmark.data.packaging.times import Clocks, check_events, check_spikes, check_step

WINDOWS = ((50.0, 150.0),)
PLAIN = Clocks("start_time", spikes_stated=False, onsets_stated=False)


def session(
    seconds: float = 3600, rate: float = 10, trials: int = 800, seed: int = 0
) -> tuple[list[np.ndarray], np.ndarray]:
    """Spikes of two units and onsets, all in s, over the whole session."""
    generator = np.random.default_rng(seed)
    onsets = np.sort(generator.uniform(1, seconds - 1, trials))
    return [np.sort(generator.uniform(0, seconds, int(seconds * rate))) for _ in range(2)], onsets


def complain(spikes: list[np.ndarray], onsets: np.ndarray, clocks: Clocks = PLAIN, windows=WINDOWS) -> str:
    """What is said of the times; nothing if they can be."""
    problems = Problems("the data set")
    try:
        check_spikes({f"u{k}": t for k, t in enumerate(spikes)}, onsets, windows, clocks, Path("s.nwb"), problems)
    except Unusable:
        assert len(problems.found) == 1
    return next(iter(problems.found), "")


UNITS = {"milliseconds": 1000.0, "samples": 30_000.0, "microseconds": 1e6}
SESSIONS = {
    "an hour": session(), "a minute": session(60, 5, 40), "few spikes": session(600, 0.3, 100),
    "fast": session(120, 60, 100), "slow trials": session(3000, 5, 60),
}  # fmt: skip


@pytest.mark.parametrize("name", SESSIONS)
def test_seconds_are_taken(name: str) -> None:
    assert complain(*SESSIONS[name]) == ""


@pytest.mark.parametrize("name", SESSIONS)
@pytest.mark.parametrize("unit", UNITS)
@pytest.mark.parametrize("whole", [True, False])
def test_spikes_in_another_unit(name: str, unit: str, whole: bool) -> None:
    spikes, onsets = SESSIONS[name]
    scaled = [np.round(t * UNITS[unit]) if whole else t * UNITS[unit] * 1.00001 for t in spikes]
    said = complain(scaled, onsets)
    assert "s.nwb: spike_times" in said and f"look like {unit}" in said and "spike_clock" in said


def test_a_stated_clock_is_believed() -> None:
    spikes, onsets = session(60, 5, 40)
    assert complain([np.round(t) for t in spikes], onsets, Clocks("start_time", True, False)) == ""


def test_everything_in_milliseconds() -> None:
    spikes, onsets = session(600, 5, 200)
    said = complain([t * 1000.5 for t in spikes], onsets * 1000)
    assert "look like ms" in said and 'time_unit = "ms"' in said
    said = complain([np.round(t * 1000) for t in spikes], np.round(onsets * 1000))
    assert "whole numbers" in said


def test_onsets_in_milliseconds() -> None:
    spikes, onsets = session(600, 5, 200)
    assert "'start_time' looks like ms: say time_unit = \"ms\"" in complain(spikes, onsets * 1000)


@pytest.mark.parametrize(("trials", "seconds"), [(20, 20), (400, 1200)])
def test_spikes_that_restart_with_each_trial(trials: int, seconds: float) -> None:
    generator = np.random.default_rng(1)
    onsets = np.linspace(1, seconds, trials)
    per_trial = [np.sort(generator.uniform(0, 1, 15)) for _ in range(trials)]
    said = complain([np.concatenate(per_trial)], onsets)
    assert "start again" in said and "add the onset" in said
    said = complain([np.sort(np.concatenate(per_trial))], onsets)  # sorted afterwards
    assert "other clocks" in said


def test_spikes_of_merged_units_may_be_out_of_order() -> None:
    (one, other), onsets = session(600, 5, 100)
    assert complain([np.concatenate([one, other])], onsets) == ""


@pytest.mark.parametrize("onsets", [np.zeros(800), np.tile([0.0, 0.5], 400), np.full(800, 0.2)])
def test_onsets_that_are_all_alike(onsets: np.ndarray) -> None:
    spikes, _ = session()
    said = complain(spikes, onsets)
    assert "begin together with another" in said and "'start_time'" in said


def test_presentations_faster_than_any_screen() -> None:
    spikes, onsets = session()
    assert "every 0.00" in complain(spikes, onsets / 1e6) and "time_unit" in complain(spikes, onsets / 1e6)


def test_onsets_in_samples() -> None:
    spikes, onsets = session(600, 5, 200)
    assert "'start_time' looks like samples: write seconds" in complain(spikes, onsets * 30_000)


def test_two_things_shown_at_once_now_and_then() -> None:
    spikes, onsets = session()
    assert complain(spikes, np.concatenate([onsets, onsets[:100]])) == ""


def test_a_short_block_in_a_long_recording_is_taken() -> None:
    spikes, _ = session(18_000, 3, 2)
    assert complain(spikes, np.linspace(5, 120, 100)) == ""


def test_hardly_any_spike_where_many_are_expected() -> None:
    onsets = np.arange(1.0, 200.0)
    between = np.concatenate([o + np.linspace(0.4, 0.9, 30) for o in onsets])
    assert "about" in complain([between], onsets)


def test_no_spike_at_all() -> None:
    assert "no unit has a spike" in complain([np.empty(0)], np.arange(5.0))


def test_windows_in_seconds() -> None:
    assert "windows end 0.15 ms" in complain(*session(), windows=((0.05, 0.15),))


# --- time series -----------------------------------------------------------------------------------------------------


def complain_of_events(onsets: np.ndarray, end: float = 400, stated: bool = False) -> str:
    problems = Problems("the data set")
    with suppress(Unusable):
        check_events(onsets, (0.0, end), "events.tsv", stated, problems)
    return next(iter(problems.found), "")


def test_events_of_a_run() -> None:
    onsets = np.arange(4.0, 400, 8)
    assert complain_of_events(onsets) == ""
    assert 'look like ms: say time_unit = "ms"' in complain_of_events(onsets * 1000)
    assert "are they of this run" in complain_of_events(onsets + 4000)
    assert "begin together" in complain_of_events(np.zeros(50))


@pytest.mark.parametrize(("seconds", "fine"), [(2.0, True), (0.05, True), (2000.0, False), (0.0, False), (-1.0, False)])
def test_time_between_two_volumes(seconds: float, fine: bool) -> None:
    problems = Problems("the data set")
    with suppress(Unusable):
        check_step(seconds, "bold.json", "RepetitionTime", problems)
    assert bool(problems.found) is not fine
