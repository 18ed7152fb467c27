"""``brainmark list``: what is registered."""

from __future__ import annotations

import io
import json

import pytest
from rich.console import Console
from typer.testing import CliRunner

from brainmark.cli import app as cli
from brainmark.cli.list import NAME, REGISTRIES, make_listing, make_plain_listing, summarize
from brainmark.core import registry

runner = CliRunner()


@pytest.mark.parametrize("kind", ["models", "benchmarks", "datasets", "metrics"])
def test_list_names_all_that_is_registered(kind):
    result = runner.invoke(cli.app, ["list", kind, "--json"])
    assert result.exit_code == 0
    names = [row["name"] for row in json.loads(result.stdout)]
    assert names == list(REGISTRIES[kind])
    assert names
    assert runner.invoke(cli.app, ["list", kind]).stdout.count("\n") > len(names)


def test_list_filters_by_region():
    result = runner.invoke(cli.app, ["list", "benchmarks", "--region", "V4", "--json"])
    rows = json.loads(result.stdout)
    assert rows
    assert {row["region"] for row in rows} == {"V4"}


@pytest.mark.parametrize("kind", ["models", "benchmarks", "datasets", "metrics"])
@pytest.mark.parametrize("width", [72, 80, 110, 200])
def test_a_list_has_room_for_names_and_summaries_in_any_terminal(kind, width):
    entries = REGISTRIES[kind].entries()
    console = Console(width=width, file=io.StringIO())
    console.print(make_listing(kind, entries, width))
    head, _, *lines = console.file.getvalue().splitlines()[1:]
    assert max(map(len, [head, *lines])) <= width
    assert width - head.index("summary") >= 24
    for entry in (e for e in entries if len(e.name) <= NAME):
        (row,) = (line for line in lines if line.split(" ")[1] == entry.name)
        shown = row[head.index("summary") :].rstrip(" …")
        assert shown
        assert summarize(entry).startswith(shown)


def test_a_superseded_benchmark_says_what_counts_in_its_place():
    text = make_plain_listing("benchmarks", [registry.benchmarks["Geirhos2021.cue-conflict_3deg-top1"]])
    assert "Superseded by Geirhos2021.cue-conflict-top1. " in text


def test_a_list_that_a_program_reads_is_not_cut():
    lines = runner.invoke(cli.app, ["list", "models"]).stdout.splitlines()
    card = registry.models["gpt2"].card
    (row,) = (line.split() for line in lines if line.split()[:1] == ["gpt2"])
    assert row == ["gpt2", card.family, *", ".join(card.regions).split(), *card.summary.split()]
