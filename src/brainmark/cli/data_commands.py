"""The commands about what is measured: to fetch it, check what is registered, and package what is one's own."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer

from brainmark.cli import packaging, tables
from brainmark.cli.checking import check_and_show
from brainmark.cli.fetching import fetch_and_show, status
from brainmark.cli.terminal import JsonFlag, err, out, print_json


def fetch(
    names: Annotated[list[str] | None, typer.Argument(help="Datasets or benchmarks.")] = None,
    list_: Annotated[bool, typer.Option("--list", help="Say what is cached, mirrored or missing.")] = False,
    as_json: JsonFlag = False,
) -> None:
    """Download registered data into the cache, with progress and licence.

    Examples: [bold]brainmark fetch Cowley2023.210325[/], [bold]brainmark fetch --list[/]
    """
    if names and not list_:
        fetch_and_show(names, err if as_json else out)
    if list_ or not names or as_json:
        rows = status(names or [])
        print_json(rows) if as_json else out.print(tables.fetch_status(rows))


def check(
    names: Annotated[list[str], typer.Argument(help="An importable package, names, or paths of packaged data sets.")],
    as_json: JsonFlag = False,
) -> None:
    """Run the conformance suite on all that a package registers, or on single names.

    Examples: [bold]brainmark check my_package[/], [bold]brainmark check gabor Cowley2023.V4-pls[/]
    """
    if not check_and_show(names, out, print_json if as_json else None):
        raise typer.Exit(1)


def package(
    given: Annotated[
        list[Path] | None, typer.Argument(metavar="[TOML|FILES]...", help="A description, or files of data.")
    ] = None,
    folder: Annotated[
        Path | None, typer.Option("--out", "-o", help="The folder to write; left out, ./IDENTIFIER.")
    ] = None,
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
        print_json(made)


def _number(text: str | None) -> float | str | None:
    """Return a number where the text is one."""
    try:
        return None if text is None else float(text)
    except ValueError:
        return text


__all__ = ["check", "fetch", "package"]
