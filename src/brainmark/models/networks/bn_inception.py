"""Inception v2: GoogLeNet with batch normalisation, its 5 x 5 convolutions as two of 3 x 3.

Ioffe & Szegedy 2015, Batch normalization: accelerating deep network training by reducing internal covariate shift,
ICML; figure 5 lists the modules. Strides are those of the published weights, which were trained with Caffe.
"""

from __future__ import annotations

from collections import OrderedDict

import torch
from torch import Tensor, nn

MODULES = {  # name: channels of 1x1, (reduced, 3x3), (reduced, double 3x3), pooling and its projection
    "3a": (64, (64, 64), (64, 96), ("avg", 32)),
    "3b": (64, (64, 96), (64, 96), ("avg", 64)),
    "3c": (0, (128, 160), (64, 96), ("max", 0)),
    "4a": (224, (64, 96), (96, 128), ("avg", 128)),
    "4b": (192, (96, 128), (96, 128), ("avg", 128)),
    "4c": (160, (128, 160), (128, 160), ("avg", 128)),
    "4d": (96, (128, 192), (160, 192), ("avg", 128)),
    "4e": (0, (128, 192), (192, 256), ("max", 0)),
    "5a": (352, (192, 320), (160, 224), ("avg", 128)),
    "5b": (352, (192, 320), (192, 224), ("max", 128)),
}


def _convolution(inputs: int, outputs: int, size: int, stride: int = 1) -> nn.Sequential:
    """Build a convolution with bias, as Caffe has it, batch normalisation and rectification."""
    layers = {
        "conv": nn.Conv2d(inputs, outputs, size, stride, size // 2),
        "bn": nn.BatchNorm2d(outputs),
        "relu": nn.ReLU(inplace=True),
    }
    return nn.Sequential(OrderedDict(layers))


class Inception(nn.Module):
    """Branches side by side, joined along the channels; without a 1 x 1 branch it halves the map."""

    def __init__(
        self, inputs: int, single: int, triple: tuple[int, int], double: tuple[int, int], pooled: tuple[str, int]
    ) -> None:
        super().__init__()
        stride = 1 if single else 2
        self.branches = nn.ModuleDict()
        if single:
            self.branches["1x1"] = _convolution(inputs, single, 1)
        self.branches["3x3"] = nn.Sequential(
            OrderedDict(reduce=_convolution(inputs, triple[0], 1), last=_convolution(*triple, 3, stride))
        )
        self.branches["double_3x3"] = nn.Sequential(
            OrderedDict(
                reduce=_convolution(inputs, double[0], 1),
                first=_convolution(*double, 3),
                last=_convolution(double[1], double[1], 3, stride),
            )
        )
        kind, projection = pooled
        if kind == "avg":
            pool: nn.Module = nn.AvgPool2d(3, 1, 1, ceil_mode=True)
        else:
            pool = nn.MaxPool2d(3, stride, padding=0 if stride == 2 else 1, ceil_mode=True)
        self.branches["pool"] = pool if not projection else nn.Sequential(pool, _convolution(inputs, projection, 1))
        self.channels = single + triple[1] + double[1] + (projection or inputs)

    def forward(self, maps: Tensor) -> Tensor:
        """Return (stimuli, channels, rows, columns)."""
        return torch.cat([branch(maps) for branch in self.branches.values()], 1)


class BNInception(nn.Module):
    """Images (stimuli, 3, 224, 224) to logits (stimuli, 1000); its modules are ``inception_3a`` to ``inception_5b``."""

    def __init__(self) -> None:
        super().__init__()
        self.conv1 = _convolution(3, 64, 7, 2)
        self.pool1 = nn.MaxPool2d(3, 2, ceil_mode=True)
        self.conv2_reduce = _convolution(64, 64, 1)
        self.conv2 = _convolution(64, 192, 3)
        self.pool2 = nn.MaxPool2d(3, 2, ceil_mode=True)
        channels = 192
        for name, branches in MODULES.items():
            module = Inception(channels, *branches)
            self.add_module(f"inception_{name}", module)
            channels = module.channels
        self.global_pool = nn.AdaptiveAvgPool2d(1)
        self.flatten = nn.Flatten()
        self.last_linear = nn.Linear(channels, 1000)

    def forward(self, images: Tensor) -> Tensor:
        """Run all layers in the order in which they were added."""
        for layer in self.children():
            images = layer(images)
        return images


def from_caffe(weights: dict[str, Tensor]) -> dict[str, Tensor]:
    """Return the published weights under the names of the layers here, for red, green, blue instead of its reverse."""
    found = {_rename(name): value for name, value in weights.items()}
    first = "conv1.conv.weight"
    if first in found:
        found[first] = found[first].flip(1)
    return {n: v.squeeze(0) if n.split(".")[-2] == "bn" and v.ndim == 2 else v for n, v in found.items()}


def _rename(name: str) -> str:
    """Rename ``inception_3a_double_3x3_1_bn.bias`` to ``inception_3a.branches.double_3x3.first.bn.bias``, and so on."""
    layer, _, what = name.partition(".")
    kind = "bn" if layer.endswith("_bn") else "conv"
    layer = layer.removesuffix("_bn")
    if layer == "last_linear":
        return name
    if not layer.startswith("inception_"):
        known = {"conv1_7x7_s2": "conv1", "conv2_3x3_reduce": "conv2_reduce", "conv2_3x3": "conv2"}
        return f"{known.get(layer, layer)}.{kind}.{what}"
    module, branch = layer[: len("inception_3a")], layer[len("inception_3a_") :]
    places = {
        "1x1": "1x1",
        "3x3_reduce": "3x3.reduce",
        "3x3": "3x3.last",
        "double_3x3_reduce": "double_3x3.reduce",
        "double_3x3_1": "double_3x3.first",
        "double_3x3_2": "double_3x3.last",
        "pool_proj": "pool.1",
    }
    return f"{module}.branches.{places.get(branch, branch)}.{kind}.{what}"
