"""Training on images, with labels or by contrasting images without labels (SimCLR)."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Generator, Tensor, nn
from torch.nn import functional

from brainmark.core.errors import DataError
from brainmark.core.libraries import np
from brainmark.data.readers.cifar10 import arrays
from brainmark.data.writing import write_whole
from brainmark.models.networks.cifar import Network, make_network
from brainmark.models.networks.seeds import draw_from
from brainmark.models.sources.checkpoint import MEAN, STD, SUFFIX, Facts, to_bytes
from brainmark.training.augment import as_floats, crop_and_flip, simclr_view
from brainmark.training.recipes import ImageRecipe
from brainmark.training.task import Task, generator_of, parameter_groups

HELD_OUT = 20  # one of so many training images is held out, to watch the training; test images are never seen
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


def cifar10() -> Images:
    """Return the training images of CIFAR-10 that are registered."""
    pixels, labels = arrays("train")
    return Images(torch.from_numpy(pixels.copy()), torch.from_numpy(labels.astype(np.int64)))


def split(images: Images, seed: int) -> tuple[Images, Images]:
    """Return training and held-out images, drawn with `seed`."""
    order = torch.randperm(len(images), generator=generator_of(seed, 0, "split"))
    count = max(1, len(images) // HELD_OUT)
    return images.take(order[count:].sort().values), images.take(order[:count].sort().values)


def image_task(recipe: ImageRecipe, images: Images | None, seed: int) -> ImageTask:
    """Return the training of a recipe on images; None: those of CIFAR-10.

    Raises
    ------
    DataError : CIFAR-10 cannot be had, or there are fewer images than a batch has.
    """
    network = make_network(recipe.network, seed).to(memory_format=torch.channels_last)  # pyright: ignore[reportCallIssue]
    objective = {"labels": Naming, "contrastive": TellingApart}[recipe.objective]
    return objective(recipe, network, images or cifar10(), seed)


class ImageTask(Task):
    """Training of a network on images in random order; derived classes define the objective."""

    stream = "epoch"

    def __init__(self, recipe: ImageRecipe, network: Network, images: Images, seed: int) -> None:
        self.network = network
        with draw_from(seed):
            self.module = self.module_of(network)
        self.optimiser = torch.optim.SGD(
            parameter_groups(self.module, recipe.decay), lr=recipe.rate, momentum=recipe.momentum, nesterov=True
        )
        self.recipe = recipe
        self.training, self.watched = split(images, seed)
        self.per_epoch = len(self.training) // recipe.batch
        if not self.per_epoch:
            raise DataError(
                f"recipe {recipe.name!r} has batches of {recipe.batch}, but there are {len(self.training)} images"
            )
        self.steps = self.per_epoch * recipe.epochs
        self.digest = hashlib.sha256(images.pixels.numpy().tobytes()).hexdigest()

    def module_of(self, network: Network) -> nn.Module:
        """Return what is trained: the network, or more."""
        return network

    def order(self, generator: Generator) -> Tensor:
        """Draw the order of the training images (images,)."""
        return torch.randperm(len(self.training), generator=generator)

    def checkpoints(self) -> set[int]:
        """Return the last step of each epoch."""
        return set(range(self.per_epoch, self.steps + 1, self.per_epoch))

    def progress(self, step: int) -> dict[str, float]:
        """Return the epochs done."""
        return {"epoch": step // self.per_epoch}

    def save(self, folder: Path, origin: Mapping[str, Any], row: Mapping[str, float]) -> None:
        """Write ``epochs/NNN.safetensors`` and the same as ``model.safetensors``."""
        content = to_bytes(self.network, Facts(**origin, epoch=int(row["epoch"]), log=dict(row)))
        write_whole(folder / "epochs" / f"{int(row['epoch']):03d}{SUFFIX}", content)
        write_whole(folder / f"model{SUFFIX}", content)

    def outputs(self, function: Callable[[Tensor], Tensor], pixels: Tensor) -> Tensor:
        """Return the outputs of a function of the network, in evaluation mode."""
        self.module.eval()
        with torch.inference_mode():
            return torch.cat([function(normalise(as_floats(part))) for part in pixels.split(_AT_ONCE)])


class Naming(ImageTask):
    """Cross-entropy of the labels under the network's logits."""

    def loss(self, batch: Tensor, generator: Generator) -> tuple[Tensor, dict[str, float]]:
        """Return the loss of shifted, mirrored images, and the accuracy."""
        images = self.training.take(batch)
        logits = self.network(normalise(as_floats(crop_and_flip(images.pixels, generator))))
        loss = functional.cross_entropy(logits, images.labels)
        return loss, {"loss": loss.item(), "accuracy": float((logits.argmax(1) == images.labels).float().mean())}

    def score_held_out(self) -> float:
        """Return the share of held-out images whose largest logit is that of their label."""
        logits = self.outputs(self.network, self.watched.pixels)
        return float((logits.argmax(1) == self.watched.labels).float().mean())


class Contrastive(nn.Module):
    """A network without its head, and a projection that is dropped after training."""

    def __init__(self, network: Network, features: int = 64) -> None:
        super().__init__()
        self.network = network
        width = network.head.in_features
        self.projection = nn.Sequential(
            nn.Linear(width, 2 * width), nn.ReLU(inplace=True), nn.Linear(2 * width, features)
        )

    def forward(self, images: Tensor) -> Tensor:
        """Map images to unit vectors (images, features)."""
        return functional.normalize(self.projection(self.network.features(images)))


class TellingApart(ImageTask):
    """SimCLR: find the other view of the same image among all views of a batch (Chen et al. 2020, equation 1)."""

    def module_of(self, network: Network) -> nn.Module:
        """Return the network with a projection in place of its head."""
        return Contrastive(network)

    def loss(self, batch: Tensor, generator: Generator) -> tuple[Tensor, dict[str, float]]:
        """Return the loss of two views of each image, and how often the right view is the most similar."""
        floats = as_floats(self.training.take(batch).pixels)
        views = torch.cat([simclr_view(floats, generator) for _ in range(2)])
        loss, found = contrastive_loss(self.module(normalise(views)), self.recipe.temperature)
        return loss, {"loss": loss.item(), "accuracy": found}

    def score_held_out(self) -> float:
        """Return the share of held-out images whose nearest training image (cosine of features) has their label."""
        count = min(_REFERENCES, len(self.training))
        references = self.training.take(torch.linspace(0, len(self.training) - 1, count).long())
        known, new = (
            functional.normalize(self.outputs(self.network.features, images.pixels))
            for images in (references, self.watched)
        )
        nearest = references.labels[(new @ known.T).argmax(1)]
        return float((nearest == self.watched.labels).float().mean())


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


def normalise(images: Tensor) -> Tensor:
    """Normalise images (images, 3, ...) from 0 to 1 to zero mean and unit variance on CIFAR-10."""
    mean, std = (torch.tensor(values).view(1, 3, 1, 1) for values in (MEAN, STD))
    return ((images - mean) / std).contiguous(memory_format=torch.channels_last)
