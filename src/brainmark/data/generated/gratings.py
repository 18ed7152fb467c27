"""Sinusoidal gratings at stated degrees of visual angle, generated when asked for."""

from __future__ import annotations

import functools
import itertools
from collections.abc import Iterable
from dataclasses import dataclass

from brainmark.core.experiment import Experiment, Record, Setting
from brainmark.core.libraries import np, pd
from brainmark.core.stimuli import Stimuli


@dataclass(frozen=True)
class Grating:
    """One frame of a luminance grating around mid grey.

    Attributes
    ----------
    orientation : of the bars, degrees counter-clockwise from horizontal (0: horizontal bars).
    spatial_frequency : cycles per degree of visual angle.
    phase : at the image centre, degrees; a drifting grating is one cycle of phases.
    contrast : Michelson contrast, 0 to 1; 0 is the blank screen.
    """

    orientation: float
    spatial_frequency: float
    phase: float
    contrast: float = 1.0

    def render(self, degrees: float, pixels: int) -> np.ndarray:
        """Return uint8 (pixels, pixels, 3); the image spans `degrees`, its rows run downwards."""
        axis = ((np.arange(pixels) + 0.5) / pixels - 0.5) * degrees
        x, y = axis[None, :], axis[:, None]
        theta = np.deg2rad(self.orientation)
        across = x * np.sin(theta) + y * np.cos(theta)
        wave = np.cos(2 * np.pi * self.spatial_frequency * across + np.deg2rad(self.phase))
        grey = np.rint(127.5 * (1 + self.contrast * wave)).astype(np.uint8)
        return np.repeat(grey[..., None], 3, axis=2)


@dataclass(frozen=True)
class GratingFrames:
    """Gratings as `Media`."""

    gratings: tuple[Grating, ...]
    degrees: float
    pixels: int

    def __len__(self) -> int:
        return len(self.gratings)

    def __getitem__(self, index: int) -> np.ndarray:
        return self.gratings[index].render(self.degrees, self.pixels)


def drifting_gratings(
    orientations: Iterable[float],
    spatial_frequencies: Iterable[float],
    phases: int = 6,
    contrast: float = 1.0,
    degrees: float = 8.0,
    pixels: int = 224,
) -> Stimuli:
    """Return all combinations of orientation and spatial frequency, each drifting through one cycle, and a blank.

    The table has the columns orientation (degrees), spatial_frequency (cycles/degree), phase (degrees), contrast
    and blank (the uniform grey screen, which measures the spontaneous response).

    Raises
    ------
    ValueError : a spatial frequency is beyond what `pixels` can show (2 pixels a cycle).
    """
    orientations, spatial_frequencies = list(orientations), list(spatial_frequencies)
    nyquist = pixels / degrees / 2
    too_fine = [f for f in spatial_frequencies if f > nyquist]
    if too_fine:
        raise ValueError(f"{too_fine[0]:g} cycles/degree cannot be shown at {pixels} pixels over {degrees:g} degrees")
    steps = np.arange(phases) * 360 / phases
    gratings = [
        Grating(float(o), float(f), float(p), contrast)
        for o, f, p in itertools.product(orientations, spatial_frequencies, steps)
    ]
    names = [f"o{g.orientation:g}-f{g.spatial_frequency:.3g}-p{g.phase:g}" for g in gratings]
    table = pd.DataFrame([vars(g) | {"blank": False} for g in gratings], index=names)
    blank = Grating(0.0, float(spatial_frequencies[0]), 0.0, 0.0)
    table.loc["blank"] = vars(blank) | {"blank": True}
    table = table.astype({"blank": bool}).rename_axis("stimulus_id")
    frames = GratingFrames((*gratings, blank), degrees, pixels)
    return Stimuli("drifting gratings", "image", table, frames)


@functools.cache
def v1_tuning() -> Experiment:
    """Return the experiment that measures tuning in V1: units near fixation, drifting gratings of 8 degrees.

    12 orientations (15 degrees apart), 10 spatial frequencies (half octaves, 0.42 to 9.5 cycles/degree: the centres
    of the bins of De Valois, Albrecht & Thorell 1982 and one beyond on either side), 6 phases, full contrast, blank.
    """
    stimuli = drifting_gratings(np.arange(0, 180, 15), 2.0 ** (np.arange(-2.5, 7.5) / 2), phases=6)
    return Experiment(stimuli, Record("V1", eccentricity=0.15), Setting(degrees=8.0))
