"""Figures of relations."""

from __future__ import annotations

import math

import numpy as np
import pandas as pd
import pytest

from brainmark.analysis.pages import save_figure
from brainmark.analysis.relation_figure import HEAD, make_cells, relation_figure
from brainmark.analysis.relations import (
    relate_all,
)  # fmt: skip


def pairs(n: int, r: float, seed: int = 0) -> pd.DataFrame:
    """Models drawn with a true correlation of r."""
    generator = np.random.default_rng(seed)
    x = generator.standard_normal(n)
    y = r * x + math.sqrt(1 - r * r) * generator.standard_normal(n)
    return pd.DataFrame({"x": x, "y": y}, index=[f"m{i}" for i in range(n)])


def families_of(table: pd.DataFrame, count: int) -> dict[str, str]:
    return {name: f"f{i % count}" for i, name in enumerate(table.index)}


@pytest.mark.parametrize("suffix", [".png", ".svg", ".html"])
def test_figures_are_written(suffix: str, tmp_path) -> None:
    table = pairs(9, 0.5).assign(z=range(9))
    relations = relate_all(table, [("x", "y"), ("x", "z"), ("y", "z"), ("z", "x")], resamples=200)
    path = tmp_path / f"figure{suffix}"
    figure = relation_figure(relations, families_of(table, 3))
    save_figure(figure, path, "Relations", [HEAD, *map(make_cells, relations)])
    content = path.read_bytes()
    assert len(content) > 5000
    if suffix == ".html":
        assert content.count(b"<tr>") == 5
        assert b"f2" in content


def test_a_figure_has_a_panel_for_each_relation() -> None:
    table = pairs(20, 0.5).assign(z=range(20))
    relations = relate_all(table, [("x", "y"), ("x", "z")], resamples=0)
    assert sum(axes.get_visible() for axes in relation_figure(relations).axes) == 2
    with pytest.raises(ValueError, match="at least one"):
        relation_figure([])
