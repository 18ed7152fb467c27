"""Matplotlib figures as SVG elements for an HTML page: small, the same bytes each time, in the page's colours."""

from __future__ import annotations

import io
import re
import warnings
from collections.abc import Mapping
from xml.etree import ElementTree

from brainmark.analysis import style
from brainmark.analysis.style import Figure, house_style
from brainmark.core.text import name_commands

COLOURS: Mapping[str, str] = {
    style.INK: "--ink",
    style.MUTED: "--muted",
    style.GRID: "--grid",
    style.MODEL: "--model",
    style.MODEL_SOFT: "--model-soft",
    style.CONTROL: "--control",
    style.CEILING: "--ceiling",
    style.CEILING_SOFT: "--ceiling-soft",
    style.PAPER: "--paper",
}
"""Colour of a figure -> CSS variable that stands for it in the page, so that a figure follows light and dark."""

_NUMBERS = {"d", "x", "y", "x1", "x2", "y1", "y2", "width", "height", "transform", "points"}


class Sheet:
    """CSS classes for the inline styles of figures, so that a repeated style is stored once."""

    def __init__(self) -> None:
        self._classes: dict[str, str] = {}

    def class_of(self, style: str) -> str:
        """Return the class that stands for an inline style."""
        return self._classes.setdefault(style, f"f{len(self._classes)}")

    def css(self) -> str:
        """Return the rules."""
        return "\n".join(f".{name}{{{style}}}" for style, name in self._classes.items())


def inline_svg(figure: Figure, name: str, label: str, sheet: Sheet) -> str:
    """Return a figure as an SVG element.

    Parameters
    ----------
    name : prefix of the identifiers inside; unique in the page.
    label : what the figure shows, for those who do not see it.
    sheet : takes the styles.
    """
    root = ElementTree.fromstring(_svg(figure))
    used = set(re.findall(r"(?:url\(#|href=\"#)([^)\"]+)", ElementTree.tostring(root, encoding="unicode")))
    for element in root.iter():
        _drop_children(element)
        element.tag = _local(element.tag)
        element.attrib = _attributes(element.attrib, name, used, sheet)
        if element.tag != "text":
            element.text = None
        element.tail = None
    root.attrib = {"viewBox": root.attrib["viewBox"], "class": "plot", "role": "img", "aria-label": label}
    return ElementTree.tostring(root, encoding="unicode", short_empty_elements=True)


def _svg(figure: Figure) -> str:
    buffer = io.StringIO()
    with house_style(), warnings.catch_warnings():
        # the reader's browser draws the letters, with its own fonts
        warnings.filterwarnings("ignore", message="Glyph .* missing from")
        nothing = dict.fromkeys(("Date", "Creator", "Type", "Format"))
        figure.savefig(buffer, format="svg", transparent=True, metadata=nothing)
    return name_commands(buffer.getvalue())


def _local(tag: str) -> str:
    return tag.rpartition("}")[2]


def _drop_children(element: ElementTree.Element) -> None:
    """Remove metadata, empty groups, and matplotlib's style element: it would hold for the whole page."""
    for child in list(element):
        if _local(child.tag) in ("metadata", "style") or (_local(child.tag) in ("g", "defs") and not len(child)):
            element.remove(child)


def _attributes(given: Mapping[str, str], name: str, used: set[str], sheet: Sheet) -> dict[str, str]:
    result: dict[str, str] = {}
    for key, value in given.items():
        key = _local(key)
        if key == "id":
            if value in used:
                result["id"] = f"{name}-{value}"
        elif key == "href":
            result["href"] = value.replace("#", f"#{name}-")
        elif key == "style":
            result["class"] = sheet.class_of(_use_variables(value))
        elif key in _NUMBERS:
            if not value.startswith("rotate(-0 "):  # turns nothing
                result[key] = re.sub(r"(\.\d)\d+", r"\1", re.sub(r"\s+", " ", value).strip())
        else:
            result[key] = value.replace("url(#", f"url(#{name}-")
    return result


def _use_variables(text: str) -> str:
    """Return a style in the colours and the font of the page."""
    text = re.sub(r"font: (?:[a-z]+ )*([\d.]+)px [^;]*", r"font-size: \1px", text)
    text = re.sub(r"font-family: [^;]*;?", "", text)
    for colour, variable in COLOURS.items():
        text = text.replace(colour, f"var({variable})")
    return text.replace("; ", ";").replace(": ", ":").strip("; ")
