"""Sparse coding: V1 as an efficient code of natural images."""

from __future__ import annotations

from typing import Literal

from brainmark.core.cards import ModelCard
from brainmark.core.registry import models
from brainmark.core.subject import Subject
from brainmark.models.subjects.vision import Readout, VisionSubject

DEGREES = 8.0
CITE = """@article{olshausen1996,
  title = {Emergence of simple-cell receptive field properties by learning a sparse code for natural images},
  author = {Olshausen, Bruno A. and Field, David J.},
  journal = {Nature}, volume = {381}, pages = {607--609}, year = {1996}, doi = {10.1038/381607a0}
}
@inproceedings{mairal2009,
  title = {Online dictionary learning for sparse coding},
  author = {Mairal, Julien and Bach, Francis and Ponce, Jean and Sapiro, Guillermo},
  booktitle = {International Conference on Machine Learning}, year = {2009}, doi = {10.1145/1553374.1553463}
}"""


@models.add(
    "sparse-coding",
    card=ModelCard(
        summary="Sparse codes of whitened patches with 192 elements learnt from photographs, 12 x 12 pixels each.",
        licence="MIT; two of the eight photographs are CC-BY-2.0 (danielbuechele and vultilion), the others CC0",
        cite=CITE,
        domain="vision",
        family="sparse-coding",
        regions=("V1", "V2", "V4", "IT"),
        degrees=DEGREES,
        tags=("baseline", "V1"),
    ),
)
def sparse_coding(weights: Literal["published", "random"] = "published", seed: int = 0) -> Subject:
    """Return the subject: with the dictionary that ships, or with random patterns in its place.

    Later regions are read from the same cells, averaged over larger places.
    """
    from brainmark.models.networks.seeds import twin
    from brainmark.models.networks.sparsecoding import SparseCoding, learnt_dictionary, random_dictionary

    pools = {"V1": 9, "V2": 7, "V4": 7, "IT": 4}
    return VisionSubject(
        twin("sparse-coding", weights, seed),
        lambda: SparseCoding(learnt_dictionary() if weights == "published" else random_dictionary(seed)),
        {region: Readout("v1", pool) for region, pool in pools.items()},
        degrees=DEGREES,
    )
