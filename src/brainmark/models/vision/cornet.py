"""CORnets: networks whose areas are those of the ventral stream."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from brainmark.core.cards import ModelCard
from brainmark.core.registry import models
from brainmark.core.subject import Subject
from brainmark.models.sources.libraries import Built, Published
from brainmark.models.subjects.vision import IMAGENET_MEAN, IMAGENET_STD, Head, Readout, Steps, VisionSubject
from brainmark.models.zoo import REGIONS, network

if TYPE_CHECKING:
    from brainmark.models.networks.cornet import Kind

DEGREES = 8.0
WEIGHTS = {  # file name: letter and first digits of the sha256
    "Z": "cornet_z-5c427c9c.pth",
    "R": "cornet_r-5930a990.pth",
    "RT": "cornet_rt-933c001c.pth",
    "S": "cornet_s-1d3f7974.pth",
}
_PLACE = "https://s3.amazonaws.com/cornet-models/"
CITE = """@article{kubilius2018,
  title = {{CORnet}: Modeling the neural mechanisms of core object recognition},
  author = {Kubilius, Jonas and Schrimpf, Martin and Nayebi, Aran and Bear, Daniel and Yamins, Daniel L. K.
            and DiCarlo, James J.},
  journal = {bioRxiv}, year = {2018}, doi = {10.1101/408385}
}
@inproceedings{kubilius2019,
  title = {Brain-like object recognition with high-performing shallow recurrent {ANNs}},
  author = {Kubilius, Jonas and Schrimpf, Martin and Kar, Kohitij and Rajalingham, Rishi and Hong, Ha and
            Majaj, Najib J. and Issa, Elias B. and Bashivan, Pouya and Prescott-Roy, Jonathan and Schmidt, Kailyn and
            Nayebi, Aran and Bear, Daniel and Yamins, Daniel L. K. and DiCarlo, James J.},
  booktitle = {Advances in Neural Information Processing Systems}, volume = {32}, year = {2019}
}"""
_POOLS = {"V1": 14, "V2": 10, "V4": 7, "IT": None}  # about ten thousand units for each region

# Steps to milliseconds. CORnet-S: as its authors committed it. Of -R and -RT only the order of areas is published:
# V1 begins with that of -S, and 20 ms pass from step to step, so that IT of -RT follows V1 by 60 ms.
ONSET, STEP, COUNT = 50.0, 20.0, 5


def _card(summary: str, *tags: str) -> ModelCard:
    return ModelCard(
        summary=summary,
        licence="MIT (this code); weights GPL-3.0",
        cite=CITE,
        domain="vision",
        family="cornet",
        regions=REGIONS,
        degrees=DEGREES,
        tags=("ventral-stream", "imagenet", *tags),
    )


@models.add("CORnet-Z", card=_card("One convolution and pooling for each of V1, V2, V4, IT; feed-forward."))
def cornet_z(weights: Literal["published", "random"] = "published", seed: int = 0) -> Subject:
    """Return the subject; 2,071,656 parameters."""
    return _subject("CORnet-Z", "Z", weights, seed, {})


@models.add("CORnet-R", card=_card("CORnet-RT with all areas updated in a row within a step.", "recurrent"))
def cornet_r(weights: Literal["published", "random"] = "published", seed: int = 0) -> Subject:
    """Return the subject; 5,208,936 parameters."""
    return _subject("CORnet-R", "R", weights, seed, _one_clock())


@models.add(
    "CORnet-RT", card=_card("V1, V2, V4, IT with recurrence inside and one step from area to area.", "recurrent")
)
def cornet_rt(weights: Literal["published", "random"] = "published", seed: int = 0) -> Subject:
    """Return the subject; 5,208,936 parameters."""
    return _subject("CORnet-RT", "RT", weights, seed, _one_clock())


@models.add("CORnet-S", card=_card("V1, then V2, V4, IT as bottlenecks run 2, 4, 2 times.", "recurrent"))
def cornet_s(weights: Literal["published", "random"] = "published", seed: int = 0) -> Subject:
    """Return the subject; 53,416,616 parameters."""
    return _subject("CORnet-S", "S", weights, seed, cornet_s_times())


def cornet_s_times() -> dict[str, Steps]:
    """Return when the runs of each area of CORnet-S stand for, as published with Brain-Score."""
    return {"V1": Steps(50, 100, 1), "V2": Steps(70, 100, 2), "V4": Steps(90, 50, 4), "IT": Steps(100, 100, 2)}


def _one_clock() -> dict[str, Steps]:

    return dict.fromkeys(REGIONS, Steps(ONSET, STEP, COUNT))


def _subject(name: str, kind: Kind, weights: str, seed: int, times: dict[str, Steps]) -> Subject:
    from brainmark.models.networks.cornet import cornet
    from brainmark.models.networks.seeds import twin

    file = WEIGHTS[kind]
    digits = file.split("-")[1].removesuffix(".pth")
    source = Published(Built(lambda: cornet(kind, seed)), _PLACE + file, digits, ("state_dict",), "module.")
    return VisionSubject(
        twin(name, weights, seed),
        lambda: network(source, weights, seed),
        readouts(times),
        degrees=DEGREES,
        mean=IMAGENET_MEAN,
        std=IMAGENET_STD,
        head=Head(),
    )


def readouts(times: dict[str, Steps]) -> dict[str, Readout]:
    """Return where the regions of any CORnet are read: its kernels are odd, so that maps begin at the first pixel."""
    return {
        region: Readout(f"{region}.output", _POOLS[region], first=0.5, step=4.0 * 2**index, time=times.get(region))
        for index, region in enumerate(REGIONS)
    }
