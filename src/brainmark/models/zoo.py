"""The zoo: every network of ``zoo.toml`` is a registered model. No library is imported before a network is needed."""

from __future__ import annotations

from pathlib import Path

from brainmark.core.errors import InvalidModel
from brainmark.core.registry import models
from brainmark.models.sources.model import DescribedModel, factory
from brainmark.models.sources.names import find_source
from brainmark.models.sources.toml_models import ZOO_FILE, read


def register(path: Path, module: str = __name__) -> dict[str, DescribedModel]:
    """Register every model of a file of descriptions, and return them by name.

    Parameters
    ----------
    path : of the file. Its descriptions are complete: each states its domain, and what a card says.
    module : name of the module that registers them; ``__name__`` in a package of your own.

    Raises
    ------
    InvalidModel : a description does not state its domain, or cannot be read.
    """
    described = {
        name: DescribedModel(name, find_source(told.source, path.parent, told.arguments), told, path.parent)
        for name, told in read(path).items()
    }
    for name, model in described.items():
        if model.told.domain is None:
            raise InvalidModel(f'{path} [{name}]: a registered model states its domain: "vision" or "language"')
        make = factory(model.load, model.options, module)
        make.__qualname__ = f"{path.stem}[{name}]"
        models.add(name, card=model.told.card())(make)
    return described


ZOO = register(ZOO_FILE)
"""All networks of the zoo by name."""
