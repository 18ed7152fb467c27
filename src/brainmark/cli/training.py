"""``brainmark train``: progress while it runs, then the curves and how to score what was made."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn
from rich.table import Table

from brainmark.training.recipes import RECIPES, Recipe, recipe_of

if TYPE_CHECKING:
    from brainmark.training.loop import Run


def recipes() -> Table:
    """Return the recipes as a table."""
    table = Table("recipe", "epochs", "what it makes", box=None, header_style="bold")
    for recipe in RECIPES.values():
        table.add_row(recipe.name, str(recipe.epochs), recipe.summary)
    return table


def train_and_show(
    name: str, epochs: int | None, seed: int, threads: int, folder: Path | None, console: Console
) -> dict[str, Any]:
    """Train by a recipe (or go on with an interrupted run), print the curves, and return the log.

    Raises
    ------
    UnknownName : no such recipe.
    InvalidModel : a number of epochs or threads below 1.
    DataError : the images cannot be had, or the folder holds another run.
    """
    from brainmark.models.arguments import check_count

    recipe = recipe_of(name)
    if epochs is not None:
        check_count("train", "epochs", epochs, "give a number of epochs from 1")
    check_count("train", "threads", threads, "give a number of threads from 1")
    recipe = recipe.with_epochs(epochs)
    place = folder or Path("runs") / f"{recipe.name}-seed{seed}"
    run = _train(recipe, place, seed, threads, console)
    _show(run, console)
    return json.loads((run.folder / "log.json").read_text(encoding="utf-8"))


def _train(recipe: Recipe, place: Path, seed: int, threads: int, console: Console) -> Run:
    from brainmark.training.loop import train

    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    with Progress(*columns, console=console, transient=True, disable=not console.is_terminal) as progress:
        task = progress.add_task(f"{recipe.name}: preparing", total=None)

        def watch(run: Run, step: int, steps: int) -> None:
            last = f", held-out {run.log[-1]['held_out']:.3f}" if run.log else ""
            title = f"{recipe.name}: epoch {min(run.epoch + 1, recipe.epochs)} of {recipe.epochs}{last}"
            progress.update(task, description=title, completed=run.epoch * steps + step, total=recipe.epochs * steps)
            if step == 0 and not console.is_terminal:
                row = run.log[-1]
                console.print(
                    f"epoch {run.epoch} of {recipe.epochs}: loss {row['loss']:.3f}, accuracy {row['accuracy']:.3f}, "
                    f"held-out {row['held_out']:.3f}, {row['seconds']:.0f} s",
                    highlight=False, soft_wrap=True,
                )  # fmt: skip

        return train(recipe, place, seed=seed, threads=threads, watch=watch)


def _show(run: Run, console: Console) -> None:
    from brainmark.training.curves import as_text, save_png

    console.print(as_text(run.log, max(10, min(60, console.width - 50))), highlight=False)
    picture = run.folder / "curves.png"
    if save_png(run.log, f"{run.recipe.name}, seed {run.seed}", picture):
        console.print(f"curves: {picture}", soft_wrap=True, highlight=False)
    console.print(
        f"model: {run.model}; after each epoch: {run.folder / 'epochs'}\n"
        f"score it: brainmark score checkpoint:{run.folder} -b 'CIFAR10H-*'",
        soft_wrap=True, highlight=False, markup=False,
    )  # fmt: skip
