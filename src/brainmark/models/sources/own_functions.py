"""What a module of one's own makes or holds, as a model by name: ``my_module:make_model``."""

from __future__ import annotations

import functools
import importlib
import inspect
import sys
import warnings
from collections.abc import Callable, Hashable, Iterable, Mapping
from pathlib import Path
from types import ModuleType
from typing import Any, cast, get_args

from torch import nn

from brainmark.core.cards import Domain
from brainmark.core.errors import BrainmarkError, DataError, InvalidModel, ModelError, UnknownName
from brainmark.core.registry import Entry, models
from brainmark.core.subject import Subject
from brainmark.models.activations.hooks import digest_of_weights
from brainmark.models.networks.seeds import draws_from, twin
from brainmark.models.sources.arguments import is_finite, lacks_tokenizer
from brainmark.models.sources.found_networks import DEGREES, Preprocessing, Regions, as_vision_subject
from brainmark.models.sources.maker import Maker, configuration, digest_over
from brainmark.models.sources.resolve import ModelEntry, card_for
from brainmark.models.sources.torch_libraries import with_torchvision
from brainmark.models.subjects.language import as_language_subject
from brainmark.models.subjects.text_regions import LANGUAGE_REGIONS
from brainmark.models.subjects.tokens import digest_of_tokenizer
from brainmark.models.subjects.vision import as_subject


def function(name: str, module: str, wanted: str) -> ModelEntry:
    """Return what a function makes, of a module that can be imported from here; it may have options of its own.

    It makes a network, a network that reads and its tokenizer, or a subject; the module may as well hold one of them.
    What it draws without a seed of its own comes from seed 0.

    Raises
    ------
    UnknownName, DataError, ModelError, InvalidModel : there is no such function, it needs options, or its module fails.
    """
    held_by = _imported(name, module)
    made: Any = _function_of(held_by, module, wanted)
    signature = inspect.signature(made)
    for parameter in signature.parameters.values():
        if parameter.default is parameter.empty and parameter.kind not in (
            parameter.VAR_POSITIONAL,
            parameter.VAR_KEYWORD,
        ):
            raise InvalidModel(f"{name}: its option {parameter.name!r} has no default; wrap it in a function without")
    ours = {"size": int | None, "regions": Regions | None}
    added = [
        inspect.Parameter(n, inspect.Parameter.KEYWORD_ONLY, default=None, annotation=a)
        for n, a in ours.items()
        if n not in signature.parameters
    ]
    maker = Maker(functools.partial(_called, name, made), _digest_of)

    @functools.wraps(made)
    def make(**options: Any) -> Subject:
        told = {p.name: options.pop(p.name, None) for p in added}
        identifier = twin(name, str(options.get("weights", "published")), int(options.get("seed", 0)))
        return _as_subject(name, identifier, maker.make(options), told)

    keywords = [p for p in signature.parameters.values() if p.kind is p.VAR_KEYWORD]
    plain = [p for p in signature.parameters.values() if p.kind is not p.VAR_KEYWORD]
    make.__signature__ = signature.replace(parameters=[*plain, *added, *keywords])  # pyright: ignore[reportAttributeAccessIssue]
    make.__module__ = module  # not where a decorator or a library defined it: this file may have changed
    known_of = _made_for if isinstance(made, Hashable) else _made_for.__wrapped__
    card = card_for(
        name,
        what=f"{wanted} of {module}",
        where=str(getattr(held_by, "__file__", module)),
        licence="not stated",
        summary=f"What {wanted} of {module} makes; the layers of a bare network are chosen by depth.",
        **known_of(made),
    )
    return Entry("model", name, make, card, maker.content)


def _called(name: str, made: Callable[..., Any], options: Mapping[str, Any]) -> Any:
    """Return what a function makes. Raises ModelError."""
    try:
        with draws_from(0):  # so that weights without a seed of their own are the same again
            return with_torchvision(lambda: made(**options))
    except BrainmarkError:
        raise
    except Exception as error:
        raise ModelError(f"{name}: the function failed: {type(error).__name__}: {error}") from error


def _function_of(held_by: ModuleType, module: str, wanted: str) -> Callable[..., Any]:
    """Return the function of a module, or one that returns the network or subject that the module holds."""
    known = {n: v for n, v in vars(held_by).items() if not n.startswith("_") and (callable(v) or _performs(v))}
    if wanted not in known:
        raise UnknownName(f"function of {module}", wanted, known)
    found: Any = known[wanted]
    if not isinstance(found, nn.Module) and not _performs(found):
        return found

    def held() -> Any:
        return found

    held.__name__ = held.__qualname__ = wanted
    return held


def _as_subject(name: str, identifier: str, thing: Any, told: Mapping[str, Any]) -> Subject:
    """Return what a function made as a subject."""
    if reader := _reader(thing):
        return as_language_subject(identifier, *reader, regions=told.get("regions"))
    if lacks := lacks_tokenizer(thing):
        raise InvalidModel(f"{name}: {lacks}")
    if isinstance(thing, nn.Module) and not _performs(thing):
        return as_vision_subject(identifier, thing, Preprocessing(), None, **told)
    try:
        return as_subject(thing, name)
    except TypeError as error:
        raise InvalidModel(f"{name}: {error}") from error


def _digest_of(thing: Any) -> str | None:
    """Digest of the weights of what a function made; None if they cannot be known."""
    if reader := _reader(thing):
        network, tokenizer = reader
        return digest_over(digest_of_weights(network), configuration(network), digest_of_tokenizer(tokenizer))
    if isinstance(thing, nn.Module) and not _performs(thing):
        return digest_of_weights(thing)
    digest = getattr(thing, "weights_digest", None)
    return digest if isinstance(digest, str) else None


@functools.lru_cache(16)
def _made_for(function: Callable[[], Any]) -> dict[str, Any]:
    """Domain, field of view and regions, for the card, of what a function makes; one that fails tells when it is used.

    A subject says its own: ``domain`` ("language"; without it "vision"), ``degrees``, ``regions``.
    """
    with warnings.catch_warnings(), draws_from(0):  # it is called again when it is loaded
        warnings.simplefilter("ignore")
        try:
            thing: Any = with_torchvision(function)
        except Exception:  # noqa: BLE001 - it is called again, and then the error is told
            thing = None
    domain = "language" if _reader(thing) else getattr(thing, "domain", "vision")
    if domain not in get_args(Domain):
        raise InvalidModel(f"{type(thing).__name__}: domain is {domain!r}, none of {', '.join(get_args(Domain))}")
    degrees: Any = getattr(thing, "degrees", None)
    own: Any = getattr(thing, "regions", None)
    told: dict[str, Any] = {"domain": domain, "degrees": None}
    if domain == "vision":
        told["degrees"] = degrees if is_finite(degrees) and degrees > 0 else DEGREES
    regions = LANGUAGE_REGIONS if domain == "language" else None
    if isinstance(own, Mapping | tuple | list) and _performs(thing):
        regions = tuple(map(str, cast("Iterable[Any]", own)))
    return told if regions is None else told | {"regions": regions}


def _performs(thing: Any) -> bool:
    """Whether it is a subject, and no class of subjects."""
    return callable(getattr(thing, "perform", None)) and not isinstance(thing, type)


def _reader(thing: Any) -> tuple[nn.Module, Any] | None:
    """Return a network that reads and its tokenizer, if that is what it is."""
    pair = cast("tuple[Any, ...]", thing) if isinstance(thing, tuple) else ()
    return (pair[0], pair[1]) if len(pair) == 2 and isinstance(pair[0], nn.Module) else None


def _imported(name: str, module: str) -> ModuleType:
    here = str(Path.cwd())
    if here not in sys.path:
        sys.path.insert(0, here)
    try:
        return with_torchvision(lambda: importlib.import_module(module))
    except ModuleNotFoundError as error:
        if (error.name or "") == module or module.startswith(f"{error.name}."):
            hint = f"; modules go without .py: {name.replace('.py:', ':')}" if module.endswith(".py") else ""
            hint = f"; the untrained twin of the model {module!r} is {module}:random" if module in models else hint
            raise DataError(f"{name}: no module {module!r} in {here} or among the installed packages{hint}") from None
        raise DataError(f"{name}: {module} needs {error.name}, which is not installed") from error
    except BrainmarkError:
        raise
    except Exception as error:
        raise ModelError(f"{name}: importing {module} failed: {type(error).__name__}: {error}") from error


__all__ = ["function"]
