"""Repetitions are averaged as published."""

from __future__ import annotations

import numpy as np
import pytest
import xarray as xr

from brainmark.brainscore import metrics as bs


def test_repetitions_are_averaged_in_the_order_of_all_labels() -> None:
    rng = np.random.default_rng(5)
    names = np.array(["b", "a", "b", "a", "c", "b"])
    values = rng.standard_normal((18, 2))
    values[4, 0] = np.nan
    flat = xr.DataArray(
        values,
        dims=("presentation", "neuroid"),
        coords={
            "object_name": ("presentation", np.tile(names, 3)),
            "stimulus_id": ("presentation", np.tile(["s5", "s4", "s3", "s2", "s1", "s0"], 3)),
            "repetition": ("presentation", np.repeat(np.arange(3), 6)),
            "neuroid_id": ("neuroid", ["n0", "n1"]),
        },
    )
    mean = bs.average_repetition(flat)
    assert mean.coords["object_name"].values.tolist() == ["a", "a", "b", "b", "b", "c"]
    assert mean.coords["stimulus_id"].values.tolist() == ["s2", "s4", "s0", "s3", "s5", "s1"]
    np.testing.assert_allclose(mean.sel(presentation=0), values[[3, 9, 15]].mean(0))
    assert float(mean[5, 0]) == pytest.approx(values[[10, 16], 0].mean())
    by_name = bs.average_repetition(flat, by=["stimulus_id"])
    assert by_name.coords["stimulus_id"].values.tolist() == ["s0", "s1", "s2", "s3", "s4", "s5"]
    whole = flat.isel(presentation=slice(6)).drop_vars("repetition")
    stacked = xr.concat([whole, whole + 1], dim="repetition")
    np.testing.assert_allclose(bs.average_repetition(stacked)[0], values[3] + 0.5)
