"""Running text: printed form restored, and what is held out is never trained on."""

from __future__ import annotations

import pytest

from brainmark.data.readers import corpora


@pytest.mark.parametrize(
    ("apart", "printed"),
    [
        ("It was 2 @.@ 5 km , and 1 @,@ 000 people .", "It was 2.5 km, and 1,000 people."),
        ("a well @-@ known ( and old ) man", "a well-known (and old) man"),
        ('He said , " no " . " Yes ! " she said .', 'He said, "no". "Yes!" she said.'),
        ("`` No '' , he did n't say .", '"No", he didn\'t say.'),
        ("the man 's dog , they 're gone", "the man's dog, they're gone"),
        ("it cost $ 5 and 3 % more", "it cost $5 and 3% more"),
        ('an open " mark is left', 'an open "mark is left'),
        ("", ""),
    ],
)
def test_printed_form_is_restored(apart: str, printed: str) -> None:
    assert corpora.detokenise(apart) == printed


def test_tagged_sentences_become_paragraphs() -> None:
    content = "\n\n\n\tThe/at jury/nn said/vbd ,/, ``/`` no/rb ''/'' ./.\nWhy/wrb ??/?? \n\n\n\tNew/jj and/or/cc\n"
    assert list(corpora._read_tagged(content)) == [['The jury said, "no".', "Why?"], ["New and/or"]]


def test_books_lose_titles_and_chapter_headings() -> None:
    text = "# Title: A\n\n## Author: B\n\n-------\n\n## CHAPTER I\n\nOne _fine_ day,\nthey left.\n\nTHE END\n"
    assert list(corpora._read_prose(text)) == ["One fine day, they left."]
