from __future__ import annotations

import numpy as np
import pytest
import xarray as xr

from brainmark.core.errors import InvalidMeasurement
from brainmark.metrics.behavior.odd_one_out import odd_one_out, odd_one_out_ceiling
from brainmark.metrics.statistics.resampling import draws


def ratings(values: np.ndarray) -> xr.DataArray:
    return xr.DataArray(values, dims="presentation")


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


def test_refusals() -> None:
    with pytest.raises(InvalidMeasurement, match="position: 0, 1 or 2"):
        odd_one_out()(ratings(np.array([3])), triplets(np.ones((1, 3))))
    with pytest.raises(InvalidMeasurement, match="with 3"):
        odd_one_out()(ratings(np.array([0])), triplets(np.ones((1, 4))))
    with pytest.raises(InvalidMeasurement, match="more than one for some triplet"):
        odd_one_out_ceiling()(triplets(np.eye(3)))
    with pytest.raises(InvalidMeasurement, match="every triplet needs a choice"):
        odd_one_out()(ratings(np.array([0])), triplets(np.zeros((1, 3))))
