"""Networks of timm: ``timm/resnet18``, ``timm/resnet18.a1_in1k``."""

from __future__ import annotations

from typing import Any

from brainmark.core.errors import UnknownName
from brainmark.core.libraries import nn
from brainmark.models.sources import torch_libraries
from brainmark.models.sources.source import LibraryNetwork, fetching, missing_weights
from brainmark.models.subjects.readout import Head


class Timm(LibraryNetwork):
    """A network of timm."""

    @property
    def config(self) -> Any:
        """What timm knows of the weights; None if it has none of this name."""
        return torch_libraries.timm().get_pretrained_cfg(self.name)

    def check(self) -> None:
        """Raise UnknownName for a network or weights that timm does not have."""
        library = torch_libraries.timm()
        if not library.is_model(self.architecture):
            raise UnknownName("model of timm", self.name, library.list_models(), " (timm.list_models() names all)")
        tags = library.list_pretrained(f"{self.architecture}.*")
        if self.tag and self.name not in tags:
            hint = f" ({self.architecture} has: {', '.join(tags) or 'none'})"
            raise UnknownName("weights of timm", self.name, tags, hint)

    def build_untrained(self) -> nn.Module:
        """Return it as timm initialises it."""
        return torch_libraries.timm().create_model(self.name, pretrained=False, **self.arguments)

    def load_trained(self) -> nn.Module:
        """Return it with timm's weights."""
        config = self.config
        if config is None or not (config.hf_hub_id or config.url):
            raise missing_weights(f"timm's {self.name}")
        with fetching(f"the weights of timm's {self.name}", f"https://huggingface.co/{config.hf_hub_id or config.url}"):
            return torch_libraries.timm().create_model(self.name, pretrained=True, **self.arguments)

    def preprocessing(self) -> dict[str, Any]:
        """Return the preprocessing of its weights, and a head if they name the classes of ImageNet."""
        config = self.config
        head = Head() if config.num_classes == 1000 else None
        size, mean, std = int(config.input_size[-1]), tuple(config.mean), tuple(config.std)
        return {"size": size, "mean": mean, "std": std, "head": head}

    def facts(self) -> dict[str, Any]:
        """Return what a card says of it."""
        config = self.config
        hub = f"https://huggingface.co/{config.hf_hub_id or 'timm'}" if config else None
        return {
            "what": f"{self.name} of timm {torch_libraries.timm().__version__}",
            "where": hub or "https://github.com/huggingface/timm",
            "licence": str(getattr(config, "license", None) or "not stated by timm"),
        }
