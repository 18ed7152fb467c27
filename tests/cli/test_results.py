"""``brainmark results``: what is kept, as a table, a history or a file."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from typer.testing import CliRunner

from brainmark.cli import app as cli
from brainmark.cli import terminal
from brainmark.core import DataError, Score
from brainmark.core.score import Failure
from brainmark.store.database import close_databases
from brainmark.store.results import ResultStore

runner = CliRunner()


@pytest.fixture(autouse=True)
def filled(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setenv("BRAINMARK_HOME", str(tmp_path / "home"))
    monkeypatch.delenv("BRAINMARK_STORE", raising=False)
    monkeypatch.setattr(terminal.out, "_width", 120)
    store = ResultStore.open()
    score = Score("X2026.V4-ridge", "gabor", 0.512, 0.4, 0.8, (0.401, 0.623))
    store.put({"code": "1"}, score)
    store.put({"code": "2"}, replace(score, value=0.55))
    store.put({"code": "2"}, replace(score, subject="hmax", value=0.7, interval=None))
    store.put({"code": "2"}, Failure("X2026.V4-ridge", "gpt", "not_applicable", "it has no eyes"))
    store.put({}, replace(score, benchmark="Y2020.IT-pls"), source="Someone 2020")
    yield
    close_databases()


def show(*words: str) -> str:
    ran = runner.invoke(cli.app, ["results", *words])
    assert ran.exit_code == 0, ran.output
    return ran.output


def test_the_table_shows_the_newest_of_each() -> None:
    text = show()
    lines = [line.split() for line in text.splitlines() if line.strip()]
    assert ["X2026.V4-ridge"] in lines and ["Y2020.IT-pls"] in lines
    gabor = next(line for line in lines if line[0] == "gabor")
    assert gabor[1:6] == ["0.550", "0.401", "–", "0.623", "0.800"]
    assert [line[0] for line in lines if line[0] in ("gabor", "hmax", "gpt")][:3] == ["hmax", "gabor", "gpt"]
    assert "n/a" in text and "Someone 2020" in text


def test_filters_and_json() -> None:
    rows = json.loads(show("g*", "-b", "X*", "--json"))
    assert [(row["model"], row["status"], row["reason"]) for row in rows] == [
        ("gabor", "scored", None), ("gpt", "not_applicable", "it has no eyes"),
    ]  # fmt: skip
    assert [row["model"] for row in json.loads(show("--source", "Someone*", "--json"))] == ["gabor"]
    assert "no such outcome" in show("--status", "failed")


def test_a_history_says_what_changed() -> None:
    text = show("gabor", "-b", "X2026.V4-ridge", "--history")
    assert "0.512" in text and "0.550" in text and "code was 1, now 2" in text
    with pytest.raises(DataError, match="a history is of one model on one benchmark"):
        runner.invoke(cli.app, ["results", "gabor", "--history"], catch_exceptions=False)


def test_a_file_is_written(tmp_path: Path) -> None:
    show("--write", str(tmp_path / "all.csv"))
    assert len((tmp_path / "all.csv").read_text().splitlines()) == 1 + 4
