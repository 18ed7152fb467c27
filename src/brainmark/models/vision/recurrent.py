"""Feed-forward networks as recurrent ones: the blocks of a stage become one block that runs again and again."""

from __future__ import annotations

from typing import Literal

from brainmark.core.cards import ModelCard
from brainmark.core.libraries import nn
from brainmark.core.registry import models
from brainmark.core.subject import Subject
from brainmark.models.sources.torch_libraries import torchvision
from brainmark.models.subjects.vision import IMAGENET_MEAN, IMAGENET_STD, Head, Readout, Steps, VisionSubject
from brainmark.models.zoo import POOL, REGIONS

DEGREES = 8.0
CITE = """@article{liao2016,
  title = {Bridging the gaps between residual learning, recurrent neural networks and visual cortex},
  author = {Liao, Qianli and Poggio, Tomaso}, year = {2016}, journal = {arXiv}, eprint = {1604.03640}
}"""
_RUNS = {"V1": 2, "V2": 3, "V4": 5, "IT": 2}  # of the block that repeats in each of the four stages of ResNet-50
_ONSETS = {"V1": 50.0, "V2": 70.0, "V4": 90.0, "IT": 100.0}  # ms, as of CORnet-S; the runs share the 200 ms after it
_SPAN = 200.0


@models.add(
    "resnet-50_tied",
    card=ModelCard(
        summary="Untrained ResNet-50 whose equal blocks share weights: in each stage one block runs again and again.",
        licence="MIT (this code); architecture of torchvision BSD-3-Clause",
        cite=CITE,
        domain="vision",
        family="recurrent",
        regions=REGIONS,
        degrees=DEGREES,
        tags=("untrained", "recurrent"),
    ),
)
def resnet50_tied(weights: Literal["random"] = "random", seed: int = 0) -> Subject:
    """Return the subject; any other network is made recurrent by `networks.tying.tied`."""
    from brainmark.models.networks.seeds import seeded, twin
    from brainmark.models.networks.tying import tied

    def network() -> nn.Module:
        with seeded(seed):
            return tied(torchvision().models.resnet50(weights=None)).eval()

    regions = {
        region: Readout(f"layer{stage}.1.block", POOL, time=Steps(_ONSETS[region], _SPAN / runs, runs))
        for stage, (region, runs) in enumerate(_RUNS.items(), 1)
    }
    return VisionSubject(
        twin("resnet-50_tied", weights, seed, usual="random"),
        network,
        regions,
        degrees=DEGREES,
        mean=IMAGENET_MEAN,
        std=IMAGENET_STD,
        head=Head(),
        behavior="avgpool",
    )
