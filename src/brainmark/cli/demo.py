"""``brainmark demo``: from nothing to a leaderboard."""

from __future__ import annotations

from pathlib import Path

from rich.console import Console

from brainmark.cli.scoring import check_report_path, report, run_and_show
from brainmark.core import registry
from brainmark.core.errors import DataError
from brainmark.data.fetch import fetch_all
from brainmark.run.origin import data_origin

MODELS = ("pixels", "gabor", "hmax", "voneblock", "simulated-truth")
NOT_FOR_THEM = {"temporal", "many stimuli"}  # tags: they have no dynamics; many stimuli take minutes for each model


def run_demo(console: Console, html: Path, *, offline: bool = False) -> None:
    """Score the four classic models (and the simulated truth) on what can be had here; say which that is."""
    check_report_path(html)
    cards = {e.name: e.card for e in registry.benchmarks.entries() if e.card.domain == "vision"}
    suited = {name: card.datasets for name, card in cards.items() if NOT_FOR_THEM.isdisjoint(card.tags)}
    embedded = [name for name, datasets in suited.items() if not _downloads(datasets)]
    recorded = [name for name in suited if name not in embedded]
    console.print(f"{len(embedded)} benchmarks need no download: {', '.join(embedded)}", highlight=False)
    if offline:
        console.print("real recordings: not looked for (--offline)")
        recorded = []
    else:
        recorded = _reachable(recorded, console)
    outcomes = run_and_show(MODELS, [*embedded, *recorded], console=console)
    console.print(f"report: {report(outcomes, html, 'Brainmark demo')}", soft_wrap=True)


def _downloads(datasets: tuple[str, ...]) -> bool:
    from brainmark.run.origin import origins

    return not {state for d in datasets for state in origins(d)} <= {"simulated", "shipped"}


def _reachable(names: list[str], console: Console) -> list[str]:
    """Fetch what the benchmarks need; return those whose data could be had, and say where from."""
    reachable: list[str] = []
    failed: DataError | None = None
    for name in names:
        datasets = registry.benchmarks[name].card.datasets
        try:
            if failed is None or "missing" not in data_origin(datasets):
                fetch_all([s for d in datasets for s in registry.datasets[d].card.sources], progress=True)
                reachable.append(name)
        except DataError as error:
            failed = error  # one look at the network is enough
    if reachable:
        origins = data_origin({d for n in reachable for d in registry.benchmarks[n].card.datasets})
        console.print(f"{len(reachable)} benchmarks on real recordings, from: {origins}", highlight=False)
    if failed is not None:
        missing = len(names) - len(reachable)
        console.print(
            f"{missing} benchmarks are left out, for want of a mirror or network to get their recordings "
            f"from: {str(failed).splitlines()[0].split(';')[0]}. Set BRAINMARK_MIRROR to a copy of them, or connect.",
            markup=False,
            highlight=False,
        )  # fmt: skip
    return reachable
