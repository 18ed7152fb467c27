"""Where the data of a benchmark came from."""

from __future__ import annotations

from collections.abc import Iterable

from brainmark.core import registry
from brainmark.data.fetch import where


def data_origin(names: Iterable[str]) -> str:
    """Return "simulated", "shipped", "cached", "mirrored" or "missing" (or several, joined by " + ")."""
    return " + ".join(dict.fromkeys(state for name in names for state in origins(name)))


def origins(name: str) -> list[str]:
    """Return where the files of a dataset are, each state once; no network is used."""
    card = registry.datasets[name].card
    return sorted({str(where(source).state) for source in card.sources}) or ["simulated"]
