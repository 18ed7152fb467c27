"""``brainmark show BENCHMARK``: the spread of its ceiling, in the terminal; and a page with samples of its stimuli."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from brainmark.analysis.benchmark_page import render_page
from brainmark.core.comparison import Comparison
from brainmark.core.errors import ResourceError, UnknownName
from brainmark.core.libraries import np
from brainmark.core.registry import Entry
from brainmark.data.writing import write_whole

BARS = "▁▂▃▄▅▆▇█"
BINS = 24


def ceiling_spread(ceiling: Comparison) -> dict[str, Any]:
    """Return units, quartiles and histogram of a ceiling over its units; nothing where there are not two."""
    values = np.asarray(ceiling.values.values, float).ravel()
    values = values[np.isfinite(values)]
    if len(values) < 2:
        return {}
    low, middle, high = np.percentile(values, [25, 50, 75])
    return {
        "ceiling over": f"{len(values)} {ceiling.unit}s, quartiles {low:.3f}, {middle:.3f}, {high:.3f}",
        "ceiling spread": f"{values.min():.2f} {histogram(values)} {values.max():.2f}",
    }


def histogram(values: Any, bins: int = BINS) -> str:
    """Return counts from least to greatest value as a line of blocks; an empty bin is a space."""
    counts, _ = np.histogram(values, bins=bins)
    heights = np.ceil(counts / counts.max() * len(BARS)).astype(int)
    return "".join(BARS[h - 1] if h else " " for h in heights)


def check_has_page(entry: Entry[Any, Any]) -> None:
    """Refuse what is no benchmark, before anything is computed. Raises UnknownName."""
    if entry.kind != "benchmark":
        raise UnknownName("benchmark", entry.name, (), f": it is a {entry.kind}, and pages are made of benchmarks")


def write_page(load: Callable[[], Any], shown: dict[str, Any], path: Path) -> Path:
    """Write what is known of a benchmark, which `load` returns, as a self-contained page.

    Raises
    ------
    DataError : its data cannot be had.
    ResourceError : the page cannot be written.
    """
    page = render_page(load(), shown["facts"])
    try:
        write_whole(path, page.encode())
    except OSError as error:
        raise ResourceError(f"cannot write the page {path}: {error.strerror or error}") from error
    return path
