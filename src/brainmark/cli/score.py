"""``brainmark score``: progress while it runs, then the table and the report."""

from __future__ import annotations

import time
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any, NoReturn, get_args

import typer
from rich.console import Console
from rich.markup import escape

from brainmark.analysis.hierarchy import node_scores
from brainmark.analysis.output import check_place
from brainmark.analysis.pages import check_page
from brainmark.analysis.report import write_report
from brainmark.analysis.table import FORMATS, write_table
from brainmark.cli.selection import (
    IsolationOption,
    benchmark_cards,
    read_features,
    select_benchmarks,
    select_models,
    select_names,
)
from brainmark.cli.tables import make_leaderboard, make_tree_table
from brainmark.cli.terminal import (
    DeviceOption,
    JsonFlag,
    PrecisionOption,
    err,
    out,
    print_json,
    print_log,
    show_progress,
)
from brainmark.core import registry
from brainmark.core.devices import check_precision, compute_on
from brainmark.core.errors import UnknownName
from brainmark.core.score import Failure, Outcome
from brainmark.core.subject import name_of
from brainmark.core.tree import Node
from brainmark.models.described.toml_files import in_file
from brainmark.run.apart import run_apart
from brainmark.run.execution import score_all
from brainmark.run.scoring import Layers
from brainmark.run.stamp import data_origin

NOT_REMEMBERED = "no score is remembered for this version of code and data"
INCOMPLETE = 3
"""Exit code where no score failed, but some are missing."""
QUIET = 20.0
"""Seconds, at least, between two lines on progress where there is no terminal."""


def score(
    benchmark: Annotated[
        list[str],
        typer.Option(
            "--benchmark",
            "-b",
            help="Benchmarks by name, pattern, node of their tree, suite, or path of a packaged data set (PATH, "
            "PATH:V4-ridge); may be given several times.",
        ),
    ],
    models: Annotated[
        list[str] | None,
        typer.Argument(
            help="Models by name; patterns such as 'hm*' and families such as 'family:cornet' are allowed. Also "
            "timm/NAME, torchvision/NAME, hf/OWNER/NAME, my_module:make_model, NETWORK.pt2, models.toml#NAME."
        ),
    ] = None,
    split: Annotated[
        str | None, typer.Option(help="public or private: use only the benchmarks of this split below a node.")
    ] = None,
    as_json: JsonFlag = False,
    html: Annotated[Path | None, typer.Option(help="Also write a self-contained HTML report.")] = None,
    table: Annotated[
        Path | None, typer.Option(help="Also write one table of all, with means at nodes: a .md or .csv file.")
    ] = None,
    cache: Annotated[bool, typer.Option(help="Use and keep finished scores.")] = True,
    finished: Annotated[
        bool, typer.Option("--finished", help="Only show the scores that were kept; compute nothing.")
    ] = False,
    layers: Annotated[
        str,
        typer.Option(help="committed: the layers of the models; chosen: those of 'brainmark layers'."),
    ] = "committed",
    random_weights: Annotated[
        bool, typer.Option("--random-weights", help="Score the untrained twins of the models (NAME:random).")
    ] = False,
    models_file: Annotated[
        Path | None, typer.Option(help="A TOML file that describes models, which can then be named without the file.")
    ] = None,
    device: DeviceOption = "cpu",
    precision: PrecisionOption = "float32",
    isolation: IsolationOption = None,
    features: Annotated[
        Path | None,
        typer.Option(
            help="Score features or answers that were computed elsewhere, without a model: FILE.npy, FILE.npz or "
            "FILE.nc (stimuli x units)."
        ),
    ] = None,
    name: Annotated[str | None, typer.Option(help="Of the features, in tables; else that of the file.")] = None,
    ids: Annotated[
        Path | None,
        typer.Option(help="Stimulus of each row of the features: lines, or a table with a column stimulus_id."),
    ] = None,
    region: Annotated[
        list[str] | None,
        typer.Option(help="REGION=ARRAY of the features that stands for it, as in V4=layer3; may be repeated."),
    ] = None,
    in_order: Annotated[
        bool, typer.Option("--in-order", help="Rows of the features are in the order of the benchmark's stimuli.")
    ] = False,
    verbose: Annotated[
        bool, typer.Option("--verbose", "-v", help="Print before each run of a network how much memory it will need.")
    ] = False,
) -> None:
    """Score models on benchmarks.

    Examples: [bold]brainmark score gabor -b Cowley2023.V4-ridge[/],
    [bold]brainmark score pixels gabor hmax -b 'Cowley2023.*' --html report.html[/],
    [bold]brainmark score pixels gabor alexnet:random -b average_vision --table results.md[/],
    [bold]brainmark score --features clip.npz --name lab/clip -b Cowley2023.V4-ridge[/]

    A node of the tree (see [bold]brainmark show average_vision[/]) stands for all benchmarks below it; then the table
    is the tree, with means at its nodes.

    Exit code: 0 if all that was asked for was scored; 1 if a score failed; 3 if none failed, but some do not apply to a
    model, or with --finished are not remembered; 2 for unknown names and wrong options.
    """
    del isolation  # it holds already
    if verbose:
        print_log()
    given = models or []
    chosen: list[Any] = select_models(given if models_file is None else in_file(models_file, given))
    if random_weights:
        chosen = select_names(registry.models, [n if ":random" in n else f"{n}:random" for n in chosen])
    chosen += read_features(features, name, ids, region or (), in_order)
    if not chosen:
        raise typer.BadParameter("name at least one model, or a file of features", param_hint="MODELS")
    names, nodes = select_benchmarks(benchmark, split)
    if html is not None:
        check_page(html, "report")
    if table is not None:
        check_place(table, "table", FORMATS)
    console = err if as_json else out
    with compute_on(device, check_precision(precision)):
        outcomes = score_and_show(
            chosen, names, nodes=nodes, console=console, cache=cache, layers=layers, finished=finished
        )
    if left := sum(isinstance(o, Failure) and o.kind == "not_run" for o in outcomes):
        err.print(
            f"{left} of {len(chosen) * len(names)} scores are not remembered for this version of code and data; "
            "without --finished they are computed",
            soft_wrap=True,
        )
    hand_over(outcomes, names, nodes, as_json=as_json, html=html, table=table)


def hand_over(
    outcomes: Sequence[Outcome],
    names: Sequence[str],
    nodes: Sequence[Node],
    *,
    as_json: bool,
    html: Path | None,
    table: Path | None,
) -> NoReturn:
    """Print and write what was asked for beside the tables in the terminal, and end with the exit code."""
    if as_json:
        means = node_scores(nodes, outcomes, benchmark_cards(names)) if nodes else {}
        print_json([one.to_dict() for one in (*outcomes, *means.values())])
    if html is not None:
        err.print(f"report: {write_outcomes(outcomes, html)}", soft_wrap=True)
    if table is not None:
        err.print(f"table: {write_table(table, nodes, outcomes, benchmark_cards(names))}", soft_wrap=True)
    raise typer.Exit(find_exit_code(outcomes))


def find_exit_code(outcomes: Sequence[Outcome]) -> int:
    """Return 0 if all outcomes are scores, 1 if one failed, 3 if the others do not apply or were not run."""
    missing = {o.kind for o in outcomes if isinstance(o, Failure)}
    if not missing:
        return 0
    return INCOMPLETE if missing <= {"not_applicable", "not_run"} else 1


def score_and_show(
    models: Sequence[Any],
    benchmarks: Sequence[str],
    *,
    console: Console,
    nodes: Sequence[Node] = (),
    cache: bool = True,
    layers: str = "committed",
    finished: bool = False,
) -> list[Outcome]:
    """Score all, print the leaderboard, and return the outcomes; with `finished`, also of what was not run.

    Where there is no terminal for a bar, a line tells at times how far it is. Interrupted, it prints what is finished
    and raises KeyboardInterrupt. Raises UnknownName for unknown `layers`.
    """
    if layers not in get_args(Layers):
        raise UnknownName("layers", layers, get_args(Layers), f" ({' or '.join(get_args(Layers))})")
    outcomes: list[Outcome] = []
    names = [one if isinstance(one, str) else name_of(one) for one in models]
    total, last_line = len(models) * len(benchmarks), time.monotonic()
    try:
        with show_progress(console) as progress:
            task = progress.add_task("starting", total=total)

            def announce(model: str, benchmark: str) -> None:
                nonlocal last_line
                pair = escape(f"{model} on {benchmark}")
                progress.update(task, description=pair, completed=len(outcomes))
                if progress.disable and time.monotonic() - last_line > QUIET:
                    last_line = time.monotonic()
                    err.print(f"{len(outcomes)} of {total} scores: {pair}", soft_wrap=True)

            options: dict[str, Any] = {"cache": cache, "layers": layers, "started": announce, "finished": finished}
            outcomes.extend(score_all(models, benchmarks, **options))
        if finished:
            outcomes = _add_missing(names, benchmarks, outcomes)
    finally:
        order = {pair: number for number, pair in enumerate((m, b) for b in benchmarks for m in names)}
        outcomes.sort(key=lambda one: order.get((one.subject, one.benchmark), 0))
        show_outcomes(outcomes, benchmarks, nodes, console)
    return outcomes


def show_outcomes(
    outcomes: Sequence[Outcome], benchmarks: Sequence[str], nodes: Sequence[Node], console: Console
) -> None:
    """Print outcomes: what stands below one of `nodes` as their tree, with means; the rest benchmark by benchmark."""
    below = {leaf for node in nodes for leaf in node.leaves()}
    if alone := [o for o in outcomes if o.benchmark not in below]:
        console.print(make_leaderboard(alone, console.width))
    if len(alone) < len(outcomes):
        console.print(make_tree_table(nodes, outcomes, benchmark_cards(benchmarks), console.width))


def _add_missing(models: Sequence[str], benchmarks: Sequence[str], outcomes: Sequence[Outcome]) -> list[Outcome]:
    """Return the outcomes of all models on all benchmarks in their order, failures where none is remembered."""
    known = {(o.subject, o.benchmark): o for o in outcomes}
    pairs = [(model, name) for name in benchmarks for model in models]
    return [known.get(pair) or Failure(pair[1], pair[0], "not_run", NOT_REMEMBERED) for pair in pairs]


def write_outcomes(outcomes: Sequence[Outcome], path: Path, title: str = "Brainmark") -> Path:
    """Write the HTML report of these outcomes; return its path."""
    benchmarks = [entry for o in outcomes if (entry := registry.benchmarks.get(o.benchmark))]
    with run_apart():
        models = [entry for o in outcomes if (entry := registry.models.get(o.subject))]
    cards = {e.name: e.card for e in (*benchmarks, *models)}
    where_from = {d: data_origin([d]) for e in benchmarks for d in e.card.datasets}
    return write_report(outcomes, path, title=title, cards=cards, where_from=where_from)
