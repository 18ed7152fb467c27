"""The commands of ``brainmark``."""

from __future__ import annotations

import functools
import sys
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any

import typer

import brainmark
from brainmark.cli import data_commands, score_commands, tables, trees
from brainmark.cli.demo import run_demo
from brainmark.cli.doctor import examine
from brainmark.cli.facts import facts_of
from brainmark.cli.scoring import check_report_path
from brainmark.cli.selecting import benchmark_cards, nodes_named
from brainmark.cli.showing import check_has_page, write_page
from brainmark.cli.terminal import JsonFlag, err, escaped, out, print_json, show_warning, whole
from brainmark.cli.training import Changes, recipes, train_and_show
from brainmark.core import registry
from brainmark.core.errors import BrainmarkError, UnknownName, saying_what_to_install
from brainmark.core.lookup import select

app = typer.Typer(
    name="brainmark",
    help="Scores models of natural intelligence against brains and behaviour.",
    no_args_is_help=True,
    rich_markup_mode="rich",
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)


REGISTRIES: dict[str, registry.Registry[Any, Any]] = {
    "models": registry.models,
    "benchmarks": registry.benchmarks,
    "datasets": registry.datasets,
    "metrics": registry.metrics,
}
INTERRUPTED = 130  # what typer exits with after Ctrl-C


def run() -> None:
    """Run the app; errors made on purpose become one line and an exit code, never a traceback."""
    warnings.showwarning = show_warning
    try:
        with saying_what_to_install("this command"):
            app()
    except BrainmarkError as error:
        err.print(f"[bold red]error[/]: {escaped(error)}", soft_wrap=True)
        sys.exit(2 if isinstance(error, UnknownName) else 1)
    except OSError as error:
        err.print(f"[bold red]error[/]: {escaped(error.filename or '')}: {escaped(error.strerror or error)}")
        sys.exit(1)
    except SystemExit as stop:
        if stop.code == INTERRUPTED:
            err.print("interrupted: finished scores and files are kept, nothing is half-written; "
                      "the same command continues")  # fmt: skip
        raise


def _version(wanted: bool) -> None:
    if wanted:
        out.print(brainmark.__version__, highlight=False)
        raise typer.Exit


@app.callback()
def _options(
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Print the version and stop.")
    ] = False,
) -> None: ...


def list_(
    kind: Annotated[str, typer.Argument(help="models, benchmarks, datasets or metrics.")],
    region: Annotated[str | None, typer.Option(help="Only this region, e.g. V4.")] = None,
    domain: Annotated[str | None, typer.Option(help="Only this domain, e.g. vision.")] = None,
    as_json: JsonFlag = False,
) -> None:
    """List what is registered, here and in installed packages.

    Examples: [bold]brainmark list benchmarks[/], [bold]brainmark list models --region V4 --json[/]
    """
    if kind not in REGISTRIES:
        raise UnknownName("kind", kind, REGISTRIES, f" (kinds: {', '.join(REGISTRIES)})")
    entries = select(REGISTRIES[kind], region, domain)
    if as_json:
        print_json([{"name": e.name, **e.card.model_dump(mode="json")} for e in entries])
    else:
        whole().print(tables.listing(kind, entries, out.width if out.is_terminal else None))


def show(
    name: Annotated[str, typer.Argument(help="A model, benchmark, dataset or metric, a node of the tree, or a path.")],
    as_json: JsonFlag = False,
    html: Annotated[
        Path | None, typer.Option(help="Of a benchmark, also write a page with stimuli and the ceiling's spread.")
    ] = None,
) -> None:
    """Show what is known of a name: its card, and for data at hand what was measured and its ceiling.

    A node of the tree of benchmarks is shown with all that stands below it.

    Examples: [bold]brainmark show Cowley2023.V4-pls[/], [bold]brainmark show average_vision[/]
    """
    found = [r[name] for r in REGISTRIES.values() if name in r]
    if not found and (nodes := nodes_named(name)):
        if as_json:
            print_json([trees.node_sheet(node) for node in nodes])
        else:
            out.print(*(trees.sketch(node, benchmark_cards()) for node in nodes))
        return
    if not found and (packaged := registry.datasets.find(name) or registry.benchmarks.find(name)):
        found = [packaged]
    if not found and any(c in name for c in ":/#."):
        found = [registry.models[name]]
    if not found:
        known = [n for r in REGISTRIES.values() for n in r]
        raise UnknownName("name", name, known, " ('brainmark list benchmarks' shows all benchmarks)")

    if html is not None:
        check_report_path(html)
        check_has_page(found[0])
    load = functools.cache(found[0].load)  # the ceiling of a benchmark is worth computing once
    facts = [facts_of(e, load if e is found[0] else None) for e in found]
    shown = [
        {"kind": e.kind, "name": e.name, "card": e.card.model_dump(mode="json"), **known}
        for e, known in zip(found, facts, strict=True)
    ]
    if as_json:
        print_json(shown if len(shown) > 1 else shown[0])
    else:
        for one in shown:
            out.print(tables.sheet(one))
    if html is not None:
        err.print(f"page: {write_page(load, shown[0], html)}", soft_wrap=True)


def demo(
    html: Annotated[Path, typer.Option(help="Where to write the report.")] = Path("report.html"),
    offline: Annotated[bool, typer.Option(help="Do not look for the real recordings.")] = False,
) -> None:
    """Score four models on all benchmarks that need no download, and on real recordings if they can be had."""
    run_demo(out, html, offline=offline)


def train(
    recipe: Annotated[str | None, typer.Argument(help="A recipe by name; left out, they are listed.")] = None,
    epochs: Annotated[int | None, typer.Option(help="Passes over images or text, if not the recipe's.")] = None,
    layers: Annotated[int | None, typer.Option(help="Of a language model, if not the recipe's.")] = None,
    width: Annotated[int | None, typer.Option(help="Units of each layer, a multiple of 32.")] = None,
    text: Annotated[
        list[str] | None, typer.Option(help="A text file, or books, wikitext or brown; may be given several times.")
    ] = None,
    seed: Annotated[int, typer.Option(help="Of weights, order and variants.")] = 0,
    threads: Annotated[int, typer.Option(help="Of the arithmetic; other numbers change the last bits.")] = 2,
    folder: Annotated[
        Path | None, typer.Option("--out", help="Folder of the run; left out, runs/RECIPE-seedSEED.")
    ] = None,
    as_json: JsonFlag = False,
) -> None:
    """Train a small network; interrupted or killed, the same command goes on where it was.

    Examples: [bold]brainmark train[/], [bold]brainmark train cifar-resnet --epochs 2 --out my-run[/],
    [bold]brainmark score checkpoint:my-run -b 'CIFAR10H-*'[/],
    [bold]brainmark train gpt --layers 4 --text my-book.txt[/]
    """
    if recipe is None:
        out.print(recipes())
        return
    changes = Changes(epochs, layers, width, tuple(text or ()))
    made = train_and_show(recipe, changes, seed, threads, folder, err if as_json else out)
    if as_json:
        print_json(made)


def doctor(as_json: JsonFlag = False) -> None:
    """Say which versions, threads, devices, cache and mirrors are in use, what is broken and how to mend it."""
    findings = examine()
    print_json([f.__dict__ for f in findings]) if as_json else out.print(tables.findings(findings))
    if any(f.state == "broken" for f in findings):
        raise typer.Exit(1)


COMMANDS: dict[str, Callable[..., None]] = {  # in the order that the help shows them
    "list": list_,
    "show": show,
    "score": score_commands.score,
    "relate": score_commands.relate,
    "layers": score_commands.layers,
    "demo": demo,
    "fetch": data_commands.fetch,
    "check": data_commands.check,
    "package": data_commands.package,
    "train": train,
    "doctor": doctor,
}
for _name, _command in COMMANDS.items():
    app.command(_name)(_command)
