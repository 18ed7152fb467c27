"""Figures of relations between scores: one panel for each, a point a model, a line, r and its interval."""

from __future__ import annotations

import html
import math
from typing import TYPE_CHECKING

from brainmark.analysis.figures import CEILING, CONTROL, GRID, INK, MODEL, MUTED, WIDTH, house_style, two_lines
from brainmark.analysis.relations import Relation, cells
from brainmark.analysis.svg import COLOURS, Sheet, inline_svg
from brainmark.core.errors import MissingDependency
from brainmark.core.libraries import np

try:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure
    from matplotlib.ticker import MaxNLocator
except ImportError as error:
    raise MissingDependency("matplotlib", "report", "drawing figures") from error

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

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
        raise ValueError("a figure of relations shows at least one")
    given = families or {}
    shown = list(dict.fromkeys(given[m] for r in relations for m in r.models if m in given))
    columns = min(COLUMNS, len(relations))
    rows = math.ceil(len(relations) / columns)
    legend = 0.25 * math.ceil(len(shown) / 3) if len(shown) > 1 else 0.0
    with house_style():
        figure = Figure(figsize=(WIDTH * columns / COLUMNS + 0.2, _PANEL * rows + legend), layout="constrained")
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
            axes.annotate(_short(name), (a, b), (3, 2), textcoords="offset points", fontsize=5.5, color=MUTED)
    axes.set_title(said(relation).replace("], n", "],\nn"), fontsize=8, color=INK, loc="left")
    axes.set_xlabel(two_lines(relation.x, 34), fontsize=7.5)
    axes.set_ylabel(two_lines(relation.y, 34), fontsize=7.5)
    axes.xaxis.set_major_locator(MaxNLocator(5))
    axes.yaxis.set_major_locator(MaxNLocator(5))
    axes.grid(color=GRID, linewidth=0.5)
    axes.set_axisbelow(True)
    axes.spines[["top", "right"]].set_visible(False)


def said(relation: Relation) -> str:
    """Return e.g. ``r -0.91 [-0.97, -0.74], n 12, p 0.0001``."""
    r = "r" if relation.method == "pearson" else "rank r"
    interval = "" if relation.interval is None else f" [{relation.interval[0]:.2f}, {relation.interval[1]:.2f}]"
    return f"{r} {relation.r:.2f}{interval}, n {len(relation.models)}, p {relation.p:.2g}"


def _short(name: str) -> str:
    """The end of a name, which tells checkpoints of a run apart."""
    tail = name.rpartition("/")[2] or name
    return tail if len(tail) <= 16 else f"…{tail[-15:]}"


def save_figure(relations: Sequence[Relation], path: Path, families: Mapping[str, str] | None = None) -> None:
    """Write the figure as an image, or with the table as a page (``.html``)."""
    figure = relation_figure(relations, families)
    if path.suffix.lower() == ".html":
        path.write_text(_page(relations, figure), encoding="utf-8")
        return
    with house_style():
        figure.savefig(path, dpi=200)


def _page(relations: Sequence[Relation], figure: Figure) -> str:

    sheet = Sheet()
    svg = inline_svg(figure, "relations", "Scores of models against each other", sheet)
    variables = "".join(f"{variable}:{colour};" for colour, variable in COLOURS.items())
    head = "".join(f"<th>{name}</th>" for name in ("x", "y", "r", "95 %", "p", "corrected", "models"))
    rows = "".join(f"<tr>{''.join(f'<td>{html.escape(cell)}</td>' for cell in cells(one))}</tr>" for one in relations)
    style = (
        f":root{{{variables}}} body{{font:15px/1.5 system-ui,sans-serif;max-width:60rem;margin:2rem auto;"
        "padding:0 1rem;color:var(--ink);background:var(--paper)}"
        "table{border-collapse:collapse;font-variant-numeric:tabular-nums}"
        "td,th{padding:.2rem .7rem;border-bottom:1px solid var(--grid);text-align:left}"
        "svg{width:100%;height:auto}"
        f"{sheet.css()}"
    )
    return (
        '<!doctype html>\n<html lang="en"><head><meta charset="utf-8"><title>Relations between scores</title>'
        f"<style>{style}</style></head><body><main><h1>Relations between scores</h1>{svg}"
        f"<table><thead><tr>{head}</tr></thead><tbody>{rows}</tbody></table></main></body></html>\n"
    )


__all__ = ["relation_figure", "said", "save_figure"]
