"""Networks with bottom-up, lateral and top-down connections (BLT)."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Mapping, Sequence
from typing import Literal, cast

from torch import Tensor, nn
from torch.nn import functional

from brainmark.models.networks.recurrence import Area, Order, unroll
from brainmark.models.networks.seeds import draw_from

Kind = Literal["B", "BL", "BT", "BLT"]
AREAS = ("V1", "V2", "V4", "IT")
CHANNELS = (64, 128, 256, 512)
CLASSES = 1000
STEPS = 10  # of the networks that are recurrent


class RecurrentArea(Area):
    """An area whose state is f(norm(B below + L own + T above)), with own and above one step ago.

    Attributes
    ----------
    feed, lateral, feedback : B, L and T; what comes from above is resized to the own map (nearest neighbour).
    norm : applied to the sum.
    nonlin : f.
    """

    def __init__(
        self,
        feed: nn.Module,
        lateral: nn.Module | None = None,
        feedback: nn.Module | None = None,
        norm: nn.Module | None = None,
        nonlin: nn.Module | None = None,
    ) -> None:
        super().__init__()
        self.feed, self.lateral, self.feedback = feed, lateral, feedback
        self.norm, self.nonlin, self.output = norm or nn.Identity(), nonlin or nn.ReLU(), nn.Identity()

    def drive(self, below: Tensor) -> Tensor:
        """Return what comes from below."""
        return self.feed(below)

    def forward(self, drive: Tensor, own: Tensor | None, above: Tensor | None, step: int) -> Tensor:
        """Return the next state."""
        del step
        total = drive
        if own is not None and self.lateral is not None:
            total = total + self.lateral(own)
        if above is not None and self.feedback is not None:
            total = total + functional.interpolate(self.feedback(above), total.shape[-2:])
        return self.output(self.nonlin(self.norm(total)))


class AreaNetwork(nn.Module):
    """Areas in a row and what reads out the highest: ``areas.<name>`` and ``readout``.

    With delays, area i (from 0) runs at steps i, i + 1, ...: its call k is step i + k.
    """

    def __init__(self, areas: Mapping[str, Area], readout: nn.Module, steps: int, order: Order = "delayed") -> None:
        super().__init__()
        self.areas = nn.ModuleDict(dict(areas))
        self.readout, self.steps = readout, steps
        self.order: Order = order

    def forward(self, images: Tensor) -> Tensor:
        """Return the readout after the last step."""
        areas = cast("Sequence[Area]", list(self.areas.values()))
        return self.readout(unroll(areas, images, self.steps, self.order))


def blt(kind: Kind, seed: int = 0, channels: Sequence[int] = CHANNELS, steps: int = STEPS) -> AreaNetwork:
    """Return a network of four areas with the connections named, with random weights.

    Input (stimuli, 3, rows, columns); V1 is a convolution of 7 x 7 pixels with stride 4, each later area one of 3 x 3
    after pooling to half the size. Sums are normalised over channels and positions (as Kietzmann et al. 2019, PNAS
    116:21854; connections as Spoerer, McClure & Kriegeskorte 2017, Front. Psychol. 8:1551). Without recurrent
    connections one step is taken, otherwise `steps`, with one of delay from area to area.
    """
    areas: dict[str, Area] = {}
    with draw_from(seed):
        for index, (name, width) in enumerate(zip(AREAS, channels, strict=True)):
            if index == 0:
                feed: nn.Module = _draw_weights(nn.Conv2d(3, width, 7, 4, 3))
            else:
                convolution = _draw_weights(nn.Conv2d(channels[index - 1], width, 3, padding=1))
                feed = nn.Sequential(OrderedDict(pool=nn.MaxPool2d(2), conv=convolution))
            lateral = _draw_weights(nn.Conv2d(width, width, 3, padding=1, bias=False)) if "L" in kind else None
            higher = channels[index + 1] if "T" in kind and index + 1 < len(channels) else None
            feedback = _draw_weights(nn.Conv2d(higher, width, 3, padding=1, bias=False)) if higher else None
            areas[name] = RecurrentArea(feed, lateral, feedback, nn.GroupNorm(1, width))
        parts = {
            "avgpool": nn.AdaptiveAvgPool2d(1),
            "flatten": nn.Flatten(),
            "linear": nn.Linear(channels[-1], CLASSES),
        }
        readout = nn.Sequential(OrderedDict(parts))
    return AreaNetwork(areas, readout, 1, "sweep") if kind == "B" else AreaNetwork(areas, readout, steps)


def _draw_weights(convolution: nn.Conv2d) -> nn.Conv2d:
    """Draw weights that keep the variance through rectification (He et al. 2015, arXiv 1502.01852, eq. 10)."""
    nn.init.kaiming_normal_(convolution.weight, nonlinearity="relu")
    if convolution.bias is not None:
        nn.init.zeros_(convolution.bias)
    return convolution
