"""The task of the training loop: the network, the data and the objective."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from pathlib import Path
from typing import Any, ClassVar

import torch
from torch import Generator, Tensor, nn

from brainmark.core.libraries import np


class Task(ABC):
    """A network, its training data, and its objective.

    Attributes
    ----------
    stream : name of the random numbers of an epoch.
    module : what is trained; its state is kept.
    optimiser : of the module.
    per_epoch, steps : steps of an epoch, and of the whole training.
    digest : hash of what is trained on.
    clip : greatest norm of the gradient; None: any.
    """

    stream: ClassVar[str]
    module: nn.Module
    optimiser: torch.optim.Optimizer
    per_epoch: int
    steps: int
    digest: str
    clip: float | None = None

    @abstractmethod
    def order(self, generator: Generator) -> Tensor:
        """Draw the items of an epoch in the order in which they are seen; its first dimension is cut into batches."""

    @abstractmethod
    def loss(self, batch: Tensor, generator: Generator) -> tuple[Tensor, dict[str, float]]:
        """Return the loss of a batch, and the figures of it that are averaged for the log."""

    @abstractmethod
    def score_held_out(self) -> float:
        """Return how well the network does on what is held out."""

    @abstractmethod
    def checkpoints(self) -> set[int]:
        """Return the steps after which a checkpoint is written."""

    @abstractmethod
    def progress(self, step: int) -> dict[str, float]:
        """Return how far the training is after some steps, for the log."""

    @abstractmethod
    def save(self, folder: Path, origin: Mapping[str, Any], row: Mapping[str, float]) -> None:
        """Write a checkpoint completely or not at all; `origin`: recipe, seed and threads; `row`: of the log."""


def parameter_groups(module: nn.Module, decay: float) -> list[dict[str, Any]]:
    """Return groups for an optimiser: weights that multiply decay, all others (norms, biases) do not."""
    weights = [p for p in module.parameters() if p.ndim > 1]
    others = [p for p in module.parameters() if p.ndim <= 1]
    return [{"params": weights, "weight_decay": decay}, {"params": others, "weight_decay": 0.0}]


def generator_of(seed: int, epoch: int, purpose: str) -> Generator:
    """Return random numbers that depend on seed, epoch and purpose alone."""
    words = np.random.SeedSequence([seed, epoch, *purpose.encode()]).generate_state(2, np.uint32)
    return torch.Generator().manual_seed(int(words[0]) << 31 | int(words[1]) >> 1)
