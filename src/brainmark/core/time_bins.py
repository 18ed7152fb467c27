"""Comparing recordings over time bin by bin, with any metric of recordings."""

from __future__ import annotations

from brainmark.core.comparison import Ceiling, Comparison, Metric, center, check_comparison
from brainmark.core.errors import InvalidMeasurement
from brainmark.core.libraries import np, xr


def each_time_bin(metric: Metric) -> Metric:
    """Apply a metric to every time bin of a target.

    The prediction has the same time bins, or none: the same answer then stands for all. The comparison has one value a
    bin, the centre over the metric's units; its replicates are the centres of the metric's replicates.
    """

    def over_time(prediction: xr.DataArray, target: xr.DataArray) -> Comparison:
        _same_bins(prediction, target)
        bins = range(target.sizes["time_bin"])
        parts = [check_comparison(metric(_bin(prediction, t), _bin(target, t)), "the metric") for t in bins]
        return _over_bins(parts, target)

    return over_time


def each_time_bin_ceiling(ceiling: Ceiling) -> Ceiling:
    """Apply a ceiling to every time bin of a target, as `each_time_bin` does with a metric."""

    def over_time(target: xr.DataArray) -> Comparison:
        _same_bins(target, target)
        return _over_bins([ceiling(_bin(target, t)) for t in range(target.sizes["time_bin"])], target)

    return over_time


def _bin(measurement: xr.DataArray, t: int) -> xr.DataArray:
    return measurement.isel(time_bin=t, drop=True) if "time_bin" in measurement.dims else measurement


def _same_bins(prediction: xr.DataArray, target: xr.DataArray) -> None:
    if "time_bin" not in target.dims:
        raise InvalidMeasurement(f"the target has no time bins, but {tuple(target.dims)}")
    if "time_bin" in prediction.dims and prediction.sizes["time_bin"] != target.sizes["time_bin"]:
        raise InvalidMeasurement(
            f"{prediction.sizes['time_bin']} predicted time bins for {target.sizes['time_bin']} measured ones"
        )


def _over_bins(parts: list[Comparison], target: xr.DataArray) -> Comparison:
    coords = {str(k): v for k, v in target.coords.items() if v.dims == ("time_bin",)}
    parts = [part.count_all() for part in parts]
    replicates = [center(p.replicates, p.center) for p in parts if p.replicates is not None]
    return Comparison(
        values=xr.DataArray([p.aggregate() for p in parts], dims=("time_bin",), coords=coords),
        replicates=np.stack(replicates, axis=1) if len(replicates) == len(parts) else None,
        center="mean",
        notes=tuple(dict.fromkeys(note for p in parts for note in p.notes)),
    )
