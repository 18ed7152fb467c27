"""Small networks trained on CIFAR-10 by ``brainmark train``: shipped ones, and any run of one's own.

``checkpoint:PATH`` is a model for every checkpoint that training writes: ``PATH`` is the file, or the folder of a run.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from brainmark.core.cards import ModelCard
from brainmark.core.errors import DataError
from brainmark.core.libraries import nn
from brainmark.core.registry import Entry, models
from brainmark.core.subject import Subject
from brainmark.data.fetch import file_digest
from brainmark.data.readers.cifar10 import LABELS
from brainmark.models.sources.trained import MEAN, STD, SUFFIX, load_network, locate, read_facts
from brainmark.models.sources.trained_text import is_text_run
from brainmark.models.subjects.vision import Head, Readout, Steps, VisionSubject
from brainmark.models.zoo import REGIONS

if TYPE_CHECKING:
    from collections.abc import Callable


DEGREES, SIZE = 8.0, 32
WEIGHTS = Path(__file__).parents[1] / "weights"
PREFIX = "checkpoint:"
SHIPPED = {  # sha256; made by the recipe of the same name, seed 0, one thread
    "cifar-resnet": "d52fee3b5f5106ecc49672bf9fed2d2e5dbe890f65b2f95a93495ec7352a5ecb",
}
Weights = Literal["published", "random"]

CIFAR_10 = """@techreport{krizhevsky2009,
  title = {Learning multiple layers of features from tiny images},
  author = {Krizhevsky, Alex}, institution = {University of Toronto}, year = {2009}}"""
RESNET = """@inproceedings{he2016,
  title = {Deep residual learning for image recognition},
  author = {He, Kaiming and Zhang, Xiangyu and Ren, Shaoqing and Sun, Jian}, booktitle = {CVPR}, year = {2016}}"""
CORNET = """@article{kubilius2018,
  title = {{CORnet}: modeling the neural mechanisms of core object recognition},
  author = {Kubilius, Jonas and Schrimpf, Martin and Nayebi, Aran and Bear, Daniel and Yamins, Daniel L. K. and
            DiCarlo, James J.},
  journal = {bioRxiv}, year = {2018}, doi = {10.1101/408385}}"""


def _card(summary: str, family: str, cite: str, *tags: str) -> ModelCard:
    return ModelCard(
        summary=summary,
        licence="MIT",
        cite=f"{cite}\n{CIFAR_10}",
        domain="vision",
        family=family,
        regions=REGIONS,
        degrees=DEGREES,
        tags=("small", *tags),
    )


@models.add(
    "cifar-resnet",
    card=_card(
        "ResNet-14 (0.17 M parameters) trained here to name the objects of 9,500 CIFAR-10 images.", "resnet", RESNET
    ),
)
def cifar_resnet(weights: Weights = "published", seed: int = 0) -> Subject:
    """Return the subject: weights of the recipe `cifar-resnet`, or drawn with `seed`."""
    return _subject("cifar-resnet", "cifar-resnet", weights, seed)


def _subject(name: str, network: str, weights: Weights, seed: int, head: bool = True) -> Subject:
    """Return a shipped network, or its twin with random weights."""
    from brainmark.models.networks.seeds import twin

    def make() -> nn.Module:
        from brainmark.models.networks.cifar import make_network

        return make_network(network, seed) if weights == "random" else load_network(_shipped(name))

    return committed(twin(name, weights, seed), network, make, head=head)


def _shipped(name: str) -> Path:
    """Return the checkpoint that ships with the package, verified."""
    path = WEIGHTS / f"{name}{SUFFIX}"
    if not path.is_file() or file_digest(path) != SHIPPED[name]:
        raise DataError(f"shipped checkpoint {path}: is missing or has other bytes; reinstall brainmark")
    return path


def committed(identifier: str, network: str, make: Callable[[], nn.Module], head: bool) -> Subject:
    """Return a network as a subject with what it commits to.

    Parameters
    ----------
    identifier : of the subject.
    network : name in `brainmark.models.networks.cifar.NETWORKS`.
    make : makes it, when it is first needed.
    head : whether its logits name objects.
    """
    return VisionSubject(
        identifier,
        make,
        _regions(network),
        degrees=DEGREES,
        size=SIZE,
        mean=MEAN,
        std=STD,
        head=Head(classes=LABELS) if head else None,
        behavior="pooled",
    )


def _regions(network: str) -> dict[str, Readout]:
    """Regions of a network; the recurrent one reaches V1 50 ms after onset, and takes 20 ms from area to area."""
    if network == "cifar-cornet":
        return {
            region: Readout(region, pool=8, time=Steps(50.0 + 20.0 * i, 20.0, len(REGIONS) + 1 - i))
            for i, region in enumerate(REGIONS)
        }
    layers = {"V1": ("stem", 8), "V2": ("stage1", 8), "V4": ("stage2", 4), "IT": ("stage3", 4)}
    return {region: Readout(layer, pool=pool) for region, (layer, pool) in layers.items()}


@models.add_finder
def find_checkpoint(name: str) -> Entry[Subject, ModelCard] | None:
    """Return ``checkpoint:PATH`` as a model; None for other names.

    Raises
    ------
    DataError : there is no such checkpoint, or it is none of ours.
    """
    if not name.startswith(PREFIX) or re.search(r":random(=\d+)?$", name):  # of twins, the zoo knows
        return None

    given = Path(name.removeprefix(PREFIX)).expanduser()
    if is_text_run(given):  # a language model, which `brainmark.models.language.trained` finds
        return None
    path = locate(given)
    facts = read_facts(path)
    card = _card(
        f"{facts.recipe['name']}, seed {facts.seed}, after {facts.epoch} of {facts.recipe['epochs']} epochs; "
        f"file with sha256 {file_digest(path)}.",
        facts.network,
        CORNET if facts.network == "cifar-cornet" else RESNET,
        "checkpoint",
    )

    def checkpoint(weights: Weights = "published", seed: int = 0) -> Subject:
        """Return the subject: the weights of the file, or others drawn with `seed`."""
        from brainmark.models.networks.cifar import make_network
        from brainmark.models.networks.seeds import twin

        def make() -> nn.Module:
            return make_network(facts.network, seed) if weights == "random" else load_network(path)

        return committed(twin(name, weights, seed), facts.network, make, head=facts.names_objects)

    return Entry("model", name, checkpoint, card)
