"""``brainmark layers``: which layer stands for which region, as a table, a figure, and lines for a models.toml."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from rich.console import Console, Group, RenderableType
from rich.markup import escape
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn
from rich.table import Table

from brainmark.analysis.layer_map import best_first, layer_figure
from brainmark.core import registry
from brainmark.core.errors import InvalidModel, NotApplicable, ResourceError, UnknownName
from brainmark.core.lookup import load_model
from brainmark.core.wording import interval, number
from brainmark.run.layers import PUBLIC, Choice, choices_path, choose_layers, keep, kept, with_chosen_layers

SHOWN = 5  # best layers of a region in the table
SUFFIXES = (".png", ".svg", ".pdf", ".html")
BARE = re.compile(r"[A-Za-z0-9_-]+")  # keys of TOML that need no quotes


def choose_and_show(
    model: str,
    regions: Sequence[str],
    benchmarks: Sequence[str],
    held_out: str | None,
    layers: Sequence[str],
    *,
    share: float,
    seed: int,
    console: Console,
) -> dict[str, Choice]:
    """Choose a layer for each region, keep the choices, and print them.

    Raises
    ------
    UnknownName, NotApplicable, DataError, ModelError : see `run.layers.choose_layers`.
    """
    check_share(share)
    pairs = _pairs(model, regions, benchmarks, held_out)
    choices: dict[str, Choice] = {}
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    with Progress(*columns, console=console, transient=True, disable=not console.is_terminal) as progress:
        for public, telling in pairs:
            task = progress.add_task(escape(f"layers of {model} on {public}"), total=None)
            choice = choose_layers(
                model,
                public,
                telling,
                layers=layers or "all",
                share=share,
                seed=seed,
                progress=lambda done, total, task=task: progress.update(task, completed=done, total=total),
            )
            choices[choice.region] = choice
            keep(choice)
    console.print(table(choices))
    console.print(
        f"kept in {choices_path(model)}; used by: brainmark score {model} --layers chosen",
        soft_wrap=True,
        highlight=False,
        markup=False,
    )
    return choices


def _pairs(
    model: str, regions: Sequence[str], benchmarks: Sequence[str], held_out: str | None
) -> list[tuple[str, str | None]]:
    """Benchmarks that choose, each with what tells; names are looked up before anything is computed."""
    for name in (*benchmarks, *([held_out] if held_out else [])):
        _ = registry.benchmarks[name]
    card = registry.models[model].card
    if held_out and len(benchmarks) != 1:
        raise NotApplicable("--held-out tells about one choice; give one --benchmark with it")
    if benchmarks:
        wanted = [name for name in benchmarks if not regions or registry.benchmarks[name].card.region in regions]
        if not wanted:
            raise NotApplicable(f"none of {', '.join(benchmarks)} records from {' or '.join(regions)}")
        return [(name, held_out) for name in wanted]
    for region in regions:
        if region not in PUBLIC:
            raise UnknownName("region", region, PUBLIC, f" (without --benchmark: {', '.join(PUBLIC)})")
    of_domain = [region for region, (name, _) in PUBLIC.items() if registry.benchmarks[name].card.domain == card.domain]
    wanted = regions or [region for region in of_domain if region in card.regions] or of_domain
    return [PUBLIC[region] for region in wanted]


def table(choices: Mapping[str, Choice]) -> RenderableType:
    """Return the choices with the next best layers, one table a region."""
    parts: list[RenderableType] = []
    for region, choice in choices.items():
        told = f"{number(choice.value)} {interval(choice.interval)} on {choice.held_out}"
        mine = "" if choice.committed is None else f"; the layer it commits to: {number(choice.committed)}"
        rows = Table(title=escape(f"{choice.model}: {region}"), title_justify="left", title_style="bold", box=None)
        rows.add_column("layer", overflow="fold")
        rows.add_column("score", justify="right")
        for layer, value in best_first(choice, SHOWN):
            rows.add_row(escape(layer), number(value), style="bold" if layer == choice.chosen.layer else None)
        rest = len(choice.candidates) - SHOWN
        among = f"{f'and {rest} more, ' if rest > 0 else ''}on {choice.public}"
        parts += [rows, escape(among), escape(f"told: {told}{mine}"), ""]
    return Group(*parts[:-1])


def toml_lines(model: str) -> str:
    """Return a model with its chosen layers, and those it commits to for other regions, as part of a models.toml."""
    origin = ", ".join(f"{region} on {choice.public}" for region, choice in kept(model).items())
    lines = [f"# layers chosen for {origin}", f"[{_key(f'{model}-chosen')}]", f"network = {_text(model)}"]
    for region, given in with_chosen_layers(load_model(model), model).regions.items():
        said = _text(given) if isinstance(given, str) else _inline(given.as_table())
        lines.append(f"regions.{_key(region)} = {said}")
    return "\n".join(lines) + "\n"


def _inline(fields: Mapping[str, Any]) -> str:
    """Return a table of texts, numbers, lists and tables on one line."""
    said = (f"{_key(k)} = {_inline(v) if isinstance(v, Mapping) else _text(v)}" for k, v in fields.items())
    return f"{{ {', '.join(said)} }}"


def _key(name: str) -> str:
    return name if BARE.fullmatch(name) else _text(name)


def _text(value: Any) -> str:
    """Return a text, number, truth or list: JSON and TOML say them alike."""
    return json.dumps(value, ensure_ascii=False)


def check_share(share: float) -> None:
    """Refuse a share that leaves none to choose or none to tell. Raises InvalidModel."""
    if not 0 < share < 1:
        raise InvalidModel(f"--share is {share:g}; give a share of the stimuli that choose, between 0 and 1")


def check_figure_path(path: Path) -> None:
    """Refuse a place for the figure that cannot be written to, before anything is computed.

    Raises
    ------
    ResourceError
    """
    from brainmark.cli.scoring import check_report_path

    if path.suffix.lower() not in SUFFIXES:
        raise ResourceError(f"cannot draw {path}: its name ends in none of {', '.join(SUFFIXES)}")
    check_report_path(path, "figure")


def draw(choices: Mapping[str, Choice], path: Path) -> None:
    """Write the figure as an image, or as a page of its own."""
    figure = layer_figure(choices)
    if path.suffix.lower() != ".html":
        figure.savefig(path, dpi=200)
        return
    import html
    import io

    image = io.StringIO()
    figure.savefig(image, format="svg")
    title = html.escape(f"Layers of {next(iter(choices.values())).model}")
    svg = image.getvalue()
    page = f'<!doctype html>\n<html lang="en"><head><meta charset="utf-8"><title>{title}</title></head><body>\n'
    path.write_text(f"{page}<main>{svg[svg.index('<svg') :]}</main></body></html>\n", encoding="utf-8")


__all__ = ["check_figure_path", "check_share", "choose_and_show", "draw", "table", "toml_lines"]
