"""A device that only pretends to be one, so that code for GPUs runs in tests on any machine.

It computes on the CPU, and is else as strict as CUDA: NumPy cannot read its arrays, and an operation refuses arrays of
which some lie on the device and some on the CPU (but single numbers, and positions to take from an array). So a test
fails where a part of a computation stays behind on the CPU. What it cannot show is how a real device rounds, how fast
it is, and how its memory breaks into pieces. Unlike on CUDA, `Tensor.new_tensor` puts its array on "pretended:0".
"""

from __future__ import annotations

import contextlib
from collections import Counter
from collections.abc import Generator
from functools import cache
from typing import Any

import torch
from torch.utils import backend_registration
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves, tree_map

KIND = "pretended"
"""Its names are "pretended:0", "pretended:1" and so on."""
_C: Any = torch._C  # pyright: ignore[reportPrivateUsage] - there is no other way in
_REGISTRATION: Any = backend_registration
_MOVES = {"_to_copy", "copy_", "_local_scalar_dense", "set_"}
_TAKE_POSITIONS = {"index", "index_put", "index_put_", "_index_put_impl_"}


class MixedDevices(RuntimeError):
    """An operation got arrays of several devices."""


class FarTensor(torch.Tensor):
    """An array on the pretended device; `near` has its numbers."""

    near: torch.Tensor
    owner: PretendedDevice

    @staticmethod
    def __new__(cls: Any, near: torch.Tensor, place: torch.device, owner: PretendedDevice) -> FarTensor:
        """Put an array of the CPU on the device."""
        made: Any = torch.Tensor._make_wrapper_subclass(
            cls, near.shape, strides=near.stride(), storage_offset=near.storage_offset(), dtype=near.dtype, device=place
        )
        made.near, made.owner = near, owner
        return made

    __torch_function__ = _C._disabled_torch_function_impl  # pyright: ignore[reportAssignmentType]

    @classmethod
    def __torch_dispatch__(cls, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        """Compute on the CPU what is asked of the device."""
        owner = next(t.owner for t in tree_leaves((args, kwargs)) if isinstance(t, FarTensor))
        return owner.compute(func, args, kwargs or {})

    def numpy(self, **_: Any) -> Any:
        """Refuse, as arrays of CUDA do."""
        raise TypeError(f"can't convert {self.device} device type tensor to numpy. Use Tensor.cpu() first")

    def __array__(self, *_: Any) -> Any:
        """Refuse, as arrays of CUDA do."""
        return self.numpy()

    def __repr__(self, **_: Any) -> str:
        return f"FarTensor({self.near!r}, {self.device})"


class PretendedDevice(TorchDispatchMode):
    """The devices of a block, and what was done on them.

    Parameters
    ----------
    double : whether they know double precision, which Apple's do not.
    largest : bytes of the largest array that fits; None: any.

    Attributes
    ----------
    done : name of a device -> operations that it was asked for.
    """

    def __init__(self, double: bool = True, largest: int | None = None) -> None:
        super().__init__()
        self.double, self.largest, self.done = double, largest, Counter[str]()

    @classmethod
    def _should_skip_dynamo(cls) -> bool:
        """Answer what PyTorch asks: with True it imports its compiler for this class, which takes seconds."""
        return False

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        """Take what is asked of the devices."""
        kwargs = kwargs or {}
        asked = kwargs.get("device")
        far = any(isinstance(leaf, FarTensor) for leaf in tree_leaves((args, kwargs)))
        if far or (asked is not None and torch.device(asked).type == KIND):
            return self.compute(func, args, kwargs)
        return func(*args, **kwargs)

    def compute(self, func: Any, args: Any, kwargs: Any) -> Any:
        """Compute on the CPU, and return what is on a device as an array of that device."""
        given = [leaf for leaf in tree_leaves((args, kwargs)) if isinstance(leaf, torch.Tensor)]
        if func is torch.ops.aten._has_compatible_shallow_copy_type.default:  # may a parameter stay the same object?
            return isinstance(given[0], FarTensor) == isinstance(given[1], FarTensor)
        place = self._find_place(func, args, kwargs, given)
        args, kwargs = tree_map(_to_cpu, (args, kwargs))
        made = func(*args, **kwargs)
        known = {id(one.near): one for one in given if isinstance(one, FarTensor)}
        if place is None or place.type != KIND:
            return made
        self.done[str(place)] += 1
        return tree_map(lambda leaf: known[id(leaf)] if id(leaf) in known else self._put(leaf, place), made)

    def _put(self, made: Any, place: torch.device) -> Any:
        if not isinstance(made, torch.Tensor):
            return made
        if made.dtype == torch.float64 and not self.double:
            raise TypeError(f"Cannot convert a {KIND} Tensor to float64 dtype as it does not support float64")
        if self.largest is not None and made.nbytes > self.largest:
            raise torch.OutOfMemoryError(f"{place} out of memory. Tried to allocate {made.nbytes} bytes")
        return FarTensor(made, place, self)

    def _find_place(self, func: Any, args: Any, kwargs: Any, given: list[torch.Tensor]) -> torch.device | None:
        """Return where the result lies. Raises MixedDevices."""
        name, asked = func.overloadpacket.__name__, kwargs.get("device")
        places = {one.device for one in given if isinstance(one, FarTensor)}
        if name not in _MOVES and places:
            positions = tree_leaves(args[1]) if name in _TAKE_POSITIONS else []
            near = [one for one in given if not isinstance(one, FarTensor) and one.ndim]
            left = [one for one in near if not any(one is position for position in positions)]
            if left or len(places) > 1:
                found = ", ".join(sorted({str(one.device) for one in given}))
                raise MixedDevices(f"{func} expects all arrays on one device, and got some on {found}")
        if name == "copy_":
            return given[0].device
        if asked is None:
            return next(iter(places), None)
        wanted = torch.device(asked)
        return torch.device(KIND, wanted.index or 0) if wanted.type == KIND else wanted


def _to_cpu(leaf: Any) -> Any:
    if isinstance(leaf, FarTensor):
        return leaf.near
    return torch.device("cpu") if isinstance(leaf, torch.device) and leaf.type == KIND else leaf


@cache
def _register() -> None:
    """Tell PyTorch the name of the device, once in a process."""
    _REGISTRATION._setup_privateuseone_for_python_backend(KIND)
    module = getattr(torch, KIND)  # it draws nothing of its own: `torch.random.fork_rng` asks for a state
    module.get_rng_state, module.set_rng_state = _get_state, _set_state


def _get_state(_: Any = None) -> torch.Tensor:
    return torch.empty(0, dtype=torch.uint8)


def _set_state(*_: Any) -> None:
    pass


@contextlib.contextmanager
def pretend_devices(double: bool = True, largest: int | None = None) -> Generator[PretendedDevice]:
    """Let the block put arrays on "pretended:0", "pretended:1" and so on; see `PretendedDevice`.

    Needs PyTorch 2.10 or newer.
    """
    _register()
    only_lift = _C._only_lift_cpu_tensors()
    _C._set_only_lift_cpu_tensors(True)  # so that `torch.tensor(..., device=...)` comes by here
    try:
        with PretendedDevice(double, largest) as devices:
            yield devices
    finally:
        _C._set_only_lift_cpu_tensors(only_lift)
