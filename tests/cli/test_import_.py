"""``brainmark import``: scores of others come in."""

from __future__ import annotations

from pathlib import Path

import pytest
from typer.testing import CliRunner

from brainmark.cli import app as cli
from brainmark.cli import terminal
from brainmark.core import DataError
from brainmark.store.database import close_databases

runner = CliRunner()


def test_a_published_table_comes_in_with_its_source(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BRAINMARK_HOME", str(tmp_path / "home"))
    monkeypatch.delenv("BRAINMARK_STORE", raising=False)
    monkeypatch.setattr(terminal.out, "_width", 120)
    table = tmp_path / "table.csv"
    table.write_text("model,bench,score\nalexnet,V4-pls,0.4\ngabor,V4-pls,\n")
    asked = ["import", str(table), "--source", "Someone 2020", "-c", "benchmark=bench", "-c", "value=score"]
    ran = runner.invoke(cli.app, asked)
    assert ran.exit_code == 0, ran.output
    assert "1 score added, 1 row without a score left out" in " ".join(ran.output.split())
    assert "Someone 2020" in runner.invoke(cli.app, ["results"]).output
    with pytest.raises(DataError, match="say NAME=COLUMN"):
        runner.invoke(cli.app, [*asked, "-c", "score"], catch_exceptions=False)
    close_databases()
