from __future__ import annotations

import json
import tomllib
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from brainmark.cli.app import app
from brainmark.core.errors import InvalidModel, NotApplicable, ResourceError, UnknownName
from brainmark.run.layer_choice import recall_choices

BENCHMARK = "Simulated.IT-ridge"
MODEL = "cifar-resnet:random"  # small: the images have 32 x 32 pixels


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BRAINMARK_HOME", str(tmp_path / "home"))


def run(*words: str) -> Result:
    return CliRunner().invoke(app, ["layers", *words])


@pytest.mark.slow
def test_layers_are_chosen_shown_drawn_and_written(tmp_path: Path):
    page, toml = tmp_path / "layers.html", tmp_path / "models.toml"
    done = run(
        MODEL, "-b", BENCHMARK, "-l", "stem", "-l", "stage2", "--json", "--figure", str(page), "--toml", str(toml)
    )
    assert done.exit_code == 0, done.output
    choice = json.loads(done.stdout)["IT"]
    assert {c["layer"] for c in choice["candidates"]} == {"stem", "stage2"}
    assert choice["chosen"]["value"] == max(c["value"] for c in choice["candidates"])
    assert recall_choices(MODEL)["IT"].value == choice["value"]
    assert page.read_text("utf-8").count("<svg") == 1
    assert "stage2" in page.read_text("utf-8")
    described = tomllib.loads(toml.read_text("utf-8"))[f"{MODEL}-chosen"]
    assert described["network"] == MODEL
    assert described["regions"]["IT"]["layer"] == choice["chosen"]["layer"]
    assert set(described["regions"]) == {"V1", "V2", "V4", "IT"}
    scored = CliRunner().invoke(app, ["score", MODEL, "-b", BENCHMARK, "--layers", "chosen", "--json"])
    assert scored.exit_code == 0, scored.output
    assert any("chosen among 2" in note for note in json.loads(scored.stdout)[0]["notes"])
    shown = CliRunner().invoke(app, ["score", MODEL, "-b", BENCHMARK, "--layers", "chosen"])
    assert "chosen among 2" in " ".join(shown.stdout.split())


@pytest.mark.parametrize(
    ("words", "error", "message"),
    [
        (["gabo", "-b", BENCHMARK], UnknownName, "did you mean 'gabor'"),
        (["gabor", "-b", "Simulated.IT-rigde"], UnknownName, BENCHMARK),
        (["gabor", "-r", "V3"], UnknownName, "chosen by themselves for V4, IT, language_system"),
        (["gabor", "-r", "V4", "-b", BENCHMARK], NotApplicable, "records from V4"),
        (["gabor", "--held-out", BENCHMARK], NotApplicable, "give one --benchmark with it"),
        (["gabor", "-b", BENCHMARK, "--figure", "map.txt"], ResourceError, "must end in one of .png"),
        (["gabor", "-b", BENCHMARK, "--toml", "no-such-folder/m.toml"], ResourceError, "no folder"),
    ],
)
def test_what_cannot_be_done_is_said_before_anything_is_computed(
    words: list[str], error: type[Exception], message: str, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr("brainmark.cli.layers.choose_layers", lambda *_, **__: pytest.fail("computed"))
    done = run(*words)
    assert isinstance(done.exception, error)
    assert message in str(done.exception)


def test_only_two_kinds_of_layers_can_be_scored():
    done = CliRunner().invoke(app, ["score", "gabor", "-b", BENCHMARK, "--layers", "best"])
    assert isinstance(done.exception, UnknownName)
    assert "committed or chosen" in str(done.exception)


@pytest.mark.parametrize("share", ["0", "1", "1.5", "-0.5", "nan"])
def test_a_share_that_leaves_none_is_refused_before_anything_is_computed(share: str):
    refused = run(MODEL, "-b", BENCHMARK, f"--share={share}")
    assert isinstance(refused.exception, InvalidModel)
    assert "give the share of stimuli on which the layer is chosen, between 0 and 1" in str(refused.exception)
