"""``brainmark train``, on toy images."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from typer.testing import CliRunner

from brainmark.cli import app as cli
from brainmark.core import DataError, InvalidModel, UnknownName
from brainmark.training import images as images_module
from brainmark.training.images import Images
from brainmark.training.recipes import RECIPES

runner = CliRunner()


@pytest.fixture(autouse=True)
def toy_images(monkeypatch: pytest.MonkeyPatch) -> None:
    pixels = np.random.default_rng(0).integers(0, 256, (300, 8, 8, 3)).astype(np.uint8)
    images = Images(torch.from_numpy(pixels), torch.arange(300) % 10)
    monkeypatch.setattr(images_module, "cifar10", lambda: images)


def test_without_a_recipe_they_are_listed() -> None:
    result = runner.invoke(cli.app, ["train"])
    assert result.exit_code == 0
    assert all(name in result.stdout for name in RECIPES)


def test_it_trains_shows_curves_and_says_how_to_score(tmp_path: Path) -> None:
    folder = tmp_path / "run"
    result = runner.invoke(cli.app, ["train", "cifar-resnet", "--epochs", "2", "--threads", "1", "--out", str(folder)])
    assert result.exit_code == 0, result.output
    assert "epoch 2 of 2: loss" in result.stdout
    assert "accuracy on held-out images" in result.stdout
    assert f"brainmark score checkpoint:{folder}" in result.stdout.replace("\n", "")
    assert {p.name for p in folder.iterdir()} == {"curves.png", "epochs", "log.json", "model.safetensors", "state.pt"}
    again = runner.invoke(cli.app, ["train", "cifar-resnet", "--epochs", "2", "--threads", "1", "--out", str(folder)])
    assert again.exit_code == 0
    assert "epoch 2 of 2: loss" not in again.stdout  # it was done


def test_json_is_the_log(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    result = runner.invoke(cli.app, ["train", "cifar-resnet", "--epochs", "1", "--seed", "3", "--json"])
    assert result.exit_code == 0, result.output
    log = json.loads(result.stdout)
    assert (log["seed"], len(log["log"]), log["recipe"]["epochs"]) == (3, 1, 1)
    assert (tmp_path / "runs" / "cifar-resnet-seed3" / "model.safetensors").exists()


@pytest.mark.parametrize(
    ("words", "error", "reason"),
    [
        (["cifar-resnt"], UnknownName, "did you mean 'cifar-resnet'"),
        (["tiny-gtp"], UnknownName, "did you mean 'tiny-gpt'"),
        (["cifar-resnet", "--epochs", "0"], InvalidModel, "epochs is 0"),
        (["cifar-resnet", "--threads", "0"], InvalidModel, "threads is 0"),
    ],
)
def test_wrong_words_are_explained(words: list[str], error: type[Exception], reason: str, tmp_path: Path) -> None:
    result = runner.invoke(cli.app, ["train", *words, "--out", str(tmp_path / "run")])
    assert isinstance(result.exception, error)
    assert reason in str(result.exception)
    assert not (tmp_path / "run").exists()


def test_another_run_in_the_folder_is_refused(tmp_path: Path) -> None:
    words = ["train", "cifar-resnet", "--epochs", "1", "--threads", "1", "--out", str(tmp_path)]
    assert runner.invoke(cli.app, words).exit_code == 0
    result = runner.invoke(cli.app, [*words, "--seed", "1"])
    assert isinstance(result.exception, DataError)
    assert "seed 0, not 1" in str(result.exception)


@pytest.fixture
def toy_text(tmp_path: Path) -> Path:
    path = tmp_path / "text.txt"
    path.write_text("\n\n".join(f"Number {i} is followed by number {i + 1}." for i in range(1500)), encoding="utf-8")
    return path


def test_a_language_model_of_own_text(toy_text: Path, tmp_path: Path) -> None:
    folder = tmp_path / "run"
    words = ["train", "tiny-gpt", "--layers", "1", "--width", "32", "--epochs", "1", "--threads", "1"]
    result = runner.invoke(cli.app, [*words, "--text", str(toy_text), "--out", str(folder)])
    assert result.exit_code == 0, result.output
    assert "step 1 of" in result.stdout
    assert "bits a character, held out" in result.stdout
    assert f"brainmark score checkpoint:{folder}" in result.stdout.replace("\n", "")
    assert {p.name for p in folder.iterdir()} == {"checkpoints", "curves.png", "log.json", "state.pt", "tokenizer.json"}
    again = runner.invoke(cli.app, [*words, "--text", str(toy_text), "--out", str(folder), "--json"])
    assert json.loads(again.stdout)["recipe"]["width"] == 32


@pytest.mark.parametrize(
    ("words", "error", "reason"),
    [
        (["cifar-resnet", "--layers", "3"], InvalidModel, "has one size"),
        (["gpt", "--width", "100"], InvalidModel, "width is 100; give a multiple of 32"),
        (["gpt", "--layers", "0"], InvalidModel, "layers is 0"),
        (["gpt", "--text", "no-such-file.txt"], UnknownName, "unknown corpus or text file"),
    ],
)
def test_sizes_and_texts_that_cannot_be(words: list[str], error: type[Exception], reason: str, tmp_path: Path) -> None:
    result = runner.invoke(cli.app, ["train", *words, "--out", str(tmp_path / "run")])
    assert isinstance(result.exception, error)
    assert reason in str(result.exception)
    assert not (tmp_path / "run").exists()
