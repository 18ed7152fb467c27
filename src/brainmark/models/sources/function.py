"""Models named ``module:function``: what the function returns, or an object of the module."""

from __future__ import annotations

import functools
import importlib
import inspect
import sys
import warnings
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from types import ModuleType
from typing import Any, cast

from brainmark.core.errors import BrainmarkError, DataError, InvalidModel, ModelError, UnknownName
from brainmark.core.libraries import nn
from brainmark.core.registry import models
from brainmark.core.vocabulary import DOMAINS
from brainmark.models.activations.hooks import digest_of_weights
from brainmark.models.networks.seeds import draw_from
from brainmark.models.sources.source import NetworkSource, configuration, digest_over
from brainmark.models.sources.torch_libraries import with_torchvision
from brainmark.models.subjects.arguments import is_finite
from brainmark.models.subjects.readout import LANGUAGE_REGIONS
from brainmark.models.subjects.tokens import digest_of_tokenizer


@dataclass(frozen=True)
class Function(NetworkSource):
    """A function of a module that can be imported from here, or a network or subject that the module holds.

    It makes a network, a language network and its tokenizer, or a subject. What it draws without a seed of its own
    comes from the option `seed`, or else from seed 0.

    Attributes
    ----------
    module, name : where it is.
    arguments : what it is always called with; its other arguments are options.
    """

    named = False
    module: str
    name: str
    arguments: Mapping[str, Any] = field(default_factory=dict[str, Any])

    @cached_property
    def function(self) -> Callable[..., Any]:
        """The function, or one that returns what the module holds. Raises what importing it raises."""
        held_by = self._import()
        known = {n: v for n, v in vars(held_by).items() if not n.startswith("_") and (callable(v) or performs(v))}
        if self.name not in known:
            raise UnknownName(f"function of {self.module}", self.name, known)
        found: Any = known[self.name]
        return (lambda: found) if isinstance(found, nn.Module) or performs(found) else found

    @cached_property
    def parameters(self) -> Mapping[str, inspect.Parameter]:
        """What it can be called with, beside its fixed arguments."""
        parameters = inspect.signature(self.function).parameters
        return {n: p for n, p in parameters.items() if n not in self.arguments}

    @property
    def options(self) -> Mapping[str, Any]:
        """Its arguments with their defaults."""
        return {n: p.default for n, p in self.parameters.items() if p.kind not in (p.VAR_POSITIONAL, p.VAR_KEYWORD)}

    @property
    def code(self) -> str:
        """Name of its module."""
        return self.module

    def check(self) -> None:
        """Raise UnknownName, DataError or ModelError if it cannot be imported, InvalidModel if it needs arguments."""
        for name, default in self.options.items():
            if default is inspect.Parameter.empty:
                raise InvalidModel(f"{self}: its option {name!r} has no default; wrap it in a function without")

    def make(self, options: Mapping[str, Any]) -> Any:
        """Return what it makes with these options, of which it is given those that it takes. Raises ModelError."""
        given = {n: v for n, v in options.items() if n in self.parameters}
        try:
            with draw_from(options.get("seed", 0)):
                made = with_torchvision(lambda: self.function(**self.arguments, **given))
        except BrainmarkError:
            raise
        except Exception as error:
            raise ModelError(f"{self}: the function failed: {type(error).__name__}: {error}") from error
        return made.eval() if self.module.startswith("brainmark.") and isinstance(made, nn.Module) else made

    def digest(self, made: Any) -> str | None:
        """Return the digest of the weights of what it made; None if they cannot be known."""
        if pair := as_language_pair(made):
            network, tokenizer = pair
            return digest_over(digest_of_weights(network), configuration(network), digest_of_tokenizer(tokenizer))
        if isinstance(made, nn.Module) and not performs(made):
            return digest_of_weights(made)
        digest = getattr(made, "weights_digest", None)
        return digest if isinstance(digest, str) else None

    def facts(self) -> dict[str, Any]:
        """Return what a card says of it; the function is called for that."""
        where = getattr(sys.modules[self.module], "__file__", self.module)
        summary = f"What {self.name} of {self.module} makes; the layers of a bare network are chosen by depth."
        facts = {"what": f"{self.name} of {self.module}", "where": str(where), "licence": "not stated"}
        return facts | {"summary": summary} | _facts_of_made(self.module, self.name, self.function)

    def __str__(self) -> str:
        return f"{self.module}:{self.name}"

    def _import(self) -> ModuleType:
        here = str(Path.cwd())
        if here not in sys.path:
            sys.path.insert(0, here)
        try:
            return with_torchvision(lambda: importlib.import_module(self.module))
        except ModuleNotFoundError as error:
            if (error.name or "") == self.module or self.module.startswith(f"{error.name}."):
                hint = (
                    f"; modules go without .py: {self.module[:-3]}:{self.name}" if self.module.endswith(".py") else ""
                )
                if self.module in models:
                    hint = f"; the untrained twin of the model {self.module!r} is {self.module}:random"
                raise DataError(
                    f"{self}: no module {self.module!r} in {here} or among the installed packages{hint}"
                ) from None
            raise DataError(f"{self}: {self.module} needs {error.name}, which is not installed") from error
        except BrainmarkError:
            raise
        except Exception as error:
            raise ModelError(f"{self}: importing {self.module} failed: {type(error).__name__}: {error}") from error


@functools.lru_cache(16)
def _facts_of_made(module: str, name: str, function: Callable[[], Any]) -> dict[str, Any]:
    """Return domain, field of view and regions of what a function makes; loading it shows why a function fails.

    A subject states its own: ``domain`` ("language"; without it "vision"), ``degrees``, ``regions``.
    """
    del module, name
    with warnings.catch_warnings(), draw_from(0):
        warnings.simplefilter("ignore")
        try:
            thing: Any = with_torchvision(function)
        except Exception:  # noqa: BLE001 - it is called again when it is loaded
            thing = None
    domain = "language" if as_language_pair(thing) else getattr(thing, "domain", "vision")
    if domain not in DOMAINS:
        raise InvalidModel(f"{type(thing).__name__}: domain is {domain!r}, none of {', '.join(DOMAINS)}")
    facts: dict[str, Any] = {"domain": domain, "degrees": None}
    if domain == "vision":
        degrees: Any = getattr(thing, "degrees", None)
        facts["degrees"] = degrees if is_finite(degrees) and degrees > 0 else 8.0
    own: Any = getattr(thing, "regions", None)
    if isinstance(own, Mapping | tuple | list) and performs(thing):
        facts["regions"] = tuple(map(str, cast("Iterable[Any]", own)))
    elif domain == "language":
        facts["regions"] = LANGUAGE_REGIONS
    return facts


def performs(thing: Any) -> bool:
    """Return whether it is a subject, and no class of subjects."""
    return callable(getattr(thing, "perform", None)) and not isinstance(thing, type)


def as_language_pair(thing: Any) -> tuple[nn.Module, Any] | None:
    """Return a language network and its tokenizer, if that is what it is."""
    pair = cast("tuple[Any, ...]", thing) if isinstance(thing, tuple) else ()
    return (pair[0], pair[1]) if len(pair) == 2 and isinstance(pair[0], nn.Module) else None
