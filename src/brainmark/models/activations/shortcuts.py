"""The same activations by fewer passes over memory: normalisation within convolutions, faster linear layers."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Generator
from dataclasses import dataclass
from functools import cache
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.utils.fusion import fuse_conv_bn_weights
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils.weak import TensorWeakRef

from brainmark.models.activations.calls import hooked
from brainmark.models.activations.fast_layers import ONEDNN, onednn_linear
from brainmark.models.activations.outputs import tensors_in

_CONVOLUTIONS = (nn.Conv1d, nn.Conv2d, nn.Conv3d)
_NORMALISATIONS = (nn.BatchNorm1d, nn.BatchNorm2d, nn.BatchNorm3d)
_MOST = 512 * 2**20  # bytes of folded weights: networks with more of them run as they are, for want of memory


@dataclass(frozen=True, eq=False)
class Shortcuts:
    """Parts of a network that can be computed otherwise, with results that differ by rounding.

    Attributes
    ----------
    folds : convolutions, each with the batch normalisation that alone reads what it puts out.
    linears : layers whose product oneDNN computes, 1.1 to 2 times as fast as the library that torch takes for them.
    """

    folds: tuple[tuple[nn.Module, nn.Module], ...] = ()
    linears: tuple[nn.Linear, ...] = ()

    @property
    def bytes(self) -> int:
        """Memory that the weights of folded convolutions take while the shortcuts are taken."""
        return sum(p.nbytes for convolution, _ in self.folds for p in convolution.parameters())

    @contextlib.contextmanager
    def taken(self) -> Generator[None]:
        """Run the network by its shortcuts; parameters and hooks stay, and afterwards it is as it was."""
        changed: list[nn.Module] = []

        def run_as(layer: nn.Module, forward: Callable[[Tensor], Tensor]) -> None:
            changed.append(layer)
            layer.forward = forward

        try:
            for convolution, normalisation in self.folds:
                run_as(convolution, _folded(convolution, normalisation))
                run_as(normalisation, _unchanged)
            for linear in self.linears:
                run_as(linear, _by_onednn(linear))
            yield
        finally:
            for layer in changed:
                del layer.forward


class Following(TorchDispatchMode):
    """Follows what the convolutions of a network put out through one pass, to find its shortcuts.

    Any operation on a tensor is seen, so that a tensor that a normalisation alone reads, and that nothing holds
    afterwards, can have been read by nothing else.
    """

    def __init__(self, module: nn.Module) -> None:
        super().__init__()
        self.module = module
        self._open = contextlib.ExitStack()
        self._made: list[_Output] = []
        self._by_id: dict[int, _Output] = {}
        self._read: dict[nn.Module, list[_Output | None]] = {}

    def __enter__(self) -> Following:
        """Follow the pass that comes."""
        layers = [layer for layer in self.module.modules() if _is_plain(layer)]
        hooks = [(layer, self._note_output) for layer in layers if type(layer) in _CONVOLUTIONS]
        self._open.enter_context(hooked(hooks))
        for layer in layers:
            if type(layer) in _NORMALISATIONS:
                self._open.callback(layer.register_forward_pre_hook(self._note_input).remove)
        super().__enter__()
        return self

    def __exit__(self, *error: Any) -> None:
        """Follow no longer."""
        super().__exit__(*error)
        self._open.close()

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        """Run an operation and count what it reads."""
        for _, tensor in tensors_in((args, kwargs or {})):
            if (known := self._known(tensor)) is not None:
                known.uses += 1
        return func(*args, **(kwargs or {}))

    def shortcuts(self) -> Shortcuts:
        """Return the shortcuts; to be asked for while what the pass returned is still held."""
        of_layer: dict[nn.Module, list[_Output]] = {}
        for output in self._made:
            of_layer.setdefault(output.layer, []).append(output)
        folds = tuple(
            (reads[0].layer, normalisation)
            for normalisation, reads in self._read.items()
            if reads[0] is not None
            and reads == of_layer[reads[0].layer]  # each call of the one is read by a call of the other
            and all(output is not None and output.uses == 1 and output.tensor() is None for output in reads)
            and _has_statistics(normalisation)
        )
        linears = tuple(m for m in self.module.modules() if type(m) is nn.Linear and _onednn_takes(m))
        found = Shortcuts(folds, linears)
        return found if found.bytes <= _MOST else Shortcuts(linears=linears)

    def _note_output(self, layer: nn.Module, _: Any, output: Any) -> None:
        made = _Output(layer, TensorWeakRef(output))
        self._made.append(made)
        self._by_id[id(output)] = made

    def _note_input(self, layer: nn.Module, inputs: Any) -> None:
        self._read.setdefault(layer, []).append(self._known(inputs[0]) if inputs else None)

    def _known(self, tensor: Tensor) -> _Output | None:
        """The convolution's output that a tensor is; another tensor may have come to its place in memory."""
        known = self._by_id.get(id(tensor))
        return known if known is not None and known.tensor() is tensor else None


@dataclass(eq=False)
class _Output:
    """What a convolution put out in one call, and how many operations read it."""

    layer: nn.Module
    tensor: TensorWeakRef
    uses: int = 0


def _is_plain(layer: nn.Module) -> bool:
    """Whether nothing was put around the layer: lesions and other hooks act on what it computes itself."""
    state = vars(layer)
    return "forward" not in state and not state["_forward_hooks"] and not state["_forward_pre_hooks"]


def _has_statistics(normalisation: nn.Module) -> bool:
    """Whether it normalises by stored statistics, not by those of the batch."""
    return not normalisation.training and isinstance(normalisation.running_var, Tensor)


def _folded(convolution: Any, normalisation: Any) -> Callable[[Tensor], Tensor]:
    """Return the convolution that yields what the normalisation made of the old one; folded when it first runs."""

    @cache
    def weights() -> tuple[Tensor, Tensor]:
        weight, bias = fuse_conv_bn_weights(
            convolution.weight,
            convolution.bias,
            normalisation.running_mean,
            normalisation.running_var,
            normalisation.eps,
            normalisation.weight,
            normalisation.bias,
        )
        order = torch.channels_last if weight.ndim == 4 else torch.preserve_format
        kind = weight.device.type
        dtype = torch.get_autocast_dtype(kind) if torch.is_autocast_enabled(kind) else weight.dtype
        return weight.detach().to(dtype, memory_format=order), bias.detach().to(dtype)

    return lambda maps: convolution._conv_forward(maps, *weights())


def _unchanged(maps: Tensor) -> Tensor:
    return maps


def _onednn_takes(linear: nn.Linear) -> bool:
    """Whether oneDNN is there for this layer's numbers; under autocast, and on other devices, torch chooses well."""
    weight = linear.weight
    return (
        "forward" not in vars(linear)
        and weight.device.type == "cpu"
        and weight.dtype == torch.float32
        and not torch.is_autocast_enabled("cpu")
        and ONEDNN
    )


def _by_onednn(linear: nn.Linear) -> Callable[[Tensor], Tensor]:
    def forward(inputs: Tensor) -> Tensor:
        return onednn_linear(inputs, linear.weight, linear.bias)

    return forward


__all__ = ["Following", "Shortcuts"]
