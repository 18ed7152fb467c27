"""Checks of cards beyond those of their types."""

from __future__ import annotations

import re
from typing import Any, Protocol

from brainmark.core.cards import BenchmarkCard, Card, DatasetCard, ModelCard
from brainmark.testing.outcome import fail_if


class _HasCard(Protocol):
    @property
    def card(self) -> Any: ...


def card_is_complete(thing: _HasCard, /) -> None:
    """The card names licence, citation with year, regions once each, and what its kind needs."""
    card: Card = thing.card
    fail_if("\n" in card.summary, "the summary is one sentence on one line")
    fail_if(not re.search(r"\byear\s*=", card.cite), f"the BibTeX entry names no year: {card.cite[:60]!r}")
    if isinstance(card, ModelCard | DatasetCard):
        fail_if(any(not r.strip() for r in card.regions), "a region on the card is empty")
        twice = {r for r in card.regions if card.regions.count(r) > 1}
        fail_if(bool(twice), f"the card names region {min(twice, default='')!r} twice")
    if isinstance(card, ModelCard):
        blind = card.domain == "vision" and bool(card.regions) and card.degrees is None
        fail_if(blind, "the card of a vision model states its field of view: degrees=...")
    if isinstance(card, DatasetCard | BenchmarkCard):
        fail_if(any(not s.strip() for s in card.species), "a species on the card is empty")
