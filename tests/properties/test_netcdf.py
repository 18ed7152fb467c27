"""Whatever measurement is written is read back, and equal measurements are equal bytes."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Any

import numpy as np
import xarray as xr
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as npst

from brainmark.data.readers.netcdf import encode_measurement, read_measurement

TEXT = st.text(st.characters(exclude_categories=("Cs",), exclude_characters="\0"), max_size=12)
NAMES = st.from_regex(r"[a-z][a-z_]{0,8}", fullmatch=True)
NUMBERS = st.one_of(npst.integer_dtypes(endianness="="), npst.unsigned_integer_dtypes(endianness="="))
VALUES = st.one_of(NUMBERS, npst.floating_dtypes(endianness="=", sizes=(32, 64)), npst.boolean_dtypes())
ATTRIBUTES = st.dictionaries(
    NAMES.filter(lambda n: n not in {"coordinates", "dtype"}),
    st.one_of(
        TEXT.filter(bool),
        st.integers(-(2**63), 2**63 - 1),
        st.floats(),
        st.lists(st.floats(), min_size=2, max_size=4),
    ),
    max_size=4,
)
_TAKEN = {"presentation", "neuroid", "stimulus_id", "neuroid_id", "region", "measurement"}


def columns(size: int) -> st.SearchStrategy[np.ndarray]:
    text = st.lists(TEXT, min_size=size, max_size=size).map(lambda words: np.array(words, dtype=str))
    return st.one_of(VALUES.flatmap(lambda dtype: npst.arrays(dtype, size)), text)


@st.composite
def recordings(draw: Any) -> xr.DataArray:
    shape = draw(st.tuples(st.integers(1, 5), st.integers(1, 4)))
    dtype = draw(VALUES)
    elements = {"allow_infinity": False, "allow_nan": False} if dtype.kind == "f" else None
    values = draw(npst.arrays(dtype, shape, elements=elements))
    if dtype.kind == "f" and min(shape) > 1:  # a hole that leaves no row or column without values
        values[0, 0] = np.nan
    ids = st.lists(TEXT, min_size=shape[0], max_size=shape[0], unique=True)
    coords: dict[str, Any] = {
        "stimulus_id": ("presentation", np.array(draw(ids), dtype=str)),
        "neuroid_id": ("neuroid", [f"n{i}" for i in range(shape[1])]),
        "region": ("neuroid", np.array(draw(st.lists(TEXT, min_size=shape[1], max_size=shape[1])), dtype=str)),
    }
    for name in draw(st.lists(NAMES.filter(lambda n: n not in _TAKEN), max_size=3, unique=True)):
        dim = draw(st.sampled_from(["presentation", "neuroid"]))
        coords[name] = (dim, draw(columns(shape[dim == "neuroid"])))
    dims = ("presentation", "neuroid")
    return xr.DataArray(values, dims=dims, coords=coords, attrs=draw(ATTRIBUTES))


@settings(max_examples=30, deadline=None)
@given(recordings())
def test_write_read_write(array: xr.DataArray) -> None:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "a.nc"
        path.write_bytes(encode_measurement(array, "a.nc"))
        again = read_measurement(path)
        xr.testing.assert_identical(again.drop_attrs(), array.drop_attrs())
        assert again.dtype == array.dtype
        assert again.attrs.keys() == array.attrs.keys()
        for name, value in array.attrs.items():
            np.testing.assert_array_equal(again.attrs[name], value)
        assert encode_measurement(again, "b.nc") == path.read_bytes()
