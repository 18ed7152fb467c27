"""Measurements as netCDF files in which equal measurements are equal bytes, so that one sha256 identifies one.

The file is netCDF-4 (HDF5) as other tools read it: one variable, its coordinates listed in the attribute
``coordinates`` (CF conventions), strings as UTF-8, booleans as 0/1 in int8 with the attribute ``dtype = "bool"``
(the convention of xarray). Nothing in it depends on time, on versions of Python packages or on the order in which
coordinates and attributes were added. NaN means "not measured".
"""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

from brainmark.core import DataError, InvalidMeasurement, check_measurement
from brainmark.core.libraries import h5netcdf, h5py, np, xr
from brainmark.data.readers.hdf5 import open_hdf5
from brainmark.data.readers.text import decode_array

_DEFAULT_NAME = "measurement"
_RESERVED = frozenset({"coordinates", "dtype", "_FillValue", "CLASS", "NAME", "DIMENSION_LIST", "REFERENCE_LIST"})
_STORED = frozenset({"i1", "i2", "i4", "i8", "u1", "u2", "u4", "u8", "f4", "f8"})


def read_measurement(path: Path | str, *, verified: bool = False) -> xr.DataArray:
    """Read a measurement and check it; everything is loaded, the file is closed.

    Parameters
    ----------
    verified : the checksum of the file was compared; other files are first read in a process of their own.

    Raises
    ------
    DataError : the file is missing, is no netCDF, or does not hold exactly one measurement.
    InvalidMeasurement : what it holds breaks the contract of measurements.
    """
    path = Path(path)
    with open_hdf5(path, "netCDF", verified=verified), path.open("rb") as raw, h5netcdf.File(raw, "r") as file:
        measurement = _decode(file, path)
    return check_measurement(measurement, path.name)


def encode_measurement(measurement: xr.DataArray, name: str) -> bytes:
    """Return the bytes of the file, built in memory: small, and nothing is half-written when it fails.

    Raises
    ------
    InvalidMeasurement : it holds what netCDF cannot; names the coordinate or attribute.
    """
    own = str(measurement.name or _DEFAULT_NAME)
    coordinates = {str(key): value for key, value in sorted(measurement.coords.items(), key=lambda item: str(item[0]))}
    if own in coordinates or own in measurement.dims:
        raise InvalidMeasurement(f"{name}: the measurement is called {own!r}, like one of its coordinates; rename it")
    buffer = io.BytesIO()
    # "invalid_netcdf" only leaves out the attribute with package versions; all that is written here is valid
    with h5netcdf.File(buffer, "w", invalid_netcdf=True) as file:
        file.dimensions = {str(dim): size for dim, size in measurement.sizes.items()}
        for key, coordinate in coordinates.items():
            write_variable(file, key, coordinate, f"{name}: coordinate {key!r}")
        variable = write_variable(file, own, measurement, f"{name}: {own!r}")
        others = [key for key in coordinates if key not in measurement.dims]
        if others:
            variable.attrs["coordinates"] = " ".join(others)
    return buffer.getvalue()


def write_variable(file: Any, key: str, array: xr.DataArray, what: str) -> Any:
    """Write an array as the variable `key` of an open file or group, whose dimensions are there; return the variable.

    Raises
    ------
    InvalidMeasurement : it holds what netCDF cannot; `what` names it.
    """
    if not key or "/" in key or " " in key or key != key.strip() or not key.isprintable():
        raise InvalidMeasurement(f"{what}: a name in netCDF has no white space and no '/'")
    values, extra = _encode(array, what)
    dims = tuple(str(dim) for dim in array.dims)
    variable = file.create_variable(key, dims, dtype=values.dtype, data=values)
    attributes = {str(k): _encode_attribute(v, f"{what}: attribute {k!r}") for k, v in array.attrs.items()}
    clash = _RESERVED & attributes.keys()
    if clash:
        raise InvalidMeasurement(f"{what}: attribute {min(clash)!r} is reserved in netCDF; rename it")
    for k, v in sorted((attributes | extra).items()):
        variable.attrs[k] = v
    return variable


def _encode(array: xr.DataArray, what: str) -> tuple[np.ndarray, dict[str, Any]]:
    """Return values that netCDF holds, and the attributes that say how to read them."""
    values = np.asarray(array.values)
    if values.dtype.kind == "b":
        return values.astype("i1"), {"dtype": "bool"}
    if values.dtype.kind in "OUT":
        return _encode_strings(values, what), {}
    if values.dtype.str[1:] not in _STORED:
        raise InvalidMeasurement(f"{what}: netCDF holds no {values.dtype}; use numbers, booleans or strings")
    return np.ascontiguousarray(values, values.dtype.newbyteorder("<")), {}


def _encode_strings(values: np.ndarray, what: str) -> np.ndarray:
    for place, value in np.ndenumerate(values):
        if not isinstance(value, str):
            raise InvalidMeasurement(
                f"{what}: value {value!r} at {place} is a {type(value).__name__} among strings; "
                "use numbers, booleans or strings alone"
            )
        _check_text(value, f"{what}: value at {place}")
    return values.astype(h5py.string_dtype("utf-8"))


def _check_text(value: str, what: str) -> str:
    if "\0" in value or any("\ud800" <= c <= "\udfff" for c in value):
        raise InvalidMeasurement(f"{what}: {value!r} cannot be stored as UTF-8 text")
    return value


def _encode_attribute(value: Any, what: str) -> Any:
    if isinstance(value, str):
        if not value:
            raise InvalidMeasurement(f"{what}: netCDF holds no empty text; leave the attribute out")
        return _check_text(str(value), what)
    if not isinstance(value, bool | np.bool_ | dict | set):
        array = np.asarray(value)
        if array.dtype.str[1:] in _STORED and array.ndim <= 1 and array.size:
            return np.atleast_1d(array.astype(array.dtype.newbyteorder("<")))
    raise InvalidMeasurement(
        f"{what} is {type(value).__name__} {str(value)[:60]!r}; netCDF holds text, numbers and lists of numbers"
    )


def _decode(file: Any, path: Path) -> xr.DataArray:
    listed = {key: str(v.attrs["coordinates"]).split() for key, v in file.variables.items() if "coordinates" in v.attrs}
    coordinates = {c for names in listed.values() for c in names} | set(file.dimensions)
    data = [key for key in file.variables if key not in coordinates]
    if len(data) != 1 or file.groups:
        raise DataError(f"{path}: holds {len(data)} variables and {len(file.groups)} groups, not one measurement")
    missing = sorted(set(listed.get(data[0], ())) - set(file.variables))
    if missing:
        raise DataError(f"{path}: coordinate {missing[0]!r} is listed, but missing")
    arrays = {key: _read_variable(variable, f"{path}: {key!r}") for key, variable in file.variables.items()}
    dims, values, attributes = arrays.pop(data[0])
    name = None if data[0] == _DEFAULT_NAME else data[0]
    return xr.DataArray(values, dims=dims, coords=arrays, attrs=attributes, name=name)


def _read_variable(variable: Any, what: str) -> tuple[tuple[str, ...], np.ndarray, dict[str, Any]]:
    values = np.asarray(variable[...])
    attributes = {key: variable.attrs[key] for key in variable.attrs}
    attributes = {k: v.item() if isinstance(v, np.generic) else v for k, v in attributes.items()}
    attributes.pop("coordinates", None)
    if attributes.pop("dtype", None) == "bool":
        values = values.astype(bool)
    return tuple(variable.dimensions), decode_array(values, what), attributes
