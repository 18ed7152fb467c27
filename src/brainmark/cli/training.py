"""``brainmark train``: progress while it runs, then the curves and how to score what was made."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn
from rich.table import Table

from brainmark.core.errors import InvalidModel, UnknownName
from brainmark.core.wording import duration
from brainmark.models.sources.arguments import check_count
from brainmark.training.curves import TEXT_ROWS, as_text, save_png, save_text_png
from brainmark.training.recipes import RECIPES, Recipe
from brainmark.training.text_recipes import TEXT_RECIPES, TextRecipe

if TYPE_CHECKING:
    from brainmark.training.loop import Run
    from brainmark.training.text_loop import TextRun

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
    for recipe in (*RECIPES.values(), *TEXT_RECIPES.values()):
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
    known = (*RECIPES, *TEXT_RECIPES)
    if name not in known:
        raise UnknownName("recipe", name, known, f" (recipes: {', '.join(known)})")
    if name in TEXT_RECIPES:
        place = _train_text(TEXT_RECIPES[name], changes, seed, threads, folder, console)
    else:
        place = _train_images(RECIPES[name], changes, seed, threads, folder, console)
    return json.loads((place / "log.json").read_text(encoding="utf-8"))


def _train_images(
    recipe: Recipe, changes: Changes, seed: int, threads: int, folder: Path | None, console: Console
) -> Path:
    """Train on images, show, and return the folder of the run."""
    if changes != Changes(epochs=changes.epochs):
        raise InvalidModel(f"recipe {recipe.name!r} has one size and its own images; --layers, --width and --text are "
                           f"for {', '.join(TEXT_RECIPES)}")  # fmt: skip
    recipe = recipe.with_epochs(changes.epochs)
    place = folder or Path("runs") / f"{recipe.name}-seed{seed}"
    _show(_train(recipe, place, seed, threads, console), console)
    return place


def _train_text(
    recipe: TextRecipe, changes: Changes, seed: int, threads: int, folder: Path | None, console: Console
) -> Path:
    """Train on text, show, and return the folder of the run."""
    from brainmark.training.text_loop import train_text

    changed = recipe.changed(changes.epochs, changes.layers, changes.width, changes.texts)
    size = "" if changed == recipe else f"-{changed.layers}x{changed.width}"
    place = folder or Path("runs") / f"{recipe.name}{size}-seed{seed}"
    with Progress(*_COLUMNS, console=console, transient=True, disable=not console.is_terminal) as progress:
        task = progress.add_task(f"{recipe.name}: reading", total=None)
        shown = 0

        def watch(run: TextRun, step: int) -> None:
            nonlocal shown
            title = f"{recipe.name}: step, held out {run.log[-1]['held_out']:.3f} bits a character"
            progress.update(task, description=title, completed=step, total=run.steps)
            if len(run.log) > shown and not console.is_terminal:
                row = run.log[-1]
                console.print(
                    f"step {row['step']} of {run.steps}: held out {row['held_out']:.3f} bits a character, "
                    f"{duration(row['seconds'])}",
                    highlight=False, soft_wrap=True,
                )  # fmt: skip
            shown = len(run.log)

        run = train_text(changed, place, seed=seed, threads=threads, watch=watch)
    _show_text(run, console)
    return place


def _train(recipe: Recipe, place: Path, seed: int, threads: int, console: Console) -> Run:
    from brainmark.training.loop import train

    with Progress(*_COLUMNS, console=console, transient=True, disable=not console.is_terminal) as progress:
        task = progress.add_task(f"{recipe.name}: preparing", total=None)

        def watch(run: Run, step: int, steps: int) -> None:
            last = f", held-out {run.log[-1]['held_out']:.3f}" if run.log else ""
            title = f"{recipe.name}: epoch {min(run.epoch + 1, recipe.epochs)} of {recipe.epochs}{last}"
            progress.update(task, description=title, completed=run.epoch * steps + step, total=recipe.epochs * steps)
            if step == 0 and not console.is_terminal:
                row = run.log[-1]
                console.print(
                    f"epoch {run.epoch} of {recipe.epochs}: loss {row['loss']:.3f}, accuracy {row['accuracy']:.3f}, "
                    f"held-out {row['held_out']:.3f}, {duration(row['seconds'])}",
                    highlight=False, soft_wrap=True,
                )  # fmt: skip

        return train(recipe, place, seed=seed, threads=threads, watch=watch)


def _show(run: Run, console: Console) -> None:

    console.print(as_text(run.log, max(10, min(60, console.width - 50))), highlight=False)
    picture = run.folder / "curves.png"
    if save_png(run.log, f"{run.recipe.name}, seed {run.seed}", picture):
        console.print(f"curves: {picture}", soft_wrap=True, highlight=False)
    console.print(
        f"model: {run.model}; after each epoch: {run.folder / 'epochs'}\n"
        f"score it: brainmark score checkpoint:{run.folder} -b 'CIFAR10H-*'",
        soft_wrap=True, highlight=False, markup=False,
    )  # fmt: skip


def _show_text(run: TextRun, console: Console) -> None:

    console.print(as_text(run.log, max(10, min(60, console.width - 50)), TEXT_ROWS), highlight=False)
    picture = run.folder / "curves.png"
    if save_text_png(run.log, f"{run.recipe.name}, seed {run.seed}", picture):
        console.print(f"curves: {picture}", soft_wrap=True, highlight=False)
    steps = ", ".join(str(int(row["step"])) for row in run.log)
    console.print(
        f"model: {run.checkpoint(run.steps)}; checkpoints of steps {steps}\n"
        f"score it: brainmark score checkpoint:{run.folder} checkpoint:{run.folder}@{int(run.log[-2]['step'])} "
        "-b 'Frank2015.*'",
        soft_wrap=True, highlight=False, markup=False,
    )  # fmt: skip
