"""Turns a network and its description into a subject, for names of any source, files, and the zoo."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from brainmark.core.errors import InvalidModel, UnknownName, warn
from brainmark.core.libraries import nn
from brainmark.core.subject import Subject
from brainmark.models.described.depth import guess_layers
from brainmark.models.described.model import DEGREES, DescribedModel
from brainmark.models.networks.seeds import twin
from brainmark.models.sources.function import as_language_pair, performs
from brainmark.models.sources.hub import Hub
from brainmark.models.sources.source import NetworkSource
from brainmark.models.sources.torch_libraries import need_torch
from brainmark.models.subjects.arguments import lacks_tokenizer
from brainmark.models.subjects.coerce import as_subject
from brainmark.models.subjects.language import LanguageSubject, block_at
from brainmark.models.subjects.readout import LANGUAGE_REGIONS, Readout
from brainmark.models.subjects.token_networks import as_token_network
from brainmark.models.subjects.vision import IMAGENET_MEAN, IMAGENET_STD, VisionSubject

POOL = 14
"""Maps larger than this many rows and columns are averaged to them: early layers have millions of units."""
SEEN: Mapping[str, Any] = {"degrees": DEGREES, "size": 224, "mean": IMAGENET_MEAN, "std": IMAGENET_STD, "head": None}
"""How a network sees if nothing is known of it."""


def load(model: DescribedModel, options: Mapping[str, Any]) -> Subject:
    """Return the subject.

    A description that states its domain is complete: nothing is asked of the source, and a network without
    trained weights is made when it is first needed. Any other is completed by what the source knows.
    """
    need_torch()
    spec, identifier = model.spec, model.name
    if "weights" in options:
        identifier = twin(model.name, options["weights"], options.get("seed", 0), str(model.options["weights"]))
    network: Any = _make(model, options) if options.get("weights") == "published" else lambda: _make(model, options)
    if spec.domain == "vision" and spec.regions:
        return VisionSubject(identifier, network, **spec.fields(False), stochastic=options.get("noise", False))
    if spec.domain == "language" and spec.layer:
        return LanguageSubject(identifier, network, model.source.tokenizer, **spec.fields(True))
    made = network if options.get("weights") == "published" else network()
    fields = spec.fields(
        model.source.takes_text() or as_language_pair(made) is not None or isinstance(made, LanguageSubject)
    )
    subject = build(identifier, made, model.source, fields)
    if not isinstance(subject, VisionSubject | LanguageSubject):
        raise InvalidModel(f"source is {spec.source!r}: it has no layers that can be recorded")
    return dataclasses.replace(subject, identifier=identifier)


def _make(model: DescribedModel, options: Mapping[str, Any]) -> Any:
    """Return what the source makes, with the weights that the description names."""
    spec, own = model.spec, model.spec.weights and options.get("weights", "published") == "published"
    made = model.maker.make({**options, "weights": "random"} if own and "weights" in options else options)
    if isinstance(made, VisionSubject | LanguageSubject):  # its network is made now, to be changed
        made = dataclasses.replace(made, network=made.module if isinstance(made, VisionSubject) else made.token_network)
    module: Any = made.module if performs(made) else (as_language_pair(made) or (made,))[0]
    for layer in spec.without:
        module.set_submodule(layer, nn.Identity())
    if own and spec.weights:
        spec.weights.locate(model.folder).put_into(module)
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
    if isinstance(subject, VisionSubject):
        spec = {**spec, "guesses": tuple(name for name in subject.guesses if name not in spec)}
    replaceable = isinstance(subject, VisionSubject | LanguageSubject)
    return dataclasses.replace(subject, **spec) if spec and replaceable else subject


def _build_vision(identifier: str, network: nn.Module, source: NetworkSource, spec: Mapping[str, Any]) -> VisionSubject:
    """Return a network as a vision subject; a warning says what had to be guessed."""
    known = source.preprocessing()
    fields: dict[str, Any] = {**SEEN, "behavior": "output", **known}
    size = spec.get("size", fields["size"])
    guesses = [name for name in (*SEEN, "behavior", "regions") if name not in {**known, **spec}]
    warned = []
    if "regions" not in spec:
        guess = guess_layers(network, size)
        fields["regions"] = {region: Readout(layer, POOL) for region, layer in guess.regions.items()}
        fields["behavior"] = guess.last if fields["head"] else "output"
        chosen = ", ".join(f"{region} {layer}" for region, layer in guess.regions.items())
        warned.append(f"layers chosen by their depth alone ({chosen})")
    if missing := [name for name in ("size", "mean", "std") if name in guesses]:
        warned.append(f"{', '.join(missing)} not stated, and taken to be usual for ImageNet")
    if warned:
        warn(
            f"{identifier}: {'; '.join(warned)}; to choose others, say them in a models.toml (brainmark show "
            f"{identifier})"
        )
    return VisionSubject(identifier, network, **{**fields, **spec}, guesses=tuple(guesses))


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


def check_layers(path: Path, member: str, subject: Subject) -> None:
    """Refuse layers that the network does not have, before anything is computed."""
    assert isinstance(subject, VisionSubject | LanguageSubject)
    named = {f"regions.{region}": where for region, where in subject.regions.items()}
    named |= {"behavior": subject.behavior} if subject.behavior else {}
    named |= {"head": subject.head.layer} if isinstance(subject, VisionSubject) and subject.head else {}
    known = [*(name for name, _ in subject.module.named_modules() if name), "output"]
    for field, where in named.items():
        names = where.layers if isinstance(where, Readout) else [getattr(where, "layer", where)]
        for layer in (str(name).partition("@")[0] for name in names):
            if layer not in known:
                raise UnknownName(f"layer in {path} [{member}] {field}", layer, known)


def check_kind(path: Path, model: DescribedModel, subject: Subject) -> None:
    """Refuse a subject of another domain, or another field of view, than the card of its file says."""
    spec = model.spec
    if isinstance(subject, LanguageSubject) and spec.domain != "language":
        raise InvalidModel(
            f'{path} [{model.name}]: domain is {spec.domain!r}; this is a language network: domain = "language"'
        )
    degrees = spec.degrees or DEGREES
    if isinstance(subject, VisionSubject) and subject.degrees != degrees:
        raise InvalidModel(f"{path} [{model.name}]: degrees is {spec.degrees!r}; the network's is {subject.degrees}")
