"""What goes into a network and comes out of its layers: tensors, or containers that hold tensors."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import fields, is_dataclass
from typing import Any, cast

import torch
from torch import Tensor, nn
from torch.nn.parameter import is_lazy

from brainmark.core.errors import InvalidModel, ModelError

_LISTED = 12  # tensors of a container that an error lists


def tensors_in(output: Any, place: str = "") -> Iterator[tuple[str, Tensor]]:
    """Place and value of each tensor in an output, whose mappings, lists, tuples and dataclasses may be nested."""
    if isinstance(output, Tensor):
        yield place, output
    elif isinstance(output, Mapping):
        for key, value in cast("Mapping[Any, Any]", output).items():
            yield from tensors_in(value, f"{place}[{key!r}]")
    elif isinstance(output, list | tuple):
        for index, value in enumerate(cast("Sequence[Any]", output)):
            yield from tensors_in(value, f"{place}[{index}]")
    elif is_dataclass(output) and not isinstance(output, type):
        for entry in fields(output):
            yield from tensors_in(getattr(output, entry.name), f"{place}.{entry.name}")


def call_with(module: nn.Module, inputs: Any) -> Any:
    """Call a module: a mapping gives its arguments by name, a tuple or list by position, a tensor is the only one."""
    if isinstance(inputs, Mapping):
        return module(**cast("Mapping[str, Any]", inputs))
    return module(*inputs) if isinstance(inputs, list | tuple) else module(inputs)


def converted(inputs: Any, convert: Callable[[Tensor], Tensor]) -> Any:
    """Return inputs whose tensors are converted; what holds them stays a mapping or tuple."""
    if isinstance(inputs, Tensor):
        return convert(inputs)
    if isinstance(inputs, Mapping):
        return {key: converted(value, convert) for key, value in cast("Mapping[Any, Any]", inputs).items()}
    if isinstance(inputs, list | tuple):
        return tuple(converted(value, convert) for value in cast("Sequence[Any]", inputs))
    return inputs


def one_tensor(output: Any, name: str, *, only: bool) -> Tensor:
    """Return the tensor (stimuli, ...) of a layer's output: the first, or the `only` one.

    Raises
    ------
    InvalidModel : several tensors where only one may be; names place and shape of each.
    ModelError : no tensor, a scalar, complex numbers, a sparse or a nested tensor.
    """
    found = list(tensors_in(output))
    if only and len(found) > 1:
        listed = ", ".join(f"{place} {tuple(tensor.shape)}" for place, tensor in found[:_LISTED])
        more = f" and {len(found) - _LISTED} more" if len(found) > _LISTED else ""
        raise InvalidModel(
            f"layer {name!r}: the module returns a {type(output).__name__} of {len(found)} tensors ({listed}{more}), "
            "and which one is meant is not said; name a layer instead, or wrap the module so that it returns one tensor"
        )
    tensor = found[0][1] if found else None
    if tensor is None or not is_array(tensor) or tensor.ndim == 0 or tensor.is_complex():
        what = _described(output if tensor is None else tensor)
        raise ModelError(
            f"layer {name!r}: its output is a {what}, not a real tensor (stimuli, ...); "
            "name a layer that yields one, or wrap the module"
        )
    return tensor


def check_weights(module: nn.Module) -> None:
    """Refuse a module whose parameters or buffers hold no numbers yet.

    Raises
    ------
    InvalidModel : names the first of them, and the way out.
    """
    for name, tensor in [*module.named_parameters(), *module.named_buffers()]:
        if is_lazy(tensor):
            raise InvalidModel(
                f"{type(module).__name__}: {name} has no shape yet, as its layer is lazy; call the network once first"
            )
        if tensor.is_meta:
            raise InvalidModel(
                f"{type(module).__name__}: {name} is on the device 'meta', without values; make the network on another "
                "device, or load its weights with load_state_dict(..., assign=True)"
            )


def digest_of_weights(module: nn.Module) -> str:
    """sha256 over names and values of all parameters and buffers. Raises what `check_weights` raises."""
    check_weights(module)
    whole = hashlib.sha256()
    for name, tensor in [*module.named_parameters(), *module.named_buffers()]:
        values = tensor.detach().cpu().contiguous()
        whole.update(f"{name}{values.dtype}{tuple(values.shape)}".encode())
        whole.update(values.flatten().view(torch.uint8).numpy().tobytes())
    return whole.hexdigest()


def is_array(tensor: Tensor) -> bool:
    """Whether a tensor holds all its numbers, in rows of equal length: neither a sparse nor a nested one."""
    return tensor.layout == torch.strided and not tensor.is_nested


def _described(output: Any) -> str:
    """What an output is that cannot be recorded: a kind of tensor, or a type and the types of what it holds."""
    if isinstance(output, Tensor):
        if not is_array(output):
            return "nested tensor" if output.is_nested else f"sparse tensor of shape {tuple(output.shape)}"
        return f"{output.dtype} tensor of shape {tuple(output.shape)}"
    held = output.values() if isinstance(output, Mapping) else output
    if not isinstance(output, Mapping | list | tuple):
        return type(output).__name__
    return f"{type(output).__name__} of {', '.join(sorted({type(v).__name__ for v in held})) or 'nothing'}"
