"""Finds the blocks of a network: what its author repeats, such as residual blocks, and the layers around them."""

from __future__ import annotations

from collections.abc import Container, Iterator
from typing import Any

from brainmark.core.libraries import nn, torch
from brainmark.models.activations.hooks import count_stimuli, pass_noting

_LARGEST_BLOCK = 0.25  # what holds more of the weighted layers is looked into, so that regions can be told apart


def has_weights(layer: nn.Module) -> bool:
    """Return whether a layer has a matrix or a kernel of its own."""
    return any(parameter.ndim >= 2 for parameter in layer.parameters(recurse=False))


def walk_blocks(network: nn.Module, recorded: Container[str], total: int, prefix: str = "") -> Iterator[str]:
    """Return the names of the blocks, looking into lists of layers and into what holds a large share of the weights.

    Parameters
    ----------
    recorded : layers that put out something; others are looked into.
    total : weighted layers of the whole network.
    """
    transparent = (nn.Sequential, nn.ModuleList, nn.ModuleDict)
    for name, child in network.named_children():
        path = f"{prefix}{name}"
        inside = sum(map(has_weights, child.modules()))
        children = any(True for _ in child.children())
        if children and (type(child) in transparent or path not in recorded or inside > _LARGEST_BLOCK * total):
            yield from walk_blocks(child, recorded, total, f"{path}.")
        else:
            yield path


def list_blocks(network: nn.Module, one: Any, two: Any) -> list[str]:
    """Return the names of the blocks whose output (stimuli, ...) is their own, in the order of running.

    Parameters
    ----------
    one, two : inputs with a stimulus once and twice; what is as long for both is left out.
    """
    outputs: dict[str, tuple[int, int, tuple[int, ...]]] = {}
    kept: list[torch.Tensor] = []  # so that no later output takes the place of an earlier one in memory
    counts = count_stimuli(network, two)

    def note(name: str, index: int, first: torch.Tensor) -> None:
        if first.numel() and first.ndim > 1 and first.shape[0] == 1 and counts.get((name, index), 2) == 2:
            kept.append(first)
            outputs.pop(name, None)  # the last call of several counts, and its place in the order
            outputs[name] = (id(first), 0 if first.is_inference() else first._version, tuple(first.shape))

    pass_noting(network, one, note)
    total = sum(map(has_weights, network.modules()))
    blocks = set(walk_blocks(network, outputs, max(total, 1)))
    own: dict[tuple[int, int, tuple[int, ...]], str] = {}
    for name, value in outputs.items():
        if name in blocks:
            own.setdefault(value, name)
    return list(own.values())
