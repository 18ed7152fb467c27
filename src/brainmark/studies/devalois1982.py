"""De Valois and colleagues 1982: preferred orientations and spatial frequencies in macaque V1, as published histograms.

The counts ship with the package. Orientation 0 is read as horizontal; the two cardinal bins differ little (66 and 77).
"""

from __future__ import annotations

from brainmark.core import DatasetCard, Setting, Source, datasets
from brainmark.core.dataset import Dataset
from brainmark.data.tables import histogram_of, read_table

CITE_ORIENTATION = """
@article{DeValois1982a,
  title = {The orientation and direction selectivity of cells in macaque visual cortex},
  author = {De Valois, Russell L. and Yund, E. William and Hepler, Norva},
  journal = {Vision Research},
  volume = {22}, number = {5}, pages = {531--544},
  year = {1982},
  doi = {10.1016/0042-6989(82)90112-2}
}
"""
CITE_FREQUENCY = """
@article{DeValois1982b,
  title = {Spatial frequency selectivity of cells in macaque visual cortex},
  author = {De Valois, Russell L. and Albrecht, Duane G. and Thorell, Lisa G.},
  journal = {Vision Research},
  volume = {22}, number = {5}, pages = {545--559},
  year = {1982},
  doi = {10.1016/0042-6989(82)90113-4}
}
"""


def _card(summary: str, cite: str, source: Source) -> DatasetCard:
    return DatasetCard(
        summary=summary,
        licence="facts, not protected",
        cite=cite,
        domain="vision",
        species=("macaque",),
        regions=("V1",),
        modality="image",
        sources=(source,),
        tags=("tuning",),
    )


ORIENTATION = _card(
    "Preferred orientation of 246 cells of macaque V1, in four bins.",
    CITE_ORIENTATION,
    Source(
        url="https://doi.org/10.1016/0042-6989(82)90112-2",
        sha256="e39e41f55156cab9ec3ddea04aadaf134d900800de321c80529e648d64864af4",
        size=483,
    ),
)
FREQUENCY = _card(
    "Preferred spatial frequency of 139 cells of macaque V1, in half-octave bins from 0.5 to 8 cycles/degree.",
    CITE_FREQUENCY,
    Source(
        url="https://doi.org/10.1016/0042-6989(82)90113-4",
        sha256="0be7fc203fe30bc0a3f20ea40c8500d03c3210379023f2b94881ae06c43ccbb2",
        size=483,
    ),
)


@datasets.add("DeValois1982.preferred_orientation", card=ORIENTATION)
def preferred_orientation() -> Dataset:
    """Numbers of cells: bin, degrees modulo 180."""
    return _study("preferred_orientation", ORIENTATION, "devalois1982_orientation.csv", "degrees")


@datasets.add("DeValois1982.preferred_spatial_frequency", card=FREQUENCY)
def preferred_spatial_frequency() -> Dataset:
    """Numbers of cells: bin, cycles/degree."""
    return _study("preferred_spatial_frequency", FREQUENCY, "devalois1982_spatial_frequency.csv", "cycles/degree")


def _study(name: str, card: DatasetCard, file: str, units: str) -> Dataset:

    histogram = histogram_of(read_table(file, card.sources[0]), name, units)
    return Dataset(f"DeValois1982.{name}", card, histogram, None, Setting())
