"""What must hold for every RDM, tuning curve and distribution."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from scipy.spatial.distance import squareform

from brainmark.metrics.similarity.rdm import COMPARISONS, compare_rdms, rdm_matrix
from brainmark.metrics.similarity.rdm_resampling import resample_rdms
from brainmark.metrics.tuning.distributions import distribution_similarity
from brainmark.metrics.tuning.gratings import circular_variance, sparseness

seeds = st.integers(0, 2**32 - 1)
comparisons = st.sampled_from(sorted(COMPARISONS))
few = settings(max_examples=40, deadline=None)


def features_of(seed: int, conditions: int = 8, neuroids: int = 6) -> np.ndarray:
    return np.random.default_rng(seed).gamma(2, size=(conditions, neuroids))


@few
@given(seeds, st.sampled_from(["correlation", "euclidean", "squared_euclidean", "cosine"]))
def test_matrix_is_symmetric_hollow_and_blind_to_the_order_of_neuroids(seed: int, distance: str) -> None:
    features = features_of(seed)
    matrix = rdm_matrix(features, distance)  # type: ignore[arg-type]
    np.testing.assert_array_equal(np.diag(matrix), 0)
    np.testing.assert_allclose(matrix, matrix.T, atol=1e-12)
    assert (matrix >= 0).all()
    shuffled = features[:, np.random.default_rng(seed).permutation(6)]
    np.testing.assert_allclose(rdm_matrix(shuffled, distance), matrix, atol=1e-10)  # type: ignore[arg-type]


@few
@given(seeds, st.floats(0.01, 100), st.floats(-50, 50))
def test_correlation_distance_ignores_gain_and_offset_of_a_pattern(seed: int, gain: float, offset: float) -> None:
    features = features_of(seed)
    changed = features.copy()
    changed[3] = gain * changed[3] + offset
    np.testing.assert_allclose(rdm_matrix(changed), rdm_matrix(features), atol=1e-7)
    assert rdm_matrix(features).max() <= 2


@few
@given(seeds)
def test_euclidean_distance_ignores_rotations(seed: int) -> None:
    features = features_of(seed)
    rotation = np.linalg.qr(np.random.default_rng(seed).normal(size=(6, 6)))[0]
    np.testing.assert_allclose(
        rdm_matrix(features @ rotation, "euclidean"), rdm_matrix(features, "euclidean"), atol=1e-8
    )


@few
@given(seeds, comparisons)
def test_comparison_is_symmetric_bounded_and_one_with_itself(seed: int, compare: str) -> None:
    x, y = np.random.default_rng(seed).random((2, 21))
    value = compare_rdms(x, y, compare)  # type: ignore[arg-type]
    assert -1 <= value <= 1
    assert value == pytest.approx(compare_rdms(y, x, compare), abs=1e-12)  # type: ignore[arg-type]
    assert compare_rdms(x, x, compare) == pytest.approx(1)  # type: ignore[arg-type]
    if compare in ("spearman", "rho-a", "tau-a"):
        assert compare_rdms(np.exp(3 * x), y, compare) == pytest.approx(value, abs=1e-12)  # type: ignore[arg-type]


@few
@given(seeds, comparisons)
@example(222, "pearson")  # draws in which all distances of one side are equal: rounding is no spread
@example(607, "pearson")
@example(731, "pearson")
def test_replicates_do_not_depend_on_the_order_of_conditions(seed: int, compare: str) -> None:
    generator = np.random.default_rng(seed)
    one, other = (squareform(v) for v in generator.integers(0, 9, size=(2, 21)).astype(float))
    counts = generator.multinomial(7, np.full(7, 1 / 7), size=5)
    order = generator.permutation(7)
    turned = [m[np.ix_(order, order)] for m in (one, other)]
    expected = resample_rdms(one, other[None], counts, compare)  # type: ignore[arg-type]
    found = resample_rdms(turned[0], turned[1][None], counts[:, order], compare)  # type: ignore[arg-type]
    np.testing.assert_allclose(found, expected, atol=1e-9)


counted = arrays(float, st.integers(2, 12), elements=st.integers(0, 50).map(float)).filter(lambda a: a.sum() > 0)


@few
@given(counted, seeds, st.booleans())
def test_distribution_similarity_is_between_the_worst_and_the_same(data: np.ndarray, seed: int, circular: bool) -> None:
    model = np.random.default_rng(seed).dirichlet(np.ones(len(data)))
    assert -1e-9 <= distribution_similarity(model, data, circular) <= 1
    assert distribution_similarity(data, data, circular) == 1
    if not circular:
        mirrored = distribution_similarity(model[::-1], data[::-1])
        assert mirrored == pytest.approx(distribution_similarity(model, data))


@few
@given(seeds, st.integers(4, 24))
def test_tuning_measures_are_bounded_and_ignore_scale(seed: int, orientations: int) -> None:
    curve = np.random.default_rng(seed).gamma(0.5, size=(orientations, 5))
    angles = np.arange(orientations) * 180 / orientations
    variance = circular_variance(curve, angles)
    assert ((variance >= -1e-12) & (variance <= 1 + 1e-12)).all()
    np.testing.assert_allclose(circular_variance(7 * curve, angles), variance)
    np.testing.assert_allclose(circular_variance(np.roll(curve, 1, axis=0), angles), variance, atol=1e-12)
    sparse = sparseness(curve)
    assert ((sparse >= -1e-12) & (sparse <= 1 + 1e-12)).all()
    np.testing.assert_allclose(sparseness(7 * curve), sparse)
