"""A draw with replacement that holds too few different stimuli has no value; copies are not further stimuli.

Wrong outcome guarded against: draws of one pair of stimuli, or of two stimuli that stand several times, were counted as
many pairs, and gave correlations and alignments of exactly -1 or 1.
"""

from __future__ import annotations

import numpy as np
import pytest

from brainmark.core import InvalidMeasurement, metrics
from brainmark.metrics.similarity.alignment import resample_cka, resample_hsic
from brainmark.metrics.similarity.rdm_resampling import resample_agreement, resample_rdms
from brainmark.metrics.statistics.correlation import resample_pearson, weighted_pearson

FEW = np.array([[5, 0, 0, 0, 0, 0], [3, 2, 0, 0, 0, 0], [0, 0, 0, 1, 5, 0]])
ENOUGH = np.array([[2, 2, 1, 0, 0, 0], [1, 1, 1, 1, 1, 1], [0, 3, 1, 1, 1, 0]])


def rdms(count: int) -> np.ndarray:
    rng = np.random.default_rng(0)
    points = rng.standard_normal((count, 6, 3))
    return np.linalg.norm(points[:, :, None] - points[:, None], axis=-1)


def test_two_different_presentations_have_no_r() -> None:
    x, y = np.random.default_rng(1).standard_normal((2, 6, 4))
    assert np.isnan(resample_pearson(x, y, [6], FEW)).all()
    assert np.isnan(weighted_pearson(x[:, 0], y[:, 0], FEW)).all()
    found = resample_pearson(x, y, [6], ENOUGH, correct=False)
    for row, counts in zip(found, ENOUGH, strict=True):
        drawn = np.repeat(np.arange(6), counts)
        np.testing.assert_allclose(row, [np.corrcoef(x[drawn, k], y[drawn, k])[0, 1] for k in range(4)])


@pytest.mark.parametrize("compare", ["pearson", "spearman", "rho-a", "tau-a", "cosine", "whitened-pearson"])
def test_two_different_conditions_have_no_rdm_to_compare(compare) -> None:
    model, *others = rdms(4)
    others = np.stack(others)
    lacking = others.copy()
    lacking[:, 0, 2] = lacking[:, 2, 0] = np.nan  # leaves two pairs of the first three conditions
    with np.errstate(all="ignore"):
        assert np.isnan(resample_rdms(model, others, FEW, compare)).all()
        assert np.isnan(resample_agreement(others, FEW, compare)).all()
        assert np.isfinite(resample_rdms(model, others, ENOUGH[1:], compare)).all()
        assert np.isnan(resample_rdms(model, lacking, ENOUGH[:1], compare)).all()


def test_alignment_needs_enough_different_stimuli() -> None:
    x, y = np.random.default_rng(2).standard_normal((2, 6, 3))
    k, m = x @ x.T, y @ y.T
    for unbiased in (True, False):
        assert np.isnan(resample_cka(k, m, FEW, unbiased)).all()
        assert np.isfinite(resample_hsic(k, m, ENOUGH[1:], unbiased)).all()
    with pytest.raises(InvalidMeasurement, match="3 stimuli; at least 4"):
        resample_hsic(k[:3, :3], m[:3, :3], np.ones((1, 3)))
    with pytest.raises(InvalidMeasurement, match="at least 4 stimuli"):
        metrics["cka"].factory()(x[:3], y[:3])


def test_procrustes_of_two_stimuli_is_no_similarity() -> None:
    rng = np.random.default_rng(3)
    found = metrics["procrustes"].factory(resamples=200)(rng.standard_normal((3, 2)), rng.standard_normal((3, 2)))
    assert found.replicates is not None
    known = np.isfinite(found.replicates)
    assert 0 < known.mean() < 0.5  # of three drawn, 2 in 9 are all different
