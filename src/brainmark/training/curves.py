"""Curves of a training: as lines of text, and as a picture."""

from __future__ import annotations

import io
import itertools
from collections.abc import Mapping, Sequence
from pathlib import Path

from brainmark.data.writing import write_whole

LEVELS = "▁▂▃▄▅▆▇█"
IMAGE_TITLES = {"loss": "loss", "accuracy": "accuracy on batches", "held_out": "accuracy on held-out images"}
TEXT_TITLES = {"loss": "bits a token on batches", "held_out": "bits a character, held out"}
Log = Sequence[Mapping[str, float]]


def titles_of(log: Log) -> dict[str, str]:
    """Return the figures of a log by name, and what they are called."""
    return TEXT_TITLES if any("tokens" in row for row in log) else IMAGE_TITLES


def sparkline(values: Sequence[float], width: int) -> str:
    """Return one block for each value, or for the mean of neighbours if there are more than `width`."""
    if not values:
        return ""
    count = min(width, len(values))
    edges = [round(i * len(values) / count) for i in range(count + 1)]
    means = [sum(values[a:b]) / (b - a) for a, b in itertools.pairwise(edges)]
    low, span = min(means), max(means) - min(means)
    top = len(LEVELS) - 1
    return "".join(LEVELS[round(top * (mean - low) / span) if span else top // 2] for mean in means)


def as_text(log: Log, width: int = 40) -> str:
    """Return a line for each figure: its name, its course, first and last value."""
    lines: list[str] = []
    for name, title in titles_of(log).items():
        values = [row[name] for row in log if name in row]
        if values:
            lines.append(f"{title:<28} {sparkline(values, width)}  {values[0]:.3f} to {values[-1]:.3f}")
    return "\n".join(lines)


def save_png(log: Log, title: str, path: Path) -> bool:
    """Draw the loss and the other figures over epochs or tokens.

    Returns False if matplotlib (extra ``report``) is not installed.
    """
    try:
        # matplotlib comes with an extra; without it there is no picture
        from matplotlib.backends.backend_agg import FigureCanvasAgg
        from matplotlib.figure import Figure
    except ImportError:
        return False
    figure = Figure(figsize=(7, 3), layout="constrained")
    canvas = FigureCanvasAgg(figure)  # draws without a display
    left, right = figure.subplots(1, 2)
    titles = titles_of(log)
    across = "epoch" if titles is IMAGE_TITLES else "tokens"
    for name, label in titles.items():
        points = [(row[across], row[name]) for row in log if name in row and row[across] > 0]
        style = ":" if name == "accuracy" else "-"
        (left if name == "loss" else right).plot(*zip(*points, strict=True), style, color="black", label=label)
    left.set(xlabel=across, ylabel=titles["loss"], title=title)
    right.set(xlabel=across, ylabel=titles["held_out"])
    if across == "epoch":
        right.set(ylabel="accuracy", ylim=(0, 1))
        right.legend(frameon=False)
    else:
        left.set(xscale="log")
        right.set(xscale="log")
    buffer = io.BytesIO()
    canvas.print_png(buffer)
    write_whole(path, buffer.getvalue())
    return True
