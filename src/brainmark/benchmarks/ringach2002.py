"""Ringach 2002: tuning of 304 cells of macaque V1; and two landmarks of it that ship with the package."""

from __future__ import annotations

from brainmark.benchmarks.tuning import register_tuning

CELLS = {
    "circular_variance": "circular variance of orientation tuning",
    "orthogonal_preferred": "the response at the orientation orthogonal to the preferred one, over that at it,",
    "orthogonal_less_variance": "the same share, less circular variance: two measures of selectivity compared,",
    "orientation_bandwidth": "the half width of orientation tuning at 1/sqrt(2) of the peak",
    "modulation_ratio": "the modulation by drifting gratings (F1/F0)",
    "max_dc": "the mean rate at the best grating, with the model's median mapped on that of the cells,",
}
SUMMARY = ("circular_variance", "modulation_ratio")

for _name, _meaning in CELLS.items():
    register_tuning(f"Ringach2002.V1-{_name}", f"Ringach2002.{_name}", _name, _meaning)
for _name in SUMMARY:
    _meaning = f"{CELLS[_name]} (two bins)"
    register_tuning(f"Ringach2002.V1.summary-{_name}", f"Ringach2002.summary.{_name}", _name, _meaning)
