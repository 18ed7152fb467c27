from __future__ import annotations

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from brainmark.metrics.regression.features import prepare
from brainmark.metrics.regression.pls import dominant_eigenvectors, pls_predictions
from brainmark.metrics.regression.ridge import ols_predictions, ridge_predictions
from brainmark.metrics.statistics.correlation import fold_pearson, resample_pearson
from brainmark.metrics.statistics.resampling import draws
from brainmark.metrics.statistics.splits import Shuffled

SOLVERS = {
    "pls": lambda x, y, folds: pls_predictions(x, y, folds, 5)[0],
    "pls nipals": lambda x, y, folds: pls_predictions(x, y, folds, 5, "nipals")[0],
    "ridge": lambda x, y, folds: ridge_predictions(x, y, folds, [0.1, 10.0, 1000.0])[0],
    "ridge loo": lambda x, y, folds: ridge_predictions(x, y, folds, [0.1, 10.0, 1000.0], False, "loo")[0],
    "ridge fixed": lambda x, y, folds: ridge_predictions(x, y, folds, [5.0])[0],
    "ols": ols_predictions,
}
shapes = st.tuples(st.integers(20, 50), st.integers(2, 90), st.integers(1, 60), st.integers(0, 10**6))
few = settings(max_examples=12, deadline=None, suppress_health_check=[HealthCheck.too_slow])


def case(shape: tuple[int, int, int, int]) -> tuple[np.ndarray, np.ndarray]:
    n, p, q, seed = shape
    rng = np.random.default_rng(seed)
    x = rng.standard_normal((n, p)) * np.linspace(2, 0.5, p)
    return x, x[:, :2] @ rng.standard_normal((2, q)) + rng.standard_normal((n, q))


@pytest.mark.parametrize("name", SOLVERS)
@given(shape=shapes)
@few
def test_invariances(name: str, shape: tuple[int, int, int, int]) -> None:
    """Rotating or shifting features and shifting targets changes nothing; order of features and targets is kept."""
    x, y = case(shape)
    solve, folds = SOLVERS[name], Shuffled(4)(len(x))
    rng = np.random.default_rng(1)
    before = solve(x, y, folds)
    rotation = np.linalg.qr(rng.standard_normal((x.shape[1], x.shape[1])))[0]
    scale = np.abs(before).max() + 1
    np.testing.assert_allclose(solve(x @ rotation + 3.0, y, folds), before, atol=1e-6 * scale)
    np.testing.assert_allclose(solve(x, y - 7.0, folds), before - 7.0, atol=1e-6 * scale)
    if name != "pls nipals":  # starts at the first target
        order = rng.permutation(y.shape[1])
        np.testing.assert_allclose(solve(x, y[:, order], folds), before[:, order], atol=1e-6 * scale)


@pytest.mark.parametrize("name", SOLVERS)
@given(shape=shapes)
@few
def test_primal_and_dual_numpy_and_torch_agree(name: str, shape: tuple[int, int, int, int]) -> None:
    torch = pytest.importorskip("torch")
    x, y = case(shape)
    solve, folds = SOLVERS[name], Shuffled(4)(len(x))
    expected = solve(prepare(x, dual=True), y, folds)
    scale = np.abs(expected).max() + 1
    np.testing.assert_allclose(solve(prepare(x, dual=False), y, folds), expected, atol=1e-6 * scale)
    for dual in (True, False):
        found = solve(prepare(torch.from_numpy(x), dual), torch.from_numpy(y), folds)
        assert isinstance(found, torch.Tensor)
        np.testing.assert_allclose(found.numpy(), expected, atol=1e-6 * scale)


@pytest.mark.parametrize("name", SOLVERS)
@given(shape=shapes)
@few
def test_single_precision_is_close_and_shared_products_are_the_same(
    name: str, shape: tuple[int, int, int, int]
) -> None:
    x, y = case(shape)
    x = x.astype(np.float32)
    solve, folds = SOLVERS[name], Shuffled(4)(len(x))
    expected = solve(x.astype(np.float64), y, folds)
    shared = prepare(x)
    condition = np.linalg.cond(x - x.mean(0)) if name == "ols" else 1.0
    tolerance = 1e-4 * (np.abs(expected).max() + 1) * max(1.0, condition**2 * 1e-2)
    np.testing.assert_allclose(solve(shared, y, folds), expected, atol=tolerance)
    np.testing.assert_array_equal(solve(shared, y, folds), solve(shared, y, folds))


@given(q=st.integers(49, 90), rank=st.integers(1, 60), seed=st.integers(0, 1000))
@few
def test_dominant_eigenvectors(q: int, rank: int, seed: int) -> None:
    factors = np.random.default_rng(seed).standard_normal((3, q, rank))
    m = factors @ np.swapaxes(factors, 1, 2)
    found = dominant_eigenvectors(m)
    value = np.einsum("fi,fij,fj->f", found, m, found)
    np.testing.assert_allclose(value, np.linalg.eigvalsh(m)[:, -1], rtol=1e-10)
    np.testing.assert_allclose(np.linalg.norm(found, axis=1), 1.0, rtol=1e-10)


def test_dominant_eigenvectors_of_hidden_blocks_and_of_equal_eigenvalues() -> None:
    """The leading eigenvector is found where no single target shows it, and any of several equal ones will do."""
    m = np.zeros((2, 60, 60))
    m[0, :5, :5] = np.eye(5) * 3.0
    m[0, 5:, 5:] = 1.0
    m[1] = np.eye(60)
    found = dominant_eigenvectors(m)
    np.testing.assert_allclose(np.abs(found[0, 5:]), 1 / np.sqrt(55), rtol=1e-9)
    np.testing.assert_allclose(np.linalg.norm(found[1]), 1.0)
    assert np.isfinite(dominant_eigenvectors(np.zeros((1, 60, 60)))).all()


@given(n=st.integers(9, 60), q=st.integers(1, 8), folds=st.integers(1, 3), seed=st.integers(0, 1000))
@settings(max_examples=30, deadline=None)
def test_correlations_are_bounded_and_do_not_depend_on_units(n: int, q: int, folds: int, seed: int) -> None:
    rng = np.random.default_rng(seed)
    x, y = rng.standard_normal((n, q)), rng.standard_normal((n, q))
    sizes = [len(part) for part in np.array_split(np.arange(n), folds)]
    r = fold_pearson(x, y, sizes)
    assert (np.abs(r) <= 1).all()
    np.testing.assert_allclose(fold_pearson(-3 * x + 5, y * 0.1, sizes), -r, atol=1e-12)
    np.testing.assert_allclose(fold_pearson(y, x, sizes), r, atol=1e-12)
    replicates = resample_pearson(x, y, sizes, draws(n, 20, seed))
    assert (np.abs(replicates[np.isfinite(replicates)]) <= 1).all()
    np.testing.assert_allclose(resample_pearson(x, y, sizes, draws(n, 20, seed), block=2), replicates, atol=1e-12)
