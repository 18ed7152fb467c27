"""Families of networks that read: each is registered by name, with its layer, licence and citation.

Nothing is imported from a library before a network is needed.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING, Literal

from brainmark.core.cards import ModelCard
from brainmark.core.registry import models
from brainmark.models.text_regions import DEPTH, LANGUAGE_REGIONS

if TYPE_CHECKING:
    from brainmark.core.subject import Subject
    from brainmark.models.sources import HubText

Weights = Literal["published", "random"]


@dataclass(frozen=True)
class TextNet:
    """What a network that reads is.

    Attributes
    ----------
    repository : on the Hugging Face hub, or a function that returns the folder where it lies.
    layer : what all regions are read from; "": as sentence encoders are trained.
    """

    repository: str | Callable[[], str]
    layer: str = ""

    def source(self) -> HubText:
        """Return where it comes from."""
        from brainmark.models.sources import HubText

        return HubText(self.repository if isinstance(self.repository, str) else self.repository())

    def subject(self, name: str, weights: str, seed: int) -> Subject:
        """Return the subject; untrained, it is a model of its own, whose name says so."""
        from brainmark.models.found_language import from_source
        from brainmark.models.language_subject import LanguageSubject
        from brainmark.models.networks.seeds import twin
        from brainmark.models.zoo import network

        source, identifier = self.source(), twin(name, weights, seed)
        make = partial(network, source, weights, seed)
        if not self.layer:
            return from_source(identifier, source, make())
        # weights that cannot be had are told of at once
        regions = dict.fromkeys(LANGUAGE_REGIONS, self.layer)
        return LanguageSubject(identifier, make() if weights == "published" else make, source.tokenizer, regions)


@dataclass(frozen=True)
class TextFamily:
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
    tags: tuple[str, ...] = field(default=())

    def add(self, name: str, summary: str, net: TextNet) -> None:
        """Register a network."""

        def make(weights: Weights = "published", seed: int = 0) -> Subject:
            return net.subject(name, weights, seed)

        make.__module__, make.__name__, make.__qualname__ = self.module, name, f"{self.name}[{name}]"
        card = ModelCard(
            summary=summary,
            licence=self.licence,
            cite=self.cite,
            domain="language",
            family=self.name,
            regions=LANGUAGE_REGIONS,
            tags=self.tags,
        )
        models.add(name, card=card)(make)


def block(pattern: str, count: int, number: int | None = None) -> str:
    """Return the layer that stands for all regions: block `number`, or the one at `DEPTH` of `count` blocks."""
    return pattern.format((max(1, round(DEPTH * count)) if number is None else number + 1) - 1)


__all__ = ["TextFamily", "TextNet", "block"]
