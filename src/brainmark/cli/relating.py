"""``brainmark relate``: scores of models against each other, as a table, a figure, and a file."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import cast, get_args

from rich.console import Console, Group
from rich.table import Table

from brainmark.analysis.relation_figure import save_figure
from brainmark.analysis.relations import Correction, Method, Relation, cells, relate_all
from brainmark.analysis.score_tables import DETAIL, columns_of, families_of, read_table, table_of
from brainmark.analysis.world_knowledge import category_relations
from brainmark.cli.layers import check_figure_path
from brainmark.cli.scoring import check_report_path, run_and_show
from brainmark.cli.selecting import select_benchmarks, selected
from brainmark.core import registry
from brainmark.core.errors import InvalidModel, UnknownName
from brainmark.core.libraries import pd


@dataclass(frozen=True)
class Wanted:
    """What is related to what.

    Attributes
    ----------
    models : to be scored; empty: those of `table`.
    x : benchmarks (``NAME:DETAIL`` for one of their details), or columns.
    y : benchmarks, nodes of their tree, patterns, or columns.
    table : file of scores to take in place of scoring.
    tasks : file of task scores, which then are the x: overall and by category.
    by_family : whether families of models are taken into account.
    method, correction, seed : see `brainmark.analysis.relations`.
    """

    models: tuple[str, ...]
    x: tuple[str, ...]
    y: tuple[str, ...]
    table: Path | None = None
    tasks: Path | None = None
    by_family: bool = False
    method: str = "pearson"
    correction: str = "fdr"
    seed: int = 0


def relate_and_show(
    wanted: Wanted, figure: Path | None, csv: Path | None, console: Console, cache: bool = True
) -> list[Relation]:
    """Relate, print a table, and write the figure and the file of points if they are wanted.

    Raises
    ------
    UnknownName : no such benchmark, column, method or correction.
    InvalidModel : neither models nor a table, or nothing to relate to.
    InvalidMeasurement : too few models have both.
    """
    for what, name, known in (
        ("method", wanted.method, get_args(Method)),
        ("correction", wanted.correction, get_args(Correction)),
    ):
        if name not in known:
            raise UnknownName(what, name, known, f" ({' or '.join(known)})")
    if bool(wanted.models) == (wanted.table is not None):
        raise InvalidModel("give models to score, or the scores in a file with --table; not both")
    if not wanted.y:
        raise InvalidModel("say which scores are related: --benchmark, -b")
    if bool(wanted.x) == (wanted.tasks is not None):
        raise InvalidModel("say what the scores are related to: --with BENCHMARK, or --tasks FILE; not both")
    if figure is not None:
        check_figure_path(figure)
    if csv is not None:
        check_report_path(csv, "file")
    table, stated = _scores(wanted, console, cache)
    families = families_of(table, stated)
    relations = _relations(wanted, table, families if wanted.by_family else None)
    console.print(_shown(relations))
    if figure is not None:
        save_figure(relations, figure, families)
        console.print(f"figure: {figure}", soft_wrap=True, highlight=False)
    if csv is not None:
        _points(relations, families).to_csv(csv, index=False)
        console.print(f"points: {csv}", soft_wrap=True, highlight=False)
    return relations


def _scores(wanted: Wanted, console: Console, cache: bool) -> tuple[pd.DataFrame, dict[str, str]]:
    """Scores by model, and the families that a file states."""
    if wanted.table is not None:
        scores, families, _ = read_table(wanted.table)
        return scores, families
    benchmarks = [name.partition(DETAIL)[0] for name in wanted.x]
    names, _ = select_benchmarks([*benchmarks, *wanted.y])
    return table_of(run_and_show(selected(registry.models, wanted.models), names, console=console, cache=cache)), {}


def _relations(wanted: Wanted, table: pd.DataFrame, families: dict[str, str] | None) -> list[Relation]:

    ys = columns_of(table, wanted.y if wanted.table is not None else select_benchmarks(wanted.y)[0])
    method, correction = cast("Method", wanted.method), cast("Correction", wanted.correction)
    if wanted.tasks is None:
        pairs = [(x, y) for x in columns_of(table, wanted.x) for y in ys if x != y]
        return relate_all(table, pairs, method=method, families=families, correction=correction, seed=wanted.seed)
    tasks, stated, categories = read_table(wanted.tasks)
    if families is not None:
        families |= stated
    return category_relations(
        table[ys], tasks, categories, method=method, families=families, correction=correction, seed=wanted.seed
    )


def _shown(relations: Sequence[Relation]) -> Group:
    """A table; what all are related to stands above it."""
    same = len({relation.x for relation in relations}) == 1
    table = Table(box=None, header_style="bold")
    for name in ("x", "y")[same:]:
        table.add_column(name, overflow="fold")
    for name in ("r", "95 %", "p", "corrected", "models"):
        table.add_column(name, no_wrap=True)
    for relation in relations:
        table.add_row(*cells(relation)[same:])
    return Group(f"related to {relations[0].x}", table) if same else Group(table)


def _points(relations: Sequence[Relation], families: dict[str, str]) -> pd.DataFrame:
    """One row for each model of each relation."""
    rows = [
        {
            "x": one.x, "y": one.y, "model": model, "family": families.get(model, model), "x value": x, "y value": y,
            "r": one.r, "p": one.p, "corrected p": one.q,
        }
        for one in relations
        for model, x, y in zip(one.models, one.xs, one.ys, strict=True)
    ]  # fmt: skip
    return pd.DataFrame(rows)


__all__ = ["Wanted", "relate_and_show"]
