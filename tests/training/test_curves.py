"""Curves as text and as a picture."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest
from PIL import Image

from brainmark.training.curves import LEVELS, as_text, save_png, sparkline

LOG = [{"epoch": i + 1, "loss": 2.0 - 0.1 * i, "accuracy": 0.1 * i, "held_out": 0.08 * i} for i in range(9)]


def test_a_rising_line_rises_to_the_top() -> None:
    assert sparkline([0, 1, 2, 3, 4, 5, 6, 7], 20) == "▁▂▃▄▅▆▇█"
    assert sparkline([7.0, 0.0], 20) == "█▁"


def test_many_values_are_averaged_to_the_width() -> None:
    assert len(sparkline(list(range(1000)), 30)) == 30
    assert sparkline([0, 2, 5, 7], 2) == "▁█"


def test_constant_and_empty_lines() -> None:
    assert sparkline([3, 3, 3], 10) == "▄▄▄"
    assert sparkline([], 10) == ""
    assert as_text([]) == ""


def test_each_figure_has_a_line_with_both_ends() -> None:
    lines = as_text(LOG, 20).splitlines()
    assert [line.split("  ")[-1] for line in lines] == ["2.000 to 1.200", "0.000 to 0.800", "0.000 to 0.640"]
    assert lines[0].startswith("loss")


def test_the_picture_is_one(tmp_path: Path) -> None:
    path = tmp_path / "curves.png"
    assert save_png(LOG, "toy", path)
    with Image.open(path) as image:
        assert image.size == (700, 300)


def test_without_matplotlib_there_is_no_picture(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "matplotlib.backends.backend_agg", None)
    assert not save_png(LOG, "toy", tmp_path / "curves.png")
    assert not (tmp_path / "curves.png").exists()


TEXT_LOG = [
    {"step": 0, "tokens": 0, "held_out": 4.0, "seconds": 1.0},
    {"step": 1, "tokens": 64, "held_out": 3.5, "loss": 9.0, "seconds": 1.0},
    {"step": 2, "tokens": 128, "held_out": 3.0, "loss": 8.0, "seconds": 1.0},
]


def test_curves_of_a_language_model(tmp_path: Path) -> None:
    loss, held_out = as_text(TEXT_LOG, 20).splitlines()
    assert loss.startswith("bits a token")
    assert loss.endswith("9.000 to 8.000")
    assert held_out.endswith("4.000 to 3.000")
    assert save_png(TEXT_LOG, "toy", tmp_path / "curves.png")
    assert (tmp_path / "curves.png").read_bytes().startswith(b"\x89PNG")


def test_a_long_course_is_shown_to_its_end() -> None:
    assert sparkline([0.0] * 6 + [1.0] * 6, 4) == "▁▁██"
    assert sparkline([float(k) for k in range(16)], 8) == LEVELS
    assert sparkline([0.0, 0.0, 0.0, 0.0, 7.0], 2)[1] == "█"
