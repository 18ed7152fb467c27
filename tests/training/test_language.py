"""Language models on a toy text: they learn, the run is the same however often it is killed, and it refuses others."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from brainmark.core import DataError
from brainmark.models.sources.checkpoint import TextCheckpoint, checkpoint_at
from brainmark.training import loop
from brainmark.training.language import doubling_steps, token_loss
from brainmark.training.loop import TrainingRun, train
from brainmark.training.recipes import TextRecipe
from brainmark.training.texts import BEGIN, Paragraphs, chunks

TOY = TextRecipe(
    name="toy", summary="Toy.", texts=(), vocabulary=300, layers=1, width=32, window=16, epochs=2, batch=4, rate=1e-2
)
NAMES, VERBS, THINGS = ("Ann", "Bob", "Cid"), ("sees", "likes", "hears"), ("dogs", "cats", "birds", "mice")


def sentences(count: int, seed: int) -> tuple[str, ...]:
    """Sentences of a small grammar: who likes what depends on the name."""
    generator = np.random.default_rng(seed)
    made: list[str] = []
    for _ in range(count):
        name, verb = generator.integers(3, size=2)
        made.append(f"{NAMES[name]} {VERBS[verb]} {THINGS[name]} and {THINGS[name + 1]}.")
    return tuple(made)


TEXT = Paragraphs(sentences(300, 0), sentences(20, 1))


class Killed(Exception):
    """Stands for the end of the process."""


def files(folder: Path) -> dict[str, bytes]:
    """All files of the checkpoints of a run."""
    return {str(p.relative_to(folder)): p.read_bytes() for p in sorted(folder.rglob("*/*/*")) if p.is_file()}


@pytest.fixture(scope="module")
def straight(tmp_path_factory: pytest.TempPathFactory) -> TrainingRun:
    """The toy run, not interrupted."""
    return train(TOY, tmp_path_factory.mktemp("straight"), TEXT, threads=1)


def checkpoint(run: TrainingRun, step: int) -> Path:
    return run.folder / "checkpoints" / f"{step:06d}"


def test_it_learns_the_grammar(straight: TrainingRun) -> None:
    assert straight.log[-1]["held_out"] < 0.6 * straight.log[0]["held_out"]
    network, tokenizer = checkpoint_at(straight.folder).make({}), checkpoint_at(straight.folder).tokenizer()

    def bits(text: str) -> float:
        ids = torch.tensor([[tokenizer.bos_token_id, *tokenizer(text)["input_ids"]]])
        with torch.inference_mode():
            return float(token_loss(network, ids)) * (ids.shape[1] - 1)

    assert bits("Ann sees dogs and cats.") < bits("Ann sees mice and birds.") < bits("cats and sees birds Ann.")


def test_checkpoints_double(straight: TrainingRun) -> None:
    steps = [int(row["step"]) for row in straight.log]
    assert steps == doubling_steps(straight.steps)
    assert steps[:4] == [0, 1, 2, 4]
    assert steps[-1] == straight.steps
    assert all(checkpoint_at(Path(f"{straight.folder}@{step}")).path.name == f"{step:06d}" for step in steps)
    assert checkpoint_at(straight.folder).path == checkpoint(straight, straight.steps)
    assert [doubling_steps(n) for n in (1, 2, 3, 5, 9)] == [
        [0, 1],
        [0, 1, 2],
        [0, 1, 2, 3],
        [0, 1, 2, 5],
        [0, 1, 2, 4, 9],
    ]


def test_a_checkpoint_says_what_it_is(straight: TrainingRun) -> None:
    facts = TextCheckpoint(checkpoint(straight, 4)).history
    assert (facts.step, facts.steps, facts.tokens) == (4, straight.steps, 4 * 4 * 16)
    assert facts.recipe == TOY.to_dict()
    assert "seconds" not in facts.log
    assert json.loads((straight.folder / "log.json").read_text())["log"] == straight.log


def test_the_tokenizer_reads_anything(straight: TrainingRun) -> None:
    tokenizer = TextCheckpoint(checkpoint(straight, 0)).tokenizer()
    for text in ("Ann sees", " \N{GRINNING FACE}\u00e9\n\t ", "\x00", ""):
        assert tokenizer.decode(tokenizer(text)["input_ids"]) == text
    assert tokenizer.bos_token == BEGIN


def interrupted(folder: Path, moment: int, monkeypatch: pytest.MonkeyPatch) -> TrainingRun:
    """Stop after the step number `moment`, and go on."""
    monkeypatch.setattr(loop, "SAVE_AFTER", 0.0 if moment % 2 else 1e9)

    def stop(run: TrainingRun) -> None:
        if run.step == moment:
            raise Killed

    with pytest.raises(Killed):
        train(TOY, folder, TEXT, threads=1, watch=stop)
    return train(TOY, folder, TEXT, threads=1)


@pytest.mark.parametrize("moment", [1, 3, 6, 17])
def test_an_interrupted_run_ends_with_the_same_bits(
    moment: int, straight: TrainingRun, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """States are kept at checkpoints alone, or after each step."""
    resumed = interrupted(tmp_path, moment, monkeypatch)
    assert files(straight.folder) == files(tmp_path)
    for one, other in zip(straight.log, resumed.log, strict=True):
        assert {**one, "seconds": 0} == {**other, "seconds": 0}


def test_a_run_does_not_go_on_with_another_text(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A text file may have been changed since the run began; the recipe holds its name alone."""

    def stop(run: TrainingRun) -> None:
        if run.step == 2:
            raise Killed

    with pytest.raises(Killed):
        train(TOY, tmp_path, TEXT, threads=1, watch=stop)
    changed = replace(TEXT, training=(*TEXT.training[:-1], "Bob hears mice."))
    with pytest.raises(DataError, match="the run began with other images or another text"):
        train(TOY, tmp_path, changed, threads=1)


SCRIPT = """
import sys
from pathlib import Path
sys.path.insert(0, sys.argv[2])
from test_language import TEXT, TOY
from brainmark.training.loop import train
train(TOY, Path(sys.argv[1]), TEXT, threads=1, watch=lambda run: print(run.step, flush=True))
"""


@pytest.mark.slow
def test_a_killed_process_goes_on_where_it_was(straight: TrainingRun, tmp_path: Path) -> None:
    """SIGKILL after some step; then the same command is given."""
    command = [sys.executable, "-c", SCRIPT, str(tmp_path / "killed"), str(Path(__file__).parent)]
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=environment)
    assert process.stdout is not None
    for _ in range(9):
        process.stdout.readline()
    process.send_signal(signal.SIGKILL)
    process.wait()
    process.stdout.close()
    subprocess.run(command, check=True, env=environment, stdout=subprocess.DEVNULL)
    assert files(tmp_path / "killed") == files(straight.folder)


def test_a_run_that_is_done_is_done(straight: TrainingRun, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(loop, "make_task", None)
    again = train(TOY, straight.folder, TEXT, threads=1)
    assert (again.step, again.log) == (straight.step, straight.log)


def test_another_run_in_the_folder_is_refused_with_the_difference(straight: TrainingRun) -> None:
    with pytest.raises(DataError, match="layers 1, not 2"):
        train(replace(TOY, layers=2), straight.folder, TEXT, threads=1)
    with pytest.raises(DataError, match="seed 0, not 1"):
        train(TOY, straight.folder, TEXT, threads=1, seed=1)


def test_a_damaged_state_is_named(straight: TrainingRun, tmp_path: Path) -> None:
    (tmp_path / "state.pt").write_bytes(b"nonsense")
    with pytest.raises(DataError, match=r"state\.pt: is not the state of a run"):
        train(TOY, tmp_path, TEXT, threads=1)


def test_text_that_is_too_short_leaves_nothing_behind(tmp_path: Path) -> None:
    folder = tmp_path / "run"
    with pytest.raises(DataError, match="batches of 4 windows of 16"):
        train(TOY, folder, Paragraphs(("Hi.",) * 3, ("Hello there, you.",) * 9), threads=1)
    assert not folder.exists()
    with pytest.raises(DataError, match="less than one window"):
        chunks(torch.arange(4), 8)


def test_a_rate_that_is_too_high_is_told_of(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="lower the rate"):
        train(replace(TOY, rate=1e30, clip=1e30, warmup=0.0), tmp_path, TEXT, threads=1)
