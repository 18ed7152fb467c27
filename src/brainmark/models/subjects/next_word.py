"""The most probable next word of a causal network, of as many tokens as it takes."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch

from brainmark.core.libraries import np
from brainmark.models.subjects.reading import ROWS, Reading
from brainmark.models.subjects.tokens import Tokens

_LONGEST = 8
"""Tokens of a word at most."""
_BEFORE = 64
"""Tokens from which the rest of a word is predicted, whose first token all of the context has chosen."""
_SPACES = ("Ġ", "▁", " ")


def next_words(reading: Reading, tokenizer: Any, texts: Sequence[Tokens], before: Sequence[int]) -> np.ndarray:
    """Return the next word after each part of each text: (parts of all texts,) str, without white space around it.

    The first token is the most probable one that begins a word or is punctuation, given all before it; most probable
    tokens that go on with the word follow, given the last `_BEFORE` tokens, until one begins another. So the work grows
    with the length of a text, not with its square.

    Parameters
    ----------
    before : tokens that stand before each text.
    """
    begins, goes_on = word_tokens(tokenizer)
    anything = np.ones(len(begins), bool)  # networks may have more tokens than their tokenizers, to fill a matrix up
    sequences = [np.concatenate([np.array(before, np.int64), text.ids]) for text in texts]
    ends = [text.ends + len(before) for text in texts]
    made = [[token] for token in _best(reading, sequences, ends, begins).tolist()]
    last = [whole[max(0, e - _BEFORE) : e] for whole, at in zip(sequences, ends, strict=True) for e in at.tolist()]
    going = list(range(len(made)))
    for _ in range(_LONGEST - 1):
        if not going or not goes_on.any():
            break
        longer = [np.concatenate([last[i], made[i]]) for i in going]
        following = _best(reading, longer, [np.array([len(one)]) for one in longer], anything)
        going = [i for i, token in zip(going, following.tolist(), strict=True) if goes_on[token]]
        kept = [token for token in following.tolist() if goes_on[token]]
        for i, token in zip(going, kept, strict=True):
            made[i].append(token)
    return np.array([tokenizer.decode(tokens, clean_up_tokenization_spaces=False).strip() for tokens in made])


def word_tokens(tokenizer: Any) -> tuple[np.ndarray, np.ndarray]:
    """Return which tokens (vocabulary,) begin a word or are punctuation, and which go on with a word.

    Tokenizers that do not mark white space (nor what goes on) begin a word with any token, and none goes on.
    """
    size = len(tokenizer)
    names = tokenizer.convert_ids_to_tokens(list(range(size)))
    special = set(tokenizer.all_special_ids)
    spaced = np.array([bool(n) and n.startswith(_SPACES) and len(n) > 1 for n in names])
    hashed = np.array([bool(n) and n.startswith("##") for n in names])
    usual = np.array([n is not None and i not in special for i, n in enumerate(names)])
    inked = np.array([any(c.isalnum() for c in n or "") for n in names])
    for token in np.flatnonzero(usual & ~inked & ~spaced).tolist():  # a byte that is no sign by itself is no word
        usual[token] = "\ufffd" not in tokenizer.decode([token])
    if hashed.any():
        return usual & ~hashed, usual & hashed
    if spaced.any():
        blank = np.array([not (n or "").strip("".join(_SPACES) + "ĊčĉĠ\n\t") for n in names])
        return usual & ~blank & (spaced | ~inked), usual & ~spaced & inked
    return usual, np.zeros(size, bool)


def _best(
    reading: Reading, sequences: Sequence[np.ndarray], ends: Sequence[np.ndarray], allowed: np.ndarray
) -> np.ndarray:
    """Most probable of the tokens `allowed` (vocabulary,) after the first tokens of each sequence, up to each end."""
    firsts = np.cumsum([0, *map(len, ends)])
    best = np.zeros(firsts[-1], np.int64)
    waiting: list[tuple[int, torch.Tensor]] = []

    def settle() -> None:
        for start in range(0, len(waiting), ROWS):
            group = waiting[start : start + ROWS]
            logits = reading.network.logits(torch.stack([top for _, top in group]))
            shut = torch.ones(logits.shape[1], dtype=torch.bool)
            shut[: len(allowed)] = torch.from_numpy(~allowed)[: logits.shape[1]]
            logits = logits.masked_fill(shut.to(logits.device), -torch.inf)
            best[[row for row, _ in group]] = logits.argmax(1).cpu().numpy()
        waiting.clear()

    with torch.inference_mode():
        for piece in reading.pieces(sequences, (), True):
            assert piece.top is not None
            at = ends[piece.sequence] - 1
            a, b = np.searchsorted(at, [piece.first, piece.first + len(piece.top)]).tolist()
            rows = piece.top[torch.from_numpy(at[a:b] - piece.first)]
            waiting += [(int(firsts[piece.sequence]) + i, row) for i, row in zip(range(a, b), rows, strict=True)]
            if len(waiting) >= ROWS:
                settle()
        settle()
    return best


__all__ = ["next_words", "word_tokens"]
