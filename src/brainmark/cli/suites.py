"""``brainmark suites``: the frozen suites of benchmarks, and the members of one."""

from __future__ import annotations

from typing import Annotated

import typer
from rich import box
from rich.console import Group
from rich.table import Table
from rich.text import Text

from brainmark.cli.terminal import JsonFlag, err, out, print_json
from brainmark.core.errors import UnknownName
from brainmark.core.wording import plural
from brainmark.run.suites import Suite, list_suites


def suites(
    name: Annotated[str | None, typer.Argument(help="A suite; all are listed if none is named.")] = None,
    as_json: JsonFlag = False,
) -> None:
    """Show the frozen suites of benchmarks, whose scores compare; or the members of one.

    Examples: [bold]brainmark suites vision-public-1.0[/], [bold]brainmark score alexnet -b vision-public-1.0[/]

    A suite names its benchmarks with their versions. It is never edited, and is refused where one of them has another
    version since.
    """
    known = list_suites()
    if name is not None and name not in known:
        raise UnknownName("suite", name, known, " ('brainmark suites' shows all)")
    chosen = list(known.values()) if name is None else [known[name]]
    if as_json:
        print_json([_describe(suite) for suite in chosen])
    elif name is None:
        out.print(_make_list(chosen))
    else:
        out.print(_make_members(chosen[0]))
        for change in chosen[0].list_changes():
            err.print(f"refused by this version of brainmark: {change}", soft_wrap=True, markup=False)


def _describe(suite: Suite) -> dict[str, object]:
    return {
        "name": suite.name, "released": suite.released, "summary": suite.summary, "digest": suite.digest,
        "scoring": suite.scoring, "recording": suite.recording, "benchmarks": dict(suite.benchmarks),
        "metrics": dict(suite.metrics), "datasets": dict(suite.datasets), "changes": suite.list_changes(),
    }  # fmt: skip


def _make_list(suites: list[Suite]) -> Table:
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    table.add_column("suite", style="bold", overflow="fold", min_width=20)
    table.add_column("released", no_wrap=True)
    table.add_column("benchmarks", justify="right")
    table.add_column("", overflow="fold")
    for suite in suites:
        changed = "refused: members have changed. " if suite.list_changes() else ""
        table.add_row(suite.name, suite.released, str(len(suite.benchmarks)), changed + suite.summary)
    return table


def _make_members(suite: Suite) -> Group:
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    table.add_column("benchmark", overflow="fold", min_width=20)
    table.add_column("version", justify="right")
    for name, version in suite.benchmarks.items():
        table.add_row(name, str(version))
    count = len(suite.benchmarks)
    told = f"{suite.summary} {count} {plural('benchmark', count)}, released {suite.released}, digest {suite.digest}."
    return Group(Text(told), table)
