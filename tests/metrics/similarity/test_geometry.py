"""Kernel alignment and shapes against obvious versions, and what they must not change with."""

from __future__ import annotations

from itertools import permutations

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.linalg import orthogonal_procrustes

from brainmark.metrics.similarity.alignment import cka, resample_cka, resample_hsic
from brainmark.metrics.similarity.geometry import (
    gaussian_kernel,
    linear_cka,
    linear_ckas,
    procrustes_similarity,
)
from brainmark.metrics.statistics.resampling import draws

SHAPES = [(6, 3, 4), (8, 20, 5), (7, 30, 40), (40, 6, 200)]


def patterns(stimuli: int, one: int, other: int, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    generator = np.random.default_rng(seed)
    shared = generator.normal(size=(stimuli, 3))
    return tuple(shared @ generator.normal(size=(3, n)) + generator.normal(size=(stimuli, n)) for n in (one, other))  # type: ignore[return-value]


def rbf_cka(x: np.ndarray, y: np.ndarray) -> float:
    return cka(kernel="rbf", resamples=0)(x, y).aggregate()


def hsic_of_tuples(k: np.ndarray, m: np.ndarray, drawn: np.ndarray) -> float:
    """U-statistic over tuples of different stimuli among those drawn, by brute force."""
    entries = {
        2: lambda i, j: k[i, j] * m[i, j],
        3: lambda i, j, q: k[i, j] * m[i, q],
        4: lambda i, j, q, r: k[i, j] * m[q, r],
    }
    terms = {
        size: [entry(*s) for s in permutations(drawn.tolist(), size) if len(set(s)) == size]
        for size, entry in entries.items()
    }
    if not terms[4]:
        return np.nan
    pairs, triples, quadruples = (float(np.mean(terms[size])) for size in (2, 3, 4))
    return pairs - 2 * triples + quadruples


@pytest.mark.parametrize("shape", SHAPES, ids=str)
def test_linear_form_is_the_kernel_form(shape: tuple[int, int, int]) -> None:
    x, y = patterns(*shape)
    k, m = x @ x.T, y @ y.T
    for unbiased in (True, False):
        expected = resample_cka(k, m, np.ones((1, len(x))), unbiased)[0]
        assert linear_cka(x, y, unbiased) == pytest.approx(expected, abs=1e-10)


def test_unbiased_hsic_is_the_mean_over_different_stimuli() -> None:
    x, y = patterns(6, 3, 4)
    k, m = x @ x.T, y @ y.T
    expected = hsic_of_tuples(k, m, np.arange(6))
    assert resample_hsic(k, m, np.ones((1, 6)))[0] == pytest.approx(expected)


def test_biased_hsic_is_the_trace_of_centred_kernels() -> None:
    x, y = patterns(6, 3, 4)
    k, m = x @ x.T, y @ y.T
    centring = np.eye(6) - 1 / 6
    assert resample_hsic(k, m, np.ones((1, 6)), unbiased=False)[0] == pytest.approx(
        np.trace(k @ centring @ m @ centring) / 36
    )


def test_resampled_hsic_counts_no_copies_as_different_stimuli() -> None:
    x, y = patterns(7, 3, 4)
    k, m = x @ x.T, y @ y.T
    counts = np.vstack([draws(7, 5, 0), [[7, 0, 0, 0, 0, 0, 0]]])
    found = resample_hsic(k, m, counts)
    for value, count in zip(found, counts, strict=True):
        np.testing.assert_allclose(value, hsic_of_tuples(k, m, np.repeat(np.arange(7), count)), atol=1e-9)


def test_resampled_biased_hsic_is_that_of_the_drawn_stimuli() -> None:
    x, y = patterns(7, 3, 4)
    for count in draws(7, 5, 0):
        drawn = np.repeat(np.arange(7), count)
        k, m = (side[drawn] @ side[drawn].T for side in (x, y))
        found = resample_hsic(x @ x.T, y @ y.T, count[None], unbiased=False)[0]
        assert found == pytest.approx(resample_hsic(k, m, np.ones((1, 7)), unbiased=False)[0])


@pytest.mark.parametrize(("stimuli", "neuroids"), [(50, 50), (50, 500), (50, 5000), (500, 50)])
def test_unbiased_alignment_of_unrelated_patterns_is_zero_and_the_biased_one_is_not(
    stimuli: int, neuroids: int
) -> None:
    generator = np.random.default_rng(0)
    values = [
        [linear_cka(*generator.normal(size=(2, stimuli, neuroids)), unbiased) for unbiased in (True, False)]
        for _ in range(10)
    ]
    unbiased, biased = np.mean(values, axis=0)
    assert unbiased == pytest.approx(0, abs=0.03)
    assert biased == pytest.approx(
        {(50, 50): 0.501, (50, 500): 0.910, (50, 5000): 0.990, (500, 50): 0.091}[stimuli, neuroids], abs=0.02
    )


def test_resampling_does_not_bias_the_alignment_of_unrelated_patterns() -> None:
    generator = np.random.default_rng(1)
    x, y = generator.normal(size=(2, 60, 30))
    replicates = resample_cka(x @ x.T, y @ y.T, draws(60, 300, 0))
    assert replicates.mean() == pytest.approx(linear_cka(x, y), abs=0.02)


def test_gaussian_kernel_from_its_definition() -> None:
    x, y = patterns(9, 3, 5)
    for side in (x, y):
        distance = np.linalg.norm(side[:, None] - side[None], axis=2)
        median = np.median(distance[np.triu_indices(9, 1)])
        np.testing.assert_allclose(gaussian_kernel(side, 0.7), np.exp(-(distance**2) / (2 * (0.7 * median) ** 2)))
    found = cka(kernel="rbf", width=0.7, resamples=0)(x, y).aggregate()
    k, m = gaussian_kernel(x, 0.7), gaussian_kernel(y, 0.7)
    assert found == pytest.approx(resample_cka(k, m, np.ones((1, 9)))[0])


def test_wide_gaussian_kernels_are_linear() -> None:
    x, y = patterns(30, 5, 6)
    assert cka(kernel="rbf", width=100.0, resamples=0)(x, y).aggregate() == pytest.approx(linear_cka(x, y), abs=1e-3)


@pytest.mark.parametrize("shape", SHAPES, ids=str)
def test_procrustes_is_the_best_rotation(shape: tuple[int, int, int]) -> None:
    x, y = patterns(*shape)
    width = max(x.shape[1], y.shape[1])
    padded = [np.pad(s - s.mean(axis=0), ((0, 0), (0, width - s.shape[1]))) for s in (x, y)]
    rotation, _ = orthogonal_procrustes(*padded)
    expected = np.sum(padded[0] @ rotation * padded[1]) / np.prod([np.linalg.norm(s) for s in padded])
    assert procrustes_similarity(x, y) == pytest.approx(expected, abs=1e-7)


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 2**32 - 1), st.floats(0.01, 100))
def test_what_changes_no_similarity(seed: int, scale: float) -> None:
    x, y = patterns(9, 4, 6, seed)
    generator = np.random.default_rng(seed)
    turned = scale * (x @ np.linalg.qr(generator.normal(size=(4, 4)))[0]) + generator.normal(size=4)
    order = generator.permutation(9)
    for similarity in (linear_cka, procrustes_similarity, rbf_cka, lambda a, b: linear_cka(a, b, False)):
        value = similarity(x, y)
        assert value <= 1 + 1e-9
        assert similarity(y, x) == pytest.approx(value, abs=1e-8)
        assert similarity(turned, y) == pytest.approx(value, abs=1e-6)
        assert similarity(x[order], y[order]) == pytest.approx(value, abs=1e-8)
        assert similarity(x, x) == pytest.approx(1)


@pytest.mark.parametrize("shape", SHAPES, ids=str)
def test_torch_and_float32_give_the_same_numbers(shape: tuple[int, int, int]) -> None:
    x, y = patterns(*shape)
    functions = [linear_cka, procrustes_similarity, lambda a, b: procrustes_similarity(a, b, 0.3)]
    for function in functions:
        expected = function(x, y)
        assert function(torch.from_numpy(x), torch.from_numpy(y)) == pytest.approx(expected, abs=1e-9)
        assert function(x.astype(np.float32), y.astype(np.float32)) == pytest.approx(expected, abs=2e-3)


def test_constant_patterns_are_undefined() -> None:
    x, _ = patterns(8, 3, 3)
    for function in (linear_cka, procrustes_similarity, rbf_cka):
        assert np.isnan(function(x, np.full((8, 2), 0.1)))
    for count in range(4, 30):  # whatever rounding leaves of their mean
        assert np.isnan(linear_cka(np.eye(count), np.full((count, 2), 1e5 / 7)))
        assert np.isnan(linear_cka(np.eye(count), np.full((count, 2), 1 / 3)))


def test_half_whitened_shapes_are_mixtures() -> None:
    x, y = patterns(40, 4, 5)

    def mixed(side: np.ndarray) -> np.ndarray:
        side = side - side.mean(axis=0)
        values, vectors = np.linalg.eigh(side.T @ side / len(side))
        return 0.5 * side + 0.5 * side @ (vectors / np.sqrt(values)) @ vectors.T

    expected = procrustes_similarity(mixed(10 * x), mixed(y))
    assert procrustes_similarity(10 * x, y, whiten=0.5) == pytest.approx(expected)
    turned = x @ np.random.default_rng(1).normal(size=(4, 4))
    assert procrustes_similarity(x, turned, whiten=1.0) == pytest.approx(1)


@pytest.mark.parametrize("shape", [(40, 6, 9), (40, 90, 7), (30, 200, 100)], ids=str)
@pytest.mark.parametrize("unbiased", [True, False])
@pytest.mark.parametrize("dtype", [np.float64, np.float32])
def test_subsets_share_one_product(shape: tuple[int, int, int], unbiased: bool, dtype: type) -> None:
    x, y = (side.astype(dtype) for side in patterns(*shape))
    order = np.random.default_rng(1).permutation(shape[0])
    subsets = [None, np.sort(order[:25]), order[5:], order[:10]]  # most, all but a few, few
    found = linear_ckas(x, y, subsets, unbiased)
    expected = [linear_cka(x, y, unbiased)] + [linear_cka(x[rows], y[rows], unbiased) for rows in subsets[1:]]
    close = 1e-10 if dtype is np.float64 else 1e-5
    np.testing.assert_allclose(found, expected, atol=close)
    np.testing.assert_allclose(
        linear_ckas(torch.from_numpy(x), torch.from_numpy(y), subsets, unbiased), found, atol=close
    )


@pytest.mark.parametrize("size", [3, 10, 30, 1000])
def test_subsets_without_an_outlier_keep_their_digits(size: float) -> None:
    x, y = patterns(300, 50, 20)
    x[5], y[5] = size * x[5], size * y[5]
    subsets = [np.setdiff1d(np.arange(300), left) for left in ([5, 6, 7], [8, 9], np.arange(0, 300, 4))]
    for unbiased in (True, False):
        exact = linear_ckas(x, y, subsets, unbiased)
        expected = [linear_cka(x[rows], y[rows], unbiased) for rows in subsets]
        np.testing.assert_allclose(exact, expected, atol=1e-12)
        single = linear_ckas(x.astype(np.float32), y.astype(np.float32), subsets, unbiased)
        np.testing.assert_allclose(single, expected, atol=5e-6)


def test_single_precision_is_enough_for_the_alignment() -> None:
    generator = np.random.default_rng(2)
    latent = generator.normal(size=(900, 5))
    x, y = (latent @ generator.normal(size=(5, k)) + 3 + generator.normal(size=(900, k)) for k in (300, 40))
    x = x.astype(np.float32)
    for unbiased in (True, False):
        assert linear_cka(x, y, unbiased) == pytest.approx(linear_cka(x.astype(float), y, unbiased), abs=1e-7)


def test_refusals() -> None:
    with pytest.raises(ValueError, match="a subset of 3 stimuli; at least 4"):
        linear_ckas(np.ones((5, 2)), np.ones((5, 2)), [np.arange(3)])
    with pytest.raises(ValueError, match=r"shapes \(4, 2\) and \(5, 2\)"):
        linear_cka(np.ones((4, 2)), np.ones((5, 2)))
    with pytest.raises(ValueError, match="3 stimuli; at least 4"):
        linear_cka(np.ones((3, 2)), np.ones((3, 2)))
    assert linear_cka(np.arange(20).reshape(5, 4) % 7, np.arange(10).reshape(5, 2)) == linear_cka(
        np.arange(20.0).reshape(5, 4) % 7, np.arange(10.0).reshape(5, 2)
    )
