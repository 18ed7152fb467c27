"""Measures the memory of tensors that live at the same time. This module imports torch."""

from __future__ import annotations

import weakref
from typing import Any

from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode

from brainmark.models.activations.hooks import is_array, tensors_in


class LiveMemory(TorchDispatchMode):
    """Follows the tensors that operations make: `peak` is the most bytes of them that lived at once."""

    def __init__(self, *known: Tensor) -> None:
        super().__init__()
        self.live = self.peak = 0
        self.paused = False
        self._sizes = {_place(t): 0 for t in known if is_array(t)}

    @classmethod
    def _should_skip_dynamo(cls) -> bool:
        """Answer what PyTorch asks: with True it imports its compiler for this class, which takes seconds."""
        return False

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        """Run an operation and count what it made."""
        made = func(*args, **(kwargs or {}))
        if self.paused:
            return made
        for _, tensor in tensors_in(made):
            if not is_array(tensor):
                continue
            storage, address = tensor.untyped_storage(), _place(tensor)
            if address not in self._sizes:
                self._sizes[address] = storage.nbytes()
                self.live += storage.nbytes()
                self.peak = max(self.peak, self.live)
                weakref.finalize(storage, self._forget, address)
        return made

    def _forget(self, address: int) -> None:
        self.live -= self._sizes.pop(address, 0)


def _place(tensor: Tensor) -> int:
    """Return what tensors on the same memory share."""
    return tensor.untyped_storage()._cdata  # pyright: ignore[reportPrivateUsage]
