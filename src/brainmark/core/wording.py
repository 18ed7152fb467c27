"""Figures and names as a reader of a report meets them."""

from __future__ import annotations

import math
import re

from markupsafe import Markup, escape

from brainmark.core.score import Interval


def number(value: float | None, digits: int = 3) -> str:
    """Return a number for a reader: a true minus sign; "undefined" for what is not a number, "none" for None."""
    if value is None:
        return "none"
    if not math.isfinite(value):
        return "undefined"
    if abs(value) >= 1e4:
        return f"{value:.{digits}g}".replace("-", "−")
    text = f"{value:.{digits}f}"
    return text.lstrip("-") if float(text) == 0 else text.replace("-", "−")


def detail(value: float) -> str:
    """Return a further figure: counts as whole numbers."""
    return number(value, 0 if math.isfinite(value) and value == round(value) and abs(value) < 1e4 else 4)


def interval(ends: Interval | None, digits: int = 3) -> str:
    """Return "[low, high]", or "no interval"."""
    return "no interval" if ends is None else f"[{number(ends[0], digits)}, {number(ends[1], digits)}]"


def plural(noun: str, count: int = 2) -> str:
    """Return an English noun as it stands after a number."""
    if count == 1:
        return noun
    return f"{noun[:-1]}ies" if noun.endswith("y") else f"{noun}s"


def breakable(name: str) -> Markup:
    """Return an escaped name that may break after its separators."""
    parts = re.split(r"(?<=[-_./:,])", str(name))
    return Markup("<wbr>").join(escape(part) for part in parts)


def duration(seconds: float) -> str:
    """Return seconds as "< 0.1 s", "0.4 s", "12 s", "3 min 20 s", "2 h 5 min"."""
    if 0 < seconds < 0.05:
        return "< 0.1 s"
    if seconds < 10:
        return f"{seconds:.1f} s"
    whole = round(seconds)
    if whole < 60:
        return f"{whole} s"
    return f"{whole // 60} min {whole % 60} s" if whole < 3600 else f"{whole // 3600} h {whole % 3600 // 60} min"


def memory(size: int) -> str:
    """Return bytes as "812 MiB" or "1.4 GiB"."""
    return f"{size / 2**20:.0f} MiB" if size < 2**30 else f"{size / 2**30:.1f} GiB"


def short_hash(text: str | None) -> Markup:
    """Return the first 12 letters of a hash; the whole is in the title."""
    if not text:
        return Markup("not stated")
    shown = text if len(text) <= 16 else f"{text[:12]}…"
    return Markup('<code title="{}">{}</code>').format(text, shown)
