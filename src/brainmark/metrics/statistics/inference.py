"""Adjusted p values of many tests. NaN stays NaN and does not count as a test."""

from __future__ import annotations

from brainmark.core.libraries import np
from brainmark.metrics._arrays.shapes import Float, Integer, Real


def false_discovery_rate(p: Real[np.ndarray, " *test"], dependent: bool = False) -> Float[np.ndarray, " *test"]:
    """Return the smallest false discovery rate at which each test would be called significant.

    Benjamini & Hochberg 1995 for independent or positively dependent tests, Benjamini & Yekutieli 2001 with
    `dependent`.
    """
    order, n = _ascending(p)
    factor = np.sum(1 / np.arange(1, n + 1)) if dependent else 1.0
    raised = p[order] * n * factor / np.arange(1, n + 1)
    return _put(np.minimum.accumulate(raised[::-1])[::-1], order, p)


def holm(p: Real[np.ndarray, " *test"]) -> Float[np.ndarray, " *test"]:
    """Return the smallest chance of any false call at which each test would be called significant (Holm 1979)."""
    order, n = _ascending(p)
    return _put(np.maximum.accumulate(p[order] * np.arange(n, 0, -1)), order, p)


def _ascending(p: Real[np.ndarray, " *test"]) -> tuple[Integer[np.ndarray, " known"], int]:
    """Return the positions of the known p values, smallest first, and their number."""
    known = np.flatnonzero(np.isfinite(p))
    if ((p[known] < 0) | (p[known] > 1)).any():
        raise ValueError("p values lie between 0 and 1")
    return known[np.argsort(p[known])], len(known)


def _put(
    raised: Float[np.ndarray, " known"], order: Integer[np.ndarray, " known"], p: Real[np.ndarray, " *test"]
) -> Float[np.ndarray, " *test"]:
    adjusted = np.full(p.shape, np.nan)
    adjusted[order] = np.minimum(raised, 1.0)
    return adjusted
