"""The publications that cards cite: ``references.bib``, beside this file, holds each once, sorted by key."""

from __future__ import annotations

import re
from functools import cache
from pathlib import Path

from brainmark.core.errors import InvalidRegistration, suggest

FILE = Path(__file__).with_name("references.bib")


def bibtex(text: str) -> str:
    """Return the BibTeX entries that `text` names.

    Parameters
    ----------
    text : keys of ``references.bib`` with spaces between them; text that begins with "@" is BibTeX and is returned.

    Raises
    ------
    InvalidRegistration : there is no such key.
    """
    if text.lstrip().startswith("@") or not text.strip():
        return text
    entries = _entries()
    for key in text.split():
        if key not in entries:
            nearest = " or ".join(map(repr, suggest(key, entries)))
            hint = f"; did you mean {nearest}?" if nearest else ""
            raise InvalidRegistration(
                f"{text[:60]!r} is not a BibTeX entry like '@article{{key, title={{...}}, ...}}', "
                f"and {key!r} is no key of {FILE.name}{hint}"
            )
    return "\n".join(entries[key] for key in text.split())


@cache
def _entries() -> dict[str, str]:
    """Return all entries of the file by key. An entry begins with "@" at the start of a line."""
    text = FILE.read_text(encoding="utf-8")
    return {entry[entry.index("{") + 1 : entry.index(",")]: entry.strip() for entry in re.split(r"\n(?=@)", text)}
