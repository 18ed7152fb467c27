from __future__ import annotations

import numpy as np
import pytest
import xarray as xr
from scipy.stats import pearsonr, spearmanr

from brainmark.core.errors import InvalidMeasurement
from brainmark.metrics.behavior.judgements import judgement_ceiling, judgement_correlation
from brainmark.metrics.statistics.resampling import draws


def ratings(values: np.ndarray) -> xr.DataArray:
    return xr.DataArray(values, dims=("presentation", "subject")[: values.ndim])


@pytest.fixture
def truth() -> np.ndarray:
    return np.random.default_rng(0).gamma(2, size=120)


@pytest.mark.parametrize(("method", "reference"), [("pearson", pearsonr), ("spearman", spearmanr)])
def test_correlation_and_replicates_are_scipys(method: str, reference: object, truth: np.ndarray) -> None:
    generator = np.random.default_rng(1)
    model = np.round(truth + generator.normal(size=120), 0)  # with ties
    comparison = judgement_correlation(method, resamples=5)(ratings(model), ratings(truth))  # type: ignore[arg-type]
    assert comparison.aggregate() == pytest.approx(reference(model, truth)[0])  # type: ignore[operator]
    assert comparison.replicates is not None
    for found, count in zip(comparison.replicates[:, 0], draws(120, 5, 0), strict=True):
        drawn = np.repeat(np.arange(120), count)
        assert found == pytest.approx(reference(model[drawn], truth[drawn])[0])  # type: ignore[operator]


def test_stimuli_that_no_one_judged_are_left_out(truth: np.ndarray) -> None:
    people = np.stack([truth, truth + 1], axis=1)
    people[3] = np.nan
    people[5, 0] = np.nan
    people[5, 1] = truth[5] + 0.5
    assert judgement_correlation(resamples=3)(ratings(truth), ratings(people)).aggregate() == pytest.approx(1)


@pytest.mark.parametrize("method", ["pearson", "spearman"])
@pytest.mark.parametrize(("people", "noise"), [(6, 1.0), (20, 3.0)])
def test_the_true_judgement_reaches_its_ceiling(method: str, people: int, noise: float) -> None:
    generator = np.random.default_rng(2)
    ratios = []
    for _ in range(10):
        truth = generator.normal(size=300)
        target = ratings(truth[:, None] + noise * generator.normal(size=(300, people)))
        raw = judgement_correlation(method, resamples=0)(ratings(truth), target).aggregate()  # type: ignore[arg-type]
        ceiling = judgement_ceiling(method, halvings=30, resamples=0)(target)  # type: ignore[arg-type]
        ratios.append(raw / ceiling.aggregate())
    assert np.mean(ratios) == pytest.approx(1, abs=0.02)


def test_ceiling_copes_with_people_who_judged_a_part(truth: np.ndarray) -> None:
    generator = np.random.default_rng(3)
    values = truth[:, None] + generator.normal(size=(120, 12))
    values[generator.random(values.shape) < 0.5] = np.nan
    ceiling = judgement_ceiling(halvings=20, resamples=30)(ratings(values))
    assert 0.8 < ceiling.aggregate() < 1
    assert ceiling.replicates is not None
    assert ceiling.replicates.shape == (30, 1)


def test_constant_judgements_are_undefined(truth: np.ndarray) -> None:
    comparison = judgement_correlation(resamples=3)(ratings(np.full(120, 0.1)), ratings(truth))
    assert np.isnan(comparison.aggregate())


def test_refusals(truth: np.ndarray) -> None:
    with pytest.raises(ValueError, match="unknown method"):
        judgement_correlation("kendall")  # type: ignore[arg-type]
    with pytest.raises(InvalidMeasurement, match="119 predicted presentations for 120"):
        judgement_correlation()(ratings(truth[1:]), ratings(truth))
    with pytest.raises(InvalidMeasurement, match="at least two subjects"):
        judgement_ceiling()(ratings(truth))
    with pytest.raises(InvalidMeasurement, match="subject or repetition"):
        judgement_correlation()(ratings(truth), xr.DataArray(np.ones((120, 2)), dims=("presentation", "choice")))


@pytest.mark.parametrize("people", [3, 5])
@pytest.mark.parametrize("noise", [0.7, 1.2])
def test_an_odd_number_of_people_is_no_worse_than_it_is(people: int, noise: float) -> None:
    """One and two of three people correlate less than two halves would; some presentations have fewer judges."""
    rng = np.random.default_rng([people, 1])
    truth = rng.standard_normal(40_000)
    judged = truth[:, None] + noise * rng.standard_normal((len(truth), people))
    judged[::4, 0] = np.nan
    target = xr.DataArray(judged, dims=("presentation", "subject"))
    reached = judgement_correlation(resamples=0)(xr.DataArray(truth, dims="presentation"), target).aggregate()
    assert judgement_ceiling(halvings=20, resamples=0)(target).aggregate() == pytest.approx(reached, rel=0.012)
