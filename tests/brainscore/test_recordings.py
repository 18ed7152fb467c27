"""Assemblies as a lab's own recordings: bytes are text, and time bins need their edges."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import xarray as xr

from brainmark.brainscore.brainio import read_assembly
from brainmark.data.packaging import Problems, parse_description


@pytest.mark.parametrize("engine", ["h5netcdf", "scipy"])
def test_bytes_in_assemblies_are_text(tmp_path: Path, engine: str) -> None:
    values = np.zeros((2, 2))
    coords = {"stimulus_id": ("presentation", np.array([b"a", b"b"])), "region": ("neuroid", np.array([b"V4", b"IT"]))}
    made = xr.DataArray(values, dims=("presentation", "neuroid"), coords=coords, name="d")
    made.to_netcdf(tmp_path / "a.nc", engine=engine)
    held = read_assembly(tmp_path / "a.nc")
    assert held.coords["region"].values.tolist() == ["V4", "IT"]
    assert held.coords["stimulus_id"].values.tolist() == ["a", "b"]


def test_time_bins_without_edges_are_named(tmp_path: Path) -> None:
    coords = {"stimulus_id": ("presentation", ["a", "b"]), "neuroid_id": ("neuroid", ["1", "2"])}
    made = xr.DataArray(np.zeros((2, 2, 3)), dims=("presentation", "neuroid", "time_bin"), coords=coords, name="d")
    made.to_netcdf(tmp_path / "a.nc", engine="h5netcdf")
    source = parse_description({"recording": {"file": "a.nc", "format": "brainio"}}, "lab.toml").recording[0]
    problems = Problems("the data set")
    assert problems.attempt_file(source.read, tmp_path / "a.nc", tmp_path, problems) is None
    assert list(problems.found) == [f"{tmp_path / 'a.nc'}: its time bins have no time_bin_start and time_bin_end"]
