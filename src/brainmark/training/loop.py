"""The one loop: epochs of steps, a checkpoint after each epoch, and going on after an interruption.

All random numbers of an epoch come from (seed, epoch), so that the state to be kept is that of the weights and the
optimiser alone. A run that is killed at any moment goes on from its last whole epoch and ends, on the same machine
with the same number of threads, with the same weights to the last bit.
"""

from __future__ import annotations

import io
import json
import math
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

import torch

from brainmark.core.errors import DataError
from brainmark.core.libraries import np
from brainmark.data.readers.cifar10 import arrays
from brainmark.data.writing import write_whole
from brainmark.models.networks.cifar import Network, make_network
from brainmark.models.networks.seeds import seeded
from brainmark.models.sources.trained import SUFFIX, Facts, to_bytes
from brainmark.training.objectives import Images, Naming, TellingApart, objective_of
from brainmark.training.recipes import Recipe

STATE = "state.pt"
LOG = "log.json"
HELD_OUT = 20  # one of so many training images is held out, to watch the training; test images are never seen

Watcher = Callable[["Run", int, int], None]
"""Called with the run, the steps done in this epoch, and the steps of an epoch."""


@dataclass
class Run:
    """A training run: what it is, and how far it is.

    Attributes
    ----------
    recipe, seed, threads : what the weights depend on, beside the images.
    folder : of its files.
    epoch : whole epochs done.
    log : one row for each epoch: loss, accuracy on the batches, accuracy on held-out images, seconds.
    """

    recipe: Recipe
    folder: Path
    seed: int = 0
    threads: int = 2
    epoch: int = 0
    log: list[dict[str, float]] = field(default_factory=list)

    @property
    def model(self) -> Path:
        """Checkpoint of the last epoch."""
        return self.folder / f"model{SUFFIX}"

    def config(self) -> dict[str, Any]:
        """What two runs must share to be the same run."""
        return {"recipe": self.recipe.to_dict(), "seed": self.seed, "threads": self.threads}


def train(
    recipe: Recipe,
    folder: Path,
    images: Images | None = None,
    *,
    seed: int = 0,
    threads: int = 2,
    watch: Watcher | None = None,
) -> Run:
    """Train, or go on with the run that is in `folder`, and return it.

    Writes ``epochs/NNN.safetensors`` after each epoch, ``model.safetensors`` (of the last), ``log.json`` and
    ``state.pt`` (what is needed to go on); each is written completely or not at all.

    Parameters
    ----------
    recipe : see `recipes`.
    folder : of the run; made if it is not there.
    images : to train on; None: the training images of CIFAR-10.
    seed : of weights, order and variants.
    threads : of the arithmetic; sums in another order differ in their last bits.
    watch : called after each step and each epoch.

    Raises
    ------
    DataError : the images cannot be had, or the folder holds another run.
    """
    run = Run(recipe, folder, seed, threads)
    network = make_network(recipe.network, seed).to(memory_format=torch.channels_last)  # pyright: ignore[reportCallIssue]
    before = torch.get_num_threads()
    torch.set_num_threads(threads)
    try:
        with seeded(seed):  # the projection of contrastive training
            objective = objective_of(recipe, network)
        optimiser = _optimiser(objective.module, recipe)
        _restore(run, objective.module, optimiser)
        if run.epoch < recipe.epochs:
            training, held_out = split(images or cifar10(), seed)
            while run.epoch < recipe.epochs:
                run.log.append(_epoch(run, objective, optimiser, training, held_out, watch))
                run.epoch += 1
                _save(run, network, objective.module, optimiser)
                if watch:
                    watch(run, 0, steps(recipe, training))
    finally:
        torch.set_num_threads(before)
    return run


def cifar10() -> Images:
    """Return the training images of CIFAR-10 that are registered."""
    pixels, labels = arrays("train")
    return Images(torch.from_numpy(pixels.copy()), torch.from_numpy(labels.astype(np.int64)))


def split(images: Images, seed: int) -> tuple[Images, Images]:
    """Return training and held-out images, drawn with `seed`."""
    order = torch.randperm(len(images), generator=generator_of(seed, 0, "split"))
    count = max(1, len(images) // HELD_OUT)
    return images.take(order[count:].sort().values), images.take(order[:count].sort().values)


def steps(recipe: Recipe, images: Images) -> int:
    """Steps of an epoch.

    Raises
    ------
    DataError : there are fewer images than a batch has.
    """
    if len(images) < recipe.batch:
        raise DataError(f"recipe {recipe.name!r} has batches of {recipe.batch}, but there are {len(images)} images")
    return len(images) // recipe.batch


class Schedule(Protocol):
    """Learning rate of a recipe: its largest, and the share of all steps over which it rises."""

    @property
    def rate(self) -> float:
        """Largest learning rate."""
        ...

    @property
    def warmup(self) -> float:
        """Share of all steps."""
        ...


def rate_at(recipe: Schedule, done: float) -> float:
    """Learning rate when the share `done` of all steps is done: up linearly, down as a cosine."""
    if done < recipe.warmup:
        return recipe.rate * done / recipe.warmup
    return recipe.rate * (1 + math.cos(math.pi * (done - recipe.warmup) / (1 - recipe.warmup))) / 2


def _epoch(
    run: Run,
    objective: Naming | TellingApart,
    optimiser: torch.optim.Optimizer,
    training: Images,
    held_out: Images,
    watch: Watcher | None,
) -> dict[str, float]:
    """Train for one epoch; its row of the log."""
    begun = time.perf_counter()
    generator = generator_of(run.seed, run.epoch + 1, "epoch")
    count = steps(run.recipe, training)
    order = torch.randperm(len(training), generator=generator)
    losses: list[float] = []
    solved: list[float] = []
    objective.module.train()
    for step in range(count):
        for group in optimiser.param_groups:
            group["lr"] = rate_at(run.recipe, (run.epoch + (step + 1) / count) / run.recipe.epochs)
        batch = training.take(order[step * run.recipe.batch : (step + 1) * run.recipe.batch])
        loss, share = objective.loss(batch, generator)
        if not math.isfinite(loss.item()):
            raise DataError(f"{run.folder}: the loss is {loss.item()} in epoch {run.epoch + 1}; lower the rate")
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        losses.append(loss.item())
        solved.append(share)
        if watch:
            watch(run, step + 1, count)
    return {
        "epoch": run.epoch + 1,
        "loss": float(np.mean(losses)),
        "accuracy": float(np.mean(solved)),
        "held_out": objective.accuracy(held_out, training),
        "seconds": round(time.perf_counter() - begun, 2),
    }


def _optimiser(module: torch.nn.Module, recipe: Recipe) -> torch.optim.Optimizer:
    weights = [p for p in module.parameters() if p.ndim > 1]
    others = [p for p in module.parameters() if p.ndim <= 1]
    groups = [{"params": weights, "weight_decay": recipe.decay}, {"params": others, "weight_decay": 0.0}]
    return torch.optim.SGD(groups, lr=recipe.rate, momentum=recipe.momentum, nesterov=True)


def generator_of(seed: int, epoch: int, purpose: str) -> torch.Generator:
    """Return random numbers that depend on seed, epoch and purpose alone."""
    words = np.random.SeedSequence([seed, epoch, *purpose.encode()]).generate_state(2, np.uint32)
    return torch.Generator().manual_seed(int(words[0]) << 31 | int(words[1]) >> 1)


def _save(run: Run, network: Network, module: torch.nn.Module, optimiser: torch.optim.Optimizer) -> None:
    """Write the checkpoint, the log, and last, when all else is there, the state."""
    content = to_bytes(
        network, Facts(run.recipe.to_dict(), run.seed, run.threads, run.epoch, _without_time(run.log[-1]))
    )
    write_whole(run.folder / "epochs" / f"{run.epoch:03d}{SUFFIX}", content)
    write_whole(run.model, content)
    write_whole(run.folder / LOG, json.dumps({**run.config(), "log": run.log}, indent=1).encode())
    buffer = io.BytesIO()
    state: Mapping[str, Any] = {
        "config": json.dumps(run.config(), sort_keys=True),
        "epoch": run.epoch,
        "log": run.log,
        "module": module.state_dict(),
        "optimiser": optimiser.state_dict(),
    }
    torch.save(state, buffer)
    write_whole(run.folder / STATE, buffer.getvalue())


def _without_time(row: Mapping[str, float]) -> dict[str, float]:
    return {name: value for name, value in row.items() if name != "seconds"}


def _restore(run: Run, module: torch.nn.Module, optimiser: torch.optim.Optimizer) -> None:
    """Take up the state in the folder of the run, if there is one."""
    path = run.folder / STATE
    if not path.exists():
        return
    try:
        state: dict[str, Any] = torch.load(path, weights_only=True)
        there = json.loads(state["config"])
    except Exception as error:
        raise DataError(f"{path}: is not the state of a run, or damaged; remove it to start anew") from error
    check_same_run(run.folder, there, run.config())
    module.load_state_dict(state["module"])
    optimiser.load_state_dict(state["optimiser"])
    run.epoch, run.log = int(state["epoch"]), list(state["log"])


def check_same_run(folder: Path, there: Mapping[str, Any], wanted: Mapping[str, Any]) -> None:
    """Refuse to go on with another run. Raises DataError."""
    if there != json.loads(json.dumps(wanted)):
        raise DataError(
            f"{folder}: holds another run ({difference(there, wanted)}); "
            "choose another folder, or the same recipe, epochs, seed and threads to go on with it"
        )


def difference(there: Mapping[str, Any], wanted: Mapping[str, Any]) -> str:
    """Say in what the configurations of two runs differ."""
    one, other = ({**c["recipe"], "seed": c["seed"], "threads": c["threads"]} for c in (there, wanted))
    differing = [name for name in one | other if one.get(name) != other.get(name)]
    return ", ".join(f"{name} {one.get(name)!r}, not {other.get(name)!r}" for name in differing)
