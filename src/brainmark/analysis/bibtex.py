"""Reading a little of BibTeX: enough to list each entry once and to link to the paper."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from urllib.parse import quote


@dataclass(frozen=True)
class Citation:
    """One entry."""

    key: str
    text: str

    @property
    def title(self) -> str:
        """Title without its braces; the key where there is none."""
        return " ".join(self.field("title").replace("{", "").replace("}", "").split()) or self.key

    @property
    def year(self) -> str:
        """Year, or ""."""
        return self.field("year")

    @property
    def link(self) -> str | None:
        """Address of the paper, from its DOI or URL; None: neither, or not a web address."""
        doi, url = self.field("doi"), self.field("url")
        if doi:
            return "https://doi.org/" + quote(re.sub(r"^https?://(dx\.)?doi\.org/", "", doi))
        return url if re.match(r"https?://", url) else None

    def field(self, name: str) -> str:
        """Return the value of a field, without its delimiters; "" if the entry has none."""
        found = re.search(rf"[,\s]{name}\s*=\s*", self.text, re.IGNORECASE)
        return _value(self.text[found.end() :]) if found else ""


def citations(texts: Iterable[str]) -> list[Citation]:
    """Return the entries of all texts, each once, sorted by key."""
    entries = [entry.strip() for text in texts for entry in re.split(r"(?m)^\s*(?=@\w+\{)", text) if entry.strip()]
    found = {entry: Citation(_key(entry), entry) for entry in entries}
    return sorted(found.values(), key=lambda c: (c.key.lower(), c.text))


def _key(entry: str) -> str:
    found = re.match(r"@\w+\{\s*([^,\s]+)", entry)
    return found.group(1) if found else entry[:20]


def _value(text: str) -> str:
    """The value at the start of `text`: in braces, in quotes, or bare."""
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
