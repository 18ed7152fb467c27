"""Random variants of a batch of images, drawn from a generator of their own: the same seed, the same variants."""

from __future__ import annotations

import math

import torch
from torch import Generator, Tensor
from torch.nn import functional

_GREY = (0.299, 0.587, 0.114)  # luma of red, green and blue (ITU-R BT.601)


def as_floats(pixels: Tensor) -> Tensor:
    """Convert pixels (images, rows, columns, 3), uint8, to (images, 3, rows, columns), 0 to 1, channels last."""
    return pixels.permute(0, 3, 1, 2).float().div_(255)


def crop_and_flip(pixels: Tensor, generator: Generator, margin: int = 4) -> Tensor:
    """Shift each image by up to `margin` pixels (black comes in) and mirror every second: uint8 as before.

    He et al. 2016 (CVPR), section 4.2.
    """
    count, rows, columns, _ = pixels.shape
    padded = functional.pad(pixels, (0, 0, margin, margin, margin, margin))
    down, across = (torch.randint(0, 2 * margin + 1, (count, 1), generator=generator) for _ in range(2))
    mirrored = torch.rand((count, 1), generator=generator) < 0.5
    row = down + torch.arange(rows)
    column = torch.arange(columns).expand(count, -1)
    column = across + torch.where(mirrored, columns - 1 - column, column)
    return padded[torch.arange(count)[:, None, None], row[:, :, None], column[:, None, :]]


def simclr_view(images: Tensor, generator: Generator) -> Tensor:
    """Resize a crop, mirror it, change its colours or remove them: (images, 3, rows, columns), 0 to 1.

    Chen et al. 2020 (ICML), appendix A and section B.9 (CIFAR-10: no blur, half the colour strength).
    """
    return _colours(_resize_crop(images, generator), generator)


def _resize_crop(images: Tensor, generator: Generator, smallest: float = 0.2) -> Tensor:
    """Crop `smallest` to all of each image, 3/4 to 4/3 in aspect; enlarge it, and mirror it half of the time."""
    count = len(images)

    def uniform(low: float, high: float) -> Tensor:
        return low + (high - low) * torch.rand(count, generator=generator)

    area, aspect = uniform(smallest, 1), torch.exp(uniform(math.log(3 / 4), math.log(4 / 3)))
    width, height = (area * aspect).sqrt().clamp(max=1), (area / aspect).sqrt().clamp(max=1)
    x, y = uniform(-1, 1) * (1 - width), uniform(-1, 1) * (1 - height)
    sign = torch.where(uniform(0, 1) < 0.5, -1.0, 1.0)
    zero = torch.zeros(count)
    affine = torch.stack([torch.stack([sign * width, zero, x], 1), torch.stack([zero, height, y], 1)], 1)
    grid = functional.affine_grid(affine, list(images.shape), align_corners=False)
    return functional.grid_sample(images, grid, padding_mode="reflection", align_corners=False)


def _colours(images: Tensor, generator: Generator, strength: float = 0.5) -> Tensor:
    """Change brightness, contrast, saturation (0.8 x strength), hue (0.2 x strength) of 4 in 5; make a fifth grey."""
    count = len(images)

    def uniform(spread: float) -> Tensor:
        return (spread * (2 * torch.rand(count, generator=generator) - 1)).view(-1, 1, 1, 1)

    def some(share: float) -> Tensor:
        return (torch.rand(count, generator=generator) < share).view(-1, 1, 1, 1)

    weights = torch.tensor(_GREY).view(1, 3, 1, 1)
    jittered = images * (1 + uniform(0.8 * strength))
    mean = (jittered * weights).sum(1, keepdim=True).mean((2, 3), keepdim=True)
    jittered = mean + (jittered - mean) * (1 + uniform(0.8 * strength))
    grey = (jittered * weights).sum(1, keepdim=True)
    jittered = grey + (jittered - grey) * (1 + uniform(0.8 * strength))
    jittered = _turn_hue(jittered, 2 * math.pi * uniform(0.2 * strength).flatten())
    images = torch.where(some(0.8), jittered, images)
    grey = (images * weights).sum(1, keepdim=True).expand_as(images)
    return torch.where(some(0.2), grey, images).clamp(0, 1)


def _turn_hue(images: Tensor, angle: Tensor) -> Tensor:
    """Turn the colours of each image around the grey axis by an angle (images,), keeping luma (in YIQ)."""
    to_yiq = torch.tensor([_GREY, (0.5959, -0.2746, -0.3213), (0.2115, -0.5227, 0.3112)])
    cos, sin, one, zero = angle.cos(), angle.sin(), torch.ones_like(angle), torch.zeros_like(angle)
    rows = [torch.stack(row, 1) for row in ((one, zero, zero), (zero, cos, -sin), (zero, sin, cos))]
    turn = torch.linalg.inv(to_yiq) @ torch.stack(rows, 1) @ to_yiq
    return torch.einsum("nij,njyx->niyx", turn, images)
