"""``brainmark train``: shows progress while it trains, then the curves and how to score the result."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console, RenderableType
from rich.table import Table

from brainmark.cli.terminal import JsonFlag, err, out, print_json, print_plain, show_progress
from brainmark.core.errors import UnknownName
from brainmark.core.wording import duration
from brainmark.models.subjects.arguments import check_count
from brainmark.training.curves import as_text, save_png
from brainmark.training.recipes import RECIPES, Recipe, TextRecipe

if TYPE_CHECKING:  # it loads torch
    from brainmark.training.loop import TrainingRun


def train(
    recipe: Annotated[str | None, typer.Argument(help="A recipe by name; without it, all are listed.")] = None,
    epochs: Annotated[int | None, typer.Option(help="Passes over images or text, instead of the recipe's.")] = None,
    layers: Annotated[int | None, typer.Option(help="Layers of a language model, instead of the recipe's.")] = None,
    width: Annotated[int | None, typer.Option(help="Units of each layer, a multiple of 32.")] = None,
    text: Annotated[
        list[str] | None, typer.Option(help="A text file, or books, wikitext or brown; may be given several times.")
    ] = None,
    seed: Annotated[int, typer.Option(help="Seed of weights, order and variants.")] = 0,
    threads: Annotated[int, typer.Option(help="Threads of the arithmetic; other numbers change the last bits.")] = 2,
    folder: Annotated[
        Path | None, typer.Option("--out", help="Folder of the run; by default runs/RECIPE-seedSEED.")
    ] = None,
    as_json: JsonFlag = False,
) -> None:
    """Train a small network; interrupted or killed, the same command goes on where it was.

    Examples: [bold]brainmark train[/], [bold]brainmark train cifar-resnet --epochs 2 --out my-run[/],
    [bold]brainmark score checkpoint:my-run -b 'CIFAR10H-*'[/],
    [bold]brainmark train gpt --layers 4 --text my-book.txt[/]
    """
    if recipe is None:
        out.print(make_recipe_table())
        return
    for what, count in (("epochs", epochs), ("layers", layers), ("width", width), ("threads", threads)):
        if count is not None:
            check_count("train", what, count, f"give a number of {what} from 1")
    if recipe not in RECIPES:
        raise UnknownName("recipe", recipe, RECIPES, f" (recipes: {', '.join(RECIPES)})")
    console = err if as_json else out
    changed = RECIPES[recipe].change(epochs=epochs, layers=layers, width=width, texts=tuple(text or ()))
    language = isinstance(changed, TextRecipe)
    size = f"-{changed.layers}x{changed.width}" if language and changed != RECIPES[recipe] else ""
    place = folder or Path("runs") / f"{recipe}{size}-seed{seed}"
    run = _train_and_watch(changed, place, seed, threads, console)
    console.print(as_text(run.log, max(10, min(60, console.width - 50))), highlight=False)
    if save_png(run.log, f"{recipe}, seed {seed}", place / "curves.png"):
        print_plain(console, f"curves: {place / 'curves.png'}")
    if language:
        steps = [int(row["step"]) for row in run.log]
        made = f"model: {place}; checkpoints of steps {', '.join(map(str, steps))}"
        names = f"checkpoint:{place} checkpoint:{place}@{steps[-2]} -b 'Frank2015.*'"
    else:
        made = f"model: {place / 'model.safetensors'}; after each epoch: {place / 'epochs'}"
        names = f"checkpoint:{place} -b 'CIFAR10H-*'"
    print_plain(console, f"{made}\nscore it: brainmark score {names}", markup=False)
    if as_json:
        print_json(json.loads((place / "log.json").read_text(encoding="utf-8")))


def make_recipe_table() -> RenderableType:
    """Return the recipes as a table."""
    table = Table("recipe", "epochs", "what it makes", box=None, header_style="bold")
    for recipe in RECIPES.values():
        table.add_row(recipe.name, str(recipe.epochs), recipe.summary)
    return table


def _train_and_watch(recipe: Recipe, place: Path, seed: int, threads: int, console: Console) -> TrainingRun:
    from brainmark.training.loop import train  # it loads torch

    with show_progress(console) as progress:
        task = progress.add_task(f"{recipe.name}: preparing", total=None)
        shown = 0

        def watch(run: TrainingRun) -> None:
            nonlocal shown
            progress.update(task, description=f"{recipe.name}: {run.headline()}", completed=run.step, total=run.steps)
            if len(run.log) > shown and not console.is_terminal:
                print_plain(console, f"{run.headline()}, {duration(run.log[-1]['seconds'])}")
            shown = len(run.log)

        return train(recipe, place, seed=seed, threads=threads, watch=watch)
