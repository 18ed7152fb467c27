"""Fits to readers: plain and partial correlations, the gain in likelihood, ceilings from errors of means."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import xarray as xr

from brainmark.core import InvalidMeasurement, metrics
from brainmark.metrics.language.reading import ReadingFit, partial_correlations, reliability_ceiling, shift

N, TEXTS = 600, 30
GENERATOR = np.random.default_rng(5)
LENGTH = GENERATOR.integers(1, 12, N).astype(float)
SURPRISAL = 0.6 * LENGTH + GENERATOR.gamma(2.0, 2.0, N)
TEXT = np.repeat(np.arange(TEXTS), N // TEXTS)
IDS = {"stimulus_id": ("presentation", [f"w{k}" for k in range(N)])}


def words(values: np.ndarray, **columns: np.ndarray) -> xr.DataArray:
    coords: dict[str, Any] = {**IDS, **{name: ("presentation", c) for name, c in columns.items()}}
    return xr.DataArray(values, dims="presentation", coords=coords)


def residual(values: np.ndarray, *removed: np.ndarray) -> np.ndarray:
    design = np.column_stack([np.ones(len(values)), *removed])
    return values - design @ np.linalg.lstsq(design, values, rcond=None)[0]


TIMES = 200 + 9 * LENGTH + 4 * SURPRISAL + GENERATOR.normal(0, 15, N)
TARGET = words(TIMES, length=LENGTH, story=TEXT)


def test_correlation_is_pearsons() -> None:
    found = ReadingFit(context="story")(words(SURPRISAL), TARGET)
    assert found.aggregate() == pytest.approx(np.corrcoef(SURPRISAL, TIMES)[0, 1], abs=1e-12)
    assert found.details["words"] == N


def test_partial_correlation_is_that_of_residuals() -> None:
    found = ReadingFit("partial", ("length",), context="story")(words(SURPRISAL), TARGET)
    expected = np.corrcoef(residual(SURPRISAL, LENGTH), residual(TIMES, LENGTH))[0, 1]
    assert found.aggregate() == pytest.approx(expected, abs=1e-10)
    assert found.details["r"] > expected + 0.1  # length made the plain correlation larger


def test_spillover_takes_the_words_before_of_the_same_text_away() -> None:
    found = ReadingFit("partial", ("length",), spillover=1, context="story")(words(SURPRISAL), TARGET)
    inside = np.flatnonzero(np.arange(N) % (N // TEXTS) > 0)
    removed = [LENGTH[inside], SURPRISAL[inside - 1], LENGTH[inside - 1]]
    one, other = residual(SURPRISAL[inside], *removed), residual(TIMES[inside], *removed)
    assert found.details["words"] == len(inside)
    assert found.aggregate() == pytest.approx(np.corrcoef(one, other)[0, 1], abs=1e-10)


def test_replicates_are_draws_of_whole_texts() -> None:
    from brainmark.metrics.statistics.resampling import draws

    found = ReadingFit("partial", ("length",), context="story", resamples=20, seed=3)(words(SURPRISAL), TARGET)
    assert found.replicates is not None
    for counts, value in zip(draws(TEXTS, 20, 3), found.replicates[:, 0], strict=True):
        rows = np.concatenate([np.flatnonzero(t == TEXT).repeat(c) for t, c in enumerate(counts)])
        one, other = (residual(v[rows], LENGTH[rows]) for v in (SURPRISAL, TIMES))
        assert value == pytest.approx(np.corrcoef(one, other)[0, 1], abs=1e-9)


def test_signs_turn_falling_measures() -> None:
    falling = TARGET.copy(data=-TIMES)
    found = ReadingFit("correlation", sign=-1)(words(SURPRISAL), falling)
    assert found.aggregate() == pytest.approx(np.corrcoef(SURPRISAL, TIMES)[0, 1])
    assert found.details["r"] == pytest.approx(-found.aggregate())  # as measured


def test_likelihood_rises_with_what_is_true_and_not_with_noise() -> None:
    noise = np.random.default_rng(9).normal(size=N)
    fit = ReadingFit("likelihood", ("length",), context="story")
    true, false = fit(words(SURPRISAL), TARGET), fit(words(noise), TARGET)
    variances = [np.var(residual(TIMES, LENGTH, *more)) for more in ([], [SURPRISAL])]
    assert true.aggregate() == pytest.approx(0.5 * np.log2(variances[0] / variances[1]), rel=0.05)
    assert abs(false.aggregate()) < 0.01
    assert true.replicates is not None
    assert np.quantile(true.replicates, 0.025) > 0.1


def test_likelihood_rises_with_the_prediction_of_the_word_before() -> None:
    """With spillover the gain is that of the word's and the earlier word's surprisal, given both their lengths."""
    inside = np.flatnonzero(np.arange(N) % (N // TEXTS) > 0)
    times = TIMES.copy()
    times[inside] += 7 * SURPRISAL[inside - 1]
    found = ReadingFit("likelihood", ("length",), spillover=1, context="story", resamples=0)(
        words(SURPRISAL), TARGET.copy(data=times)
    )
    nuisance = [LENGTH[inside], LENGTH[inside - 1]]
    more = [SURPRISAL[inside], SURPRISAL[inside - 1]]
    variances = [np.var(residual(times[inside], *columns)) for columns in (nuisance, [*nuisance, *more])]
    assert found.aggregate() == pytest.approx(0.5 * np.log2(variances[0] / variances[1]), rel=0.05)


def test_likelihood_is_of_other_texts() -> None:
    from brainmark.metrics.statistics.splits import Grouped

    found = ReadingFit("likelihood", ("length",), context="story", folds=3, resamples=0)(words(SURPRISAL), TARGET)
    gain = np.empty(N)
    for train, test in Grouped("t", 3)(N, {"t": TEXT}):
        each = []
        for design in (np.c_[np.ones(N), LENGTH, SURPRISAL], np.c_[np.ones(N), LENGTH]):
            weights = np.linalg.lstsq(design[train], TIMES[train], rcond=None)[0]
            spread = np.sqrt(np.mean((TIMES[train] - design[train] @ weights) ** 2))
            missed = (TIMES[test] - design[test] @ weights) / spread
            each.append(-np.log(spread) - missed**2 / 2)
        gain[test] = (each[0] - each[1]) / np.log(2)
    assert found.aggregate() == pytest.approx(gain.mean(), abs=1e-10)


def test_words_without_measure_surprisal_or_nuisance_do_not_count() -> None:
    surprisal, times, length = SURPRISAL.copy(), TIMES.copy(), LENGTH.copy()
    surprisal[::20], times[5], length[7] = np.nan, np.nan, np.nan
    known = np.isfinite(surprisal + times + length)
    found = ReadingFit("partial", ("length",))(words(surprisal), words(times, length=length))
    one, other = (residual(v[known], length[known]) for v in (surprisal, times))
    assert found.aggregate() == pytest.approx(np.corrcoef(one, other)[0, 1], abs=1e-10)
    assert found.details["words"] == known.sum()


def test_what_is_only_nuisance_has_no_value() -> None:
    for fit in ("partial", "likelihood"):
        copy = ReadingFit(fit, ("length",))(words(3 * LENGTH + 1 if fit == "partial" else np.ones(N)), TARGET)
        assert np.isnan(copy.values.values).all()
        assert "partial r" not in copy.details  # undefined is not nought
    assert "r" not in ReadingFit()(words(np.ones(N)), TARGET).details


def test_the_ceiling_is_the_root_of_the_reliability() -> None:
    generator = np.random.default_rng(1)
    true = generator.normal(300, 20, 4000)
    error = generator.uniform(5, 25, 4000)
    measured = true + generator.normal(0, error)
    ids = {"stimulus_id": ("presentation", [f"w{k}" for k in range(4000)])}
    target = xr.DataArray(measured, dims="presentation", coords={**ids, "error_variance": ("presentation", error**2)})
    found = reliability_ceiling()(target)
    assert found.aggregate() == pytest.approx(np.corrcoef(true, measured)[0, 1], abs=0.02)
    assert found.replicates is not None
    assert found.replicates.shape == (1000, 1)


def test_the_ceiling_of_a_partial_correlation_is_lower() -> None:
    target = TARGET.assign_coords(error_variance=("presentation", np.full(N, 100.0)))
    plain, partial = reliability_ceiling()(target), reliability_ceiling(nuisance=("length",))(target)
    expected = np.sqrt(1 - 100 / np.var(residual(TIMES, LENGTH)))
    assert partial.aggregate() == pytest.approx(expected, abs=1e-9)
    assert partial.aggregate() < plain.aggregate()


def test_few_texts_are_noted() -> None:
    ten = TARGET.assign_coords(story=("presentation", TEXT % 10))
    assert "10 texts" in ReadingFit(context="story")(words(SURPRISAL), ten).notes[0]
    assert ReadingFit(context="story")(words(SURPRISAL), TARGET).notes == ()


def test_shifting_stays_inside_a_text() -> None:
    moved = shift(np.arange(6.0), np.array([0, 0, 0, 1, 1, 1]), 2)
    np.testing.assert_array_equal(moved, [np.nan, np.nan, 0, np.nan, np.nan, 3])
    assert np.isnan(shift(np.arange(2.0), np.zeros(2, int), 5)).all()


def test_columns_that_repeat_each_other_do_no_harm() -> None:
    groups, counts = np.zeros(N, int), np.ones((1, 1))
    once = partial_correlations([LENGTH], SURPRISAL, TIMES, groups, counts)
    twice = partial_correlations([LENGTH, 2 * LENGTH + 1, np.ones(N)], SURPRISAL, TIMES, groups, counts)
    assert twice == pytest.approx(once, abs=1e-7)


@pytest.mark.parametrize(
    ("metric", "prediction", "message"),
    [
        (ReadingFit("partial", ("age",)), words(SURPRISAL), "no coordinate 'age'"),
        (
            ReadingFit(context="book"),
            words(SURPRISAL),
            "no coordinate 'book' along 'presentation'; it has length, stimulus_id, story",
        ),
        (ReadingFit(), words(SURPRISAL)[:-1], "599 predicted presentations for 600"),
        (ReadingFit(), words(SURPRISAL).expand_dims("neuroid"), "one value a word"),
        (ReadingFit(), words(np.where(np.arange(N) < 2, SURPRISAL, np.nan)), "2 words have prediction"),
    ],
)
def test_what_cannot_be_compared_is_refused(metric: ReadingFit, prediction: xr.DataArray, message: str) -> None:
    with pytest.raises(InvalidMeasurement, match=message):
        metric(prediction, TARGET)


def test_unknown_options_are_refused() -> None:
    with pytest.raises(ValueError, match="unknown fit 'spearman'"):
        metrics["reading_fit"].load(fit="spearman")
    with pytest.raises(ValueError, match="number of words"):
        ReadingFit(spillover=-1)
