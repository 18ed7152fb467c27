"""ResNeXt-101 in the widths that torchvision has no name for."""

from __future__ import annotations

from torch import nn

from brainmark.models.sources.torch_libraries import torchvision


def resnext101(width: int) -> nn.Module:
    """Return a ResNeXt-101 with 32 groups of `width` channels."""
    resnet = torchvision().models.resnet
    return resnet.ResNet(resnet.Bottleneck, [3, 4, 23, 3], groups=32, width_per_group=width)
