"""Delay by blood flow: regressors against a convolution, folds with a gap, and known brains recovered."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import xarray as xr

from brainmark.core import InvalidMeasurement, metrics
from brainmark.metrics.regression.predictivity import ridge
from brainmark.metrics.statistics.ceilings import split_half
from brainmark.metrics.statistics.splits import Shuffled
from brainmark.metrics.time.haemodynamics import (
    BLOCK,
    CANONICAL,
    FIVE_BLOCKS,
    Canonical,
    Delays,
    Haemodynamic,
    PartialInVolumes,
    UniqueInVolumes,
    as_presentations,
    ceiling_in_volumes,
    delay,
    make_regressors,
)

BINS, WORDS = 200, 900
GENERATOR = np.random.default_rng(2)
ONSET = np.sort(GENERATOR.uniform(0, 2000.0 * BINS - 20000, WORDS))
UNITS = GENERATOR.normal(size=(WORDS, 3))
START = 2000.0 * np.arange(BINS)


def spoken(values: np.ndarray) -> xr.DataArray:
    coords: dict[str, Any] = {
        "stimulus_id": ("presentation", [f"w{k}" for k in range(WORDS)]),
        "onset": ("presentation", ONSET),
    }
    return xr.DataArray(values, dims=("presentation", "neuroid")[: values.ndim], coords=coords)


def run(values: np.ndarray, **along: np.ndarray) -> xr.DataArray:
    """A run (time_bin, neuroid[, repetition])."""
    coords: dict[str, Any] = {
        "time_bin_start": ("time_bin", START),
        "time_bin_end": ("time_bin", START + 2000),
        "neuroid_id": ("neuroid", [f"n{k}" for k in range(values.shape[1])]),
        "region": ("neuroid", ["LIFG"] * values.shape[1]),
        **{name: ("time_bin", column) for name, column in along.items()},
    }
    return xr.DataArray(values, dims=("time_bin", "neuroid", "repetition")[: values.ndim], coords=coords)


EMPTY = run(np.zeros((BINS, 1)))
REGRESSORS = delay(spoken(UNITS), EMPTY)


def test_the_response_peaks_after_five_seconds_and_undershoots_after_fifteen() -> None:
    seconds = np.arange(-5, 40, 0.01)
    response = CANONICAL.at(seconds)
    assert seconds[response.argmax()] == pytest.approx(5.0, abs=0.05)
    assert 14 < seconds[response.argmin()] < 16.5
    assert response.min() / response.max() == pytest.approx(-0.0897, abs=0.002)  # that of SPM
    assert (response[seconds < 0] == 0).all()
    assert (response[seconds > 32] == 0).all()
    assert CANONICAL.at(np.array([40.0]))[0] == 0


def test_regressors_are_a_convolution() -> None:
    step = 10.0  # ms
    fine = np.zeros(int(2000 * BINS / step))
    at = np.round(ONSET / step).astype(int)
    np.add.at(fine, at, UNITS[:, 0])
    kernel = CANONICAL.at(np.arange(0, 32, step / 1000))
    course = np.convolve(fine, kernel)[: len(fine)][:: int(2000 / step)]
    assert np.abs(REGRESSORS[:, 0] - course).max() < 0.01 * np.abs(course).max()


def test_delays_sum_the_words_of_each_volume() -> None:
    found = make_regressors(Delays((0, 2)), UNITS, ONSET, START, START + 2000)
    for volume in (0, 1, 2, 57):
        heard = UNITS[(START[volume] <= ONSET) & (START[volume] + 2000 > ONSET)].sum(axis=0)
        np.testing.assert_allclose(found[volume, :3], heard)
        if volume + 2 < BINS:
            np.testing.assert_allclose(found[volume + 2, 3:], heard)
    assert (found[:2, 3:] == 0).all()


def test_effects_cannot_come_before_causes() -> None:
    with pytest.raises(InvalidMeasurement, match="before the word"):
        make_regressors(Delays((-1, 1)), UNITS, ONSET, START, START + 2000)


def test_a_word_without_a_value_has_the_mean_of_the_others() -> None:
    surprisal = UNITS[:, 0].copy()
    surprisal[0] = np.nan
    filled = np.where(np.isnan(surprisal), np.nanmean(surprisal), surprisal)
    np.testing.assert_allclose(delay(spoken(surprisal), EMPTY), delay(spoken(filled), EMPTY))


@pytest.mark.parametrize("response", [Canonical(), Delays((1, 2, 3, 4, 5, 6))])
def test_a_known_brain_is_recovered(response: Canonical | Delays) -> None:
    bold = REGRESSORS @ np.array([[1.0, 0.0], [0.5, -1.0], [0.0, 2.0]])
    noisy = bold + 0.3 * bold.std(axis=0) * np.random.default_rng(1).normal(size=bold.shape)
    found = Haemodynamic(ridge(splits=FIVE_BLOCKS, resamples=50), response)(spoken(UNITS), run(noisy))
    assert found.values.values == pytest.approx([0.96, 0.96], abs=0.05)
    assert found.values.neuroid_id.values.tolist() == ["n0", "n1"]
    assert found.replicates is not None
    wrong = Haemodynamic(ridge(splits=FIVE_BLOCKS, resamples=0))(spoken(UNITS[::-1]), run(noisy))
    assert wrong.aggregate() < 0.3


def test_a_wrong_delay_costs() -> None:
    bold = run(REGRESSORS[:, :1])
    late = Canonical(peak=12.0)
    right, wrong = (
        Haemodynamic(ridge(splits=FIVE_BLOCKS, resamples=0), r)(spoken(UNITS), bold) for r in (CANONICAL, late)
    )
    assert right.aggregate() > wrong.aggregate() + 0.2


def test_slow_noise_is_predicted_in_shuffled_folds_only() -> None:
    generator = np.random.default_rng(3)
    slow = np.cumsum(generator.normal(size=(BINS, 4)), axis=0)
    drifting = np.cumsum(generator.normal(size=(WORDS, 40)), axis=0)
    metric = metrics["bold_ridge"].load(resamples=0)
    found = metric(spoken(drifting), run(slow))
    assert found.details["r with shuffled folds"] > 0.8
    assert found.details["gap"] > 0.4
    assert found.details["gap"] == pytest.approx(found.details["r with shuffled folds"] - found.aggregate())


def test_training_keeps_away_from_the_test() -> None:
    for train, test in FIVE_BLOCKS(BINS):
        assert np.abs(train[:, None] - test[None, :]).min() > BLOCK


def test_unique_variance_is_what_the_nuisance_lacks() -> None:
    rate = delay(spoken(np.ones(WORDS)), EMPTY)[:, 0]
    bold = 2 * (rate - rate.mean()) / rate.std() + REGRESSORS[:, 0] / REGRESSORS[:, 0].std()
    target = run(bold[:, None], word_rate=rate)
    both = spoken(np.column_stack([UNITS, np.ones(WORDS)]))
    known = UniqueInVolumes(("word_rate",), resamples=20)(both, target)
    only_rate = spoken(np.column_stack([np.ones(WORDS), np.ones(WORDS) + 1e-9 * UNITS[:, 0]]))
    nothing = UniqueInVolumes(("word_rate",), resamples=0)(only_rate, target)
    assert known.aggregate() == pytest.approx(0.2, abs=0.06)
    assert known.details["model"] > 0.9
    assert nothing.aggregate() < 0.02
    assert nothing.details["model"] > 0.6
    default = UniqueInVolumes(resamples=0)(both, target)  # the number of words is the nuisance that is always there
    assert default.aggregate() == pytest.approx(known.aggregate(), abs=1e-6)


def test_surprisal_counts_beyond_the_words_themselves() -> None:
    surprisal = 8 + UNITS[:, 0]
    rate = delay(spoken(np.ones(WORDS)), EMPTY)[:, 0]
    course = delay(spoken(surprisal - surprisal.mean()), EMPTY)[:, 0]
    noise = np.random.default_rng(4).normal(size=BINS)
    target = run((5 * rate + course + 2 * course.std() * noise)[:, None], word_rate=rate)
    found = PartialInVolumes(("word_rate",), resamples=100)(spoken(surprisal), target)
    design = np.column_stack([np.ones(BINS), rate])
    one, other = (v - design @ np.linalg.lstsq(design, v, rcond=None)[0] for v in (course, target.values[:, 0]))
    assert found.aggregate() == pytest.approx(np.corrcoef(one, other)[0, 1], abs=1e-9)
    assert abs(found.details["r"]) < found.aggregate()
    assert np.isnan(PartialInVolumes(("word_rate",))(spoken(np.full(WORDS, 8.0)), target).values.values).all()


def test_ceilings_are_those_of_recordings() -> None:
    generator = np.random.default_rng(6)
    people = REGRESSORS[:, :1, None] + generator.normal(size=(BINS, 1, 20)) + 4 * START[:, None, None] / START.max()
    target = run(people, drift=START)
    plain = ceiling_in_volumes(split_half(resamples=10))(target)
    direct = split_half(resamples=10)(as_presentations(target))
    assert plain.aggregate() == direct.aggregate()
    without = ceiling_in_volumes(split_half(resamples=10), ("drift",))(target)
    truth = REGRESSORS[:, 0] - np.polyval(np.polyfit(START, REGRESSORS[:, 0], 1), START)
    expected = np.sqrt(truth.var() / (truth.var() + 1 / 20))
    assert without.aggregate() == pytest.approx(expected, abs=0.03)


def test_volumes_that_were_not_measured_cost_no_repetition() -> None:
    generator = np.random.default_rng(7)
    people = REGRESSORS[:, :1, None] + generator.normal(size=(BINS, 1, 4)) + 4 * START[:, None, None] / START.max()
    holed = people.copy()
    holed[3, 0, 0] = np.nan
    ceiling = ceiling_in_volumes(split_half(resamples=0), ("drift",))
    whole, part = (ceiling(run(values, drift=START)).aggregate() for values in (people, holed))
    assert part == pytest.approx(whole, abs=0.02)
    rest = np.delete(people, 0, axis=2)
    assert ceiling(run(rest, drift=START)).aggregate() < whole - 0.02


def test_a_first_word_without_a_value_is_not_taken_for_all_words() -> None:
    surprisal = UNITS[:, 0].copy()
    surprisal[0] = np.nan
    found = UniqueInVolumes(resamples=0)(spoken(surprisal), run(REGRESSORS[:, :1]))
    assert found.aggregate() > 0.5


def test_draws_of_blocks_are_wider_where_neighbours_resemble_each_other() -> None:
    bold = REGRESSORS[:, :1] + 8 * np.convolve(np.random.default_rng(8).normal(size=BINS), np.ones(8), "same")[:, None]
    mapping = ridge(splits=FIVE_BLOCKS, resamples=400)
    each, blocks = (Haemodynamic(replace(mapping, block=b))(spoken(UNITS), run(bold)).replicates for b in (1, BLOCK))
    assert each is not None
    assert blocks is not None
    assert blocks.std() > each.std()


def test_what_cannot_be_delayed_is_refused() -> None:
    bold = run(REGRESSORS[:, :1])
    metric = Haemodynamic(ridge(splits=Shuffled(5), resamples=0))
    with pytest.raises(InvalidMeasurement, match="the time of each word"):
        metric(spoken(UNITS).drop_vars("onset"), bold)
    with pytest.raises(InvalidMeasurement, match="a run must have"):
        metric(spoken(UNITS), as_presentations(bold))
    with pytest.raises(InvalidMeasurement, match="no coordinate 'loudness' along 'time_bin'"):
        UniqueInVolumes(("loudness",))(spoken(UNITS), bold)
    with pytest.raises(InvalidMeasurement, match="the same for all words"):
        UniqueInVolumes()(spoken(np.ones((WORDS, 2))), bold)
    with pytest.raises(InvalidMeasurement, match="one value a word"):
        PartialInVolumes()(spoken(UNITS), bold)
    with pytest.raises(InvalidMeasurement, match="the time of each word"):
        UniqueInVolumes()(spoken(UNITS).rename(presentation="word"), bold)
