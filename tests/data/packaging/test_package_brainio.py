"""From the format of Brain-Score to a package, and from a package to that format: value for value."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import xarray as xr

from brainmark.brainscore import brainio
from brainmark.data.packaging import load_package, package, parse_description


@pytest.mark.parametrize("bins", [1, 3])
def test_there_and_back_again(lab: Any, bins: int) -> None:
    generator = np.random.default_rng(0)
    values = generator.normal(size=(12, 4, bins, 3))
    values[3, :, :, 2] = np.nan  # a trial that was not made
    dims = ["presentation", "neuroid", "time_bin", "repetition"]
    np.savez(lab.folder / "r.npz", values=values, ids=lab.ids, region=["V4", "V4", "IT", "IT"])
    coords = {"stimulus_id": "ids", "region": "region"}
    windows = [[70 + 100 * k, 170 + 100 * k] for k in range(bins)]
    source = {"file": "r.npz", "dims": dims, "coords": coords, "time_bins": windows, "units": "Hz", "subject": "Ada"}
    package(parse_description(lab.describe(source), "lab.toml"), lab.folder, lab.folder / "first")
    first = load_package(lab.folder / "first")
    np.testing.assert_array_equal(first.measurement.values, values if bins > 1 else values[:, :, 0])

    brainio.write_assembly(first.measurement, lab.folder / "assy.nc")
    brainio.write_stimuli(first.stimuli, lab.folder / "stimulus.csv", lab.folder / "stimulus.zip")
    again = {"file": "assy.nc", "units": "Hz"}
    stimuli = {"table": "stimulus.csv", "archive": "stimulus.zip"}
    package(parse_description(lab.describe(again, stimuli=stimuli), "lab.toml"), lab.folder, lab.folder / "second")
    second = load_package(lab.folder / "second")
    xr.testing.assert_identical(second.measurement, first.measurement)
    assert second.stimuli.digest == first.stimuli.digest


def test_an_assembly_of_theirs(lab: Any) -> None:
    """Trials in any order, ``image_id`` and ``animal``, one bin, identifiers that two animals share."""
    generator = np.random.default_rng(1)
    rows = generator.permutation([(k, r) for k in range(12) for r in range(4)])
    values = generator.normal(size=(48, 6, 1))
    assembly = xr.DataArray(
        values,
        dims=("presentation", "neuroid", "time_bin"),
        coords={
            "image_id": ("presentation", [lab.ids[k] for k, _ in rows]),
            "repetition": ("presentation", rows[:, 1]),
            "neuroid_id": ("neuroid", ["n0", "n1", "n2", "n3", "n4", "n5"]),
            "region": ("neuroid", ["IT"] * 6),
            "animal": ("neuroid", ["Chabo"] * 3 + ["Tito"] * 3),
            "time_bin_start": ("time_bin", [70]),
            "time_bin_end": ("time_bin", [170]),
        },
    )
    brainio.write_assembly(assembly, lab.folder / "assy.nc")
    made = lab.prepared({"file": "assy.nc", "units": "Hz"}).measurement
    assert made.coords["subject"].values.tolist() == ["Chabo"] * 3 + ["Tito"] * 3
    assert made.attrs["time_bin_start"] == 70
    for k in range(12):
        np.testing.assert_array_equal(made.values[k].T, values[rows[:, 0] == k, :, 0])


def test_what_is_no_assembly_of_neuroids_is_named(lab: Any) -> None:
    (lab.folder / "assy.nc").write_bytes(b"nothing")
    assert any("is no netCDF file" in p for p in lab.refused({"file": "assy.nc", "units": "Hz"}))
    choices = xr.DataArray(["a"] * 12, dims="presentation", coords={"stimulus_id": ("presentation", lab.ids)})
    brainio.write_assembly(choices, lab.folder / "assy.nc")
    assert any("expected trials of neuroids" in p for p in lab.refused({"file": "assy.nc", "units": "Hz"}))
