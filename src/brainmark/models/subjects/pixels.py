"""Pixels: the image itself, as the simplest control."""

from __future__ import annotations

from brainmark.core.cards import ModelCard
from brainmark.core.experiment import Experiment, Record
from brainmark.core.libraries import np, xr
from brainmark.core.registry import models
from brainmark.core.stimuli import Media
from brainmark.core.subject import Subject
from brainmark.models import subjects
from brainmark.models.subjects.readout import REGIONS, Readout
from brainmark.models.subjects.screen import Screen
from brainmark.models.subjects.units import Units, grid, near_fixation, recording, tiles

DEGREES = 8.0
SIZE = 32  # 3072 values: enough to see layout and colour, few enough for a regression on hundreds of stimuli


class Pixels:
    """Red, green and blue (0-1) of each pixel of a field of view 8 degrees and 32 pixels wide, for every region."""

    identifier = "pixels"

    def perform(self, experiment: Experiment) -> xr.DataArray:
        """Record: presentation x neuroid [x time_bin], float32. Choices are learnt from the pixels of examples."""
        degrees = experiment.setting.degrees
        if experiment.stimuli.modality == "image" and not isinstance(experiment.ask, Record):
            record, everything = (lambda media, _: self._see(media, degrees)), Readout("pixels")
            return subjects.Observer(self.identifier, record, behavior=everything).answer(experiment)
        ask = subjects.check_record(experiment, self.identifier, REGIONS)
        x, y = grid(tiles(SIZE, DEGREES), -tiles(SIZE, DEGREES))
        kept = slice(None) if ask.eccentricity is None else near_fixation(x, y, ask.eccentricity)
        values = self._see(experiment.stimuli.media, degrees, kept)
        return recording(values, Units("pixels", 3, x[kept], y[kept]), experiment)

    def _see(self, media: Media, degrees: float | None = None, kept: slice | np.ndarray = slice(None)) -> np.ndarray:
        """Return the pixels (stimuli, 3 x positions), channel by channel."""
        screen = Screen(DEGREES, SIZE)
        seen = [screen.show(media[row], degrees).reshape(SIZE * SIZE, 3)[kept].T.ravel() for row in range(len(media))]
        return np.stack(seen).astype(np.float32) / np.float32(255)


@models.add(
    "pixels",
    card=ModelCard(
        summary="The pixels of the image (32 x 32, RGB): what can be predicted without any model.",
        licence="MIT",
        cite="brainmark_pixels",
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
