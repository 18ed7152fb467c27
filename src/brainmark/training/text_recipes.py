"""Recipes of small language models. The same recipe, text, seed and threads give the same weights."""

from __future__ import annotations

from dataclasses import asdict, dataclass, replace
from typing import Any

from brainmark.core.errors import InvalidModel

HEAD = 32  # width of an attention head


@dataclass(frozen=True)
class TextRecipe:
    """How a GPT is trained to predict the next token.

    Attributes
    ----------
    name : of the recipe.
    summary : one sentence.
    texts : corpora (`brainmark.training.texts.CORPORA`) or paths of text files.
    vocabulary : most tokens of the tokenizer, which is learnt from the same text.
    layers, width : blocks, and units of each (a multiple of 32, the width of an attention head).
    window : tokens that are read together.
    epochs : passes over the text.
    batch : windows to a step; a last smaller batch is left out.
    rate, warmup : largest learning rate, and the share of all steps over which it rises to it; then it falls as a
        cosine to 0.
    decay : of weights that multiply (AdamW).
    clip : greatest norm of the gradient.
    """

    name: str
    summary: str
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
        if self.width < HEAD or self.width % HEAD:
            raise InvalidModel(f"recipe {self.name!r}: width is {self.width}; give a multiple of {HEAD}")
        if min(self.layers, self.epochs, self.batch, self.window) < 1 or self.vocabulary < 257 or not self.rate > 0:
            raise InvalidModel(
                f"recipe {self.name!r}: layers, epochs, batch and window from 1, a vocabulary from 257 (all bytes and "
                f"the beginning) and a positive rate are needed, not {self.layers}, {self.epochs}, {self.batch}, "
                f"{self.window}, {self.vocabulary} and {self.rate}"
            )

    def changed(
        self,
        epochs: int | None = None,
        layers: int | None = None,
        width: int | None = None,
        texts: tuple[str, ...] = (),
    ) -> TextRecipe:
        """Return the recipe with other values where they are given."""
        given = {"epochs": epochs, "layers": layers, "width": width, "texts": texts or None}
        return replace(self, **{name: value for name, value in given.items() if value is not None})

    def to_dict(self) -> dict[str, Any]:
        """Return all fields, ready for JSON."""
        return {**asdict(self), "texts": list(self.texts)}


TEXT_RECIPES = {
    recipe.name: recipe
    for recipe in (
        TextRecipe(
            "gpt",
            "GPT with 2 layers of 128 units that reads books, wikitext-2 and the Brown corpus.",
            texts=("books", "wikitext", "brown"),
        ),
        TextRecipe(
            "tiny-gpt",
            "GPT with 2 layers of 64 units that reads text which may be shared: old books and wikitext-2.",
            texts=("books", "wikitext"),
            vocabulary=1536,
            width=64,
            window=64,
            batch=32,
            epochs=2,
            rate=5e-3,
        ),
    )
}
