"""The interface behind which networks over tokens run, piece by piece."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol, runtime_checkable

from brainmark.core.libraries import nn, torch

CHUNK = 2048
"""Tokens that pass at a time; what came before is in the cache of keys and values, or in the state."""
TOP = ""
"""Stands among names of layers for what enters the head."""


@dataclass(frozen=True, eq=False)
class Chunk:
    """The outputs for some tokens of a batch.

    Attributes
    ----------
    start : position of the first of them.
    layers : layer -> (batch, tokens, units).
    """

    start: int
    layers: Mapping[str, torch.Tensor]


@runtime_checkable
class TokenNetwork(Protocol):
    """A network over tokens: all of a pass, or (causal) those before each."""

    @property
    def module(self) -> nn.Module:
        """Its layers, by dotted name."""
        ...

    @property
    def causal(self) -> bool:
        """Whether a token sees those before it only."""
        ...

    @property
    def window(self) -> int | None:
        """Most tokens in one pass; None: any number, since state is carried on."""
        ...

    @property
    def has_head(self) -> bool:
        """Whether it gives words probabilities."""
        ...

    def run(self, ids: torch.Tensor, lengths: Sequence[int], layers: Sequence[str]) -> Iterator[Chunk]:
        """Run ids (batch, tokens), of which the first `lengths` of each row count, and yield layers, or `TOP`."""
        ...

    def logits(self, top: torch.Tensor) -> torch.Tensor:
        """Return the logits (tokens, vocabulary), float32, of some rows of `TOP`."""
        ...

    def blocks(self) -> list[str]:
        """Return the names of the layers that follow one another, from first to last."""
        ...
