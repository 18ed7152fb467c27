"""Random weights that depend on a seed and on nothing else, and what models with them are called."""

from __future__ import annotations

import contextlib
import random
from collections.abc import Generator

from brainmark.core.libraries import nn, np, torch


@contextlib.contextmanager
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


def draw_weights(network: nn.Module, seed: int) -> None:
    """Replace the weights of a network, in place, by random ones that depend on `seed` alone.

    Layers are drawn as PyTorch does when they are made (`reset_parameters`), networks of transformers as their class
    does. Parameters that no layer draws, such as class tokens, keep their values, which then stand in random places.
    """
    with draw_from(seed), torch.no_grad():
        before = [parameter.clone() for parameter in network.parameters()]
        config = getattr(network, "config", None)
        if callable(getattr(config, "to_dict", None)):
            drawn = type(network)(config)
            network.load_state_dict(drawn.state_dict())
        else:
            for layer in network.modules():
                reset = getattr(layer, "reset_parameters", None) or getattr(layer, "_reset_parameters", None)
                if callable(reset):
                    with contextlib.suppress(TypeError):  # one that takes arguments
                        reset()
        for parameter, was in zip(network.parameters(), before, strict=True):
            if torch.equal(parameter, was):
                places = torch.randperm(parameter.numel()).to(parameter.device)
                parameter.copy_(was.flatten()[places].view_as(was))
