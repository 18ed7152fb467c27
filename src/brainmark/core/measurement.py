"""Measurements: plain `xarray.DataArray`, flat coordinates, dimensions in the field's terms.

============== ================================================= =======================================
kind           dimensions (any order; [] may be absent)          coordinates that must be there
============== ================================================= =======================================
recording      presentation, neuroid, [time_bin], [repetition]   stimulus_id; neuroid_id, region;
                                                                 time_bin_start, time_bin_end (ms)
series         time_bin, neuroid, [repetition]                   time_bin_start, time_bin_end (ms);
               (one run, during which the presentations went on) neuroid_id, region
behavior       presentation, [choice], [subject], [repetition]   stimulus_id; choice
movement       presentation, effector, time_bin, [repetition]    stimulus_id; effector
dissimilarity  presentation, other, [subject], [repetition]      stimulus_id, other_id
property       neuroid (one value a cell)                        neuroid_id, region
histogram      bin (counts of cells)                             bin_start, bin_end
============== ================================================= =======================================

NaN means "not measured". It may stand in single cells of a target, never for a whole neuroid or presentation
(but in behavior, and where the coordinate ``context_only`` is true: a word may be read for its context alone), and
never in what a model answers, but for the first part
of a text that is read (no surprisal without a context).
"""

from __future__ import annotations

from typing import Literal

from brainmark.core.errors import InvalidMeasurement, ModelError
from brainmark.core.experiment import Experiment
from brainmark.core.libraries import np, pd, xr

Kind = Literal["recording", "series", "behavior", "movement", "dissimilarity", "property", "histogram"]

_DIMS: dict[Kind, tuple[set[str], set[str]]] = {  # required, optional
    "recording": ({"presentation", "neuroid"}, {"time_bin", "repetition"}),
    "series": ({"time_bin", "neuroid"}, {"repetition"}),
    "dissimilarity": ({"presentation", "other"}, {"subject", "repetition"}),
    "movement": ({"presentation", "effector", "time_bin"}, {"repetition"}),
    "behavior": ({"presentation"}, {"choice", "subject", "repetition"}),
    "property": ({"neuroid"}, set()),
    "histogram": ({"bin"}, set()),
}
_COORDS: dict[str, tuple[str, ...]] = {
    "presentation": ("stimulus_id",),
    "neuroid": ("neuroid_id", "region"),
    "time_bin": ("time_bin_start", "time_bin_end"),
    "other": ("other_id",),
    "choice": ("choice",),
    "effector": ("effector",),
    "bin": ("bin_start", "bin_end"),
}
FEWEST_TRIALS = "fewest_trials"
"""Coordinate of the neuroids of a mean over trials, see `average_trials`."""
CONTEXT_ONLY = "context_only"
"""Coordinate of presentations that were not measured, and are there because others follow them in one text."""
_LARGEST = 1e100  # beyond it, squares overflow
_UNIQUE = {
    "neuroid": "neuroid_id",
    "presentation": "stimulus_id",
    "choice": "choice",
    "other": "other_id",
    "effector": "effector",
}


def kind_of(measurement: xr.DataArray) -> Kind:
    """Return which kind of measurement has these dimensions."""
    dims = {str(d) for d in measurement.dims}
    for kind, (required, optional) in _DIMS.items():
        if required <= dims <= required | optional:
            return kind
    legal = "; ".join(
        f"{kind}: {', '.join(sorted(required))}" + "".join(f" [{o}]" for o in sorted(optional))
        for kind, (required, optional) in _DIMS.items()
    )
    raise InvalidMeasurement(
        f"dimensions {_names(measurement.dims)} are not those of any kind of measurement ({legal})"
    )


def check_measurement(measurement: xr.DataArray, name: str = "measurement") -> xr.DataArray:
    """Return `measurement` if it keeps the contract on this page; otherwise say which part it breaks.

    Raises
    ------
    InvalidMeasurement : names the measurement, the dimension, the coordinate and the value.
    """
    if not isinstance(measurement, xr.DataArray):  # pyright: ignore[reportUnnecessaryIsInstance]
        raise InvalidMeasurement(f"{name}: is a {type(measurement).__name__}, not an xarray.DataArray")
    try:
        kind_of(measurement)
    except InvalidMeasurement as error:
        raise InvalidMeasurement(f"{name}: {error}") from None
    _check_coordinates(measurement, name)
    _check_values(measurement, name)
    return measurement


def _check_coordinates(measurement: xr.DataArray, name: str) -> None:
    for coordinate in measurement.indexes:
        if isinstance(measurement.indexes[coordinate], pd.MultiIndex):
            raise InvalidMeasurement(
                f"{name}: coordinate {coordinate!r} is a MultiIndex; keep coordinates flat (reset_index)"
            )
    for dim in measurement.dims:
        size = measurement.sizes[dim]
        if size == 0:
            raise InvalidMeasurement(f"{name}: dimension {dim!r} is empty")
        for coordinate in _COORDS.get(str(dim), ()):
            if coordinate not in measurement.coords:
                has = [str(c) for c, v in measurement.coords.items() if dim in v.dims]
                raise InvalidMeasurement(
                    f"{name}: dimension {dim!r} lacks coordinate {coordinate!r}; it has {_names(has)}"
                )
            values = measurement.coords[coordinate]
            if values.dims != (dim,):
                raise InvalidMeasurement(
                    f"{name}: coordinate {coordinate!r} lies along {_names(values.dims)}, not along {dim!r}"
                )
            missing = np.flatnonzero(np.asarray(values.isnull().values))
            if len(missing):
                raise InvalidMeasurement(
                    f"{name}: coordinate {coordinate!r} has no value at {dim} {int(missing[0])}, "
                    f"and {len(missing) - 1} more of {size}"
                )
    for dim, coordinate in _UNIQUE.items():
        if dim in measurement.dims:
            index = pd.Index(measurement.coords[coordinate].values)
            if index.has_duplicates:
                twice = index[index.duplicated()][0]
                raise InvalidMeasurement(
                    f"{name}: {coordinate} {str(twice)!r} stands {int((index == twice).sum())} times along {dim!r}"
                    + ("; keep trials along 'repetition'" if dim == "presentation" else "")
                )
    if "time_bin" in measurement.dims:
        start, end = (np.asarray(measurement.coords[c].values, float) for c in _COORDS["time_bin"])
        wrong = np.flatnonzero(~(end > start))
        if len(wrong):
            i = int(wrong[0])
            raise InvalidMeasurement(f"{name}: time_bin {i} ends at {end[i]} ms, not after its start {start[i]} ms")


def _check_values(measurement: xr.DataArray, name: str) -> None:
    values = measurement.values
    if values.dtype.kind not in "fiub":
        raise InvalidMeasurement(f"{name}: values are {values.dtype}, not numbers")
    if values.dtype.kind != "f":
        return
    infinite = np.isinf(values)
    if infinite.any():
        raise InvalidMeasurement(f"{name}: infinite value at {_where(measurement, infinite)}")
    missing = np.isnan(values)
    if not missing.any():
        return
    if missing.all():
        raise InvalidMeasurement(f"{name}: all {values.size} values are NaN")
    for dim in ("neuroid", "presentation", "bin"):
        if dim in measurement.dims and not (dim == "presentation" and kind_of(measurement) == "behavior"):
            axis = measurement.dims.index(dim)
            gone = missing.all(axis=tuple(a for a in range(values.ndim) if a != axis))
            if dim == "presentation" and CONTEXT_ONLY in measurement.coords:
                gone &= ~measurement.coords[CONTEXT_ONLY].values.astype(bool)
            if gone.any():
                i = int(np.flatnonzero(gone)[0])
                coordinate = _COORDS[dim][0]
                label = measurement.coords[coordinate].values[i]
                raise InvalidMeasurement(
                    f"{name}: {int(gone.sum())} of {measurement.sizes[dim]} along {dim!r} hold only NaN, "
                    f"the first is {coordinate} {str(label)!r}; leave them out"
                )


def check_answer(answer: xr.DataArray, experiment: Experiment, subject: str) -> xr.DataArray:
    """Return a subject's answer if it fits the experiment.

    Raises
    ------
    InvalidMeasurement : wrong dimensions, coordinates, number or order of presentations.
    ModelError : NaN or infinite values.
    """
    name = f"answer of {subject!r} to {experiment.stimuli.identifier!r}"
    if not isinstance(answer, xr.DataArray):  # pyright: ignore[reportUnnecessaryIsInstance]
        raise InvalidMeasurement(f"{name}: is a {type(answer).__name__}, not an xarray.DataArray")
    ask, given = experiment.ask, {str(d) for d in answer.dims}
    if not set(ask.dims) <= given <= {*ask.dims, *ask.optional_dims}:
        raise InvalidMeasurement(
            f"{name}: has dimensions {_names(answer.dims)}; {type(ask).__name__} asks for {_names(sorted(ask.dims))}"
            f", and allows {_names(sorted(ask.optional_dims))}"
        )
    _check_presentations(answer, experiment, name)
    told = ask.must_hold_numbers(answer, experiment)
    values = told.values
    if values.dtype.kind == "f" and not np.isfinite(values).all():
        bad = ~np.isfinite(values)
        raise ModelError(
            f"{name}: {int(bad.sum())} of {values.size} values are NaN or infinite, the first at {_where(told, bad)}"
        )
    largest = float(np.abs(values).max()) if values.dtype.kind == "f" and values.size else 0.0
    if largest > _LARGEST:
        raise ModelError(f"{name}: values up to {largest:.3g} cannot be compared in double precision")
    if not ask.in_words:
        check_measurement(told, name)
    ask.check(answer, name)
    return answer


def _check_presentations(answer: xr.DataArray, experiment: Experiment, name: str) -> None:
    ids = experiment.answered_ids
    if answer.sizes["presentation"] != len(ids):
        raise InvalidMeasurement(
            f"{name}: dimension 'presentation' has {answer.sizes['presentation']} entries; "
            f"{len(ids)} stimuli were presented"
        )
    if "stimulus_id" not in answer.coords:
        raise InvalidMeasurement(f"{name}: dimension 'presentation' lacks coordinate 'stimulus_id'")
    along = answer.coords["stimulus_id"].dims
    if along != ("presentation",):
        raise InvalidMeasurement(
            f"{name}: coordinate 'stimulus_id' lies along {_names(along)}, not along 'presentation'"
        )
    given = np.asarray(answer.coords["stimulus_id"].values).astype(str)
    differ = np.flatnonzero(given != ids)
    if len(differ):
        i = int(differ[0])
        raise InvalidMeasurement(
            f"{name}: coordinate 'stimulus_id' is {str(given[i])!r} at presentation {i}, "
            f"where {str(ids[i])!r} was presented"
        )


def average_trials(measurement: xr.DataArray) -> xr.DataArray:
    """Return the mean over the repetitions that were measured; a measurement without repetitions as it is.

    Where some neuroids have two trials of every stimulus and others have not, the mean keeps the smallest number of
    trials of each (coordinate ``fewest_trials``): comparisons of populations need it, see
    `brainmark.metrics._arrays.inputs.find_counted`.
    """
    if "repetition" not in measurement.dims:
        return measurement
    # in double precision: the mean of equal numbers is then that number, however many they are
    mean = measurement.mean("repetition", skipna=True, keep_attrs=True, dtype=np.float64)
    mean = mean.astype(measurement.dtype, copy=False) if measurement.dtype.kind == "f" else mean
    if "neuroid" not in measurement.dims or measurement.values.dtype.kind != "f":
        return mean
    fewest = count_fewest_trials(measurement)
    uneven = bool((fewest >= 2).any()) and bool((fewest < 2).any())
    return mean.assign_coords({FEWEST_TRIALS: fewest}) if uneven else mean


def count_fewest_trials(measurement: xr.DataArray) -> xr.DataArray:
    """Return the smallest number of trials that each neuroid has of a presentation (and time bin): (neuroid,)."""
    number = measurement.notnull().sum("repetition")
    return number.min([d for d in number.dims if d != "neuroid"])


def with_stimulus_columns(answer: xr.DataArray, experiment: Experiment) -> xr.DataArray:
    """Return the answer with the columns of the stimulus table as coordinates along 'presentation'."""
    table = experiment.stimuli.table
    if len(table) != answer.sizes["presentation"]:
        return answer
    columns = {
        str(c): ("presentation", table[c].to_numpy())
        for c in table.columns
        if str(c) not in answer.coords and table[c].dtype.kind in "fiub"
    }
    return answer.assign_coords(columns)


def _where(measurement: xr.DataArray, mask: np.ndarray) -> str:
    first = np.argwhere(mask)[0]
    places: list[str] = []
    for dim, i in zip(measurement.dims, first, strict=True):
        coordinate = _COORDS.get(str(dim), ("",))[0]
        label = (
            f" ({coordinate} {str(measurement.coords[coordinate].values[i])!r})"
            if coordinate in measurement.coords
            else ""
        )
        places.append(f"{dim} {int(i)}{label}")
    return ", ".join(places)


def _names(names: object) -> str:
    listed = [str(n) for n in names] if isinstance(names, list | tuple | set | dict) else [str(names)]
    return "(" + ", ".join(listed) + ")"
