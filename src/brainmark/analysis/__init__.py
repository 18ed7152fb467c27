"""Relating scores to one another: reports and figures."""

from __future__ import annotations

from typing import TYPE_CHECKING

from brainmark.core.lazy import attach

if TYPE_CHECKING:
    from brainmark.analysis.figures import score_figure, unit_figure
    from brainmark.analysis.report import render_report, write_report

_HOMES = {"figures": "score_figure unit_figure", "report": "render_report write_report"}
__getattr__, __dir__, __all__ = attach(__name__, _HOMES)
