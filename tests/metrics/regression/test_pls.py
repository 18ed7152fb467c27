"""Partial least squares against its iteration and against scikit-learn."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Sequence

import numpy as np
import pytest
from sklearn.cross_decomposition import PLSRegression

from brainmark.metrics.regression.features import prepare
from brainmark.metrics.regression.pls import pls_predictions
from brainmark.metrics.statistics.splits import Contiguous, Fold, Shuffled


def nipals_pls2(
    x: np.ndarray, y: np.ndarray, x_test: np.ndarray, components: int, tol: float = 1e-26, most: int = 100_000
) -> np.ndarray:
    """PLS2 by the textbook: power iteration between X and Y, then deflation of both."""
    x_mean, y_mean = x.mean(0), y.mean(0)
    xr, yr = x - x_mean, y - y_mean
    weights, x_loads, y_loads = [], [], []
    for _ in range(components):
        u, w = yr[:, np.argmax(yr.var(0))], None
        for _ in range(most):
            new = xr.T @ u
            new /= np.linalg.norm(new)
            t = xr @ new
            c = yr.T @ t / (t @ t)
            u = yr @ c / (c @ c)
            if w is not None and np.sum((new - w) ** 2) < tol:
                break
            w = new
        p = xr.T @ t / (t @ t)
        xr, yr = xr - np.outer(t, p), yr - np.outer(t, c)
        weights.append(new), x_loads.append(p), y_loads.append(c)
    w, p, q = np.array(weights).T, np.array(x_loads).T, np.array(y_loads).T
    return (x_test - x_mean) @ w @ np.linalg.solve(p.T @ w, q.T) + y_mean


def by_fold(fit: Callable[..., np.ndarray], x: np.ndarray, y: np.ndarray, folds: Sequence[Fold]) -> np.ndarray:
    """Stack the predictions ``fit(x_train, y_train, x_test)`` of the folds."""
    return np.concatenate([fit(x[f.train], y[f.train], x[f.test]) for f in folds])


SHAPES = [
    (120, 30, 8),
    (70, 200, 15),
    (60, 150, 90),
    (150, 40, 120),
    (80, 60, 1),
]  # n, p, q: primal, dual, q > n, q > p


def data(n: int, p: int, q: int) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng([n, p, q])
    latent = rng.standard_normal((n, 12)) * np.linspace(3, 0.3, 12)
    x = latent @ rng.standard_normal((12, p)) + 0.5 * rng.standard_normal((n, p)) + 5
    return x, latent @ rng.standard_normal((12, q)) + 3 * rng.standard_normal((n, q)) - 20


def sklearn_by_fold(make, x, y, folds):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return by_fold(lambda a, b, c: make().fit(a, b).predict(c).reshape(len(c), -1), x, y, folds)


@pytest.mark.parametrize("dual", [True, False])
@pytest.mark.parametrize("shape", SHAPES)
def test_exact_pls_is_converged_nipals(shape: tuple[int, int, int], dual: bool) -> None:
    x, y = data(*shape)
    folds = Shuffled(4)(shape[0])
    found, used = pls_predictions(prepare(x, dual), y, folds, 6)
    assert used == 6
    np.testing.assert_allclose(found, by_fold(lambda *a: nipals_pls2(*a, 6), x, y, folds), atol=2e-8)


@pytest.mark.parametrize("dual", [True, False])
@pytest.mark.parametrize("shape", SHAPES)
def test_nipals_stopping_is_that_of_scikit_learn(shape: tuple[int, int, int], dual: bool) -> None:
    x, y = data(*shape)
    folds = Contiguous(4, gap=2)(shape[0])
    expected = sklearn_by_fold(lambda: PLSRegression(10, scale=False), x, y, folds)
    np.testing.assert_allclose(pls_predictions(prepare(x, dual), y, folds, 10, "nipals")[0], expected, atol=1e-9)
    if shape[2] > 1:
        exact = pls_predictions(prepare(x, dual), y, folds, 10)[0]
        assert np.abs(exact - expected).max() > 1e-6  # stopping early is another answer
