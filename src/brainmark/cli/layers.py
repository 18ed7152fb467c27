"""``brainmark layers``: finds the layer for each region; shows a table, a figure, and lines for a models.toml."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Group, RenderableType
from rich.markup import escape
from rich.table import Table

from brainmark.analysis.layer_map import best_first, layer_figure
from brainmark.analysis.output import check_place
from brainmark.analysis.pages import FIGURES, check_page, save_figure
from brainmark.cli.terminal import DeviceOption, JsonFlag, err, out, print_json, print_plain, print_steps, show_progress
from brainmark.core import registry
from brainmark.core.devices import compute_on
from brainmark.core.errors import InvalidModel, NotApplicable, UnknownName
from brainmark.core.lookup import load_model
from brainmark.core.wording import interval, number
from brainmark.run.layer_choice import (
    PUBLIC,
    Choice,
    choices_path,
    choose_layers,
    keep,
    recall_choices,
    with_chosen_layers,
)

SHOWN = 5  # best layers of a region in the table
BARE = re.compile(r"[A-Za-z0-9_-]+")  # keys of TOML that need no quotes


def layers(
    model: Annotated[str, typer.Argument(help="A model by name.")],
    region: Annotated[
        list[str] | None, typer.Option("--region", "-r", help="Only this region; may be given several times.")
    ] = None,
    benchmark: Annotated[
        list[str] | None,
        typer.Option("--benchmark", "-b", help="Benchmark that chooses, instead of the public recordings."),
    ] = None,
    held_out: Annotated[
        str | None, typer.Option(help="Benchmark that scores the choice; without it, stimuli are split.")
    ] = None,
    layer: Annotated[
        list[str] | None,
        typer.Option(
            "--layer", "-l", help="A candidate, or a pattern ('layer3.*', all) in place of the blocks; several times."
        ),
    ] = None,
    share: Annotated[float, typer.Option(help="Share of the stimuli that choose, if they are split.")] = 0.5,
    seed: Annotated[int, typer.Option(help="Seed of the split.")] = 0,
    figure: Annotated[Path | None, typer.Option(help="Draw the map of layers: a .png, .svg, .pdf or .html.")] = None,
    toml: Annotated[Path | None, typer.Option(help="Write the choice as a model of a models.toml.")] = None,
    device: DeviceOption = "cpu",
    as_json: JsonFlag = False,
) -> None:
    """Choose the layer that stands for a region on some recordings, and test it on others.

    The blocks of the network are candidates, such as residual blocks; [bold]-l all[/] takes every layer.

    Examples: [bold]brainmark layers gabor --region V4 --figure layers.png[/],
    [bold]brainmark layers hmax -b Kriegeskorte2008.monkeyIT-rdm[/]
    """
    if figure is not None:
        check_page(figure, "figure", FIGURES)
    if toml is not None:
        check_place(toml, "description")
    if not 0 < share < 1:
        raise InvalidModel(
            f"--share is {share:g}; give the share of stimuli on which the layer is chosen, between 0 and 1"
        )
    console = err if as_json else out
    choices: dict[str, Choice] = {}
    pairs = pair_benchmarks(model, region or [], benchmark or [], held_out)
    with show_progress(console) as progress, compute_on(device):
        for public, telling in pairs:
            lines = print_steps(f"layers of {model} on {public}")
            task = progress.add_task(escape(f"layers of {model} on {public}"), total=None)

            def show(done: int, total: int, task: Any = task, lines: Any = lines) -> None:
                progress.update(task, completed=done, total=total)
                lines(done, total)

            options: dict[str, Any] = {"layers": layer or "blocks", "share": share, "seed": seed, "progress": show}
            choice = choose_layers(model, public, telling, **options)
            choices[choice.region] = choice
            keep(choice)
    console.print(make_table(choices))
    kept_in = f"kept in {choices_path(model)}; used by: brainmark score {model} --layers chosen"
    print_plain(console, kept_in, markup=False)
    if as_json:
        print_json({name: asdict(choice) for name, choice in choices.items()})
    if figure is not None:
        save_figure(layer_figure(choices), figure, f"Layers of {model}")
    if toml is not None:
        toml.write_text(make_toml(model), encoding="utf-8")


def pair_benchmarks(
    model: str, regions: Sequence[str], benchmarks: Sequence[str], held_out: str | None
) -> list[tuple[str, str | None]]:
    """Return benchmarks to choose on, each with the one to test on; names are looked up before anything is computed."""
    for name in (*benchmarks, *([held_out] if held_out else [])):
        _ = registry.benchmarks[name]
    card = registry.models[model].card
    if held_out and len(benchmarks) != 1:
        raise NotApplicable("--held-out scores one choice of layer; give one --benchmark with it")
    if benchmarks:
        wanted = [name for name in benchmarks if not regions or registry.benchmarks[name].card.region in regions]
        if not wanted:
            raise NotApplicable(f"none of {', '.join(benchmarks)} records from {' or '.join(regions)}")
        return [(name, held_out) for name in wanted]
    for region in regions:
        if region not in PUBLIC:
            raise _refuse_region(region)
    of_domain = [region for region, (name, _) in PUBLIC.items() if registry.benchmarks[name].card.domain == card.domain]
    wanted = regions or [region for region in of_domain if region in card.regions] or of_domain
    return [PUBLIC[region] for region in wanted]


def _refuse_region(region: str) -> UnknownName | NotApplicable:
    """Return the error that no public recordings choose a layer for a region, with the benchmarks that could."""
    cards = {entry.name: entry.card for entry in registry.benchmarks.entries()}
    recorded = [name for name, card in cards.items() if card.region == region]
    chosen = f"layers are chosen by themselves for {', '.join(PUBLIC)}"
    if not recorded:
        return UnknownName("region", region, {card.region for card in cards.values()}, f" ({chosen})")
    few = ", ".join(recorded[:5]) + (", ..." if len(recorded) > 5 else "")
    return NotApplicable(f"{chosen}; for {region!r} name the benchmark that chooses, with --benchmark: {few}")


def make_table(choices: Mapping[str, Choice]) -> RenderableType:
    """Return the choices with the next best layers, one table a region."""
    parts: list[RenderableType] = []
    for region, choice in choices.items():
        tested = f"{number(choice.value)} {interval(choice.interval)} on {choice.held_out}"
        mine = "" if choice.committed is None else f"; the layer it commits to: {number(choice.committed)}"
        rows = Table(title=escape(f"{choice.model}: {region}"), title_justify="left", title_style="bold", box=None)
        rows.add_column("layer", overflow="fold")
        rows.add_column("score", justify="right")
        for layer, value in best_first(choice, SHOWN):
            rows.add_row(escape(layer), number(value), style="bold" if layer == choice.chosen.layer else None)
        rest = len(choice.candidates) - SHOWN
        among = f"{f'and {rest} more, ' if rest > 0 else ''}on {choice.public}"
        parts += [rows, escape(among), escape(f"tested: {tested}{mine}"), ""]
    return Group(*parts[:-1])


def make_toml(model: str) -> str:
    """Return a model with its chosen layers, and those it commits to for other regions, as part of a models.toml."""
    origin = ", ".join(f"{region} on {choice.public}" for region, choice in recall_choices(model).items())
    lines = [f"# layers chosen for {origin}", f"[{_write_key(f'{model}-chosen')}]", f"network = {_write_value(model)}"]
    for region, given in with_chosen_layers(load_model(model), model).regions.items():
        value = given if isinstance(given, str) else given.as_table()
        lines.append(f"regions.{_write_key(region)} = {_write_value(value)}")
    return "\n".join(lines) + "\n"


def _write_key(name: str) -> str:
    return name if BARE.fullmatch(name) else _write_value(name)


def _write_value(value: Any) -> str:
    """Return a value on one line of TOML: texts, numbers, truths and lists are as in JSON, tables are not."""
    if isinstance(value, Mapping):
        return f"{{ {', '.join(f'{_write_key(k)} = {_write_value(v)}' for k, v in value.items())} }}"
    return json.dumps(value, ensure_ascii=False)
