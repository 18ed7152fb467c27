"""Turns any object that a user passes as a model into a subject."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Protocol, cast, runtime_checkable

from brainmark.core.libraries import nn
from brainmark.core.registry import discover
from brainmark.core.subject import ADAPTERS, Subject
from brainmark.models.subjects.arguments import a_module_of, lacks_tokenizer
from brainmark.models.subjects.language import as_language_subject
from brainmark.models.subjects.readout import REGIONS, Readout
from brainmark.models.subjects.vision import IMAGENET_MEAN, IMAGENET_STD, VisionSubject


@runtime_checkable
class _Network(Protocol):
    """What a torch.nn.Module has, without loading torch."""

    def named_modules(self) -> Any: ...
    def forward(self, *inputs: Any) -> Any: ...


def as_subject(
    thing: object,
    identifier: str | None = None,
    *,
    regions: Mapping[str, str | Readout] | None = None,
    degrees: float | None = None,
    size: int | None = None,
    mean: tuple[float, ...] | None = None,
    std: tuple[float, ...] | None = None,
) -> Subject:
    """Return anything with `perform` as it is, a torch module as a `VisionSubject`, others by an adapter.

    A language network comes with its tokenizer: ``(network, tokenizer)``.
    What is not stated of a torch module is as usual, and named among its `guesses`: its output stands for V1, V2, V4
    and IT; inputs are 8 degrees and 224 pixels wide, and normalised as for ImageNet.

    Raises
    ------
    TypeError : neither a subject nor a module.
    InvalidModel : see `VisionSubject`.
    """
    if callable(getattr(thing, "perform", None)) and not isinstance(thing, type):
        if not isinstance(getattr(thing, "identifier", None), str):
            raise TypeError(f"{_describe(thing)} has `perform` but no `identifier` (a string); give it a name")
        return cast(Subject, thing)
    discover("model")  # plug-ins bring adapters
    if not isinstance(thing, type) and (adapted := next(filter(None, (a(thing, identifier) for a in ADAPTERS)), None)):
        return adapted
    if isinstance(thing, tuple) and len(pair := cast("tuple[Any, ...]", thing)) == 2 and isinstance(pair[0], _Network):
        return as_language_subject(
            identifier or type(pair[0]).__name__, cast(Any, pair[0]), pair[1], cast(Any, regions)
        )
    if lacks := lacks_tokenizer(thing):
        raise TypeError(lacks)
    if not isinstance(thing, _Network) or isinstance(thing, type):
        hint = "; call it first" if isinstance(thing, type) else a_module_of(thing)
        raise TypeError(
            f"{_describe(thing)} is not a subject: pass a torch.nn.Module, or an object with `identifier` and "
            f"`perform(experiment)`{hint}"
        )
    stated = {"regions": regions, "degrees": degrees, "size": size, "mean": mean, "std": std}
    usual = {"regions": dict.fromkeys(REGIONS, "output"), "degrees": 8.0, "size": 224}
    usual |= {"mean": IMAGENET_MEAN, "std": IMAGENET_STD}
    fields: dict[str, Any] = {name: usual[name] if value is None else value for name, value in stated.items()}
    guesses = tuple(name for name, value in stated.items() if value is None)
    return VisionSubject(identifier or type(thing).__name__, cast("nn.Module", thing), **fields, guesses=guesses)


def _describe(thing: object) -> str:
    return f"the class {thing.__name__}" if isinstance(thing, type) else f"a {type(thing).__name__}"
