"""Units that prefer sentences, and networks without them."""

from __future__ import annotations

import re

import numpy as np
import pytest
import torch
from scipy.stats import ttest_ind

from brainmark.core import InvalidModel, InvalidStimuli, Read, Record
from brainmark.models.subjects.language import LanguageSubject
from brainmark.models.subjects.localizer import Localization, localize
from brainmark.models.subjects.non_words import non_word_lists

SENTENCES = ["The cat sat on the mat.", "The old dog ran over the hill.", "She sells shells.", "Why do zebras run?"]


@pytest.fixture(scope="module")
def subject(tokenizers, gpt):
    return LanguageSubject("gpt", gpt(tokenizers["bpe"]), tokenizers["bpe"], {"language_system": "transformer.h.1"})


def test_t_is_that_of_welch_over_absolute_activations_at_the_last_token(subject):
    lists = non_word_lists(SENTENCES)
    found = localize(subject, SENTENCES, lists, tokens=12)
    assert list(found.t) == ["transformer.h.0", "transformer.h.1", "transformer.h.2"]

    def absolute(text: str, layer: int) -> np.ndarray:
        ids = subject.tokenizer(text)["input_ids"][:12]
        with torch.no_grad():
            hidden = subject.module.transformer(torch.tensor([ids]), output_hidden_states=True).hidden_states
        return hidden[layer + 1][0, -1].abs().numpy()

    for layer in (0, 1):
        first, second = (np.stack([absolute(t, layer) for t in texts]) for texts in (SENTENCES, lists))
        expected = ttest_ind(first, second, equal_var=False).statistic
        np.testing.assert_allclose(found.t[f"transformer.h.{layer}"], expected, rtol=1e-3)


def test_the_largest_share_and_as_many_others():
    found = Localization({"a": np.array([1.0, 5, 3]), "b": np.array([4.0, 0, 2, -1, 3, 9, 0])})
    assert found.units(0.3) == {"a": [1], "b": [0, 5]}
    others = found.random_units(0.3, seed=1)
    assert sum(map(len, others.values())) == 3
    assert not {(n, u) for n, us in others.items() for u in us} & {("a", 1), ("b", 0), ("b", 5)}
    assert found.random_units(0.3, seed=1) == others
    with pytest.raises(InvalidModel, match="give a share of its 10 units"):
        found.units(0.05)
    with pytest.raises(InvalidModel, match="more than half"):
        found.random_units(0.7)


def test_a_localized_subject_is_read_from_those_units(subject, asked):
    localized = subject.localized(SENTENCES, non_word_lists(SENTENCES), share=0.05)
    answer = localized.perform(asked([["the", "cat"]], Record("language_system")))
    assert answer.sizes["neuroid"] == int(0.05 * 96)
    assert localized.identifier == "gpt-localized"
    for layer, unit, column in zip(answer.layer.values, answer.unit.values, answer.values.T, strict=True):
        alone = LanguageSubject("x", subject.reader, subject.tokenizer, {"language_system": str(layer)})
        whole = alone.perform(asked([["the", "cat"]], Record("language_system"))).values
        np.testing.assert_allclose(column, whole[:, unit], atol=1e-6)


def test_an_ablated_subject_is_silent_there_and_above_it_differs(subject, asked):
    ablated = subject.ablated({"transformer.h.1": [0, 7]}).ablated({"transformer.h.1": [3]}, "lesioned")
    assert ablated.identifier == "lesioned"
    experiment = asked([["the", "cat", "sat"]], Record("language_system"))
    before, after = subject.perform(experiment).values, ablated.perform(experiment).values
    assert not after[:, [0, 3, 7]].any()
    kept = np.setdiff1d(np.arange(32), [0, 3, 7])
    np.testing.assert_allclose(after[:, kept], before[:, kept], atol=1e-6)
    read = asked([["the", "cat", "sat"]], Read("surprisal"))
    assert not np.allclose(ablated.perform(read).values, subject.perform(read).values, atol=1e-3)
    np.testing.assert_array_equal(subject.perform(experiment).values, before)


def test_a_recurrent_network_is_ablated_too(tokenizers, asked, lstm):
    torch.manual_seed(0)
    network = lstm(len(tokenizers["bpe"]), width=8)
    subject = LanguageSubject("lstm", network, tokenizers["bpe"], {"language_system": "layers.0"})
    silent = subject.ablated({"layers.0": range(8)}).perform(asked([["the", "cat"]], Record("language_system")))
    assert not silent.values.any()


def test_too_little_to_compare_is_refused(subject):
    with pytest.raises(InvalidStimuli, match="at least two texts of each kind; there are 1"):
        localize(subject, SENTENCES[:1], SENTENCES)
    with pytest.raises(InvalidStimuli, match="holds nothing"):
        localize(subject, ["", "a"], SENTENCES)


def test_non_words_keep_the_place_and_length_of_words():
    lists = non_word_lists(SENTENCES, seed=3)
    assert lists == non_word_lists(SENTENCES, seed=3)
    assert lists != non_word_lists(SENTENCES, seed=4)
    words = {re.sub(r"\W", "", w.lower()) for s in SENTENCES for w in s.split()}
    for sentence, listed in zip(SENTENCES, lists, strict=True):
        originals, replaced = sentence.split(), listed.split()
        assert [len(re.sub(r"\W", "", w)) for w in originals] == [len(w) for w in replaced]
        assert not words & set(replaced)
        assert all(re.fullmatch(r"[a-z]+", w) for w in replaced)
    assert lists[0].split()[0] == lists[1].split()[0]  # The ... The
