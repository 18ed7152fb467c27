"""De Valois 1982: preferred orientations and spatial frequencies of macaque V1. The tables ship with the package."""

from __future__ import annotations

from brainmark.benchmarks.tuning import register_tuning

register_tuning(
    "DeValois1982.V1-orientation",
    "DeValois1982.preferred_orientation",
    "preferred_orientation",
    "preferred orientation",
)
register_tuning(
    "DeValois1982.V1-spatial_frequency",
    "DeValois1982.preferred_spatial_frequency",
    "preferred_spatial_frequency",
    "preferred spatial frequency",
)
