"""Do the intervals hold what they promise? Simulated experiments with fresh stimuli and fresh units each time."""

from __future__ import annotations

import numpy as np
import pytest
import xarray as xr

from brainmark.core.comparison import Comparison
from brainmark.core.score import make_score

EXPERIMENTS, STIMULI, DRAWS = 400, 60, 200


def experiment(units: int, seed: int, center: str) -> tuple[Comparison, Comparison]:
    """Means over stimuli of a signal that units share, one of their own, and noise that metric and ceiling share."""
    rng = np.random.default_rng([seed, units])
    own = rng.normal(1.0, 0.25, units)
    shared, noise = rng.standard_normal((STIMULI, 1)), rng.standard_normal((STIMULI, units))
    raw = 0.5 * own + 0.4 * shared + 0.5 * noise + 0.5 * rng.standard_normal((STIMULI, units))
    top = own + 0.6 * shared + 0.7 * noise
    counts = rng.multinomial(STIMULI, np.full(STIMULI, 1 / STIMULI), size=DRAWS)
    return tuple(
        Comparison(xr.DataArray(x.mean(0), dims="neuroid"), replicates=counts @ x / STIMULI, center=center)  # type: ignore[arg-type, return-value]
        for x in (raw, top)
    )


@pytest.mark.parametrize("center", ["mean", "median"])
@pytest.mark.parametrize("units", [12, 80])
def test_95_percent_intervals_cover_95_percent(units: int, center: str) -> None:
    scores = [make_score("b", "s", *experiment(units, k, center), {}, seed=k) for k in range(EXPERIMENTS)]
    for truth, intervals in (
        (0.5, [s.interval for s in scores]),
        (0.5, [s.raw_interval for s in scores]),
        (1.0, [s.ceiling_bounds for s in scores]),
    ):
        covered = np.mean([low <= truth <= high for low, high in intervals])
        assert 0.915 < covered < 0.985  # 95 % +- 3 standard errors of 400 experiments, and a little bias


def test_the_interval_of_a_single_unit_is_that_of_its_stimuli() -> None:
    raw, top = experiment(1, 0, "median")
    score = make_score("b", "s", raw, top, {})
    assert raw.replicates is not None
    assert top.replicates is not None
    ratios = raw.replicates[:, 0] / top.replicates[:, 0]
    low, middle, high = np.percentile(ratios, [2.5, 50, 97.5])
    assert score.interval == pytest.approx((low - middle + score.value, high - middle + score.value))
