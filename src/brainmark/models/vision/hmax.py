"""HMAX: the standard model of object recognition before deep networks."""

from __future__ import annotations

from brainmark.core.cards import ModelCard
from brainmark.core.registry import models
from brainmark.core.subject import Subject
from brainmark.models.subjects.vision import Readout, VisionSubject

DEGREES = 8.0
CITE = """@article{serre2007,
  title = {A feedforward architecture accounts for rapid categorization},
  author = {Serre, Thomas and Oliva, Aude and Poggio, Tomaso},
  journal = {Proceedings of the National Academy of Sciences},
  volume = {104}, number = {15}, pages = {6424--6429}, year = {2007}, doi = {10.1073/pnas.0700622104}
}
@article{riesenhuber1999,
  title = {Hierarchical models of object recognition in cortex},
  author = {Riesenhuber, Maximilian and Poggio, Tomaso},
  journal = {Nature Neuroscience},
  volume = {2}, number = {11}, pages = {1019--1025}, year = {1999}, doi = {10.1038/14819}
}"""


@models.add(
    "hmax",
    card=ModelCard(
        summary="HMAX with 8 x 100 templates from dead-leaves images (the published universal set has 8 x 400).",
        licence="MIT",
        cite=CITE,
        domain="vision",
        family="hmax",
        regions=("V1", "V2", "V4", "IT"),
        degrees=DEGREES,
        tags=("baseline", "hierarchy"),
    ),
)
def hmax(patches: int = 100, seed: int = 0) -> Subject:
    """Return the subject; `patches` templates of each of 8 sizes, drawn with `seed`."""
    from brainmark.models.networks.hmax import HMAX, LATTICE

    regions = {
        "V1": Readout("v1", pool=14, first=0.0, step=float(LATTICE)),
        "V2": Readout("c2_local"),
        "V4": Readout("c2_local"),
        "IT": Readout("c2"),
    }
    return VisionSubject("hmax", lambda: HMAX(patches, seed), regions, degrees=DEGREES)
