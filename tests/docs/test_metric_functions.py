"""Every metric can be found: the page of functions holds all modules with something to call."""

from __future__ import annotations

import pkgutil
from pathlib import Path

import brainmark.metrics

ROOT = Path(__file__).resolve().parents[2]
WITHIN = {
    "_arrays.backend",
    "_arrays.products",
    "_arrays.shapes",
    "statistics.averages",
    "statistics.ranks",
}  # what metrics are made of


def test_the_page_of_functions_holds_every_module() -> None:
    page = (ROOT / "docs/reference/metric-functions.md").read_text("utf-8")
    found = pkgutil.walk_packages(brainmark.metrics.__path__, "brainmark.metrics.")
    there = {m.name.removeprefix("brainmark.metrics.") for m in found if not m.ispkg}
    assert there > WITHIN
    missing = [name for name in sorted(there - WITHIN) if f"automodule:: brainmark.metrics.{name}\n" not in page]
    assert missing == []
