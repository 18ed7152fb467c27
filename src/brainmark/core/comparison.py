"""The result of a metric or a ceiling: one value per unit, and the same values under resampled stimuli."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Any, Literal, TypeAlias

from brainmark.core.errors import InvalidMeasurement, MethodError
from brainmark.core.libraries import np, xr

UNDEFINED = "undefined"
"""How the note begins that a comparison adds where values are NaN and no other note has the word."""


@dataclass(frozen=True, eq=False)
class Comparison:
    """Values of a metric or a ceiling.

    Attributes
    ----------
    values : (unit,) with any one dimension: "neuroid", "subject", "property"; NaN: undefined for this unit.
    splits : (split, unit), the values of each cross-validation split, where there are any.
    replicates : (replicate, unit), the values under resampled stimuli. Replicate k of a metric and of its ceiling
        rest on the same draw, so that their ratio carries both errors.
    center : how units are put together.
    bounds : lower and upper bound, for ceilings that come as a range; None where either is undefined (NaN is given).
    no_signal : (unit,) of a ceiling: units that were measured, but agree with themselves no more than by chance. Their
        value is NaN; see `count_all`. None: there are none.
    notes : what the reader must know (warnings of the method). Where values are NaN and no note has the word
        "undefined", one that counts them is added: a NaN is never silent.
    details : further figures worth showing, by name.
    """

    values: xr.DataArray
    splits: xr.DataArray | None = None
    replicates: np.ndarray | None = None
    center: Literal["median", "mean"] = "median"
    bounds: tuple[float, float] | None = None
    no_signal: np.ndarray | None = None
    notes: tuple[str, ...] = ()
    details: dict[str, float] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if self.values.ndim != 1:
            raise InvalidMeasurement(f"a comparison has one dimension of units, not {tuple(self.values.dims)}")
        if self.replicates is not None and self.replicates.shape[1:] != self.values.shape:
            raise InvalidMeasurement(
                f"replicates have shape {self.replicates.shape}; expected (replicates, {self.values.size})"
            )
        if self.bounds is not None and not all(map(math.isfinite, self.bounds)):
            object.__setattr__(self, "bounds", None)
        undefined = int(np.isnan(self.array).sum())
        if undefined and not any(UNDEFINED in note for note in self.notes):
            which = f"{undefined} of {self.values.size} (dimension {self.unit!r})"
            note = f"{UNDEFINED} for {which}: constant predictions or data, or too few presentations"
            object.__setattr__(self, "notes", (note, *self.notes))

    @property
    def unit(self) -> str:
        """Name of the dimension of the units."""
        return str(self.values.dims[0])

    @property
    def array(self) -> np.ndarray:
        """The values (unit,) as a plain array of floats."""
        return np.asarray(self.values.values, float)

    def count_all(self) -> Comparison:
        """Return the same with 0 for units without a signal, and in draws that leave a unit none.

        To leave them out would keep the units whose ceiling is high by chance: a true model would then fall short.
        """
        if self.no_signal is None or not self.no_signal.any():
            return self
        known = np.isfinite(self.array) | self.no_signal
        values = np.where(self.no_signal, 0.0, self.array)
        drawn = self.replicates
        if drawn is not None:
            drawn = np.where(np.isnan(drawn) & known, 0.0, drawn)
        return replace(self, values=self.values.copy(data=values), replicates=drawn, no_signal=None)

    def aggregate(self) -> float:
        """Return the centre of the values over the units that have one."""
        return float(center(self.array[None], self.center)[0])


def check_comparison(result: Any, what: str) -> Comparison:
    """Return what a metric returned. Raises MethodError: it is no `Comparison`; `what` names metric and benchmark."""
    if not isinstance(result, Comparison):
        raise MethodError(f"{what} returned a {type(result).__name__}; a metric returns a Comparison, one value a unit")
    return result


def center(values: np.ndarray, how: Literal["median", "mean"]) -> np.ndarray:
    """Return the median or mean along the last axis, over the entries that are not NaN; NaN where there are none."""
    none = np.asarray(~np.isfinite(values).any(axis=-1))
    filled = np.where(none[..., None], 0.0, values)
    result = np.nanmedian(filled, axis=-1) if how == "median" else np.nanmean(filled, axis=-1)
    return np.where(none, np.nan, result)


Metric: TypeAlias = "Callable[[xr.DataArray, xr.DataArray], Comparison]"
"""prediction, target -> comparison."""

Ceiling: TypeAlias = "Callable[[xr.DataArray], Comparison]"
"""target with its repetitions or subjects -> the values that a perfect model could reach."""
