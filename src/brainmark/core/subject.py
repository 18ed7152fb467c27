"""Subjects: models and animals are the same to an experiment."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol, runtime_checkable

from brainmark.core.experiment import Experiment
from brainmark.core.libraries import xr

if TYPE_CHECKING:  # registering modules name this class; that must load no array library
    pass


@runtime_checkable
class Subject(Protocol):
    """Anything with a name that can take part in an experiment.

    `perform` is one pure call: the answer depends on the experiment alone, nothing is remembered between calls.
    It raises `NotApplicable` with the reason if the subject cannot do what is asked; it never returns zeros.
    """

    @property
    def identifier(self) -> str:
        """Name, unique among models."""
        ...

    def perform(self, experiment: Experiment) -> xr.DataArray:
        """Return the measurement that the experiment asks for."""
        ...
