"""Reductions of the activations of a layer while it runs: means and single positions."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeAlias

from brainmark.core.libraries import nn, np, torch

Reduction: TypeAlias = "Callable[[torch.Tensor], torch.Tensor]"
"""Activations of a layer (stimuli, ...) -> fewer of them (stimuli, ...)."""


@dataclass(frozen=True)
class AveragePool:
    """Reduction of maps (stimuli, channels, rows, columns) to a coarser grid of means; smaller maps stay."""

    rows: int
    columns: int

    def __call__(self, maps: torch.Tensor) -> torch.Tensor:
        """Return the means; what is no map stays as it is."""
        if maps.ndim != 4:
            return maps
        shape = (min(self.rows, maps.shape[2]), min(self.columns, maps.shape[3]))
        return maps if shape == tuple(maps.shape[2:]) else nn.functional.adaptive_avg_pool2d(maps, shape)


@dataclass(frozen=True)
class SpatialMean:
    """Reduction of maps (stimuli, channels, rows, columns) to one mean per channel; what is no map stays."""

    def __call__(self, maps: torch.Tensor) -> torch.Tensor:
        """Return the means (stimuli, channels)."""
        return maps.mean((2, 3)) if maps.ndim == 4 else maps


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

    def __call__(self, maps: torch.Tensor) -> torch.Tensor:
        """Return the units at the positions."""
        chosen = torch.from_numpy(np.ascontiguousarray(self.positions)).to(maps.device)
        return maps.flatten(2).index_select(2, chosen)
