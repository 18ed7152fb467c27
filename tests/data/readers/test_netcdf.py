from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import xarray as xr

from brainmark.core import DataError, InvalidMeasurement
from brainmark.data.readers.netcdf import encode_measurement, read_measurement


def write(array: xr.DataArray, path: Path) -> Path:
    path.write_bytes(encode_measurement(array, path.name))
    return path


def recording(**changes: object) -> xr.DataArray:
    values = np.arange(12.0).reshape(3, 2, 2)
    values[1, 1, 1] = np.nan
    coords = {
        "stimulus_id": ("presentation", ["a", "b é", ""]),
        "shown": ("presentation", [True, False, True]),
        "neuroid_id": ("neuroid", ["n1", "n2"]),
        "region": ("neuroid", ["V4", "V4"]),
        "trial": ("repetition", np.array([1, 2], dtype=np.int16)),
        "session": "210325",
    }
    array = xr.DataArray(values, dims=("presentation", "neuroid", "repetition"), coords=coords)
    array.attrs.update({"units": "spikes", "bin": 100, "edges": [0.5, 1.5]})
    return array.assign_coords(changes) if changes else array


def test_what_is_read_is_what_was_written(tmp_path: Path) -> None:
    array = recording()
    again = read_measurement(write(array, tmp_path / "a.nc"))
    xr.testing.assert_identical(again, array)
    assert again.dtype == array.dtype
    assert again.coords["shown"].dtype == bool
    assert again.coords["trial"].dtype == np.int16
    assert type(again.attrs["bin"]) is int


def test_equal_measurements_are_equal_bytes(tmp_path: Path) -> None:
    array = recording()
    first = write(array, tmp_path / "first.nc").read_bytes()
    shuffled = xr.DataArray(
        array.values.copy(),
        dims=array.dims,
        coords=dict(reversed(list(array.coords.items()))),
        attrs=dict(reversed(list(array.attrs.items()))),
    )
    assert write(shuffled, tmp_path / "second.nc").read_bytes() == first
    again = write(read_measurement(tmp_path / "first.nc"), tmp_path / "third.nc")
    assert again.read_bytes() == first
    big_endian = array.astype(">f8")
    assert write(big_endian, tmp_path / "fourth.nc").read_bytes() == first


def test_no_version_and_no_path_is_in_the_file(tmp_path: Path) -> None:
    import h5netcdf
    import h5py

    content = write(recording(), tmp_path / "a.nc").read_bytes()
    for trace in (h5netcdf.__version__, h5py.__version__, str(tmp_path), "_NCProperties"):
        assert trace.encode() not in content


def test_other_tools_read_it(tmp_path: Path) -> None:
    array = recording().rename("rates")
    path = write(array, tmp_path / "a.nc")
    with xr.open_dataset(path, engine="h5netcdf") as dataset:
        other = dataset["rates"].load()
    assert set(other.coords) == set(array.coords)
    np.testing.assert_array_equal(other.values, array.values)
    assert other.coords["shown"].dtype == bool
    assert other.coords["stimulus_id"].values.tolist() == ["a", "b é", ""]


def test_a_dimension_may_have_its_own_coordinate(tmp_path: Path) -> None:
    choices = xr.DataArray(
        np.eye(2), dims=("presentation", "choice"),
        coords={"stimulus_id": ("presentation", ["a", "b"]), "choice": ["cat", "dog"]},
    )  # fmt: skip
    again = read_measurement(write(choices, tmp_path / "a.nc"))
    xr.testing.assert_identical(again, choices)
    assert again.sel(choice="dog").values.tolist() == [0, 1]


def test_text_of_pandas_is_text(tmp_path: Path) -> None:
    frame = pd.DataFrame({"region": ["V1", "V4"]})
    array = recording().assign_coords(area=("neuroid", frame["region"].array))
    again = read_measurement(write(array, tmp_path / "a.nc"))
    assert again.coords["area"].values.tolist() == ["V1", "V4"]


@pytest.mark.parametrize(
    ("coordinate", "message"),
    [
        (("neuroid", np.array(["x", 1], dtype=object)), "'extra': value 1 at (1,) is a int among strings"),
        (("neuroid", np.array([None, "x"], dtype=object)), "at (0,) is a float among strings"),
        (("neuroid", np.array(["2020-01-01", "2020-01-02"], dtype="M8[ns]")), "netCDF holds no datetime64"),
        (("neuroid", np.array([1j, 2])), "netCDF holds no complex128"),
        (("neuroid", np.array([1, 2], dtype=np.float16)), "netCDF holds no float16"),
        (("neuroid", ["a\0b", "c"]), "cannot be stored as UTF-8 text"),
        (("neuroid", ["\ud800", "c"]), "cannot be stored as UTF-8 text"),
    ],
)
def test_coordinates_that_cannot_be_stored_are_named(tmp_path: Path, coordinate: object, message: str) -> None:
    with pytest.raises(InvalidMeasurement) as error:
        write(recording(extra=coordinate), tmp_path / "a.nc")
    assert message in str(error.value)
    assert "'extra'" in str(error.value)


@pytest.mark.parametrize("value", [{"a": 1}, None, True, [], ["a", "b"], np.eye(2), object(), 1j, "", "a\0b"])
def test_attributes_that_cannot_be_stored_are_named(tmp_path: Path, value: object) -> None:
    array = recording()
    array.attrs["note"] = value
    with pytest.raises(InvalidMeasurement, match="attribute 'note'"):
        write(array, tmp_path / "a.nc")


@pytest.mark.parametrize("name", ["coordinates", "dtype", "_FillValue"])
def test_reserved_attributes_are_refused(tmp_path: Path, name: str) -> None:
    array = recording()
    array.attrs[name] = "x"
    with pytest.raises(InvalidMeasurement, match=f"'{name}' is reserved"):
        write(array, tmp_path / "a.nc")


@pytest.mark.parametrize("name", ["a/b", "a b", "a\n"])
def test_names_that_netcdf_cannot_hold_are_refused(tmp_path: Path, name: str) -> None:
    with pytest.raises(InvalidMeasurement, match="a name in netCDF has no white space"):
        write(recording().rename(name), tmp_path / "a.nc")


def test_a_name_like_a_coordinate_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InvalidMeasurement, match="called 'region', like one of its coordinates"):
        write(recording().rename("region"), tmp_path / "a.nc")


def test_an_invalid_measurement_is_not_read(tmp_path: Path) -> None:
    array = recording().drop_vars("region")
    array.to_dataset(name="x").to_netcdf(tmp_path / "b.nc", engine="h5netcdf")
    with pytest.raises(InvalidMeasurement, match=r"b\.nc.*lacks coordinate 'region'"):
        read_measurement(tmp_path / "b.nc")


def test_files_that_are_no_measurement(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"gone\.nc.*No such file"):
        read_measurement(tmp_path / "gone.nc")
    (tmp_path / "text.nc").write_text("not netCDF")
    with pytest.raises(DataError, match=r"text\.nc: cannot be read as netCDF"):
        read_measurement(tmp_path / "text.nc")
    path = write(recording(), tmp_path / "a.nc")
    path.write_bytes(path.read_bytes()[:2000])
    with pytest.raises(DataError, match=r"a\.nc: cannot be read as netCDF"):
        read_measurement(path)
    two = xr.Dataset({"x": ("i", [1.0]), "y": ("i", [2.0])})
    two.to_netcdf(tmp_path / "two.nc", engine="h5netcdf")
    with pytest.raises(DataError, match="holds 2 variables"):
        read_measurement(tmp_path / "two.nc")


@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")  # h5netcdf closes what it never opened
def test_damage_anywhere_in_a_file_is_named(tmp_path: Path) -> None:
    """A damaged file fails in HDF5 in many ways; damage that changes nothing else than text is not noticed."""
    path = write(recording(), tmp_path / "a.nc")
    content, refused = path.read_bytes(), 0
    for place in range(0, len(content), 60):
        path.write_bytes(content[:place] + bytes(b ^ 0x55 for b in content[place : place + 12]) + content[place + 12 :])
        try:
            read_measurement(path)
        except (DataError, InvalidMeasurement) as error:
            assert "a.nc" in str(error)
            refused += 1
    assert refused > 20
