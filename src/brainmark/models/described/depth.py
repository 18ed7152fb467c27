"""Chooses layers for regions by their depth, without any recordings."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from brainmark.core.errors import BrainmarkError, ModelError
from brainmark.core.libraries import nn, torch
from brainmark.models.activations.blocks import has_weights, walk_blocks
from brainmark.models.activations.hooks import attach_hooks, is_array
from brainmark.models.activations.passes import evaluation_mode

DEPTHS = {"V1": 0.2, "V2": 0.4, "V4": 0.6, "IT": 0.9}
"""Share of the weighted layers that have run: early, middle and late, as maps found on recordings usually are."""


@dataclass(frozen=True)
class Guess:
    """Layers by depth.

    Attributes
    ----------
    regions : V1, V2, V4, IT -> layer.
    last : the last layer before the last one with weights, such as the pooling before a classifier.
    """

    regions: dict[str, str]
    last: str


def guess_layers(network: nn.Module, size: int) -> Guess:
    """Run one grey image of `size` pixels and choose, for each region, the block that ends nearest to its depth.

    A block is a child of the network or of its stages; the depth of a layer is the share of the weighted layers
    (those with a matrix or a kernel) that have run when it ends.

    Raises
    ------
    ModelError : the network does not take such an image, or none of its layers puts out one tensor.
    """
    ends, total = _record(network, size)
    blocks = [name for name in walk_blocks(network, ends, total) if name in ends]
    if not blocks:
        raise ModelError(f"{type(network).__name__}: no layer returns a single tensor; give regions")
    depth = {name: ends[name][0] / total for name in blocks}
    order = sorted(blocks, key=lambda name: ends[name][1])

    def nearest(wanted: float) -> str:
        return min(reversed(order), key=lambda name: abs(depth[name] - wanted))

    before = [name for name in order if depth[name] < 1]
    return Guess({region: nearest(wanted) for region, wanted in DEPTHS.items()}, (before or order)[-1])


def _record(network: nn.Module, size: int) -> tuple[dict[str, tuple[int, int]], int]:
    """Map each layer that runs once to (weighted layers run before its end, rank of its end); return their sum, too.

    Only layers whose output is one tensor (stimuli, ...) count.
    """
    weighted = 0
    ends: dict[str, tuple[int, int]] = {}
    repeated: set[str] = set()

    def hook(name: str) -> Callable[[nn.Module, Any, Any], None]:
        def note(layer: nn.Module, _: Any, output: Any) -> None:
            nonlocal weighted
            weighted += has_weights(layer)
            output = output[0] if isinstance(output, tuple) and output else output
            if name in ends:
                repeated.add(name)
            if isinstance(output, torch.Tensor) and is_array(output) and output.ndim >= 2 and output.shape[0] == 1:
                ends[name] = weighted, len(ends)

        return note

    try:
        with (
            evaluation_mode(network),
            attach_hooks([(layer, hook(name)) for name, layer in network.named_modules() if name]),
        ):
            network(_grey(network, size))
    except BrainmarkError:
        raise
    except Exception as error:  # whatever the network raises
        raise ModelError(
            f"{type(network).__name__} does not take an image (1, 3, {size}, {size}): {type(error).__name__}: {error}; "
            "if its input has another size, say size in a models.toml"
        ) from error
    return {name: end for name, end in ends.items() if name not in repeated}, max(weighted, 1)


def _grey(network: nn.Module, size: int) -> torch.Tensor:
    """Return a grey image (1, 3, size, size) where the weights are, and in their precision."""
    first = next((p for p in network.parameters() if p.is_floating_point()), torch.empty(0))
    return torch.zeros(1, 3, size, size, dtype=first.dtype, device=first.device)
