"""Text to train language models on: paragraphs, a tokenizer learnt from them, and one stream of tokens."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import torch
from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers
from torch import Tensor

from brainmark.core.errors import DataError, UnknownName
from brainmark.data.readers import corpora
from brainmark.data.readers.text import read_text

BEGIN = "<|endoftext|>"
"""Token between paragraphs, and at the beginning of a text."""
_BLOCK, _NTH = 20, 20  # of every twenty blocks of twenty paragraphs, the last is held out

CORPORA: dict[str, Callable[[], list[str]]] = {
    "books": corpora.books,
    "wikitext": lambda: corpora.wikitext("train"),
    "brown": lambda: corpora.brown("train"),
}
"""Corpora that recipes name; see `brainmark.data.readers.corpora` for what is held out of them for good."""


@dataclass(frozen=True)
class Paragraphs:
    """Text to train on, and held-out text for the curves."""

    training: tuple[str, ...]
    held_out: tuple[str, ...]


def paragraphs_of(names: Iterable[str]) -> Paragraphs:
    """Return the paragraphs of corpora (names in `CORPORA`) or of text files (paths).

    Paragraphs of a file end at empty lines. They are parted in blocks, so that what is held out is not next to each
    paragraph that is trained on.

    Raises
    ------
    UnknownName : neither a corpus nor a file.
    DataError : a corpus cannot be had, a file cannot be read, or there are too few paragraphs to hold some out.
    """
    whole = [paragraph for name in names for paragraph in _read(name)]
    block = max(1, min(_BLOCK, len(whole) // _NTH))
    held_out = [(i // block) % _NTH == _NTH - 1 for i in range(len(whole))]
    if not any(held_out):
        raise DataError(
            f"{len(whole)} paragraphs are too few to train on; give at least {_NTH}, separated by empty lines"
        )
    return Paragraphs(
        tuple(p for p, out in zip(whole, held_out, strict=True) if not out),
        tuple(p for p, out in zip(whole, held_out, strict=True) if out),
    )


def _read(name: str) -> list[str]:
    if name in CORPORA:
        return CORPORA[name]()
    path = Path(name)
    if not path.is_file():
        raise UnknownName("corpus or text file", name, CORPORA, f" (corpora: {', '.join(CORPORA)})")
    return [" ".join(block.split()) for block in re.split(r"\n\s*\n", read_text(path)) if block.strip()]


def learn_tokenizer(paragraphs: Sequence[str], vocabulary: int) -> Tokenizer:
    """Return a byte-level BPE tokenizer (Sennrich et al. 2016) of at most `vocabulary` tokens.

    All 256 bytes are tokens, so that any text can be read.
    """
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)  # pyright: ignore[reportAttributeAccessIssue]
    tokenizer.decoder = decoders.ByteLevel()  # pyright: ignore[reportAttributeAccessIssue]
    trainer = trainers.BpeTrainer(
        vocab_size=vocabulary,
        special_tokens=[BEGIN],
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    tokenizer.train_from_iterator(paragraphs, trainer)
    return tokenizer


def stream(tokenizer: Tokenizer, paragraphs: Sequence[str]) -> Tensor:
    """Return all paragraphs as tokens (tokens,), int64, each after `BEGIN`."""
    begin = tokenizer.token_to_id(BEGIN)
    coded = tokenizer.encode_batch(list(paragraphs))
    return torch.tensor([i for one in coded for i in (begin, *one.ids)], dtype=torch.int64)


def chunks(tokens: Tensor, window: int, generator: torch.Generator | None = None) -> Tensor:
    """Cut a stream into rows (rows, window + 1), of which each begins with the last token of the one before.

    With a generator, the first row begins at a random place, and rows come in random order.

    Raises
    ------
    DataError : the stream is shorter than a row.
    """
    if len(tokens) <= window:
        raise DataError(f"the text has {len(tokens)} tokens, less than one window of {window}; give more text")
    spare = (len(tokens) - 1) % window
    first = int(torch.randint(spare + 1, (), generator=generator)) if generator else 0
    rows = tokens[first:].unfold(0, window + 1, window)
    return rows[torch.randperm(len(rows), generator=generator)] if generator else rows
