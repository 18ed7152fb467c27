"""How often the choice is right: the measure of engineering benchmarks."""

from __future__ import annotations

import numpy as np
import xarray as xr

from brainmark.core.comparison import Comparison, Metric
from brainmark.core.errors import InvalidMeasurement
from brainmark.metrics.behavior import aligned_choices
from brainmark.metrics.resampling import draws


def accuracy(truth: str = "label", resamples: int = 1000, seed: int = 0) -> Metric:
    """Share of presentations on which the model's first choice is the right label (top-1).

    Parameters
    ----------
    truth : coordinate of the target along presentation with the right label, one of its choices.
    resamples : bootstrap draws of presentations; 0: no replicates.
    seed : of the draws.

    Returns
    -------
    Comparison with one value; choices that tie share the presentation evenly. ``details`` has chance (one over the
    number of choices) and the mean log2 probability of the right label.
    """

    def metric(prediction: xr.DataArray, target: xr.DataArray) -> Comparison:
        values = aligned_choices(prediction, target)
        right = _right(target, truth)
        best = values == values.max(axis=1, keepdims=True)
        solved = (best * right).sum(axis=1) / best.sum(axis=1)
        counts = draws(len(solved), resamples, seed).astype(float) if resamples else None
        total = values.sum(axis=1)
        shares = (values * right).sum(axis=1) / np.where(total > 0, total, 1)
        return Comparison(
            xr.DataArray([solved.mean()], dims=("pattern",), coords={"pattern": ["top-1"]}),
            replicates=None if counts is None else (counts @ solved / len(solved))[:, None],
            center="mean",
            details={
                "chance": 1 / values.shape[1],
                "log2 probability of the right label": float(np.log2(np.clip(shares, 1e-12, None)).mean()),
            },
        )

    return metric


def _right(target: xr.DataArray, truth: str) -> np.ndarray:
    """The right label of each presentation, (presentation, choice), true once in each row."""
    if truth not in target.coords or target.coords[truth].dims != ("presentation",):
        raise InvalidMeasurement(f"target has no coordinate {truth!r} along 'presentation' to name the right label")
    labels = target.coords[truth].values
    right = labels[:, None] == target.coords["choice"].values[None, :]
    lost = np.flatnonzero(right.sum(axis=1) != 1)
    if len(lost):
        raise InvalidMeasurement(f"label {str(labels[lost[0]])!r} of presentation {lost[0]} is not among the choices")
    return right
