"""Data sets: stimuli, setting and measurement."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

from brainmark.core.cards import DatasetCard
from brainmark.core.errors import InvalidMeasurement, InvalidStimuli
from brainmark.core.experiment import Setting
from brainmark.core.libraries import np, xr
from brainmark.core.measurement import check_measurement
from brainmark.core.stimuli import Stimuli


@dataclass(frozen=True, eq=False)
class Dataset:
    """A measurement with the stimuli that it belongs to.

    Attributes
    ----------
    identifier : the registered name, ``<Study><Year>[.<part>]``.
    card : source, licence, citation, species, regions.
    measurement : see `brainmark.core.measurement`; repetitions (trials, sessions) are kept where they are known.
    stimuli : in the order of the measurement's presentations; None where only statistics of cells are published.
    setting : what the animal or the person saw.

    Raises
    ------
    InvalidMeasurement : the measurement breaks its contract, or does not line up with the stimuli.
    """

    identifier: str
    card: DatasetCard
    measurement: xr.DataArray
    stimuli: Stimuli | None
    setting: Setting

    def __post_init__(self) -> None:
        check_measurement(self.measurement, self.identifier)
        if self.stimuli is None:
            return
        for dim, coordinate in (("presentation", "stimulus_id"), ("other", "other_id")):
            if dim in self.measurement.dims:
                self._check_order(self.measurement.coords[coordinate].values.astype(str), self.stimuli.ids, coordinate)

    def _check_order(self, measured: np.ndarray, shown: np.ndarray, coordinate: str) -> None:
        if measured.shape != shown.shape:
            raise InvalidMeasurement(
                f"{self.identifier}: {len(measured)} values of {coordinate} for {len(shown)} stimuli"
            )
        differ = np.flatnonzero(measured != shown)
        if len(differ):
            i = int(differ[0])
            raise InvalidMeasurement(
                f"{self.identifier}: {coordinate} {i} is {str(measured[i])!r}, but stimulus {i} is {str(shown[i])!r}"
            )

    @property
    def shown(self) -> Stimuli:
        """The stimuli, of a data set that has some. Raises InvalidStimuli: only statistics of cells are published."""
        if self.stimuli is None:
            raise InvalidStimuli(f"{self.identifier}: only statistics of cells are published, without their stimuli")
        return self.stimuli

    @cached_property
    def mean(self) -> xr.DataArray:
        """The measurement averaged over the repetitions that were made."""
        if "repetition" not in self.measurement.dims:
            return self.measurement
        return self.measurement.mean("repetition", skipna=True, keep_attrs=True)
