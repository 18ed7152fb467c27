"""Regions that subjects of language commit to. Standard library only."""

from __future__ import annotations

LANGUAGE_REGIONS: tuple[str, ...] = (
    "language_system",
    "language_system_left_hemisphere",
    "language_system_right_hemisphere",
    "LATL",
    "RATL",
    "LPTL",
    "LIPL",
    "LIFG",
    "LPreM",
)
"""Regions that data sets name: the language network as a whole, and areas of it (anterior and posterior temporal,
inferior parietal, inferior frontal, premotor)."""
DEPTH = 2 / 3
"""Share of the blocks that have run, past the middle, where maps found on recordings usually lie: not fitted."""

__all__ = ["DEPTH", "LANGUAGE_REGIONS"]
