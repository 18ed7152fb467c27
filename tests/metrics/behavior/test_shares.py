"""Shares of one of two answers: correlation over stimuli, and psychometric curves."""

from __future__ import annotations

import numpy as np
import pytest
import xarray as xr

from brainmark import load_metric
from brainmark.core import InvalidMeasurement
from brainmark.metrics.behavior.shares import curve_similarity, curve_similarity_ceiling, share_correlation

LEVELS = np.repeat([0.0, 25.0, 50.0, 75.0, 100.0], 6)


def people(count: int = 8, trials: int = 40, seed: int = 0) -> xr.DataArray:
    rng = np.random.default_rng(seed)
    p = 1 / (1 + np.exp(-(LEVELS - 50 + rng.normal(0, 5, len(LEVELS))) / 12))
    values = rng.binomial(trials, p[:, None], (len(LEVELS), count)) / trials
    coords = {"stimulus_id": ("presentation", np.arange(len(LEVELS)).astype(str)), "level": ("presentation", LEVELS)}
    return xr.DataArray(values, dims=("presentation", "subject"), coords=coords)


def model(p: np.ndarray) -> xr.DataArray:
    coords = {"choice": ("choice", ["no", "yes"])}
    return xr.DataArray(np.stack([1 - p, p], axis=1), dims=("presentation", "choice"), coords=coords)


def test_correlation_is_of_the_named_choice():
    target = people()
    mean = target.values.mean(1)
    assert share_correlation("yes")(model(mean), target).aggregate() == pytest.approx(1)
    assert share_correlation("no")(model(mean), target).aggregate() == pytest.approx(-1)
    other = np.random.default_rng(1).random(len(LEVELS))
    found = load_metric("share_correlation", choice="yes")(model(other), target)
    assert found.aggregate() == pytest.approx(np.corrcoef(other, mean)[0, 1])


def test_curve_similarity_against_the_definition():
    target = people()
    p = np.random.default_rng(2).random(len(LEVELS))
    found = curve_similarity("yes")(model(p), target)
    expected = []
    for s in range(target.sizes["subject"]):
        near = []
        for level in np.unique(LEVELS):
            m, h = p[level == LEVELS].mean(), target.values[level == LEVELS, s].mean()
            near.append(1 - abs(m - h) / max(h, 1 - h))
        expected.append(np.mean(near))
    np.testing.assert_allclose(found.values, expected)
    assert found.replicates is not None
    assert found.replicates.shape == (1000, 8)


def test_the_same_curve_is_alike_and_the_opposite_one_is_not():
    target = people(count=1)
    own = target.values[:, 0]
    assert curve_similarity("yes")(model(own), target).aggregate() == pytest.approx(1)
    far = np.where(own < 0.5, 1.0, 0.0)
    assert curve_similarity("yes")(model(far), target).aggregate() < 0.15
    details = curve_similarity("yes")(model(own), target).details
    assert details["threshold"] == pytest.approx(50, abs=5)
    assert details["slope"] == pytest.approx(details["slope of people"])


def test_a_falling_curve_has_no_threshold():
    assert "threshold" not in curve_similarity("yes")(model(1 - LEVELS / 100), people()).details


def test_people_are_alike():
    target = people()
    ceiling = curve_similarity_ceiling()(target)
    assert 0.9 < ceiling.aggregate() < 1
    others = np.delete(target.values, 2, axis=1).mean(axis=1)
    alone = curve_similarity("yes")(model(others), target).values.values[2]
    assert ceiling.values.values[2] == pytest.approx(alone)
    flat = curve_similarity("yes")(model(np.full(len(LEVELS), 0.5)), target).aggregate()
    assert flat < ceiling.aggregate() - 0.2


def test_what_no_one_was_asked_does_not_count():
    target = people().copy()
    target.values[:6, 0] = np.nan
    p = np.random.default_rng(3).random(len(LEVELS))
    found = curve_similarity("yes")(model(p), target)
    asked = slice(6, None)  # all of one level
    rest = curve_similarity("yes")(model(p[asked]), target.isel(presentation=asked))
    assert found.values.values[0] == pytest.approx(rest.values.values[0])
    assert found.values.values[1] != pytest.approx(rest.values.values[1])


def test_what_cannot_be_compared_is_named():
    with pytest.raises(InvalidMeasurement, match="'maybe', only for no, yes"):
        share_correlation("maybe")(model(LEVELS / 100), people())
    with pytest.raises(InvalidMeasurement, match="'strength'"):
        curve_similarity("yes", level="strength")(model(LEVELS / 100), people())
    with pytest.raises(InvalidMeasurement, match="between 0 and 1"):
        curve_similarity("yes")(model(LEVELS / 100), people() * 2)
    with pytest.raises(InvalidMeasurement, match="3 predicted presentations for 30"):
        curve_similarity("yes")(model(LEVELS / 100).isel(presentation=[0, 1, 2]), people())
    with pytest.raises(InvalidMeasurement, match="at least two"):
        curve_similarity_ceiling()(people(count=1))
