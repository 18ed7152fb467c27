"""Small language models trained by ``brainmark train``: the shipped one, and any run of one's own.

``checkpoint:PATH`` is the last checkpoint of a run, ``checkpoint:PATH@64`` that of step 64.
"""

from __future__ import annotations

import re
from functools import partial
from pathlib import Path
from typing import Literal

from brainmark.core.cards import ModelCard
from brainmark.core.errors import DataError
from brainmark.core.registry import Entry, models
from brainmark.core.subject import Subject
from brainmark.data.readers.corpora import WIKITEXT_CITE, WIKITEXT_LICENCE
from brainmark.models.sources.trained_text import (
    digest_of_folder,
    is_text_run,
    load_gpt,
    load_tokenizer,
    locate_text,
    random_gpt,
    read_text_facts,
)
from brainmark.models.subjects.language import as_language_subject
from brainmark.models.subjects.text_regions import LANGUAGE_REGIONS

PREFIX = "checkpoint:"
RADFORD = """@techreport{radford2019,
  title = {Language models are unsupervised multitask learners},
  author = {Radford, Alec and Wu, Jeffrey and Child, Rewon and Luan, David and Amodei, Dario and Sutskever, Ilya},
  institution = {OpenAI}, year = {2019}}"""
Weights = Literal["published", "random"]
SHIPPED = Path(__file__).parents[1] / "weights" / "tiny-gpt"
DIGEST = "41fbd19e5e47da6d55d4ce2db54b2a10bfbe52a2d3454465e779c65aba4125bc"
"""Of the folder that the recipe of the same name makes with seed 0 and one thread."""


def _card(summary: str, licence: str, cite: str, *tags: str) -> ModelCard:
    return ModelCard(
        summary=summary,
        licence=licence,
        cite=cite,
        domain="language",
        family="gpt",
        regions=LANGUAGE_REGIONS,
        tags=("small", *tags),
    )


def _subject(name: str, folder: Path, weights: Weights, seed: int) -> Subject:
    """Return a checkpoint as a subject: with its weights, or with others drawn from `seed`."""
    from brainmark.models.networks.seeds import twin

    network = random_gpt(folder, seed) if weights == "random" else load_gpt(folder)
    return as_language_subject(twin(name, weights, seed), network, load_tokenizer(folder))


@models.add(
    "tiny-gpt",
    card=_card(
        "GPT with 2 layers of 64 units, trained here on six old books and a part of wikitext-2.",
        WIKITEXT_LICENCE,  # books whose copyright has ended ask for nothing; articles of Wikipedia do
        f"{RADFORD}\n{WIKITEXT_CITE}",
    ),
)
def tiny_gpt(weights: Weights = "published", seed: int = 0) -> Subject:
    """Return the subject: weights of the recipe `tiny-gpt`, or drawn with `seed`.

    Raises
    ------
    DataError : the files that ship with the package are not as they were.
    """
    if digest_of_folder(SHIPPED) != DIGEST:
        raise DataError(f"shipped checkpoint {SHIPPED}: has other bytes; reinstall brainmark")
    return _subject("tiny-gpt", SHIPPED, weights, seed)


@models.add_finder
def find_checkpoint(name: str) -> Entry[Subject, ModelCard] | None:
    """Return ``checkpoint:PATH`` as a model, where the path is a run or a checkpoint of a language model; else None.

    Raises
    ------
    DataError : the run has no such checkpoint, or it cannot be read.
    """
    if not name.startswith(PREFIX) or re.search(r":random(=\d+)?$", name):
        return None
    path = Path(name.removeprefix(PREFIX)).expanduser()
    if not is_text_run(path):
        return None
    folder = locate_text(path)
    facts = read_text_facts(folder)

    def checkpoint(weights: Weights = "published", seed: int = 0) -> Subject:
        """Return the subject: the weights of the folder, or others drawn with `seed`."""
        return _subject(name, folder, weights, seed)

    recipe = facts.recipe
    summary = (
        f"{recipe['name']} ({recipe['layers']} layers of {recipe['width']} units), seed {facts.seed}, after step "
        f"{facts.step} of {facts.steps}: {facts.tokens} tokens."
    )
    card = _card(summary, "as the text that it was trained on", RADFORD, "checkpoint")
    return Entry("model", name, checkpoint, card, partial(digest_of_folder, folder))
