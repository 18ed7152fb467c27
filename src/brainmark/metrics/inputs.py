"""What every metric refuses before it computes: nothing to compare, values that are no numbers, other stimuli."""

from __future__ import annotations

import numpy as np
import xarray as xr

from brainmark.core.errors import InvalidMeasurement
from brainmark.metrics.backend import sum_of_squares
from brainmark.metrics.shapes import Shaped

LARGEST = 1e100
"""Values beyond it cannot be compared in double precision: their squares overflow."""


def check_filled(array: xr.DataArray, name: str) -> None:
    """Refuse a measurement without entries.

    Raises
    ------
    InvalidMeasurement : names the empty dimension.
    """
    for dim, size in array.sizes.items():
        if not size:
            raise InvalidMeasurement(f"{name} has no entry along {str(dim)!r}: there is nothing to compare")


def check_numbers(values: Shaped[np.ndarray, " ..."], name: str, missing: bool = False) -> None:
    """Refuse values that are infinite, too large to be squared, or NaN; with `missing`, only nothing but NaN.

    Raises
    ------
    InvalidMeasurement : says how many, and where the first is.
    """
    if values.dtype.kind != "f" or not values.size:
        return
    if sum_of_squares(values) <= LARGEST**2 or float(np.abs(values).max()) <= LARGEST:  # neither if there is NaN
        return
    unknown = np.isnan(values)
    if missing and unknown.all():
        raise InvalidMeasurement(f"{name} holds NaN only: nothing was measured")
    bad = ~(np.abs(values) <= LARGEST) & ~(unknown & missing)
    if bad.any():
        first = ", ".join(map(str, np.argwhere(bad)[0].tolist()))
        raise InvalidMeasurement(
            f"{name}: {int(bad.sum())} of {values.size} values are NaN, infinite or beyond {LARGEST:.0e}, "
            f"the first at position {first}"
        )


def check_same_stimuli(prediction: xr.DataArray, target: xr.DataArray) -> None:
    """Refuse presentations that are not the same ones in the same order, as far as ``stimulus_id`` tells.

    Raises
    ------
    InvalidMeasurement : names the first that differs.
    """
    counts = tuple(a.sizes["presentation"] for a in (prediction, target))
    if counts[0] != counts[1]:
        raise InvalidMeasurement(f"{counts[0]} predicted presentations for {counts[1]} measured ones")
    if not all("stimulus_id" in a.coords for a in (prediction, target)):
        return
    left, right = (np.asarray(a.coords["stimulus_id"].values).astype(str) for a in (prediction, target))
    differ = np.flatnonzero(left != right)
    if len(differ):
        i = int(differ[0])
        raise InvalidMeasurement(
            f"presentation {i} is stimulus_id {str(left[i])!r} in the prediction, {str(right[i])!r} in the target"
        )


def check_pair(prediction: xr.DataArray, target: xr.DataArray) -> None:
    """Refuse empty measurements, predictions that are no numbers, and targets that are infinite or all missing."""
    for name, array in (("prediction", prediction), ("target", target)):
        check_filled(array, name)
        check_numbers(array.values, name, missing=name == "target")
