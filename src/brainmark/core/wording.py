"""Numbers, sizes and times as they are shown to a reader: in reports, in a terminal and in messages."""

from __future__ import annotations

import math
import re


def number(value: float | None, digits: int = 3) -> str:
    """Return a number with a true minus sign; "undefined" for what is not finite, "none" for None."""
    if value is None:
        return "none"
    if not math.isfinite(value):
        return "undefined"
    if abs(value) >= 1e4:
        return f"{value:.{digits}g}".replace("-", "−")
    text = f"{value:.{digits}f}"
    return text.lstrip("-") if float(text) == 0 else text.replace("-", "−")


def detail(value: float) -> str:
    """Return a number with four digits, or without any if it is whole."""
    return number(value, 0 if math.isfinite(value) and value == round(value) and abs(value) < 1e4 else 4)


def interval(ends: tuple[float, float] | None, digits: int = 3) -> str:
    """Return "[low, high]", or "no interval" for None."""
    return "no interval" if ends is None else f"[{number(ends[0], digits)}, {number(ends[1], digits)}]"


def plural(noun: str, count: int = 2) -> str:
    """Return an English noun as it stands after a number: "neuroids", "properties", "stimuli"."""
    if count == 1:
        return noun
    if noun.endswith("us"):
        return f"{noun[:-2]}i"
    return f"{noun[:-1]}ies" if noun.endswith("y") else f"{noun}s"


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


def bytes_text(count: float | None) -> str:
    """Return bytes as "512 B", "2.6 MB", "812 MB", "1.2 GB" (powers of 1000); "unknown size" for None."""
    if count is None:
        return "unknown size"
    amount, unit = float(count), "B"
    for larger in ("kB", "MB", "GB", "TB"):
        if amount < 1000:
            break
        amount, unit = amount / 1000, larger
    return f"{amount:.0f} {unit}" if unit == "B" or amount >= 100 else f"{amount:.1f} {unit}"


def read_bytes(text: str) -> int:
    """Return the bytes of "512", "500 MB", "1.2GB" (powers of 1000), "20 GiB" (of 1024). Raises ValueError."""
    found = re.fullmatch(r"(\d+(?:\.\d+)?)\s*(?:([kKMGT]?)(i?)[bB])?", text.strip())
    if found is None:
        raise ValueError(f"{text!r} is no number of bytes; give one such as 500MB")
    return int(float(found[1]) * (1024 if found[3] else 1000) ** "_KMGT".index((found[2] or "_").upper()))
