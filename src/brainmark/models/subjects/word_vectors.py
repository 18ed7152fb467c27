"""Tables of word vectors as subjects; a word has the same vector in every context."""

from __future__ import annotations

import codecs
import functools
import gzip
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from io import BufferedIOBase
from itertools import islice
from pathlib import Path

from brainmark.core.errors import DataError
from brainmark.core.libraries import np
from brainmark.core.signs import spellings
from brainmark.core.wording import bytes_text
from brainmark.data.readers.damage import explain_damage
from brainmark.models.subjects.readout import LANGUAGE_REGIONS
from brainmark.models.subjects.word_models import WordSubject, WordText

LONGEST_LINE = 1 << 20  # bytes; a line of 10,000 numbers has a tenth of them
_EDGES = re.compile(r"^[\W_]+|[\W_]+$")
_POSSESSIVE = re.compile(r"['’]s$")


@dataclass(frozen=True, eq=False)
class WordVectors:
    """A table of vectors.

    Attributes
    ----------
    row : word -> its row.
    vectors : (words, units) float32.
    """

    row: Mapping[str, int]
    vectors: np.ndarray

    def of(self, text: str) -> list[int]:
        """Return the rows of the known words of a text, as white space parts them.

        A word is looked up as it is written, in lower case, without punctuation around it, without a possessive s;
        where it is in no table like this, with plain signs for those of typography, and with accents composed or apart.
        """
        found: list[int] = []
        for word in text.split():
            forms = (form for spelled in spellings(word) for form in _forms(spelled))
            found += islice((self.row[form] for form in forms if form in self.row), 1)
        return found


def _forms(word: str) -> tuple[str, ...]:
    bare = _EDGES.sub("", word)
    owner = _POSSESSIVE.sub("", bare)
    return word, word.lower(), bare, bare.lower(), owner, owner.lower()


def read_vectors(path: Path, most: int | None = None) -> WordVectors:
    """Read a table in the text format of GloVe (word and numbers in each line) or word2vec (counts in the first line).

    Files that end in ``.gz`` are unpacked. Of a word that stands twice the first line counts.

    Parameters
    ----------
    most : words that are read; None: all.

    Raises
    ------
    DataError : no such file, or a line without as many numbers as the first; says which line.
    """
    with (
        explain_damage(path, "cannot be read as word vectors"),
        gzip.open(path, "rb") if path.suffix == ".gz" else path.open("rb") as file,
    ):
        return _table(file, path, most)


def _table(file: BufferedIOBase, path: Path, most: int | None) -> WordVectors:
    row: dict[str, int] = {}
    rows: list[np.ndarray] = []
    width = 0
    for number, line in enumerate(_lines(file, path)):
        fields = line.split(" ")
        if number == 0 and len(fields) == 2 and all(f.isdecimal() for f in fields):
            continue  # word2vec: how many words, how many numbers
        width = width or len(fields) - 1
        word = " ".join(fields[: len(fields) - width])  # a few tables hold words with spaces
        try:
            vector = np.array(fields[len(fields) - width :], np.float32)
        except ValueError as error:
            raise DataError(f"{path}: line {number + 1} holds no {width} numbers: {line[:60]!r}") from error
        if len(vector) != width or not word or width < 1 or not np.isfinite(vector).all():
            raise DataError(f"{path}: line {number + 1} is no word with {width} numbers: {line[:60]!r}")
        if word not in row:
            row[word] = len(rows)
            rows.append(vector)
        if most is not None and len(rows) == most:
            break
    if not rows:
        raise DataError(f"{path}: contains no word vector")
    return WordVectors(row, np.stack(rows))


def _lines(file: BufferedIOBase, path: Path) -> Iterator[str]:
    for line in iter(lambda: file.readline(LONGEST_LINE).removeprefix(codecs.BOM_UTF8), b""):
        if len(line) == LONGEST_LINE:
            raise DataError(f"{path}: a line has more than {bytes_text(LONGEST_LINE)}; expected a word and its numbers")
        if text := line.decode("utf-8", "replace").rstrip(" \r\n"):
            yield text


def vector_subject(
    identifier: str, table: Callable[[], WordVectors], regions: tuple[str, ...] = LANGUAGE_REGIONS
) -> WordSubject:
    """Return a subject that represents each part as the mean of its words' vectors; what came before changes nothing.

    Words that are not in the table do not count; a part without any known word is the mean of the whole table, which
    is what a word is expected to be of which nothing is known.

    Parameters
    ----------
    table : reads the vectors; called once, when they are first needed.
    """
    load = functools.cache(table)

    def means(texts: Sequence[WordText]) -> list[np.ndarray]:
        known = load()
        unknown = known.vectors.mean(axis=0)
        rows = [[known.of(part) for part in text.parts] for text in texts]
        return [np.stack([known.vectors[r].mean(axis=0) if r else unknown for r in some]) for some in rows]

    return WordSubject(identifier, means, regions=regions)
