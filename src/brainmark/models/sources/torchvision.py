"""Networks of torchvision: ``torchvision/resnet50``, ``torchvision/resnet50.IMAGENET1K_V2``."""

from __future__ import annotations

from typing import Any

from brainmark.core.errors import UnknownName
from brainmark.core.libraries import nn
from brainmark.models.sources import torch_libraries
from brainmark.models.sources.source import LibraryNetwork, fetching
from brainmark.models.subjects.readout import Head


class Torchvision(LibraryNetwork):
    """A network of torchvision."""

    @property
    def weights(self) -> Any:
        """The weights, as torchvision describes them."""
        published: Any = torch_libraries.torchvision().models.get_model_weights(self.architecture)
        return published[self.tag or "DEFAULT"]

    def check(self) -> None:
        """Raise UnknownName for a network or weights that torchvision does not have."""
        library = torch_libraries.torchvision().models
        known = library.list_models(module=library)
        if self.architecture not in known:
            hint = " (torchvision.models.list_models() names all)"
            raise UnknownName("model of torchvision", self.name, known, hint)
        tags = [tag for tag in library.get_model_weights(self.architecture).__members__ if tag != "DEFAULT"]
        if self.tag and self.tag not in tags:
            names = [f"{self.architecture}.{tag}" for tag in tags]
            hint = f" ({self.architecture} has: {', '.join(tags)})"
            raise UnknownName("weights of torchvision", self.name, names, hint)

    def build_untrained(self) -> nn.Module:
        """Return it as torchvision initialises it."""
        return torch_libraries.torchvision().models.get_model(self.architecture, weights=None, **self.arguments)

    def load_trained(self) -> nn.Module:
        """Return it with torchvision's weights, whose hash torchvision checks."""
        weights = self.weights
        with fetching(f"the weights of torchvision's {self.architecture}", weights.url):
            return torch_libraries.torchvision().models.get_model(self.architecture, weights=weights)

    def preprocessing(self) -> dict[str, Any]:
        """Return the preprocessing of its weights, and a head if they name the classes of ImageNet."""
        shown = self.weights.transforms()
        head = Head() if len(self.weights.meta.get("categories", ())) == 1000 else None
        return {"size": int(shown.crop_size[0]), "mean": tuple(shown.mean), "std": tuple(shown.std), "head": head}

    def facts(self) -> dict[str, Any]:
        """Return what a card says of it."""
        version, weights = torch_libraries.torchvision().__version__, self.weights
        return {
            "what": f"{self.architecture} of torchvision {version} with weights {weights.name}",
            "where": weights.url,
            "licence": "BSD-3-Clause (code)",
        }
