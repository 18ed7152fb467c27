"""The commands of ``brainmark``."""

from __future__ import annotations

import functools
import json
import os
import sys
import warnings
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console

from brainmark.cli import tables
from brainmark.core import registry
from brainmark.core.errors import BrainmarkError, UnknownName
from brainmark.core.lookup import select

app = typer.Typer(
    name="brainmark",
    help="Scores models of natural intelligence against brains and behaviour.",
    no_args_is_help=True,
    rich_markup_mode="rich",
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)


class Terminal(Console):
    """A console that ends the command quietly when the reader of its output has gone, as `head` does."""

    def on_broken_pipe(self) -> None:
        """Exit as programs do that the signal SIGPIPE ends."""
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        raise SystemExit(BROKEN_PIPE)


BROKEN_PIPE = 141
out = Terminal()
err = Console(stderr=True)


REGISTRIES: dict[str, registry.Registry[Any, Any]] = {
    "models": registry.models,
    "benchmarks": registry.benchmarks,
    "datasets": registry.datasets,
    "metrics": registry.metrics,
}
INTERRUPTED = 130  # what typer exits with after Ctrl-C
JsonFlag = Annotated[bool, typer.Option("--json", help="Print JSON instead of a table.")]


def run() -> None:
    """Run the app; errors made on purpose become one line and an exit code, never a traceback."""
    warnings.showwarning = _show_warning
    try:
        app()
    except BrainmarkError as error:
        err.print(f"[bold red]error[/]: {_escaped(error)}", soft_wrap=True)
        sys.exit(2 if isinstance(error, UnknownName) else 1)
    except OSError as error:
        err.print(f"[bold red]error[/]: {_escaped(error.filename or '')}: {_escaped(error.strerror or error)}")
        sys.exit(1)
    except SystemExit as stop:
        if stop.code == INTERRUPTED:
            err.print("interrupted: finished scores and files are kept, nothing is half-written; "
                      "the same command continues")  # fmt: skip
        raise


def _show_warning(message: Warning | str, *_: Any, **__: Any) -> None:
    err.print(f"[yellow]warning[/]: {_escaped(message)}", soft_wrap=True)


def _escaped(message: object) -> str:
    from rich.markup import escape

    return escape(str(message))


def _version(wanted: bool) -> None:
    if wanted:
        import brainmark

        out.print(brainmark.__version__, highlight=False)
        raise typer.Exit


@app.callback()
def _options(
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Print the version and stop.")
    ] = False,
) -> None: ...


@app.command("list")
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
        _print_json([{"name": e.name, **e.card.model_dump(mode="json")} for e in entries])
    else:
        out.print(tables.listing(kind, entries, out.width))


@app.command()
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
    from brainmark.cli import trees
    from brainmark.cli.selecting import benchmark_cards, nodes_named

    found = [r[name] for r in REGISTRIES.values() if name in r]
    if not found and (nodes := nodes_named(name)):
        if as_json:
            _print_json([trees.node_sheet(node) for node in nodes])
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
    from brainmark.cli.facts import facts_of
    from brainmark.cli.scoring import check_report_path
    from brainmark.cli.showing import check_has_page, write_page

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
        _print_json(shown if len(shown) > 1 else shown[0])
    else:
        for one in shown:
            out.print(tables.sheet(one))
    if html is not None:
        err.print(f"page: {write_page(load, shown[0], html)}", soft_wrap=True)


@app.command()
def score(
    models: Annotated[
        list[str],
        typer.Argument(
            help="Models by name; patterns such as 'hm*' are allowed. Also timm/NAME, torchvision/NAME, "
            "hf/OWNER/NAME, my_module:make_model, NETWORK.pt2, models.toml#NAME."
        ),
    ],
    benchmark: Annotated[
        list[str],
        typer.Option(
            "--benchmark",
            "-b",
            help="Benchmarks by name, pattern, node of their tree or path of a packaged data set (PATH, "
            "PATH:V4-ridge); may be given several times.",
        ),
    ],
    split: Annotated[
        str | None, typer.Option(help="public or private: of nodes, only the benchmarks of this split.")
    ] = None,
    as_json: JsonFlag = False,
    html: Annotated[Path | None, typer.Option(help="Also write a self-contained HTML report.")] = None,
    table: Annotated[
        Path | None, typer.Option(help="Also write one table of all, with means at nodes: a .md or .csv file.")
    ] = None,
    cache: Annotated[bool, typer.Option(help="Use and remember finished scores.")] = True,
    finished: Annotated[
        bool, typer.Option("--finished", help="Only show the scores that are remembered; compute nothing.")
    ] = False,
    layers: Annotated[
        str, typer.Option(help="committed: those of the models; chosen: those that 'brainmark layers' chose.")
    ] = "committed",
    random_weights: Annotated[
        bool, typer.Option("--random-weights", help="Score the untrained twins of the models (NAME:random).")
    ] = False,
    models_file: Annotated[
        Path | None, typer.Option(help="A TOML file that describes models; they go by their names in it.")
    ] = None,
    verbose: Annotated[
        bool, typer.Option("--verbose", "-v", help="Say before each run of a network how much memory it will need.")
    ] = False,
) -> None:
    """Score models on benchmarks.

    Examples: [bold]brainmark score gabor -b Cowley2023.V4-ridge[/],
    [bold]brainmark score pixels gabor hmax -b 'Cowley2023.*' --html report.html[/],
    [bold]brainmark score pixels gabor alexnet:random -b average_vision --table results.md[/]

    A node of the tree (see [bold]brainmark show average_vision[/]) stands for all benchmarks below it; then the table
    is the tree, with means at its nodes.

    Exit code: 0 if every score could be computed or does not apply, 1 if one failed, 2 for unknown names.
    """
    from brainmark.analysis.table import check_table_path, write_table
    from brainmark.cli.scoring import at_nodes, check_report_path, report, run_and_show
    from brainmark.cli.selecting import benchmark_cards, select_benchmarks, selected

    if verbose:
        _announce()
    wanted = list(models)
    if models_file is not None:
        from brainmark.models.toml_models import in_file

        wanted = in_file(models_file, wanted)
    chosen = selected(registry.models, wanted)
    if random_weights:
        chosen = selected(registry.models, [n if ":random" in n else f"{n}:random" for n in chosen])
    names, nodes = select_benchmarks(benchmark, split)
    if html is not None:
        check_report_path(html)
    if table is not None:
        check_report_path(table, "table")
        check_table_path(table)
    console = err if as_json else out
    outcomes = run_and_show(chosen, names, nodes=nodes, console=console, cache=cache, layers=layers, finished=finished)
    if as_json:
        _print_json([o.to_dict() for o in outcomes] + at_nodes(nodes, outcomes))
    if html is not None:
        err.print(f"report: {report(outcomes, html)}", soft_wrap=True)
    if table is not None:
        err.print(f"table: {write_table(table, nodes, outcomes, benchmark_cards())}", soft_wrap=True)
    if any(getattr(o, "kind", "not_applicable") != "not_applicable" for o in outcomes):
        raise typer.Exit(1)


@app.command()
def relate(
    models: Annotated[list[str] | None, typer.Argument(help="Models to score; left out: those of --table.")] = None,
    benchmark: Annotated[
        list[str] | None, typer.Option("--benchmark", "-b", help="What is related: benchmarks, or columns of --table.")
    ] = None,
    to: Annotated[
        list[str] | None,
        typer.Option("--with", help="To what: a benchmark, BENCHMARK:DETAIL of its scores, or a column of --table."),
    ] = None,
    table: Annotated[
        Path | None, typer.Option(help="Take scores from a file: CSV, or what 'score --json' printed.")
    ] = None,
    tasks: Annotated[
        Path | None, typer.Option(help="Scores on tasks (CSV: model, task, category, score) to relate to instead.")
    ] = None,
    by_family: Annotated[
        bool, typer.Option("--by-family", help="Families of models go together: draw and test them as a whole.")
    ] = False,
    method: Annotated[str, typer.Option(help="pearson, or spearman for ranks.")] = "pearson",
    correction: Annotated[str, typer.Option(help="Of p over all relations: fdr or holm.")] = "fdr",
    seed: Annotated[int, typer.Option(help="Of the draws.")] = 0,
    figure: Annotated[Path | None, typer.Option(help="Draw them: a .png, .svg, .pdf or .html.")] = None,
    csv: Annotated[Path | None, typer.Option(help="Write all points to a CSV file.")] = None,
    as_json: JsonFlag = False,
) -> None:
    """Relate scores to each other over models: r with interval and p, and a figure.

    Examples: [bold]brainmark relate 'ngram-*' word-frequency -b 'Frank2015.*-correlation'
    --with 'Wikitext-probability:bits per character' --figure relation.html[/],
    [bold]brainmark relate --table scores.csv -b 'Pereira2018*' --tasks tasks.csv --by-family[/]
    """
    from brainmark.cli.relating import Wanted, relate_and_show

    wanted = Wanted(
        tuple(models or ()), tuple(to or ()), tuple(benchmark or ()), table, tasks, by_family, method, correction, seed
    )
    relations = relate_and_show(wanted, figure, csv, err if as_json else out)
    if as_json:
        _print_json([relation.to_dict() for relation in relations])


@app.command("layers")
def layers_(
    model: Annotated[str, typer.Argument(help="A model by name.")],
    region: Annotated[
        list[str] | None, typer.Option("--region", "-r", help="Only this region; may be given several times.")
    ] = None,
    benchmark: Annotated[
        list[str] | None, typer.Option("--benchmark", "-b", help="What chooses, instead of the public recordings.")
    ] = None,
    held_out: Annotated[
        str | None, typer.Option(help="What tells how good the choice is; without it, stimuli are parted.")
    ] = None,
    layer: Annotated[
        list[str] | None, typer.Option("--layer", "-l", help="Only this candidate; may be given several times.")
    ] = None,
    share: Annotated[float, typer.Option(help="Share of the stimuli that choose, where they are parted.")] = 0.5,
    seed: Annotated[int, typer.Option(help="Of the parting.")] = 0,
    figure: Annotated[Path | None, typer.Option(help="Draw the map of layers: a .png, .svg, .pdf or .html.")] = None,
    toml: Annotated[Path | None, typer.Option(help="Write the choice as a model of a models.toml.")] = None,
    as_json: JsonFlag = False,
) -> None:
    """Choose the layer that stands for a region on some recordings, and tell how good it is on others.

    Examples: [bold]brainmark layers gabor --region V4 --figure layers.png[/],
    [bold]brainmark layers hmax -b Kriegeskorte2008.monkeyIT-rdm[/]
    """
    from dataclasses import asdict

    from brainmark.cli.layers import check_figure_path, choose_and_show, draw, toml_lines
    from brainmark.cli.scoring import check_report_path

    if figure is not None:
        check_figure_path(figure)
    if toml is not None:
        check_report_path(toml)
    console = err if as_json else out
    choices = choose_and_show(
        model, region or [], benchmark or [], held_out, layer or [], share=share, seed=seed, console=console
    )
    if as_json:
        _print_json({name: asdict(choice) for name, choice in choices.items()})
    if figure is not None:
        draw(choices, figure)
    if toml is not None:
        toml.write_text(toml_lines(model), encoding="utf-8")


@app.command()
def demo(
    html: Annotated[Path, typer.Option(help="Where to write the report.")] = Path("report.html"),
    offline: Annotated[bool, typer.Option(help="Do not look for the real recordings.")] = False,
) -> None:
    """Score four models on all benchmarks that need no download, and on real recordings if they can be had."""
    from brainmark.cli.demo import run_demo

    run_demo(out, html, offline=offline)


@app.command()
def fetch(
    names: Annotated[list[str] | None, typer.Argument(help="Datasets or benchmarks.")] = None,
    list_: Annotated[bool, typer.Option("--list", help="Say what is cached, mirrored or missing.")] = False,
    as_json: JsonFlag = False,
) -> None:
    """Download registered data into the cache, with progress and licence.

    Examples: [bold]brainmark fetch Cowley2023.210325[/], [bold]brainmark fetch --list[/]
    """
    from brainmark.cli.fetching import fetch_and_show, status

    if names and not list_:
        fetch_and_show(names, err if as_json else out)
    if list_ or not names or as_json:
        rows = status(names or [])
        _print_json(rows) if as_json else out.print(tables.fetch_status(rows))


@app.command()
def check(
    names: Annotated[list[str], typer.Argument(help="An importable package, names, or paths of packaged data sets.")],
    as_json: JsonFlag = False,
) -> None:
    """Run the conformance suite on all that a package registers, or on single names.

    Examples: [bold]brainmark check my_package[/], [bold]brainmark check gabor Cowley2023.V4-pls[/]
    """
    from brainmark.cli.checking import check_and_show

    if not check_and_show(names, out, _print_json if as_json else None):
        raise typer.Exit(1)


@app.command()
def package(
    given: Annotated[
        list[Path] | None, typer.Argument(metavar="[TOML|FILES]...", help="A description, or files of data.")
    ] = None,
    folder: Annotated[Path | None, typer.Option("--out", "-o", help="The folder to write [./IDENTIFIER].")] = None,
    identifier: Annotated[str | None, typer.Option(help="Author and year, e.g. Lovelace2026.")] = None,
    summary: Annotated[str | None, typer.Option(help="One sentence.")] = None,
    licence: Annotated[str | None, typer.Option(help="Under which others may use the data.")] = None,
    cite: Annotated[str | None, typer.Option(help="BibTeX, or a file that holds it.")] = None,
    species: Annotated[list[str] | None, typer.Option(help="May be given several times.")] = None,
    degrees: Annotated[str | None, typer.Option(help="Width of the images in degrees, or unknown.")] = None,
    duration: Annotated[str | None, typer.Option(help="Of a presentation in ms, or unknown.")] = None,
    stimuli: Annotated[Path | None, typer.Option(help="Folder of images, table (CSV) or archive (ZIP).")] = None,
    region: Annotated[str | None, typer.Option(help="Of all neuroids.")] = None,
    subject: Annotated[str | None, typer.Option(help="Whose neuroids these are.")] = None,
    units: Annotated[str | None, typer.Option(help="Of the values, e.g. spikes/s.")] = None,
    setting: Annotated[
        list[str] | None, typer.Option("--set", help="Any other field, e.g. recording.neuroids='unit_*'.")
    ] = None,
    replace: Annotated[bool, typer.Option("--replace", help="A package that is there already gives way.")] = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only say what is missing.")] = False,
    template: Annotated[
        str | None, typer.Option(help="Print a description: table, arrays, nwb, bids, choices.")
    ] = None,
    as_json: JsonFlag = False,
) -> None:
    """Package a lab's own recordings: one folder that is checked, shown and scored by its path.

    Examples: [bold]brainmark package --template nwb > lab.toml[/], [bold]brainmark package lab.toml[/],
    [bold]brainmark score gabor -b ./Lovelace2026[/]

    What is missing, in the description and in the files, is listed at once; then nothing is written.
    """
    from brainmark.cli import packaging

    if template is not None:
        sys.stdout.write(packaging.template(template))
        return
    said = {
        "identifier": identifier, "summary": summary, "licence": licence, "species": species or None,
        "degrees": _number(degrees), "duration": _number(duration), "region": region, "subject": subject,
        "units": units, **packaging.cite_flag(cite), **packaging.stimuli_flag(stimuli),
    }  # fmt: skip
    told, base = packaging.table_of(given or [], said, setting or [])
    made = packaging.package_and_show(told, base, folder, err if as_json else out, replace=replace, dry_run=dry_run)
    if as_json:
        _print_json(made)


def _number(text: str | None) -> float | str | None:
    """Return a number where the text is one."""
    try:
        return None if text is None else float(text)
    except ValueError:
        return text


@app.command()
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
    folder: Annotated[Path | None, typer.Option("--out", help="Folder of the run [runs/RECIPE-seedSEED].")] = None,
    as_json: JsonFlag = False,
) -> None:
    """Train a small network; interrupted or killed, the same command goes on where it was.

    Examples: [bold]brainmark train[/], [bold]brainmark train cifar-resnet --epochs 2 --out my-run[/],
    [bold]brainmark score checkpoint:my-run -b 'CIFAR10H-*'[/],
    [bold]brainmark train gpt --layers 4 --text my-book.txt[/]
    """
    from brainmark.cli.training import Changes, recipes, train_and_show

    if recipe is None:
        out.print(recipes())
        return
    changes = Changes(epochs, layers, width, tuple(text or ()))
    made = train_and_show(recipe, changes, seed, threads, folder, err if as_json else out)
    if as_json:
        _print_json(made)


@app.command()
def doctor(as_json: JsonFlag = False) -> None:
    """Say which versions, threads, devices, cache and mirrors are in use, what is broken and how to mend it."""
    from brainmark.cli.doctor import examine

    findings = examine()
    _print_json([f.__dict__ for f in findings]) if as_json else out.print(tables.findings(findings))
    if any(f.state == "broken" for f in findings):
        raise typer.Exit(1)


def _announce() -> None:
    """Print what the package logs, such as plans of extractions, on standard error."""
    import logging

    from rich.logging import RichHandler

    log = logging.getLogger("brainmark")
    log.setLevel(logging.INFO)
    log.addHandler(RichHandler(console=err, show_path=False, show_level=False))


def _print_json(value: Any) -> None:
    try:
        sys.stdout.write(json.dumps(value, indent=2, allow_nan=False) + "\n")
        sys.stdout.flush()
    except BrokenPipeError:
        out.on_broken_pipe()
