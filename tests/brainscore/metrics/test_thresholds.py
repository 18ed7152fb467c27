"""Thresholds of detection."""

from __future__ import annotations

import numpy as np
import pytest
import xarray as xr

from brainmark.brainscore import metrics as bs
from brainmark.brainscore.metrics.thresholds import Fit, count_monotone_levels, fit_psychometric


def detector(middle: float, levels: np.ndarray, trials: int = 200, slope: float = 0.15) -> xr.DataArray:
    """Answers that follow a cumulative Gaussian with a lapse rate of .04, as exactly as counts allow."""
    rates = Fit(slope, middle, 0.04)(levels)
    right = np.concatenate([np.arange(trials) < round(rate * trials) for rate in rates])
    label = np.arange(len(right)) % 2
    picked = np.where(right, label, 1 - label)
    sides = np.array(["left", "right"])
    return xr.DataArray(
        np.eye(2)[picked],
        dims=("presentation", "choice"),
        coords={
            "level": ("presentation", np.repeat(levels, trials)),
            "image_label": ("presentation", sides[label]),
            "choice": sides,
        },
    )


def test_a_threshold_is_found_where_it_is() -> None:
    levels = np.linspace(0, 60, 5)
    score = bs.threshold(detector(30, levels), [30.0, 15.0, 60.0], accuracy=float(Fit(0.15, 30, 0.04)(30)))
    assert score.aggregate() == pytest.approx((1 + 0 + 0.5) / 3, abs=0.01)
    assert bs.threshold(30.0, [30.0, 15.0, 60.0]).aggregate() == pytest.approx(0.5)
    raised = bs.threshold_elevation((detector(20, levels, slope=0.2), detector(30, levels)), ([10.0], [15.0]))
    assert raised.aggregate() == pytest.approx(1, abs=0.05)


def test_a_flawless_detector_is_fitted_with_three_lapses_in_a_hundred() -> None:
    levels = np.arange(5.0, 65, 5)
    fit = fit_psychometric(levels, np.asarray(Fit(0.3, 30, 0.0)(levels)))
    assert fit is not None
    assert fit.lapse == pytest.approx(0.03)


@pytest.mark.parametrize(
    ("rates", "kept"),
    [
        ([0.5, 0.7, 0.9, 0.6, 0.5], 3),  # a standard deviation is .15: all after the best lie further below
        ([0.5, 0.7, 0.9, 0.8, 0.5], 4),
        ([0.5, 0.6, 0.9, 0.7, 0.7], 3),  # one and a half standard deviations below
        ([0.5, 0.7, 0.9, 0.6, 0.85], 5),  # what comes back was not lost
        ([0.5, 0.7, 0.9], 3),
    ],
)
def test_levels_beyond_the_best_are_cut_off_where_all_are_worse(rates: list[float], kept: int) -> None:
    assert count_monotone_levels(np.array(rates)) == kept


def test_thresholds_that_cannot_be_had_score_0() -> None:
    levels = np.linspace(0, 60, 4)
    guessing = detector(1000, levels)
    assert bs.aggregate(bs.threshold(guessing, [30.0])) == (0, 0)
    assert bs.threshold_elevation((guessing, detector(30, levels)), ([10.0], [15.0])).aggregate() == 0
    assert fit_psychometric(levels, np.array([0.9, 0.5, 0.6, 0.9])) is None
    assert bs.threshold(100.0, [30.0]).aggregate() == 0


def test_the_ceiling_draws_people_with_seeds() -> None:
    people = [10.0, 12.0, 20.0]
    drawn = [np.random.RandomState(k) for k in range(3)]
    pool, scores = list(people), []
    for state in drawn:
        one = float(state.choice(pool, replace=False))
        pool.remove(one)
        scores.append(np.mean([max(1 - abs(other - one) / other, 0) for other in pool]))
        pool.append(one)
    assert bs.aggregate(bs.threshold_ceiling(people)) == pytest.approx((np.mean(scores), np.std(scores)))
    assert bs.elevations([2.0, 4.0], [3.0, 4.0]) == [1.5, 1.0]
