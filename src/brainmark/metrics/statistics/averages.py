"""Ratios and means in which NaN stands for what was not measured or is undefined."""

from __future__ import annotations

from brainmark.core.libraries import np
from brainmark.metrics._arrays.shapes import Array, Float, Real


def divide(above: Real[Array, " ..."], below: Real[Array, " ..."]) -> Float[np.ndarray, " ..."]:
    """Return above / below; NaN where `below` is not positive."""
    defined = below > 0
    return np.where(defined, above / np.where(defined, below, 1), np.nan)


def known_mean(values: Real[np.ndarray, "*cell _"]) -> Float[np.ndarray, " *cell"]:
    """Return the mean over the last axis of what is not NaN; NaN where nothing is."""
    known = np.isfinite(values)
    return divide(np.where(known, values, 0).sum(axis=-1), known.sum(axis=-1))


def weighted_mean(
    weights: Real[np.ndarray, "presentation group"], values: Real[np.ndarray, "presentation column"]
) -> Float[np.ndarray, "group column"]:
    """Return the means (group, column) of known values (presentation, column); weights (presentation, group)."""
    known = np.isfinite(values)
    return divide(weights.T @ np.where(known, values, 0), weights.T @ known)
