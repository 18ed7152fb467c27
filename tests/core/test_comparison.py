"""Comparisons: values per unit and their centre."""

from __future__ import annotations

import numpy as np
import pytest
import xarray as xr
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import array_shapes, arrays

from brainmark.core import Comparison, InvalidMeasurement
from brainmark.core.comparison import center


def values(*numbers: float) -> xr.DataArray:
    return xr.DataArray(np.array(numbers, float), dims="neuroid")


def test_values_lie_along_one_dimension():
    with pytest.raises(InvalidMeasurement, match=r"one dimension of units, not \('a', 'b'\)"):
        Comparison(xr.DataArray(np.zeros((2, 2)), dims=("a", "b")))
    with pytest.raises(InvalidMeasurement, match=r"not \(\)"):
        Comparison(xr.DataArray(0.5))


def test_replicates_have_a_column_for_each_unit():
    with pytest.raises(InvalidMeasurement, match=r"replicates have shape \(10, 2\); expected \(replicates, 3\)"):
        Comparison(values(1, 2, 3), replicates=np.zeros((10, 2)))
    with pytest.raises(InvalidMeasurement, match=r"replicates have shape \(3,\)"):
        Comparison(values(1, 2, 3), replicates=np.zeros(3))


@pytest.mark.parametrize(
    ("how", "numbers", "expected"),
    [
        ("median", (1, 2, 30), 2),
        ("mean", (1, 2, 30), 11),
        ("median", (1, np.nan, 3), 2),
        ("mean", (1, np.nan, 5), 3),
        ("mean", (np.nan,), np.nan),
        ("median", (np.nan, np.nan), np.nan),
    ],
)
def test_the_centre_leaves_undefined_units_out(how, numbers, expected):
    made = Comparison(values(*numbers), center=how)
    assert made.aggregate() == pytest.approx(expected, nan_ok=True)
    assert made.unit == "neuroid"


FLOATS = st.one_of(st.floats(-1e6, 1e6), st.just(np.nan))


@given(
    arrays(float, array_shapes(min_dims=2, max_dims=3, max_side=6), elements=FLOATS),
    st.sampled_from(["median", "mean"]),
)
def test_the_centre_of_many_rows_is_the_centre_of_each(rows, how):
    found = center(rows, how)
    assert found.shape == rows.shape[:-1]
    for index in np.ndindex(found.shape):
        known = rows[index][~np.isnan(rows[index])]
        expected = np.nan if known.size == 0 else getattr(np, how)(known)
        np.testing.assert_allclose(found[index], expected, rtol=1e-9, atol=1e-6)
