"""Random weights that depend on a seed and on nothing else, and what models with them are called."""

from __future__ import annotations

from collections.abc import Generator
from contextlib import contextmanager

import torch


@contextmanager
def seeded(seed: int) -> Generator[None]:
    """Let torch draw from `seed` on the CPU; afterwards its generator is where it was."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        yield


def twin(name: str, weights: str, seed: int, usual: str = "published") -> str:
    """Return the name under which a model with these weights is known: ``name``, or that of a random twin."""
    if weights == usual and (weights != "random" or seed == 0):
        return name
    return f"{name}:random" if seed == 0 else f"{name}:random={seed}"


__all__ = ["seeded", "twin"]
