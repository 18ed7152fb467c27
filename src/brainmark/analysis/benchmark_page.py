"""An HTML page about a benchmark: what was measured, in whom, samples of the stimuli, and the spread of the ceiling."""

from __future__ import annotations

import base64
import io
from collections.abc import Mapping
from typing import Any

from brainmark.analysis.bibtex import citations
from brainmark.analysis.pages import embed, render
from brainmark.analysis.style import CEILING, CEILING_SOFT, WIDTH, Figure, house_style
from brainmark.analysis.svg import Sheet
from brainmark.core.benchmark import Benchmark
from brainmark.core.libraries import Image, mpl_figure, np
from brainmark.core.stimuli import Stimuli

SAMPLES = 12
SIDE = 160  # pixels of a sample's longer side


def render_page(benchmark: Benchmark, facts: Mapping[str, Any]) -> str:
    """Return the page as text; it loads nothing from elsewhere.

    Parameters
    ----------
    facts : what else is known, by name, in the order of the page.
    """
    sheet = Sheet()
    figure = ceiling_figure(benchmark)
    label = f"Histogram of the ceiling of {benchmark.identifier} over its units"
    return render(
        "benchmark.html.j2",
        sheet,
        figure=embed(figure, "ceiling", label, sheet) if figure else None,
        name=benchmark.identifier,
        card=benchmark.card,
        facts=[(name, _describe(value)) for name, value in facts.items()],
        samples=samples(benchmark.experiment.stimuli),
        count=len(benchmark.experiment.stimuli),
        citations=citations([benchmark.card.cite]),
    )


def samples(stimuli: Stimuli, most: int = SAMPLES) -> list[tuple[str, str | None, str]]:
    """Return (stimulus_id, image as a data URL or None, text) of stimuli spread evenly over the set."""
    positions = np.unique(np.linspace(0, len(stimuli) - 1, min(most, len(stimuli))).round().astype(int))
    made: list[tuple[str, str | None, str]] = []
    for position in positions:
        name, medium = str(stimuli.ids[position]), stimuli.media[int(position)]
        if isinstance(medium, np.ndarray) and stimuli.modality == "image":
            made.append((name, _encode_image(medium), ""))
        elif isinstance(medium, str):
            made.append((name, None, medium))
        else:
            made.append((name, None, f"{stimuli.modality}, {getattr(medium, 'shape', '')}"))
    return made


def _encode_image(pixels: np.ndarray) -> str:
    small: Image.Image = Image.fromarray(pixels)
    small.thumbnail((SIDE, SIDE))
    buffer = io.BytesIO()
    small.save(buffer, "PNG", optimize=True)
    return f"data:image/png;base64,{base64.b64encode(buffer.getvalue()).decode()}"


def ceiling_figure(benchmark: Benchmark) -> Figure | None:
    """Draw how the ceiling is spread over its units; None where there is one unit, or no ceiling."""
    ceiling = benchmark.ceiling_comparison
    if ceiling is None:
        return None
    values = np.asarray(ceiling.values.values, float).ravel()
    values = values[np.isfinite(values)]
    if len(values) < 2:
        return None
    with house_style():
        figure = mpl_figure.Figure(figsize=(WIDTH, 2.4))
        axes = figure.add_axes((0.08, 0.22, 0.9, 0.72))
        axes.hist(values, bins=min(30, max(5, len(values) // 3)), color=CEILING_SOFT, edgecolor=CEILING, linewidth=0.7)
        axes.axvline(ceiling.aggregate(), color=CEILING, linewidth=1.4)
        axes.set_xlabel(f"ceiling, per {ceiling.unit}")
        axes.set_ylabel(f"{ceiling.unit}s")
        for side in ("top", "right"):
            axes.spines[side].set_visible(False)
    return figure


def _describe(value: Any) -> str:
    if isinstance(value, list | tuple):
        return ", ".join(map(str, value))  # pyright: ignore[reportUnknownArgumentType]
    return f"{value:.3f}" if isinstance(value, float) else str(value)
