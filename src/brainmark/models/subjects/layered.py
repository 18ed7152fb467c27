"""The base of subjects whose regions are recorded from layers that can be chosen."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Protocol, runtime_checkable

from brainmark.core.experiment import Experiment
from brainmark.core.libraries import xr
from brainmark.models.subjects.readout import Pool, Readout


@runtime_checkable
class LayeredSubject(Protocol):
    """A network that records from its layers: of vision (`VisionSubject`) or of language (`LanguageSubject`).

    A layer stands for a region by its name or by a `Readout`.
    """

    identifier: str
    regions: Mapping[str, str | Readout]

    @property
    def weights_digest(self) -> str:
        """sha256 over names and values of all weights."""
        ...

    def perform(self, experiment: Experiment) -> xr.DataArray:
        """Return the measurement that the experiment asks for."""
        ...

    def layers(self, experiment: Experiment, names: Sequence[str] = ("all",)) -> dict[str, tuple[int, ...]]:
        """Return layers -> shapes of what they put out for a presentation. Raises UnknownName."""
        ...

    def pool_for(self, region: str, shape: tuple[int, ...], most: int) -> int | Pool | None:
        """Return how a layer whose output has `shape` is pooled to stand for a region with about `most` units."""
        ...

    def record_from(self, experiment: Experiment, readouts: Sequence[str | Readout]) -> list[xr.DataArray]:
        """Return what it would answer if the region were recorded from each of these: names of layers, or readouts."""
        ...

    def with_regions(self, regions: Mapping[str, str | Readout]) -> LayeredSubject:
        """Return the same network with other commitments for these regions."""
        ...
