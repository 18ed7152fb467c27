"""Noise ceilings and floors of the published recordings."""

from __future__ import annotations

import numpy as np
import pytest
import xarray as xr

from brainmark.core import datasets
from brainmark.data.fetch import where
from brainmark.metrics.similarity.rdm_subjects import nili_bounds
from brainmark.metrics.similarity.rsa import rdm, rdm_ceiling
from brainmark.metrics.tuning.distributions import distribution_ceiling, uniform_floor

pytestmark = pytest.mark.realdata


def measurement(name: str) -> xr.DataArray:
    lost = [found for found in map(where, datasets[name].card.sources) if found.path is None]
    if lost:
        pytest.skip(f"neither a mirror (BRAINMARK_MIRROR) nor the cache has {lost[0].source.url}")
    return datasets[name].load().measurement


def test_human_it_has_the_known_noise_ceiling() -> None:
    ceiling = rdm_ceiling(resamples=200)(measurement("Kriegeskorte2008.humanIT"))
    assert ceiling.bounds == pytest.approx((0.379, 0.661), abs=0.001)
    assert ceiling.bounds is not None
    assert ceiling.bounds[0] < ceiling.aggregate() < ceiling.bounds[1]
    assert ceiling.values.size == 4


def test_judgements_have_the_known_lower_bound() -> None:
    ceiling = rdm_ceiling(resamples=0)(measurement("Kriegeskorte2008.judgements"))
    assert ceiling.bounds is not None
    assert ceiling.bounds[0] == pytest.approx(0.478, abs=0.001)
    assert ceiling.bounds[0] < ceiling.aggregate() < ceiling.bounds[1]


def test_monkey_and_human_it_are_as_alike_as_published() -> None:
    human = measurement("Kriegeskorte2008.humanIT").mean(["subject", "repetition"])
    found = rdm(resamples=200)(measurement("Kriegeskorte2008.monkeyIT"), human)
    assert found.aggregate() == pytest.approx(0.439, abs=0.001)
    assert found.replicates is not None
    low, high = np.percentile(found.replicates, [2.5, 97.5])
    assert 0.2 < low < 0.439 < high < 0.7


def test_ranking_before_averaging_raises_the_upper_bound_only() -> None:
    from brainmark.metrics.similarity.rdm import upper

    vectors = upper(measurement("Kriegeskorte2008.humanIT").mean("repetition").values)
    plain, ranked = nili_bounds(vectors), nili_bounds(vectors, pool="ranks")
    assert ranked[1] > plain[1]


@pytest.mark.parametrize(
    ("name", "itself", "uniform"), [("circular_variance", 0.961, 0.887), ("orthogonal_preferred", 0.963, 0.674)]
)
def test_v1_distributions_have_the_known_ceiling_and_floor(name: str, itself: float, uniform: float) -> None:
    cells = measurement(f"Ringach2002.{name}")
    assert cells.size == 304
    assert distribution_ceiling(name)(cells).aggregate() == pytest.approx(itself, abs=0.003)
    assert uniform_floor(cells, name, resamples=1000) == pytest.approx(uniform, abs=0.005)
