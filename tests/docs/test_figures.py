"""Pages say how old their figures are: figures that rest on something else by now do not look fresh."""

from __future__ import annotations

import json
import re
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "bench"))

import figures  # noqa: E402


@pytest.mark.parametrize("name", figures.FIGURES)
def test_a_page_says_how_old_its_figures_are(name: str) -> None:
    assert figures.read_age(name) == figures.say_age(name), "run `make figures`"


@pytest.mark.parametrize("name", figures.FIGURES)
def test_figures_rest_on_something_that_is_there(name: str) -> None:
    state = figures.FIGURES[name].rests_on()
    assert state and all(state.values())


def test_a_version_that_was_raised_ages_the_figures(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    stamps = tmp_path / "figures.json"
    monkeypatch.setattr(figures, "STAMPS", stamps)
    now = figures.FIGURES["honesty"].rests_on()
    stamps.write_text(json.dumps({"honesty": {"made": "2026-12-01", "rests_on": now}}))
    assert "nothing that they rest on has changed" in figures.say_age("honesty")
    stamps.write_text(json.dumps({"honesty": {"made": "2026-12-01", "rests_on": now | {"metric cka": "other"}}}))
    assert re.search(r"since then metric cka changed: `.*make honesty`", figures.say_age("honesty"))


def test_every_table_of_intervals_stands_in_a_page_with_an_age() -> None:
    """Tables of figures without a command grow stale unseen."""
    interval = re.compile(r"^\|.*-?\d\.\d+ \[-?\d\.\d+, -?\d\.\d+\]", re.MULTILINE)
    dated = {figures.FIGURES[name].page for name in figures.FIGURES}
    pages = [
        path for path in (ROOT / "docs").rglob("*.md") if "_build" not in path.parts and "decisions" not in path.parts
    ]
    shown = {str(p.relative_to(ROOT)) for p in pages if interval.search(p.read_text("utf-8"))}
    included = {
        f"{Path(page).parent}/{name}"
        for page in dated
        for name in re.findall(r"\{include\} (\S+)", (ROOT / page).read_text("utf-8"))
    }
    assert shown <= dated | included
