"""``brainmark relate``: scores against each other, from files and from models that are scored."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from typer.testing import CliRunner

from brainmark.cli import app as cli
from brainmark.core import DataError, InvalidMeasurement, InvalidModel, Score, UnknownName

runner = CliRunner()


@pytest.fixture
def scores(tmp_path: Path) -> Path:
    """Twelve models of three families; y follows x, z does not."""
    generator = np.random.default_rng(0)
    x = np.linspace(0, 1, 12)
    table = pd.DataFrame({
        "model": [f"m{i}" for i in range(12)],
        "family": [f"f{i % 3}" for i in range(12)],
        "x": x,
        "y": -x + 0.05 * generator.standard_normal(12),
        "z": generator.permutation(x),
    })  # fmt: skip
    path = tmp_path / "scores.csv"
    table.to_csv(path, index=False)
    return path


def test_a_file_of_scores_is_related(scores: Path, tmp_path: Path) -> None:
    figure, points = tmp_path / "relation.html", tmp_path / "points.csv"
    words = ["relate", "--table", str(scores), "--with", "x", "-b", "y", "-b", "z"]
    result = runner.invoke(cli.app, [*words, "--figure", str(figure), "--csv", str(points)])
    assert result.exit_code == 0, result.output
    assert "-0.99" in result.stdout
    assert "<svg" in figure.read_text()
    with points.open() as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == 24
    assert {row["family"] for row in rows} == {"f0", "f1", "f2"}


def test_json_holds_every_relation(scores: Path) -> None:
    result = runner.invoke(cli.app, ["relate", "--table", str(scores), "--with", "x", "-b", "[yz]", "--json"])
    plain = json.loads(result.stdout)
    assert [(one["x"], one["y"], one["n"]) for one in plain] == [("x", "y", 12), ("x", "z", 12)]
    assert plain[0]["r"] < -0.95
    assert plain[0]["q"] == pytest.approx(2 * plain[0]["p"])


def test_families_are_tested_as_a_whole(scores: Path) -> None:
    words = ["relate", "--table", str(scores), "--with", "x", "-b", "y", "--json"]
    alone, together = (json.loads(runner.invoke(cli.app, [*words, *more]).stdout)[0] for more in ([], ["--by-family"]))
    assert alone["p"] < 1e-6
    assert together["p"] >= 0.25  # of three families nothing better can be said


def test_task_scores_by_category(scores: Path, tmp_path: Path) -> None:
    tasks = tmp_path / "tasks.csv"
    table = pd.read_csv(scores)
    rows = [
        {"model": model, "task": task, "category": kind, "score": value + shift}
        for kind, column in (("knows", "y"), ("speaks", "z"))
        for task, shift in ((f"{kind}1", 0.0), (f"{kind}2", 3.0))
        for model, value in zip(table["model"], table[column], strict=True)
    ]
    pd.DataFrame(rows).to_csv(tasks, index=False)
    words = ["relate", "--table", str(scores), "-b", "x", "--tasks", str(tasks), "--method", "spearman", "--json"]
    result = runner.invoke(cli.app, [*words, "--correction", "holm"])
    assert result.exit_code == 0, result.output
    found = {one["x"]: one for one in json.loads(result.stdout)}
    assert list(found) == ["overall", "knows", "speaks"]
    assert found["knows"]["r"] < -0.9
    assert abs(found["speaks"]["r"]) < 0.6


def test_models_are_scored_and_related(monkeypatch: pytest.MonkeyPatch) -> None:
    """Scoring itself is replaced: which models and benchmarks are scored, and what is made of details."""
    asked: list[object] = []

    def scored(models: list[str], benchmarks: list[str], **_: object) -> list[Score]:
        asked.extend((models, benchmarks))
        bits = {model: 3.0 - 0.1 * i for i, model in enumerate(models)}
        return [
            Score(
                b, m, -bits[m] + (0.1 if "N400" in b else 0), 0.0, None, None, details={"bits per character": bits[m]}
            )
            for m in models
            for b in benchmarks
        ]

    monkeypatch.setattr("brainmark.cli.relate.score_and_show", scored)
    words = ["relate", "ngram-*", "word-frequency", "--with", "Wikitext-probability:bits per character"]
    words += ["-b", "Frank2015.N400-correlation", "-b", "Frank2015.P600-*tion"]
    result = runner.invoke(cli.app, [*words, "--json"])
    assert result.exit_code == 0, result.output
    wanted = ["Wikitext-probability", "Frank2015.N400-correlation", "Frank2015.P600-correlation"]
    assert asked == [["ngram-2", "ngram-3", "ngram-4", "ngram-5", "word-frequency"], wanted]
    plain = json.loads(result.stdout)
    assert [(one["y"], round(one["r"], 6)) for one in plain] == [(name, -1) for name in wanted[1:]]


@pytest.mark.parametrize(
    ("words", "error", "reason"),
    [
        (["-b", "y", "--with", "x"], InvalidModel, "name the models whose scores are related"),
        (["m", "--table", "TABLE", "-b", "y", "--with", "x"], InvalidModel, "give one of the two"),
        (["--table", "TABLE", "-b", "y"], InvalidModel, "related to"),
        (["--table", "TABLE", "--with", "x"], InvalidModel, "name the benchmarks to relate"),
        (["--table", "TABLE", "-b", "y", "--with", "w"], UnknownName, "unknown column 'w'"),
        (["--table", "TABLE", "-b", "y", "--with", "x", "--method", "kendall"], UnknownName, "pearson or spearman"),
        (["--table", "TABLE", "-b", "y", "--with", "x", "--correction", "none"], UnknownName, "fdr or holm"),
        (["--table", "no.csv", "-b", "y", "--with", "x"], DataError, "cannot be read"),
        (["--table", "SHORT", "-b", "y", "--with", "x"], InvalidMeasurement, "2 models have both"),
    ],
)
def test_wrong_words_are_explained(
    words: list[str], error: type[Exception], reason: str, scores: Path, tmp_path: Path
) -> None:
    short = tmp_path / "short.csv"
    short.write_text("model,x,y\na,1,2\nb,2,3\n")
    given = [{"TABLE": str(scores), "SHORT": str(short)}.get(word, word) for word in words]
    result = runner.invoke(cli.app, ["relate", *given])
    assert isinstance(result.exception, error), result.output
    assert reason in str(result.exception)


@pytest.mark.parametrize("sign", [";", "\\t"])
def test_tables_of_excel_are_read_when_it_is_said_how_they_are_written(scores: Path, sign: str) -> None:
    table = pd.read_csv(scores)
    table.to_csv(scores, index=False, sep="\t" if sign == "\\t" else sign, decimal=",")
    words = ["relate", "--table", str(scores), "--with", "x", "-b", "y", "--json"]
    assert runner.invoke(cli.app, words).exit_code != 0
    result = runner.invoke(cli.app, [*words, "--separator", sign, "--decimal", ","])
    assert result.exit_code == 0, result.output
    assert json.loads(result.stdout)[0]["r"] < -0.95


@pytest.mark.parametrize(("option", "held"), [("--separator", ";;"), ("--decimal", "x")])
def test_odd_signs_of_tables_are_refused(scores: Path, option: str, held: str) -> None:
    words = ["relate", "--table", str(scores), "--with", "x", "-b", "y", option, held]
    found = runner.invoke(cli.app, words)
    assert isinstance(found.exception, InvalidModel)
    assert option in str(found.exception)
