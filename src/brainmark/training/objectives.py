"""What a network is trained for: naming objects, or telling images apart without names."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Generator, Tensor, nn
from torch.nn import functional

from brainmark.models.networks.cifar import Network
from brainmark.models.sources.trained import MEAN, STD
from brainmark.training.augment import as_floats, crop_and_flip, simclr_view
from brainmark.training.recipes import Recipe

_REFERENCES = 2000  # training images among which the nearest neighbours of held-out images are sought
_AT_ONCE = 500


@dataclass(frozen=True)
class Images:
    """Images with labels: pixels (images, rows, columns, 3), uint8; labels (images,), indices."""

    pixels: Tensor
    labels: Tensor

    def __post_init__(self) -> None:
        if self.pixels.dtype != torch.uint8 or self.pixels.ndim != 4 or len(self.pixels) != len(self.labels):
            raise ValueError(
                f"images are uint8 (images, rows, columns, 3) with a label each, not {self.pixels.dtype} "
                f"{tuple(self.pixels.shape)} with {len(self.labels)} labels"
            )

    def __len__(self) -> int:
        return len(self.labels)

    def take(self, positions: Tensor) -> Images:
        """Return the images at `positions`, in that order."""
        return Images(self.pixels[positions], self.labels[positions])


class Naming:
    """Cross-entropy of the labels under the network's logits."""

    def __init__(self, network: Network) -> None:
        self.module = network

    def loss(self, images: Images, generator: Generator) -> tuple[Tensor, float]:
        """Return the loss of a shifted, mirrored batch, and its accuracy."""
        logits = self.module(normalised(as_floats(crop_and_flip(images.pixels, generator))))
        right = (logits.argmax(1) == images.labels).float().mean()
        return functional.cross_entropy(logits, images.labels), float(right)

    def accuracy(self, held_out: Images, training: Images) -> float:
        """Return the share of images whose largest logit is that of their label."""
        logits = _outputs(self.module, held_out.pixels, self.module)
        return float((logits.argmax(1) == held_out.labels).float().mean())


class Contrastive(nn.Module):
    """A network without its head, and a projection that is thrown away after training."""

    def __init__(self, network: Network, features: int = 64) -> None:
        super().__init__()
        self.network = network
        width = network.head.in_features
        self.projection = nn.Sequential(
            nn.Linear(width, 2 * width), nn.ReLU(inplace=True), nn.Linear(2 * width, features)
        )

    def forward(self, images: Tensor) -> Tensor:
        """Images -> unit vectors (images, features)."""
        return functional.normalize(self.projection(self.network.features(images)))


class TellingApart:
    """SimCLR: find the other view of the same image among all views of a batch (Chen et al. 2020, equation 1)."""

    def __init__(self, network: Network, temperature: float) -> None:
        self.module = Contrastive(network)
        self.temperature = temperature

    def loss(self, images: Images, generator: Generator) -> tuple[Tensor, float]:
        """Return the loss of two views of each image, and how often the right view is the most similar."""
        floats = as_floats(images.pixels)
        views = torch.cat([simclr_view(floats, generator) for _ in range(2)])
        return contrastive_loss(self.module(normalised(views)), self.temperature)

    def accuracy(self, held_out: Images, training: Images) -> float:
        """Return the share of images whose nearest training image (cosine of features) has their label."""
        references = training.take(torch.linspace(0, len(training) - 1, min(_REFERENCES, len(training))).long())
        known, new = (
            functional.normalize(_outputs(self.module.network.features, images.pixels, self.module))
            for images in (references, held_out)
        )
        nearest = references.labels[(new @ known.T).argmax(1)]
        return float((nearest == held_out.labels).float().mean())


def contrastive_loss(vectors: Tensor, temperature: float) -> tuple[Tensor, float]:
    """Return NT-Xent and the share of views whose partner is the most similar.

    Parameters
    ----------
    vectors : (2 n, features) of length 1; rows i and n + i are views of one image.
    temperature : that the cosines are divided by.
    """
    cosines = vectors @ vectors.T / temperature
    cosines = cosines.masked_fill(torch.eye(len(vectors), dtype=torch.bool), float("-inf"))
    partner = torch.arange(len(vectors)).roll(len(vectors) // 2)
    found = float((cosines.argmax(1) == partner).float().mean())
    return functional.cross_entropy(cosines, partner), found


def normalised(images: Tensor) -> Tensor:
    """Images (images, 3, ...) from 0 to 1 -> what the networks are given: zero mean, unit variance on CIFAR-10."""
    mean, std = (torch.tensor(values).view(1, 3, 1, 1) for values in (MEAN, STD))
    return ((images - mean) / std).contiguous(memory_format=torch.channels_last)


def _outputs(function: Callable[[Tensor], Tensor], pixels: Tensor, module: nn.Module) -> Tensor:
    """Outputs of a function of `module`, in evaluation mode."""
    training = module.training
    module.eval()
    try:
        with torch.inference_mode():
            return torch.cat([function(normalised(as_floats(part))) for part in pixels.split(_AT_ONCE)])
    finally:
        module.train(training)


def objective_of(recipe: Recipe, network: Network) -> Naming | TellingApart:
    """Return the objective that a recipe names."""
    if recipe.objective == "labels":
        return Naming(network)
    return TellingApart(network, recipe.temperature)
