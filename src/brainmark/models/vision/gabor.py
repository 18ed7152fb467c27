"""Gabor bank: simple, complex and colour-opponent cells of V1."""

from __future__ import annotations

from brainmark.core.cards import ModelCard
from brainmark.core.registry import models
from brainmark.core.subject import Subject
from brainmark.models.subjects.vision import Readout, VisionSubject

DEGREES = 8.0
CITE = """@article{adelson1985,
  title = {Spatiotemporal energy models for the perception of motion},
  author = {Adelson, Edward H. and Bergen, James R.},
  journal = {Journal of the Optical Society of America A},
  volume = {2}, number = {2}, pages = {284--299}, year = {1985}, doi = {10.1364/JOSAA.2.000284}
}
@article{heeger1992,
  title = {Normalization of cell responses in cat striate cortex},
  author = {Heeger, David J.},
  journal = {Visual Neuroscience},
  volume = {9}, number = {2}, pages = {181--197}, year = {1992}, doi = {10.1017/S0952523800009640}
}"""


@models.add(
    "gabor",
    card=ModelCard(
        summary="Normalised Gabor energy (8 orientations, 7 frequencies from 0.5 to 9.2 cpd) and opponent colour.",
        licence="MIT",
        cite=CITE,
        domain="vision",
        family="gabor",
        regions=("V1", "V2", "V4", "IT"),
        degrees=DEGREES,
        tags=("baseline", "V1"),
    ),
)
def gabor() -> Subject:
    """Return the subject; later regions are read from its complex and colour cells, more coarsely."""
    from brainmark.models.networks.gabor import GaborBank

    regions = {
        "V1": Readout("v1", pool=10),
        "V2": Readout("energy", pool=7),
        "V4": Readout("energy", pool=4),
        "IT": Readout("energy", pool=4),
    }
    return VisionSubject("gabor", GaborBank, regions, degrees=DEGREES)
