"""The style of figures (colours, sizes and fonts), independent of the settings of the user."""

from __future__ import annotations

from collections.abc import Generator
from contextlib import contextmanager
from typing import Any, TypeAlias

from brainmark.core.libraries import mpl, mpl_axes, mpl_figure

Axes: TypeAlias = "mpl_axes.Axes"
Figure: TypeAlias = "mpl_figure.Figure"

# Okabe & Ito's hues, which people with any colour vision tell apart; text and lines keep 4.5:1 on white.
INK = "#1b1f24"
MUTED = "#59616b"
GRID = "#dde2e8"
MODEL = "#0072b2"
MODEL_SOFT = "#c6dff0"
CONTROL = "#b84a00"
CEILING = "#00785a"
CEILING_SOFT = "#d3ede3"
PAPER = "#fefefe"

STYLE: dict[Any, Any] = {
    "font.size": 8.5,
    "axes.labelsize": 8.5,
    "axes.edgecolor": MUTED,
    "axes.labelcolor": INK,
    "axes.linewidth": 0.6,
    "text.color": INK,
    "text.parse_math": False,
    "axes.formatter.use_mathtext": False,
    "xtick.color": MUTED,
    "ytick.color": INK,
    "xtick.labelsize": 8,
    "ytick.labelsize": 8.5,
    "xtick.major.size": 2.5,
    "ytick.major.size": 0,
    "legend.frameon": False,
    "legend.fontsize": 8,
    "legend.handlelength": 1.6,
    "svg.fonttype": "none",
    "svg.hashsalt": "brainmark",
}

WIDTH = 7.5  # inches


@contextmanager
def house_style() -> Generator[None]:
    """Draw with our settings alone, whatever the user's matplotlibrc says; afterwards theirs are back."""
    with mpl.rc_context():
        mpl.rcdefaults()
        mpl.rcParams.update(STYLE)
        yield
