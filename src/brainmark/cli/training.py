"""``brainmark train``: progress while it runs, then the curves and how to score what was made."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn
from rich.table import Table

from brainmark.core.errors import UnknownName
from brainmark.core.wording import duration
from brainmark.models.sources.arguments import check_count
from brainmark.training.curves import as_text, save_png
from brainmark.training.recipes import RECIPES, Recipe, TextRecipe

if TYPE_CHECKING:
    from brainmark.training.loop import TrainingRun

_COLUMNS = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())


@dataclass(frozen=True)
class Changes:
    """What is not to be as in the recipe; None or empty: nothing."""

    epochs: int | None = None
    layers: int | None = None
    width: int | None = None
    texts: tuple[str, ...] = ()


def recipes() -> Table:
    """Return the recipes as a table."""
    table = Table("recipe", "epochs", "what it makes", box=None, header_style="bold")
    for recipe in RECIPES.values():
        table.add_row(recipe.name, str(recipe.epochs), recipe.summary)
    return table


def train_and_show(
    name: str, changes: Changes, seed: int, threads: int, folder: Path | None, console: Console
) -> dict[str, Any]:
    """Train by a recipe (or go on with an interrupted run), print the curves, and return the log.

    Raises
    ------
    UnknownName : no such recipe.
    InvalidModel : a number of epochs or threads below 1, or another size of a network that has one size.
    DataError : the images or texts cannot be had, or the folder holds another run.
    """
    for what in ("epochs", "layers", "width"):
        if getattr(changes, what) is not None:
            check_count("train", what, getattr(changes, what), f"give a number of {what} from 1")
    check_count("train", "threads", threads, "give a number of threads from 1")
    if name not in RECIPES:
        raise UnknownName("recipe", name, RECIPES, f" (recipes: {', '.join(RECIPES)})")
    recipe = RECIPES[name].change(**asdict(changes))
    size = f"-{recipe.layers}x{recipe.width}" if isinstance(recipe, TextRecipe) and recipe != RECIPES[name] else ""
    place = folder or Path("runs") / f"{name}{size}-seed{seed}"
    run = _train(recipe, place, seed, threads, console)
    console.print(as_text(run.log, max(10, min(60, console.width - 50))), highlight=False)
    if save_png(run.log, f"{name}, seed {seed}", place / "curves.png"):
        console.print(f"curves: {place / 'curves.png'}", soft_wrap=True, highlight=False)
    if isinstance(recipe, TextRecipe):
        steps = [int(row["step"]) for row in run.log]
        then = (
            f"model: {place}; checkpoints of steps {', '.join(map(str, steps))}\n"
            f"score it: brainmark score checkpoint:{place} checkpoint:{place}@{steps[-2]} -b 'Frank2015.*'"
        )
    else:
        then = (
            f"model: {place / 'model.safetensors'}; after each epoch: {place / 'epochs'}\n"
            f"score it: brainmark score checkpoint:{place} -b 'CIFAR10H-*'"
        )
    console.print(then, soft_wrap=True, highlight=False, markup=False)
    return json.loads((place / "log.json").read_text(encoding="utf-8"))


def _train(recipe: Recipe, place: Path, seed: int, threads: int, console: Console) -> TrainingRun:
    from brainmark.training.loop import train  # it loads torch

    with Progress(*_COLUMNS, console=console, transient=True, disable=not console.is_terminal) as progress:
        task = progress.add_task(f"{recipe.name}: preparing", total=None)
        shown = 0

        def watch(run: TrainingRun) -> None:
            nonlocal shown
            progress.update(task, description=f"{recipe.name}: {run.headline()}", completed=run.step, total=run.steps)
            if len(run.log) > shown and not console.is_terminal:
                line = f"{run.headline()}, {duration(run.log[-1]['seconds'])}"
                console.print(line, highlight=False, soft_wrap=True)
            shown = len(run.log)

        return train(recipe, place, seed=seed, threads=threads, watch=watch)
