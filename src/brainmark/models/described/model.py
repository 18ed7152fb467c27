"""A network of a source with its description, as lists need it; what makes a subject of it is loaded on use."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from brainmark.core.subject import Subject
from brainmark.models import described
from brainmark.models.described.description import ModelDescription
from brainmark.models.sources.source import USUAL, Maker, NetworkSource

DEGREES = 8.0
"""Field of view of a vision network where nothing is known of it."""


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
        return USUAL if self.spec.domain or self.spec.weights or "weights" in self.source.options else {}

    @cached_property
    def maker(self) -> Maker:
        """Makes the network of the source."""
        return Maker(self.source)

    def load(self, options: Mapping[str, Any]) -> Subject:
        """Return the subject, see `described.subject.load`."""
        return described.load(self, options)
