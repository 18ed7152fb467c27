"""CORnets: shallow networks whose four areas stand for V1, V2, V4 and IT (Kubilius et al. 2018, bioRxiv 408385)."""

from __future__ import annotations

import math
from collections import OrderedDict
from typing import Literal

import torch
from torch import Tensor, nn

from brainmark.models.networks.recurrence import Area, Order, unroll
from brainmark.models.networks.seeds import draw_from

AREAS = ("V1", "V2", "V4", "IT")
CHANNELS = (64, 128, 256, 512)
CLASSES = 1000
_GROUPS = 32  # of channels that are normalised together
_WIDER = 4  # channels inside a block of CORnet-S, in those of its output
_REPEATS = {"V2": 2, "V4": 4, "IT": 2}  # of the blocks of CORnet-S

Kind = Literal["Z", "R", "RT", "S"]


def cornet(kind: Kind, seed: int = 0) -> nn.Module:
    """Return CORnet-Z, -R, -RT or -S with random weights as before its training; names are those of the checkpoints.

    Input (stimuli, 3, rows, columns), normalised as usual for ImageNet; output (stimuli, 1000) logits.
    """
    with draw_from(seed):
        if kind == "Z":
            return _draw_z(cornet_z())
        if kind == "S":
            return _draw_s(cornet_s())
        return CORnetR() if kind == "R" else CORnetRT()


def decoder(features: int = CHANNELS[-1]) -> nn.Sequential:
    """Return average pooling and a linear readout of 1000 classes."""
    parts = {
        "avgpool": nn.AdaptiveAvgPool2d(1),
        "flatten": nn.Flatten(),
        "linear": nn.Linear(features, CLASSES),
        "output": nn.Identity(),
    }
    return nn.Sequential(OrderedDict(parts))


def cornet_z() -> nn.Sequential:
    """Return CORnet-Z: one convolution, rectification and max pooling for each area; feed-forward."""
    areas: dict[str, nn.Module] = {}
    before = 3
    for area, channels in zip(AREAS, CHANNELS, strict=True):
        kernel, stride = (7, 2) if area == "V1" else (3, 1)
        parts = {
            "conv": nn.Conv2d(before, channels, kernel, stride, kernel // 2),
            "nonlin": nn.ReLU(inplace=True),
            "pool": nn.MaxPool2d(3, 2, 1),
            "output": nn.Identity(),
        }
        areas[area] = nn.Sequential(OrderedDict(parts))
        before = channels
    return nn.Sequential(OrderedDict(areas | {"decoder": decoder()}))


class CORblockRT(Area):
    """An area of CORnet-RT: convolved input plus its own last state, convolved again; each time normalised in groups.

    `reduction` is the stride of the area with respect to the image: until a signal arrives it is driven by zeros.
    """

    def __init__(self, before: int, channels: int, kernel: int, stride: int, reduction: int) -> None:
        super().__init__()
        self.channels, self.reduction = channels, reduction
        self.conv_input = nn.Conv2d(before, channels, kernel, stride, kernel // 2)
        self.norm_input = nn.GroupNorm(_GROUPS, channels)
        self.nonlin_input = nn.ReLU(inplace=True)
        self.conv1 = nn.Conv2d(channels, channels, 3, padding=1, bias=False)
        self.norm1 = nn.GroupNorm(_GROUPS, channels)
        self.nonlin1 = nn.ReLU(inplace=True)
        self.output = nn.Identity()

    def drive(self, below: Tensor) -> Tensor:
        """Return the convolved, normalised and rectified input."""
        return self.nonlin_input(self.norm_input(self.conv_input(below)))

    def rest(self, image: Tensor) -> Tensor:
        """Return zeros."""
        rows, columns = (math.ceil(n / self.reduction) for n in image.shape[-2:])
        return image.new_zeros((len(image), self.channels, rows, columns))

    def forward(self, drive: Tensor, own: Tensor | None, above: Tensor | None, step: int) -> Tensor:
        """Return the next state; CORnets have no connections from above."""
        del above, step
        return self.output(self.nonlin1(self.norm1(self.conv1(drive if own is None else drive + own))))


class CORnetRT(nn.Module):
    """CORnet-RT: four areas with local recurrence; a signal takes one step from area to area.

    The image changes V1 at step 0, V2 at step 1, V4 at step 2 and IT at step 3. Each ``<area>.output`` runs once in
    every step. Images may change with time: (stimuli, steps, 3, rows, columns).
    """

    order: Order = "delayed"

    def __init__(self, steps: int = 5) -> None:
        super().__init__()
        self.steps = steps
        before, reduction = 3, 1
        for area, channels in zip(AREAS, CHANNELS, strict=True):
            kernel, stride = (7, 4) if area == "V1" else (3, 2)
            reduction *= stride
            self.add_module(area, CORblockRT(before, channels, kernel, stride, reduction))
            before = channels
        self.decoder = decoder()

    def forward(self, images: Tensor) -> Tensor:
        """Return logits after the last step."""
        areas = [area for area in self.children() if isinstance(area, Area)]
        return self.decoder(unroll(areas, images, self.steps, self.order))


class CORnetR(CORnetRT):
    """CORnet-R: as -RT, but from its second step on an image passes all areas within a step."""

    order: Order = "sweep after the first step"


class CORblockS(nn.Module):
    """An area of CORnet-S: one bottleneck with a skip connection, run `times` times with the same weights.

    Only the normalisation has weights of its own for each run. The first run halves rows and columns.
    """

    def __init__(self, before: int, channels: int, times: int = 1) -> None:
        super().__init__()
        self.times, inner = times, _WIDER * channels
        self.conv_input = nn.Conv2d(before, channels, 1, bias=False)
        self.skip = nn.Conv2d(channels, channels, 1, 2, bias=False)
        self.norm_skip = nn.BatchNorm2d(channels)
        self.conv1 = nn.Conv2d(channels, inner, 1, bias=False)
        self.conv2 = nn.Conv2d(inner, inner, 3, 2, 1, bias=False)
        self.conv3 = nn.Conv2d(inner, channels, 1, bias=False)
        for step in range(times):
            for number, width in ((1, inner), (2, inner), (3, channels)):
                self.add_module(f"norm{number}_{step}", nn.BatchNorm2d(width))
        self.output = nn.Identity()

    def forward(self, below: Tensor) -> Tensor:
        """Return the state after the last run; ``output`` runs once in each."""
        state = self.conv_input(below)
        for step in range(self.times):
            skip = self.norm_skip(self.skip(state)) if step == 0 else state
            hidden = self._add_norm(1, step, self.conv1(state)).relu_()
            # later runs keep the size; called by its function, as a layer has one stride
            middle = (
                self.conv2(hidden)
                if step == 0
                else nn.functional.conv2d(hidden, self.conv2.weight, None, stride=1, padding=1)
            )
            hidden = self._add_norm(2, step, middle).relu_()
            state = self.output((self._add_norm(3, step, self.conv3(hidden)) + skip).relu_())
        return state

    def _add_norm(self, number: int, step: int, values: Tensor) -> Tensor:
        return self.get_submodule(f"norm{number}_{step}")(values)


def cornet_s() -> nn.Sequential:
    """Return CORnet-S: V1 as two convolutions, V2, V4 and IT as recurrent bottlenecks."""
    v1 = {
        "conv1": nn.Conv2d(3, CHANNELS[0], 7, 2, 3, bias=False),
        "norm1": nn.BatchNorm2d(CHANNELS[0]),
        "nonlin1": nn.ReLU(inplace=True),
        "pool": nn.MaxPool2d(3, 2, 1),
        "conv2": nn.Conv2d(CHANNELS[0], CHANNELS[0], 3, 1, 1, bias=False),
        "norm2": nn.BatchNorm2d(CHANNELS[0]),
        "nonlin2": nn.ReLU(inplace=True),
        "output": nn.Identity(),
    }
    areas: dict[str, nn.Module] = {"V1": nn.Sequential(OrderedDict(v1))}
    for area, before, channels in zip(AREAS[1:], CHANNELS[:-1], CHANNELS[1:], strict=True):
        areas[area] = CORblockS(before, channels, _REPEATS[area])
    return nn.Sequential(OrderedDict(areas | {"decoder": decoder()}))


@torch.no_grad()
def _draw_z(network: nn.Sequential) -> nn.Sequential:
    for layer in network.modules():
        if isinstance(layer, nn.Conv2d | nn.Linear):
            nn.init.xavier_uniform_(layer.weight)
            assert layer.bias is not None
            layer.bias.zero_()
    return network


@torch.no_grad()
def _draw_s(network: nn.Sequential) -> nn.Sequential:
    for layer in network.modules():
        if isinstance(layer, nn.Conv2d):
            layer.weight.normal_(0, math.sqrt(2 / (layer.kernel_size[0] * layer.kernel_size[1] * layer.out_channels)))
    return network
