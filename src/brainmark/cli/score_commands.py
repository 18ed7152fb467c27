"""The commands that score: models on benchmarks, scores against scores, layers against each other."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from brainmark.analysis.table import check_table_path, write_table
from brainmark.cli.layers import check_figure_path, choose_and_show, draw, toml_lines
from brainmark.cli.relating import Wanted, relate_and_show
from brainmark.cli.scoring import at_nodes, check_report_path, report, run_and_show
from brainmark.cli.selecting import benchmark_cards, select_benchmarks, selected
from brainmark.cli.terminal import JsonFlag, announce, err, out, print_json
from brainmark.core import registry
from brainmark.models.sources.toml_models import in_file


def score(
    models: Annotated[
        list[str],
        typer.Argument(
            help="Models by name; patterns such as 'hm*' are allowed. Also timm/NAME, torchvision/NAME, "
            "hf/OWNER/NAME, my_module:make_model, NETWORK.pt2, models.toml#NAME."
        ),
    ],
    benchmark: Annotated[
        list[str],
        typer.Option(
            "--benchmark",
            "-b",
            help="Benchmarks by name, pattern, node of their tree or path of a packaged data set (PATH, "
            "PATH:V4-ridge); may be given several times.",
        ),
    ],
    split: Annotated[
        str | None, typer.Option(help="public or private: of nodes, only the benchmarks of this split.")
    ] = None,
    as_json: JsonFlag = False,
    html: Annotated[Path | None, typer.Option(help="Also write a self-contained HTML report.")] = None,
    table: Annotated[
        Path | None, typer.Option(help="Also write one table of all, with means at nodes: a .md or .csv file.")
    ] = None,
    cache: Annotated[bool, typer.Option(help="Use and remember finished scores.")] = True,
    finished: Annotated[
        bool, typer.Option("--finished", help="Only show the scores that are remembered; compute nothing.")
    ] = False,
    layers: Annotated[
        str, typer.Option(help="committed: those of the models; chosen: those that 'brainmark layers' chose.")
    ] = "committed",
    random_weights: Annotated[
        bool, typer.Option("--random-weights", help="Score the untrained twins of the models (NAME:random).")
    ] = False,
    models_file: Annotated[
        Path | None, typer.Option(help="A TOML file that describes models; they go by their names in it.")
    ] = None,
    verbose: Annotated[
        bool, typer.Option("--verbose", "-v", help="Say before each run of a network how much memory it will need.")
    ] = False,
) -> None:
    """Score models on benchmarks.

    Examples: [bold]brainmark score gabor -b Cowley2023.V4-ridge[/],
    [bold]brainmark score pixels gabor hmax -b 'Cowley2023.*' --html report.html[/],
    [bold]brainmark score pixels gabor alexnet:random -b average_vision --table results.md[/]

    A node of the tree (see [bold]brainmark show average_vision[/]) stands for all benchmarks below it; then the table
    is the tree, with means at its nodes.

    Exit code: 0 if every score could be computed or does not apply, 1 if one failed, 2 for unknown names.
    """
    if verbose:
        announce()
    wanted = list(models)
    if models_file is not None:
        wanted = in_file(models_file, wanted)
    chosen = selected(registry.models, wanted)
    if random_weights:
        chosen = selected(registry.models, [n if ":random" in n else f"{n}:random" for n in chosen])
    names, nodes = select_benchmarks(benchmark, split)
    if html is not None:
        check_report_path(html)
    if table is not None:
        check_report_path(table, "table")
        check_table_path(table)
    console = err if as_json else out
    outcomes = run_and_show(chosen, names, nodes=nodes, console=console, cache=cache, layers=layers, finished=finished)
    if finished and (left := len(chosen) * len(names) - len(outcomes)):
        err.print(
            f"{left} of {len(chosen) * len(names)} scores are not remembered for this version of code and data; "
            "without --finished they are computed",
            soft_wrap=True,
        )
    if as_json:
        print_json([o.to_dict() for o in outcomes] + at_nodes(nodes, outcomes))
    if html is not None:
        err.print(f"report: {report(outcomes, html)}", soft_wrap=True)
    if table is not None:
        err.print(f"table: {write_table(table, nodes, outcomes, benchmark_cards())}", soft_wrap=True)
    if any(getattr(o, "kind", "not_applicable") != "not_applicable" for o in outcomes):
        raise typer.Exit(1)


def relate(
    models: Annotated[list[str] | None, typer.Argument(help="Models to score; left out: those of --table.")] = None,
    benchmark: Annotated[
        list[str] | None, typer.Option("--benchmark", "-b", help="What is related: benchmarks, or columns of --table.")
    ] = None,
    to: Annotated[
        list[str] | None,
        typer.Option("--with", help="To what: a benchmark, BENCHMARK:DETAIL of its scores, or a column of --table."),
    ] = None,
    table: Annotated[
        Path | None, typer.Option(help="Take scores from a file: CSV, or what 'score --json' printed.")
    ] = None,
    tasks: Annotated[
        Path | None, typer.Option(help="Scores on tasks (CSV: model, task, category, score) to relate to instead.")
    ] = None,
    by_family: Annotated[
        bool, typer.Option("--by-family", help="Families of models go together: draw and test them as a whole.")
    ] = False,
    method: Annotated[str, typer.Option(help="pearson, or spearman for ranks.")] = "pearson",
    correction: Annotated[str, typer.Option(help="Of p over all relations: fdr or holm.")] = "fdr",
    seed: Annotated[int, typer.Option(help="Of the draws.")] = 0,
    figure: Annotated[Path | None, typer.Option(help="Draw them: a .png, .svg, .pdf or .html.")] = None,
    csv: Annotated[Path | None, typer.Option(help="Write all points to a CSV file.")] = None,
    as_json: JsonFlag = False,
) -> None:
    """Relate scores to each other over models: r with interval and p, and a figure.

    Examples: [bold]brainmark relate 'ngram-*' word-frequency -b 'Frank2015.*-correlation'
    --with 'Wikitext-probability:bits per character' --figure relation.html[/],
    [bold]brainmark relate --table scores.csv -b 'Pereira2018*' --tasks tasks.csv --by-family[/]
    """
    wanted = Wanted(
        tuple(models or ()), tuple(to or ()), tuple(benchmark or ()), table, tasks, by_family, method, correction, seed
    )
    relations = relate_and_show(wanted, figure, csv, err if as_json else out)
    if as_json:
        print_json([relation.to_dict() for relation in relations])


def layers(
    model: Annotated[str, typer.Argument(help="A model by name.")],
    region: Annotated[
        list[str] | None, typer.Option("--region", "-r", help="Only this region; may be given several times.")
    ] = None,
    benchmark: Annotated[
        list[str] | None, typer.Option("--benchmark", "-b", help="What chooses, instead of the public recordings.")
    ] = None,
    held_out: Annotated[
        str | None, typer.Option(help="What tells how good the choice is; without it, stimuli are parted.")
    ] = None,
    layer: Annotated[
        list[str] | None, typer.Option("--layer", "-l", help="Only this candidate; may be given several times.")
    ] = None,
    share: Annotated[float, typer.Option(help="Share of the stimuli that choose, where they are parted.")] = 0.5,
    seed: Annotated[int, typer.Option(help="Of the parting.")] = 0,
    figure: Annotated[Path | None, typer.Option(help="Draw the map of layers: a .png, .svg, .pdf or .html.")] = None,
    toml: Annotated[Path | None, typer.Option(help="Write the choice as a model of a models.toml.")] = None,
    as_json: JsonFlag = False,
) -> None:
    """Choose the layer that stands for a region on some recordings, and tell how good it is on others.

    Examples: [bold]brainmark layers gabor --region V4 --figure layers.png[/],
    [bold]brainmark layers hmax -b Kriegeskorte2008.monkeyIT-rdm[/]
    """
    from dataclasses import asdict

    if figure is not None:
        check_figure_path(figure)
    if toml is not None:
        check_report_path(toml, "description")
    console = err if as_json else out
    choices = choose_and_show(
        model, region or [], benchmark or [], held_out, layer or [], share=share, seed=seed, console=console
    )
    if as_json:
        print_json({name: asdict(choice) for name, choice in choices.items()})
    if figure is not None:
        draw(choices, figure)
    if toml is not None:
        toml.write_text(toml_lines(model), encoding="utf-8")


__all__ = ["layers", "relate", "score"]
