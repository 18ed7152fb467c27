"""Brown corpus: the tenth of its files that is held out of all training here, word by word."""

from __future__ import annotations

from brainmark.core import DatasetCard, datasets
from brainmark.core.dataset import Dataset
from brainmark.data.readers.corpora import BROWN, BROWN_CITE, BROWN_LICENCE, brown_files
from brainmark.data.readers.words import in_words

CARD = DatasetCard(
    summary="Running text of 50 files of the Brown corpus that no model here was trained on, word by word.",
    licence=BROWN_LICENCE,
    cite=BROWN_CITE,
    domain="language",
    species=("none",),
    regions=(),
    modality="text",
    sources=BROWN.sources,
)


@datasets.add("Brown.held_out", card=CARD)
def load() -> Dataset:
    """Words: presentation; one text a file, paragraphs follow each other."""
    texts = {
        name: " ".join(" ".join(sentences) for sentences in paragraphs)
        for name, paragraphs in brown_files("held out").items()
    }
    return in_words("Brown.held_out", CARD, texts)
