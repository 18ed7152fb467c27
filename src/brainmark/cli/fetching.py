"""``brainmark fetch``: what is cached, mirrored, missing; and getting it."""

from __future__ import annotations

from collections.abc import Sequence
from fnmatch import fnmatchcase
from typing import Any

from rich.console import Console
from rich.markup import escape

from brainmark.core import DatasetCard, registry
from brainmark.core.errors import UnknownName
from brainmark.core.wording import bytes_text, plural
from brainmark.data.fetch import fetch_all, where
from brainmark.run.origin import origins


def status(names: Sequence[str]) -> list[dict[str, Any]]:
    """Return one row for each dataset (all, if none is named): states of its files, number, bytes, licence."""
    rows: list[dict[str, Any]] = []
    for name in _datasets(names) if names else registry.datasets:
        card = registry.datasets[name].card
        rows.append(
            {
                "dataset": name,
                "states": origins(name),
                "files": len(card.sources),
                "size": _total(card),
                "licence": card.licence,
            }
        )
    return rows


def fetch_and_show(names: Sequence[str], console: Console) -> None:
    """Fetch the files of datasets (or of the datasets of benchmarks), with progress and licence."""
    for name in _datasets(names):
        card = registry.datasets[name].card
        total = bytes_text(_total(card))
        files = f"{len(card.sources)} {plural('file', len(card.sources))}, {total}"
        console.print(f"[bold]{name}[/]: {files}; licence: {escape(card.licence)}", highlight=False, soft_wrap=True)
        paths = fetch_all(card.sources, progress=True)
        for source, path in zip(card.sources, paths, strict=True):
            console.print(f"  {where(source).state}: {escape(str(path))}", highlight=False, soft_wrap=True)
        if "many files" in card.tags:  # the card names a table of them; loading gets those that are not at hand
            registry.datasets[name].load()


def _total(card: DatasetCard) -> int | None:
    """Bytes of all files; None if those of one are not known."""
    sizes = [s.size for s in card.sources if s.size is not None]
    return sum(sizes) if len(sizes) == len(card.sources) else None


def _datasets(names: Sequence[str]) -> list[str]:
    """Names or patterns of datasets or benchmarks -> names of datasets, each once."""
    chosen: dict[str, None] = {}
    for name in names:
        hits = [n for n in registry.datasets if fnmatchcase(n, name)]
        of_benchmarks = [b for b in registry.benchmarks if fnmatchcase(b, name)]
        if not hits and not of_benchmarks:
            known = [*registry.datasets, *registry.benchmarks]
            raise UnknownName("dataset or benchmark", name, known, " ('brainmark list datasets' shows all datasets)")
        chosen |= dict.fromkeys(hits)
        for benchmark in of_benchmarks:
            chosen |= dict.fromkeys(registry.benchmarks[benchmark].card.datasets)
    return list(chosen)
