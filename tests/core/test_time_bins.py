from __future__ import annotations

import numpy as np
import pytest
import xarray as xr
from scipy.stats import spearmanr

from brainmark.core.errors import InvalidMeasurement
from brainmark.core.time_bins import each_time_bin, each_time_bin_ceiling
from brainmark.metrics.similarity.alignment import cka, cka_ceiling

BINS = np.arange(70, 250, 20)


def recording(values: np.ndarray) -> xr.DataArray:
    """(presentation, neuroid, time_bin[, repetition])."""
    dims = ("presentation", "neuroid", "time_bin", "repetition")[: values.ndim]
    coords = {"time_bin_start": ("time_bin", BINS), "time_bin_end": ("time_bin", BINS + 20)} if values.ndim > 2 else {}
    return xr.DataArray(values, dims=dims, coords=coords)


def test_a_metric_over_time_is_the_metric_in_each_bin() -> None:
    generator = np.random.default_rng(5)
    target = generator.normal(size=(30, 6, len(BINS)))
    model = target + generator.normal(size=target.shape)
    found = each_time_bin(cka(resamples=8))(recording(model), recording(target))
    assert found.unit == "time_bin"
    assert found.values.coords["time_bin_start"].values.tolist() == BINS.tolist()
    for t in (0, 4):
        alone = cka(resamples=8)(recording(model[:, :, t]), recording(target[:, :, t]))
        assert found.values.values[t] == pytest.approx(alone.aggregate())
        assert found.replicates is not None
        assert alone.replicates is not None
        np.testing.assert_allclose(found.replicates[:, t], alone.replicates[:, 0])
    static = each_time_bin(cka(resamples=0))(recording(model[:, :, 4]), recording(target))
    assert int(static.values.values.argmax()) == 4
    assert static.replicates is None


def test_a_ceiling_over_time() -> None:
    generator = np.random.default_rng(6)
    signal = generator.normal(size=(30, 6, len(BINS), 1)) * np.linspace(0.3, 3, len(BINS))[:, None]
    trials = signal + generator.normal(size=(30, 6, len(BINS), 4))
    found = each_time_bin_ceiling(cka_ceiling(resamples=0))(recording(trials))
    assert spearmanr(found.values, BINS)[0] > 0.9


def test_other_time_bins_are_refused() -> None:
    values = np.random.default_rng(7).normal(size=(20, 3, len(BINS)))
    with pytest.raises(InvalidMeasurement, match="no time bins"):
        each_time_bin(cka())(recording(values), recording(values[:, :, 0]))
    with pytest.raises(InvalidMeasurement, match="3 predicted time bins for 9"):
        each_time_bin(cka())(recording(values).isel(time_bin=slice(3)), recording(values))
