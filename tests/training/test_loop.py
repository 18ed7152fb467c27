"""Training on toy images: it learns, it is the same run however often it is interrupted, and it refuses other runs."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from brainmark.core import DataError
from brainmark.models.networks.cifar import make_network
from brainmark.models.sources.checkpoint import ImageCheckpoint
from brainmark.training import images as images_module
from brainmark.training import loop
from brainmark.training.images import Images
from brainmark.training.loop import TrainingRun, rate_at, train
from brainmark.training.recipes import ImageRecipe
from brainmark.training.texts import Paragraphs

TOY = ImageRecipe(
    name="toy", summary="Toy.", network="cifar-resnet", objective="labels", epochs=3, batch=16, rate=0.05, warmup=0.2
)


def toy_images(count: int = 64, seed: int = 0) -> Images:
    """Stripes (label 0: upright, 1: level) of random phase with noise."""
    generator = np.random.default_rng(seed)
    labels = generator.integers(2, size=count)
    y, x = np.mgrid[:8, :8]
    phase = generator.uniform(0, 6, (count, 1, 1))
    waves = np.sin(np.where(labels[:, None, None] == 0, x, y) * 1.5 + phase)
    pixels = 128 + 80 * waves[..., None] + generator.normal(0, 20, (count, 8, 8, 3))
    return Images(torch.from_numpy(pixels.clip(0, 255).astype(np.uint8)), torch.from_numpy(labels))


class Killed(Exception):
    """Stands for the end of the process."""


def files(folder: Path) -> dict[str, bytes]:
    """Checkpoints of a run by name."""
    return {str(p.relative_to(folder)): p.read_bytes() for p in sorted(folder.rglob("*.safetensors"))}


def test_it_learns_to_name_stripes(tmp_path: Path) -> None:
    run = train(replace(TOY, epochs=6), tmp_path, toy_images(240), threads=1)
    assert [row["epoch"] for row in run.log] == list(range(1, 7))
    assert run.log[-1]["loss"] < 0.5 * run.log[0]["loss"]
    assert run.log[-1]["held_out"] >= 0.9
    logits = ImageCheckpoint(run.folder / "model.safetensors").make({})(torch.zeros(1, 3, 8, 8))
    assert logits.shape == (1, 10)


def test_a_recurrent_network_is_trained_by_the_same_loop(tmp_path: Path) -> None:
    recipe = replace(TOY, network="cifar-cornet", epochs=1)
    run = train(recipe, tmp_path, toy_images(), threads=1)
    before, after = (
        make_network("cifar-cornet", 0).state_dict(),
        ImageCheckpoint(run.folder / "model.safetensors").make({}).state_dict(),
    )
    assert all(not torch.equal(before[name], after[name]) for name in before)


def test_contrastive_training_makes_views_of_an_image_alike(tmp_path: Path) -> None:
    recipe = replace(TOY, objective="contrastive", epochs=4, temperature=0.2)
    run = train(recipe, tmp_path, toy_images(160), threads=1)
    assert run.log[-1]["loss"] < run.log[0]["loss"] - 0.2
    assert not ImageCheckpoint(run.folder / "model.safetensors").history.names_objects
    assert all(
        "projection" not in name for name in ImageCheckpoint(run.folder / "model.safetensors").make({}).state_dict()
    )


@pytest.fixture(scope="module")
def straight(tmp_path_factory: pytest.TempPathFactory) -> TrainingRun:
    """The toy run, not interrupted."""
    return train(TOY, tmp_path_factory.mktemp("straight"), toy_images(), threads=1)


def interrupted(recipe: ImageRecipe, folder: Path, moment: int) -> TrainingRun:
    """Stop at the call number `moment`, and go on."""
    calls = 0

    def stop(run: TrainingRun) -> None:
        nonlocal calls
        calls += 1
        if calls == moment:
            raise Killed

    with pytest.raises(Killed):
        train(recipe, folder, toy_images(), threads=1, watch=stop)
    return train(recipe, folder, toy_images(), threads=1)


@pytest.mark.parametrize("moment", [1, 3, 5])
@pytest.mark.parametrize("save_after", [0.0, 1e9])
def test_an_interrupted_run_ends_with_the_same_bits(
    moment: int, save_after: float, straight: TrainingRun, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each of 3 epochs has 3 steps; the state is kept after each step, or after each epoch."""
    monkeypatch.setattr(loop, "SAVE_AFTER", save_after)
    resumed = interrupted(TOY, tmp_path, moment)
    assert files(straight.folder) == files(tmp_path)
    assert len(files(tmp_path)) == 4
    for one, other in zip(straight.log, resumed.log, strict=True):
        assert {**one, "seconds": 0} == {**other, "seconds": 0}


def test_an_interrupted_contrastive_run_ends_with_the_same_bits(tmp_path: Path) -> None:
    recipe = replace(TOY, objective="contrastive", epochs=2)
    train(recipe, tmp_path / "straight", toy_images(), threads=1)
    interrupted(recipe, tmp_path / "broken", 5)
    assert files(tmp_path / "straight") == files(tmp_path / "broken")


SCRIPT = """
import sys
from pathlib import Path
from typing import Any
sys.path.insert(0, sys.argv[2])
from test_loop import TOY, toy_images
from brainmark.training.loop import train
def watch(run):
    print(run.step, flush=True)
train(TOY, Path(sys.argv[1]), toy_images(), threads=1, watch=watch)
"""


@pytest.mark.slow
def test_a_killed_process_goes_on_where_it_was(straight: TrainingRun, tmp_path: Path) -> None:
    """SIGKILL at a random moment, again and again; each time the same command is given."""
    generator = np.random.default_rng()
    command = [sys.executable, "-c", SCRIPT, str(tmp_path / "killed"), str(Path(__file__).parent)]
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    for _ in range(2):
        process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=environment)
        assert process.stdout is not None
        for _ in range(int(generator.integers(1, 5))):
            process.stdout.readline()
        time.sleep(float(generator.uniform(0, 0.05)))
        process.send_signal(signal.SIGKILL)
        process.wait()
        process.stdout.close()
    subprocess.run(command, check=True, env=environment, stdout=subprocess.DEVNULL)
    assert files(tmp_path / "killed") == files(straight.folder)
    left = [p.name for p in (tmp_path / "killed").rglob("*") if p.is_file() and p.suffix != ".part"]
    assert sorted(left) == ["001.safetensors", "002.safetensors", "003.safetensors", "log.json", "model.safetensors",
                            "state.pt"]  # fmt: skip


def test_seeds_differ_and_repeat(tmp_path: Path) -> None:
    images, once = toy_images(), replace(TOY, epochs=1)
    runs = [train(once, tmp_path / str(i), images, seed=seed, threads=1) for i, seed in enumerate((0, 0, 1))]
    first, same, other = (
        ImageCheckpoint(run.folder / "model.safetensors").make({}).state_dict()["head.weight"] for run in runs
    )
    assert torch.equal(first, same)
    assert not torch.equal(first, other)


def test_training_leaves_random_state_and_threads_alone(tmp_path: Path) -> None:
    torch.manual_seed(5)
    expected, threads = torch.rand(1), torch.get_num_threads()
    torch.manual_seed(5)
    train(replace(TOY, epochs=1), tmp_path, toy_images(), threads=1)
    assert torch.equal(torch.rand(1), expected)
    assert torch.get_num_threads() == threads


def test_a_finished_run_is_not_trained_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    train(replace(TOY, epochs=1), tmp_path, toy_images(), threads=1)
    monkeypatch.setattr(images_module, "cifar10", lambda: pytest.fail("images are loaded"))
    assert train(replace(TOY, epochs=1), tmp_path, threads=1).step == 3


def test_a_folder_of_another_run_is_refused_with_the_difference(tmp_path: Path) -> None:
    train(replace(TOY, epochs=1), tmp_path, toy_images(), threads=1)
    with pytest.raises(DataError, match=r"holds another run \(epochs 1, not 2, seed 0, not 4\)"):
        train(replace(TOY, epochs=2), tmp_path, toy_images(), seed=4, threads=1)


def test_a_damaged_state_is_named(tmp_path: Path) -> None:
    torch.save({"epoch": 1}, tmp_path / "other.pt")
    for content in (b"nonsense", (tmp_path / "other.pt").read_bytes()):
        (tmp_path / loop.STATE).write_bytes(content)
        with pytest.raises(DataError, match=r"state\.pt: is not the state of a run, or damaged; remove it"):
            train(TOY, tmp_path, toy_images(), threads=1)


def test_the_log_stamps_the_configuration(tmp_path: Path) -> None:
    train(replace(TOY, epochs=2), tmp_path, toy_images(), seed=3, threads=1)
    log = json.loads((tmp_path / loop.LOG).read_text())
    assert log["recipe"] == replace(TOY, epochs=2).to_dict()
    assert (log["seed"], log["threads"], len(log["log"])) == (3, 1, 2)
    facts = ImageCheckpoint(tmp_path / "epochs" / "001.safetensors").history
    assert (facts.epoch, facts.seed, facts.threads, facts.recipe) == (1, 3, 1, log["recipe"])
    assert facts.log["loss"] == log["log"][0]["loss"]


def test_a_rate_that_explodes_ends_the_run(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"the loss is (nan|inf) in step"):
        train(replace(TOY, rate=1e12, warmup=0, epochs=5), tmp_path, toy_images(), threads=1)


def test_the_rate_rises_and_falls() -> None:
    recipe = replace(TOY, rate=2.0, warmup=0.25)
    assert [rate_at(recipe, done) for done in (0, 0.125, 0.25)] == [0, 1, 2]
    assert rate_at(recipe, 0.625) == pytest.approx(1)
    assert rate_at(recipe, 1) == pytest.approx(0)


def test_a_run_does_not_go_on_with_other_images(tmp_path: Path) -> None:
    interrupted_at = 3

    def stop(run: TrainingRun) -> None:
        if run.step == interrupted_at:
            raise Killed

    with pytest.raises(Killed):
        train(TOY, tmp_path, toy_images(), threads=1, watch=stop)
    with pytest.raises(DataError, match="the run began with other images"):
        train(TOY, tmp_path, toy_images(seed=1), threads=1)


def test_images_need_a_recipe_for_images(tmp_path: Path) -> None:
    with pytest.raises(TypeError, match="recipe 'toy' cannot be trained on Paragraphs"):
        train(TOY, tmp_path, Paragraphs((), ()))
