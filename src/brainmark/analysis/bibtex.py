"""Reads as much of BibTeX as is needed to list each entry once and to link to the paper."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import NamedTuple
from urllib.parse import quote


class Citation(NamedTuple):
    """An entry: its key and text; its title (the key where there is none), year or "", and web address or None."""

    key: str
    text: str
    title: str
    year: str
    link: str | None


def citations(texts: Iterable[str]) -> list[Citation]:
    """Return the entries of all texts, each once, sorted by key."""
    entries = {entry.strip() for text in texts for entry in re.split(r"(?m)^\s*(?=@\w+\{)", text) if entry.strip()}
    return sorted(map(_parse, entries), key=lambda c: (c.key.lower(), c.text))


def _parse(entry: str) -> Citation:
    found = re.match(r"@\w+\{\s*([^,\s]+)", entry)
    key = found.group(1) if found else entry[:20]
    title = " ".join(re.sub("[{}]", "", _read_field(entry, "title")).split())
    doi, url = _read_field(entry, "doi"), _read_field(entry, "url")
    link = url if re.match(r"https?://", url) else None
    if doi:
        link = "https://doi.org/" + quote(re.sub(r"^https?://(dx\.)?doi\.org/", "", doi))
    return Citation(key, entry, title or key, _read_field(entry, "year"), link)


def _read_field(entry: str, name: str) -> str:
    """Return the value of a field: in braces, in quotes, or bare; "" if the entry has none."""
    found = re.search(rf"[,\s]{name}\s*=\s*", entry, re.IGNORECASE)
    text = entry[found.end() :] if found else ""
    if text[:1] == '"':
        return text[1:].partition('"')[0].strip()
    if text[:1] != "{":
        return re.split(r"[,}\n]", text, maxsplit=1)[0].strip()
    depth = 0
    for i, letter in enumerate(text):
        depth += (letter == "{") - (letter == "}")
        if depth == 0:
            return text[1:i].strip()
    return text[1:].strip()
