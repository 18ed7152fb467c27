"""Running text to train small language models on, and text that is held out of all training here.

=============  ==========================================================  =================================
text           trained on                                                  held out, to measure prediction
=============  ==========================================================  =================================
wikitext-2     its validation part                                         its test part
Brown corpus   nine files of ten                                           every tenth file
classic books  all six (none is "Alice's Adventures in Wonderland")
=============  ==========================================================  =================================

The corpora were published with spaces around punctuation and marks of their own; `detokenise` undoes that, so that
words look as they do to readers in experiments.
"""

from __future__ import annotations

import re
import unicodedata
from collections import Counter
from collections.abc import Iterator, Sequence
from functools import cache
from pathlib import Path
from typing import Literal
from zipfile import ZipFile

from brainmark.core.libraries import np
from brainmark.core.signs import find_spelling
from brainmark.data.fetch import GitFolder

WIKITEXT = GitFolder(
    "mschrimpf/neural-nlp@6e1a989b24fff0ffd7cac67d880a94136c4b4fb5/ressources/ml/wikitext-2",
    {
        "test.txt": ("c8e3ae92a2980cb187dd60e3204581534277a640e165fbc16550245dd5e100d7", 1286232),
        "val.txt": ("4cd0f6876d07a413aa911261ff6d363c72d757d47f0fdd6015702014c89cb9c7", 1146846),
    },
)
WIKITEXT_LICENCE = "CC-BY-SA-3.0"

BROWN = GitFolder(
    "nltk/nltk_data@5db857e6f7df11eabb5e5665836db9ec8df07e28/packages/corpora",
    {"brown.zip": ("9b275f9b3b95d7bd66ccfb7cd259f445a13bbe5d1f4107aba09fd3e8364bafa6", 3314357)},
)
BROWN_LICENCE = "non-commercial use"

BOOKS = GitFolder(
    "mlschmitt/classic-books-markdown@944882722e9a96fa6cf2739dc2ea757e101f412f",
    {
        "Aesop/Aesop's Fables.md": ("fac3f7045084c19b2a1ab26e57d1d0a88af559045401e9fa5a8de9d5d2f75b92", 198688),
        "Beatrix Potter/Great Big Treasury of Beatrix Potter.md": (
            "6874c7b9ac221cd01d3ce226271d3c5ee0ca903462308262855764cf753dccd2",
            163088,
        ),
        "Jane Austen/Persuasion.md": ("b8ea8ec67b0d2842a8bb17e29c656abd188a3fa3071e134a4120d3fa1fb41d22", 467559),
        "Kenneth Grahame/The Wind in the Willows.md": (
            "5fa0e04c0e5aff616a204cfb20df9108326590ebe85f1b51552d281ffd0211b1",
            327364,
        ),
        "L. Frank Baum/The Wonderful Wizard of Oz.md": (
            "0a78a8a7fe4dca362b2b1ccdf812d517131737c8b9ea68366d150985dd7d91c2",
            207812,
        ),
        "Mark Twain/The Adventures of Tom Sawyer.md": (
            "9369302e11c3313de62a4056f7dae39145f19e1f6f81c82c3a06833bcfa944df",
            392488,
        ),
    },
)
BOOKS_LICENCE = "public domain"

Part = Literal["train", "held out"]
_AROUND = ".,:;!?\"'()[]{}-`" + "".join(  # punctuation that is no part of a word
    chr(c)
    for first, last in ((0xA1, 0xBF), (0x2010, 0x205E), (0x3001, 0x301F), (0xFF01, 0xFF65))
    for c in range(first, last + 1)
    if unicodedata.category(chr(c)).startswith("P")
)
_NTH = 10  # one of so many files of the Brown corpus is held out


def wikitext(part: Part) -> list[str]:
    """Return the paragraphs of wikitext-2, validation ("train") or test ("held out") part; headings are left out."""
    name = {"train": "val.txt", "held out": "test.txt"}[part]
    lines = WIKITEXT.fetch(name).read_text(encoding="utf-8").splitlines()
    stripped = (line.strip() for line in lines)
    return [detokenise(line) for line in stripped if line and not re.fullmatch(r"=.*=", line)]


def brown(part: Part) -> list[str]:
    """Return the paragraphs of the Brown corpus, of the files that are trained on or of those that are held out."""
    return [" ".join(sentences) for paragraphs in brown_files(part).values() for sentences in paragraphs]


def brown_files(part: Part) -> dict[str, list[list[str]]]:
    """Return the Brown corpus as file -> paragraphs -> sentences, by the files' names (``ca01`` ...)."""
    with ZipFile(BROWN.fetch("brown.zip")) as archive:
        names = sorted(n for n in archive.namelist() if re.fullmatch(r"brown/c[a-r]\d\d", n))
        held_out = set(names[_NTH - 1 :: _NTH])
        kept = [name for name in names if (name in held_out) == (part == "held out")]
        return {name.removeprefix("brown/"): list(_read_tagged(archive.read(name).decode("ascii"))) for name in kept}


def _read_tagged(content: str) -> Iterator[list[str]]:
    """Yield paragraphs of sentences: a sentence is a line of word/tag, a paragraph ends where two lines are empty."""
    for block in re.split(r"\n\s*\n\s*\n", content):
        sentences = [[token.rpartition("/")[0] for token in line.split()] for line in block.splitlines()]
        lines = (re.sub(r"([?!;:])\1", r"\1", " ".join(words)) for words in sentences)  # "??" is typed for "?"
        if found := [detokenise(line) for line in lines if line]:
            yield found


def books() -> list[str]:
    """Return the paragraphs of six books whose copyright has ended, without titles and chapter headings."""
    return [paragraph for book in each_book().values() for paragraph in book]


def each_book() -> dict[str, list[str]]:
    """Return the six books as title -> paragraphs."""
    return {Path(name).stem: list(_read_prose(path.read_text("utf-8"))) for name, path in BOOKS.fetch_all().items()}


def _read_prose(markdown: str) -> Iterator[str]:
    body = markdown.split("\n-------\n", 1)[-1]
    for block in re.split(r"\n\s*\n", body):
        text = " ".join(block.replace("_", "").split())
        if text and not text.startswith("#") and any(c.islower() for c in text):
            yield text


def log_frequency(words: Sequence[str]) -> np.ndarray:
    """Return log2 of the relative frequency of each word, (word,), in the Brown corpus that is trained on.

    Words count without punctuation around them and without case. One is added to every count, so that words that do
    not occur have a frequency, too. What the corpus writes with plain signs is found under those of typography, too.
    """
    counts = _count_words()
    total = sum(counts.values()) + len(counts) + 1
    found = (find_spelling(strip_word(word), counts) for word in words)
    return np.log2(np.array([counts[word or ""] + 1 for word in found], float) / total)


def strip_word(word: str) -> str:
    """Return a word as it is counted: without case, and without punctuation around it."""
    return word.strip(_AROUND).casefold()


@cache
def _count_words() -> Counter[str]:
    counts = Counter(strip_word(word) for paragraph in brown("train") for word in paragraph.split())
    del counts[""]
    return counts


def detokenise(text: str) -> str:
    """Return a text whose punctuation and clitics were set apart by spaces, as it is printed.

    Marks such as ``@-@`` become what they stand for, quotation marks stand next to what they enclose.
    """
    text = re.sub(r" ?@([-.,])@ ?", r"\1", " ".join(text.split()))
    text = re.sub(r"``|''", '"', text)
    text = _close_quotes(text)
    text = re.sub(r" ([,.;:?!%)\]}]+)(?= |$|\")", r"\1", text)
    text = re.sub(r"(?<![^\s\"(\[])([(\[{$£#]) ", r"\1", text)
    return re.sub(r" ('(?:s|t|re|ve|ll|d|m|S)|n't)\b", r"\1", text)


def _close_quotes(text: str) -> str:
    """Put each pair of double quotation marks that stand alone next to what they enclose."""
    parts: Sequence[str] = re.split(r"(?:^|(?<= ))\"(?= |$)", text)
    if len(parts) == 1:
        return text
    whole = parts[0]
    for number, part in enumerate(parts[1:], start=1):
        whole = whole + '"' + part.lstrip() if number % 2 else whole.rstrip() + '"' + part
    return whole
