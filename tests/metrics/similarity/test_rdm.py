from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch

from brainmark.core import ResourceError
from brainmark.metrics._arrays import products
from brainmark.metrics.similarity.rdm import Compare, Distance, compare_rdms, rdm_matrix, spearman_among, upper
from brainmark.metrics.similarity.rdm_resampling import resample_rdms
from brainmark.metrics.statistics.resampling import draws

DISTANCES = ["correlation", "euclidean", "squared_euclidean", "cosine"]


@pytest.mark.parametrize("distance", DISTANCES)
def test_torch_gives_the_same_matrix(distance: str) -> None:
    features = np.random.default_rng(0).normal(size=(9, 30))
    found = rdm_matrix(torch.from_numpy(features), distance)  # type: ignore[arg-type]
    assert isinstance(found, torch.Tensor)
    np.testing.assert_allclose(found.numpy(), rdm_matrix(features, distance), atol=1e-12)  # type: ignore[arg-type]


@pytest.mark.parametrize("distance", DISTANCES)
def test_blocks_of_features_give_the_whole(distance: str, monkeypatch: pytest.MonkeyPatch) -> None:
    features = np.random.default_rng(0).normal(size=(9, 30))
    whole = rdm_matrix(features, distance)  # type: ignore[arg-type]
    monkeypatch.setattr(products, "_FEATURES", 7)
    np.testing.assert_allclose(rdm_matrix(features, distance), whole, atol=1e-12)  # type: ignore[arg-type]


@pytest.mark.parametrize("level", [0.0, 1.0, 1e4])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_constant_pattern_is_undefined_not_a_number(level: float, dtype: type) -> None:
    features = np.random.default_rng(0).normal(size=(5, 1001)).astype(dtype)
    features[2] = level + 0.1
    matrix = rdm_matrix(features)
    assert np.isnan(np.delete(matrix[2], 2)).all()
    assert matrix[2, 2] == 0
    others = np.delete(np.arange(5), 2)
    assert np.isfinite(matrix[np.ix_(others, others)]).all()


def test_a_large_offset_does_not_spoil_distances() -> None:
    features = np.random.default_rng(0).normal(size=(6, 50))
    for distance in ("correlation", "euclidean", "squared_euclidean"):
        np.testing.assert_allclose(rdm_matrix(features + 1e5, distance), rdm_matrix(features, distance), atol=1e-8)


def test_refusals() -> None:
    with pytest.raises(ValueError, match="unknown distance 'corr': use one of correlation"):
        rdm_matrix(np.ones((3, 3)), "corr")  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="3 dimensions"):
        rdm_matrix(np.ones((3, 3, 3)))
    with pytest.raises(ValueError, match="no neuroids"):
        rdm_matrix(np.ones((3, 0)))
    with pytest.raises(ValueError, match="no conditions"):
        rdm_matrix(np.ones((0, 3)))
    with pytest.raises(ValueError, match="unknown comparison"):
        compare_rdms(np.ones(3), np.ones(3), "kendall")  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="shapes"):
        compare_rdms(np.ones(3), np.ones(4))


@pytest.mark.parametrize("compare", ["pearson", "spearman", "cosine"])
def test_undefined_comparisons_are_nan(compare: str) -> None:
    flat = np.zeros(10)
    assert np.isnan(compare_rdms(flat, np.arange(10.0), compare))  # type: ignore[arg-type]
    missing = np.full(10, np.nan)
    missing[:2] = 1, 2
    assert np.isnan(compare_rdms(missing, np.arange(10.0), compare))  # type: ignore[arg-type]
    square = np.zeros((5, 5))
    other = np.add.outer(np.arange(5.0), np.arange(5.0))
    assert np.isnan(resample_rdms(square, other[None], np.ones((3, 5)), compare)).all()  # type: ignore[arg-type]


def test_a_draw_of_one_condition_is_undefined() -> None:
    other = np.random.default_rng(0).random((5, 5))
    other += other.T
    counts = np.array([[5, 0, 0, 0, 0], [1, 1, 1, 1, 1]])
    for compare in ("pearson", "spearman", "cosine", "rho-a", "tau-a"):
        found = resample_rdms(other, other[None], counts, compare)[:, 0]  # type: ignore[arg-type]
        assert np.isnan(found[0])
        assert found[1] == pytest.approx(1.0)


def test_ties_cost_rho_a_and_tau_a() -> None:
    data = np.arange(10.0)
    coarse = np.repeat([0.0, 1.0], 5)
    for compare in ("rho-a", "tau-a"):
        assert compare_rdms(coarse, data, compare) < compare_rdms(data, data, compare)  # type: ignore[arg-type]
        assert compare_rdms(np.zeros(10), data, compare) == 0  # type: ignore[arg-type]


@pytest.mark.parametrize("library", [np.asarray, torch.asarray])
@pytest.mark.parametrize("distance", DISTANCES)
def test_whole_numbers_have_distances(library: Callable[[np.ndarray], Any], distance: Distance) -> None:
    spikes = np.random.default_rng(0).poisson(4, size=(6, 20))
    np.testing.assert_allclose(rdm_matrix(library(spikes), distance), rdm_matrix(spikes.astype(float), distance))


@pytest.mark.parametrize("compare", ["pearson", "cosine", "whitened-pearson", "whitened-cosine"])
@pytest.mark.parametrize("scale", [1e-118, 1e118])
def test_no_scale_of_distances_is_lost(compare: Compare, scale: float) -> None:
    """Squared distances of responses of 1e59 are 1e118: the product of two sums of squares has no double."""
    generator = np.random.default_rng(1)
    one, other = (rdm_matrix(generator.random((8, 5)), "squared_euclidean") for _ in range(2))
    counts = draws(8, 5, seed=0)
    found = compare_rdms(upper(one) * scale, upper(other) * scale, compare)
    assert found == pytest.approx(compare_rdms(upper(one), upper(other), compare), rel=1e-9)
    found = resample_rdms(one * scale, other[None] * scale, counts, compare)
    np.testing.assert_allclose(found, resample_rdms(one, other[None], counts, compare), rtol=1e-9)


def test_upper_is_in_the_order_of_squareform() -> None:
    from scipy.spatial.distance import squareform

    vector = np.arange(10.0)
    np.testing.assert_array_equal(upper(squareform(vector)), vector)


@pytest.mark.parametrize("digits", [0, 6])
def test_spearman_among_subsets_is_that_of_their_rdms(digits: int) -> None:
    generator = np.random.default_rng(digits)
    one, other = (np.round(rdm_matrix(generator.random((40, width))), digits) for width in (5, 7))
    other = other + one
    subsets = [np.sort(generator.permutation(40)[:count]) for count in (36, 20, 3)]
    expected = [compare_rdms(upper(one, rows), upper(other, rows)) for rows in subsets]
    np.testing.assert_allclose(spearman_among(one, other, subsets), expected, atol=1e-14)


@pytest.mark.parametrize("distance", ["correlation", "squared_euclidean"])
def test_more_pairs_than_memory_holds_are_refused_before_they_are_made(distance: Distance) -> None:
    with pytest.raises(ResourceError, match=r"an RDM of 3000000 conditions needs about .* of memory"):
        rdm_matrix(np.zeros((3_000_000, 2), np.float32), distance)
