"""Signs of typography and the plain ones that stand for them, for vocabularies that know only one of the two.

People see the same word in ``don’t`` and ``don't``, and the same letters in ``é`` and ``e`` with a combining accent;
a table of words, or a tokenizer that was made from plain text, does not.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable, Container, Iterator

_ALIKE = {
    **dict.fromkeys("\u00a0\u2000\u2001\u2002\u2003\u2004\u2005\u2006\u2007\u2008\u2009\u200a\u202f\u205f", " "),
    **dict.fromkeys("\u00ad\u2060\ufeff", ""),  # soft hyphen, word joiner, byte order mark: they are not seen
}
"""What looks the same: spaces of several widths, and signs without ink."""
_PLAIN = {
    **dict.fromkeys("\u2018\u2019\u201a\u201b\u02bc\u2032\u2039\u203a", "'"),
    **dict.fromkeys("\u201c\u201d\u201e\u201f\u2033\u00ab\u00bb", '"'),
    **dict.fromkeys("\u2010\u2011\u2012\u2013\u2212", "-"),
    **dict.fromkeys("\u2014\u2015", "--"),
    "\u2026": "...",
    **{chr(c): unicodedata.normalize("NFKC", chr(c)) for c in range(0xFB00, 0xFB07)},  # ligatures: ff, fi, fl ...
}
"""Signs of typography -> what is typed for them."""
_TABLE = str.maketrans({**_ALIKE, **_PLAIN})
SIGNS = re.compile(f"[{''.join(_PLAIN)}]")
"""Finds signs for which there is a plain one."""


def write_plainly(text: str) -> str:
    """Return a text with plain apostrophes, quotes, hyphens, dots and spaces, without ligatures, accents composed."""
    return text if text.isascii() else unicodedata.normalize("NFC", text).translate(_TABLE)


def spellings(word: str) -> Iterator[str]:
    """Yield the ways to write a word, that it is written in first."""
    yield word
    plain = write_plainly(word)
    if not word.isascii():
        for form in ("NFC", "NFD"):
            yield unicodedata.normalize(form, word)
        yield plain
        yield unicodedata.normalize("NFD", plain)
    if "'" in plain:
        yield plain.replace("'", "\u2019")


def find_spelling(word: str, known: Container[str]) -> str | None:
    """Return the word as a vocabulary writes it; None if it knows it in no spelling."""
    return next((form for form in spellings(word) if form in known), None)


def replace_signs(text: str, wanted: Callable[[int], bool] | None = None) -> tuple[str, list[tuple[int, int]]]:
    """Return a text in which what looks the same is written alike, and the place of each of its characters in `text`.

    Accents are composed (NFC), spaces of any width are spaces, and what is not seen is left out.

    Parameters
    ----------
    wanted : position in `text` -> whether a sign of typography there is to be replaced by a plain one; None: none is.

    Returns
    -------
    text, places : (first character, the one after the last) for each character of the new text.
    """
    pieces: list[str] = []
    places: list[tuple[int, int]] = []
    for start, end in _clusters(text):
        piece = unicodedata.normalize("NFC", text[start:end])
        if end - start == 1:
            piece = _ALIKE.get(piece, piece)
            if wanted is not None and piece in _PLAIN and wanted(start):
                piece = _PLAIN[piece]
        pieces.append(piece)
        places += [(start, end)] * len(piece)
    return "".join(pieces), places


def _clusters(text: str) -> Iterator[tuple[int, int]]:
    """Yield where letters with the marks on them begin and end; parts of a Korean syllable stay together."""
    start = 0
    for place in range(1, len(text)):
        sign = text[place]
        if sign.isascii() or not (unicodedata.category(sign).startswith("M") or "\u1160" <= sign <= "\u11ff"):
            yield start, place
            start = place
    if text:
        yield start, len(text)
