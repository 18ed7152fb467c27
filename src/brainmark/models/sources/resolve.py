"""Models by names that nobody registered: libraries, the hub, a function, an exported program, a file of descriptions.

==================================  ==========================================================
``NAME:random``, ``NAME:random=3``  the untrained twin of a model, drawn from a seed
``timm/resnet18.a1_in1k``           a network and weights of timm (without a tag: its usual ones)
``torchvision/resnet18``            the same of torchvision (``torchvision/resnet50.IMAGENET1K_V2``)
``hf/facebook/dinov2-small``        a network of the Hugging Face hub, or of a folder (``hf/./folder``)
``hf/openai-community/gpt2``        the same for networks that read, with their tokenizer
``vectors/glove.6B.300d.txt``       a table of word vectors (text of GloVe or word2vec)
``my_module:make_model``            what a function returns: a torch module or a subject
``path/to/network.pt2``             an exported program; ``network.toml`` beside it may describe it
``models.toml#name``                a description; see `brainmark.models.sources.toml_models`
==================================  ==========================================================
"""

from __future__ import annotations

import importlib
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

from brainmark.core.cards import ModelCard
from brainmark.core.errors import InvalidModel
from brainmark.core.registry import Entry, models
from brainmark.core.subject import Subject

LIBRARIES = ("timm", "torchvision", "hf", "vectors")
TWIN = re.compile(r"(?P<base>.+):random(?:=(?P<seed>\d+))?")
FUNCTION = re.compile(r"(?P<module>[A-Za-z_]\w*(?:\.[A-Za-z_]\w*)*):(?P<function>[A-Za-z_]\w*)")

ModelEntry = Entry["Subject", ModelCard]


@models.add_finder
def find_model(name: str) -> ModelEntry | None:
    """Return the entry of a name in one of the forms above; None for any other.

    Raises
    ------
    UnknownName : what the form leads to does not have it; with the nearest names.
    InvalidModel, DataError, MissingDependency : it cannot be read, and why.
    """
    if match := TWIN.fullmatch(name):
        return _twin(match["base"], int(match["seed"] or 0))
    library, slash, rest = name.partition("/")
    if slash and rest and library in LIBRARIES:
        return getattr(importlib.import_module("brainmark.models.sources.found_networks"), library)(name, rest)
    if name.endswith(".pt2"):
        return importlib.import_module("brainmark.models.sources.exported").exported(name)
    path, _, member = name.partition("#")
    if path.endswith(".toml"):
        return importlib.import_module("brainmark.models.sources.toml_models").described(name, Path(path), member)
    if match := FUNCTION.fullmatch(name):
        return importlib.import_module("brainmark.models.sources.own_functions").function(
            name, match["module"], match["function"]
        )
    return None


def _twin(base: str, seed: int) -> ModelEntry:
    """Return the untrained twin of a model whose factory can leave its weights random."""
    entry = models[base]
    if not {"weights", "seed"} <= set(entry.options):
        raise InvalidModel(f"{base!r} has no weights that were trained, and so no untrained twin {base + ':random'!r}")

    def make() -> Subject:
        return entry.load(weights="random", seed=seed)

    make.__module__, make.__qualname__ = entry.module, f"{entry.factory.__qualname__}:random"
    card = entry.card.model_copy(
        update={
            "summary": f"Untrained twin of {base}: random weights, seed {seed}.",
            "tags": (*dict.fromkeys((*entry.card.tags, "untrained", "control")),),
        }
    )
    name = f"{base}:random" if seed == 0 else f"{base}:random={seed}"
    return Entry("model", name, make, card, entry.content)


def card_for(name: str, *, what: str, where: str, licence: str, degrees: float | None, **changes: Any) -> ModelCard:
    """Return the card of a model that nobody registered: it says what is known, and how its layers were chosen."""
    key = re.sub(r"[^\w.-]+", "-", name).strip("-") or "model"
    title = what.replace("{", "(").replace("}", ")")
    fields: dict[str, Any] = {
        "summary": f"{what}; its layers stand for V1, V2, V4 and IT by their depth alone.",
        "licence": licence,
        "cite": f"@misc{{{key}, title = {{{title}}}, howpublished = {{{where}}}, year = {{n.d.}}}}",
        "domain": "vision",
        "family": library if (library := name.split("/")[0]) in LIBRARIES else "own",
        "regions": ("V1", "V2", "V4", "IT"),
        "degrees": degrees,
        "tags": ("found",),
    }
    return ModelCard(**{**fields, **changes})


Factory = Callable[..., Any]

__all__ = ["FUNCTION", "TWIN", "Factory", "ModelEntry", "card_for", "find_model"]
