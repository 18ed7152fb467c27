"""Random weights that depend on a seed and on nothing else, and what models with them are called."""

from __future__ import annotations

import random
from collections.abc import Generator
from contextlib import contextmanager

from brainmark.core.libraries import np, torch


@contextmanager
def draw_from(seed: int | None = None) -> Generator[None]:
    """Let what uses the generators of torch, NumPy and Python draw from `seed`; afterwards they are where they were."""
    python, numbers = random.getstate(), np.random.get_state()
    # by name: without, torch warns where there are several
    devices = range(torch.cuda.device_count()) if torch.cuda.is_initialized() else ()
    with torch.random.fork_rng(devices=devices):
        if seed is not None:
            torch.manual_seed(seed)
            np.random.seed(seed % 2**32)
            random.seed(seed)
        try:
            yield
        finally:
            random.setstate(python)
            np.random.set_state(numbers)


def twin(name: str, weights: str, seed: int, usual: str = "published") -> str:
    """Return the name under which a model with these weights is known: ``name``, or that of a random twin."""
    if weights == usual and (weights != "random" or seed == 0):
        return name
    return f"{name}:random" if seed == 0 else f"{name}:random={seed}"
