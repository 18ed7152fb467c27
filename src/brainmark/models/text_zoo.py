"""Ready-made networks that read, for a `zoo.Family`: where each comes from, and the layer that stands for regions.

Nothing is imported from a library before a network is needed.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import ClassVar

from brainmark.core.subject import Subject
from brainmark.models.sources.libraries import HubText
from brainmark.models.subjects.language import LanguageSubject
from brainmark.models.subjects.text_regions import DEPTH, LANGUAGE_REGIONS
from brainmark.models.zoo import Commitment, network


@dataclass(frozen=True)
class TextNet:
    """What a network that reads is.

    Attributes
    ----------
    repository : on the Hugging Face hub, or a function that returns the folder where it lies.
    layer : what all regions are read from; "": as sentence encoders are trained.
    """

    commitment: ClassVar[Commitment] = {"domain": "language", "regions": LANGUAGE_REGIONS}
    tags: ClassVar[tuple[str, ...]] = ()
    repository: str | Callable[[], str]
    layer: str = ""

    def source(self) -> HubText:
        """Return where it comes from."""
        return HubText(self.repository if isinstance(self.repository, str) else self.repository())

    def subject(self, name: str, weights: str, seed: int) -> Subject:
        """Return the subject; untrained, it is a model of its own, whose name says so."""
        from brainmark.models.networks.seeds import twin
        from brainmark.models.sources.found_language import from_source

        source, identifier = self.source(), twin(name, weights, seed)
        make = partial(network, source, weights, seed)
        if not self.layer:
            return from_source(identifier, source, make())
        # weights that cannot be had are told of at once
        regions = dict.fromkeys(LANGUAGE_REGIONS, self.layer)
        return LanguageSubject(identifier, make() if weights == "published" else make, source.tokenizer, regions)


def block(pattern: str, count: int, number: int | None = None) -> str:
    """Return the layer that stands for all regions: block `number`, or the one at `DEPTH` of `count` blocks."""
    return pattern.format((max(1, round(DEPTH * count)) if number is None else number + 1) - 1)


__all__ = ["TextNet", "block"]
