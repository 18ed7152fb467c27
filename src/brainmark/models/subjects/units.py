"""The units of a layer: their positions in the visual field, and the measurement made from their activations."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from brainmark.core.experiment import Experiment, Record
from brainmark.core.libraries import np, xr


@dataclass(frozen=True, eq=False)
class Units:
    """Units of one layer in the order (channel, position).

    Attributes
    ----------
    layer : its name.
    channels : number of channels.
    x, y : (positions,) receptive-field centres in degrees from fixation, right and up positive.
    """

    layer: str
    channels: int
    x: np.ndarray
    y: np.ndarray

    @property
    def count(self) -> int:
        """Number of units."""
        return self.channels * len(self.x)


def tiles(count: int, degrees: float) -> np.ndarray:
    """Return the centres (count,) of equal tiles across a field of view, in degrees from its centre, ascending."""
    return ((np.arange(count) + 0.5) / count - 0.5) * degrees


def grid(x: np.ndarray, y: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return the positions (rows * columns,) twice, row by row, of a map with columns at `x` and rows at `y`."""
    return np.tile(x, len(y)), np.repeat(y, len(x))


def near_fixation(x: np.ndarray, y: np.ndarray, eccentricity: float) -> np.ndarray:
    """Return the indices of the positions at most `eccentricity` degrees from fixation, or else of the nearest one."""
    distance = np.hypot(x, y)
    kept = np.flatnonzero(distance <= eccentricity + 1e-9)
    return kept if len(kept) else np.array([int(np.argmin(distance))])


def recording(values: np.ndarray, units: Units, experiment: Experiment) -> xr.DataArray:
    """Return activations as a recording, with region, layer, channel, x and y of each unit, and its number as id.

    `values` is (presentation, neuroid) or (presentation, neuroid, time_bin); see `as_recording`.
    """
    positions = len(units.x)
    of_units = {
        "layer": np.broadcast_to(units.layer, units.count),
        "channel": np.repeat(np.arange(units.channels), positions),
        "x": np.tile(units.x, units.channels),
        "y": np.tile(units.y, units.channels),
    }
    return as_recording(values, of_units, experiment, ("presentation", "neuroid", "time_bin")[: values.ndim])


def as_recording(
    values: np.ndarray,
    of_units: Mapping[str, np.ndarray],
    experiment: Experiment,
    dims: Sequence[str] = ("presentation", "neuroid"),
) -> xr.DataArray:
    """Return values as the recording that an experiment asks for, with the region of each unit, and its number as id.

    If time bins are asked for and `dims` has none, each bin holds the same values: a static model has no time course.

    Parameters
    ----------
    values : with dimensions `dims`.
    of_units : what else is known of the units, name -> (neuroid,).
    """
    ask, dims = experiment.ask, list(dims)
    assert isinstance(ask, Record)
    count = values.shape[dims.index("neuroid")]
    coords: dict[str, tuple[str, np.ndarray]] = {
        "stimulus_id": ("presentation", experiment.stimuli.ids),
        "neuroid_id": ("neuroid", np.arange(count)),
        "region": ("neuroid", np.broadcast_to(ask.region, count)),
        **{name: ("neuroid", known) for name, known in of_units.items()},
    }
    if ask.time_bins:
        if "time_bin" not in dims:
            values = np.repeat(values[:, :, None], len(ask.time_bins), axis=2)
            dims.insert(2, "time_bin")
        start, end = np.asarray(ask.time_bins, float).T
        coords |= {"time_bin_start": ("time_bin", start), "time_bin_end": ("time_bin", end)}
    return xr.DataArray(values, dims=dims).assign_coords(coords)  # the constructor would copy them
