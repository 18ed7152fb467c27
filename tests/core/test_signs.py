"""Words are known in every spelling that people take for the same, and files that begin with a mark are read whole.

``don’t`` cost 49.6 bits where ``don't`` costs 5.0, words with accents set apart had no vector, and a byte order mark
hid the first word of a file.
"""

from __future__ import annotations

import unicodedata

import numpy as np
import pandas as pd
import pytest
import torch
from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers

from brainmark.core import Experiment, Read, Record, Setting, Stimuli
from brainmark.core.signs import find_spelling, replace_signs, write_plainly
from brainmark.data.readers.corpora import strip_word
from brainmark.data.readers.text import read_text, read_toml
from brainmark.models.networks.kneser_ney import KneserNey
from brainmark.models.sources.torch_libraries import transformers
from brainmark.models.subjects.language import LanguageSubject
from brainmark.models.subjects.tokens import PartTokenizer, join_parts
from brainmark.models.subjects.word_models import lengths, ngram_subject, random_vectors, word_text
from brainmark.models.subjects.word_vectors import read_vectors

PLAIN = 'I don\'t know the "well-known" house - or the office - at 10 km ...'
TYPOGRAPHIC = "I don’t know the “well‑known” house – or the oﬃce − at 10\u00a0km …"


def asked(parts: list[str]) -> Experiment:
    table = pd.DataFrame({"stimulus_id": [str(i) for i in range(len(parts))], "text": parts, "story": 0})
    return Experiment(Stimuli("s", "text", table), Read("surprisal"), Setting(context="story"))


def wrap(tokenizer: Tokenizer, **special: str):
    return transformers().PreTrainedTokenizerFast(tokenizer_object=tokenizer, **special)


def byte_level(corpus: list[str]):
    made = Tokenizer(models.BPE())
    made.pre_tokenizer, made.decoder = pre_tokenizers.ByteLevel(add_prefix_space=False), decoders.ByteLevel()
    alphabet = pre_tokenizers.ByteLevel.alphabet()
    made.train_from_iterator(
        corpus, trainers.BpeTrainer(vocab_size=600, special_tokens=["<s>"], initial_alphabet=alphabet)
    )
    return wrap(made, bos_token="<s>")


def words_and_signs(corpus: list[str]):
    made = Tokenizer(models.WordLevel(unk_token="[UNK]"))
    made.pre_tokenizer = pre_tokenizers.WhitespaceSplit()
    made.train_from_iterator(corpus, trainers.WordLevelTrainer(special_tokens=["[UNK]", "<s>"]))
    return wrap(made, unk_token="[UNK]", bos_token="<s>")


def unigrams(corpus: list[str]):
    made = Tokenizer(models.Unigram())
    made.pre_tokenizer, made.decoder = pre_tokenizers.Metaspace(), decoders.Metaspace()
    special = ["<unk>", "<s>"]
    made.train_from_iterator(corpus, trainers.UnigramTrainer(vocab_size=120, special_tokens=special, unk_token="<unk>"))
    return wrap(made, unk_token="<unk>", bos_token="<s>")


@pytest.fixture(scope="module")
def gpt():
    torch.manual_seed(0)
    config = transformers().GPT2Config(
        vocab_size=700, n_layer=1, n_embd=16, n_head=2, bos_token_id=0, initializer_range=0.2
    )
    return transformers().GPT2LMHeadModel(config).eval()


@pytest.mark.parametrize("make", [byte_level, words_and_signs, unigrams])
def test_a_tokenizer_of_plain_text_is_given_plain_signs(make, gpt):
    """The surprisal of each word is that of its plain spelling, wherever the sign stands in it."""
    tokenizer = make([PLAIN] * 60)
    subject = LanguageSubject("gpt", gpt, tokenizer, {"language_system": "transformer.h.0"})
    plain, typographic = PLAIN.split(" "), TYPOGRAPHIC.replace("\u00a0", " ").split(" ")
    wanted = subject.perform(asked(plain)).values
    np.testing.assert_array_equal(subject.perform(asked(typographic)).values, wanted)
    shown = LanguageSubject("gpt", gpt, tokenizer, {"language_system": "transformer.h.0"}, as_shown=True)
    assert (shown.perform(asked(typographic)).values != wanted).any()
    np.testing.assert_array_equal(shown.perform(asked(plain)).values, wanted)


def test_a_tokenizer_that_knows_a_sign_is_given_it():
    """A sign for which there is a token was in the text that the network learnt from."""
    tokenizer = PartTokenizer(byte_level([PLAIN, TYPOGRAPHIC] * 60))
    text = "I don’t know"
    assert tokenizer.tokenizer.decode(tokenizer([text]).ids) == text
    assert PartTokenizer(byte_level([PLAIN] * 60))([text]).ids.tolist() != tokenizer([text]).ids.tolist()


@pytest.mark.parametrize("make", [byte_level, words_and_signs, unigrams])
@pytest.mark.parametrize("form", ["NFC", "NFD"])
def test_accents_set_apart_are_the_same_letters(make, form):
    corpus = ["un café naïve à Zürich"] * 60
    tokenizer = PartTokenizer(make(corpus))
    parts = [unicodedata.normalize(form, word) for word in corpus[0].split()]
    found, wanted = tokenizer(parts), tokenizer(corpus[0].split())
    np.testing.assert_array_equal(found.ids, wanted.ids)
    np.testing.assert_array_equal(found.part, wanted.part)


def test_tokens_after_a_replaced_sign_belong_to_their_words():
    """A sign that becomes three, or none, shifts what follows; words keep their own tokens."""
    tokenizer = PartTokenizer(byte_level([PLAIN] * 60))
    parts = ["…", "oﬃce", "\u00ad", "ca\u00adfe\u0301", "10\u00a0km", "—", "house"]
    tokens = tokenizer(parts)
    spelled = [tokenizer.tokenizer.decode(tokens.ids[tokens.part == i]).strip() for i in range(len(parts))]
    assert spelled == ["...", "office", "", "café", "10 km", "--", "house"]


@pytest.mark.parametrize(
    ("text", "wanted", "plain"),
    [
        ("don’t", "don’t", "don't"),
        ("«a» ‹b› „c“ ‘d’", "«a» ‹b› „c“ ‘d’", "\"a\" 'b' \"c\" 'd'"),
        ("1–2 — −3 ‐", "1–2 — −3 ‐", "1-2 -- -3 -"),
        ("e\u0301\u0323x", "\u1eb9\u0301x", "\u1eb9\u0301x"),
        ("\u1112\u1161\u11ab", "한", "한"),
        ("a\u202fb\u00adc\ufeff", "a bc", "a bc"),
        ("👩‍👩‍👧 किताब", "👩‍👩‍👧 किताब", "👩‍👩‍👧 किताब"),
    ],
)
def test_what_is_replaced(text, wanted, plain):
    found, places = replace_signs(text)
    assert (found, len(places)) == (wanted, len(wanted))
    assert write_plainly(text).replace("\u00ad", "") == plain
    assert "".join(text[a:b] for a, b in dict.fromkeys(places)) == text.replace("\u00ad", "").replace("\ufeff", "")


@pytest.mark.parametrize("word", ["don’t", "donʼt", "DON’T", "“don’t”", "don’t…"])
def test_vectors_of_words(tmp_path, word):
    path = tmp_path / "v.txt"
    path.write_text("don't 1 2 3\nfox 4 5 6\ncafé 7 8 9\nit’s 1 1 1\n", "utf-8")
    table = read_vectors(path)
    assert table.of(word) == table.of("don't") == [0]
    assert table.of("cafe\u0301") == table.of("café") == [2]
    assert table.of("it's") == [3]


@pytest.mark.parametrize("typographic", ["I don’t know .", "I donʼt know ."])
def test_counted_words(typographic):
    model = KneserNey([["I", "don't", "know", "."], ["I", "know", "."]] * 5, 2)
    subject = ngram_subject("counts", lambda: model)
    wanted = subject.perform(asked(["I", "don't", "know", "."])).values
    np.testing.assert_array_equal(subject.perform(asked(typographic.split())).values, wanted)


def test_properties_of_words():
    composed, apart = (word_text([unicodedata.normalize(f, "café")]) for f in ("NFC", "NFD"))
    assert apart.words == (unicodedata.normalize("NFD", "café"),)
    np.testing.assert_array_equal(lengths([apart])[0], lengths([composed])[0])
    np.testing.assert_array_equal(random_vectors([apart], 0)[0], random_vectors([composed], 0)[0])
    assert word_text(["किताब है"]).words == ("किताब", "है")
    assert [strip_word(word) for word in ("house—", "«house»", "House…", "¿house?")] == ["house"] * 4
    assert find_spelling("naïve", {unicodedata.normalize("NFD", "naïve")}) is not None


def test_chinese_is_written_without_spaces():
    """A space between all words of a Chinese sentence is a text that nobody saw."""
    assert join_parts(["我", "喜欢", "，", "NLP", "吗", "？"])[0] == "我喜欢， NLP 吗？"
    assert join_parts(["안녕", "하세요"])[0] == "안녕 하세요"


def test_a_mark_at_the_beginning_of_a_file_is_no_text(tmp_path):
    """The first word of the file was not found, or its first field was unknown."""
    path = tmp_path / "v.txt"
    path.write_bytes("\ufeffthe 1 2\nfox 3 4\n".encode())
    assert read_vectors(path).of("the fox") == [0, 1]
    toml = tmp_path / "x.toml"
    toml.write_bytes('\ufeffidentifier = "a"\r\n'.encode())
    assert read_toml(toml) == {"identifier": "a"}
    assert read_text(toml) == 'identifier = "a"\n'
    toml.write_bytes("\ufeffnaïve".encode("utf-16-le"))
    assert read_text(toml) == "naïve"


def test_recordings_of_plain_and_typographic_words_agree(gpt):
    subject = LanguageSubject("gpt", gpt, byte_level([PLAIN] * 60), {"language_system": "transformer.h.0"})
    record = [
        subject.perform(Experiment(e.stimuli, Record("language_system"), e.setting)).values
        for e in (asked(["I", "don’t", "know"]), asked(["I", "don't", "know"]))
    ]
    np.testing.assert_array_equal(*record)
