"""VOneNets: networks whose first layers are a model of V1."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from brainmark.core.cards import ModelCard
from brainmark.core.registry import models
from brainmark.core.subject import Subject
from brainmark.models.sources.libraries import Built, Published
from brainmark.models.subjects.vision import Head, Readout, VisionSubject
from brainmark.models.vision.cornet import cornet_s_times, readouts
from brainmark.models.vision.voneblock import CITE, DEGREES
from brainmark.models.zoo import CENTRED, POOL, REGIONS, network

if TYPE_CHECKING:
    from collections.abc import Mapping


_PLACE = "https://vonenet-models.s3.us-east-2.amazonaws.com/"  # whose files carry no hash


def _card(back_end: str, *tags: str) -> ModelCard:
    return ModelCard(
        summary=f"VOneBlock (256 simple and 256 complex cells, with noise) in front of {back_end}.",
        licence="MIT (this code); weights GPL-3.0",
        cite=CITE,
        domain="vision",
        family="vonenet",
        regions=REGIONS,
        degrees=DEGREES,
        tags=("V1", "imagenet", "stochastic", *tags),
    )


@models.add("vonealexnet", card=_card("AlexNet"))
def vonealexnet(weights: Literal["published", "random"] = "published", seed: int = 0, noise: bool = True) -> Subject:
    """Return the subject; without `noise` every trial is the same."""
    regions = _stages("model.features.2", "model.features.6", "model.features.9")
    return _subject("vonealexnet", "alexnet", regions, weights, seed, noise)


@models.add("voneresnet-50", card=_card("ResNet-50"))
def voneresnet50(weights: Literal["published", "random"] = "published", seed: int = 0, noise: bool = True) -> Subject:
    """Return the subject; without `noise` every trial is the same."""
    regions = _stages("model.layer2", "model.layer3", "model.layer4")
    return _subject("voneresnet-50", "resnet50", regions, weights, seed, noise)


@models.add("vonecornet-s", card=_card("CORnet-S", "recurrent"))
def vonecornet_s(weights: Literal["published", "random"] = "published", seed: int = 0, noise: bool = True) -> Subject:
    """Return the subject; without `noise` every trial is the same. Later areas are committed to time as CORnet-S."""
    from dataclasses import replace

    later = readouts(cornet_s_times())
    regions = _stages() | {r: replace(later[r], layer=f"model.{later[r].layer}") for r in REGIONS[1:]}
    return _subject("vonecornet-s", "cornets", regions, weights, seed, noise)


def _stages(*layers: str) -> dict[str, Readout]:
    """V1 is read from the block, the others from these layers."""
    later = {region: Readout(layer, POOL) for region, layer in zip(REGIONS[1:], layers, strict=False)}
    return {"V1": Readout("vone_block.v1", 9, first=0.5, step=4.0)} | later


def _subject(name: str, back_end: str, regions: Mapping[str, Readout], weights: str, seed: int, noise: bool) -> Subject:
    from brainmark.models.networks.seeds import twin
    from brainmark.models.networks.vone import VOneBlock
    from brainmark.models.networks.vonenet import BACK_ENDS, VOneNet

    def built() -> VOneNet:
        return VOneNet(VOneBlock(seed=seed, noise="neuronal" if noise else "none"), BACK_ENDS[back_end]())

    source = Published(Built(built), f"{_PLACE}vone{back_end}_e70.pth.tar", "", ("state_dict",), "module.")
    mean, std = CENTRED
    return VisionSubject(
        twin(name, weights, seed),
        lambda: network(source, weights, seed),
        regions,
        degrees=DEGREES,
        mean=mean,
        std=std,
        stochastic=noise,
        head=Head(),
    )
