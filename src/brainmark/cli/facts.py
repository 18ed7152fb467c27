"""What can be said of a registered thing beyond its card."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from brainmark.cli.showing import ceiling_spread
from brainmark.core.benchmark import Benchmark
from brainmark.core.errors import BrainmarkError
from brainmark.core.registry import Entry, metrics
from brainmark.core.tree import place
from brainmark.data.packaging.folder import read_card
from brainmark.run.origin import data_origin
from brainmark.studies.packaged import names_at, package_at


def facts_of(entry: Entry[Any, Any], load: Callable[[], Any] | None = None) -> dict[str, Any]:
    """Return {"facts": ...}: options of the factory; for data at hand also sizes, ceiling, reliability.

    Nothing is downloaded for it: data that are neither cached nor mirrored are said to be missing. `load` stands for
    the entry's own, where what it loads is used again.
    """
    facts: dict[str, Any] = {"registered by": entry.module}
    if entry.options:
        facts["options"] = [f"{name}={value!r}" for name, value in entry.options.items()]
    if entry.kind == "benchmark":
        facts |= _registered(entry)
    if entry.kind == "dataset" and "packaged" in entry.card.tags:
        facts |= _packaged(entry)
    if entry.kind in ("benchmark", "dataset"):
        facts |= _data_facts(entry, load or entry.load)
    return {"facts": facts}


def _registered(entry: Entry[Any, Any]) -> dict[str, Any]:
    """Place in the tree, and what the metric gives without any relation."""
    facts: dict[str, Any] = {"stands under": " / ".join(place(entry.name, entry.card))}
    if entry.card.metric in metrics:
        chance = metrics[entry.card.metric].card.chance
        facts["chance"] = "depends on the data: see the controls" if chance is None else chance
    return facts


def _packaged(entry: Entry[Any, Any]) -> dict[str, Any]:
    """Benchmarks of a packaged data set, and what was decided when it was made."""
    path = package_at(entry.name)
    if path is None:
        return {}
    told = read_card(path)
    facts: dict[str, Any] = {"identifier": told.identifier}
    facts["benchmarks"] = [f"{entry.name}:{name}" for name in names_at(path)]
    return facts | ({"notes": list(told.notes)} if told.notes else {})


def _data_facts(entry: Entry[Any, Any], load: Callable[[], Any]) -> dict[str, Any]:

    names = entry.card.datasets if entry.kind == "benchmark" else (entry.name,)
    origin = data_origin(names)
    if "missing" in origin:
        return {"data": f"missing; get them with: brainmark fetch {' '.join(names)}"}
    try:
        loaded = load()
        facts = {"data": origin, **_sizes(loaded.target if entry.kind == "benchmark" else loaded.measurement)}
        return facts | (_benchmark_facts(loaded) if entry.kind == "benchmark" else {})
    except BrainmarkError as error:
        return {"data": f"{origin}, but they cannot be loaded: {error}"}


def _sizes(measurement: Any) -> dict[str, Any]:
    return {"measured": ", ".join(f"{n} {d}s" for d, n in measurement.sizes.items())}


def _benchmark_facts(benchmark: Benchmark) -> dict[str, Any]:
    experiment = benchmark.experiment
    facts: dict[str, Any] = {
        "stimuli": f"{len(experiment.stimuli)} ({experiment.stimuli.modality}), {experiment.stimuli.identifier}",
        "asked": repr(experiment.ask),
        "setting": repr(experiment.setting),
        "controls": [c.name for c in benchmark.controls],
    }
    ceiling = benchmark.ceiling_comparison
    if ceiling is None:
        return facts | {"ceiling": "none: these data do not allow to measure one"}
    facts["ceiling"] = benchmark.published.center(ceiling) if benchmark.published else ceiling.aggregate()
    if ceiling.bounds:
        facts["ceiling bounds"] = f"{ceiling.bounds[0]:.3f} – {ceiling.bounds[1]:.3f}"
    facts |= ceiling_spread(ceiling)
    return facts | ceiling.details | ({"notes": list(ceiling.notes)} if ceiling.notes else {})
