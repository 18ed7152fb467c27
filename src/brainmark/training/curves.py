"""Curves of a training: as lines of text, and as a picture."""

from __future__ import annotations

import io
import itertools
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from brainmark.data.writing import write_whole

LEVELS = "▁▂▃▄▅▆▇█"
ROWS = {"loss": "loss", "accuracy": "accuracy on batches", "held_out": "accuracy on held-out images"}
TEXT_ROWS = {"loss": "bits a token on batches", "held_out": "bits a character, held out"}
Log = Sequence[Mapping[str, float]]


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


def as_text(log: Log, width: int = 40, rows: Mapping[str, str] = ROWS) -> str:
    """Return a line for each figure: its name, its course, first and last value."""
    lines: list[str] = []
    for name, title in rows.items():
        values = [row[name] for row in log if name in row]
        if values:
            lines.append(f"{title:<28} {sparkline(values, width)}  {values[0]:.3f} to {values[-1]:.3f}")
    return "\n".join(lines)


def save_png(log: Log, title: str, path: Path) -> bool:
    """Draw loss and accuracies over epochs; False if matplotlib (extra ``report``) is not installed."""
    if (panels := _panels()) is None:
        return False
    figure, left, right = panels
    epochs = [row["epoch"] for row in log]
    left.plot(epochs, [row["loss"] for row in log], color="black")
    left.set(xlabel="epoch", ylabel="loss", title=title)
    for name, style in (("accuracy", ":"), ("held_out", "-")):
        right.plot(epochs, [row[name] for row in log], style, color="black", label=ROWS[name])
    right.set(xlabel="epoch", ylabel="accuracy", ylim=(0, 1))
    right.legend(frameon=False)
    _write(figure, path)
    return True


def save_text_png(log: Log, title: str, path: Path) -> bool:
    """Draw the losses of a language model over tokens; False if matplotlib (extra ``report``) is not installed."""
    if (panels := _panels()) is None:
        return False
    figure, left, right = panels
    for axes, (name, label) in zip((left, right), TEXT_ROWS.items(), strict=True):
        rows = [row for row in log if name in row and row["tokens"] > 0]
        axes.plot([row["tokens"] for row in rows], [row[name] for row in rows], "o-", color="black", markersize=3)
        axes.set(xlabel="tokens", ylabel=label, xscale="log")
    left.set_title(title)
    _write(figure, path)
    return True


def _panels() -> tuple[Any, Any, Any] | None:
    """Return a figure, to be drawn without a display, and its two panels; None without matplotlib."""
    try:
        from matplotlib.backends.backend_agg import FigureCanvasAgg
        from matplotlib.figure import Figure
    except ImportError:
        return None
    figure = Figure(figsize=(7, 3), layout="constrained")
    FigureCanvasAgg(figure)
    left, right = figure.subplots(1, 2)
    return figure, left, right


def _write(figure: Any, path: Path) -> None:
    buffer = io.BytesIO()
    figure.canvas.print_png(buffer)
    write_whole(path, buffer.getvalue())
