"""Files that names and patterns lead to."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path


def all_files(patterns: Iterable[str], base: Path) -> list[Path]:
    """Return the files that names and patterns lead to, sorted within each pattern, each once.

    Paths start from `base` unless they are absolute; what is no pattern leads to nothing.
    """
    found: dict[Path, None] = {}
    for pattern in patterns:
        path = base / pattern
        if path.exists():
            found[path] = None
            continue
        root = Path(path.anchor) if Path(pattern).is_absolute() else base
        try:
            hits = sorted(p for p in root.glob(str(path.relative_to(root))) if p.is_file())
        except ValueError:  # "**" is a whole folder
            continue
        found |= dict.fromkeys(hits)
    return list(found)


__all__ = ["all_files"]
