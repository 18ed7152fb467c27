"""Turns a network and its description into a subject, for names of any source, files, and the zoo."""

from __future__ import annotations

import dataclasses
import inspect
import warnings
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from brainmark.core.errors import InvalidModel
from brainmark.core.libraries import nn
from brainmark.core.subject import Subject
from brainmark.models.described.depth import guess_layers
from brainmark.models.described.description import ModelDescription
from brainmark.models.networks.seeds import twin
from brainmark.models.sources.function import as_language_pair, performs
from brainmark.models.sources.hub import Hub
from brainmark.models.sources.source import USUAL, Maker, NetworkSource
from brainmark.models.sources.torch_libraries import need_torch
from brainmark.models.subjects.arguments import lacks_tokenizer
from brainmark.models.subjects.coerce import as_subject
from brainmark.models.subjects.language import LanguageSubject, block_at
from brainmark.models.subjects.readout import LANGUAGE_REGIONS, Readout
from brainmark.models.subjects.token_networks import as_token_network
from brainmark.models.subjects.vision import IMAGENET_MEAN, IMAGENET_STD, VisionSubject

DEGREES = 8.0
POOL = 14
"""Maps larger than this many rows and columns are averaged to them: early layers have millions of units."""
SEEN: Mapping[str, Any] = {"degrees": DEGREES, "size": 224, "mean": IMAGENET_MEAN, "std": IMAGENET_STD, "head": None}
"""How a network sees if nothing is known of it."""


def factory(load: Callable[[Mapping[str, Any]], Subject], options: Mapping[str, Any], module: str) -> Any:
    """Return a function for the registry with these options, that calls `load` with all of them."""

    def make(**given: Any) -> Subject:
        return load({**options, **given})

    keyword = inspect.Parameter.KEYWORD_ONLY
    parameters = [inspect.Parameter(name, keyword, default=value) for name, value in options.items()]
    make.__signature__ = inspect.Signature(parameters)  # pyright: ignore[reportFunctionMemberAccess]
    make.__module__ = module
    return make


@dataclass(frozen=True)
class DescribedModel:
    """A network of a source, with its description.

    Attributes
    ----------
    name : of the model.
    source : of the network.
    spec : the description.
    folder : of the description; its files lie there.
    """

    name: str
    source: NetworkSource
    spec: ModelDescription
    folder: Path

    @property
    def options(self) -> Mapping[str, Any]:
        """What can be chosen when the model is loaded, with the usual values."""
        if self.spec.options is not None:
            return self.spec.options
        return USUAL if self.spec.domain or "weights" in self.source.options else {}

    @cached_property
    def maker(self) -> Maker:
        """Makes the network of the source."""
        return Maker(self.source)

    def load(self, options: Mapping[str, Any]) -> Subject:
        """Return the subject.

        A description that states its domain is complete: nothing is asked of the source, and a network without
        trained weights is made when it is first needed. Any other is completed by what the source knows.
        """
        need_torch()
        spec, identifier = self.spec, self.name
        if "weights" in options:
            identifier = twin(self.name, options["weights"], options.get("seed", 0), str(self.options["weights"]))
        network: Any = self.make(options) if options.get("weights") == "published" else lambda: self.make(options)
        if spec.domain == "vision" and spec.regions:
            return VisionSubject(identifier, network, **spec.fields(False), stochastic=options.get("noise", False))
        if spec.domain == "language" and spec.layer:
            return LanguageSubject(identifier, network, self.source.tokenizer, **spec.fields(True))
        made = network if options.get("weights") == "published" else network()
        fields = spec.fields(
            self.source.takes_text() or as_language_pair(made) is not None or isinstance(made, LanguageSubject)
        )
        subject = build(identifier, made, self.source, fields)
        if not isinstance(subject, VisionSubject | LanguageSubject):
            raise InvalidModel(f"source is {spec.source!r}: it has no layers that can be recorded")
        return dataclasses.replace(subject, identifier=identifier)

    def make(self, options: Mapping[str, Any]) -> Any:
        """Return what the source makes, with the weights that the description names."""
        spec, own = self.spec, self.spec.weights and options.get("weights", "published") == "published"
        made = self.maker.make({**options, "weights": "random"} if own and "weights" in options else options)
        if isinstance(made, VisionSubject | LanguageSubject):  # its network is made now, to be changed
            made = dataclasses.replace(
                made, network=made.module if isinstance(made, VisionSubject) else made.token_network
            )
        module: Any = made.module if performs(made) else (as_language_pair(made) or (made,))[0]
        for layer in spec.without:
            module.set_submodule(layer, nn.Identity())
        if own and spec.weights:
            spec.weights.locate(self.folder).put_into(module)
        return made


def build(identifier: str, made: Any, source: NetworkSource, spec: Mapping[str, Any]) -> Subject:
    """Return what a source made as a subject: what is not spec, the source knows, or it is chosen by depth.

    Raises
    ------
    InvalidModel : it is neither a network nor a subject, or a language network without its tokenizer.
    """
    if isinstance(made, nn.Module) and source.takes_text():
        made = made, source.tokenizer
    if pair := as_language_pair(made):
        return _build_language(identifier, *pair, source, spec)
    if isinstance(made, nn.Module) and not performs(made) and not lacks_tokenizer(made):
        return _build_vision(identifier, made, source, spec)
    try:
        subject = as_subject(made, identifier)
    except TypeError as error:
        raise InvalidModel(f"{identifier}: {error}") from error
    if "window" in spec and isinstance(subject, LanguageSubject):
        spec = {**spec, "network": subject.module}  # behind an interface with another window
    replaceable = isinstance(subject, VisionSubject | LanguageSubject)
    return dataclasses.replace(subject, **spec) if spec and replaceable else subject


def _build_vision(identifier: str, network: nn.Module, source: NetworkSource, spec: Mapping[str, Any]) -> VisionSubject:
    """Return a network as a vision subject; without `regions` a warning says which layers were chosen by depth."""
    fields: dict[str, Any] = {**SEEN, "behavior": "output", **source.preprocessing()}
    size = spec.get("size", fields["size"])
    if "regions" not in spec:
        guess = guess_layers(network, size)
        fields["regions"] = {region: Readout(layer, POOL) for region, layer in guess.regions.items()}
        fields["behavior"] = guess.last if fields["head"] else "output"
        chosen = ", ".join(f"{region} {layer}" for region, layer in guess.regions.items())
        warnings.warn(
            f"{identifier}: layers chosen by their depth alone ({chosen}); to choose others, say regions in a "
            "models.toml",
            stacklevel=2,
        )
    return VisionSubject(identifier, network, **{**fields, **spec})


def _build_language(
    identifier: str, network: nn.Module, tokenizer: Any, source: NetworkSource, spec: Mapping[str, Any]
) -> LanguageSubject:
    """Return a network as a language subject, from its block at `DEPTH` if no regions are given.

    A sentence encoder is recorded as it is trained: pooled over the tokens of its pass, brought to unit length, and
    with the window that it was trained with.
    """
    pooling = source.pooling() if isinstance(source, Hub) else {}
    module = as_token_network(network, spec.get("window") or pooling.get("window"))
    fields = dict(spec)
    if "regions" not in fields:
        encoder = Readout(("output",), pooling["pool"], unit_length=pooling["unit"]) if pooling else None
        fields["regions"] = dict.fromkeys(LANGUAGE_REGIONS, encoder or block_at(module.blocks()))
    return LanguageSubject(identifier, module, tokenizer, **fields)
