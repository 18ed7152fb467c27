"""Prepares assemblies for the published metrics: sorts presentations, averages repetitions, aggregates as published."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from typing import Any, NamedTuple

from brainmark.core.comparison import Comparison
from brainmark.core.errors import InvalidMeasurement
from brainmark.core.libraries import np, pd, xr
from brainmark.metrics._arrays.backend import as_numpy
from brainmark.metrics._arrays.inputs import Recording, check_kind, check_numbers, unit_coordinates
from brainmark.metrics._arrays.shapes import Bool, Float, Integer, Real, Shaped


class Aggregate(NamedTuple):
    """A score as published, and its published error."""

    value: float
    error: float


def one_value(comparison: Comparison) -> float:
    """Return the published score alone."""
    return aggregate(comparison).value


def aggregate(comparison: Comparison) -> Aggregate:
    """Return the median over units in each split, averaged over splits, and the scatter of these over sqrt(splits).

    Metrics whose error is another one state it in their details, and so do those without splits, if they have one.
    """
    error = comparison.details.get("error", float("nan"))
    if comparison.splits is None:
        return Aggregate(comparison.aggregate(), error)
    return Aggregate(_aggregate(np.asarray(comparison.splits.values, float)).value, error)


def _aggregate(splits: np.ndarray) -> Aggregate:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)  # all NaN gives NaN
        medians = np.nanmedian(splits, axis=1)
        return Aggregate(float(np.nanmean(medians)), float(np.nanstd(medians) / np.sqrt(len(medians))))


def by_split(
    splits: Float[np.ndarray, "split unit"], target: Recording, notes: Sequence[str] = (), dim: str = "neuroid"
) -> Comparison:
    """Put the values (split, unit) of a cross-validation together; `details` has the published score and error."""
    coords = unit_coordinates(target, dim) if isinstance(target, xr.DataArray) else {}
    score = _aggregate(splits)
    known = np.isfinite(splits)
    counts = known.sum(axis=0)
    values = np.where(counts > 0, np.where(known, splits, 0.0).sum(axis=0) / np.maximum(counts, 1), np.nan)
    return Comparison(
        values=xr.DataArray(values, dims=dim, coords=coords),
        splits=xr.DataArray(splits, dims=("split", dim), coords=coords),
        notes=tuple(notes),
        details={"score": score.value, "error": score.error} if len(splits) > 1 else {"score": score.value},
    )


def single(value: float, error: float | None = None, details: dict[str, float] | None = None) -> Comparison:
    """Return a comparison of whole populations: one value."""
    more = dict(details or {})
    if error is not None:
        more["error"] = error
    return Comparison(xr.DataArray([value], dims="population", coords={"population": ["all"]}), details=more)


def pair(
    prediction: Recording, target: Recording
) -> tuple[
    Bool[np.ndarray, "presentation _"] | Real[np.ndarray, "presentation _"], Float[np.ndarray, "presentation neuroid"]
]:
    """Return the values (presentation, neuroid) of both in the order of the target's presentations.

    Labelled recordings are aligned by ``stimulus_id``, whatever their order.

    Raises
    ------
    InvalidMeasurement : presentations that do not correspond or stand twice, NaN.
    """
    x, y, order = align(prediction, target)
    return x if order is None else x[order], y


def align(
    prediction: Recording, target: Recording
) -> tuple[
    Float[np.ndarray, "_ _"], Float[np.ndarray, "presentation neuroid"], Integer[np.ndarray, " presentation"] | None
]:
    """Return the values (presentation, neuroid) of both as they stand, and where the prediction has the target's rows.

    The order is None where both have the same. Raises as `pair`.
    """
    x, y = matrix(prediction, "prediction"), matrix(target, "target")
    if isinstance(prediction, xr.DataArray) and isinstance(target, xr.DataArray):
        return x, y, positions(stimulus_ids(prediction, "prediction"), stimulus_ids(target, "target"))
    if len(x) != len(y):
        raise InvalidMeasurement(f"prediction has {len(x)} presentations, target {len(y)}")
    return x, y, None


def matrix(
    recording: Recording, name: str
) -> Bool[np.ndarray, "presentation neuroid"] | Real[np.ndarray, "presentation neuroid"]:
    """Return the values (presentation, neuroid), free of NaN; a single time bin is dropped."""
    if isinstance(recording, xr.DataArray):
        if "time_bin" in recording.dims and recording.sizes["time_bin"] == 1:
            recording = recording.squeeze("time_bin")
        if set(recording.dims) != {"presentation", "neuroid"}:
            dims = tuple(str(d) for d in recording.dims)
            raise InvalidMeasurement(f"{name} has dimensions {dims}; expected (presentation, neuroid)")
        values = recording.transpose("presentation", "neuroid").values
    else:
        values = as_numpy(recording)
        if values.ndim != 2:
            raise InvalidMeasurement(f"{name} has {values.ndim} dimensions; expected (presentation, neuroid)")
    if not values.size:
        raise InvalidMeasurement(f"{name} has shape {values.shape}: there is nothing to compare")
    check_kind(values, name)
    values = values if values.dtype.str[1:] in ("f4", "f8") else values.astype(float)
    check_numbers(values, name)
    return values


def labels(recording: Recording, coordinate: str | None) -> Shaped[np.ndarray, " presentation"] | None:
    """Return a coordinate along presentation; None where there is no such coordinate."""
    if coordinate is None or not isinstance(recording, xr.DataArray) or coordinate not in recording.coords:
        return None
    return np.asarray(recording.coords[coordinate].values)


def stimulus_ids(recording: xr.DataArray, name: str) -> Shaped[np.ndarray, " presentation"]:
    """Return the ``stimulus_id`` of each presentation."""
    if "stimulus_id" not in recording.coords:
        raise InvalidMeasurement(f"{name} has no coordinate 'stimulus_id' to align presentations by")
    return np.asarray(recording.coords["stimulus_id"].values)


def positions(
    given: Shaped[np.ndarray, " _"], wanted: Shaped[np.ndarray, " presentation"]
) -> Integer[np.ndarray, " presentation"] | None:
    """Return where `wanted` stimuli stand among `given` ones; None: in the same order."""
    index = pd.Index(wanted)
    if index.has_duplicates:
        twice = index[index.duplicated()][0]
        raise InvalidMeasurement(f"stimulus_id {str(twice)!r} stands several times; see average_repetition")
    if given.shape == wanted.shape and (given == wanted).all():
        return None
    source = pd.Index(given)
    places = source.get_indexer(index) if not source.has_duplicates else np.full(len(index), -1)
    if len(source) != len(index) or (places < 0).any():
        raise InvalidMeasurement(
            f"prediction and target show different stimuli: {len(source)} and {len(index)}, "
            f"{int((places >= 0).sum())} of the target's are found once in the prediction"
        )
    return places


def average_repetition(recording: xr.DataArray, by: Sequence[str] | None = None) -> xr.DataArray:
    """Average repetitions as published: one presentation for every combination of labels, in their sorted order.

    Parameters
    ----------
    recording : (presentation, neuroid) with a coordinate ``repetition`` along presentation, or with a dimension of
        that name. NaN is left out of the means.
    by : coordinates along presentation that tell presentations apart, the first one sorting first; None: all in the
        order in which they stand. This order decides which presentations a split tests.
    """
    if "repetition" in recording.dims:
        recording = recording.mean("repetition", skipna=True, keep_attrs=True)
    along = [str(c) for c, v in recording.coords.items() if v.dims == ("presentation",) and c != "repetition"]
    group, first = group_rows([recording.coords[c].values for c in by or along])
    values = recording.transpose("presentation", ...).values
    coords: dict[str, Any] = {
        str(c): v for c, v in recording.coords.items() if "presentation" not in v.dims and c != "repetition"
    }
    coords |= {c: ("presentation", recording.coords[c].values[first]) for c in along}
    rest = [d for d in recording.dims if d != "presentation"]
    return xr.DataArray(
        means(values, group, len(first)), dims=("presentation", *rest), coords=coords, attrs=recording.attrs
    )


def group_rows(
    columns: Sequence[Shaped[np.ndarray, " row"]],
) -> tuple[Integer[np.ndarray, " row"], Integer[np.ndarray, " group"]]:
    """Return for each row the number of its group, in the sorted order of the labels, and a row of each group."""
    if not columns:
        raise InvalidMeasurement("presentations have no coordinate that identifies them")
    total = np.zeros(len(columns[0]), np.int64)
    for column in columns:
        code, names = pd.factorize(column, sort=True)
        if (code < 0).any():
            code, names = np.where(code < 0, len(names), code), [*names, None]  # a missing label sorts last
        total = pd.factorize(total * len(names) + code, sort=True)[0]
    first = np.unique(total, return_index=True)[1]
    return total, first


def means(
    values: Real[np.ndarray, " row *unit"], group: Integer[np.ndarray, " row"], count: int
) -> Float[np.ndarray, " _ *unit"]:
    """Return the mean (count, ...) of the rows of each group, over what is not NaN."""
    order = np.argsort(group, kind="stable")
    starts = np.searchsorted(group[order], np.arange(count))
    rows = values if (order[:-1] <= order[1:]).all() else values[order]
    known = np.isfinite(rows)
    if known.all():
        size = np.diff(np.append(starts, len(rows))).reshape(-1, *[1] * (rows.ndim - 1))
        return np.add.reduceat(rows, starts, axis=0) / size
    total = np.add.reduceat(np.where(known, rows, 0), starts, axis=0)
    size = np.add.reduceat(known, starts, axis=0, dtype=float)
    return np.where(size > 0, total / np.maximum(size, 1), np.nan)
