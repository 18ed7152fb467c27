"""Checks of the input of metrics: empty data, values that are not numbers, and stimuli that differ."""

from __future__ import annotations

from typing import TypeAlias

from brainmark.core.errors import InvalidMeasurement
from brainmark.core.libraries import np, xr
from brainmark.core.measurement import FEWEST_TRIALS, count_fewest_trials
from brainmark.metrics._arrays.backend import as_numpy, is_torch_array, sum_of_squares
from brainmark.metrics._arrays.shapes import Bool, Float, Integer, Real, Shaped

SMALLEST, LARGEST = 1e-60, 1e60
"""Values all below, or any beyond, cannot be compared in double precision: products of their squares run out of it."""


Recording: TypeAlias = "xr.DataArray | np.ndarray"
"""(presentation, neuroid): labelled, or an array whose rows are the same presentations on both sides."""


def recordings(prediction: Recording, target: Recording) -> tuple[xr.DataArray, xr.DataArray]:
    """Return both sides labelled; plain arrays, of NumPy or torch, are (presentation, neuroid)."""
    return as_labelled(prediction, "prediction", plain=True), as_labelled(target, "target", plain=True)


def as_labelled(values: object, name: str, plain: bool = False) -> xr.DataArray:
    """Return a labelled array as it is, and with `plain` an array (presentation, neuroid) of NumPy or torch as one.

    Raises
    ------
    InvalidMeasurement : anything else; says what was given.
    """
    if isinstance(values, xr.DataArray):
        return values
    if plain and (isinstance(values, np.ndarray) or is_torch_array(values)) and values.ndim == 2:  # pyright: ignore
        return xr.DataArray(as_numpy(values), dims=("presentation", "neuroid"))
    shape = f" of shape {tuple(values.shape)}" if hasattr(values, "shape") else ""  # pyright: ignore
    also = ", or a plain one (presentation, neuroid)" if plain else ""
    raise InvalidMeasurement(
        f"{name} is a {type(values).__name__}{shape}; expected a labelled array (xarray.DataArray){also}"
    )


def check_filled(array: xr.DataArray, name: str) -> None:
    """Refuse a measurement without entries.

    Raises
    ------
    InvalidMeasurement : names the empty dimension, or says what was given instead.
    """
    as_labelled(array, name)
    for dim, size in array.sizes.items():
        if not size:
            raise InvalidMeasurement(f"{name} has no entry along {str(dim)!r}: there is nothing to compare")


def check_numbers(values: Shaped[np.ndarray, " ..."], name: str, missing: bool = False) -> None:
    """Refuse what is no number, values that are infinite, too large or small, or NaN; with `missing`, nothing but NaN.

    Raises
    ------
    InvalidMeasurement : says how many, and where the first is.
    """
    check_kind(values, name)
    if values.dtype.kind != "f" or not values.size:
        return
    if SMALLEST**2 <= sum_of_squares(values) <= LARGEST**2:  # not if there is NaN
        return
    largest = float(np.fmax.reduce(np.abs(values), axis=None))  # of what is not NaN
    if 0 < largest < SMALLEST:
        raise InvalidMeasurement(
            f"{name}: the largest value is {largest:.0e}, whose square overflows or underflows: rescale the values"
        )
    unknown = np.isnan(values)
    if missing and unknown.all():
        raise InvalidMeasurement(f"{name} holds NaN only: nothing was measured")
    bad = ~(np.abs(values) <= np.float64(LARGEST)) & ~(unknown & missing)
    if bad.any():
        first = ", ".join(map(str, np.argwhere(bad)[0].tolist()))
        raise InvalidMeasurement(
            f"{name}: {int(bad.sum())} of {values.size} values are NaN, infinite or beyond {LARGEST:.0e}, "
            f"the first at position {first}"
        )


def check_kind(values: Shaped[np.ndarray, " ..."], name: str) -> None:
    """Refuse complex numbers, text, dates and objects.

    Raises
    ------
    InvalidMeasurement : says what they are.
    """
    if values.dtype.kind not in "fiub":
        raise InvalidMeasurement(
            f"{name} holds values of type {values.dtype}; expected real numbers (see astype(float))"
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


def along_presentations(target: xr.DataArray, name: str) -> Shaped[np.ndarray, " presentation"]:
    """Return the values of a coordinate along presentations.

    Raises
    ------
    InvalidMeasurement : there is none of that name; says which there are.
    """
    if name not in target.coords or target.coords[name].dims != ("presentation",):
        has = ", ".join(sorted(str(c) for c, v in target.coords.items() if v.dims == ("presentation",)))
        raise InvalidMeasurement(f"target has no coordinate {name!r} along 'presentation'; it has {has or 'none'}")
    return np.asarray(target.coords[name].values)


def unit_coordinates(target: xr.DataArray, dim: str = "neuroid") -> dict[str, xr.DataArray]:
    """Return the coordinates along the units of a target."""
    return {str(k): v for k, v in target.coords.items() if v.dims == (dim,)}


def subject_names(target: xr.DataArray) -> dict[str, Shaped[np.ndarray, " subject"] | list[str]]:
    """Return the coordinate of the subjects of a target; ``all`` where it does not keep them apart."""
    if "subject" not in target.dims:
        return {"subject": ["all"]}
    if "subject" in target.coords:
        return {"subject": target.coords["subject"].values}
    return {"subject": np.arange(target.sizes["subject"])}


def group_columns(
    y: Float[np.ndarray, "row column"],
) -> list[tuple[Integer[np.ndarray, " _"], Integer[np.ndarray, " _"]]]:
    """Group the columns of `y` by the rows in which they are measured: (rows, columns) of each group."""
    missing = np.isnan(y)
    if not missing.any():
        return [(np.arange(y.shape[0]), np.arange(y.shape[1]))]
    patterns, group = np.unique(np.packbits(missing, axis=0), axis=1, return_inverse=True)
    groups = [np.flatnonzero(group.reshape(-1) == g) for g in range(patterns.shape[1])]
    return [(np.flatnonzero(~missing[:, columns[0]]), columns) for columns in groups]


def take_complete(
    recording: xr.DataArray, name: str, *more: str
) -> tuple[Real[np.ndarray, "*axes presentation neuroid"], tuple[str, ...]]:
    """Return the patterns of the neuroids that were measured throughout, trials averaged, and a note on the others.

    Parameters
    ----------
    recording : (presentation, neuroid), and `more` dimensions, which come first in what is returned.
    name : what it is called in messages; a prediction must be complete.

    Raises
    ------
    InvalidMeasurement : other dimensions, nothing that was measured throughout, values that are no numbers.
    """
    check_filled(recording, name)
    check_numbers(recording.values, name, missing=True)
    dims = (*more, "presentation", "neuroid")
    counted = np.ones(recording.sizes.get("neuroid", 1), bool)
    if "repetition" not in dims and "neuroid" in recording.dims and name != "prediction":
        counted = find_counted(recording)
    if "repetition" in recording.dims and "repetition" not in dims:
        recording = recording.mean("repetition", skipna=True)
    if set(recording.dims) != set(dims):
        raise InvalidMeasurement(f"{name} has {tuple(recording.dims)}; populations are compared as {dims}")
    values = recording.transpose(*dims).values
    values = values if values.dtype == np.float32 else values.astype(np.float64)
    known = np.isfinite(values).all(axis=tuple(range(values.ndim - 1)))
    if known.all() and counted.all():
        return values, ()
    if not known.any():
        raise InvalidMeasurement(f"{name}: every neuroid has a stimulus that was not measured")
    notes = [f"{name}: {int((~known).sum())} of {known.size} neuroids lack a stimulus and are left out"]
    single = int((known & ~counted).sum())
    notes.append(f"{name}: {single} of {known.size} neuroids lack a second trial of a stimulus and are left out")
    kept = [note for note, number in zip(notes, ((~known).sum(), single), strict=True) if number]
    return values[..., known & counted], tuple(kept)


def find_counted(recording: xr.DataArray) -> Bool[np.ndarray, " neuroid"]:
    """Return which neuroids count where populations are compared, in a metric as in its ceiling.

    A ceiling needs two trials of each stimulus. Where trials are kept (or their smallest number, see
    `brainmark.core.measurement.average_trials`) and some neuroids have two of each, only these count; else all do.
    """
    everyone = np.ones(recording.sizes["neuroid"], bool)
    if FEWEST_TRIALS not in recording.coords and "repetition" not in recording.dims:
        return everyone
    fewest = recording.coords[FEWEST_TRIALS] if FEWEST_TRIALS in recording.coords else count_fewest_trials(recording)
    twice = np.asarray(fewest.values) >= 2
    return twice if twice.any() else everyone


def check_pair(prediction: xr.DataArray, target: xr.DataArray) -> None:
    """Refuse empty measurements, predictions that are no numbers, and targets that are infinite or all missing."""
    for name, array in (("prediction", prediction), ("target", target)):
        check_filled(array, name)
        check_numbers(array.values, name, missing=name == "target")
