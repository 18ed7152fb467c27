"""What `brainmark show` says and draws of a benchmark."""

from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pytest
import xarray as xr
from typer.testing import CliRunner

from brainmark.cli import app as cli
from brainmark.cli.show import describe_spread, draw_histogram, show
from brainmark.core import (
    Comparison,
    registry,
)
from brainmark.core.errors import DataError, UnknownName

runner = CliRunner()
CITE = "@article{a, title = {On <cells>}, year = {2000}}"


def test_a_histogram_counts_from_least_to_greatest():
    assert draw_histogram([0, 0, 0, 0, 1, 3, 3], bins=4) == "█▂ ▄"
    assert draw_histogram([2.0, 2.0], bins=3).strip() == "█"


def test_the_spread_of_a_ceiling_leaves_out_what_is_undefined():
    values = xr.DataArray([np.nan, 0.2, 0.4, 0.6], dims="neuroid")
    spread = describe_spread(Comparison(values))
    assert spread["ceiling over"] == "3 neuroids, quartiles 0.300, 0.400, 0.500"
    assert spread["ceiling spread"].startswith("0.20 ")
    assert describe_spread(Comparison(xr.DataArray([0.7], dims="subject"))) == {}


def test_show_says_place_and_chance_and_refuses_a_page_of_a_metric(tmp_path):
    shown = json.loads(runner.invoke(cli.app, ["show", "DeValois1982.V1-orientation", "--json"]).stdout)
    assert shown["facts"]["stands under"] == "average_vision / neural_vision / V1 / DeValois1982"
    assert "chance" in shown["facts"]
    refused = runner.invoke(cli.app, ["show", "pixels", "--html", str(tmp_path / "page.html")])
    assert "pages are made of benchmarks" in str(refused.exception)


@pytest.mark.parametrize(
    ("name", "ceiling"), [("ridge", "split half, of data with several repetitions"), ("accuracy", "")]
)
def test_show_says_ceiling_and_chance_of_a_metric(name, ceiling):
    text = runner.invoke(cli.app, ["show", name]).stdout
    assert text.count("ceiling ") == text.count("chance ") == 1
    assert ceiling in " ".join(text.split())


@pytest.mark.parametrize("name", ["DeValois1982.V1-orientation"])
def test_show_writes_a_page(name, tmp_path):
    path = tmp_path / "page.html"
    done = runner.invoke(cli.app, ["show", name, "--html", str(path)])
    assert done.exit_code == 0, done.output
    assert f"<h1>{name}" in path.read_text(encoding="utf-8")


def test_show_with_a_page_computes_the_ceiling_once(monkeypatch, tmp_path):
    asked = []

    def ceiling(_):
        asked.append(1)
        return Comparison(xr.DataArray(np.linspace(0.2, 0.9, 40), dims="neuroid"))

    entry = registry.benchmarks["Simulated.IT-ridge"]
    loaded = replace(entry.load(), ceiling=ceiling)
    monkeypatch.setattr(registry.benchmarks, "_entries", dict(registry.benchmarks._entries))
    registry.benchmarks.add("A2001.V4-pls", card=entry.card)(lambda: loaded)
    done = runner.invoke(cli.app, ["show", "A2001.V4-pls", "--html", str(tmp_path / "page.html")])
    assert done.exit_code == 0, done.output
    assert "quartiles" in done.stdout
    assert len(asked) == 1


def test_show_tells_what_was_measured_and_the_ceiling():
    result = runner.invoke(cli.app, ["show", "Simulated.IT-ridge", "--json"])
    shown = json.loads(result.stdout)
    assert shown["kind"] == "benchmark"
    assert shown["facts"]["stimuli"].startswith("480 ")
    assert 0.7 < shown["facts"]["ceiling"] < 1
    text = runner.invoke(cli.app, ["show", "Simulated.IT-ridge"]).stdout
    assert "480 presentations" in text


@pytest.mark.parametrize(
    ("name", "error", "message"),
    [
        ("Cowley2023.V4", UnknownName, "did you mean 'Cowley2023.V4"),
        ("Cowley2023.V4-plz", UnknownName, "did you mean 'Cowley2023.V4-pls'"),
        ("./nope", DataError, "there is no such folder: ./nope"),
    ],
)
def test_an_unknown_name_gets_a_suggestion_from_all_that_is_registered(name, error, message):
    with pytest.raises(error, match=message):
        show(name)
