"""Names of layers, and of single calls of layers that run more than once in a pass, to what a hook must catch."""

from __future__ import annotations

import contextlib
import difflib
from collections.abc import Callable, Generator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from brainmark.core.errors import InvalidModel, ModelError, UnknownName
from brainmark.models.activations.outputs import call_with, is_array, tensors_in

OUTPUT = "output"
"""Name of the module's own output, unless one of its layers is called so."""
ALL = "all"
"""Stands for every distinct output of the network, where layers are listed."""

_OF_SCRIPTS = (
    "layers of TorchScript cannot be recorded: give the network that the program was made of, or export it "
    "(torch.export); its output alone can be read where a torch.nn.Module calls it"
)
_FEW_LAYERS = 12  # as many are listed when a name is unknown


class EnoughSeen(BaseException):
    """Ends a forward pass after the last wanted call; no `except Exception` of a network may keep it."""


@dataclass(frozen=True)
class Call:
    """One call of a layer in a pass: the `index`-th from 0, or the last if None."""

    name: str
    layer: nn.Module
    index: int | None = None


def find_calls(module: nn.Module, names: Sequence[str]) -> dict[str, Call]:
    """Return what the names mean: ``features.3``, ``output``, or ``relu@1`` for the second call of ``relu`` in a pass.

    Raises
    ------
    UnknownName : with all names if they are few, otherwise with the nearest.
    """
    known = {name: layer for name, layer in module.named_modules(remove_duplicate=False) if name}
    known.setdefault(OUTPUT, module)
    found: dict[str, Call] = {}
    for name in names:
        layer, _, index = name.rpartition("@")
        if name in known:
            found[name] = Call(name, known[name])
        elif layer in known and index.isdecimal():
            found[name] = Call(name, known[layer], int(index))
        else:
            raise UnknownName(f"layer of {type(module).__name__}", name, known, _offer(name, list(known)))
    return found


def _offer(name: str, known: Sequence[str]) -> str:
    """What to say about the layers that there are."""
    if len(known) <= _FEW_LAYERS:
        return f" (layers: {', '.join(map(repr, known))})"
    nearest = ", ".join(map(repr, difflib.get_close_matches(name, known, n=3, cutoff=0)))
    return f" ({len(known)} layers, nearest {nearest}; all: [name for name, _ in network.named_modules()])"


def check_ran(module: nn.Module, calls: Mapping[str, Call], counts: Mapping[nn.Module, int]) -> None:
    """Refuse calls that a pass did not make, `counts` times each layer ran.

    Raises
    ------
    ModelError : the layer never runs.
    UnknownName : it runs fewer times than the name says.
    """
    for name, call in calls.items():
        count, layer = counts.get(call.layer, 0), name.rpartition("@")[0] or name
        if not count:
            hint = f": {_OF_SCRIPTS}" if isinstance(module, torch.jit.ScriptModule) else ""
            raise ModelError(f"layer {name!r} of {type(module).__name__} does not run in its forward pass{hint}")
        if call.index is not None and call.index >= count:
            made = [f"{layer}@{k}" for k in range(count)]
            hint = f" (it runs {count} time{'s' * (count > 1)} in a pass: {made[0]} to {made[-1]})"
            raise UnknownName(f"call of a layer of {type(module).__name__}", name, made, hint)


@dataclass(frozen=True)
class _Event:
    """One call in the order of running, and what it put out: object, shape and count of in-place changes."""

    name: str
    index: int
    value: tuple[int, int, tuple[int, ...]]


def all_calls(module: nn.Module, sample: Any) -> list[str]:
    """Return the names of every distinct output (stimuli, ...) in one pass, in the order of running.

    An output that layers hand on unchanged (containers, dropout in evaluation, identities) counts once, under the
    outermost layer around the one that made it; the module's own output comes last if no layer makes it. Layers that
    run n times yield ``name@0`` ... ``name@n-1``.
    """
    events: list[_Event] = []
    kept: list[Tensor] = []  # so that no later output takes the place of an earlier one in memory
    runs: dict[str, int] = {}

    def note(name: str) -> Callable[..., None]:
        def hook(_: nn.Module, __: Any, output: Any) -> None:
            index = runs.get(name, 0)
            runs[name] = index + 1
            first = next((t for _, t in tensors_in(output)), None)
            if (
                first is not None
                and is_array(first)
                and first.ndim > 0
                and first.shape[0] == 1
                and first.numel()
                and not first.is_complex()
            ):
                kept.append(first)
                version = 0 if first.is_inference() else first._version
                events.append(_Event(name, index, (id(first), version, tuple(first.shape))))

        return hook

    with hooked([(m, note(n)) for n, m in module.named_modules()]):
        call_with(module, sample)
    outermost: dict[tuple[int, int, tuple[int, ...]], _Event] = {}
    for event in events:
        maker = outermost.setdefault(event.value, event)
        if event.name and maker.name.startswith(f"{event.name}."):
            outermost[event.value] = event
    return [(e.name if runs[e.name] == 1 else f"{e.name}@{e.index}") if e.name else OUTPUT for e in outermost.values()]


@contextlib.contextmanager
def hooked(pairs: Sequence[tuple[nn.Module, Callable[..., None]]]) -> Generator[None]:
    """Run forward hooks within the context. Raises InvalidModel for programs of TorchScript, which take none."""
    handles: list[Any] = []
    try:
        for module, hook in pairs:
            try:
                handles.append(module.register_forward_hook(hook))
            except RuntimeError as error:
                raise InvalidModel(f"{type(module).__name__}: {error}; {_OF_SCRIPTS}") from error
        yield
    finally:
        for handle in handles:
            handle.remove()


__all__ = ["ALL", "OUTPUT", "Call", "EnoughSeen", "all_calls", "check_ran", "find_calls", "hooked"]
