"""The zoo: every network of ``zoo.toml`` is a registered model. No library is imported before a network is needed."""

from __future__ import annotations

from brainmark.core.registry import models
from brainmark.models.sources.model import DescribedModel, factory
from brainmark.models.sources.names import find_source
from brainmark.models.sources.toml_models import ZOO_FILE, read

ZOO = {
    name: DescribedModel(name, find_source(told.source, ZOO_FILE.parent, told.arguments), told, ZOO_FILE.parent)
    for name, told in read(ZOO_FILE).items()
}
"""All networks of the zoo by name."""

for model in ZOO.values():
    made = factory(model.load, model.options, __name__)
    made.__qualname__ = f"zoo[{model.name}]"
    models.add(model.name, card=model.told.card())(made)

__all__ = ["ZOO"]
