"""Recipes that define a training. The same recipe, data, seed and number of threads give the same bits.

A recipe holds plain values, so that recipes are listed without loading torch.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass, fields, replace
from typing import Any, ClassVar, Literal, Self

from brainmark.core.errors import InvalidModel

HEAD = 32  # width of an attention head


@dataclass(frozen=True, kw_only=True)
class Recipe:
    """The fields that every recipe has.

    Attributes
    ----------
    name : of the recipe, and of the model that it makes.
    summary : one sentence.
    epochs : passes over what is trained on.
    batch : images, or windows of text, in a step; a last smaller batch is left out.
    rate : largest learning rate; it rises linearly over the first `warmup` of all steps, then falls as a cosine to 0.
    warmup : share of all steps.
    decay : weight decay of all weights that multiply.
    """

    smallest_batch: ClassVar[int] = 1

    name: str
    summary: str
    epochs: int
    batch: int
    rate: float
    warmup: float
    decay: float

    def __post_init__(self) -> None:
        possible = self.epochs >= 1 and self.batch >= self.smallest_batch and self.rate > 0 and 0 <= self.warmup < 1
        if not possible:
            raise InvalidModel(
                f"recipe {self.name!r}: epochs is {self.epochs}, batch is {self.batch}, rate is {self.rate} and warmup "
                f"is {self.warmup}; give epochs from 1, a batch from {self.smallest_batch}, a positive rate and a "
                "warm-up from 0 to below 1"
            )

    def change(self, **values: Any) -> Self:
        """Return the recipe with other values; None and () leave a field as it is.

        Raises
        ------
        InvalidModel : the recipe has no such field, or the value is impossible.
        """
        given = {name: value for name, value in values.items() if value not in (None, ())}
        if unknown := given.keys() - {field.name for field in fields(self)}:
            raise InvalidModel(
                f"recipe {self.name!r} has one size and its own images; {' and '.join(sorted(unknown))} can be "
                "chosen for recipes of language models only"
            )
        return replace(self, **given)

    def to_dict(self) -> dict[str, Any]:
        """Return all fields, ready for JSON."""
        return {name: list(value) if isinstance(value, tuple) else value for name, value in asdict(self).items()}


@dataclass(frozen=True, kw_only=True)
class ImageRecipe(Recipe):
    """How a network is trained on images, by stochastic gradient descent.

    Attributes
    ----------
    network : name in `brainmark.models.networks.cifar.NETWORKS`.
    objective : "labels" (cross-entropy) or "contrastive" (SimCLR: two views of an image are more alike than views of
        two images).
    momentum : of Nesterov.
    temperature : of the contrastive objective.
    """

    smallest_batch: ClassVar[int] = 2

    network: str
    objective: Literal["labels", "contrastive"]
    warmup: float = 0.15
    momentum: float = 0.9
    decay: float = 5e-4
    temperature: float = 0.5


@dataclass(frozen=True, kw_only=True)
class TextRecipe(Recipe):
    """How a GPT is trained to predict the next token, by AdamW.

    Attributes
    ----------
    texts : corpora (`brainmark.training.texts.CORPORA`) or paths of text files.
    vocabulary : most tokens of the tokenizer, which is learnt from the same text.
    layers, width : blocks, and units of each (a multiple of 32, the width of an attention head).
    window : tokens that are read together.
    clip : greatest norm of the gradient.
    """

    texts: tuple[str, ...]
    vocabulary: int = 4096
    layers: int = 2
    width: int = 128
    window: int = 128
    epochs: int = 1
    batch: int = 4
    rate: float = 2e-3
    warmup: float = 0.05
    decay: float = 0.1
    clip: float = 1.0

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.width < HEAD or self.width % HEAD:
            raise InvalidModel(f"recipe {self.name!r}: width is {self.width}; give a multiple of {HEAD}")
        if min(self.layers, self.window) < 1 or self.vocabulary < 257:
            raise InvalidModel(
                f"recipe {self.name!r}: layers is {self.layers}, window is {self.window} and vocabulary is "
                f"{self.vocabulary}; give layers and a window from 1, and a vocabulary from 257 (all bytes and the "
                "beginning)"
            )


_ALL = (
    ImageRecipe(
        name="cifar-resnet",
        summary="ResNet-14 with 16 to 64 channels that names the objects of CIFAR-10.",
        network="cifar-resnet", objective="labels", epochs=24, batch=128, rate=0.2,
    ),
    ImageRecipe(
        name="cifar-cornet",
        summary="Recurrent areas V1, V2, V4 and IT (after CORnet-RT, 5 steps) that name the objects of CIFAR-10.",
        network="cifar-cornet", objective="labels", epochs=24, batch=128, rate=0.05,
    ),
    ImageRecipe(
        name="cifar-simclr",
        summary="The same ResNet-14, trained without labels to tell images of CIFAR-10 apart (SimCLR).",
        network="cifar-resnet", objective="contrastive", epochs=12, batch=256, rate=0.3, decay=1e-4,
    ),
    TextRecipe(
        name="gpt",
        summary="GPT with 2 layers of 128 units that reads books, wikitext-2 and the Brown corpus.",
        texts=("books", "wikitext", "brown"),
    ),
    TextRecipe(
        name="tiny-gpt",
        summary="GPT with 2 layers of 64 units that reads text which may be shared: old books and wikitext-2.",
        texts=("books", "wikitext"), vocabulary=1536, width=64, window=64, batch=32, epochs=2, rate=5e-3,
    ),
)  # fmt: skip
RECIPES: dict[str, Recipe] = {recipe.name: recipe for recipe in _ALL}
