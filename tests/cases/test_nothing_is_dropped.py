"""What was asked for stands in tables, lists and the exit code, also where there is no score of it.

Guards against tables without the packaged data that were scored (a header, and exit code 0), against benchmarks that
are left out because they have no score, and against exit code 0 where nothing was scored at all.
"""

from __future__ import annotations

import csv
import io
import json

import pytest
from rich.console import Console
from typer.testing import CliRunner

from brainmark.analysis.table import make_csv, make_markdown
from brainmark.cli import app as cli
from brainmark.cli.score import find_exit_code
from brainmark.cli.tables import make_leaderboard
from brainmark.core.score import Failure, Score
from brainmark.core.tree import study

runner = CliRunner()
PACKAGED = "./labs/Mine:V4-ridge"
SCORE = Score(PACKAGED, "gabor", 0.5, 0.4, 0.8, None)


def missing(kind: str, benchmark: str = "A2001.V4-a", model: str = "gabor") -> Failure:
    return Failure(benchmark, model, kind, f"because it is {kind}")  # pyright: ignore[reportArgumentType]


@pytest.mark.parametrize(
    ("outcomes", "code"),
    [
        ([SCORE], 0),
        ([], 0),
        ([SCORE, missing("not_applicable")], 3),
        ([missing("not_applicable")], 3),
        ([SCORE, missing("not_run")], 3),
        ([missing("not_run"), missing("not_applicable")], 3),
        ([SCORE, missing("model")], 1),
        ([missing("not_applicable"), missing("no_data")], 1),
        ([missing("contract"), missing("not_run"), SCORE], 1),
    ],
)
def test_the_exit_code_tells_whether_all_was_scored(outcomes: list[Score | Failure], code: int) -> None:
    assert find_exit_code(outcomes) == code


def test_benchmarks_without_a_card_are_in_the_table(make_card) -> None:
    outcomes = [SCORE, missing("not_run"), missing("model", PACKAGED, "pixels")]
    for cards in ({}, {PACKAGED: make_card("benchmark")}):
        rows = list(csv.DictReader(io.StringIO(make_csv([], outcomes, cards))))
        mine = {row["model"]: row for row in rows if row["place"].endswith(PACKAGED)}
        assert mine["gabor"]["value"] == "0.5"
        assert mine["pixels"]["missing"] == "failed (model)"
        assert next(r["missing"] for r in rows if r["place"].endswith("A2001.V4-a")) == "not run"
        text = make_markdown([], outcomes, cards)
        assert PACKAGED in text and "A2001.V4-a" in text


def test_a_superseded_benchmark_that_was_scored_is_in_the_table(make_card) -> None:
    cards = {"A2001.V4-a": make_card("benchmark"), "A2001.V4-old": make_card("benchmark", superseded_by="A2001.V4-a")}
    score = Score("A2001.V4-old", "gabor", 0.25, 0.2, 0.8, None)
    rows = list(csv.DictReader(io.StringIO(make_csv([], [score], cards))))
    assert [r["value"] for r in rows if r["place"].endswith("A2001.V4-old")] == ["0.25"]
    assert "0.250" in make_markdown([], [score], cards)


def test_packaged_data_have_their_path_as_study() -> None:
    assert study(PACKAGED) == "./labs/Mine"
    assert study("../b.1/set:IT-pls") == "../b.1/set"


@pytest.fixture
def home(monkeypatch, tmp_path):
    monkeypatch.setenv("BRAINMARK_HOME", str(tmp_path / "home"))
    return tmp_path


def test_what_is_not_remembered_stands_in_all_that_is_written(home) -> None:
    place = home / "all.csv"
    words = ["score", "pixels", "gabor", "-b", "Simulated.IT-ridge", "-b", "DeValois1982", "--finished"]
    done = runner.invoke(cli.app, [*words, "--table", str(place)])
    assert done.exit_code == 3, done.output
    rows = list(csv.DictReader(io.StringIO(place.read_text())))
    assert {r["model"] for r in rows} == {"pixels", "gabor"}
    assert [r["missing"] for r in rows if r["place"].endswith("Simulated.IT-ridge")] == ["not run", "not run"]
    assert sum("DeValois1982.V1" in r["place"] and r["missing"] == "not run" for r in rows) >= 2
    told = json.loads(runner.invoke(cli.app, [*words, "--json"]).stdout)
    assert {r["failure"] for r in told if "benchmark" in r} == {"not_run"}


def printed(outcomes: list[Score | Failure], width: int) -> str:
    console = Console(width=width, record=True, file=io.StringIO())
    console.print(make_leaderboard(outcomes, width))
    return console.export_text()


@pytest.mark.parametrize("width", [80, 120])
def test_one_model_on_many_benchmarks_is_one_table(width: int) -> None:
    names = [f"A2001.V4-m{k}" for k in range(6)]
    outcomes = [Score(name, "gabor", 0.1 * k, 0.1, 0.9, (0.0, 0.8)) for k, name in enumerate(names)]
    text = printed([*outcomes, missing("not_applicable", "B2002.IT-x")], width)
    assert text.count("95 % interval") == 1
    assert all(name in text for name in [*names, "B2002.IT-x"])
    assert "n/a" in text and "0.500" in text
    assert printed([*outcomes, Score(names[0], "hmax", 0.1, 0.1, 0.9, None)], width).count("95 % interval") == 6
