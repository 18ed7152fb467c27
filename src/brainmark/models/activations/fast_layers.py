"""The same layers, faster: products of matrices by oneDNN on the CPU, and GELUs in one step instead of eight."""

from __future__ import annotations

from collections.abc import Callable, Generator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from typing import Any

import torch
import torch.nn.functional as F  # noqa: N812 - its name everywhere
from torch import Tensor, nn
from torch.overrides import TorchFunctionMode

_SMALLEST = 2**16  # numbers in a matrix of weights: smaller ones gain nothing


ONEDNN = torch.backends.mkldnn.is_available() and hasattr(torch.ops.mkldnn, "_linear_pointwise")
"""Whether `onednn_linear` is there."""


def onednn_linear(inputs: Tensor, weight: Tensor, bias: Tensor | None) -> Tensor:
    """Return what `F.linear` does, by oneDNN: float32 on the CPU, without gradients; rounded in another order."""
    return torch.ops.mkldnn._linear_pointwise(inputs, weight, bias, "none", [], "")


class _OneDNN(TorchFunctionMode):
    """Within the context, linear layers in float32 on the CPU run by oneDNN; sums are rounded in another order."""

    def __torch_function__(
        self, func: Callable[..., Any], types: Any, args: tuple[Any, ...] = (), kwargs: Mapping[str, Any] | None = None
    ) -> Any:
        """Run a function of torch."""
        if func is F.linear and len(args) >= 2 and _fits(args[0], args[1]):
            bias = args[2] if len(args) > 2 else (kwargs or {}).get("bias")
            return onednn_linear(args[0], args[1], bias)
        if func is torch.addmm and len(args) == 3 and not kwargs and args[0].ndim == 1 and _fits(args[1], args[2].t()):
            return onednn_linear(args[1], args[2].t(), args[0])
        return func(*args, **(kwargs or {}))


def _fits(x: Tensor, weight: Tensor) -> bool:
    return (
        x.dtype is weight.dtype is torch.float32
        and x.device.type == "cpu" == weight.device.type
        and weight.ndim == 2
        and weight.numel() >= _SMALLEST
        and x.numel() > 0
        and not torch.is_grad_enabled()
    )


def slow_gelus(module: nn.Module) -> list[tuple[nn.Module, str]]:
    """Return where (parent, name) the approximate GELU is computed term by term, which `nn.GELU` does at once."""
    return [
        (parent, name)
        for parent in module.modules()
        for name, child in parent.named_children()
        if type(child).__name__ == "NewGELUActivation"
    ]


@contextmanager
def fused(places: Sequence[tuple[nn.Module, str]]) -> Generator[None]:
    """Within the context, the layers at these places are `nn.GELU`; afterwards the network is as it was."""
    before = [parent.get_submodule(name) for parent, name in places]
    quick = nn.GELU(approximate="tanh")
    for parent, name in places:
        parent.set_submodule(name, quick)
    try:
        yield
    finally:
        for (parent, name), layer in zip(places, before, strict=True):
            parent.set_submodule(name, layer)


def fast_linear() -> AbstractContextManager[Any]:
    """Return a context in which linear layers are as fast as this machine can; nothing changes without oneDNN."""
    return _OneDNN() if ONEDNN else nullcontext()


__all__ = ["ONEDNN", "fast_linear", "fused", "onednn_linear", "slow_gelus"]
