"""wikitext-2: the paragraphs of its test part, word by word."""

from __future__ import annotations

from brainmark.core import DatasetCard, datasets
from brainmark.core.dataset import Dataset
from brainmark.data.readers.corpora import WIKITEXT, WIKITEXT_CITE, WIKITEXT_LICENCE, wikitext
from brainmark.data.readers.words import in_words

CARD = DatasetCard(
    summary="Paragraphs of the test part of wikitext-2 (articles of Wikipedia), word by word.",
    licence=WIKITEXT_LICENCE,
    cite=WIKITEXT_CITE,
    domain="language",
    species=("none",),
    regions=(),
    modality="text",
    sources=(WIKITEXT.source("test.txt"),),
)


@datasets.add("Wikitext2.test", card=CARD)
def load() -> Dataset:
    """Words: presentation; each paragraph is a text of its own, headings are left out."""
    return in_words("Wikitext2.test", CARD, {f"{k:04d}": text for k, text in enumerate(wikitext("held out"))})


LINES = CARD.model_copy(update={"summary": "Lines of the test part of wikitext-2 as published, cut at white space."})


@datasets.add("Wikitext2.lines", card=LINES)
def lines() -> Dataset:
    """Words: presentation; each line is a text, headings and marks included; its last word is not asked for."""
    raw = WIKITEXT.fetch("test.txt").read_text(encoding="utf-8").splitlines()
    texts = {f"{k:04d}": " ".join(line.split()) for k, line in enumerate(raw)}
    return in_words("Wikitext2.lines", LINES, texts, ask_last=False)
