"""``brainmark show``: shows what is known about a name in the terminal; of a benchmark also as an HTML page."""

from __future__ import annotations

import functools
import warnings
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Group, RenderableType
from rich.markup import escape
from rich.table import Table
from rich.text import Text

from brainmark.analysis.benchmark_page import render_page
from brainmark.analysis.output import write_file
from brainmark.analysis.pages import check_page
from brainmark.cli.list import REGISTRIES
from brainmark.cli.selection import benchmark_cards, check_folder, find_nodes
from brainmark.cli.terminal import JsonFlag, err, out, print_json
from brainmark.core import registry
from brainmark.core.benchmark import Benchmark
from brainmark.core.cards import BenchmarkCard
from brainmark.core.comparison import Comparison
from brainmark.core.errors import BrainmarkError, UnknownName
from brainmark.core.libraries import np
from brainmark.core.registry import Entry, MetricEntry
from brainmark.core.tree import Node, place
from brainmark.core.wording import bytes_text, plural
from brainmark.data.packaging.folder import read_card
from brainmark.models.described.facts import describe_subject
from brainmark.run.stamp import data_origin
from brainmark.studies.packaged import names_at, package_at

BARS = "▁▂▃▄▅▆▇█"
BINS = 24


def show(
    name: Annotated[str, typer.Argument(help="A model, benchmark, dataset or metric, a node of the tree, or a path.")],
    as_json: JsonFlag = False,
    html: Annotated[
        Path | None, typer.Option(help="Also write a page of a benchmark, with stimuli and the spread of the ceiling.")
    ] = None,
) -> None:
    """Show what is known of a name: its card, and for data at hand what was measured and its ceiling.

    A node of the tree of benchmarks is shown with all that stands below it.

    Examples: [bold]brainmark show Cowley2023.V4-pls[/], [bold]brainmark show average_vision[/]
    """
    found: list[Entry[Any, Any]] = [r[name] for r in REGISTRIES.values() if name in r]
    if not found and (nodes := find_nodes(name)):
        if as_json:
            print_json([describe_node(node) for node in nodes])
        else:
            out.print(*(sketch_node(node, benchmark_cards(), len(nodes) > 1) for node in nodes))
        return
    if not found and (packaged := registry.datasets.find(name) or registry.benchmarks.find(name)):
        found = [packaged]
    if not found and (sourced := registry.models.find(name)):
        found = [sourced]
    if not found:
        check_folder(name)
        known = [n for r in REGISTRIES.values() for n in r]
        hint = f" ('brainmark list' with one of {', '.join(REGISTRIES)} shows all names)"
        raise UnknownName("name", name, known, hint)

    first = found[0]
    if html is not None:
        check_page(html, "page")
        if first.kind != "benchmark":
            raise UnknownName("benchmark", name, (), f": it is a {first.kind}, and pages are made of benchmarks")
    load = functools.cache(first.load)  # the ceiling of a benchmark is worth computing once
    shown: list[dict[str, Any]] = [
        {
            "kind": entry.kind, "name": entry.name, "card": entry.card.model_dump(mode="json"),
            "facts": collect_facts(entry, load if entry is first else entry.load),
        }
        for entry in found
    ]  # fmt: skip
    if as_json:
        print_json(shown if len(shown) > 1 else shown[0])
    else:
        out.print(*map(make_sheet, shown))
    if html is not None:
        page = write_file(html, render_page(load(), shown[0]["facts"]), "page")
        err.print(f"page: {page}", soft_wrap=True)


def sketch_node(node: Node, cards: Mapping[str, BenchmarkCard], placed: bool = False) -> RenderableType:
    """Return a node with all that stands below, a line each; `placed`: with the nodes that it stands under."""
    lines: list[RenderableType] = []
    for each in node.walk():
        indent = "  " * (len(each.path) - len(node.path))
        count = len(each.leaves())
        under = f" under {' / '.join(node.path[:-1])}" if placed and each is node else ""
        size = f"  {count} {plural('benchmark', count)}{under}"
        lines.append(Text.assemble(f"{indent}{each.name}", (size, "dim"), style="bold"))
        for name in each.benchmarks:
            private = "  private" if cards[name].visibility == "private" else ""
            lines.append(Text.assemble(f"{indent}  {name}", (private, "yellow")))
        lines += [Text(f"{indent}  {n}  superseded by {after}", style="dim") for n, after in each.superseded]
    return Group(*lines, Text(""))


def describe_node(node: Node) -> dict[str, Any]:
    """Return a node ready for JSON."""
    return {
        "kind": "node", "name": node.name, "path": "/".join(node.path), "benchmarks": node.leaves(),
        "children": [child.name for child in node.children],
        "superseded": {n: after for each in node.walk() for n, after in each.superseded},
    }  # fmt: skip


def make_sheet(shown: Mapping[str, Any]) -> RenderableType:
    """Return all that is known of one thing."""
    table = Table(box=None, show_header=False, pad_edge=False, padding=(0, 2, 0, 0))
    table.add_column(style="dim", no_wrap=True)
    table.add_column(overflow="fold")
    card = {
        key: value for key, value in shown["card"].items() if key not in ("cite", "sources", *shown.get("facts", ()))
    }
    stated = {key: value for key, value in card.items() if value not in (None, [], False, "")}
    for key, value in (*stated.items(), *shown.get("facts", {}).items()):
        if isinstance(value, list | tuple):
            value = ", ".join(map(str, value))
        table.add_row(key, escape(f"{value:.3f}" if isinstance(value, float) else str(value)))
    for source in shown["card"].get("sources", ()):
        digest = f"sha256 {source['sha256']}" if source["sha256"] else f"sha1 {source['sha1']}"
        table.add_row("source", f"{escape(source['url'])}\n{digest}, {bytes_text(source['size'])}")
    head = Text.assemble((shown["name"], "bold"), f"  ({shown['kind']})")
    return Group(head, table, Text(shown["card"]["cite"], style="dim"), Text(""))


def collect_facts(entry: Entry[Any, Any], load: Callable[[], Any]) -> dict[str, Any]:
    """Return the options of a factory; for data at hand also sizes, ceiling and reliability.

    Nothing is downloaded: data that are neither cached nor mirrored are reported as missing. `load` makes the thing.
    """
    facts: dict[str, Any] = {"registered by": entry.module}
    if entry.options:
        facts["options"] = [f"{name}={value!r}" for name, value in entry.options.items()]
    if entry.kind == "benchmark":
        facts["stands under"] = " / ".join(place(entry.name, entry.card))
        if entry.card.metric in registry.metrics:
            facts["chance"] = _describe_chance(registry.metrics[entry.card.metric])
    elif isinstance(entry, MetricEntry):
        return facts | {"ceiling": _describe_ceiling(entry), "chance": _describe_chance(entry)}
    elif entry.kind == "model":
        return facts | _facts_of_model(entry)
    elif entry.kind != "dataset":
        return facts
    elif "packaged" in entry.card.tags and (path := package_at(entry.name)):
        card = read_card(path)
        facts |= {"identifier": card.identifier, "benchmarks": [f"{entry.name}:{name}" for name in names_at(path)]}
        facts |= {"notes": list(card.notes)} if card.notes else {}
    names = entry.card.datasets if entry.kind == "benchmark" else (entry.name,)
    origin = data_origin(names)
    if "missing" in origin:
        return facts | {"data": f"missing; get them with: brainmark fetch {' '.join(names)}"}
    try:
        loaded = load()
        measured = loaded.target if entry.kind == "benchmark" else loaded.measurement
        sizes = ", ".join(f"{n} {d}s" for d, n in measured.sizes.items())
        facts |= {"data": origin, "measured": sizes}
        return facts | (_facts_of_benchmark(loaded) if entry.kind == "benchmark" else {})
    except BrainmarkError as error:
        return facts | {"data": f"{origin}, but they cannot be loaded: {error}"}


def _facts_of_model(entry: Entry[Any, Any]) -> dict[str, Any]:
    """Return what a network commits to; one that can be had without trained weights is made so, to fetch nothing."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # what is guessed is said in the facts
            return describe_subject(entry.load(**({"weights": "random"} if "weights" in entry.options else {})))
    except BrainmarkError as error:
        return {"network": f"cannot be made here: {error}"}


def _describe_chance(metric: MetricEntry) -> float | str:
    chance = metric.card.chance
    return "depends on the data: see the controls" if chance is None else chance


def _describe_ceiling(metric: MetricEntry) -> str:
    """Return which function gives the ceiling, and what data need for it."""
    if metric.make_ceiling is None:
        return "none of its own"
    needed = " or ".join(f"{dim}s" for dim in metric.ceiling_over)
    of = getattr(metric.make_ceiling, "__name__", "given").strip("_<>").replace("_", " ")
    return f"{of}, {f'of data with several {needed}' if needed else 'of any data'}"


def _facts_of_benchmark(benchmark: Benchmark) -> dict[str, Any]:
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
    facts["ceiling"] = benchmark.convention.center(ceiling)
    if ceiling.bounds:
        facts["ceiling bounds"] = f"{ceiling.bounds[0]:.3f} – {ceiling.bounds[1]:.3f}"
    facts |= describe_spread(ceiling)
    return facts | ceiling.details | ({"notes": list(ceiling.notes)} if ceiling.notes else {})


def describe_spread(ceiling: Comparison) -> dict[str, Any]:
    """Return units, quartiles and histogram of a ceiling over its units; nothing where there are not two."""
    values = np.asarray(ceiling.values.values, float).ravel()
    values = values[np.isfinite(values)]
    if len(values) < 2:
        return {}
    low, middle, high = np.percentile(values, [25, 50, 75])
    return {
        "ceiling over": f"{len(values)} {ceiling.unit}s, quartiles {low:.3f}, {middle:.3f}, {high:.3f}",
        "ceiling spread": f"{values.min():.2f} {draw_histogram(values)} {values.max():.2f}",
    }


def draw_histogram(values: Any, bins: int = BINS) -> str:
    """Return counts from least to greatest value as a line of blocks; an empty bin is a space."""
    counts, _ = np.histogram(values, bins=bins)
    heights = np.ceil(counts / counts.max() * len(BARS)).astype(int)
    return "".join(BARS[h - 1] if h else " " for h in heights)
