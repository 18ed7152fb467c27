"""Small networks for 32 x 32 images: a residual one, and a recurrent one with the areas of the ventral stream.

Both are fully convolutional up to the mean over positions, so they take images of other sizes.
"""

from __future__ import annotations

from collections.abc import Callable

from torch import Tensor, nn
from torch.nn import functional

from brainmark.models.networks.seeds import draw_from


class Residual(nn.Module):
    """Two 3 x 3 convolutions beside a shortcut without parameters: every `stride`-th pixel, new channels zero."""

    def __init__(self, inputs: int, outputs: int, stride: int) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(inputs, outputs, 3, stride, 1, bias=False)
        self.norm1 = nn.BatchNorm2d(outputs)
        self.conv2 = nn.Conv2d(outputs, outputs, 3, 1, 1, bias=False)
        self.norm2 = nn.BatchNorm2d(outputs)
        self.stride, self.added = stride, outputs - inputs

    def forward(self, maps: Tensor) -> Tensor:
        """Convert maps (images, inputs, rows, columns) -> (images, outputs, rows / stride, columns / stride)."""
        inner = functional.relu(self.norm1(self.conv1(maps)))
        shortcut = maps[:, :, :: self.stride, :: self.stride]
        if self.added:
            shortcut = functional.pad(shortcut, (0, 0, 0, 0, 0, self.added))
        return functional.relu(self.norm2(self.conv2(inner)) + shortcut)


class CifarResNet(nn.Module):
    """Residual network of He et al. 2016 (CVPR, section 4.2) with 6 n + 2 layers.

    Layers ``stem``, ``stage1`` to ``stage3`` (`width`, 2 and 4 times as many channels; every second halving of the
    map), ``pooled`` (mean over positions), ``head`` (logits).
    """

    def __init__(self, blocks: int = 2, width: int = 16, classes: int = 10) -> None:
        super().__init__()
        self.stem = nn.Sequential(
            nn.Conv2d(3, width, 3, 1, 1, bias=False), nn.BatchNorm2d(width), nn.ReLU(inplace=True)
        )
        self.stage1 = _stage(width, width, blocks, 1)
        self.stage2 = _stage(width, 2 * width, blocks, 2)
        self.stage3 = _stage(2 * width, 4 * width, blocks, 2)
        self.pooled = nn.Sequential(nn.AdaptiveAvgPool2d(1), nn.Flatten())
        self.head = nn.Linear(4 * width, classes)
        for layer in self.modules():
            if isinstance(layer, nn.Conv2d):
                nn.init.kaiming_normal_(layer.weight, mode="fan_out", nonlinearity="relu")

    def forward(self, images: Tensor) -> Tensor:
        """Return the logits (images, classes) of images (images, 3, rows, columns)."""
        return self.head(self.features(images))

    def features(self, images: Tensor) -> Tensor:
        """Return what the head sees of images: (images, 4 width)."""
        return self.pooled(self.stage3(self.stage2(self.stage1(self.stem(images)))))


def _stage(inputs: int, outputs: int, blocks: int, stride: int) -> nn.Sequential:
    first = Residual(inputs, outputs, stride)
    return nn.Sequential(first, *(Residual(outputs, outputs, 1) for _ in range(blocks - 1)))


class CifarArea(nn.Module):
    """A recurrent area as in CORnet-RT: what arrives is added to the state that the area was in one step before."""

    def __init__(self, inputs: int, outputs: int, kernel: int, groups: int = 8) -> None:
        super().__init__()
        self.conv_input = nn.Conv2d(inputs, outputs, kernel, 2, kernel // 2, bias=False)
        self.norm_input = nn.GroupNorm(groups, outputs)
        self.conv = nn.Conv2d(outputs, outputs, 3, 1, 1, bias=False)
        self.norm = nn.GroupNorm(groups, outputs)

    def forward(self, arriving: Tensor, state: Tensor | None) -> Tensor:
        """Return the output and the next state, half as wide, from input (images, inputs, rows, columns) and state."""
        drive = functional.relu(self.norm_input(self.conv_input(arriving)))
        return functional.relu(self.norm(self.conv(drive if state is None else drive + state)))


class CifarCORnet(nn.Module):
    """Recurrent network after CORnet-RT (Kubilius et al. 2018): areas ``V1, V2, V4, IT``, unrolled in biological time.

    In each of `steps` steps, an area sees what the one below put out the step before; V1 sees the image all the time.
    An area first runs when the first signal reaches it: V1 in step 0, IT in step 3, with 5 and 2 calls in 5 steps.
    """

    def __init__(self, widths: tuple[int, int, int, int] = (24, 48, 64, 80), steps: int = 5, classes: int = 10) -> None:
        super().__init__()
        v1, v2, v4, it = widths
        self.V1, self.V2 = CifarArea(3, v1, 5), CifarArea(v1, v2, 3)
        self.V4, self.IT = CifarArea(v2, v4, 3), CifarArea(v4, it, 3)
        self.steps = steps
        self.pooled = nn.Sequential(nn.AdaptiveAvgPool2d(1), nn.Flatten())
        self.head = nn.Linear(it, classes)

    def forward(self, images: Tensor) -> Tensor:
        """Return the logits (images, classes) of images (images, 3, rows, columns) after the last step."""
        return self.head(self.features(images))

    def features(self, images: Tensor) -> Tensor:
        """Return what the head sees of images: (images, channels of IT)."""
        areas = (self.V1, self.V2, self.V4, self.IT)
        outputs: list[Tensor | None] = [None] * len(areas)
        for _ in range(self.steps):
            arriving = [images, *outputs[:-1]]
            outputs = [
                state if below is None else area(below, state)
                for area, below, state in zip(areas, arriving, outputs, strict=True)
            ]
        last = outputs[-1]
        assert last is not None, "fewer steps than areas"
        return self.pooled(last)


Network = CifarResNet | CifarCORnet


def make_network(name: str, seed: int = 0) -> Network:
    """Return a network of this page with weights drawn with `seed`; the global random state is as before.

    Raises
    ------
    KeyError : no network of this name.
    """
    maker = NETWORKS[name]
    with draw_from(seed):
        return maker().eval()


NETWORKS: dict[str, Callable[[], Network]] = {"cifar-resnet": CifarResNet, "cifar-cornet": CifarCORnet}
