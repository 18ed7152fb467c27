"""Powers of two that bring arrays into the range of their precision."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from brainmark.metrics._arrays.scale import rescale, rescale_rows, times_power, times_power_wide


@pytest.mark.parametrize("scale", [2.0**-149, 2.0**-30, 2.0**13, 2.0**127])
@pytest.mark.parametrize("library", [np.asarray, torch.from_numpy])
def test_large_and_small_numbers_come_back_to_the_last_digit(scale: float, library) -> None:
    x = library((np.array([[1.0, -0.5], [0.0, 1.5]]) * scale).astype(np.float32))
    found, power = rescale(x)
    assert 2.0**-12 <= float(abs(found).max()) <= 2.0**12
    assert found.dtype == x.dtype
    np.testing.assert_array_equal(np.asarray(times_power(found, power)), np.asarray(x))
    np.testing.assert_array_equal(np.asarray(times_power_wide(found, power)), np.asarray(x).astype(float))


def test_usual_numbers_zeros_and_infinity_stay_as_they_are() -> None:
    for x in (np.array([1.0, 1000.0]), np.zeros(3), np.array([1.0, np.inf]), np.empty((0, 2))):
        assert rescale(x)[0] is x
        assert rescale(x)[1] == 0


def test_values_that_were_not_measured_do_not_count() -> None:
    found, power = rescale(np.array([np.nan, 2.0**40]))
    assert power == 41
    np.testing.assert_array_equal(found, [np.nan, 0.5])


def test_each_row_has_a_power_of_its_own() -> None:
    x = np.array([[1.0, 2.0], [2.0**-140, 0.0], [0.0, 0.0], [2.0**120, -(2.0**100)]], np.float32)
    found = rescale_rows(x)
    np.testing.assert_array_equal(np.abs(found).max(axis=1), [0.5, 0.5, 0.0, 0.5])
    assert found[3, 1] == -(2.0**-21)
    np.testing.assert_array_equal(np.asarray(rescale_rows(torch.from_numpy(x))), found)
    plain = np.array([[1.0, 2.0], [0.0, 0.0]])
    assert rescale_rows(plain) is plain
