"""Loads models by names that are not registered: libraries, the hub, functions, exported programs, descriptions.

==================================  ==========================================================
``NAME:random``, ``NAME:random=3``  the untrained twin of a model, drawn from a seed
``timm/resnet18.a1_in1k``           a network and weights of timm (without a tag: its usual ones)
``torchvision/resnet18``            the same of torchvision (``torchvision/resnet50.IMAGENET1K_V2``)
``hf/facebook/dinov2-small``        a network of the Hugging Face hub, or of a folder (``hf/./folder``)
``hf/openai-community/gpt2``        the same for language networks, with their tokenizer
``vectors/glove.6B.300d.txt``       a table of word vectors (text of GloVe or word2vec)
``my_module:make_model``            what a function returns: a torch module or a subject
``path/to/network.pt2``             an exported program; ``network.toml`` beside it may describe it
``checkpoint:PATH``                 a run of ``brainmark train``, or one of its checkpoints
``models.toml#name``                a description; see `brainmark.models.described.toml_files`
==================================  ==========================================================
"""

from __future__ import annotations

import copy
import dataclasses
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from brainmark.core.errors import DataError, InvalidModel
from brainmark.core.registry import Entry, models
from brainmark.core.subject import Subject
from brainmark.data.fetch import file_digest
from brainmark.models import described
from brainmark.models.described.model import DEGREES, DescribedModel, factory
from brainmark.models.described.toml_files import ZOO_FILE, beside_program, describe, describe_like
from brainmark.models.networks.seeds import draw_weights, twin
from brainmark.models.sources.checkpoint import ImageCheckpoint, TextCheckpoint
from brainmark.models.sources.names import CHECKPOINT, FUNCTION, LIBRARIES, ModelEntry, card_for, find_source
from brainmark.models.sources.source import Maker
from brainmark.models.sources.torch_libraries import need_torch
from brainmark.models.subjects.language import LanguageSubject
from brainmark.models.subjects.readout import LANGUAGE_REGIONS
from brainmark.models.subjects.token_networks import as_token_network
from brainmark.models.subjects.vision import VisionSubject
from brainmark.models.subjects.word_vectors import read_vectors, vector_subject

TWIN = re.compile(r"(?P<base>.+):random(?:=(?P<seed>\d+))?")


@models.add_finder
def find_model(name: str) -> ModelEntry | None:
    """Return the entry of a name in one of the forms above; None for any other.

    Raises
    ------
    UnknownName : what the form leads to does not have it; with the nearest names.
    InvalidModel, DataError, MissingDependency : it cannot be read, and why.
    """
    if match := TWIN.fullmatch(name):
        if TWIN.fullmatch(match["base"]):  # a twin has none
            return None
        return _twin(match["base"], int(match["seed"] or 0))
    path, _, member = name.partition("#")
    if path.endswith(".toml"):
        return describe(name, Path(path), member)
    if name.startswith(CHECKPOINT):
        return _checkpoint(name)
    library, _, rest = name.partition("/")
    if library == "vectors" and rest:
        return _vectors(name, Path(rest))
    if (library in LIBRARIES and rest) or name.endswith(".pt2") or FUNCTION.fullmatch(name):
        beside = Path(name).with_suffix(".toml") if name.endswith(".pt2") else None
        return beside_program(name, beside) if beside and beside.is_file() else _find(name)
    return None


def _find(name: str) -> ModelEntry:
    """Return a network of a source; its layers are chosen by depth unless they are given as an option."""
    need_torch()
    source = find_source(name)
    source.check()
    maker = Maker(source)
    ours = {"regions": None} if source.takes_text() else {"size": None, "regions": None}

    def load(options: Mapping[str, Any]) -> Subject:
        spec = {n: options[n] for n in ours if n not in source.options and options[n] is not None}
        given = {n: v for n, v in options.items() if n not in ours or n in source.options}
        identifier = twin(name, str(given.get("weights", "published")), int(given.get("seed", 0)))
        return described.build(identifier, maker.make(given), source, spec)

    content = source.content or (None if source.named else maker.content)
    make = factory(load, {**ours, **source.options}, source.code)
    facts: dict[str, Any] = {"degrees": DEGREES, **source.facts()}
    return Entry("model", name, make, card_for(name, **facts), content)


def _checkpoint(name: str) -> ModelEntry:
    """Return a checkpoint of ``brainmark train``, described as the shipped network of its kind."""
    source = find_source(name)
    assert isinstance(source, ImageCheckpoint | TextCheckpoint)
    spec = describe_like(ZOO_FILE, {"source": name, "tags": ["small", "checkpoint"], **source.table()})
    model = DescribedModel(name, source, spec, Path())
    return Entry("model", name, factory(model.load, model.options, source.code), spec.card(), source.content)


def _vectors(name: str, path: Path) -> ModelEntry:
    """Return a table of word vectors, a text file of GloVe or word2vec."""
    if not path.is_file():
        raise DataError(f"{name}: there is no file {path}")
    what = f"Word vectors of {path.name}"
    card = card_for(
        name, what=what, where=path.name, licence="not stated", domain="language", regions=LANGUAGE_REGIONS,
        summary=f"{what}: the mean over the words of a part.",
    )  # fmt: skip
    make = factory(lambda _: vector_subject(name, lambda: read_vectors(path)), {}, __name__)
    return Entry("model", name, make, card, lambda: file_digest(path))


def _twin(base: str, seed: int) -> ModelEntry:
    """Return the untrained twin of a model, whose weights its source draws; or, of one that was found, we do.

    Raises
    ------
    InvalidModel : a registered model says that none of its weights were trained.
    """
    entry = models[base]
    name = f"{base}:random" if seed == 0 else f"{base}:random={seed}"
    drawn = {"weights", "seed"} <= set(entry.options)
    if not drawn and base in models:
        raise InvalidModel(f"{base!r} has no weights that were trained, and so no untrained twin {base + ':random'!r}")

    def load(_: Mapping[str, Any]) -> Subject:
        return entry.load(weights="random", seed=seed) if drawn else _make_untrained(name, entry.load(), seed)

    make = factory(load, {}, entry.module)
    make.__qualname__ = f"{entry.factory.__qualname__}:random"
    card = entry.card.model_copy(
        update={
            "summary": f"Untrained twin of {base}: random weights, seed {seed}.",
            "tags": (*dict.fromkeys((*entry.card.tags, "untrained", "control")),),
        }
    )
    stated = {**entry.parameters, "twin of": base, "seed": seed}
    return Entry("model", name, make, card, entry.content, stated)


def _make_untrained(name: str, subject: Subject, seed: int) -> Subject:
    """Return a subject whose network is a copy with random weights. Raises InvalidModel."""
    if isinstance(subject, VisionSubject):
        module = network = copy.deepcopy(subject.module)
    elif isinstance(subject, LanguageSubject):
        module = copy.deepcopy(subject.module)
        network = as_token_network(module, subject.token_network.window)
    else:
        raise InvalidModel(
            f"{name}: a {type(subject).__name__} is no torch network, and has no weights that could be drawn"
        )
    draw_weights(module, seed)
    return dataclasses.replace(subject, identifier=name, network=network)
