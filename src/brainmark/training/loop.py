"""The training loop: steps, checkpoints, a log, and continuation after an interruption.

All random numbers of an epoch come from (seed, epoch). A run that is killed at any moment goes on from its last state
(that of the last checkpoint, or at most `SAVE_AFTER` seconds old) and ends, on the same machine with the same number
of threads, with the same weights to the last bit.
"""

from __future__ import annotations

import io
import json
import math
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch

from brainmark.core.errors import DataError
from brainmark.core.libraries import np
from brainmark.data.writing import write_whole
from brainmark.training.curves import titles_of
from brainmark.training.images import Images, image_task
from brainmark.training.language import NextToken
from brainmark.training.recipes import ImageRecipe, Recipe, TextRecipe
from brainmark.training.task import Task, generator_of
from brainmark.training.texts import Paragraphs

STATE = "state.pt"
LOG = "log.json"
SAVE_AFTER = 30.0  # seconds between states

Watcher = Callable[["TrainingRun"], None]
"""Called with the run after each step; the log has a new row after each checkpoint."""


@dataclass
class TrainingRun:
    """A training run: its recipe, and how far it has come.

    Attributes
    ----------
    recipe, seed, threads : what the weights depend on, beside what is trained on.
    folder : of its files.
    step, steps : steps done, and steps of the whole training; 0 before images or text are read.
    log : one row for each checkpoint: progress (epoch, or step and tokens), means of the loss and other figures over
        the batches since the last checkpoint, how well the network does on what is held out, seconds.
    """

    recipe: Recipe
    folder: Path
    seed: int = 0
    threads: int = 2
    step: int = 0
    steps: int = 0
    log: list[dict[str, float]] = field(default_factory=list[dict[str, float]])

    def origin(self) -> dict[str, Any]:
        """Return what two runs must share to be the same run."""
        return {"recipe": self.recipe.to_dict(), "seed": self.seed, "threads": self.threads}

    def headline(self) -> str:
        """Return the last row of the log as words; before there is one, the steps."""
        if not self.log:
            return f"step {self.step} of {self.steps}"
        row = self.log[-1]
        unit, total = ("step", self.steps) if "tokens" in row else ("epoch", self.recipe.epochs)
        figures = [f"{title} {row[name]:.3f}" for name, title in titles_of(self.log).items() if name in row]
        return f"{unit} {row[unit]} of {total}: {', '.join(figures)}"


def train(
    recipe: Recipe,
    folder: Path,
    material: Images | Paragraphs | None = None,
    *,
    seed: int = 0,
    threads: int = 2,
    watch: Watcher | None = None,
) -> TrainingRun:
    """Train, or go on with the run that is in `folder`, and return it.

    Writes checkpoints, ``log.json`` and ``state.pt`` (what is needed to go on); each is written completely or not at
    all. Checkpoints of images: ``epochs/NNN.safetensors`` after each epoch, and ``model.safetensors`` (the last). Of
    text: ``checkpoints/<step>`` (step 0, powers of two, and the last), and ``tokenizer.json``.

    Parameters
    ----------
    recipe : see `recipes`.
    folder : of the run; made if it is not there.
    material : what to train on, `Images` or `Paragraphs`; None: the training images of CIFAR-10, or the recipe's texts.
    seed : of weights, order and variants.
    threads : of the arithmetic; sums in another order differ in their last bits.
    watch : called after each step.

    Raises
    ------
    DataError : images or texts cannot be had or are too few, or the folder holds another run.
    """
    run = TrainingRun(recipe, folder, seed, threads)
    state = _read_state(run)
    if state:
        run.step, run.steps, run.log = state["step"], state["steps"], state["log"]
        if run.step == run.steps:
            return run
    before = torch.get_num_threads()
    torch.set_num_threads(threads)
    try:
        _train(run, make_task(run, material), state, watch)
    finally:
        torch.set_num_threads(before)
    return run


def make_task(run: TrainingRun, material: Images | Paragraphs | None) -> Task:
    """Return what the recipe of a run trains.

    Raises
    ------
    TypeError : the recipe is for other material.
    """
    match run.recipe, material:
        case ImageRecipe(), Images() | None:
            return image_task(run.recipe, material, run.seed)
        case TextRecipe(), Paragraphs() | None:
            return NextToken(run.recipe, material, run.seed, run.folder)
        case _:
            raise TypeError(f"recipe {run.recipe.name!r} cannot be trained on {type(material).__name__}")


def rate_at(recipe: Recipe, done: float) -> float:
    """Return the learning rate when the share `done` of all steps is done: up linearly, down as a cosine."""
    if done < recipe.warmup:
        return recipe.rate * done / recipe.warmup
    return recipe.rate * (1 + math.cos(math.pi * (done - recipe.warmup) / (1 - recipe.warmup))) / 2


def _train(run: TrainingRun, task: Task, state: Mapping[str, Any] | None, watch: Watcher | None) -> None:
    """Train to the end, from the state if there is one."""
    figures: dict[str, list[float]] = {}  # of the steps since the last checkpoint
    generator = order = None
    kept, begun = task.checkpoints(), time.perf_counter()
    saved, run.steps = begun, task.steps
    if state:
        if state["digest"] != task.digest:
            raise DataError(f"{run.folder}: the run began with other images or another text; choose another folder, or "
                            "give those with which it began")  # fmt: skip
        task.module.load_state_dict(state["module"])
        task.optimiser.load_state_dict(state["optimiser"])
        figures = state["figures"]
    elif 0 in kept:
        begun = _write_checkpoint(run, task, figures, begun)
    while run.step < run.steps:
        epoch, place = divmod(run.step, task.per_epoch)
        if generator is None or order is None or place == 0:
            generator = generator_of(run.seed, epoch + 1, task.stream)
            order = task.order(generator)
            if state and place:  # the run goes on in the middle of an epoch
                generator.set_state(state["generator"])
        batch = order[place * run.recipe.batch : (place + 1) * run.recipe.batch]
        for name, value in _step(run, task, batch, generator).items():
            figures.setdefault(name, []).append(value)
        run.step += 1
        if run.step in kept:
            begun = _write_checkpoint(run, task, figures, begun)
            figures = {}
        if run.step in kept or time.perf_counter() - saved > SAVE_AFTER:
            _write_state(run, task, figures, generator)
            saved = time.perf_counter()
        if watch:
            watch(run)


def _step(run: TrainingRun, task: Task, batch: torch.Tensor, generator: torch.Generator) -> dict[str, float]:
    """Take one step; return its figures."""
    for group in task.optimiser.param_groups:
        group["lr"] = rate_at(run.recipe, (run.step + 1) / run.steps)
    task.module.train()
    loss, figures = task.loss(batch, generator)
    if not math.isfinite(loss.item()):
        raise DataError(f"{run.folder}: the loss is {loss.item()} in step {run.step + 1}; lower the rate")
    task.optimiser.zero_grad()
    loss.backward()
    if task.clip is not None:
        torch.nn.utils.clip_grad_norm_(task.module.parameters(), task.clip)
    task.optimiser.step()
    return figures


def _write_checkpoint(run: TrainingRun, task: Task, figures: Mapping[str, list[float]], begun: float) -> float:
    """Write a checkpoint and a row of the log; return the time at its end."""
    means = {name: float(np.mean(values)) for name, values in figures.items()}
    row = {**task.progress(run.step), **means, "held_out": task.score_held_out()}
    task.save(run.folder, run.origin(), row)
    run.log.append({**row, "seconds": round(time.perf_counter() - begun, 2)})
    content = {**run.origin(), "steps": run.steps, "log": run.log}
    write_whole(run.folder / LOG, json.dumps(content, indent=1).encode())
    return time.perf_counter()


def _write_state(run: TrainingRun, task: Task, figures: Mapping[str, list[float]], generator: torch.Generator) -> None:
    buffer = io.BytesIO()
    state = {
        "origin": json.dumps(run.origin()),
        "step": run.step,
        "steps": run.steps,
        "log": run.log,
        "figures": figures,
        "digest": task.digest,
        "generator": generator.get_state(),
        "module": task.module.state_dict(),
        "optimiser": task.optimiser.state_dict(),
    }
    torch.save(state, buffer)
    write_whole(run.folder / STATE, buffer.getvalue())


def _read_state(run: TrainingRun) -> dict[str, Any] | None:
    """Return the state in the folder of the run, if there is one.

    Raises
    ------
    DataError : it is damaged, or belongs to another run.
    """
    path = run.folder / STATE
    if not path.exists():
        return None
    try:
        state: dict[str, Any] = torch.load(path, weights_only=True)
        there = json.loads(state["origin"])
    except Exception as error:
        raise DataError(f"{path}: is not the state of a run, or damaged; remove it to start again") from error
    wanted = run.origin()
    if there != wanted:
        one, other = ({**o["recipe"], "seed": o["seed"], "threads": o["threads"]} for o in (there, wanted))
        differing = [name for name in one | other if one.get(name) != other.get(name)]
        difference = ", ".join(f"{name} {one.get(name)!r}, not {other.get(name)!r}" for name in differing)
        raise DataError(
            f"{run.folder}: holds another run ({difference}); "
            "choose another folder, or the same recipe, epochs, seed and threads to go on with it"
        )
    return state
