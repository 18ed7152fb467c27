"""``brainmark demo``: scores four models and shows a leaderboard, without downloads."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from brainmark.analysis.pages import check_page
from brainmark.cli.score import score_and_show, write_outcomes
from brainmark.cli.terminal import DeviceOption, out
from brainmark.core import registry
from brainmark.core.devices import compute_on
from brainmark.core.errors import DataError
from brainmark.data.fetch import fetch_all
from brainmark.run.stamp import data_origin, locate_files

MODELS = ("pixels", "gabor", "hmax", "voneblock", "simulated-truth")
NOT_FOR_THEM = {"temporal", "many stimuli"}  # tags: they have no dynamics; many stimuli take minutes for each model


def demo(
    html: Annotated[Path, typer.Option(help="Where to write the report.")] = Path("report.html"),
    offline: Annotated[bool, typer.Option(help="Do not look for the real recordings.")] = False,
    device: DeviceOption = "cpu",
) -> None:
    """Score four models on all benchmarks that need no download, and on real recordings if they can be had."""
    check_page(html, "report")
    cards = {e.name: e.card for e in registry.benchmarks.entries() if e.card.domain == "vision"}
    suited = {name: card.datasets for name, card in cards.items() if NOT_FOR_THEM.isdisjoint(card.tags)}
    at_hand = {"simulated", "shipped"}
    embedded = [n for n, datasets in suited.items() if all(at_hand >= {*locate_files(d)} for d in datasets)]
    out.print(f"{len(embedded)} benchmarks need no download: {', '.join(embedded)}", highlight=False)
    recorded: list[str] = []
    if offline:
        out.print("real recordings: not looked for (--offline)")
    else:
        recorded = _fetch_recordings({n: datasets for n, datasets in suited.items() if n not in embedded})
    with compute_on(device):
        outcomes = score_and_show(MODELS, [*embedded, *recorded], console=out)
    out.print(f"report: {write_outcomes(outcomes, html, 'Brainmark demo')}", soft_wrap=True)


def _fetch_recordings(wanted: dict[str, tuple[str, ...]]) -> list[str]:
    """Fetch what benchmarks (name -> datasets) need; return those whose data could be had, and say where from."""
    reachable: list[str] = []
    failed: DataError | None = None
    for name, datasets in wanted.items():
        try:
            if failed is None or "missing" not in data_origin(datasets):
                fetch_all([s for d in datasets for s in registry.datasets[d].card.sources], progress=True)
                reachable.append(name)
        except DataError as error:
            failed = error  # one look at the network is enough
    if reachable:
        origins = data_origin({d for n in reachable for d in wanted[n]})
        out.print(f"{len(reachable)} benchmarks on real recordings, from: {origins}", highlight=False)
    if failed is not None:
        out.print(
            f"{len(wanted) - len(reachable)} benchmarks are left out, because there is no mirror or network for their "
            f"recordings from: {str(failed).splitlines()[0].split(';')[0]}. Set BRAINMARK_MIRROR to a copy of them, "
            "or connect.",
            markup=False, highlight=False,
        )  # fmt: skip
    return reachable
