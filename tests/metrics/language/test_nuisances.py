from __future__ import annotations

import numpy as np

from brainmark.metrics.language import nuisances
from brainmark.metrics.regression.predictivity import ridge
from brainmark.metrics.statistics.splits import Contiguous

PASSAGES = np.repeat(np.arange(48), 4)


def test_a_model_of_neighbourhood_alone_scores_only_when_neighbours_leak() -> None:
    """OASM on pure autocorrelated noise: high with shuffled folds, nothing with contiguous ones."""
    rng = np.random.default_rng(0)
    passages = np.repeat(np.arange(96), 4)
    y = np.repeat(rng.standard_normal((96, 20)), 4, axis=0) + 0.3 * rng.standard_normal((384, 20))
    oasm = nuisances.autocorrelation(passages, sigma=1.0)
    assert ridge(resamples=0)(oasm, y).aggregate() > 0.8
    apart = ridge(splits=Contiguous(8), resamples=0)(oasm, y)
    assert np.isnan(apart.aggregate())  # it says the same of every stimulus of another passage


def test_autocorrelation_stays_within_its_group() -> None:
    found = nuisances.autocorrelation(["a", "a", "b", "a"], sigma=1.0)
    near, far = np.exp(-0.5), np.exp(-2.0)
    np.testing.assert_allclose(found, [[1, near, 0, far], [near, 1, 0, near], [0, 0, 1, 0], [far, near, 0, 1]])
    np.testing.assert_array_equal(nuisances.autocorrelation(PASSAGES, sigma=0), np.eye(192))
