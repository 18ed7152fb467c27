"""Fewer numbers for a layer while it runs: means, single positions, random projections."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache

import torch
from torch import Tensor, nn

from brainmark.core.libraries import np, scipy

Reduction = Callable[[Tensor], Tensor]
"""Activations of a layer (stimuli, ...) -> fewer of them (stimuli, ...)."""


@dataclass(frozen=True)
class AveragePool:
    """Reduction of maps (stimuli, channels, rows, columns) to a coarser grid of means; smaller maps stay."""

    rows: int
    columns: int

    def __call__(self, maps: Tensor) -> Tensor:
        """Return the means; what is no map stays as it is."""
        if maps.ndim != 4:
            return maps
        shape = (min(self.rows, maps.shape[2]), min(self.columns, maps.shape[3]))
        return maps if shape == tuple(maps.shape[2:]) else nn.functional.adaptive_avg_pool2d(maps, shape)


@dataclass(frozen=True)
class SpatialMean:
    """Reduction of maps (stimuli, channels, rows, columns) to one mean per channel; what is no map stays."""

    def __call__(self, maps: Tensor) -> Tensor:
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

    def __call__(self, values: Tensor) -> Tensor:
        """Return the means."""
        return values.mean(self.dims)


@dataclass(frozen=True)
class TakeAt:
    """One position of a dimension, counted with that of stimuli as 0: the class token is 0, the last token -1."""

    index: int
    dim: int = 1

    def __call__(self, values: Tensor) -> Tensor:
        """Return the values at the position."""
        return values.select(self.dim, self.index)


@dataclass(frozen=True, eq=False)
class AtPositions:
    """Reduction of maps (stimuli, channels, rows, columns) to (stimuli, channels, positions) of the flattened map."""

    positions: np.ndarray

    def __call__(self, maps: Tensor) -> Tensor:
        """Return the units at the positions."""
        chosen = torch.from_numpy(np.ascontiguousarray(self.positions)).to(maps.device)
        return maps.flatten(2).index_select(2, chosen)


@dataclass(frozen=True)
class Projection:
    """Sparse random projection to `dimensions`, which keeps distances and angles nearly as they are.

    Each unit adds, with random signs, to `nonzeros` of the dimensions, one in each of as many blocks; in a block
    every dimension sums equally many units. With one block it is a count sketch. Layers that are no larger than
    `dimensions` stay. Sources: Kane & Nelson 2014, J. ACM 61(1), block construction; Charikar et al. 2002.

    Attributes
    ----------
    dimensions : that are left.
    seed : of the signs and the places.
    nonzeros : more cost more time, and make the bound of `eps` hold for layers in which few units are active.
    """

    dimensions: int
    seed: int = 0
    nonzeros: int = 4

    def __post_init__(self) -> None:
        if not 1 <= self.nonzeros <= self.dimensions:
            raise ValueError(
                f"Projection: {self.nonzeros} nonzeros in {self.dimensions} dimensions; "
                "give at least one, and no more than there are dimensions"
            )

    @classmethod
    def within(cls, eps: float, stimuli: int, seed: int = 0, nonzeros: int = 4, risk: float = 0.01) -> Projection:
        """Return the smallest projection whose `eps` of so many stimuli, at this risk, is not larger than that."""
        if not (0 < eps < 1 and stimuli > 1):
            raise ValueError(f"Projection: eps = {eps!r} of {stimuli!r} stimuli; give 0 < eps < 1 and two or more")
        return cls(max(nonzeros, math.ceil(_logarithm(stimuli, risk) / _exponent(eps))), seed, nonzeros)

    def eps(self, stimuli: int, risk: float = 0.01) -> float:
        """Return the relative error that no squared distance between any two of so many stimuli exceeds.

        One seed in 1 / `risk` may exceed it. The union over all pairs of the bound of Johnson and Lindenstrauss, as in
        Dasgupta & Gupta 2003, Random Struct. Algor. 22, lemma 2.2: 2 exp(-dimensions (eps^2 / 4 - eps^3 / 6)) for
        each. It is proved for dense projections, and holds for this one where many units are active. inf: there are
        too few dimensions for any bound. The typical error of a single pair is sqrt(2 / dimensions).
        """
        needed = _logarithm(max(stimuli, 2), risk) / self.dimensions
        if needed > _exponent(1.0):
            return math.inf
        low, high = 0.0, 1.0
        for _ in range(60):
            middle = (low + high) / 2
            low, high = (middle, high) if _exponent(middle) < needed else (low, middle)
        return high

    def __call__(self, values: Tensor) -> Tensor:
        """Return the projected activations (stimuli, dimensions)."""
        flat = values.flatten(1)
        if flat.shape[1] <= self.dimensions:
            return flat
        plan = _places(self.dimensions, self.seed, self.nonzeros, flat.shape[1])
        blocks = [
            (nn.functional.pad(flat * signs.to(flat), (0, padding)).index_select(1, order.to(flat.device)))
            .view(len(flat), wide, -1)
            .sum(2)
            for signs, order, padding, wide in plan
        ]
        return torch.cat(blocks, 1) * self.nonzeros**-0.5


def _logarithm(stimuli: int, risk: float) -> float:
    if not 0 < risk < 1:
        raise ValueError(f"Projection: risk = {risk!r}; give the share of seeds that may exceed the bound, e.g. 0.01")
    return 2 * math.log(stimuli * (stimuli - 1) / risk)


def _exponent(eps: float) -> float:
    return eps**2 / 2 - eps**3 / 3


@lru_cache(maxsize=32)
def _places(dimensions: int, seed: int, nonzeros: int, units: int) -> list[tuple[Tensor, Tensor, int, int]]:
    """Signs, order of the (padded) units, padding and width of each block; units of a dimension are neighbours."""
    random = np.random.default_rng([seed, dimensions, nonzeros, units])
    blocks: list[tuple[Tensor, Tensor, int, int]] = []
    for part in np.array_split(np.arange(dimensions), nonzeros):
        wide = len(part)
        padding = -units % wide
        order = random.permutation(units + padding).astype(np.int32)
        signs = random.integers(0, 2, units, dtype=np.int8) * np.int8(2) - np.int8(1)
        blocks.append((torch.from_numpy(signs), torch.from_numpy(order), padding, wide))
    return blocks


def distortion(before: np.ndarray, after: np.ndarray) -> float:
    """Largest relative error of a squared distance between two stimuli: (stimuli, ...) against its reduction."""
    was, now = (
        scipy.spatial.distance.pdist(a.reshape(len(a), -1).astype(np.float64), "sqeuclidean") for a in (before, after)
    )
    apart = was > 0
    return float(np.abs(now[apart] / was[apart] - 1).max()) if apart.any() else 0.0


__all__ = [
    "AtPositions",
    "AveragePool",
    "MeanOver",
    "Projection",
    "Reduction",
    "SpatialMean",
    "TakeAt",
    "distortion",
]
