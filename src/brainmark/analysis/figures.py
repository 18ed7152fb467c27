"""Figures of scores, as matplotlib figures: dots with intervals, and distributions over units.

Nothing here uses pyplot, so no figure stays open and no display is needed.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from itertools import cycle
from typing import Any, TypeAlias

from brainmark.analysis.style import (
    CEILING,
    CEILING_SOFT,
    CONTROL,
    GRID,
    MODEL,
    MODEL_SOFT,
    MUTED,
    PAPER,
    WIDTH,
    Axes,
    Figure,
    house_style,
)  # fmt: skip
from brainmark.core.libraries import mpl_figure, mpl_lines, mpl_patches, np
from brainmark.core.score import Interval, Score

Line2D: TypeAlias = "mpl_lines.Line2D"
Patch: TypeAlias = "mpl_patches.Patch"

LABEL_LENGTH = 30  # characters of a line of a model's name
MOST_POINTS = 500  # of a figure; beyond, a density says the same in fewer bytes
FEW_UNITS = 8  # below, quartiles and a density would say more than the units do
_LINES: tuple[tuple[float, tuple[float, ...]], ...] = ((0, (4, 2)), (0, (1, 1.2)), (0, (6, 1.5, 1, 1.5)), (0, (8, 2)))
_MARKS = ("D", "s", "^", "v", "P", "X")


def score_figure(scores: Sequence[Score]) -> Figure:
    """Draw the value of every subject on one benchmark, with interval, controls and ceiling.

    Best on top. A control that is the same for all subjects is a line, one that depends on the subject a point in
    its row. The upper axis is the raw scale, where all scores share a ceiling. Intervals longer than the spread of
    the scores run out of the frame.

    Raises
    ------
    ValueError : no score, or scores of several benchmarks.
    """
    ordered = _sort_scores(scores)
    lines, points = _split_controls(ordered)
    handles = 1 + len(lines) + len(points) + any(map(has_ceiling, ordered))
    ceiling = _share_ceiling(ordered)
    with house_style():
        above = 0.1 if ceiling is None else 0.5
        figure, axes = _frame([s.subject for s in ordered], above=above, legend_rows=math.ceil(handles / 3))
        legend = [_draw_values(axes, ordered), *_draw_ceiling(axes, ordered)]
        legend += _draw_controls(axes, lines, points)
        axes.set_xlim(*_limits(ordered))
        axes.set_xlabel("value" if ceiling is None else "value (raw / ceiling)")
        if ceiling:
            scales = (lambda v: np.asarray(v, float) * ceiling, lambda r: np.asarray(r, float) / ceiling)
            raw = axes.secondary_xaxis("top", functions=scales)
            raw.set_xlabel("raw")
        _legend(figure, axes, legend)
    return figure


def unit_figure(scores: Sequence[Score]) -> Figure | None:
    """Draw how raw values are spread over units (neuroids, subjects, properties), with the units' ceilings on top.

    One row per subject, in the order of `score_figure`: density above the line, scaled per row; units as points
    below it where they are not too many; a bar from the 25th to the 75th percentile; an open dot at the median.
    Units fewer than `FEW_UNITS` are shown one by one.
    Returns None where no score has at least two units.

    Raises
    ------
    ValueError : no score, or scores of several benchmarks.
    """
    rows = unit_rows(scores)
    if not rows:
        return None
    with house_style():
        with_points = sum(len(values) for values in rows.values()) <= MOST_POINTS
        figure, axes = _frame(list(rows), above=0.1, legend_rows=0, row=0.42)
        for i, (name, values) in enumerate(rows.items()):
            color, soft = (CEILING, CEILING_SOFT) if name == CEILING_ROW else (MODEL, MODEL_SOFT)
            _draw_spread(axes, i, values, color, soft)
            if with_points and len(values) >= FEW_UNITS:
                spread = np.arange(len(values)) * 0.618034 % 1.0  # golden ratio: even, and the same each time
                axes.plot(values, i + 0.1 + 0.2 * spread, ".", color=color, markersize=3, markeredgewidth=0, zorder=3)
        inner = [float(x) for values in rows.values() for x in np.percentile(values, [1, 99])]
        axes.set_xlim(*_pad([0.0, *inner], [float(x) for values in rows.values() for x in (values[0], values[-1])]))
        axes.set_ylim(len(rows) - 0.5, -0.75)
        axes.axvline(0, color=MUTED, linewidth=0.6, zorder=1)
        axes.set_xlabel(f"raw, per {unit_name(scores)}")
    return figure


CEILING_ROW = "ceiling"


def unit_rows(scores: Sequence[Score]) -> dict[str, np.ndarray]:
    """Return the defined raw values per unit of each subject, and of the ceiling; those with at least two units."""
    rows: dict[str, np.ndarray] = {}
    for score in _sort_scores(scores):
        if score.units is None or "raw" not in score.units:
            continue
        if "ceiling" in score.units and CEILING_ROW not in rows:
            rows = {CEILING_ROW: _keep_defined(score.units["ceiling"].values), **rows}
        rows[score.subject] = _keep_defined(score.units["raw"].values)
    rows = {name: values for name, values in rows.items() if len(values) > 1}
    return rows if set(rows) - {CEILING_ROW} else {}


def unit_name(scores: Sequence[Score]) -> str:
    """Return what the units of these scores are called."""
    names = {str(s.units["raw"].dims[0]) for s in scores if s.units is not None and "raw" in s.units}
    return names.pop().replace("_", " ") if len(names) == 1 else "unit"


def _keep_defined(values: np.ndarray) -> np.ndarray:
    flat = np.asarray(values, float).ravel()
    return np.sort(flat[np.isfinite(flat)])


def _sort_scores(scores: Sequence[Score]) -> list[Score]:
    """Sort the scores of one benchmark, best first; undefined ones last."""
    if len({s.benchmark for s in scores}) != 1:
        raise ValueError("a figure needs at least one score, and all scores must be of one benchmark")
    return sorted(scores, key=lambda s: (not math.isfinite(s.value), -s.value, s.subject))


def has_ceiling(score: Score) -> bool:
    """Return whether the score has a ceiling to be measured against: a positive number."""
    return score.ceiling is not None and math.isfinite(score.ceiling) and score.ceiling > 0


def intervals_cut(scores: Sequence[Score]) -> bool:
    """Return whether an interval, or the bounds of the ceiling, run out of the frame of `score_figure`."""
    low, high = _limits(scores)
    ends = [end for s in scores if s.interval for end in s.interval] + list(ceiling_band(scores) or ())
    return any(end < low or end > high for end in ends)


def _share_ceiling(scores: Sequence[Score]) -> float | None:
    """Return the ceiling that the scores share to within one per cent, or None."""
    ceilings = [s.ceiling for s in scores if has_ceiling(s) and s.ceiling]
    if len(ceilings) != len(scores):
        return None
    middle = float(np.median(ceilings))
    return middle if max(ceilings) - min(ceilings) <= 0.01 * middle else None


def ceiling_band(scores: Sequence[Score]) -> Interval | None:
    """Return bounds of the ceiling on the scale of values, where 1 is the ceiling: median over the scores."""
    bounds = [
        (s.ceiling_bounds[0] / s.ceiling, s.ceiling_bounds[1] / s.ceiling)
        for s in scores
        if has_ceiling(s) and s.ceiling and s.ceiling_bounds is not None
    ]
    known = np.array([b for b in bounds if all(map(math.isfinite, b))])
    return (float(np.median(known[:, 0])), float(np.median(known[:, 1]))) if len(known) else None


def _split_controls(scores: Sequence[Score]) -> tuple[dict[str, float], dict[str, list[float]]]:
    """Split controls into those that are the same for all scores, and the others with one value (or NaN) per score."""
    lines: dict[str, float] = {}
    points: dict[str, list[float]] = {}
    for name in dict.fromkeys(name for s in scores for name in s.controls):
        values = [_finite(s.controls[name].value) if name in s.controls else math.nan for s in scores]
        if np.isfinite(values).all() and np.ptp(values) < 1e-3:
            lines[name] = float(np.median(values))
        elif np.isfinite(values).any():
            points[name] = values
    return lines, points


def _finite(value: float) -> float:
    return value if math.isfinite(value) else math.nan


def _limits(scores: Sequence[Score]) -> Interval:
    """Return the range of values, controls, 0 and the ceiling, with room for intervals no longer than that range."""
    centres = [0.0, *(s.value for s in scores), *(c.value for s in scores for c in s.controls.values())]
    centres += [1.0] if any(map(has_ceiling, scores)) else []
    ends = [end for s in scores if s.interval for end in s.interval]
    ends += list(ceiling_band(scores) or ())
    return _pad(centres, ends)


def _pad(centres: Sequence[float], ends: Sequence[float]) -> Interval:
    """Return a range around the centres, with room for ends that are no farther out than that range is wide."""
    inner = [x for x in centres if math.isfinite(x)]
    low, high = min(inner), max(inner)
    span = (high - low) or 1.0
    outer = [min(max(x, low - span), high + span) for x in ends if math.isfinite(x)]
    low, high = min([low, *outer]), max([high, *outer])
    return low - 0.04 * (high - low or 1.0), high + 0.04 * (high - low or 1.0)


def _frame(names: Sequence[str], *, above: float, legend_rows: int, row: float = 0.25) -> tuple[Figure, Axes]:
    """Return a figure with one row per name, the first on top; sizes in inches."""
    labels = [two_lines(name) for name in names]
    row = max(row, 0.36) if any("\n" in label for label in labels) else row
    longest = max(len(line) for label in labels for line in label.split("\n"))
    left, right, below = 0.25 + 0.078 * longest, 0.15, 0.5 + 0.19 * legend_rows
    height = row * len(names)
    total = above + height + below
    figure = mpl_figure.Figure(figsize=(WIDTH, total))
    axes = figure.add_axes((left / WIDTH, below / total, (WIDTH - left - right) / WIDTH, height / total))
    axes.set_yticks([])
    for i, label in enumerate(labels):
        _write_name(axes, i, label)
    axes.set_ylim(len(names) - 0.5, -0.5)
    axes.grid(axis="x", color=GRID, linewidth=0.6)
    axes.set_axisbelow(True)
    for side in ("top", "right", "left"):
        axes.spines[side].set_visible(False)
    return figure, axes


def _write_name(axes: Axes, row: int, label: str) -> None:
    """Write a name left of its row, each line by itself: so it stays flush right in whatever font it is drawn."""
    lines = label.split("\n")
    for i, line in enumerate(lines):
        down = 10 * (i - (len(lines) - 1) / 2)
        axes.annotate(
            line, (0, row), (-6, -down), xycoords=axes.get_yaxis_transform(), textcoords="offset points",
            ha="right", va="center_baseline", annotation_clip=False,
        )  # fmt: skip


def two_lines(name: str, length: int = LABEL_LENGTH) -> str:
    """Break a long name after a separator, into two lines of at most `length` characters; the rest becomes "…"."""
    if len(name) <= length:
        return name
    breaks = [m.end() for m in re.finditer(r"[-_./:, ]", name[:length])]
    at = breaks[-1] if breaks and breaks[-1] >= length // 3 else length
    first, second = name[:at].rstrip(), name[at:]
    if len(second) > length:
        second = "…" + second[-(length - 1) :]
    return f"{first}\n{second}"


def _draw_values(axes: Axes, scores: Sequence[Score]) -> Line2D:
    for i, score in enumerate(scores):
        if score.interval is not None and all(map(math.isfinite, score.interval)):
            axes.plot(score.interval, [i, i], color=MODEL, linewidth=1.8, solid_capstyle="butt", zorder=4)
    where = [_finite(s.value) for s in scores]
    axes.plot(where, range(len(scores)), "o", color=MODEL, markersize=6, markeredgecolor=PAPER, zorder=5)
    label = "value, 95 % interval" if any(s.interval for s in scores) else "value (no interval)"
    return mpl_lines.Line2D([], [], color=MODEL, marker="o", markersize=5, linewidth=1.8, label=label)


def _draw_ceiling(axes: Axes, scores: Sequence[Score]) -> list[Line2D | Patch]:
    if not any(map(has_ceiling, scores)):
        return []
    axes.axvline(1.0, color=CEILING, linewidth=1.2, zorder=2)
    band = ceiling_band(scores)
    if band is None:
        return [mpl_lines.Line2D([], [], color=CEILING, linewidth=1.2, label="ceiling")]
    axes.axvspan(*band, color=CEILING_SOFT, linewidth=0, zorder=0)
    return [mpl_patches.Patch(facecolor=CEILING_SOFT, edgecolor=CEILING, linewidth=0.8, label="ceiling and its bounds")]


def _draw_controls(axes: Axes, lines: Mapping[str, float], points: Mapping[str, list[float]]) -> list[Line2D]:
    """Draw controls that are the same for all scores as lines, and the others as a point in each row."""
    handles: list[Line2D] = []
    for (name, value), dashes in zip(lines.items(), cycle(_LINES), strict=False):
        label = f"control: {name} ({value:.2f})"
        handles.append(axes.axvline(value, color=CONTROL, linewidth=1.1, linestyle=dashes, zorder=3, label=label))
    style: dict[str, Any] = {"color": CONTROL, "markersize": 4, "zorder": 4, "markerfacecolor": PAPER}
    for (name, values), mark in zip(points.items(), cycle(_MARKS), strict=False):
        handles += axes.plot(values, range(len(values)), mark, label=f"control: {name}", **style)
    return handles


def _legend(figure: Figure, axes: Axes, handles: Sequence[Line2D | Patch]) -> None:
    left = axes.get_position().x0
    labels = [str(handle.get_label()) for handle in handles]
    figure.legend(
        handles, labels, loc="lower left", bbox_to_anchor=(left, 0), ncols=min(3, len(handles)), borderpad=0,
        columnspacing=1.6,
    )  # fmt: skip


def _draw_spread(axes: Axes, row: int, values: np.ndarray, color: str, soft: str) -> None:
    """Draw the density above the row's line, with interquartile bar and median; where units are few, just the units."""
    curve = density(values)
    if curve is not None:
        grid, height = (np.pad(a, 1, mode=mode) for a, mode in zip(curve, ("edge", "constant"), strict=True))
        axes.fill(grid, row - 0.62 * height, facecolor=soft, edgecolor=color, linewidth=0.7, zorder=2)
    if len(values) < FEW_UNITS:
        axes.plot(values, np.full(len(values), row), "o", color=soft, markeredgecolor=color, markersize=4.5, zorder=4)
        return
    low, middle, high = np.percentile(values, [25, 50, 75])
    axes.plot([low, high], [row, row], color=color, linewidth=3, solid_capstyle="butt", zorder=4)
    axes.plot([middle], [row], "o", color=PAPER, markeredgecolor=color, markersize=4.5, zorder=6)


def density(values: np.ndarray, points: int = 40) -> tuple[np.ndarray, np.ndarray] | None:
    """Return a grid from least to greatest value and a Gaussian density on it, scaled to a greatest height of 1.

    The width is Silverman's (1986, eq. 3.31). None below `FEW_UNITS` values, or without spread. `values` are sorted.
    """
    if len(values) < FEW_UNITS:
        return None
    quarter = np.subtract(*np.percentile(values, [75, 25])) / 1.349
    spread = min(x for x in (float(np.std(values, ddof=1)), float(quarter) or math.inf))
    if spread <= 1e-12 * max(1.0, float(np.abs(values).max())):
        return None
    width = 0.9 * spread * len(values) ** -0.2
    grid = np.linspace(values[0], values[-1], points)
    height = np.exp(-0.5 * ((grid[:, None] - values) / width) ** 2).sum(axis=1)
    return grid, height / height.max()
