"""VOneNets: a VOneBlock in the place of a network's first layers (Dapello et al. 2020)."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

import torch
from torch import Tensor, nn

from brainmark.core.libraries import np
from brainmark.models.networks.cornet import cornet_s
from brainmark.models.networks.vone import VOneBlock, voneblock
from brainmark.models.sources.torch_libraries import torchvision

WIDTH = 64  # channels that the back ends take
CLASSES = 1000
_PUBLISHED = "vone_block.simple_conv_{}.weight"  # kernels of all cells (cells, 3, side, side) in the checkpoints


class VOneNet(nn.Module):
    """VOneBlock (``vone_block``), 1 x 1 convolution to fewer channels (``bottleneck``), and a back end (``model``).

    Input (stimuli, 3, rows, columns), normalised by mean 0.5 and standard deviation 0.5. Published weights can be
    loaded: the block then takes the kernels of the checkpoint, which were drawn before its training.
    """

    def __init__(self, block: VOneBlock, back_end: nn.Module, width: int = WIDTH) -> None:
        super().__init__()
        self.vone_block = block
        self.bottleneck = nn.Conv2d(len(block.kinds), width, 1, bias=False)
        nn.init.kaiming_normal_(self.bottleneck.weight, mode="fan_out", nonlinearity="relu")
        self.model = back_end
        self.register_load_state_dict_pre_hook(_take_published_kernels)

    def reseed(self, seeds: Sequence[int]) -> None:
        """Set the seeds of the noise of the next stimuli."""
        self.vone_block.reseed(seeds)

    def forward(self, images: Tensor) -> Tensor:
        """Return what the back end makes of the block's responses."""
        return self.model(self.bottleneck(self.vone_block(images)))


def _take_published_kernels(network: nn.Module, table: dict[str, Any], *_: object) -> None:
    """Prepare published weights: kernels go to the block, and the bottleneck's columns into the order of its cells."""
    assert isinstance(network, VOneNet)
    even, odd = (table.pop(_PUBLISHED.format(q), None) for q in ("q0", "q1"))
    for name in [n for n in table if n.startswith("vone_block.")]:
        del table[name]
    if even is not None and odd is not None:
        order = network.vone_block.take_kernels(even.numpy(), odd.numpy())
        table["bottleneck.weight"] = table["bottleneck.weight"][:, torch.from_numpy(np.ascontiguousarray(order))]


def without(network: nn.Module, layers: Iterable[str]) -> nn.Module:
    """Put the identity in the place of the named layers, and return the network: the back end of any network.

    For a ResNet of torchvision, ``("conv1", "bn1", "relu", "maxpool")``; what is left has to take `WIDTH` channels (or
    those that `VOneNet` is told) at a quarter of the rows and columns.
    """
    for layer in layers:
        network.set_submodule(layer, nn.Identity())
    return network


def resnet50_back_end() -> nn.Module:
    """Return a ResNet-50 from its first stage on."""
    return without(torchvision().models.resnet50(weights=None), ("conv1", "bn1", "relu", "maxpool"))


def cornet_s_back_end() -> nn.Module:
    """Return CORnet-S from V2 on."""
    return nn.Sequential(OrderedDict((n, area) for n, area in cornet_s().named_children() if n != "V1"))


class AlexNetBackEnd(nn.Module):
    """AlexNet from its second convolution on, whose strides make up for the finer input."""

    def __init__(self) -> None:
        super().__init__()
        pool = (3, 2, 1)
        self.features = nn.Sequential(
            *(nn.Conv2d(WIDTH, 192, 5, 2, 2), nn.ReLU(inplace=True), nn.MaxPool2d(*pool)),
            *(nn.Conv2d(192, 384, 3, padding=1), nn.ReLU(inplace=True)),
            *(nn.Conv2d(384, 256, 3, padding=1), nn.ReLU(inplace=True)),
            *(nn.Conv2d(256, 256, 3, padding=1), nn.ReLU(inplace=True), nn.MaxPool2d(*pool)),
        )
        self.avgpool = nn.AdaptiveAvgPool2d(7)
        self.classifier = nn.Sequential(
            *(nn.Dropout(), nn.Linear(256 * 7 * 7, 4096), nn.ReLU(inplace=True)),
            *(nn.Dropout(), nn.Linear(4096, 4096), nn.ReLU(inplace=True)),
            nn.Linear(4096, CLASSES),
        )

    def forward(self, maps: Tensor) -> Tensor:
        """Return logits."""
        return self.classifier(self.avgpool(self.features(maps)).flatten(1))


BACK_ENDS: Mapping[str, Callable[[], nn.Module]] = {
    "alexnet": AlexNetBackEnd,
    "resnet50": resnet50_back_end,
    "cornets": cornet_s_back_end,
}


def vonenet(back_end: str, seed: int = 0, noise: bool = True) -> VOneNet:
    """Return an untrained VOneNet with one of `BACK_ENDS`; its V1 is drawn from `seed`, the rest by torch."""
    return VOneNet(voneblock(seed, noise), BACK_ENDS[back_end]())
