"""Docstrings here write ``name : what it is`` on one line; numpydoc would read that as name and type.

Types stand in the signature. This moves the words to where numpydoc expects the description. Magnitudes, ``|a - b|``,
are bars, not the substitutions of reStructuredText.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from sphinx.application import Sphinx

SECTIONS = {"Parameters", "Attributes", "Raises"}
BAR = re.compile(r"(?P<code>``.*?``)|\|")
FIELD = re.compile(r"(?P<name>[*\w][\w*, ]*?) : (?P<words>.*)")


def move_words(lines: list[str]) -> list[str]:
    """Return the docstring with the words of each field on a line of their own."""
    moved: list[str] = []
    inside = False
    for number, line in enumerate(lines):
        underline = lines[number + 1] if number + 1 < len(lines) else ""
        if underline.startswith("---"):
            inside = line.strip() in SECTIONS
        field = FIELD.fullmatch(line) if inside else None
        moved += [field["name"], f"    {field['words']}"] if field else [line]
    return moved


def plain_bars(line: str) -> str:
    """Return a line whose bars outside of code are only bars."""
    return BAR.sub(lambda found: found["code"] or r"\|", line)


def _on_docstring(_app: Sphinx, _what: str, _name: str, _thing: object, _options: object, lines: list[str]) -> None:
    lines[:] = [plain_bars(line) for line in move_words(lines)]


def setup(app: Sphinx) -> dict[str, bool]:
    """Run before napoleon."""
    app.connect("autodoc-process-docstring", _on_docstring, priority=100)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
