"""Recurrent networks: areas in a row that are updated step by step, with input from below, themselves and above."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import Literal

from torch import Tensor, nn

Order = Literal["delayed", "sweep", "sweep after the first step"]
"""When an area sees what the one below answers.

``delay``: one step later, as signals take time between areas (the unrolling of a biological network);
``sweep``: in the same step, so that the first step is a feed-forward pass;
``sweep after the first step``: as sweep, but in the first step only the lowest area has input.
"""


class Area(nn.Module, ABC):
    """One area. Subclasses say how it is driven and how its state follows from the drive."""

    @abstractmethod
    def drive(self, below: Tensor) -> Tensor:
        """Return what the image, or the state of the area below, contributes to the next state."""

    def rest(self, image: Tensor) -> Tensor | None:
        """Return the drive before a signal has arrived; None: the area does not run until then."""
        del image
        return None

    @abstractmethod
    def forward(self, drive: Tensor, own: Tensor | None, above: Tensor | None, step: int) -> Tensor:
        """Return the next state, from the own last one and that of the area above (None: there is none)."""


def unroll(areas: Sequence[Area], images: Tensor, steps: int, order: Order = "delayed") -> Tensor:
    """Update all areas `steps` times and return the last state of the highest.

    Parameters
    ----------
    areas : lowest first.
    images : (stimuli, channels, rows, columns), shown at every step; or (stimuli, steps, channels, rows, columns).
    steps : number of updates. With delays, a signal reaches area i (from 0) at step i.
    order : see `Order`.

    Raises
    ------
    ValueError : too few steps to reach the highest area, or another number of frames.
    """
    needed = {"delayed": len(areas), "sweep": 1, "sweep after the first step": 2}[order]
    if steps < needed:
        raise ValueError(f"a signal needs {needed} steps to reach the highest of {len(areas)} areas, not {steps}")
    moving = images.ndim == 5
    if moving and images.shape[1] != steps:
        raise ValueError(f"{images.shape[1]} frames for {steps} steps")
    still = None if moving else areas[0].drive(images)  # the same at every step: computed once
    states: list[Tensor | None] = [None] * len(areas)
    for step in range(steps):
        before = list(states)
        frame = images[:, step] if moving else images
        for index, area in enumerate(areas):
            if index == 0:
                drive = area.drive(frame) if still is None else still
            else:
                held = order == "sweep after the first step" and step == 0
                below = None if held else (before if order == "delayed" else states)[index - 1]
                drive = area.rest(frame) if below is None else area.drive(below)
            if drive is not None:
                above = before[index + 1] if index + 1 < len(areas) else None
                states[index] = area(drive, before[index], above, step)
    last = states[-1]
    assert last is not None
    return last
