"""How well filters are described by Gabors: place, orientation, frequency and bandwidth of each."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, fields

import numpy as np
import pytest
import scipy.optimize

_OCTAVE = math.sqrt(2 * math.log(2))  # half width at half height of a Gaussian, in standard deviations


@dataclass(frozen=True, eq=False)
class GaborFits:
    """Gabors fitted to filters, each (filters,).

    Attributes
    ----------
    explained : share of the filter's power (R^2 about zero) that the Gabor describes.
    x, y : centre in pixels, from that of the first pixel, right and down.
    orientation : of the bars, degrees counter-clockwise from horizontal, 0 to 180, first row on top.
    frequency : cycles per pixel.
    along, across : standard deviations of the envelope along and across the modulation, in pixels.
    phase : degrees, 0 to 360.
    """

    explained: np.ndarray
    x: np.ndarray
    y: np.ndarray
    orientation: np.ndarray
    frequency: np.ndarray
    along: np.ndarray
    across: np.ndarray
    phase: np.ndarray

    @property
    def octaves(self) -> np.ndarray:
        """Bandwidth of spatial frequency at half height; infinite for what passes the mean as well (low-pass)."""
        half = _OCTAVE / (2 * np.pi * self.along)
        with np.errstate(divide="ignore", invalid="ignore"):
            ratio = (self.frequency + half) / (self.frequency - half)
            return np.where(self.frequency > half, np.log2(np.abs(ratio)), np.inf)

    @property
    def degrees(self) -> np.ndarray:
        """Bandwidth of orientation: full width at half height of the tuning curve at the preferred frequency."""
        half = _OCTAVE / (2 * np.pi * self.across)
        return 2 * np.degrees(2 * np.arcsin(np.clip(half / (2 * self.frequency), 0, 1)))

    def take(self, chosen: np.ndarray) -> GaborFits:
        """Return some of them."""
        return GaborFits(*(getattr(self, f.name)[chosen] for f in fields(self)))


def fit_gabors(filters: np.ndarray) -> GaborFits:
    """Fit a Gabor to each filter (filters, side, side) by least squares, from several starts.

    The envelope is a Gaussian whose axes lie along and across the modulation (as Jones & Palmer 1987,
    J. Neurophysiol. 58:1233).
    """
    rows = [_fit(f / np.linalg.norm(f)) for f in np.asarray(filters, float)]
    return GaborFits(*np.array(rows).T)


def _fit(target: np.ndarray) -> tuple[float, ...]:

    side = len(target)
    right, down = np.meshgrid(np.arange(side), np.arange(side))
    low = np.array([0, 0, -np.inf, 0.01, 0.3, 0.3])
    high = np.array([side - 1, side - 1, np.inf, 0.5, 2.0 * side, 2.0 * side])

    def residual(shape: np.ndarray) -> np.ndarray:
        return target.ravel() - _best(shape, target, right, down)[0].ravel()

    best: tuple[float, np.ndarray] | None = None
    for start in _starts(target, right, down):
        found = scipy.optimize.least_squares(residual, np.clip(start, low, high), bounds=(low, high), max_nfev=60)
        if best is None or found.cost < best[0]:
            best = (float(found.cost), found.x)
    assert best is not None
    x, y, angle, frequency, along, across = best[1]
    phase = np.degrees(np.arctan2(*_best(best[1], target, right, down)[1][::-1]))
    return 1 - 2 * best[0], x, y, np.degrees(angle) % 180, frequency, along, across, phase % 360


def _best(shape: np.ndarray, target: np.ndarray, right: np.ndarray, down: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The Gabor of this shape nearest to the target, and the weights of its cosine and minus its sine."""
    x, y, angle, frequency, along, across = shape
    u = (right - x) * np.sin(angle) + (down - y) * np.cos(angle)  # along the modulation
    v = (right - x) * np.cos(angle) - (down - y) * np.sin(angle)
    envelope = np.exp(-0.5 * ((u / along) ** 2 + (v / across) ** 2))
    pair = np.stack([envelope * np.cos(2 * np.pi * frequency * u), -envelope * np.sin(2 * np.pi * frequency * u)])
    flat = pair.reshape(2, -1)
    gram = flat @ flat.T
    weights = np.linalg.solve(gram + 1e-9 * np.trace(gram) * np.eye(2), flat @ target.ravel())
    return np.tensordot(weights, pair, 1), weights


def _starts(target: np.ndarray, right: np.ndarray, down: np.ndarray) -> list[np.ndarray]:
    """Centre and width of the power, frequency and orientation of the spectrum's peak; round, and twice as long."""
    power = target**2 / (target**2).sum()
    x, y = (power * right).sum(), (power * down).sum()
    width = max(np.sqrt((power * ((right - x) ** 2 + (down - y) ** 2)).sum() / 2), 0.7)
    size = 4 * len(target)
    spectrum = np.abs(np.fft.fft2(target, (size, size)))
    row, column = np.unravel_index(int(spectrum[: size // 2].argmax()), (size // 2, size))
    fx, fy = np.fft.fftfreq(size)[column], np.fft.fftfreq(size)[row]
    angle, frequency = np.arctan2(fx, fy), max(float(np.hypot(fx, fy)), 0.02)
    return [np.array([x, y, angle, frequency, width, width * longer]) for longer in (1.0, 2.0)]


@pytest.fixture(scope="session", name="fit_gabors")
def give_fit_gabors() -> Callable[[np.ndarray], GaborFits]:
    return fit_gabors
