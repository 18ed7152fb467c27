"""``brainmark relate``: scores of models against each other, as a table, a figure, and a file."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Group, RenderableType
from rich.table import Table

from brainmark.analysis.output import check_place, write_file
from brainmark.analysis.pages import FIGURES, check_page, save_figure
from brainmark.analysis.relation_figure import HEAD, make_cells, relation_figure
from brainmark.analysis.relations import Relation, check_options, relate_all
from brainmark.analysis.score_tables import DETAIL, families_of, make_table, read_table, select_columns
from brainmark.analysis.world_knowledge import relate_categories
from brainmark.cli.score import score_and_show
from brainmark.cli.selection import select_benchmarks, select_names
from brainmark.cli.terminal import JsonFlag, err, out, print_json, print_plain
from brainmark.core import registry
from brainmark.core.errors import InvalidModel
from brainmark.core.libraries import pd
from brainmark.core.text import escape_csv
from brainmark.data.readers.text_tables import TableLayout


def relate(
    models: Annotated[list[str] | None, typer.Argument(help="Models to score; by default those of --table.")] = None,
    benchmark: Annotated[
        list[str] | None, typer.Option("--benchmark", "-b", help="Scores to relate: benchmarks, or columns of --table.")
    ] = None,
    to: Annotated[
        list[str] | None,
        typer.Option(
            "--with",
            help="Relate to a benchmark, BENCHMARK:DETAIL of its scores, or a column of --table.",
        ),
    ] = None,
    table: Annotated[
        Path | None, typer.Option(help="Read scores from a file: CSV, or the output of 'score --json'.")
    ] = None,
    tasks: Annotated[
        Path | None, typer.Option(help="Scores on tasks (CSV: model, task, category, score) to relate to instead.")
    ] = None,
    separator: Annotated[
        str | None, typer.Option(help="Sign between fields of these files; by default a comma, a tab in .tsv and .txt.")
    ] = None,
    decimal: Annotated[str, typer.Option(help="Sign before the decimals of their numbers: . or ,")] = ".",
    by_family: Annotated[
        bool, typer.Option("--by-family", help="Draw and test families of models as a whole.")
    ] = False,
    method: Annotated[str, typer.Option(help="Correlation: pearson, or spearman (of ranks).")] = "pearson",
    correction: Annotated[str, typer.Option(help="Correction of p over all relations: fdr or holm.")] = "fdr",
    seed: Annotated[int, typer.Option(help="Seed of the draws.")] = 0,
    figure: Annotated[Path | None, typer.Option(help="Draw the relations: a .png, .svg, .pdf or .html.")] = None,
    csv: Annotated[Path | None, typer.Option(help="Write all points to a CSV file.")] = None,
    as_json: JsonFlag = False,
) -> None:
    """Relate scores to each other over models: r with interval and p, and a figure.

    Examples: [bold]brainmark relate 'ngram-*' word-frequency -b 'Frank2015.*-correlation'
    --with 'Wikitext-probability:bits per character' --figure relation.html[/],
    [bold]brainmark relate --table scores.csv -b 'Pereira2018*' --tasks tasks.csv --by-family[/]
    """
    check_options(method, correction)
    layout = _check_layout(separator, decimal)
    if not models and table is None:
        raise InvalidModel(
            "name the models whose scores are related, e.g. 'ngram-*', or give their scores: --table FILE"
        )
    if models and table is not None:
        raise InvalidModel("models are scored, or their scores are read from --table FILE; give one of the two")
    if not benchmark:
        raise InvalidModel("name the benchmarks to relate: --benchmark, -b")
    if bool(to) == (tasks is not None):
        raise InvalidModel("name what the scores are related to: --with BENCHMARK, or --tasks FILE; not both")
    if figure is not None:
        check_page(figure, "figure", FIGURES)
    if csv is not None:
        check_place(csv, "file")
    console = err if as_json else out
    if table is not None:
        scores, families, _ = read_table(table, layout)
        ys = select_columns(scores, benchmark)
    else:
        names, _ = select_benchmarks([*(name.partition(DETAIL)[0] for name in to or ()), *benchmark])
        scores = make_table(score_and_show(select_names(registry.models, models or ()), names, console=console))
        families = {}
        ys = select_columns(scores, select_benchmarks(benchmark)[0])
    families = families_of(scores, families)
    options: dict[str, Any] = {"method": method, "correction": correction, "seed": seed}
    if tasks is not None:
        task_scores, stated, categories = read_table(tasks, layout)
        families |= stated
        options["families"] = families if by_family else None
        relations = relate_categories(scores[ys], task_scores, categories, **options)
    else:
        pairs = [(x, y) for x in select_columns(scores, to or ()) for y in ys if x != y]
        relations = relate_all(scores, pairs, families=families if by_family else None, **options)
    console.print(make_relation_table(relations))
    if figure is not None:
        cells = [HEAD, *map(make_cells, relations)]
        save_figure(relation_figure(relations, families), figure, "Relations between scores", cells)
        print_plain(console, f"figure: {figure}")
    if csv is not None:
        points = list_points(relations, families).map(lambda cell: escape_csv(cell) if isinstance(cell, str) else cell)
        write_file(csv, points.to_csv(index=False, lineterminator="\n"), "points")
        print_plain(console, f"points: {csv}")
    if as_json:
        print_json([relation.to_dict() for relation in relations])


def _check_layout(separator: str | None, decimal: str) -> TableLayout:
    """Return how tables are written. Raises InvalidModel."""
    separator = "\t" if separator == "\\t" else separator
    if separator is not None and len(separator) != 1:
        raise InvalidModel(f"--separator is {separator!r}; give one character, such as ';' or '\\t'")
    if decimal not in (".", ","):
        raise InvalidModel(f"--decimal is {decimal!r}; give . or ,")
    return TableLayout(separator=separator, decimal=decimal)


def make_relation_table(relations: Sequence[Relation]) -> RenderableType:
    """Return a table; what all are related to stands above it."""
    same = len({relation.x for relation in relations}) == 1
    table = Table(box=None, header_style="bold")
    for name in HEAD[same:]:
        wide = name in ("x", "y")
        table.add_column(name, no_wrap=not wide, overflow="fold" if wide else "ellipsis")
    for relation in relations:
        table.add_row(*make_cells(relation)[same:])
    return Group(f"related to {relations[0].x}", table) if same else table


def list_points(relations: Sequence[Relation], families: Mapping[str, str]) -> pd.DataFrame:
    """Return one row for each model of each relation."""
    rows = [
        {
            "x": one.x, "y": one.y, "model": model, "family": families.get(model, model), "x value": x, "y value": y,
            "r": one.r, "p": one.p, "corrected p": one.q,
        }
        for one in relations
        for model, x, y in zip(one.models, one.xs, one.ys, strict=True)
    ]  # fmt: skip
    return pd.DataFrame(rows)
