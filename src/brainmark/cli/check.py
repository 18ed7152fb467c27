"""``brainmark check``: the conformance suite at the prompt."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import Annotated

import typer

from brainmark.cli.terminal import JsonFlag, escape_markup, out, print_json
from brainmark.core.wording import plural
from brainmark.testing import run_checks
from brainmark.testing.description_checks import check_description, is_description
from brainmark.testing.suite import CheckResult

MARKS = {"passed": "[green]passed [/]", "failed": "[red]failed [/]", "skipped": "[yellow]skipped[/]"}


def check(
    names: Annotated[
        list[str],
        typer.Argument(
            help="Models, data sets, metrics, benchmarks; a package that registers some; packaged data, or a "
            "description (TOML) of data."
        ),
    ],
    as_json: JsonFlag = False,
) -> None:
    """Test whether models, data sets, metrics and benchmarks keep the rules that scoring relies on.

    A line is printed for each rule: passed, failed with the reason, or skipped where something is missing. The exit
    status is 1 if a rule is broken.

    Examples: [bold]brainmark check my_package[/], [bold]brainmark check gabor Cowley2023.V4-pls[/],
    [bold]brainmark check lab.toml[/] (all problems of data that are not packaged yet)
    """
    results: list[CheckResult] = []
    for name in names:
        for result in check_description(name) if is_description(name) else run_checks(name):
            if not as_json and _is_new(result, results):
                print_result(result)
            results.append(result)
    if as_json:
        print_json([vars(result) for result in results])
    else:
        _print_repeated(results)
        counts = Counter(result.outcome for result in results)
        out.print(", ".join(f"{counts[outcome]} {outcome}" for outcome in MARKS), highlight=False)
    if any(result.outcome == "failed" for result in results):
        raise typer.Exit(1)


def print_result(result: CheckResult) -> None:
    """Print how a check ended, and why."""
    line = f"{MARKS[result.outcome]} {escape_markup(f'{result.name}: {result.check}')}"
    reason = f"\n        {escape_markup(result.message)}" if result.message else ""
    out.print(f"{line}{reason}", highlight=False)


def _is_new(result: CheckResult, before: Sequence[CheckResult]) -> bool:
    """Return whether a result says more than those before: a reason that was told needs no second time."""
    told = {(r.outcome, r.message) for r in before} if result.message else set[tuple[str, str]]()
    return (result.outcome, result.message) not in told


def _print_repeated(results: Sequence[CheckResult]) -> None:
    """Print for each reason that was told once how many further checks it holds for."""
    for (outcome, message), count in Counter((r.outcome, r.message) for r in results if r.message).items():
        if count > 1:
            also = f"{count - 1} more {plural('check', count - 1)} for the same reason: {message}"
            out.print(f"{MARKS[outcome]} {escape_markup(also)}", highlight=False)
