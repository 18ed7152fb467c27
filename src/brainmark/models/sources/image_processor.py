"""What an image processor of transformers does to pixels, measured on plain colours.

Processors have dozens of fields (``rescale_factor``, ``do_normalize``, ``do_flip_channel_order``, ...), and each class
takes others. For a network that sees a whole field of view only this matters: which size it is given, and what becomes
of red, green and blue.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from brainmark.core.errors import InvalidModel
from brainmark.core.libraries import Image, np
from brainmark.models.subjects.screen import ChannelOrder

_SIDE = 512  # pixels of the pictures whose size a processor changes
_COLOURS = ((0, 0, 0), (255, 0, 0), (0, 255, 0), (0, 0, 255))
_MIXED = (51, 102, 204)
_ROUNDING = 1e-3  # of the difference between black and white


@dataclass(frozen=True)
class PixelScale:
    """What a network is given.

    Attributes
    ----------
    size : of the input, in pixels.
    mean, std : of red, green and blue (0-1), subtracted and divided by.
    channels : order in which they are given.
    """

    size: int
    mean: tuple[float, float, float]
    std: tuple[float, float, float]
    channels: ChannelOrder


def measure_processor(processor: Any, owner: str, usual: int = 224) -> PixelScale:
    """Return what a processor makes of pictures of one colour.

    Parameters
    ----------
    owner : what errors call the network.
    usual : size of the input where the processor leaves pictures as large as they are.

    Raises
    ------
    InvalidModel : it makes anything but one square picture of three channels, each a scaled colour.
    """
    name = f"{owner}: its image processor ({type(processor).__name__})"
    size = _show(processor, _MIXED, _SIDE, name).shape[-1]
    if size == _SIDE or size != _show(processor, _MIXED, _SIDE // 2, name).shape[-1]:
        size = _show(processor, _MIXED, usual, name).shape[-1]
    black, *ends = (_show(processor, colour, size, name).mean((1, 2)) for colour in _COLOURS)
    slopes = np.array([end - black for end in ends])  # (colour, channel)
    largest = np.abs(slopes).max()
    mixed = black + np.array(_MIXED) / 255 @ slopes
    error = np.abs(mixed - _show(processor, _MIXED, size, name).mean((1, 2))).max()
    if not largest > 0 or not error <= 2 * _ROUNDING * largest:
        raise _refuse(name, "does not scale the colours of a picture alike whatever it shows")
    orders: tuple[tuple[ChannelOrder, Sequence[int]], ...] = (("rgb", (0, 1, 2)), ("bgr", (2, 1, 0)))
    for channels, order in orders:
        scale = slopes[range(3), order]
        rest = slopes.copy()
        rest[range(3), order] = 0
        if np.abs(rest).max() <= _ROUNDING * largest and (scale > 0).all():
            # without the rounding of single precision
            mean = [round(float(value), 6) + 0.0 for value in -black[list(order)] / scale]
            std = [float(f"{value:.7g}") for value in 1 / scale]
            return PixelScale(size, (mean[0], mean[1], mean[2]), (std[0], std[1], std[2]), channels)
    raise _refuse(name, "mixes red, green and blue, as for grey pictures")


def _show(processor: Any, colour: tuple[int, int, int], side: int, name: str) -> Any:
    """Return what the network would be given (channels, rows, columns) of a picture of one colour."""
    try:
        made = processor(images=Image.new("RGB", (side, side), colour), return_tensors="pt")
        values = np.asarray(made["pixel_values"], np.float64)
    except Exception as error:  # whatever a processor raises that needs more than a picture
        raise _refuse(name, f"fails on a picture of one colour ({type(error).__name__}: {error})") from error
    if values.ndim != 4 or values.shape[:2] != (1, 3) or values.shape[2] != values.shape[3]:
        raise _refuse(name, f"makes {values.shape} of one square picture, not (1, 3, size, size)")
    return values[0]


def _refuse(name: str, what: str) -> InvalidModel:
    return InvalidModel(
        f"{name} {what}; write a function that makes a network which takes plain pictures, and name it module:function"
    )
