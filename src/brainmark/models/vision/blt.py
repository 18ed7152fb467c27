"""BLT: convolutional networks with bottom-up, lateral and top-down connections."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from brainmark.core.cards import ModelCard
from brainmark.core.registry import models
from brainmark.core.subject import Subject
from brainmark.models.subjects.vision import IMAGENET_MEAN, IMAGENET_STD, Head, Readout, Steps, VisionSubject
from brainmark.models.zoo import REGIONS

if TYPE_CHECKING:
    from brainmark.models.networks.blt import Kind

DEGREES = 8.0
CITE = """@article{spoerer2017,
  title = {Recurrent convolutional neural networks: a better model of biological object recognition},
  author = {Spoerer, Courtney J. and McClure, Patrick and Kriegeskorte, Nikolaus},
  journal = {Frontiers in Psychology}, volume = {8}, pages = {1551}, year = {2017}, doi = {10.3389/fpsyg.2017.01551}
}
@article{kietzmann2019,
  title = {Recurrence is required to capture the representational dynamics of the human visual system},
  author = {Kietzmann, Tim C. and Spoerer, Courtney J. and S{\\"o}rensen, Lynn K. A. and Cichy, Radoslaw M. and
            Hauk, Olaf and Kriegeskorte, Nikolaus},
  journal = {Proceedings of the National Academy of Sciences},
  volume = {116}, number = {43}, pages = {21854--21863}, year = {2019}, doi = {10.1073/pnas.1905544116}
}"""
ONSET, STEP = 50.0, 20.0  # ms: when V1 begins, and what passes from step to step; not published, stated here
_POOLS = {"V1": 14, "V2": 10, "V4": 7, "IT": None}


def _card(connections: str, *tags: str) -> ModelCard:
    return ModelCard(
        summary=f"Untrained network of four areas with {connections} connections.",
        licence="MIT",
        cite=CITE,
        domain="vision",
        family="blt",
        regions=REGIONS,
        degrees=DEGREES,
        tags=("ventral-stream", "untrained", *tags),
    )


@models.add("blt-b", card=_card("bottom-up"))
def blt_b(weights: Literal["random"] = "random", seed: int = 0) -> Subject:
    """Return the subject: the feed-forward control of the others."""
    return _subject("blt-b", "B", weights, seed)


@models.add("blt-bl", card=_card("bottom-up and lateral", "recurrent"))
def blt_bl(weights: Literal["random"] = "random", seed: int = 0) -> Subject:
    """Return the subject."""
    return _subject("blt-bl", "BL", weights, seed)


@models.add("blt-bt", card=_card("bottom-up and top-down", "recurrent"))
def blt_bt(weights: Literal["random"] = "random", seed: int = 0) -> Subject:
    """Return the subject."""
    return _subject("blt-bt", "BT", weights, seed)


@models.add("blt-blt", card=_card("bottom-up, lateral and top-down", "recurrent"))
def blt_blt(weights: Literal["random"] = "random", seed: int = 0) -> Subject:
    """Return the subject."""
    return _subject("blt-blt", "BLT", weights, seed)


def _subject(name: str, kind: Kind, weights: str, seed: int) -> Subject:
    from brainmark.models.networks.blt import STEPS, blt
    from brainmark.models.networks.seeds import twin

    def time(index: int) -> Steps | None:  # area i begins i steps after V1
        return None if kind == "B" else Steps(ONSET + STEP * index, STEP, STEPS - index)

    def begin(index: int) -> float:  # pooling pairs of pixels moves each area's first unit by half of one below
        return 0.5 + 4 * (2**index - 1) / 2

    regions = {
        region: Readout(f"areas.{region}.output", _POOLS[region], begin(i), 4.0 * 2**i, time(i))
        for i, region in enumerate(REGIONS)
    }
    return VisionSubject(
        twin(name, weights, seed, usual="random"),
        lambda: blt(kind, seed),
        regions,
        degrees=DEGREES,
        mean=IMAGENET_MEAN,
        std=IMAGENET_STD,
        head=Head(),
    )
