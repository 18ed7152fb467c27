"""Feed-forward networks as recurrent ones: equal blocks in a row become one block that runs again and again."""

from __future__ import annotations

import copy
from collections import OrderedDict
from collections.abc import Iterator, Sequence
from itertools import chain

from torch import Tensor, nn
from torch.func import functional_call

from brainmark.models.sources.torch_libraries import torchvision

NORMS = (
    nn.modules.batchnorm._BatchNorm,  # pyright: ignore[reportPrivateUsage]
    nn.modules.instancenorm._InstanceNorm,  # pyright: ignore[reportPrivateUsage]
    nn.GroupNorm,
    nn.LayerNorm,
)


class Repeated(nn.Module):
    """One block (``block``) run once for each of the blocks given, with the weights of the first.

    Normalisation is not shared: run k takes the normalising layers of block k, whose statistics differ from run to run.
    Each run is one call of ``block``.
    """

    def __init__(self, blocks: Sequence[nn.Module]) -> None:
        super().__init__()
        self.block = blocks[0]
        self.names = [name for name, layer in blocks[0].named_modules() if isinstance(layer, NORMS)]
        self.norms = nn.ModuleList(nn.ModuleList(b.get_submodule(n) for n in self.names) for b in blocks[1:])

    def forward(self, state: Tensor) -> Tensor:
        """Return the state after the last run."""
        state = self.block(state)
        for norms in self.norms:
            run = zip(self.names, norms.children(), strict=True)
            own = {key: value for name, norm in run for key, value in _name_statistics(name, norm)}
            state = functional_call(self.block, own, (state,))
        return state

    def extra_repr(self) -> str:
        """Return how often it runs."""
        return f"times={len(self.norms) + 1}"


def tie(network: nn.Module, times: int | None = None) -> nn.Module:
    """Return a copy of the network in which equal blocks in a row are one `Repeated` block.

    Looked for in every ``nn.Sequential``, from outside inwards: layers, or groups of layers such as convolution and
    rectification, that follow each other with the same structure and shapes of weights. If the weights of such blocks
    are equal, the copy computes what the network did. The first block's name stays, the others' are gone.

    Parameters
    ----------
    network : any module.
    times : how often each of these blocks runs; None: as many times as there were blocks. Later runs take the
        normalising layers of the last block.

    Raises
    ------
    ValueError : there are no such blocks.
    """
    result = copy.deepcopy(network)
    if not _tie(result, times):
        raise ValueError(f"{type(network).__name__} has no two equal blocks in a row in any nn.Sequential")
    return result


def _tie(module: nn.Module, times: int | None) -> int:
    """Replace runs of equal blocks below a module in place; how many."""
    count = 0
    if isinstance(module, nn.Sequential) and type(module).forward is nn.Sequential.forward:
        kept: OrderedDict[str, nn.Module] = OrderedDict()
        names, layers = [name for name, _ in module.named_children()], list(module)
        start = 0
        while start < len(layers):
            period, repeats = _run_at(layers, start)
            if repeats > 1:
                blocks = [_block(layers[start + k * period : start + (k + 1) * period]) for k in range(repeats)]
                wanted = repeats if times is None else times
                blocks += [copy.deepcopy(blocks[-1]) for _ in range(wanted - repeats)]
                kept[names[start]] = Repeated(blocks[:wanted])
                count += 1
            else:
                kept[names[start]] = layers[start]
            start += period * repeats
        for name in names:
            delattr(module, name)
        for name, layer in kept.items():
            module.add_module(name, layer)
    for child in module.children():
        count += 0 if isinstance(child, Repeated) else _tie(child, times)
    return count


def _run_at(layers: Sequence[nn.Module], start: int) -> tuple[int, int]:
    """Return the period and number of equal groups of layers that begin at `start`.

    These are (1, 1) if there are not two with weights.
    """
    forms = [_form(layer) for layer in layers[start:]]
    for period in range(1, len(forms) // 2 + 1):
        repeats = 1
        while forms[repeats * period : (repeats + 1) * period] == forms[:period]:
            repeats += 1
        if repeats > 1 and any(list(layer.parameters()) for layer in layers[start : start + period]):
            return period, repeats
    return 1, 1


def _form(layer: nn.Module) -> tuple[str, tuple[tuple[str, tuple[int, ...]], ...]]:
    """Return what has to be equal for two layers to share weights."""
    return repr(layer), tuple((name, tuple(p.shape)) for name, p in layer.named_parameters())


def _block(layers: Sequence[nn.Module]) -> nn.Module:
    return layers[0] if len(layers) == 1 else nn.Sequential(*layers)


def _name_statistics(name: str, norm: nn.Module) -> Iterator[tuple[str, Tensor]]:
    prefix = f"{name}." if name else ""
    for key, value in chain(norm.named_parameters(), norm.named_buffers()):
        yield prefix + key, value


def tied_resnet50() -> nn.Module:
    """Return an untrained ResNet-50 whose equal blocks share weights: in each stage one runs 2, 3, 5 or 2 times."""
    return tie(torchvision().models.resnet50(weights=None))
