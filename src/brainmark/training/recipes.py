"""Recipes: all that makes a trained network what it is. The same recipe, seed and threads give the same weights."""

from __future__ import annotations

from dataclasses import asdict, dataclass, replace
from typing import Any, Literal


@dataclass(frozen=True)
class Recipe:
    """How a network is trained on images.

    Attributes
    ----------
    name : of the recipe, and of the model that it makes.
    summary : one sentence.
    network : name in `brainmark.models.networks.cifar.NETWORKS`.
    objective : "labels" (cross-entropy) or "contrastive" (SimCLR: two views of an image are more alike than views of
        two images).
    epochs : passes over the training images.
    batch : images to a step; a last smaller batch is left out.
    rate : largest learning rate; it rises linearly over the first `warmup` of all steps, then falls as a cosine to 0.
    warmup : share of all steps.
    momentum, decay : of stochastic gradient descent (Nesterov); decay of all weights that multiply.
    temperature : of the contrastive objective.
    """

    name: str
    summary: str
    network: str
    objective: Literal["labels", "contrastive"]
    epochs: int
    batch: int
    rate: float
    warmup: float = 0.15
    momentum: float = 0.9
    decay: float = 5e-4
    temperature: float = 0.5

    def __post_init__(self) -> None:
        if self.epochs < 1 or self.batch < 2 or not self.rate > 0 or not 0 <= self.warmup < 1:
            raise ValueError(
                f"recipe {self.name!r}: epochs from 1, batch from 2, a positive rate and a warm-up from 0 to below 1 "
                f"are needed, not {self.epochs}, {self.batch}, {self.rate} and {self.warmup}"
            )

    def with_epochs(self, epochs: int | None) -> Recipe:
        """Return the recipe with another number of epochs; None: as it is."""
        return self if epochs is None else replace(self, epochs=epochs)

    def to_dict(self) -> dict[str, Any]:
        """Return all fields, ready for JSON."""
        return asdict(self)


RECIPES = {
    recipe.name: recipe
    for recipe in (
        Recipe(
            "cifar-resnet",
            "ResNet-14 with 16 to 64 channels that names the objects of CIFAR-10.",
            network="cifar-resnet",
            objective="labels",
            epochs=24,
            batch=128,
            rate=0.2,
        ),
        Recipe(
            "cifar-cornet",
            "Recurrent areas V1, V2, V4 and IT (after CORnet-RT, 5 steps) that name the objects of CIFAR-10.",
            network="cifar-cornet",
            objective="labels",
            epochs=24,
            batch=128,
            rate=0.05,
        ),
        Recipe(
            "cifar-simclr",
            "The same ResNet-14, trained without labels to tell images of CIFAR-10 apart (SimCLR).",
            network="cifar-resnet",
            objective="contrastive",
            epochs=12,
            batch=256,
            rate=0.3,
            decay=1e-4,
        ),
    )
}
