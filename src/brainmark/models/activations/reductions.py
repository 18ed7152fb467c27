"""Reductions of the activations of a layer while it runs: means and single positions."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import ClassVar, TypeAlias

from brainmark.core.libraries import nn, np, torch

Reduction: TypeAlias = "Callable[[torch.Tensor], torch.Tensor]"
"""Activations of a layer (stimuli, ...) -> fewer of them (stimuli, ...)."""


@dataclass(frozen=True)
class WholeMap:
    """Maps in the order (stimuli, channels, rows, columns), whatever order their layer puts out; the rest stays."""

    of_maps: ClassVar[bool] = True
    """Reductions with this attribute get maps in that order, and outputs that are no maps stay as they are."""

    def __call__(self, maps: torch.Tensor) -> torch.Tensor:
        """Return all of them."""
        return maps


@dataclass(frozen=True)
class AveragePool:
    """Reduction of maps (stimuli, channels, rows, columns) to a coarser grid of means; smaller maps stay."""

    rows: int
    columns: int
    of_maps: ClassVar[bool] = True

    def __call__(self, maps: torch.Tensor) -> torch.Tensor:
        """Return the means; what is no map stays as it is."""
        if maps.ndim != 4:
            return maps
        shape = (min(self.rows, maps.shape[2]), min(self.columns, maps.shape[3]))
        return maps if shape == tuple(maps.shape[2:]) else nn.functional.adaptive_avg_pool2d(maps, shape)


@dataclass(frozen=True)
class SpatialMean:
    """Reduction of maps (stimuli, channels, rows, columns) to one mean per channel; what is no map stays."""

    of_maps: ClassVar[bool] = True

    def __call__(self, maps: torch.Tensor) -> torch.Tensor:
        """Return the means (stimuli, channels)."""
        return maps.mean((2, 3)) if maps.ndim == 4 else maps


@dataclass(frozen=True)
class Arranged:
    """Reduction of maps whose channels, rows and columns are the dimensions `order`; that of stimuli is 0."""

    order: tuple[int, int, int]
    reduce: Reduction

    def __call__(self, values: torch.Tensor) -> torch.Tensor:
        """Return what the reduction leaves of the maps (stimuli, channels, rows, columns)."""
        return self.reduce(values.permute(0, *self.order))


def shape_of_map(shape: tuple[int, ...], order: tuple[int, int, int] | None) -> tuple[int, ...]:
    """Return (channels, rows, columns) of an output of `shape` per stimulus; without a map, the number of its units."""
    return (math.prod(shape),) if order is None else tuple(shape[dim - 1] for dim in order)


@dataclass(frozen=True)
class MeanOver:
    """Mean over dimensions of a layer's output, counted with that of stimuli as 0: (1,) for tokens or samples.

    What it leaves of inputs of several lengths has one shape.
    """

    dims: tuple[int, ...]

    def __post_init__(self) -> None:
        if not self.dims or any(d < 1 for d in self.dims):
            raise ValueError(f"MeanOver: dims = {self.dims!r}; dimension 0 holds the stimuli, give others, e.g. (1,)")

    def __call__(self, values: torch.Tensor) -> torch.Tensor:
        """Return the means."""
        return values.mean(self.dims)


@dataclass(frozen=True)
class TakeAt:
    """One position of a dimension, counted with that of stimuli as 0: the class token is 0, the last token -1."""

    index: int
    dim: int = 1

    def __call__(self, values: torch.Tensor) -> torch.Tensor:
        """Return the values at the position."""
        return values.select(self.dim, self.index)


@dataclass(frozen=True, eq=False)
class AtPositions:
    """Reduction of maps (stimuli, channels, rows, columns) to (stimuli, channels, positions) of the flattened map."""

    positions: np.ndarray
    of_maps: ClassVar[bool] = True

    def __call__(self, maps: torch.Tensor) -> torch.Tensor:
        """Return the units at the positions."""
        chosen = torch.from_numpy(np.ascontiguousarray(self.positions)).to(maps.device)
        return maps.flatten(2).index_select(2, chosen)
