"""Finds the source of a model by its name: a library, the hub, a function, a file, or the registry."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from brainmark.core.cards import ModelCard
from brainmark.core.registry import Entry, models
from brainmark.core.subject import Subject
from brainmark.data.fetch.places import expand
from brainmark.models.sources.checkpoint import checkpoint_at
from brainmark.models.sources.exported import Exported
from brainmark.models.sources.function import Function
from brainmark.models.sources.hub import Hub, Transformers
from brainmark.models.sources.source import NetworkSource, digest_over
from brainmark.models.sources.timm import Timm
from brainmark.models.sources.torchvision import Torchvision

ModelEntry = Entry[Subject, ModelCard]
LIBRARIES = ("timm", "torchvision", "hf", "vectors")
CHECKPOINT = "checkpoint:"
FUNCTION = re.compile(r"(?P<module>[A-Za-z_]\w*(?:\.[A-Za-z_]\w*)*):(?P<function>[A-Za-z_]\w*)")


@dataclass(frozen=True)
class Registered(NetworkSource):
    """The subject of a model that has a name of its own."""

    entry: ModelEntry

    @property
    def options(self) -> Mapping[str, Any]:
        """Its options."""
        return self.entry.options

    @property
    def code(self) -> str:
        """Name of the module that registered it."""
        return self.entry.module

    @property
    def content(self) -> Callable[[], str | None]:
        """Returns its digest; a model that is registered is known by its name."""
        entry = self.entry
        return lambda: digest_over(entry.name, entry.card.version, entry.content and entry.content())

    def make(self, options: Mapping[str, Any]) -> Any:
        """Return the subject."""
        return self.entry.load(**{n: v for n, v in options.items() if n in self.entry.options})

    def facts(self) -> dict[str, Any]:
        """Return what its card says."""
        card = self.entry.card
        return {"domain": card.domain, "regions": card.regions, "degrees": card.degrees, "family": card.family}


def find_source(text: str, folder: Path = Path(), arguments: Mapping[str, Any] | None = None) -> NetworkSource:
    """Return the source that a text names; paths are relative to `folder`. Raises UnknownName."""
    known: dict[str, Any] = dict(arguments or {})
    library, _, rest = text.partition("/")
    match library:
        case "timm":
            return Timm(rest, known)
        case "torchvision":
            return Torchvision(rest, known)
        case "transformers":
            return Transformers(rest, **known)
        case "hf":
            return Hub(rest, **known)
        case "package":
            return Hub(rest, **known)
        case _:
            pass
    if text.startswith(CHECKPOINT):
        return checkpoint_at(folder / expand(text.removeprefix(CHECKPOINT)), **known)
    if text.endswith(".pt2"):
        return Exported(folder / text)
    if (match := FUNCTION.fullmatch(text)) and match["function"] != "random":
        return Function(match["module"], match["function"], known)
    return Registered(models[text])


def card_for(name: str, *, what: str, where: str, licence: str, **changes: Any) -> ModelCard:
    """Return the card of a model that is not registered: what is known of it, and how its layers were chosen."""
    key = re.sub(r"[^\w.-]+", "-", name).strip("-") or "model"
    title = what.replace("{", "(").replace("}", ")")
    fields: dict[str, Any] = {
        "summary": f"{what}; its layers stand for V1, V2, V4 and IT by their depth alone.",
        "licence": licence,
        "cite": f"@misc{{{key}, title = {{{title}}}, howpublished = {{{where}}}, year = {{n.d.}}}}",
        "domain": "vision",
        "family": library if (library := name.split("/")[0]) in LIBRARIES else "own",
        "regions": ("V1", "V2", "V4", "IT"),
        "degrees": None,
        "tags": ("found",),
    }
    return ModelCard(**{**fields, **changes})
