"""Selects names on the command line: registered names, patterns, and nodes of the tree."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Annotated, Any, cast, get_args

import typer

from brainmark.core import registry
from brainmark.core.cards import BenchmarkCard
from brainmark.core.errors import DataError, ModelError, UnknownName
from brainmark.core.tree import Node, Visibility, find, names, tree
from brainmark.models.described.toml_files import read_models
from brainmark.models.subjects.features import FeatureSubject, features
from brainmark.run.apart import isolate_command, run_apart
from brainmark.run.suites import list_suites
from brainmark.studies.packaged import expand


def _isolate(context: typer.Context, isolation: str | None) -> str | None:
    context.with_resource(isolate_command(isolation))
    return isolation


IsolationOption = Annotated[
    str | None,
    typer.Option(
        callback=_isolate,
        help="Where code of others runs: auto (a sandbox where there can be one, else a process of its own), sandbox, "
        "process, or none (in this process). Without the option as BRAINMARK_ISOLATION says, or auto.",
    ),
]
"""It holds for the whole command, and the processes that it starts."""


def select_names(known: registry.Registry[Any, Any], wanted: Sequence[str]) -> list[str]:
    """Return the names that names and patterns choose, in order, each once. Raises UnknownName."""
    chosen: dict[str, None] = {}
    for name in wanted:
        if _is_pattern(name):
            hits = [n for n in known if fnmatchcase(n, name)]
            if not hits:
                raise UnknownName(f"{known.kind} pattern", name, known, f" ('brainmark list {known.kind}s' shows all)")
            chosen |= dict.fromkeys(hits)
        else:
            chosen[_name(known, name)] = None
    return list(chosen)


def select_models(wanted: Sequence[str]) -> list[str]:
    """Return the models that names, patterns, families and files choose, in order, each once. Raises UnknownName.

    ``family:NAME`` (or a pattern) stands for the registered models whose cards name this family, and the path of a TOML
    file for all models that it describes.
    """
    names: list[str] = []
    for name in wanted:
        kind, _, family = name.partition(":")
        if kind == "family" and family:
            names += _select_family(family)
        elif name.endswith(".toml") and Path(name).is_file():
            names += [f"{name}#{member}" for member in read_models(Path(name))]
        else:
            names.append(name)
    return select_names(registry.models, names)


def read_features(
    path: Path | None, name: str | None, ids: Path | None, regions: Sequence[str], in_order: bool
) -> list[FeatureSubject]:
    """Return the features that the options of a command state, if they do. Raises DataError, InvalidModel."""
    if path is None:
        odd = next((f for f, v in (("--name", name), ("--ids", ids), ("--region", regions)) if v), None)
        if odd or in_order:
            raise DataError(f"{odd or '--in-order'} is about features; say --features FILE")
        return []
    pairs = [one.partition("=") for one in regions]
    wrong = next((one for one, (_, sign, array) in zip(regions, pairs, strict=True) if not sign or not array), None)
    if wrong:
        raise DataError(f"--region {wrong}: say REGION=ARRAY, such as V4=layer3")
    return [features(path, ids=ids, name=name, regions={r: array for r, _, array in pairs}, in_order=in_order)]


def _select_family(family: str) -> list[str]:
    families: dict[str, list[str]] = {}
    for entry in registry.models.entries():
        families.setdefault(entry.card.family, []).append(entry.name)
    hits = [name for known, some in families.items() if fnmatchcase(known.lower(), family.lower()) for name in some]
    if not hits:
        raise UnknownName("family of models", family, families, " ('brainmark list models' shows all)")
    return hits


def _name(known: registry.Registry[Any, Any], name: str) -> str:
    """Return the name under which a thing is known; a model whose own code fails keeps its name, and fails later."""
    try:
        with run_apart():
            return known[name].name
    except ModelError:
        return name


def select_benchmarks(wanted: Sequence[str], split: str | None = None) -> tuple[list[str], list[Node]]:
    """Return the benchmarks that names, patterns, nodes and suites choose, in order, each once; and the nodes.

    The path of a packaged data set stands for its usual benchmarks. Of nodes, only the benchmarks of the `split`
    ("public" or "private") are chosen, if given. Raises UnknownName.
    """
    if split not in (None, *get_args(Visibility)):
        raise UnknownName("split", split, get_args(Visibility), " (public or private)")
    chosen: dict[str, None] = {}
    nodes: dict[tuple[str, ...], Node] = {}
    for name in wanted:
        if _is_pattern(name) or name in registry.benchmarks:
            chosen |= dict.fromkeys(select_names(registry.benchmarks, [name]))
        elif suite := list_suites().get(name):
            suite.check()
            found = suite.nodes()
            nodes |= {node.path: node for node in found}
            chosen |= dict.fromkeys(leaf for node in found for leaf in node.leaves())
        elif found := find_nodes(name, cast("Visibility | None", split)):
            nodes |= {node.path: node for node in found}
            chosen |= dict.fromkeys(leaf for node in found for leaf in node.leaves())
        elif name not in registry.datasets and registry.datasets.find(name):  # the path of a packaged data set
            chosen |= dict.fromkeys(expand(name))
        elif registry.benchmarks.find(name):  # one of its benchmarks
            chosen[name] = None
        elif split and find_nodes(name):
            raise UnknownName(f"{split} node", name, (), f": no benchmark below it is {split}")
        else:
            check_folder(name)
            known = [*registry.benchmarks, *names(tree(benchmark_cards())), *list_suites()]
            hint = (
                " ('brainmark list benchmarks' shows all, 'brainmark show average_vision' a tree, 'brainmark suites')"
            )
            raise UnknownName("benchmark", name, known, hint)
    outermost = [n for path, n in nodes.items() if not any(path[:i] in nodes for i in range(1, len(path)))]
    return list(chosen), outermost


def benchmark_cards(more: Iterable[str] = ()) -> dict[str, BenchmarkCard]:
    """Return the cards of all registered benchmarks, and of `more` such as those on packaged data, by name."""
    registered = {e.name: e.card for e in registry.benchmarks.entries()}
    found = {name: entry for name in more if name not in registered and (entry := registry.benchmarks.get(name))}
    return registered | {name: entry.card for name, entry in found.items()}


def find_nodes(name: str, split: Visibility | None = None) -> list[Node]:
    """Return the nodes of this name that hold a benchmark (of the split)."""
    return [node for node in find(tree(benchmark_cards(), split), name) if node.leaves()]


def check_folder(name: str) -> None:
    """Raise DataError where an unknown name is meant as the path of a folder, and say what is wrong with it."""
    if not name.startswith(("./", "../", "/")):
        return
    place = name if Path(name).exists() else name.rpartition(":")[0] or name  # PATH:V4-ridge
    if not Path(place).exists():
        raise DataError(f"there is no such folder: {place}")
    raise DataError(f"{place} is no packaged data set: it holds no card.toml ('brainmark package' makes one)")


def _is_pattern(name: str) -> bool:
    return any(c in name for c in "*?[")
