"""Networks that read, of the Hugging Face hub or of a folder, as subjects."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal

from torch import nn

from brainmark.core.registry import Entry
from brainmark.core.subject import Subject
from brainmark.models.activations.hooks import digest_of_weights
from brainmark.models.networks.seeds import twin
from brainmark.models.sources.libraries import HubText
from brainmark.models.sources.maker import Maker, configuration, digest_over
from brainmark.models.sources.resolve import ModelEntry, card_for
from brainmark.models.subjects.language import LanguageSubject, block_at
from brainmark.models.subjects.text_readout import Pool, TextReadout
from brainmark.models.subjects.text_regions import DEPTH, LANGUAGE_REGIONS
from brainmark.models.subjects.token_networks import TransformersNetwork
from brainmark.models.subjects.tokens import digest_of_tokenizer
from brainmark.models.zoo import USUAL, network

Weights = Literal["published", "random"]


def reading_model(name: str, source: HubText) -> ModelEntry:
    """Return the entry of a network that reads; all regions are read from its block at `DEPTH`, or as it is trained."""

    def content(made: nn.Module) -> str:  # what a name of the hub stands for can change there: all that counts is read
        told = digest_of_tokenizer(source.tokenizer()), encoder_of(source)
        return digest_over(digest_of_weights(made), configuration(made), *told)

    maker = Maker(lambda drawn: network(source, **drawn), content, USUAL)

    def make(
        weights: Weights = "published", seed: int = 0, regions: Mapping[str, str | TextReadout] | None = None
    ) -> Subject:
        made = maker.make({"weights": weights, "seed": seed})
        return from_source(twin(name, weights, seed), source, made, regions)

    card = card_for(
        name,
        what=f"{source.repository} of the Hugging Face hub",
        where=f"https://huggingface.co/{source.repository}",
        licence="see its page on the hub",
        degrees=None,
        domain="language",
        regions=LANGUAGE_REGIONS,
        summary=f"{source.repository} of the Hugging Face hub; read from its block at {DEPTH:.0%} of the depth.",
    )
    return Entry("model", name, make, card, maker.content)


def from_source(
    identifier: str, source: HubText, module: nn.Module, regions: Mapping[str, str | TextReadout] | None = None
) -> LanguageSubject:
    """Return a network of a source as a subject.

    A sentence encoder (one with ``modules.json``) is read as it is trained: pooled over the tokens of its pass, brought
    to unit length, and with the window that it was trained with.
    """
    told = encoder_of(source)
    reader = TransformersNetwork(module, told.get("window"))
    if regions is None:
        layer: Any = TextReadout(("output",), told["pool"], unit_length=told["unit"]) if told else None
        regions = dict.fromkeys(LANGUAGE_REGIONS, layer or block_at(reader.blocks()))
    return LanguageSubject(identifier, reader, source.tokenizer, regions)


def encoder_of(source: HubText) -> dict[str, Any]:
    """Return how a sentence encoder is read, as the files of the library sentence-transformers say; {} for others."""
    modules = source.described("modules.json")
    if not modules:
        return {}
    kinds = {str(m["type"]).rsplit(".", 1)[-1]: str(m["path"]) for m in modules}
    pooling = source.described(f"{kinds['Pooling']}/config.json") if "Pooling" in kinds else {}
    pools: dict[str, Pool] = {"mean_tokens": "all", "cls_token": "first", "lasttoken": "last"}
    pool = next((p for n, p in pools.items() if (pooling or {}).get(f"pooling_mode_{n}")), "all")
    longest = (source.described("sentence_bert_config.json") or {}).get("max_seq_length")
    return {"pool": pool, "unit": "Normalize" in kinds, "window": longest}


__all__ = ["encoder_of", "from_source", "reading_model"]
