"""The screen: converts the pixels of a stimulus to the visual degrees of a model. Uses NumPy and Pillow only."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal

from brainmark.core.errors import InvalidStimuli
from brainmark.core.images import MID_GREY, as_rgb
from brainmark.core.libraries import Image, np

_ALMOST_A_PIXEL_EDGE = 1e-3  # stimulus edges closer to a pixel edge than this (pixels) are taken to lie on it

ChannelOrder = Literal["rgb", "bgr"]
"""Order of the colours in a pixel that enters a network."""


@dataclass(frozen=True)
class Screen:
    """A square field of view: `degrees` of visual angle across `size` pixels, fixation at its centre."""

    degrees: float
    size: int

    def __post_init__(self) -> None:
        if not (self.degrees > 0 and math.isfinite(self.degrees) and self.size > 0):
            raise ValueError(f"a field of view has positive degrees and size, not {self.degrees} and {self.size}")

    @property
    def pixels_per_degree(self) -> float:
        """Resolution."""
        return self.size / self.degrees

    def show(self, image: np.ndarray, degrees: float | None) -> np.ndarray:
        """Return what the model sees of a stimulus centred at fixation: uint8 (size, size, 3).

        A stimulus `degrees` wide keeps its visual angle: one smaller than the field of view is surrounded by mid
        grey, a larger one is cut. With None it fills the field of view with its shorter side. The stimulus is
        resampled once (bicubic, antialiased), and not at all if its resolution is that of the screen.
        """
        rgb = as_rgb(image)
        height, width = rgb.shape[:2]
        if degrees is not None and not (degrees > 0 and math.isfinite(degrees)):
            raise InvalidStimuli(f"a stimulus cannot be {degrees} degrees wide")
        # pixels of the stimulus in one pixel of the screen
        step = min(height, width) / self.size if degrees is None else width / degrees / self.pixels_per_degree
        if step > min(height, width):
            raise InvalidStimuli(
                f"a stimulus {degrees} degrees wide does not fill a pixel of the model "
                f"({self.degrees / self.size:.3g} degrees)"
            )
        across, down = _span(width, step, self.size), _span(height, step, self.size)
        canvas = np.full((self.size, self.size, 3), MID_GREY, np.uint8)
        canvas[down.first : down.last, across.first : across.last] = _resample(rgb, across, down)
        return canvas


@dataclass(frozen=True)
class _Span:
    """Screen pixels first..last (last excluded) and the part start..stop of the stimulus that they show."""

    first: int
    last: int
    start: float
    stop: float

    @property
    def copies_pixels(self) -> bool:
        return self.start.is_integer() and self.stop.is_integer() and self.last - self.first == self.stop - self.start


def _span(length: int, step: float, size: int) -> _Span:
    """Return where a side of `length` stimulus pixels, `step` to a screen pixel, falls on `size` screen pixels."""
    half = length / step / 2
    first = max(0, math.floor(size / 2 - half + _ALMOST_A_PIXEL_EDGE))
    last = min(size, math.ceil(size / 2 + half - _ALMOST_A_PIXEL_EDGE))
    start, stop = ((edge - size / 2) * step + length / 2 for edge in (first, last))
    near = step * _ALMOST_A_PIXEL_EDGE
    start, stop = (float(round(e)) if abs(e - round(e)) < near else e for e in (start, stop))
    return _Span(first, last, start, stop)


def _resample(rgb: np.ndarray, across: _Span, down: _Span) -> np.ndarray:
    """Resample the part of the stimulus that the spans name; what they name beyond its border is mid grey."""
    over = (_overhang(down, rgb.shape[0]), _overhang(across, rgb.shape[1]))
    if any(over):
        rgb = np.pad(rgb, ((over[0],) * 2, (over[1],) * 2, (0, 0)), constant_values=MID_GREY)
    top, bottom = down.start + over[0], down.stop + over[0]
    left, right = across.start + over[1], across.stop + over[1]
    if across.copies_pixels and down.copies_pixels:
        return rgb[int(top) : int(bottom), int(left) : int(right)]

    shape = (across.last - across.first, down.last - down.first)
    source = Image.fromarray(np.ascontiguousarray(rgb))
    return np.asarray(source.resize(shape, Image.Resampling.BICUBIC, box=(left, top, right, bottom)))


def _overhang(span: _Span, length: int) -> int:
    """Return grey pixels to put around a side: what the span shows beyond the stimulus, and the reach of the filter."""
    beyond = max(-span.start, span.stop - length)
    if beyond <= 0:
        return 0
    reach = 2 * max(1.0, (span.stop - span.start) / (span.last - span.first))
    return math.ceil(beyond + reach)
