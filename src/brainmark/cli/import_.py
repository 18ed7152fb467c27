"""``brainmark import``: adds scores that others published to the store, marked with where they come from."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from brainmark.cli.terminal import err
from brainmark.core.errors import DataError
from brainmark.core.wording import plural
from brainmark.store.exchange import import_table
from brainmark.store.results import ResultStore


def import_(
    table: Annotated[Path, typer.Argument(help="A long table, CSV or TSV: a row for each model and benchmark.")],
    source: Annotated[str, typer.Option(help="Where the scores were published; it stands beside each of them.")],
    convention: Annotated[
        str, typer.Option(help="How they were computed, such as brainscore; nothing: as Brainmark does.")
    ] = "",
    column: Annotated[
        list[str] | None,
        typer.Option("--column", "-c", help="NAME=COLUMN where the file calls model, benchmark, value, raw, ceiling, "
                     "low or high otherwise, as in value=score; may be repeated."),
    ] = None,
) -> None:  # fmt: skip
    """Add scores that others published to the store; all of the table, or nothing.

    Example: [bold]brainmark import scores.csv --source 'Someone 2026' --convention brainscore -c value=score[/]

    They stand apart from what was measured here, in every table, and are never mixed with it.
    """
    columns = dict(_split(one) for one in column or ())
    added, before, empty = import_table(
        ResultStore.open(), table, source=source, convention=convention, columns=columns
    )
    told = [f"{added} {plural('score', added)} added"]
    told += [f"{before} were there before"] if before else []
    told += [f"{empty} {plural('row', empty)} without a score left out"] if empty else []
    err.print(f"{table}: {', '.join(told)}", soft_wrap=True, markup=False)


def _split(stated: str) -> tuple[str, str]:
    name, sign, column = stated.partition("=")
    if not sign:
        raise DataError(f"--column {stated}: say NAME=COLUMN, such as value=score")
    return name, column
