"""Numbers of experiments and settings: each is finite, and within a range that an experiment can have."""

from __future__ import annotations

from numbers import Integral, Real
from typing import Any

from brainmark.core.errors import InvalidStimuli

Range = tuple[float, float]
DEGREES: Range = (1e-3, 360.0)
"""Width of a stimulus, and distance from fixation, in degrees of visual angle."""
MILLISECONDS: Range = (1e-3, 8.64e7)
"""A duration, up to a day."""
MOMENT: Range = (-8.64e7, 8.64e7)
"""A time in ms before or after the onset of a stimulus, up to a day."""
COUNT: Range = (1, 1_000_000)
SEED: Range = (0, 2**63 - 1)


def describe_range(within: Range, whole: bool = False) -> str:
    """Return in words which numbers are in a range."""
    low, high = (f"{edge:,.0f}" if abs(edge) >= 1 or edge == 0 else f"{edge:g}" for edge in within)
    return f"a {'whole ' if whole else ''}number from {low} to {high}"


def is_within(value: Any, within: Range, whole: bool = False) -> bool:
    """Return whether it is a number (no truth value), whole where that is asked, finite, and in the range."""
    if not isinstance(value, Integral if whole else Real) or value is True or value is False:
        return False
    return within[0] <= float(value) <= within[1]  # NaN is in no range


def check_number(
    owner: str, name: str, value: Any, within: Range, unit: str = "", whole: bool = False, optional: bool = False
) -> None:
    """Refuse what is no number of a range; None passes where it is `optional`.

    Raises
    ------
    InvalidStimuli : names the field and its value, and says what to give.
    """
    if (optional and value is None) or is_within(value, within, whole):
        return
    shown = repr(value) if len(repr(value)) <= 60 else repr(value)[:57] + "..."
    unknown = ", or None where it is not known" if optional else ""
    way_out = f"give {describe_range(within, whole)}{f' ({unit})' if unit else ''}{unknown}"
    raise InvalidStimuli(f"{owner}: {name} is {shown}; {way_out}")
