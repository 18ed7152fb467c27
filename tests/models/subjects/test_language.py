"""What language networks answer, beside plain computations token by token."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from brainmark.core import (
    Choose,
    Decide,
    InvalidModel,
    InvalidStimuli,
    Match,
    NextWord,
    NotApplicable,
    OddOneOut,
    Prefer,
    Rate,
    Read,
    Record,
    Stimuli,
    check_answer,
)
from brainmark.models.subjects import token_interface
from brainmark.models.subjects.language import LanguageSubject, as_language_subject, block_at
from brainmark.models.subjects.readout import Readout
from brainmark.models.subjects.text_passes import windows
from brainmark.models.subjects.token_interface import TOP
from brainmark.models.subjects.token_networks import TransformersNetwork

LAYER = {"language_system": "transformer.h.1"}
RECORD = Record("language_system")


@pytest.fixture(scope="module")
def subject(tokenizers, gpt):
    return LanguageSubject("gpt", gpt(tokenizers["bpe"]), tokenizers["bpe"], LAYER)


@pytest.mark.parametrize("kind", ["bpe", "wordpiece", "unigram"])
def test_surprisals_are_those_of_a_plain_computation(tokenizers, gpt, odd_texts, asked, plain_bits, kind):
    tokenizer, network = tokenizers[kind], gpt(tokenizers[kind])
    subject = LanguageSubject("gpt", network, tokenizer, LAYER)
    contexts = list(odd_texts.values())
    experiment = asked(contexts, Read("surprisal"))
    given = check_answer(subject.perform(experiment), experiment, "gpt").values
    place = 0
    for parts in contexts:
        tokens = subject.tokens(parts)
        before = list(subject.runner.frame(True).before)
        bits = plain_bits(network, before + tokens.ids.tolist())[len(before) :]
        expected = np.array([bits[tokens.part == i].sum() for i in range(len(parts))])
        np.testing.assert_allclose(
            given[place : place + len(parts)], expected, rtol=1e-6, atol=1e-5, err_msg=str(parts)
        )
        place += len(parts)


@pytest.mark.parametrize("kind", ["bpe", "unigram"])
def test_representations_are_those_of_each_prefix_alone(tokenizers, gpt, odd_texts, asked, kind):
    tokenizer, network = tokenizers[kind], gpt(tokenizers[kind])
    subject = LanguageSubject("gpt", network, tokenizer, LAYER, begin=True)
    contexts = list(odd_texts.values())
    experiment = asked(contexts, RECORD)
    given = check_answer(subject.perform(experiment), experiment, "gpt")
    assert given.dims == ("presentation", "neuroid")
    assert given.dtype == np.float32
    place = 0
    for parts in contexts:
        tokens = subject.tokens(parts)
        for end in tokens.ends.tolist():
            ids = [tokenizer.bos_token_id, *tokens.ids[:end].tolist()]
            with torch.no_grad():
                hidden = network(torch.tensor([ids]), output_hidden_states=True).hidden_states[2][0, -1]
            np.testing.assert_allclose(given.values[place], hidden.numpy(), rtol=1e-6, atol=1e-5)
            place += 1


def test_the_mean_over_the_tokens_of_a_part(subject, asked, odd_texts):
    parts = odd_texts["emoji"]
    mean = LanguageSubject(
        "gpt", subject.token_network, subject.tokenizer, {"language_system": Readout(("transformer.h.1",), "mean")}
    )
    tokens = subject.tokens(parts)
    with torch.no_grad():
        hidden = (
            subject.module(torch.from_numpy(tokens.ids)[None], output_hidden_states=True).hidden_states[2][0].numpy()
        )
    expected = np.stack([hidden[tokens.part == i].mean(0) for i in range(len(parts))])
    np.testing.assert_allclose(mean.perform(asked([parts], RECORD)).values, expected, rtol=1e-6, atol=1e-5)


def test_without_a_token_of_the_beginning_the_first_token_has_no_probability(tokenizers, gpt, asked, plain_bits):
    network = gpt(tokenizers["bpe"])
    subject = LanguageSubject("gpt", network, tokenizers["bpe"], LAYER, begin=False)
    experiment = asked([["a", "cat"], ["zebras", "sat"]], Read("surprisal"))
    given = check_answer(subject.perform(experiment), experiment, "gpt").values
    assert np.isnan(given[0])
    tokens = subject.tokens(["zebras", "sat"])
    bits = plain_bits(network, tokens.ids.tolist())
    np.testing.assert_allclose(given[2], np.nansum(bits[tokens.part == 0]), atol=1e-5)


@pytest.mark.parametrize(("window", "overlap"), [(16, None), (16, 15), (16, 0), (9, 3)])
def test_texts_longer_than_the_window(tokenizers, gpt, asked, plain_bits, window, overlap):
    tokenizer = tokenizers["bpe"]
    network = gpt(tokenizer, window=16)
    subject = LanguageSubject("gpt", network, tokenizer, LAYER, window=window, overlap=overlap)
    words = ("the cat sat on the mat and the old dog ran over the hill . " * 3).split()
    tokens = subject.tokens(words)
    shared = window // 2 if overlap is None else overlap
    ids = [tokenizer.bos_token_id, *tokens.ids.tolist()]
    # the first window that holds a token, by its definition
    starts = [next(s for s in range(0, len(ids), window - shared) if s + window > p) for p in range(len(ids))]
    bits = plain_bits(network, ids, starts)[1:]
    expected = np.array([bits[tokens.part == i].sum() for i in range(len(words))])
    np.testing.assert_allclose(
        subject.perform(asked([words], Read("surprisal"))).values, expected, rtol=1e-6, atol=1e-5
    )
    end = int(tokens.ends[-1]) - 1  # recordings begin without the token of the beginning
    start = next(s for s in range(0, len(ids), window - shared) if s + window > end)
    with torch.no_grad():
        hidden = network(torch.from_numpy(tokens.ids[start : end + 1])[None], output_hidden_states=True).hidden_states[
            2
        ]
    np.testing.assert_allclose(subject.perform(asked([words], RECORD)).values[-1], hidden[0, -1].numpy(), atol=1e-5)


@given(st.integers(1, 200), st.integers(2, 40), st.data())
def test_windows_give_each_token_once_and_its_share_of_context(length, limit, data):
    overlap = data.draw(st.integers(0, limit - 1))
    cut = windows(0, length, limit, overlap)
    new = [p for w in cut for p in range(w.first, w.stop)]
    assert new == list(range(length))
    for window in cut:
        assert len(window) <= limit
        assert all(p - window.start >= min(p, overlap) for p in range(window.first, window.stop))


@settings(max_examples=12)
@given(st.data())
def test_neither_batches_nor_order_nor_chunks_matter(tokenizers, gpt, asked, data):
    tokenizer = tokenizers["bpe"]
    words = st.lists(st.text(alphabet="abc dë😀'.", max_size=6), min_size=1, max_size=8)
    contexts = data.draw(st.lists(words, min_size=1, max_size=5))
    budget, chunk = data.draw(st.integers(1, 200)), data.draw(st.integers(3, 40))
    order = data.draw(st.permutations(range(len(contexts))))
    network = gpt(tokenizer, window=32)
    usual = LanguageSubject("gpt", network, tokenizer, LAYER, begin=True)
    other = LanguageSubject("gpt", usual.token_network, tokenizer, LAYER, begin=True, budget=budget)
    firsts = np.cumsum([0, *map(len, contexts)])
    rows = np.concatenate([np.arange(firsts[i], firsts[i + 1]) for i in order])
    for ask in (Read("surprisal"), RECORD):
        expected = usual.perform(asked(contexts, ask)).values
        before = token_interface.CHUNK
        token_interface.CHUNK = chunk
        try:
            given = other.perform(asked([contexts[i] for i in order], ask)).values
        finally:
            token_interface.CHUNK = before
        np.testing.assert_allclose(given, expected[rows], rtol=1e-6, atol=2e-5)


def test_a_masked_network_sees_nothing_that_comes_after(tokenizers, bert, asked):
    tokenizer = tokenizers["wordpiece"]
    network = bert(tokenizer, window=16)
    subject = LanguageSubject("bert", network, tokenizer, {"language_system": "bert.encoder.layer.0"})
    assert not subject.token_network.causal
    parts = ["The", "old", "dog", "ran", "over", "the", "hill", "and", "sat", "on", "the", "mat"]
    given = subject.perform(asked([parts], RECORD)).values
    tokens = subject.tokens(parts)
    for index, end in enumerate(tokens.ends.tolist()):
        ids = [2, *tokens.ids[max(0, end - 14) : end].tolist(), 3]
        with torch.no_grad():
            hidden = network(torch.tensor([ids]), output_hidden_states=True).hidden_states[1][0, -2]
        np.testing.assert_allclose(given[index], hidden.numpy(), atol=1e-5)


def masked_bits(network, tokens, mask, until, after):
    """Bits of each token, it and all up to `until` masked, and nothing after `after`."""
    found = []
    for token in range(len(tokens)):
        ids = tokens.ids.copy()[: after[token]]
        ids[token : until[token]] = mask
        with torch.no_grad():
            logits = network(torch.tensor([[2, *ids.tolist(), 3]])).logits[0, token + 1].double()
        found.append(-float(torch.log_softmax(logits, -1)[tokens.ids[token]]) / np.log(2))
    return np.array(found)


def test_surprisal_and_preference_of_a_masked_network(tokenizers, bert, asked):
    tokenizer = tokenizers["wordpiece"]
    network = bert(tokenizer)
    subject = LanguageSubject("bert", network, tokenizer, {"language_system": "bert.encoder.layer.0"})
    parts = ["The old", "zebras", "ran"]
    tokens = subject.tokens(parts)
    ends = tokens.ends[tokens.part]
    bits = masked_bits(network, tokens, tokenizer.mask_token_id, ends, ends)
    expected = [bits[tokens.part == i].sum() for i in range(3)]
    np.testing.assert_allclose(subject.perform(asked([parts], Read("surprisal"))).values, expected, atol=1e-5)

    pair = ["The zebras ran over", "zebras The over ran"]
    sums = []
    for sentence in pair:
        tokens = subject.tokens.words(sentence)
        whole = [len(tokens)] * len(tokens)
        sums.append(masked_bits(network, tokens, tokenizer.mask_token_id, tokens.ends[tokens.part], whole).sum())
    given = subject.perform(asked([pair], Prefer(), alone=True)).values
    np.testing.assert_allclose(given[0, 0], 1 / (1 + 2.0 ** (sums[0] - sums[1])), atol=1e-5)
    with pytest.raises(NotApplicable, match="cannot predict the next word"):
        subject.perform(asked([parts], NextWord()))


def test_preferences_are_in_proportion_to_probabilities(subject, asked, plain_bits):
    texts = ["the cat sat", "cat sat the", "on the mat", "the the the", "a", ""]
    experiment = asked([texts], Prefer(3), alone=True)
    given = check_answer(subject.perform(experiment), experiment, "gpt")
    assert given.dims == ("presentation", "choice")
    assert given.coords["choice"].values.tolist() == [0, 1, 2]
    network, before = subject.module, subject.tokenizer.bos_token_id
    sums = np.array([np.nansum(plain_bits(network, [before, *subject.tokens([t]).ids.tolist()])) for t in texts])
    for row, three in zip(given.values, sums.reshape(2, 3), strict=True):
        np.testing.assert_allclose(row, 2.0**-three / (2.0**-three).sum(), atol=1e-5)
    assert sums[-1] == 0  # nothing is certain
    with pytest.raises(NotApplicable, match="stand alone"):
        subject.perform(asked([texts], Prefer(3)))


def test_ratings_follow_the_probability_of_each_word(subject, asked):
    texts = ["the cat sat", "zqx vvk qqz", "the mat"]
    bits = subject.perform(asked([[t] for t in texts], Read("surprisal"))).values
    given = subject.perform(asked([texts], Rate("plausibility", 1, 7), alone=True)).values
    words = np.array([3, 3, 2])
    np.testing.assert_allclose(given, 1 + 6 / (1 + bits / words / 10))
    with pytest.raises(NotApplicable, match="cannot answer 'beauty' without"):
        subject.perform(asked([texts], Rate("beauty", 1, 7), alone=True))


def test_reading_time_is_linear_in_surprisal(subject, asked, odd_texts):
    linked = LanguageSubject("gpt", subject.token_network, subject.tokenizer, LAYER, link=(200.0, 4.0))
    contexts = [odd_texts["sentence"], odd_texts["numbers"]]
    bits = subject.perform(asked(contexts, Read("surprisal"))).values
    np.testing.assert_allclose(linked.perform(asked(contexts, Read("reading_time"))).values, 200 + 4 * bits)


def test_the_next_word_is_the_most_probable_and_whole(tokenizers, gpt, asked):
    tokenizer = tokenizers["bpe"]
    network = gpt(tokenizer)
    subject = LanguageSubject("gpt", network, tokenizer, LAYER)
    experiment = asked([["The", "cat"], ["Why"]], NextWord())
    said = check_answer(subject.perform(experiment), experiment, "gpt").values
    names = tokenizer.convert_ids_to_tokens(range(len(tokenizer)))
    for words, answer in (("The", said[0]), ("The cat", said[1]), ("Why", said[2])):
        ids = [0, *tokenizer(words)["input_ids"]]
        spelled: list[int] = []
        while len(spelled) < 8:
            with torch.no_grad():
                logits = network(torch.tensor([ids + spelled])).logits[0, -1]
            order = logits.argsort(descending=True).tolist()
            if not spelled:  # the first of those that begin a word, or are punctuation
                spelled.append(next(i for i in order if i and _begins(names[i], tokenizer.decode([i]))))
            elif order[0] and not names[order[0]].startswith("Ġ") and any(c.isalnum() for c in names[order[0]]):
                spelled.append(order[0])
            else:
                break
        assert answer == tokenizer.decode(spelled).strip()
        assert answer


def test_tokens_that_only_fill_up_a_vocabulary_are_never_said(tokenizers, transformers, asked):
    torch.manual_seed(0)
    tokenizer = tokenizers["bpe"]
    config = transformers.GPT2Config(
        vocab_size=len(tokenizer) + 5000, n_layer=1, n_embd=16, n_head=2, bos_token_id=0, eos_token_id=0
    )
    network = transformers.GPT2LMHeadModel(config)
    subject = LanguageSubject("filled", network, tokenizer, {"language_system": "transformer.h.0"})
    answer = subject.perform(asked([["The", "cat", "sat"]], NextWord())).values
    assert all(answer)


def _begins(name: str, text: str) -> bool:
    inked = any(c.isalnum() for c in name)
    blank = not text.strip()
    return not blank and ((name.startswith("Ġ") and len(name) > 1) or (not inked and "\ufffd" not in text))


@pytest.mark.parametrize("ask", [Match(), OddOneOut(), Rate("alike?", 0, 1, group=2)])
def test_texts_are_compared_by_their_representations(subject, asked, ask):
    texts = ["the cat sat", "the cat sat", "zebras", "naïve café", "on the mat", "on the mat"]
    experiment = asked([texts], ask, alone=True)
    given = check_answer(subject.perform(experiment), experiment, "gpt").values
    assert np.argmax(given[0]) == 0 if isinstance(ask, Match) else given[0] == (2 if isinstance(ask, OddOneOut) else 1)


def test_labels_are_learnt_from_texts(subject, asked):
    texts = [f"the {w} sat" for w in ("cat", "dog", "mat", "hill")] + [f"why {w}?" for w in ("me", "now", "so", "not")]
    stimuli = asked([texts], RECORD).stimuli
    known = Stimuli("known", "text", stimuli.table.assign(label=["said"] * 4 + ["asked"] * 4))
    given = subject.perform(asked([["the boat sat", "why you?"]], Choose(fitting=known), alone=True))
    assert given.coords["choice"].values[given.values.argmax(1)].tolist() == ["said", "asked"]


def test_what_it_cannot_do_it_says(subject, asked, transformers, tokenizers):
    with pytest.raises(NotApplicable, match="has no layer for region 'V1'"):
        subject.perform(asked([["a"]], Record("V1")))
    with pytest.raises(NotApplicable, match="cannot answer Decide"):
        subject.perform(asked([["a"]], Decide(("x", "y")), alone=True))
    with pytest.raises(NotApplicable, match="no receptive fields"):
        subject.perform(asked([["a"]], Record("language_system", eccentricity=2.0)))
    config = transformers.GPT2Config(vocab_size=500, n_layer=1, n_embd=8, n_head=1, bos_token_id=0, eos_token_id=0)
    headless = LanguageSubject("bare", transformers.GPT2Model(config), tokenizers["bpe"], {"language_system": "h.0"})
    assert headless.token_network.causal
    assert headless.perform(asked([["a", "b"]], RECORD)).shape == (2, 8)
    for ask in (Read("surprisal"), Prefer(2), NextWord(), Rate("plausibility", 1, 7)):
        with pytest.raises(NotApplicable, match="no head that gives words probabilities"):
            headless.perform(asked([["a", "b"]], ask, alone=True))


def test_nothing_to_read(subject, asked, bert, tokenizers):
    with pytest.raises(InvalidStimuli, match="stimulus '0-0' holds nothing that gpt has tokens for"):
        subject.perform(asked([["", "cat"]], RECORD))
    begun = LanguageSubject("gpt", subject.token_network, subject.tokenizer, LAYER, begin=True)
    answer = begun.perform(asked([["", "cat", ""], [""]], RECORD)).values
    np.testing.assert_allclose(answer[0], answer[3])
    np.testing.assert_allclose(answer[1], answer[2])
    assert subject.perform(asked([[""]], Read("surprisal"))).values.tolist() == [0.0]
    masked = LanguageSubject(
        "bert", bert(tokenizers["wordpiece"]), tokenizers["wordpiece"], {"language_system": "bert.encoder.layer.0"}
    )
    assert np.isfinite(masked.perform(asked([["", "cat"]], RECORD)).values).all()


def test_time_bins_hold_the_same(subject, asked):
    answer = subject.perform(asked([["a", "cat"]], Record("language_system", ((0.0, 50.0), (50.0, 100.0)))))
    assert answer.dims == ("presentation", "neuroid", "time_bin")
    np.testing.assert_array_equal(answer.values[..., 0], answer.values[..., 1])


def test_a_recurrent_network_carries_its_state(tokenizers, asked, monkeypatch, lstm):
    torch.manual_seed(0)
    tokenizer = tokenizers["bpe"]
    network = lstm(len(tokenizer), width=16, depth=2).eval()
    subject = LanguageSubject("lstm", network, tokenizer, {"language_system": "layers.1"}, begin=True)
    assert subject.token_network.blocks() == ["layers.0", "layers.1"]
    contexts = [["the", "old", "dog", "ran", "over", "the", "hill"], ["naïve", "😀"]]
    ids = torch.tensor([[0, *subject.tokens(contexts[0]).ids.tolist()]])
    with torch.no_grad():
        hidden, _ = network(ids)
        bits = -torch.log_softmax(network.head(hidden).double(), -1)[0, :-1].gather(1, ids[0, 1:, None])[:, 0] / np.log(
            2
        )
    tokens = subject.tokens(contexts[0])
    for chunk in (2048, 3):
        monkeypatch.setattr("brainmark.models.subjects.token_interface.CHUNK", chunk)
        given = subject.perform(asked(contexts, Read("surprisal"))).values[:7]
        np.testing.assert_allclose(given, np.bincount(tokens.part, bits.numpy()), atol=1e-5)
        recorded = subject.perform(asked(contexts, RECORD)).values[:7]
        np.testing.assert_allclose(recorded, hidden[0, tokens.ends].numpy(), atol=1e-6)


@pytest.mark.slow
def test_a_megabyte(tokenizers, gpt, asked):
    tokenizer = tokenizers["bpe"]
    words = ("the cat sat on the mat and the old dog ran over the hill " * 20_000).split()
    assert sum(map(len, words)) + len(words) > 1_000_000
    subject = LanguageSubject(
        "gpt", gpt(tokenizer, 256, 1), tokenizer, {"language_system": "transformer.h.0"}, overlap=32
    )
    bits = subject.perform(asked([words], Read("surprisal"))).values
    assert bits.shape == (len(words),)
    assert np.isfinite(bits).all()
    short = subject.perform(asked([words[:100]], Read("surprisal"))).values
    np.testing.assert_allclose(bits[:100], short, atol=1e-5)


def test_a_text_of_one_word_that_never_ends(tokenizers, gpt, asked):
    tokenizer = tokenizers["bpe"]
    subject = LanguageSubject("gpt", gpt(tokenizer, 64, 1), tokenizer, {"language_system": "transformer.h.0"})
    answer = subject.perform(asked([["ab" * 20_000]], Read("surprisal"))).values
    assert answer.shape == (1,)
    assert answer[0] > 0


def test_heads_that_do_more_than_their_last_layer(transformers, tokenizers, asked, plain_bits):
    torch.manual_seed(0)
    size = len(tokenizers["bpe"])
    config = transformers.Gemma2Config(
        vocab_size=size, hidden_size=32, intermediate_size=32, num_hidden_layers=2, num_attention_heads=2,
        num_key_value_heads=1, head_dim=16, max_position_embeddings=64, final_logit_softcapping=1.0, pad_token_id=0,
    )  # fmt: skip
    network = transformers.Gemma2ForCausalLM(config).eval()
    subject = LanguageSubject("gemma", network, tokenizers["bpe"], {"language_system": "model.layers.0"})
    words = ["the", "old", "dog", "ran"]
    tokens = subject.tokens(words)
    bits = plain_bits(network, [0, *tokens.ids.tolist()])[1:]
    given = subject.perform(asked([words], Read("surprisal"))).values
    np.testing.assert_allclose(given, np.bincount(tokens.part, bits), atol=1e-5)


def test_the_head_reads_what_the_model_gives_it(subject):
    ids = torch.tensor([[1, 2, 3, 4]])
    with torch.inference_mode():
        chunk = next(iter(subject.token_network.run(ids, [4], [TOP])))
        np.testing.assert_allclose(
            subject.token_network.logits(chunk.layers[TOP][0]), subject.module(ids).logits[0], atol=1e-5
        )


def test_a_network_is_left_as_it_was(tokenizers, gpt, asked):
    network = gpt(tokenizers["bpe"])
    kinds = [type(m).__name__ for m in network.modules()]
    subject = LanguageSubject("gpt", network, tokenizers["bpe"], LAYER)
    before = subject.weights_digest
    subject.perform(asked([["a", "cat"]], Read("surprisal")))
    assert [type(m).__name__ for m in network.modules()] == kinds
    assert subject.weights_digest == before
    assert not any(m._forward_hooks or m._forward_pre_hooks for m in network.modules())


@pytest.mark.parametrize("kind", ["transformer", "recurrent"])
def test_a_network_that_trains_is_read_without_chance_and_trains_on(tokenizers, gpt, asked, kind, lstm):
    """Between two steps of a training, a score changes neither its mode nor what has gradients."""
    tokenizer = tokenizers["bpe"]
    if kind == "transformer":
        network, layer = gpt(tokenizer), LAYER
    else:
        torch.manual_seed(0)
        network, layer = lstm(len(tokenizer), width=16, depth=2), {"language_system": "layers.1"}
        network.embedding = torch.nn.Sequential(network.embedding, torch.nn.Dropout(0.5))
    subject = LanguageSubject("gpt", network, tokenizer, layer, begin=True)
    experiment = asked([["a", "cat", "sat"]], Read("surprisal"))
    expected = subject.perform(experiment).values
    network.train()
    first = next(network.modules())
    frozen = list(network.modules())[-2]
    frozen.eval()
    before = [m.training for m in network.modules()]
    for ask in (Read("surprisal"), RECORD):
        subject.perform(asked([["a", "cat", "sat"]], ask))
    np.testing.assert_array_equal(subject.perform(experiment).values, expected)
    assert [m.training for m in network.modules()] == before
    assert first.training and not frozen.training
    assert all(p.requires_grad for p in network.parameters())


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"identifier": " "}, "identifier is ' '"),
        ({"regions": {}}, "map each region to a layer"),
        ({"regions": {"language_system": ""}}, "name a layer"),
        ({"window": 0}, "window is 0; give a number of tokens"),
        ({"overlap": -1}, "overlap is -1"),
        ({"regions": {"language_system": Readout(("a",), "last")}, "budget": 0}, "budget is 0"),
    ],
)
def test_descriptions_of_no_network_are_refused(subject, changes, reason):
    fields = {"identifier": "x", "network": subject.token_network, "tokenizer": subject.tokenizer, "regions": LAYER}
    with pytest.raises(InvalidModel, match=reason):
        LanguageSubject(**{**fields, **changes})


def test_an_overlap_of_the_whole_window_is_refused(tokenizers, gpt):
    with pytest.raises(InvalidModel, match="its window is 128 tokens"):
        _ = LanguageSubject("x", gpt(tokenizers["bpe"]), tokenizers["bpe"], LAYER, overlap=128).token_network


@pytest.mark.parametrize(
    ("fields", "reason"),
    [
        ({"layer": ()}, "name at least one layer"),
        ({"layer": ("a", "a")}, "each once"),
        ({"layer": "a", "pool": "best"}, "one of last, mean, all, first"),
        ({"layer": "a", "units": {"b": [1]}}, "name at least one unit"),
    ],
)
def test_readouts_of_nothing_are_refused(fields, reason):
    with pytest.raises(InvalidModel, match=reason):
        Readout(**fields)


def test_layers_by_depth(tokenizers, gpt):
    assert block_at([str(i) for i in range(12)]) == "7"
    assert block_at(["0"]) == "0"
    subject = as_language_subject("x", gpt(tokenizers["bpe"]), tokenizers["bpe"])
    assert set(subject.regions.values()) == {"transformer.h.1"}


def test_several_layers_stand_side_by_side(subject, asked):
    both = {
        "language_system": Readout(
            ("transformer.h.2", "transformer.h.0"), units={"transformer.h.2": [3, 1], "transformer.h.0": [0]}
        )
    }
    answer = LanguageSubject("x", subject.token_network, subject.tokenizer, both).perform(asked([["a", "cat"]], RECORD))
    assert answer.coords["layer"].values.tolist() == ["transformer.h.2"] * 2 + ["transformer.h.0"]
    assert answer.coords["unit"].values.tolist() == [3, 1, 0]
    alone = LanguageSubject("x", subject.token_network, subject.tokenizer, {"language_system": "transformer.h.2"})
    whole = alone.perform(asked([["a", "cat"]], RECORD)).values
    np.testing.assert_allclose(answer.values[:, :2], whole[:, [3, 1]], atol=1e-6)


def test_recordings_from_several_readouts_at_once(subject, asked, odd_texts):
    experiment = asked([odd_texts["sentence"], odd_texts["numbers"]], RECORD)
    readouts = [Readout("transformer.h.0"), Readout("transformer.h.2", "mean"), Readout("transformer.h.2")]
    for readout, answer in zip(readouts, subject.record_from(experiment, readouts), strict=True):
        alone = LanguageSubject("x", subject.token_network, subject.tokenizer, {"language_system": readout})
        np.testing.assert_allclose(answer.values, alone.perform(experiment).values, atol=1e-6)


def test_kinds_of_transformers(transformers, tokenizers, bert):
    torch.manual_seed(0)
    small = {"vocab_size": 300, "num_hidden_layers": 2, "hidden_size": 16, "num_attention_heads": 2}
    roberta = transformers.RobertaForMaskedLM(
        transformers.RobertaConfig(**small, intermediate_size=16, max_position_embeddings=20)
    )
    found = TransformersNetwork(roberta)
    assert (found.causal, found.has_head, found.window) == (False, True, 18)
    t5 = transformers.T5Config(vocab_size=300, d_model=16, d_ff=16, d_kv=8, num_layers=2, num_heads=2)
    found = TransformersNetwork(transformers.T5ForConditionalGeneration(t5))
    assert (found.causal, found.has_head, found.blocks()) == (False, False, ["block.0", "block.1"])
    opt = transformers.OPTConfig(
        **small, ffn_dim=16, max_position_embeddings=32, word_embed_proj_dim=8, pad_token_id=1, bos_token_id=2
    )
    found = TransformersNetwork(transformers.OPTForCausalLM(opt))
    assert (found.causal, found.has_head, found.window) == (True, True, 32)
    with pytest.raises(InvalidModel, match="not a model of transformers, and has no `head`"):
        as_language_subject("x", torch.nn.Linear(2, 2), tokenizers["bpe"])
