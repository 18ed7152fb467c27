"""Pixels: the image itself, as the simplest control."""

from __future__ import annotations

from typing import TYPE_CHECKING

from brainmark.core.cards import ModelCard
from brainmark.core.registry import models

if TYPE_CHECKING:
    import xarray as xr

    from brainmark.core.experiment import Experiment
    from brainmark.core.subject import Subject

DEGREES = 8.0
SIZE = 32  # 3072 values: enough to see layout and colour, few enough for a regression on hundreds of stimuli
REGIONS = ("V1", "V2", "V4", "IT")


class Pixels:
    """Red, green and blue (0-1) of each pixel of a field of view 8 degrees and 32 pixels wide, for every region."""

    identifier = "pixels"

    def perform(self, experiment: Experiment) -> xr.DataArray:
        """Record: presentation x neuroid [x time_bin], float32."""
        import numpy as np

        from brainmark.models.commitment import asked_record
        from brainmark.models.screen import Screen
        from brainmark.models.units import Units, grid, near_fixation, recording, tiles

        ask = asked_record(experiment, self.identifier, REGIONS)
        screen, media = Screen(DEGREES, SIZE), experiment.stimuli.media
        x, y = grid(tiles(SIZE, DEGREES), -tiles(SIZE, DEGREES))
        kept = slice(None) if ask.eccentricity is None else near_fixation(x, y, ask.eccentricity)
        units = Units("pixels", 3, x[kept], y[kept])
        values = np.empty((len(media), units.count), np.float32)
        for row in range(len(media)):
            frame = screen.show(media[row], experiment.setting.degrees)
            values[row] = frame.reshape(SIZE * SIZE, 3)[kept].T.reshape(-1)
        return recording(values / np.float32(255), units, experiment)


@models.add(
    "pixels",
    card=ModelCard(
        summary="The pixels of the image (32 x 32, RGB): what can be predicted without any model.",
        licence="MIT",
        cite="@misc{brainmark_pixels, title={Pixels: the image itself as a control}, "
        "author={{The Brainmark developers}}, year={2026}}",
        domain="vision",
        family="pixels",
        regions=REGIONS,
        degrees=DEGREES,
        tags=("baseline", "control"),
    ),
)
def pixels() -> Subject:
    """Return the subject."""
    return Pixels()
