"""Where texts, tokens and units stand in what the layers of a token network put out."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from brainmark.core.errors import ModelError
from brainmark.core.libraries import torch

SMALL, LARGE = (2, 3), (3, 4)
"""Texts and tokens of the two inputs that show which axis counts what: no axis that counts neither changes alike."""


@dataclass(frozen=True)
class Layout:
    """The axes of the output of a layer; those that are neither of texts nor of tokens count its units.

    Attributes
    ----------
    name : of the layer, for messages.
    tokens : axis of the tokens.
    texts : axis of the texts; None: there is none.
    joined : there is no axis of texts because the tokens of all texts follow one another, text by text, or
        (`by_token`) token by token. Otherwise the layer puts out the same for every text, as one of positions does.
    filled : the layer fills texts up at their ends, so that there may be more tokens than were given.
    """

    name: str
    tokens: int
    texts: int | None = 0
    joined: bool = False
    by_token: bool = False
    filled: bool = False

    def arrange(self, output: torch.Tensor, texts: int, tokens: int) -> torch.Tensor:
        """Return an output as (texts, tokens, units). Raises ModelError: it has other numbers of texts or tokens."""
        if self.texts == 0 and self.tokens == 1 and output.shape[:2] == (texts, tokens) and output.ndim == 3:
            return output
        shape = tuple(output.shape)
        counted = shape[self.tokens] if self.tokens < len(shape) else -1
        right = counted >= tokens if self.filled else counted == (texts * tokens if self.joined else tokens)
        if not right or (self.texts is not None and shape[self.texts] != texts):
            raise ModelError(
                f"layer {self.name!r} returns {shape} for {texts} texts of {tokens} tokens, "
                "in another order than it did before; name another layer"
            )
        if self.joined:
            split = (tokens, texts) if self.by_token else (texts, tokens)
            output = output.unflatten(self.tokens, split)
            first, second = (self.tokens + 1, self.tokens) if self.by_token else (self.tokens, self.tokens + 1)
            return output.movedim((first, second), (0, 1)).reshape(texts, tokens, -1)
        if self.texts is None:
            return output.movedim(self.tokens, 0).reshape(tokens, -1).expand(texts, tokens, -1)
        return output.movedim((self.texts, self.tokens), (0, 1))[:, :tokens].reshape(texts, tokens, -1)


def find_layout(name: str, outputs: Sequence[torch.Tensor], output_for: Callable[[int, int], torch.Tensor]) -> Layout:
    """Return where texts and tokens stand in the output of a layer.

    Parameters
    ----------
    name : of the layer.
    outputs : what it puts out for `SMALL` and for `LARGE`, whose texts are all the same.
    output_for : (texts, tokens) -> what it puts out for so many; asked where the two leave a doubt.

    Raises
    ------
    ModelError : no axis of the output counts tokens, or several do.
    """
    shapes = [tuple(output.shape) for output in outputs]
    if len(shapes[0]) == len(shapes[1]):
        pairs = list(zip(*shapes, strict=True))
        axes = {
            what: [axis for axis, pair in enumerate(pairs) if pair == counted]
            for what, counted in (
                ("texts", (SMALL[0], LARGE[0])),
                ("tokens", (SMALL[1], LARGE[1])),
                ("both", (SMALL[0] * SMALL[1], LARGE[0] * LARGE[1])),
            )
        }
        match len(axes["texts"]), len(axes["tokens"]), len(axes["both"]):
            case 1, 1, 0:
                return Layout(name, axes["tokens"][0], axes["texts"][0])
            case 0, 1, 0 if len(pairs) == 2 or pairs[0] == (1, 1):
                return Layout(name, axes["tokens"][0], None)
            case 0, 0, 1:
                return _join(name, axes["both"][0], outputs[0])
            case 1, 0, 0 if _is_filled(axes["texts"][0], shapes, output_for):
                return Layout(name, 1, 0, filled=True)
            case _:
                pass
    raise ModelError(
        f"layer {name!r} returns {shapes[0]} for {SMALL[0]} texts of {SMALL[1]} tokens and {shapes[1]} for {LARGE[0]} "
        f"of {LARGE[1]}: no single axis counts the tokens; name a layer with units for each token"
    )


def _join(name: str, axis: int, output: torch.Tensor) -> Layout:
    """Return how texts follow one another: the texts are the same, so that each token comes twice."""
    first = output.movedim(axis, 0).flatten(1).float()
    texts, tokens = SMALL
    by_text = (first[0] - first[tokens]).abs().max() + (first[1] - first[tokens + 1]).abs().max()
    by_token = (first[0] - first[1]).abs().max() + (first[texts] - first[texts + 1]).abs().max()
    return Layout(name, axis, None, joined=True, by_token=bool(by_token < by_text))


def _is_filled(texts: int, shapes: list[tuple[int, ...]], output_for: Callable[[int, int], torch.Tensor]) -> bool:
    """Return whether a layer fills up texts: (texts, more tokens, units), and more of them for a longer text."""
    if texts != 0 or len(shapes[0]) != 3 or shapes[0][1] < SMALL[1] or shapes[1][1] < LARGE[1]:
        return False
    length = max(shape[1] for shape in shapes) + 1
    try:
        longer = output_for(1, length)
    except ModelError:  # longer than it can read
        return False
    return longer.ndim == 3 and longer.shape[1] >= length
