"""``brainmark check``: the conformance suite at the prompt."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from brainmark.cli.terminal import JsonFlag, escape_markup, out, print_json
from brainmark.testing import run_checks

MARKS = {"passed": "[green]passed [/]", "failed": "[red]failed [/]", "skipped": "[yellow]skipped[/]"}


def check(
    names: Annotated[
        list[str],
        typer.Argument(help="Models, data sets, metrics, benchmarks; a package that registers some; or packaged data."),
    ],
    as_json: JsonFlag = False,
) -> None:
    """Test whether models, data sets, metrics and benchmarks keep the rules that scoring relies on.

    A line is printed for each rule: passed, failed with the reason, or skipped where something is missing. The exit
    status is 1 if a rule is broken.

    Examples: [bold]brainmark check my_package[/], [bold]brainmark check gabor Cowley2023.V4-pls[/]
    """
    outcomes: list[str] = []
    results: list[dict[str, Any]] = []
    for name in names:
        for result in run_checks(name):
            outcomes.append(result.outcome)
            results.append(vars(result))
            if not as_json:
                line = f"{MARKS[result.outcome]} {escape_markup(f'{result.name}: {result.check}')}"
                reason = f"\n        {escape_markup(result.message)}" if result.message else ""
                out.print(f"{line}{reason}", highlight=False)
    if as_json:
        print_json(results)
    else:
        out.print(", ".join(f"{outcomes.count(outcome)} {outcome}" for outcome in MARKS), highlight=False)
    if "failed" in outcomes:
        raise typer.Exit(1)
