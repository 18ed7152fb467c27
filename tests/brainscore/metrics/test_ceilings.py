"""Published ceilings: consistency of halves, extrapolation over subjects."""

from __future__ import annotations

import numpy as np
import pytest
import xarray as xr

from brainmark.brainscore import metrics as bs
from brainmark.core import Comparison
from brainmark.core.errors import InvalidMeasurement


def recording(values: np.ndarray, ids: np.ndarray | None = None, **along: object) -> xr.DataArray:
    numbers = np.arange(len(values)) if ids is None else ids
    labels = np.array([f"stimulus{i:03d}" for i in numbers])
    neuroids = np.array([f"n{k}" for k in range(values.shape[1])])
    coords = {"stimulus_id": ("presentation", labels), "neuroid_id": ("neuroid", neuroids)}
    return xr.DataArray(values, dims=("presentation", "neuroid"), coords=coords | along)


def flat_trials(trials: np.ndarray) -> xr.DataArray:
    """(presentation, neuroid, repetition) as one row a trial."""
    n, q, count = trials.shape
    rows = np.moveaxis(trials, 2, 0).reshape(n * count, q)
    repetition = ("presentation", np.repeat(np.arange(count), n))
    return recording(rows, np.tile(np.arange(n), count), repetition=repetition)


def test_consistency_is_the_same_for_all_layouts_of_trials() -> None:
    rng = np.random.default_rng(6)
    trials = rng.standard_normal((30, 4, 7)) + 2 * rng.standard_normal((30, 4, 1))
    whole = bs.internal_consistency(xr.DataArray(trials, dims=("presentation", "neuroid", "repetition")))
    flat = flat_trials(trials)
    for layout in (flat, flat.isel(presentation=rng.permutation(210))):
        np.testing.assert_allclose(bs.internal_consistency(layout).splits, whole.splits, atol=1e-12)
    assert 0.8 < bs.aggregate(whole).value < 1


def test_consistency_leaves_out_trials_that_were_not_measured() -> None:
    rng = np.random.default_rng(7)
    trials = rng.standard_normal((40, 3, 8)) + rng.standard_normal((40, 3, 1))
    trials[:10, 1, :3] = np.nan
    found = bs.internal_consistency(xr.DataArray(trials, dims=("presentation", "neuroid", "repetition")))
    first, second = bs.shuffle_splits(8, 10, 0.5)[0]
    r = np.corrcoef(np.nanmean(trials[:, 1, first], 1), np.nanmean(trials[:, 1, second], 1))[0, 1]
    assert float(found.splits[0, 1]) == pytest.approx(2 * r / (1 + r))
    with pytest.raises(InvalidMeasurement, match="at least two repetitions"):
        bs.internal_consistency(xr.DataArray(trials[..., :1], dims=("presentation", "neuroid", "repetition")))


def test_extrapolation_reaches_beyond_the_subjects_there_are() -> None:
    """Scores that follow v0 (1 - exp(-x / tau)) exactly give back v0."""

    def metric(pool: xr.DataArray, subject: xr.DataArray) -> Comparison:
        others = len(np.unique(pool.coords["subject_id"]))
        r = np.full((3, subject.sizes["neuroid"]), 0.6 * (1 - np.exp(-(others + 1) / 2.5)))
        return Comparison(xr.DataArray(r[0], dims="neuroid"), xr.DataArray(r, dims=("split", "neuroid")))

    target = recording(np.ones((5, 8)), subject_id=("neuroid", np.repeat(["a", "b", "c", "d"], 2)))
    found = bs.ExtrapolationCeiling(metric, bootstraps=5)(target)
    np.testing.assert_allclose(found.values.values, 0.6, atol=1e-4)
    with pytest.raises(InvalidMeasurement, match="at least 3; there are 2"):
        bs.ExtrapolationCeiling(metric)(target.isel(neuroid=slice(4)))
