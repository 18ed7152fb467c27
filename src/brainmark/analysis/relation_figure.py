"""Figures of relations between scores: one panel for each, a point a model, a line, r and its interval."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

from brainmark.analysis.figures import two_lines
from brainmark.analysis.relations import Relation
from brainmark.analysis.style import CEILING, CONTROL, GRID, INK, MODEL, MUTED, WIDTH, Axes, Figure, house_style
from brainmark.core.libraries import mpl_figure, mpl_ticker, np

HEAD = ("x", "y", "r", "95 %", "p", "corrected", "models")
"""Names of the columns of `make_cells`."""
COLUMNS = 3
NAMED = 12  # models up to which each point carries its name
_PANEL = 2.35  # inches
_COLOURS = (MODEL, CONTROL, CEILING, "#8a4f9e", "#7a5c00", INK)
_MARKS = ("o", "s", "^", "D", "v", "P")


def relation_figure(relations: Sequence[Relation], families: Mapping[str, str] | None = None) -> Figure:
    """Draw relations, each in a panel of its own.

    Parameters
    ----------
    relations : at least one.
    families : model -> family, which has a colour and a mark.

    Raises
    ------
    ValueError : no relation.
    """
    if not relations:
        raise ValueError("a figure of relations needs at least one relation")
    given = families or {}
    shown = list(dict.fromkeys(given[m] for r in relations for m in r.models if m in given))
    columns = min(COLUMNS, len(relations))
    rows = math.ceil(len(relations) / columns)
    legend = 0.25 * math.ceil(len(shown) / 3) if len(shown) > 1 else 0.0
    with house_style():
        figure = mpl_figure.Figure(
            figsize=(WIDTH * columns / COLUMNS + 0.2, _PANEL * rows + legend), layout="constrained"
        )
        grid = figure.subplots(rows, columns, squeeze=False).ravel()
        for axes, relation in zip(grid, relations, strict=False):
            _draw(axes, relation, given, shown)
        for axes in grid[len(relations) :]:
            axes.set_visible(False)
        if legend:
            handles = {}
            for axes in grid:
                handles |= {label: handle for handle, label in zip(*axes.get_legend_handles_labels(), strict=True)}
            figure.legend(list(handles.values()), list(handles), loc="outside lower left", ncols=3)
    return figure


def _draw(axes: Axes, relation: Relation, families: Mapping[str, str], shown: Sequence[str]) -> None:
    x, y = np.array(relation.xs), np.array(relation.ys)
    of = [families.get(model, "") for model in relation.models]
    for family in dict.fromkeys(of):
        rows = [i for i, one in enumerate(of) if one == family]
        place = shown.index(family) if family in shown else 0
        axes.plot(
            x[rows], y[rows], _MARKS[place % len(_MARKS)], color=_COLOURS[place % len(_COLOURS)], markersize=4,
            markeredgewidth=0, alpha=0.85, label=family or None, zorder=3,
        )  # fmt: skip
    if relation.method == "pearson":
        slope, middle = np.polyfit(x, y, 1)
        ends = np.array([x.min(), x.max()])
        axes.plot(ends, slope * ends + middle, color=MUTED, linewidth=1, zorder=2)
    if len(x) <= NAMED:
        for name, a, b in zip(relation.models, x, y, strict=True):
            axes.annotate(_shorten(name), (a, b), (3, 2), textcoords="offset points", fontsize=5.5, color=MUTED)
    axes.set_title(describe(relation).replace("], n", "],\nn"), fontsize=8, color=INK, loc="left")
    axes.set_xlabel(two_lines(relation.x, 34), fontsize=7.5)
    axes.set_ylabel(two_lines(relation.y, 34), fontsize=7.5)
    axes.xaxis.set_major_locator(mpl_ticker.MaxNLocator(5))
    axes.yaxis.set_major_locator(mpl_ticker.MaxNLocator(5))
    axes.grid(color=GRID, linewidth=0.5)
    axes.set_axisbelow(True)
    axes.spines[["top", "right"]].set_visible(False)


def describe(relation: Relation) -> str:
    """Return e.g. ``r -0.91 [-0.97, -0.74], n 12, p 0.0001``."""
    r = "r" if relation.method == "pearson" else "rank r"
    interval = "" if relation.interval is None else f" [{relation.interval[0]:.2f}, {relation.interval[1]:.2f}]"
    return f"{r} {relation.r:.2f}{interval}, n {len(relation.models)}, p {relation.p:.2g}"


def _shorten(name: str) -> str:
    """Return the end of a name, which tells checkpoints of a run apart."""
    tail = name.rpartition("/")[2] or name
    return tail if len(tail) <= 16 else f"…{tail[-15:]}"


def make_cells(relation: Relation) -> tuple[str, ...]:
    """Return the cells of a relation's row, see `HEAD`."""
    interval = "" if relation.interval is None else f"{relation.interval[0]:.2f} to {relation.interval[1]:.2f}"
    families = f" of {len(set(relation.families))} families" if relation.families else ""
    left_out = f", {relation.left_out} left out" if relation.left_out else ""
    corrected = "" if math.isnan(relation.q) else f"{relation.q:.2g}"
    count = f"{len(relation.models)}{families}{left_out}"
    return relation.x, relation.y, f"{relation.r:.3f}", interval, f"{relation.p:.2g}", corrected, count
