"""Slow, obvious versions of what brainmark.metrics computes fast."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from brainmark.metrics.splits import Fold


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


def ridge_weights(x: np.ndarray, y: np.ndarray, alpha: float) -> tuple[np.ndarray, np.ndarray]:
    """Weights and intercept by the normal equations."""
    xc, yc = x - x.mean(0), y - y.mean(0)
    w = np.linalg.solve(xc.T @ xc + alpha * np.eye(x.shape[1]), xc.T @ yc)
    return w, y.mean(0) - x.mean(0) @ w


def leave_one_out_errors(x: np.ndarray, y: np.ndarray, alpha: float) -> np.ndarray:
    """Mean squared error of each target (q,), each presentation predicted by a fit on all others."""
    errors = []
    for i in range(len(x)):
        keep = np.arange(len(x)) != i
        w, b = ridge_weights(x[keep], y[keep], alpha)
        errors.append((y[i] - x[i] @ w - b) ** 2)
    return np.mean(errors, axis=0)


def gcv_errors(x: np.ndarray, y: np.ndarray, alpha: float) -> np.ndarray:
    """Generalised cross-validation from the hat matrix written out, intercept included; up to a factor n."""
    n = len(x)
    xc = x - x.mean(0)
    hat = xc @ np.linalg.solve(xc.T @ xc + alpha * np.eye(x.shape[1]), xc.T) + 1 / n
    return np.sum((y - hat @ y) ** 2, axis=0) / (n - np.trace(hat)) ** 2


def weighted_correlation(x: np.ndarray, y: np.ndarray, counts: np.ndarray) -> float:
    """Pearson r of two vectors after writing every entry as often as it counts."""
    return float(np.corrcoef(np.repeat(x, counts), np.repeat(y, counts))[0, 1])


def by_fold(fit, x: np.ndarray, y: np.ndarray, folds: Sequence[Fold]) -> np.ndarray:
    """Stack the predictions ``fit(x_train, y_train, x_test)`` of the folds."""
    return np.concatenate([fit(x[f.train], y[f.train], x[f.test]) for f in folds])
