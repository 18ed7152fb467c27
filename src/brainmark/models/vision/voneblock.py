"""VOneBlock: the V1 front end of VOneNets."""

from __future__ import annotations

from brainmark.core.cards import ModelCard
from brainmark.core.registry import models
from brainmark.core.subject import Subject
from brainmark.models.subjects.vision import Readout, VisionSubject

DEGREES = 8.0
CITE = """@inproceedings{dapello2020,
  title = {Simulating a primary visual cortex at the front of {CNNs} improves robustness to image perturbations},
  author = {Dapello, Joel and Marques, Tiago and Schrimpf, Martin and Geiger, Franziska and Cox, David D.
            and DiCarlo, James J.},
  booktitle = {Advances in Neural Information Processing Systems},
  volume = {33}, pages = {13073--13087}, year = {2020}
}"""


@models.add(
    "voneblock",
    card=ModelCard(
        summary="256 simple and 256 complex cells with parameters drawn from macaque V1 (up to 8 cpd), without noise.",
        licence="MIT",
        cite=CITE,
        domain="vision",
        family="vonenet",
        regions=("V1", "V2", "V4", "IT"),
        degrees=DEGREES,
        tags=("V1",),
    ),
)
def voneblock(seed: int = 0, noise: bool = False) -> Subject:
    """Return the subject; cells are drawn with `seed`, with `noise` their trials differ as those of neurons do.

    Later regions are read from the same cells, averaged over larger places.
    """
    from brainmark.models.networks.vone import VOneBlock

    pools = {"V1": 9, "V2": 7, "V4": 7, "IT": 4}
    return VisionSubject(
        "voneblock",
        lambda: VOneBlock(seed=seed, noise="neuronal" if noise else "none"),
        {region: Readout("v1", pool, first=0.5, step=4.0) for region, pool in pools.items()},
        degrees=DEGREES,
        mean=(0.5, 0.5, 0.5),
        std=(0.5, 0.5, 0.5),
        stochastic=noise,
    )
