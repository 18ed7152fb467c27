"""Baselines of reading: what they say of words, and what they decline to say."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from brainmark.core import (
    Ask,
    Experiment,
    InvalidModel,
    Move,
    NextWord,
    NotApplicable,
    Prefer,
    Rate,
    Read,
    Record,
    Setting,
    Stimuli,
    UnknownName,
    check_answer,
    models,
)  # fmt: skip
from brainmark.models.networks.kneser_ney import KneserNey
from brainmark.models.subjects import word_baselines as baselines
from brainmark.models.subjects.word_models import WORD, WordSubject, ngram_subject, word_text

CORPUS = [
    "The old man saw the sea.",
    "The old man didn't see the sea, he said.",
    "She saw the old boat; the man saw her.",
    '"The sea is old," she said.',
] * 3


def reading(parts: list[str], ask: Ask, context: list[int] | None = None, **columns: list[object]) -> Experiment:
    table = pd.DataFrame({"stimulus_id": [f"s{i}" for i in range(len(parts))], "text": parts, **columns})
    if context is not None:
        table["story"] = context
    setting = Setting(context="story" if context is not None else None)
    return Experiment(Stimuli("words", "text", table), ask, setting)


@pytest.fixture(scope="module")
def trigrams() -> WordSubject:
    return ngram_subject("toy", lambda: KneserNey([WORD.findall(p) for p in CORPUS], 3))


def answer(subject: WordSubject, experiment: Experiment) -> np.ndarray:
    return check_answer(subject.perform(experiment), experiment, subject.identifier).values


def test_words_are_aligned_with_parts() -> None:
    text = word_text(["well-known", "", "didn't,", "U.S.", "a b", "(", "2.5)", "\N{GRINNING FACE}"])
    assert text.words == ("well-known", "didn't", ",", "U.S", ".", "a", "b", "(", "2.5", ")", "\N{GRINNING FACE}")
    assert text.part.tolist() == [0, 2, 2, 3, 3, 4, 4, 5, 6, 6, 7]


def test_surprisal_is_that_of_the_words_in_order(trigrams: WordSubject) -> None:
    parts = ["The", "old", "man", "said,", "", "zebra."]
    bits = answer(trigrams, reading(parts, Read("surprisal"), [0] * 6))
    model = KneserNey([WORD.findall(p) for p in CORPUS], 3)
    (words,) = model.surprisals([["The", "old", "man", "said", ",", "zebra", "."]])
    np.testing.assert_allclose(bits, [*words[:3], words[3] + words[4], 0, words[5] + words[6]])


def test_contexts_are_apart_and_in_any_order(trigrams: WordSubject) -> None:
    mixed = answer(trigrams, reading(["The", "She", "old", "saw"], Read("surprisal"), [0, 1, 0, 1]))
    one = answer(trigrams, reading(["The", "old"], Read("surprisal"), [0, 0]))
    other = answer(trigrams, reading(["She", "saw"], Read("surprisal"), [1, 1]))
    np.testing.assert_allclose(mixed, [one[0], other[0], one[1], other[1]])
    alone = answer(trigrams, reading(["old", "saw"], Read("surprisal")))
    assert (alone > [one[1], other[1]]).all()


def test_next_words_are_words(trigrams: WordSubject) -> None:
    said = answer(trigrams, reading(["The", "old", "man", "saw"], NextWord(), [0] * 4))
    assert said.tolist() == ["old", "man", "saw", "the"]
    assert answer(trigrams, reading(["the", "sea"], NextWord(), [0, 0]))[1].isalnum()


def test_the_more_probable_sentence_is_preferred(trigrams: WordSubject) -> None:
    pairs = ["The man saw the sea.", "The man saw sea the.", "man the She saw.", "She saw the man."]
    shares = answer(trigrams, reading(pairs, Prefer()))
    np.testing.assert_allclose(shares.sum(axis=1), 1)
    assert shares[0, 0] > 0.9
    assert shares[1, 1] > 0.9
    ratings = answer(trigrams, reading(pairs, Rate("plausibility", 1, 7)))
    assert ((ratings > 1) & (ratings < 7)).all()
    assert ratings[0] > ratings[1]


def test_reading_time_grows_with_surprisal(trigrams: WordSubject) -> None:
    parts, story = ["The", "old", "zebra"], [0] * 3
    bits = answer(trigrams, reading(parts, Read("surprisal"), story))
    time = answer(trigrams, reading(parts, Read("reading_time"), story))
    assert np.corrcoef(bits, time)[0, 1] == pytest.approx(1)


def test_what_is_recorded_has_the_time_bins_that_were_asked_for() -> None:
    asked = reading(["The", "old"], Record("LIFG", ((0, 100), (100, 200))), [0, 0])
    recorded = check_answer(models["word-length"].load().perform(asked), asked, "word-length")
    assert recorded.dims == ("presentation", "neuroid", "time_bin")
    assert recorded.values[:, 0].tolist() == [[3, 3], [3, 3]]


def test_what_properties_say() -> None:
    parts, story = ["Hi", "there.", "", "So", "what?"], [0] * 5
    length = models["word-length"].load()
    assert answer(length, reading(parts, Record("LIFG"), story)).ravel().tolist() == [2, 6, 0, 2, 5]
    bits = answer(length, reading(parts, Read("surprisal"), story))
    np.testing.assert_allclose(bits / np.log2(27), [3, 7, 0, 3, 6])
    place = answer(models["word-position"].load(), reading(parts, Record("LIFG"), story))
    assert place.tolist() == [[1, 1], [2, 2], [2, 0], [3, 1], [4, 2]]
    assert answer(models["word-rate"].load(), reading(parts, Record("LIFG"), story)).ravel().tolist() == [1, 1, 0, 1, 1]
    sentences = reading(["One two.", "Three, four five!"], Record("LIFG"))
    assert answer(models["word-rate"].load(), sentences).ravel().tolist() == [2, 3]
    assert answer(models["word-position"].load(), sentences).tolist() == [[2, 2], [3, 3]]


def test_random_vectors_know_which_word_it_is() -> None:
    subject = models["random-embedding"].load()
    recorded = answer(subject, reading(["The", "sea", "the", "sea,", ""], Record("language_system"), [0] * 5))
    np.testing.assert_array_equal(recorded[0], recorded[2])
    assert abs(np.corrcoef(recorded[0], recorded[1])[0, 1]) < 0.2
    assert 0.5 < np.corrcoef(recorded[1], recorded[3])[0, 1] < 0.9  # the comma is a word of its own
    assert not recorded[4].any()
    other = answer(models["random-embedding"].load(seed=1), reading(["The"], Record("LIFG")))
    assert not np.array_equal(other[0], recorded[0])


@pytest.mark.parametrize("name", ["word-position", "word-rate", "random-embedding"])
@pytest.mark.parametrize("ask", [Read("surprisal"), NextWord(), Prefer(), Rate("plausibility", 1, 7)])
def test_what_predicts_nothing_says_so(name: str, ask: Ask) -> None:
    with pytest.raises(NotApplicable, match="predicts no"):
        models[name].load().perform(reading(["a", "b"], ask))


@pytest.mark.parametrize(
    ("ask", "reason"),
    [
        (Record("V4"), "has no region 'V4'; it can record language_system"),
        (Record("LIFG", eccentricity=1.0), "no receptive fields"),
        (Move(("hand",), "cm"), "cannot answer Move"),
        (Rate("beauty", 1, 7), "cannot answer Rate"),
    ],
)
def test_other_questions_are_declined(ask: Ask, reason: str) -> None:
    with pytest.raises(NotApplicable, match=reason):
        models["word-length"].load().perform(reading(["a", "b"], ask))


def test_images_are_declined() -> None:
    table = pd.DataFrame({"stimulus_id": ["a"]})
    images = Stimuli("one", "image", table, [np.zeros((4, 4, 3), np.uint8)])
    with pytest.raises(NotApplicable, match="modality image"):
        models["word-length"].load().perform(Experiment(images, Read("surprisal")))


@pytest.fixture
def toy_corpora(monkeypatch: pytest.MonkeyPatch) -> None:
    from brainmark.data.readers import corpora

    monkeypatch.setattr(corpora, "books", lambda: CORPUS[:8])
    monkeypatch.setattr(corpora, "wikitext", lambda part: CORPUS[8:])
    monkeypatch.setattr(corpora, "brown", lambda part: [])
    for cached in (baselines._words, baselines.count_ngrams):
        cached.cache_clear()


@pytest.mark.usefixtures("toy_corpora")
def test_registered_ngrams_count_the_corpora() -> None:
    asked = reading(["The", "old", "man"], Read("surprisal"), [0] * 3)
    bits = {name: answer(models[name].load(), asked) for name in ("word-frequency", "ngram-2", "ngram-5")}
    assert bits["ngram-5"].sum() < bits["ngram-2"].sum() < bits["word-frequency"].sum()
    np.testing.assert_array_equal(answer(models["ngram-2@100%"].load(), asked), bits["ngram-2"])
    digests = [models[name].load().weights_digest for name in ("ngram-2", "ngram-2@100%", "ngram-2@25%")]
    assert digests[0] == digests[1] != digests[2]
    for cached in (baselines._words, baselines.count_ngrams):
        cached.cache_clear()


def test_shares_that_are_none() -> None:
    for share in ("0", "101"):
        with pytest.raises(InvalidModel, match="above 0 %"):
            models[f"ngram-2@{share}%"]
    with pytest.raises(UnknownName, match="ngram-2"):
        models["ngram-2@half"]
