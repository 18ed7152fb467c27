"""Tries on a network what its code does not say: which dimensions of an output are a map, and which memory it takes.

Which dimensions of a layer's output hold channels, rows and columns is seen from where the output changes when one half
of the picture changes: along the columns for the left and the right half, along the rows for the upper and the lower.
"""

from __future__ import annotations

import contextlib
import weakref
from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeAlias

from brainmark.core.libraries import nn, torch
from brainmark.models.activations.hooks import (
    EnoughSeen,
    Watch,
    arguments,
    convert_tensors,
    find_calls,
    pass_noting,
    tensors_in,
)
from brainmark.models.activations.passes import Stochastic
from brainmark.models.networks.seeds import draw_from

Order: TypeAlias = tuple[int, int, int]
"""Dimensions of channels, rows and columns in a layer's output, counted with that of stimuli as 0."""
CHANNELS_FIRST: Order = (1, 2, 3)

_SEEN = 0.2  # of the distance between two halves: a change that moves by this along a dimension is no accident
_GRIDS = (2, 4, 8, 16, 32, 64)  # rows and columns of the random grids that add up to a picture with detail of any size

_orders: weakref.WeakKeyDictionary[nn.Module, dict[Any, Order | None]] = weakref.WeakKeyDictionary()
_formats: weakref.WeakKeyDictionary[nn.Module, dict[Any, bool]] = weakref.WeakKeyDictionary()


def find_orders(
    module: nn.Module, sample: Any, shapes: Mapping[str, tuple[int, ...]], runs: Mapping[str, int]
) -> dict[str, Order | None]:
    """Return the order of the maps that layers put out; None for an output that is no map.

    Attention weights, windows and tokens are no maps. Where nothing can be seen, because the output does not change,
    two dimensions that have the proportions of the picture are its rows and columns; of several such pairs, those after
    the channels. Each layer is tried once for each network and shape, on one picture and four with another half.

    Parameters
    ----------
    sample : an input with one stimulus; unless it is one picture (1, channels, rows, columns), channels come first.
    shapes : layer -> shape of its output without the dimension of stimuli.
    runs : layer -> how often it runs in a pass.
    """
    known = _orders.setdefault(module, {})
    maps = {name: shape for name, shape in shapes.items() if len(shape) == 3}
    if new := {name: shape for name, shape in maps.items() if (name, shape) not in known}:
        known |= {(name, new[name]): order for name, order in _try_orders(module, sample, new, runs).items()}
    return {name: known[name, maps[name]] if name in maps else None for name in shapes}


def _try_orders(
    module: nn.Module, sample: Any, shapes: Mapping[str, tuple[int, ...]], runs: Mapping[str, int]
) -> dict[str, Order | None]:
    tensors = [tensor for _, tensor in tensors_in(sample)]
    if len(tensors) != 1 or tensors[0].ndim != 4 or min(tensors[0].shape[2:]) < 2:
        return dict.fromkeys(shapes, CHANNELS_FIRST)
    picture = tensors[0]
    before: dict[str, torch.Tensor] = {}
    centres: dict[str, list[list[float]]] = {name: [] for name in shapes}

    def note(name: str, tensor: torch.Tensor) -> None:
        centres[name].append(_find_centre_of_change(before[name], tensor[0]))

    first, *others = (convert_tensors(sample, lambda _, new=made: new) for made in _make_pictures(picture))
    wanted = {name: runs[name] for name in shapes}
    _run(module, wanted, first, 1, lambda name, tensor: before.update({name: tensor[0].clone()}))
    for changed in others:
        _run(module, wanted, changed, 1, note)
    rows, columns = picture.shape[2:]
    found: dict[str, Order | None] = {}
    for name, shape in shapes.items():
        if len(centres[name]) < len(others):  # a layer that another picture does not reach
            centres[name] = [[0.0] * len(shape)] * len(others)
        left, right, upper, lower = centres[name]
        across = [b - a for a, b in zip(left, right, strict=True)]
        down = [b - a for a, b in zip(upper, lower, strict=True)]
        found[name] = decide_order(across, down, shape, rows / columns)
    return found


def decide_order(
    across: Sequence[float], down: Sequence[float], shape: Sequence[int], proportion: float = 1.0
) -> Order | None:
    """Return the order of a map, or None for what is no map.

    Parameters
    ----------
    across, down : how far a change moves along each dimension from the left to the right half of the picture, and from
        the upper to the lower one; 1: from half to half.
    shape : of the output without the dimension of stimuli.
    proportion : rows for each column of the picture.
    """
    row, column = _clearest(down), _clearest(across)
    if row is not None and column is not None and row != column:
        return 3 - row - column + 1, row + 1, column + 1
    for channels, rows, columns in ((0, 1, 2), (2, 0, 1)):
        fits = abs(shape[rows] - shape[columns] * proportion) < max(1.0, proportion)
        if fits and not _moves_more(across[rows], down[rows]) and not _moves_more(down[columns], across[columns]):
            return channels + 1, rows + 1, columns + 1
    return None


def _clearest(moved: Sequence[float]) -> int | None:
    """Return the dimension along which a change moves, if it is one."""
    best, second = sorted(range(len(moved)), key=lambda k: -moved[k])[:2]
    return best if moved[best] >= _SEEN and moved[best] - moved[second] >= _SEEN else None


def _moves_more(one: float, other: float) -> bool:
    return one - other >= _SEEN / 2


def _make_pictures(picture: torch.Tensor) -> list[torch.Tensor]:
    """Return a picture within the range of `picture`, and four with another left, right, upper and lower half."""
    low, high = float(picture.min()), float(picture.max())
    first, second = (_draw_picture(picture, seed, low, high if high > low else low + 1) for seed in (0, 1))
    rows, columns = (side // 2 for side in picture.shape[2:])
    made = [first, *(first.clone() for _ in range(4))]
    made[1][..., :columns] = second[..., :columns]
    made[2][..., columns:] = second[..., columns:]
    made[3][..., :rows, :] = second[..., :rows, :]
    made[4][..., rows:, :] = second[..., rows:, :]
    return made


def _draw_picture(like: torch.Tensor, seed: int, low: float, high: float) -> torch.Tensor:
    draws = torch.Generator().manual_seed(seed)
    size = tuple(like.shape[2:])
    grids = [torch.rand(1, like.shape[1], n, n, generator=draws) for n in _GRIDS if n <= 2 * max(size)]
    whole = sum((nn.functional.interpolate(g, size=size, mode="bilinear") for g in grids), torch.zeros(1))
    whole = (whole - whole.min()) / (whole.max() - whole.min()).clamp(min=1e-12)
    return (low + (high - low) * whole).to(like.device, like.dtype)


def _find_centre_of_change(before: torch.Tensor, after: torch.Tensor) -> list[float]:
    """Return the centre of what changed along each dimension, which is two halves (2 units) long; 0 for no change."""
    if before.shape != after.shape:
        return [0.0] * before.ndim
    change = (after.float() - before.float()).abs_()
    inner = change.sum(0)
    found: list[float] = []
    for profile in (change.sum((1, 2)), inner.sum(1), inner.sum(0)):
        count = len(profile)
        place = ((torch.arange(count, device=change.device) + 0.5) / count - 0.5) * 2
        found.append(float((profile * place).sum() / profile.sum()))
    return [0.0 if value != value else value for value in found]  # NaN: no change, or activations that are not finite


def takes_channels_last(module: nn.Module, one: Any, two: Any, within: float = 1e-3) -> bool:
    """Return whether maps may lie channels last in memory, which is faster, as all layers then answer alike.

    PyTorch gives networks images that are contiguous. Code that takes memory in its order (`view`, `as_strided`) fails
    or answers differently otherwise. Tried once for each network and shape of input, whatever is recorded of it.

    Parameters
    ----------
    one, two : inputs, contiguous, with a stimulus once and twice.
    within : share of the length of a layer's answer by which answers differ that are rounded otherwise.
    """
    known = _formats.setdefault(module, {})
    shapes = tuple(tuple(tensor.shape) for _, tensor in tensors_in(one))
    if shapes not in known:
        maps = any(isinstance(m, nn.Conv2d) for m in module.modules())
        known[shapes] = maps and _answers_alike(module, one, two, within)
    return known[shapes]


def _answers_alike(module: nn.Module, one: Any, two: Any, within: float) -> bool:
    before: dict[tuple[str, int], tuple[int, float, float]] = {}
    alike: list[bool] = []

    def summarise(values: torch.Tensor) -> tuple[float, float]:
        """Return the length of an answer, and a number that changes when its values change places."""
        flat = values.double().flatten()
        places = torch.arange(flat.numel(), device=flat.device, dtype=torch.float64)
        return float(flat.norm()), float(flat @ places.cos())

    def note(name: str, index: int, first: torch.Tensor) -> None:
        if first.ndim:
            before[name, index] = (len(first), *summarise(first))

    def compare(name: str, index: int, first: torch.Tensor) -> None:
        if first.ndim:
            count, length, place = before[name, index]
            now = summarise(first[:count])
            alike.append(abs(now[1] - place) <= within * max(length, 1e-30))

    try:
        _pass_alike(module, one, 1, lambda inputs: pass_noting(module, inputs, note))
        _pass_alike(module, lay_channels_last(two), 2, lambda inputs: pass_noting(module, inputs, compare))
    except Exception:  # noqa: BLE001 - whatever a network raises that does not take this: it gets what PyTorch gives
        return False
    return len(alike) == len(before) and all(alike)


def lay_channels_last(inputs: Any) -> Any:
    """Return inputs whose maps lie channels last in memory; their values and shapes are the same."""

    def convert(tensor: torch.Tensor) -> torch.Tensor:
        return tensor.contiguous(memory_format=torch.channels_last) if tensor.ndim == 4 else tensor

    return convert_tensors(inputs, convert)


def _run(
    module: nn.Module,
    runs: Mapping[str, int],
    inputs: Any,
    count: int,
    keep: Callable[[str, torch.Tensor], None],
) -> None:
    """Pass inputs of `count` stimuli through a network, and keep the outputs of layers.

    `runs` says how often the layer of each name runs; the pass ends after the last of the calls that the names mean.
    """
    calls = find_calls(module, list(runs))
    watch = Watch(module, calls, keep)
    watch.begin({calls[name].layer: times for name, times in runs.items()})

    def run(inputs: Any) -> None:
        positional, named = arguments(inputs)
        with watch.attach(), contextlib.suppress(EnoughSeen):
            module(*positional, **named)

    _pass_alike(module, inputs, count, run)


def _pass_alike(module: nn.Module, inputs: Any, count: int, run: Callable[[Any], None]) -> None:
    """Call `run` with a copy of inputs of `count` stimuli, which draw the same random numbers each time."""
    with draw_from(0):
        if isinstance(module, Stochastic):
            module.reseed([0] * count)
        run(convert_tensors(inputs, lambda tensor: tensor.clone()))  # some networks work in place
