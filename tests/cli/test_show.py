"""What `brainmark show` says and draws of a benchmark."""

from __future__ import annotations

import io
import json
import re
from dataclasses import replace

import numpy as np
import pytest
import xarray as xr
from rich.console import Console
from typer.testing import CliRunner

from brainmark.analysis.benchmark_page import ceiling_figure, render_page, samples
from brainmark.cli import app as cli
from brainmark.cli.fetch import make_file_table
from brainmark.cli.list import NAME, REGISTRIES, make_listing
from brainmark.cli.show import describe_spread, draw_histogram
from brainmark.cli.tables import make_leaderboard
from brainmark.core import (
    Benchmark,
    BenchmarkCard,
    Comparison,
    ControlScore,
    Experiment,
    Failure,
    Record,
    Score,
    Setting,
    Stamp,
    Stimuli,
    registry,
)

runner = CliRunner()
CITE = "@article{a, title = {On <cells>}, year = {2000}}"


def benchmark(units: int = 40, modality: str = "image") -> Benchmark:
    import pandas as pd

    ids = [f"s{i}" for i in range(30)]
    table = pd.DataFrame({"text": [f"word {i}" for i in range(30)]}, index=pd.Index(ids, name="stimulus_id"))
    generator = np.random.default_rng(0)
    media = tuple(generator.integers(0, 255, (200, 300, 3), dtype=np.uint8) for _ in ids)
    stimuli = Stimuli("set", modality, table, media if modality == "image" else ())  # pyright: ignore[reportArgumentType]
    target = xr.DataArray(
        generator.standard_normal((30, units)), dims=("presentation", "neuroid"),
        coords={
            "stimulus_id": ("presentation", ids), "neuroid_id": ("neuroid", [f"n{i}" for i in range(units)]),
            "region": ("neuroid", ["V4"] * units),
        },
    )  # fmt: skip
    card = BenchmarkCard(
        summary="Cells & images.", licence="CC0", cite=CITE, parent="V4", domain="vision", species=("macaque",),
        region="V4", metric="pls", datasets=("A",), visibility="private", version=3,
    )  # fmt: skip
    top = Comparison(xr.DataArray(np.linspace(0.2, 0.9, units), dims="neuroid"))
    experiment = Experiment(stimuli, Record("V4"), Setting(degrees=8))
    return Benchmark("A2001.V4-pls", card, experiment, target, lambda p, _: top, ceiling=lambda _: top)


def test_a_histogram_counts_from_least_to_greatest():
    assert draw_histogram([0, 0, 0, 0, 1, 3, 3], bins=4) == "█▂ ▄"
    assert draw_histogram([2.0, 2.0], bins=3).strip() == "█"


def test_the_spread_of_a_ceiling_leaves_out_what_is_undefined():
    values = xr.DataArray([np.nan, 0.2, 0.4, 0.6], dims="neuroid")
    spread = describe_spread(Comparison(values))
    assert spread["ceiling over"] == "3 neuroids, quartiles 0.300, 0.400, 0.500"
    assert spread["ceiling spread"].startswith("0.20 ")
    assert describe_spread(Comparison(xr.DataArray([0.7], dims="subject"))) == {}


def test_the_page_shows_stimuli_ceiling_and_card_and_loads_nothing():
    page = render_page(benchmark(), {"chance": 0.0, "controls": ["pixels", "shuffled"]})
    assert page.count("data:image/png;base64,") == 12
    assert "<svg" in page
    assert "3, private" in page
    assert "pixels, shuffled" in page
    assert "Cells &amp; images." in page
    assert not re.findall(r"(?:src|href)=\"(?!data:|#|https://doi)[^\"]+", page)


def test_samples_are_spread_over_the_set_and_small():
    import base64
    import io

    from PIL import Image

    shown = samples(benchmark().experiment.stimuli, 4)
    assert [name for name, _, _ in shown] == ["s0", "s10", "s19", "s29"]
    url = shown[0][1] or ""
    assert max(Image.open(io.BytesIO(base64.b64decode(url.partition(",")[2]))).size) == 160
    assert samples(benchmark(modality="text").experiment.stimuli, 2)[1] == ("s29", None, "word 29")


def test_one_unit_has_no_figure():
    assert ceiling_figure(benchmark(units=1)) is None
    assert "no spread to show" in render_page(benchmark(units=1), {})


def test_show_says_place_and_chance_and_refuses_a_page_of_a_metric(tmp_path):
    shown = json.loads(runner.invoke(cli.app, ["show", "DeValois1982.V1-orientation", "--json"]).stdout)
    assert shown["facts"]["stands under"] == "average_vision / neural_vision / V1 / DeValois1982"
    assert "chance" in shown["facts"]
    refused = runner.invoke(cli.app, ["show", "pixels", "--html", str(tmp_path / "page.html")])
    assert "pages are made of benchmarks" in str(refused.exception)


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

    registry.discover()
    monkeypatch.setattr(registry.benchmarks, "_entries", dict(registry.benchmarks._entries))
    registry.benchmarks.add("A2001.V4-pls", card=benchmark().card.model_copy(update={"datasets": ("Simulated.IT",)}))(
        lambda: replace(benchmark(), ceiling=ceiling)
    )
    done = runner.invoke(cli.app, ["show", "A2001.V4-pls", "--html", str(tmp_path / "page.html")])
    assert done.exit_code == 0, done.output
    assert "quartiles" in done.stdout
    assert len(asked) == 1


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
        assert entry.card.summary.startswith(shown)


def test_a_list_that_a_program_reads_is_not_cut():
    lines = runner.invoke(cli.app, ["list", "models"]).stdout.splitlines()
    card = registry.models["gpt2"].card
    (row,) = (line.split() for line in lines if line.split()[:1] == ["gpt2"])
    assert row == ["gpt2", card.family, *", ".join(card.regions).split(), *card.summary.split()]


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


def a_score(subject: str, benchmark: str, seconds: float) -> Score:
    stamp = Stamp("2026-01-01", "1.0", None, "c0de", "3.11", {}, {}, "e", "t", "m", 0, seconds, 10**9, "shipped")
    controls = {"pixels": ControlScore(0.291, 0.262)}
    return Score(benchmark, subject, 0.5, 0.45, 0.9, (0.4, 0.6), None, (0.85, 0.95), controls=controls, stamp=stamp)


@pytest.mark.parametrize(("width", "shown"), [(120, "ceiling time"), (84, "time"), (68, "")])
def test_a_leaderboard_leaves_out_columns_before_it_cuts_one(width, shown):
    outcomes = [
        a_score("resnet-50_v1:random=3", "Ringach2002.V1.summary-modulation_ratio", 3000.0),
        a_score("gabor", "Simulated.IT-ridge", 0.2),
        Failure("Simulated.IT-ridge", "hmax", "not_applicable", "hmax: no layer"),
    ]
    console = Console(width=width, file=io.StringIO())
    console.print(make_leaderboard(outcomes, width))
    text = console.file.getvalue()  # pyright: ignore[reportAttributeAccessIssue]
    assert max(map(len, text.splitlines())) <= width
    for whole in ("resnet-50_v1:random=3", "0.400 – 0.600", "pixels 0.291", "0.900 (0.85–0.95)"):
        assert whole in " ".join(text.split())
    heads = [line.split() for line in text.splitlines() if line.startswith(" model")]
    assert [("ceiling" in h, "time" in h) for h in heads] == [("ceiling" in shown, "time" in shown)] * 2
    assert ("50 min 0 s" in text) == ("time" in shown)
    assert " ".join(text.split()).endswith("hmax: no layer (Simulated.IT-ridge)")
