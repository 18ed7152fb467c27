"""``brainmark check``: the conformance suite at the prompt."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from rich.console import Console
from rich.markup import escape

from brainmark.testing import run_checks

MARKS = {"passed": "[green]passed [/]", "failed": "[red]failed [/]", "skipped": "[yellow]skipped[/]"}


def check_and_show(names: Sequence[str], console: Console, as_json: Callable[[Any], None] | None) -> bool:
    """Run the checks on packages or registered names; return whether none failed."""
    results: list[Any] = []
    for name in names:
        for result in run_checks(name):
            results.append(result)
            if as_json is None:
                reason = f"\n        {escape(result.message)}" if result.message else ""
                console.print(
                    f"{MARKS[result.outcome]} {escape(result.name)}: {escape(result.check)}{reason}", highlight=False
                )
    count = {o: sum(r.outcome == o for r in results) for o in MARKS}
    if as_json is not None:
        as_json([vars(r) if hasattr(r, "__dict__") else r._asdict() for r in results])
    else:
        console.print(", ".join(f"{n} {outcome}" for outcome, n in count.items()), highlight=False)
    return count["failed"] == 0
