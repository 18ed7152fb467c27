from __future__ import annotations

import numpy as np
import pytest
import xarray as xr
from scipy.stats import pearsonr, spearmanr

from brainmark.core.errors import InvalidMeasurement
from brainmark.metrics.behavior.judgements import (
    judgement_ceiling,
    judgement_correlation,
    odd_of_three,
    odd_one_out,
    odd_one_out_ceiling,
)
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


def triplets(counts: np.ndarray) -> xr.DataArray:
    return xr.DataArray(counts, dims=("presentation", "choice"))


def test_odd_one_out_is_the_share_of_agreement() -> None:
    target = triplets(np.array([[1, 0, 0], [0, 3, 1], [0.0, 0, 5]]))
    comparison = odd_one_out(resamples=4)(ratings(np.array([0, 1, 0])), target)
    assert comparison.aggregate() == pytest.approx((1 + 0.75 + 0) / 3)
    assert comparison.replicates is not None
    values = np.array([1, 0.75, 0])
    np.testing.assert_allclose(comparison.replicates[:, 0], draws(3, 4, 0) @ values / 3)


def test_people_reach_the_ceiling_of_the_odd_one_out() -> None:
    generator = np.random.default_rng(4)
    shares = generator.dirichlet(np.full(3, 0.5), size=5000)
    target = triplets(generator.multinomial(4, shares))
    ceiling = odd_one_out_ceiling(resamples=5)(target).aggregate()
    further = np.array([generator.choice(3, p=p) for p in shares])
    assert odd_one_out(resamples=0)(ratings(further), target).aggregate() == pytest.approx(ceiling, abs=0.02)
    assert ceiling == pytest.approx((shares**2).sum(axis=1).mean(), abs=0.02)
    guessed = generator.integers(0, 3, 5000)
    assert odd_one_out(resamples=0)(ratings(guessed), target).aggregate() == pytest.approx(1 / 3, abs=0.02)


def test_the_odd_one_lies_outside_the_most_similar_pair() -> None:
    similarity = np.array([[1, 0.9, 0.1, 0.2], [0.9, 1, 0.3, 0.1], [0.1, 0.3, 1, 0.8], [0.2, 0.1, 0.8, 1]])
    found = odd_of_three(similarity, np.array([[0, 1, 2], [2, 0, 1], [0, 2, 3], [2, 1, 3]]))
    assert found.tolist() == [2, 0, 0, 1]


def test_refusals(truth: np.ndarray) -> None:
    with pytest.raises(ValueError, match="unknown method"):
        judgement_correlation("kendall")  # type: ignore[arg-type]
    with pytest.raises(InvalidMeasurement, match="119 predicted presentations for 120"):
        judgement_correlation()(ratings(truth[1:]), ratings(truth))
    with pytest.raises(InvalidMeasurement, match="at least two subjects"):
        judgement_ceiling()(ratings(truth))
    with pytest.raises(InvalidMeasurement, match="subject or repetition"):
        judgement_correlation()(ratings(truth), xr.DataArray(np.ones((120, 2)), dims=("presentation", "choice")))
    with pytest.raises(InvalidMeasurement, match="position: 0, 1 or 2"):
        odd_one_out()(ratings(np.array([3])), triplets(np.ones((1, 3))))
    with pytest.raises(InvalidMeasurement, match="with 3"):
        odd_one_out()(ratings(np.array([0])), triplets(np.ones((1, 4))))
    with pytest.raises(InvalidMeasurement, match="more than one for some triplet"):
        odd_one_out_ceiling()(triplets(np.eye(3)))
    with pytest.raises(InvalidMeasurement, match="every triplet needs a choice"):
        odd_one_out()(ratings(np.array([0])), triplets(np.zeros((1, 3))))


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
