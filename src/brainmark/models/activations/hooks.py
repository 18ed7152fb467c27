"""Finds layers by name, and records the tensors that they return, with hooks on a running network."""

from __future__ import annotations

import contextlib
import difflib
import hashlib
from collections.abc import Callable, Generator, Iterator, Mapping, Sequence
from dataclasses import dataclass, fields, is_dataclass
from typing import Any, cast

from brainmark.core.errors import InvalidModel, ModelError, UnknownName
from brainmark.core.libraries import nn, torch

OUTPUT = "output"
"""Name of the module's own output, unless one of its layers is called so."""
ALL = "all"
"""Stands for every distinct output of the network, where layers are listed."""
BLOCKS = "blocks"
"""Stands for its blocks, where layers are chosen among."""

_OF_SCRIPTS = (
    "layers of TorchScript cannot be recorded: give the network that the program was made of, or export it "
    "(torch.export); its output alone can be recorded where a torch.nn.Module calls it"
)
_FEW_LAYERS = 12  # a network with no more layers has all of them listed when a name is unknown
_LISTED = 12  # tensors of a container that an error lists


class EnoughSeen(BaseException):
    """Ends a forward pass after the last wanted call; no `except Exception` of a network may keep it."""


# --- inputs and outputs ----------------------------------------------------------------------------------------------


def tensors_in(output: Any, place: str = "") -> Iterator[tuple[str, torch.Tensor]]:
    """Yield place and value of each tensor in an output; mappings, lists, tuples and dataclasses may be nested."""
    if isinstance(output, torch.Tensor):
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


def arguments(inputs: Any) -> tuple[Sequence[Any], Mapping[str, Any]]:
    """Return the arguments of a call by position and by name: of a tuple or list, of a mapping, or of a tensor."""
    if isinstance(inputs, Mapping):
        return (), cast("Mapping[str, Any]", inputs)
    return (cast("Sequence[Any]", inputs) if isinstance(inputs, list | tuple) else (inputs,)), {}


def convert_tensors(inputs: Any, convert: Callable[[torch.Tensor], torch.Tensor]) -> Any:
    """Return inputs whose tensors are converted; what holds them stays a mapping or tuple."""
    if isinstance(inputs, torch.Tensor):
        return convert(inputs)
    if isinstance(inputs, Mapping):
        return {key: convert_tensors(value, convert) for key, value in cast("Mapping[Any, Any]", inputs).items()}
    if isinstance(inputs, list | tuple):
        return tuple(convert_tensors(value, convert) for value in cast("Sequence[Any]", inputs))
    return inputs


def one_tensor(output: Any, name: str, *, only: bool) -> torch.Tensor:
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
            "so it is not clear which one is meant; name a layer instead, or wrap the module so that it returns one "
            "tensor"
        )
    tensor = found[0][1] if found else None
    if tensor is None or not is_array(tensor) or tensor.ndim == 0 or tensor.is_complex():
        what = _describe(output if tensor is None else tensor)
        raise ModelError(
            f"layer {name!r}: its output is a {what}, not a real tensor (stimuli, ...); "
            "name a layer that yields one, or wrap the module"
        )
    return tensor


def is_array(tensor: torch.Tensor) -> bool:
    """Return whether a tensor holds all its numbers, in rows of equal length: neither a sparse nor a nested one."""
    return tensor.layout == torch.strided and not tensor.is_nested


def _describe(output: Any) -> str:
    """Say what an output is that cannot be recorded: a kind of tensor, or a type and the types of what it holds."""
    if isinstance(output, torch.Tensor):
        if not is_array(output):
            return "nested tensor" if output.is_nested else f"sparse tensor of shape {tuple(output.shape)}"
        return f"{output.dtype} tensor of shape {tuple(output.shape)}"
    held = output.values() if isinstance(output, Mapping) else output
    if not isinstance(output, Mapping | list | tuple):
        return type(output).__name__
    return f"{type(output).__name__} of {', '.join(sorted({type(v).__name__ for v in held})) or 'nothing'}"


# --- weights ---------------------------------------------------------------------------------------------------------


def check_weights(module: nn.Module) -> None:
    """Refuse a module whose parameters or buffers hold no numbers yet.

    Raises
    ------
    InvalidModel : names the first of them, and the way out.
    """
    for name, tensor in [*module.named_parameters(), *module.named_buffers()]:
        if torch.nn.parameter.is_lazy(tensor):
            raise InvalidModel(
                f"{type(module).__name__}: {name} has no shape yet, as its layer is lazy; call the network once first"
            )
        if tensor.is_meta:
            raise InvalidModel(
                f"{type(module).__name__}: {name} is on the device 'meta', without values; make the network on another "
                "device, or load its weights with load_state_dict(..., assign=True)"
            )


def digest_of_weights(module: nn.Module) -> str:
    """Return the sha256 over names and values of all parameters and buffers. Raises what `check_weights` raises."""
    check_weights(module)
    whole = hashlib.sha256()
    for name, tensor in [*module.named_parameters(), *module.named_buffers()]:
        values = tensor.detach().cpu().contiguous()
        whole.update(f"{name}{values.dtype}{tuple(values.shape)}".encode())
        whole.update(values.flatten().view(torch.uint8).numpy().tobytes())
    return whole.hexdigest()


# --- layers and their calls ------------------------------------------------------------------------------------------


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
    UnknownName : names the nearest layers, or all of them if they are few.
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
        elif len(known) <= _FEW_LAYERS:
            offer = f" (layers: {', '.join(map(repr, known))})"
            raise UnknownName(f"layer of {type(module).__name__}", name, known, offer)
        else:
            nearest = ", ".join(map(repr, difflib.get_close_matches(name, known, n=3, cutoff=0)))
            offer = f" ({len(known)} layers, nearest {nearest}; all: [name for name, _ in network.named_modules()])"
            raise UnknownName(f"layer of {type(module).__name__}", name, known, offer)
    return found


def check_ran(module: nn.Module, calls: Mapping[str, Call], counts: Mapping[nn.Module, int]) -> None:
    """Refuse calls that a pass did not make; `counts` says how often each layer ran.

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


@contextlib.contextmanager
def attach_hooks(pairs: Sequence[tuple[nn.Module, Callable[..., Any]]]) -> Generator[None]:
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


class Watch:
    """Passes on the outputs of wanted calls of layers, and ends the pass after the last of them.

    Parameters
    ----------
    module : the network.
    calls : name -> the call that is wanted.
    keep : is given the name and the tensor of each wanted call at once, before an in-place operation can rewrite it.
    first : whether the first tensor counts, too, where the network itself returns several.

    Attributes
    ----------
    counts : layer -> how often it has run in this pass.
    missing : names whose call has not come yet.
    """

    def __init__(
        self,
        module: nn.Module,
        calls: Mapping[str, Call],
        keep: Callable[[str, torch.Tensor], None],
        *,
        first: bool = False,
    ) -> None:
        self.module, self.calls, self.keep, self.first = module, calls, keep, first
        self.begin(None)

    def begin(self, runs: Mapping[nn.Module, int] | None) -> None:
        """Start a pass in which each layer runs so many times; None: unknown, so the pass runs to its end."""
        self.runs, self.missing = runs, set(self.calls)
        self.counts: dict[nn.Module, int] = {}

    def attach(self) -> contextlib.AbstractContextManager[None]:
        """Return a context in which passes are watched."""
        return attach_hooks([(layer, self._catch) for layer in {call.layer for call in self.calls.values()}])

    def _catch(self, layer: nn.Module, _: Any, output: Any) -> None:
        index = self.counts.get(layer, 0)
        self.counts[layer] = index + 1
        for name, call in self.calls.items():
            if call.layer is layer and (
                index == call.index or (call.index is None and (self.runs is None or index == self.runs[layer] - 1))
            ):
                self.keep(name, one_tensor(output, name, only=layer is self.module and not self.first).detach())
                self.missing.discard(name)
        if self.runs is not None and not self.missing:
            raise EnoughSeen


@dataclass(frozen=True)
class _Event:
    """One call in the order of running, and what it put out: object, count of in-place changes, and shape."""

    name: str
    index: int
    value: tuple[int, int, tuple[int, ...]]


def all_calls(module: nn.Module, sample: Any, two: Any = None) -> list[str]:
    """Return the names of every distinct output (stimuli, ...) in one pass, in the order of running.

    An output that layers hand on unchanged (containers, dropout in evaluation, identities) counts once, under the
    outermost layer around the one that made it; the module's own output comes last if no layer makes it. Layers that
    run n times yield ``name@0`` ... ``name@n-1``.

    Parameters
    ----------
    two : the input with its stimulus twice: what is as long for it as for one, such as a table of positions, is left
        out.
    """
    events: list[_Event] = []
    kept: list[torch.Tensor] = []  # so that no later output takes the place of an earlier one in memory
    runs: dict[str, int] = {}
    counts = count_stimuli(module, two)

    def note(name: str, index: int, first: torch.Tensor) -> None:
        runs[name] = index + 1
        if first.numel() and first.ndim and first.shape[0] == 1 and counts.get((name, index), 2) == 2:
            kept.append(first)
            version = 0 if first.is_inference() else first._version
            events.append(_Event(name, index, (id(first), version, tuple(first.shape))))

    pass_noting(module, sample, note)
    outermost: dict[tuple[int, int, tuple[int, ...]], _Event] = {}
    for event in events:
        maker = outermost.setdefault(event.value, event)
        if event.name and maker.name.startswith(f"{event.name}."):
            outermost[event.value] = event
    return [(e.name if runs[e.name] == 1 else f"{e.name}@{e.index}") if e.name else OUTPUT for e in outermost.values()]


def count_stimuli(module: nn.Module, inputs: Any) -> dict[tuple[str, int], int]:
    """Return name and index of each call -> length of its output; nothing for a network that cannot take the inputs."""
    counts: dict[tuple[str, int], int] = {}

    def note(name: str, index: int, first: torch.Tensor) -> None:
        counts[name, index] = len(first) if first.ndim else 0

    if inputs is not None:
        try:
            pass_noting(module, inputs, note)
        except Exception:  # noqa: BLE001 - such as a network that takes one stimulus at a time
            return {}
    return counts


def pass_noting(module: nn.Module, inputs: Any, note: Callable[[str, int, torch.Tensor], None]) -> None:
    """Run a pass and hand on name, index and first tensor of each call that puts out real numbers."""
    runs: dict[str, int] = {}

    def watch(name: str) -> Callable[..., None]:
        def hook(_: nn.Module, __: Any, output: Any) -> None:
            index = runs.get(name, 0)
            runs[name] = index + 1
            first = next((t for _, t in tensors_in(output)), None)
            if first is not None and is_array(first) and not first.is_complex():
                note(name, index, first)

        return hook

    positional, named = arguments(inputs)
    with attach_hooks([(m, watch(n)) for n, m in module.named_modules()]):
        module(*positional, **named)
