"""Figures of layers in the order in which they run: how well each predicts each region."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

from brainmark.analysis.style import GRID, INK, MODEL, MODEL_SOFT, MUTED, WIDTH, Axes, Figure, house_style
from brainmark.core.libraries import mpl_figure
from brainmark.run.layer_choice import Choice

_ROW, _HEAD, _FOOT = 0.185, 0.62, 0.55  # inches
_LABEL = 34  # characters of a layer's name
_TALLEST = 7.4  # inches of all rows together: with more layers rows are narrower, and not every name is written
_LEGIBLE = 0.11  # inches that a name takes


def layer_figure(choices: Mapping[str, Choice]) -> Figure:
    """Draw the score of every candidate layer, one panel a region, the first layer on top.

    The chosen layer is filled; the open dot is its score on the other stimuli, with its interval.

    Raises
    ------
    ValueError : no choice, or choices of several models.
    """
    if len({c.model for c in choices.values()}) != 1:
        raise ValueError("a figure of layers shows the choices for one model")
    longest_first = sorted(choices.values(), key=lambda c: -len(c.candidates))
    names = list(dict.fromkeys(c.layer for choice in longest_first for c in choice.candidates))
    with house_style():
        row = min(_ROW, _TALLEST / len(names))
        height = _HEAD + row * len(names) + _FOOT
        figure = mpl_figure.Figure(figsize=(WIDTH, height))
        left = 0.4 + 0.065 * min(_LABEL, max(map(len, names)))
        grid = figure.subplots(1, len(choices), sharey=True, squeeze=False)[0]
        figure.subplots_adjust(
            left=left / WIDTH, right=1 - 0.15 / WIDTH, top=1 - _HEAD / height, bottom=_FOOT / height, wspace=0.12
        )
        for axes, choice in zip(grid, choices.values(), strict=True):
            _draw(axes, choice, names)
        chosen = {choice.chosen.layer for choice in choices.values()}
        written = choose_labels(len(names), [names.index(name) for name in chosen], math.ceil(_LEGIBLE / row))
        grid[0].set_yticks(written, [_shorten(names[place]) for place in written])
        for label, place in zip(grid[0].get_yticklabels(), written, strict=True):
            if names[place] in chosen:
                label.set_color(MODEL)
                label.set_fontweight("bold")
        model = next(iter(choices.values())).model
        legend = "score (bars: on what layers were chosen by; dot: on other stimuli)"
        figure.text(left / WIDTH, 0.14 / height, legend, fontsize=7.5, color=INK, va="center")
        figure.text(0.15 / WIDTH, 1 - 0.2 / height, model, fontsize=10, fontweight="bold", va="center")
    return figure


def choose_labels(count: int, always: Sequence[int], apart: int) -> list[int]:
    """Return which of `count` rows have their name written: `always` these, and others at least `apart` from them."""
    written = set(always)
    for place in range(count):
        if all(abs(place - other) >= apart for other in written):
            written.add(place)
    return sorted(written)


def _draw(axes: Axes, choice: Choice, names: Sequence[str]) -> None:
    place = {name: i for i, name in enumerate(names)}
    tried = [
        (place[c.layer], c.value, c.layer == choice.chosen.layer) for c in choice.candidates if c.value is not None
    ]
    rows, values = [row for row, _, _ in tried], [value for _, value, _ in tried]
    axes.barh(rows, values, height=0.72, color=[MODEL if chosen else MODEL_SOFT for _, _, chosen in tried])
    at = place[choice.chosen.layer]
    if choice.interval is not None:
        for color, width in (("white", 2.8), (INK, 1.1)):  # to be seen on the bar and beside it
            axes.plot(choice.interval, [at, at], color=color, linewidth=width, solid_capstyle="round")
    axes.plot([choice.value], [at], "o", markersize=5, markerfacecolor="white", markeredgecolor=INK)
    for candidate in choice.candidates:
        if candidate.value is None:
            axes.text(0, place[candidate.layer], " no score", fontsize=6.5, color=MUTED, va="center")
    ends = [0.0, choice.value, *values, *(choice.interval or ())]
    reach = 0.06 * (max(ends) - min(ends) or 1)
    axes.set_xlim(min(ends) - (reach if min(ends) < 0 else 0), max(ends) + reach)
    axes.set_ylim(len(names) - 0.4, -0.6)
    axes.axvline(0, color=MUTED, linewidth=0.6)
    axes.grid(axis="x", color=GRID, linewidth=0.5)
    axes.set_axisbelow(True)
    axes.tick_params(axis="y", labelsize=7 if len(names) <= 60 else 6, length=0)
    axes.spines[["top", "right", "left"]].set_visible(False)
    axes.set_title(choice.region, fontsize=9, color=INK, loc="left", pad=4)


def _shorten(name: str) -> str:
    return name if len(name) <= _LABEL else "..." + name[3 - _LABEL :]


def best_first(choice: Choice, most: int) -> list[tuple[str, float]]:
    """Return the `most` layers with the largest scores."""
    known = [(c.layer, c.value) for c in choice.candidates if c.value is not None]
    return sorted(known, key=lambda c: -c[1])[:most]
