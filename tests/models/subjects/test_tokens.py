"""Which token belongs to which part of a text."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from brainmark.core import ModelError
from brainmark.models.subjects.tokens import PartTokenizer, join_parts, parts_of_tokens


@pytest.mark.parametrize(
    ("parts", "text"),
    [
        (["The", "cat", "sat"], "The cat sat"),
        (["Wait", ",", "what", "?", "!"], "Wait, what?!"),
        (["John", "'s", "book", "was", "n't", "ours"], "John's book wasn't ours"),
        (["He", "'said", "so", "'"], "He 'said so '"),
        (["a", "(", "b", ")", "c"], "a (b) c"),
        (["one ", "two", "\nthree"], "one two\nthree"),
        (["", "a", "", "b", ""], "a b"),
        (["end.", "Begin"], "end. Begin"),
        ([], ""),
    ],
)
def test_parts_are_joined_as_people_write(parts, text):
    joined, spans = join_parts(parts)
    assert joined == text
    assert [joined[a:b] for a, b in spans] == parts


def test_known_spaces_win():
    assert join_parts(["do", "not", ",", "x"], [True, False, True, True])[0] == "donot , x"
    assert join_parts(["a ", "b"], [True, False])[0] == "a b"  # white space that a part brings along stays


def test_a_seam_that_is_a_clitic_only_by_its_first_letters():
    assert join_parts(["the", "'severe", "n'torious"])[0] == "the 'severe n'torious"


@pytest.mark.parametrize("kind", ["bpe", "wordpiece", "unigram"])
def test_every_token_has_one_part_in_order(tokenizers, odd_texts, kind):
    read = PartTokenizer(tokenizers[kind], as_shown=True)
    for name, parts in odd_texts.items():
        tokens = read(parts)
        whole = tokenizers[kind](join_parts(parts)[0], add_special_tokens=False)["input_ids"]
        assert tokens.ids.tolist() == whole, name
        assert (np.diff(tokens.part) >= 0).all(), name
        assert tokens.parts == len(parts)
        counts = np.bincount(tokens.part, minlength=len(parts))
        assert tokens.ends.tolist() == np.cumsum(counts).tolist()
        assert all(counts[i] == 0 for i, part in enumerate(parts) if not part), name


@pytest.mark.parametrize("kind", ["bpe", "unigram"])
def test_the_tokens_of_a_word_spell_it(tokenizers, kind):
    words = ["The", "old", "dog", "ran", "over", "the", "hill", "and", "the", "cat", "sat", "on", "the", "mat"]
    tokens = PartTokenizer(tokenizers[kind])(words)
    for index, word in enumerate(words):
        assert tokenizers[kind].decode(tokens.ids[tokens.part == index]).strip() == word


def test_a_word_of_many_tokens_and_an_emoji_of_many_bytes_stay_whole(tokenizers):
    parts = ["a", "antidisestablishment", "😀", "b"]
    tokens = PartTokenizer(tokenizers["bpe"])(parts)
    counts = np.bincount(tokens.part)
    assert counts[1] > 5
    assert counts[2] >= 4
    for index, part in enumerate(parts):
        assert tokenizers["bpe"].decode(tokens.ids[tokens.part == index]).strip() == part


def test_a_token_over_a_seam_belongs_where_it_begins():
    text, spans = join_parts(["rain", "bow"], [True, False])
    assert text == "rainbow"
    offsets = np.array([[0, 3], [3, 5], [5, 7]])
    assert parts_of_tokens(text, spans, offsets).tolist() == [0, 0, 1]


def test_white_space_between_parts_is_read_with_the_later_one():
    text, spans = join_parts(["a", "  b "])
    assert text == "a  b "
    offsets = np.array([[0, 1], [1, 2], [2, 4], [4, 5]])
    assert parts_of_tokens(text, spans, offsets).tolist() == [0, 1, 1, 1]


class WithoutOffsets:
    """A tokenizer that says nothing but ids."""

    is_fast = False

    def __init__(self, fast: Any) -> None:
        self.fast = fast

    def __call__(self, text: str, **_: Any) -> dict[str, list[int]]:
        return {"input_ids": self.fast(text, add_special_tokens=False)["input_ids"]}

    def decode(self, ids: list[int], **options: Any) -> str:
        return self.fast.decode(ids, **options)


@pytest.mark.parametrize("kind", ["bpe", "unigram"])
def test_without_offsets_the_tokens_are_spelled(tokenizers, odd_texts, kind):
    with_offsets, without = PartTokenizer(tokenizers[kind]), PartTokenizer(WithoutOffsets(tokenizers[kind]))
    for name, parts in odd_texts.items():
        if kind == "unigram" and name not in ("split word", "sentence", "one token"):
            continue  # what this one does not know, or normalises, is not spelled by its tokens
        assert without(parts).part.tolist() == with_offsets(parts).part.tolist(), name


def test_without_offsets_bytes_that_decode_to_nothing_are_pieces_of_a_sign(transformers, odd_texts):
    """A tokenizer that leaves broken bytes out, in the place of a mark for them, was said not to spell the text."""
    tokenizer = PartTokenizer(transformers.ByT5Tokenizer(), as_shown=True)
    for name, parts in odd_texts.items():
        tokens = tokenizer(parts)
        spelled = [bytes((tokens.ids[tokens.part == i] - 3).tolist()).decode().strip() for i in range(len(parts))]
        assert spelled == [part.strip() for part in parts], name


def test_without_offsets_a_text_that_is_not_spelled_is_refused(tokenizers):
    with pytest.raises(ModelError, match="gives no offsets, and its tokens do not spell the text near character 0"):
        PartTokenizer(WithoutOffsets(tokenizers["wordpiece"]))(["The", "Cat"])


def test_what_a_tokenizer_puts_around_a_text(tokenizers):
    assert PartTokenizer(tokenizers["bpe"]).frame == ((), ())
    assert PartTokenizer(tokenizers["wordpiece"]).frame == ((2,), (3,))


def test_words_of_a_text(tokenizers):
    tokens = PartTokenizer(tokenizers["bpe"]).words(" The cat,  John's ")
    assert tokens.parts == 3
    assert PartTokenizer(tokenizers["bpe"]).words("").parts == 1


def test_parts_of_tokens_never_go_back():
    """A token that normalisation left empty may be said to lie at the beginning of the text."""
    spans, text = [(0, 3), (4, 7), (8, 9)], "one two x"
    offsets = np.array([[0, 3], [3, 7], [0, 0], [8, 9]])
    assert parts_of_tokens(text, spans, offsets).tolist() == [0, 1, 1, 2]
