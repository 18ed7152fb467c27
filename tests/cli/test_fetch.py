"""``brainmark fetch``: where the files of data sets are."""

from __future__ import annotations

import io
import json

import pytest
from rich.console import Console
from typer.testing import CliRunner

from brainmark.cli import app as cli
from brainmark.cli.fetch import make_file_table
from brainmark.core import registry

runner = CliRunner()


def test_fetch_list_says_where_each_dataset_is():
    rows = json.loads(runner.invoke(cli.app, ["fetch", "--list", "--json"]).stdout)
    by_name = {row["dataset"]: row for row in rows}
    assert set(by_name) == set(registry.datasets)
    assert by_name["Simulated.IT"]["states"] == ["simulated"]
    assert by_name["Cowley2023.210325"]["size"] > 4_000_000


@pytest.mark.parametrize("width", [80, 120])
def test_the_list_of_files_shows_sizes_whole(width):
    row = {"dataset": "Geirhos2021_power-equalisation", "states": ["missing"], "files": 3, "size": None}
    rows = [{**row, "licence": "not stated; see the publication"}, {**row, "size": 3_465_488, "licence": "MIT"}]
    console = Console(width=width, file=io.StringIO())
    console.print(make_file_table(rows))
    text = console.file.getvalue()
    assert "unknown" in text
    assert "3.5 MB" in text
    assert "…" not in text
