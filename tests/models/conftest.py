"""Small tokenizers and networks of every kind, and plain computations to compare with."""

from __future__ import annotations

import sys
import warnings
from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch
from tokenizers import Tokenizer, decoders, models, normalizers, pre_tokenizers, processors, trainers
from torch import Tensor, nn

from brainmark.core import Experiment, Setting, Stimuli
from brainmark.models.sources.torch_libraries import transformers as load_transformers

CORPUS = [
    "The cat sat on the mat and the old dog ran over the hill; don't you know John's 27 boats?",
    "She sells sea shells by the sea shore. Why do zebras, of all animals, have stripes?",
    "A naïve café, a résumé: 3,141.59 metres (or so) — \"quoted\" and 'single'!",
] * 20
ODD = {
    "punctuation": ["Wait", ",", "what", "?", "!", "(yes)", "[no]", "…"],
    "apostrophes": ["I", "'ve", "don't", "ca", "n't", "John", "'s", "'tis", "rock'n'roll"],
    "numbers": ["2,345.67", "km", "1e-9", "0", "007", "MMXXVI"],
    "unicode": ["naïve", "Привет", "世界", "e\u0301", "ﬁne", "\u200bzero", "Ⅷ"],
    "emoji": ["hi", "😀", "👩‍👩‍👧", "🏳️‍🌈🙂", "ok"],
    "spaces": [" leading", "double  space", "trailing ", "\ttab\n", "next", " ", "end"],
    "long": ["antidisestablishmentarianism" * 2, "x"],
    "empty": ["", "a", "", "", "b", ""],
    "one token": ["a"],
    "no language": ["qzxjvlkp", "wrrt", "aaaaaaaaaaaaaa", "###", "\x00\x01"],
    "split word": ["rain", "bow"],
    "sentence": ["The old dog ran over the hill, and the cat sat on the mat."],
}


@pytest.fixture(scope="session")
def transformers() -> Any:
    return load_transformers()


@pytest.fixture(scope="session")
def odd_texts() -> dict[str, list[str]]:
    return ODD


@pytest.fixture(scope="session")
def tokenizers(transformers: Any) -> dict[str, Any]:
    """Byte-level BPE, WordPiece and Unigram, trained on a few sentences."""
    wrap = transformers.PreTrainedTokenizerFast
    bpe = Tokenizer(models.BPE())
    bpe.pre_tokenizer, bpe.decoder = pre_tokenizers.ByteLevel(add_prefix_space=False), decoders.ByteLevel()
    alphabet = pre_tokenizers.ByteLevel.alphabet()
    bpe.train_from_iterator(
        CORPUS,
        trainers.BpeTrainer(vocab_size=420, special_tokens=["<s>"], initial_alphabet=alphabet, show_progress=False),
    )
    pieces = Tokenizer(models.WordPiece(unk_token="[UNK]"))
    pieces.normalizer = normalizers.BertNormalizer(lowercase=True)
    pieces.pre_tokenizer, pieces.decoder = pre_tokenizers.BertPreTokenizer(), decoders.WordPiece()
    special = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]
    pieces.train_from_iterator(
        CORPUS, trainers.WordPieceTrainer(vocab_size=200, special_tokens=special, show_progress=False)
    )
    pieces.post_processor = processors.TemplateProcessing(
        single="[CLS] $A [SEP]", special_tokens=[("[CLS]", 2), ("[SEP]", 3)]
    )
    unigram = Tokenizer(models.Unigram())
    unigram.normalizer = normalizers.NFKC()
    unigram.pre_tokenizer, unigram.decoder = pre_tokenizers.Metaspace(), decoders.Metaspace()
    unigram.train_from_iterator(
        CORPUS,
        trainers.UnigramTrainer(
            vocab_size=150, special_tokens=["<unk>", "<s>"], unk_token="<unk>", show_progress=False
        ),
    )
    return {
        "bpe": wrap(tokenizer_object=bpe, bos_token="<s>"),
        "wordpiece": wrap(
            tokenizer_object=pieces, pad_token="[PAD]", unk_token="[UNK]", cls_token="[CLS]", sep_token="[SEP]",
            mask_token="[MASK]",
        ),
        "unigram": wrap(tokenizer_object=unigram, unk_token="<unk>", bos_token="<s>"),
    }  # fmt: skip


@pytest.fixture(scope="session")
def gpt(transformers: Any) -> Callable[..., Any]:
    """gpt(tokenizer, window) -> a causal network with random weights."""

    def make(tokenizer: Any, window: int = 128, blocks: int = 3) -> Any:
        torch.manual_seed(0)
        config = transformers.GPT2Config(
            vocab_size=len(tokenizer), n_layer=blocks, n_embd=32, n_head=2, n_positions=window, initializer_range=0.2,
            bos_token_id=0, eos_token_id=0,
        )  # fmt: skip
        return transformers.GPT2LMHeadModel(config).eval()

    return make


@pytest.fixture(scope="session")
def bert(transformers: Any) -> Callable[..., Any]:
    """bert(tokenizer, window) -> a masked network with random weights."""

    def make(tokenizer: Any, window: int = 64) -> Any:
        torch.manual_seed(0)
        config = transformers.BertConfig(
            vocab_size=len(tokenizer), num_hidden_layers=2, hidden_size=32, num_attention_heads=2,
            intermediate_size=64, max_position_embeddings=window, initializer_range=0.2,
        )  # fmt: skip
        return transformers.BertForMaskedLM(config).eval()

    return make


def experiment_of(contexts: list[list[str]], ask: Any, alone: bool = False) -> Experiment:
    rows = [(f"{c}-{i}", c, part) for c, parts in enumerate(contexts) for i, part in enumerate(parts)]
    table = pd.DataFrame(rows, columns=["stimulus_id", "context", "text"])
    return Experiment(Stimuli("texts", "text", table), ask, Setting() if alone else Setting(context="context"))


@pytest.fixture(scope="session")
def asked() -> Callable[..., Experiment]:
    """asked(contexts, ask, alone=False) -> the experiment."""
    return experiment_of


@pytest.fixture(scope="session")
def plain_bits() -> Callable[..., np.ndarray]:
    """plain_bits(network, ids) -> bits of each token, by one pass for each, without any cache; NaN for the first."""

    def compute(network: Any, ids: list[int], starts: list[int] | None = None) -> np.ndarray:
        bits = np.full(len(ids), np.nan)
        for position in range(1, len(ids)):
            first = 0 if starts is None else starts[position - 1]
            with torch.no_grad():
                logits = network(torch.tensor([ids[first:position]])).logits[0, -1].double()
            bits[position] = -float(torch.log_softmax(logits, -1)[ids[position]]) / np.log(2)
        return bits

    return compute


State = list[tuple[Tensor, Tensor]]


class LSTMLanguageModel(nn.Module):
    """Predicts the next token from all before it (Hochreiter & Schmidhuber 1997; as in Gulordava et al. 2018, NAACL).

    Parameters
    ----------
    vocabulary : number of tokens.
    width : units of the embedding and of each layer.
    depth : recurrent layers, one above the other: ``layers.0``, ``layers.1`` ...
    tied : whether head and embedding share their weights (Press & Wolf 2017, EACL).
    """

    def __init__(self, vocabulary: int, width: int = 256, depth: int = 2, tied: bool = True) -> None:
        super().__init__()
        self.embedding = nn.Embedding(vocabulary, width)
        self.layers = nn.ModuleList(nn.LSTM(width, width, batch_first=True) for _ in range(depth))
        self.head = nn.Linear(width, vocabulary)
        if tied:
            self.head.weight = self.embedding.weight

    def forward(self, ids: Tensor, state: State | None = None) -> tuple[Tensor, State]:
        """Ids (texts, tokens) and the state after what came before -> hidden (texts, tokens, width), and the state."""
        hidden, after = self.embedding(ids), []
        for index, layer in enumerate(self.layers):
            hidden, kept = layer(hidden, None if state is None else state[index])
            after.append(kept)
        return hidden, after


@pytest.fixture(scope="session")
def lstm() -> type[LSTMLanguageModel]:
    return LSTMLanguageModel


OWN_NETWORK = """
import torch
from torch import nn

def make_model(width: int = 4):
    torch.manual_seed(1)
    return nn.Sequential(nn.Conv2d(3, width, 3, 2), nn.ReLU(), nn.Conv2d(width, width, 3, 2), nn.ReLU(),
                         nn.Conv2d(width, width, 3, 2), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(width, 5))

def needs(path):
    return make_model()

def number():
    return 3

def sees():
    from brainmark.models.subjects.vision import VisionSubject
    return VisionSubject("mine", make_model(), {"IT": "3"}, degrees=12.0)

def breaks():
    raise KeyError("weights")
"""


@pytest.fixture
def quiet():
    """What the tests want to hear they ask for."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message=".*layers chosen by their depth")
        yield


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """A working folder with a module of one's own, which is forgotten afterwards."""
    (tmp_path / "my_networks_here.py").write_text(OWN_NETWORK)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", [p for p in sys.path if p])
    yield tmp_path
    sys.modules.pop("my_networks_here", None)


@pytest.fixture
def unreachable(monkeypatch, tmp_path):
    """A machine without a network and with empty caches."""
    monkeypatch.setenv("TORCH_HOME", str(tmp_path / "torch"))
    monkeypatch.setattr("socket.getaddrinfo", _no_address)
    monkeypatch.setenv("BRAINMARK_HOME", str(tmp_path / "home"))
    monkeypatch.delenv("BRAINMARK_MIRROR", raising=False)


def _no_address(*_):
    raise OSError("Name or service not known")
