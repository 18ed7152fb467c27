"""What a subject offers whose regions are read from layers that can be chosen. No array library."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Protocol, runtime_checkable

from brainmark.core.experiment import Experiment
from brainmark.core.libraries import xr


@runtime_checkable
class LayeredSubject(Protocol):
    """A network that records from its layers: one that sees (`VisionSubject`) or one that reads (`LanguageSubject`).

    Its readouts are its own; what is kept of a readout is a layer and a pool, of which it makes one again.
    """

    identifier: str
    regions: Mapping[str, Any]

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

    def pool_for(self, region: str, shape: tuple[int, ...], most: int) -> int | str | None:
        """Return how a layer whose output has `shape` is pooled to stand for a region with about `most` units."""
        ...

    def readout(self, layer: str, pool: int | str | None) -> Any:
        """Return the commitment to a layer, with a pool as `pool_for` returns it."""
        ...

    def record_from(self, experiment: Experiment, readouts: Sequence[Any]) -> list[xr.DataArray]:
        """Return what it would answer if the region were read from each of these: names of layers, or readouts."""
        ...

    def with_regions(self, regions: Mapping[str, Any]) -> LayeredSubject:
        """Return the same network with other commitments for these regions."""
        ...


__all__ = ["LayeredSubject"]
