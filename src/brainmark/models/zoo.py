"""Families of ready-made networks: each is registered by name, with its layers, preprocessing, licence and citation.

A family file says what a network is; here that becomes a subject (one that sees; of those that read see `text_zoo`).
Nothing is imported from a library before a network is needed.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, ClassVar, Literal, Protocol, TypedDict

from brainmark.core.cards import Domain, ModelCard
from brainmark.core.errors import InvalidModel
from brainmark.core.libraries import nn
from brainmark.core.registry import models
from brainmark.core.subject import Subject
from brainmark.models.sources.libraries import Source

REGIONS = ("V1", "V2", "V4", "IT")
DEGREES = 8.0
POOL = 14
"""Maps larger than this many rows and columns are averaged to them: early layers have millions of units."""

Weights = Literal["published", "random"]
Pair = tuple[float, float, float]
IMAGENET: tuple[Pair, Pair] = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
CENTRED: tuple[Pair, Pair] = (0.5, 0.5, 0.5), (0.5, 0.5, 0.5)
"""Mean and standard deviation of the input channels: as usual for ImageNet, and to the range -1 to 1."""


class Commitment(TypedDict, total=False):
    """What the card of every network of a kind says: see `ModelCard`."""

    domain: Domain
    regions: tuple[str, ...]
    degrees: float


class Member(Protocol):
    """A network of a family, that sees or reads."""

    commitment: ClassVar[Commitment]
    tags: ClassVar[tuple[str, ...]]

    def subject(self, name: str, weights: str, seed: int) -> Subject:
        """Return the subject; untrained, it is a model of its own, whose name says so."""
        ...


@dataclass(frozen=True)
class Net:
    """What a network that sees is, beside where it comes from.

    Attributes
    ----------
    source : architecture and published weights.
    layers : the ones that stand for V1, V2, V4 and IT, in this order.
    behavior : the layer that choices are learnt from; usually the last before the classifier.
    imagenet : its output is one logit for each of the 1000 classes, in the order of their WordNet ids.
    size, channels : width of its input in pixels; mean and standard deviation of its channels.
    """

    commitment: ClassVar[Commitment] = {"domain": "vision", "regions": REGIONS, "degrees": DEGREES}
    tags: ClassVar[tuple[str, ...]] = ("imagenet",)
    source: Source
    layers: tuple[str, str, str, str]
    behavior: str
    imagenet: bool = True
    size: int = 224
    channels: tuple[Pair, Pair] = IMAGENET

    def subject(self, name: str, weights: str, seed: int) -> Subject:
        """Return the subject; untrained, it is a model of its own, whose name says so."""
        from brainmark.models.networks.seeds import twin
        from brainmark.models.subjects.vision import Head, Readout, VisionSubject

        mean, std = self.channels
        make = partial(network, self.source, weights, seed)
        return VisionSubject(
            twin(name, weights, seed),
            make() if weights == "published" else make,  # weights that cannot be had are told of at once
            {region: Readout(layer, POOL) for region, layer in zip(REGIONS, self.layers, strict=True)},
            degrees=DEGREES,
            size=self.size,
            mean=mean,
            std=std,
            head=Head() if self.imagenet else None,
            behavior=self.behavior,
        )


def network(source: Source, weights: str, seed: int) -> nn.Module:
    """Return a source's network with its published weights, or as drawn from `seed`; other draws are not disturbed."""
    from brainmark.models.networks.seeds import seeded

    if weights not in ("published", "random"):
        raise InvalidModel(f"weights is {weights!r}; give 'published' or 'random'")
    with seeded(seed):  # an architecture draws its weights also when they are then replaced
        made = source.untrained() if weights == "random" else source.trained()
    return made.eval()


USUAL: Mapping[str, Any] = {"weights": "published", "seed": 0}
"""What `network` is asked for if nothing else is said."""

NETS: dict[str, Member] = {}
"""All networks of the zoo, by the name that they are registered under."""


@dataclass(frozen=True)
class Family:
    """Networks of one design.

    Attributes
    ----------
    name : of the family.
    module : ``__name__`` of the file that registers it.
    licence, cite : of code and weights; BibTeX.
    tags : of all its networks.
    """

    name: str
    module: str
    licence: str
    cite: str
    tags: tuple[str, ...] = ()

    def add(self, name: str, summary: str, net: Member, tags: Sequence[str] = (), cite: str = "") -> None:
        """Register a network, with a citation of its own if it has one."""

        def make(weights: Weights = "published", seed: int = 0) -> Subject:
            return net.subject(name, weights, seed)

        make.__module__, make.__name__, make.__qualname__ = self.module, name, f"{self.name}[{name}]"
        card = ModelCard(
            summary=summary,
            licence=self.licence,
            cite=f"{cite}\n{self.cite}" if cite else self.cite,
            family=self.name,
            tags=(*net.tags, *self.tags, *tags),
            **net.commitment,
        )
        models.add(name, card=card)(make)
        NETS[name] = net

    def add_all(self, nets: Mapping[str, tuple[str, Member]]) -> None:
        """Register several: name -> (summary, network)."""
        for name, (summary, net) in nets.items():
            self.add(name, summary, net)


__all__ = [
    "CENTRED", "IMAGENET", "NETS", "POOL", "REGIONS", "USUAL", "Commitment", "Family", "Member", "Net", "network",
]  # fmt: skip
