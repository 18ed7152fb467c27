"""``brainmark package``: turns recordings and their description into a folder that can be scored by its path."""

from __future__ import annotations

import sys
import tempfile
import tomllib
from collections.abc import Mapping, Sequence
from importlib import resources
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.markup import escape

from brainmark.cli.terminal import JsonFlag, err, out, print_json, print_plain
from brainmark.core.errors import UnknownName
from brainmark.data import packaging
from brainmark.data.packaging.description import read_toml
from brainmark.data.packaging.fields import list_fields
from brainmark.data.packaging.problems import CannotPackage
from brainmark.studies.packaged import names_at

TEMPLATES = ("table", "arrays", "nwb", "bids", "choices")
OF_RECORDINGS = frozenset({"region", "subject", "session", "units", "time_unit", "kind"})
STIMULI = {".csv": "table", ".tsv": "table", ".zip": "archive"}  # fields that name them; else a folder


def package(
    given: Annotated[
        list[Path] | None, typer.Argument(metavar="[TOML|FILES]...", help="A description, or files of data.")
    ] = None,
    folder: Annotated[
        Path | None, typer.Option("--out", "-o", help="The folder to write; by default ./IDENTIFIER.")
    ] = None,
    identifier: Annotated[str | None, typer.Option(help="Author and year, e.g. Lovelace2026.")] = None,
    summary: Annotated[str | None, typer.Option(help="One sentence on what was measured, in whom.")] = None,
    licence: Annotated[str | None, typer.Option(help="Licence under which others may use the data.")] = None,
    cite: Annotated[str | None, typer.Option(help="BibTeX entry, or a file with it.")] = None,
    species: Annotated[list[str] | None, typer.Option(help="May be given several times.")] = None,
    degrees: Annotated[str | None, typer.Option(help="Width of the images in degrees, or unknown.")] = None,
    duration: Annotated[str | None, typer.Option(help="Duration of a presentation in ms, or unknown.")] = None,
    stimuli: Annotated[Path | None, typer.Option(help="Folder of images, table (CSV) or archive (ZIP).")] = None,
    region: Annotated[str | None, typer.Option(help="Region of all neuroids.")] = None,
    subject: Annotated[str | None, typer.Option(help="Subject in whom all neuroids were recorded.")] = None,
    units: Annotated[str | None, typer.Option(help="Units of the values, e.g. spikes/s.")] = None,
    setting: Annotated[
        list[str] | None, typer.Option("--set", help="Any other field, e.g. recording.neuroids='unit_*'.")
    ] = None,
    replace: Annotated[bool, typer.Option("--replace", help="Replace an existing package.")] = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only report what is missing.")] = False,
    template: Annotated[
        str | None, typer.Option(help="Print a description: table, arrays, nwb, bids, choices.")
    ] = None,
    fields: Annotated[
        bool, typer.Option("--fields", help="Print all fields of descriptions, with their meaning.")
    ] = False,
    as_json: JsonFlag = False,
) -> None:
    """Package a lab's own recordings: one folder that is checked, shown and scored by its path.

    Examples: [bold]brainmark package --template nwb > lab.toml[/], [bold]brainmark package lab.toml[/],
    [bold]brainmark score gabor -b ./Lovelace2026[/]

    What is missing, in the description and in the files, is listed at once; then nothing is written.
    """
    if template is not None:
        if template not in TEMPLATES:
            raise UnknownName("template", template, TEMPLATES, f" (templates: {', '.join(TEMPLATES)})")
        sys.stdout.write(read_template(template))
        return
    if fields:
        sys.stdout.write(list_fields())
        return
    flags: dict[str, Any] = {
        "identifier": identifier, "summary": summary, "licence": licence, "species": species or None,
        "degrees": _parse_number(degrees), "duration": _parse_number(duration), "region": region, "subject": subject,
        "units": units,
    }  # fmt: skip
    if cite is not None:
        flags["cite" if cite.lstrip().startswith("@") else "cite_file"] = cite
    if stimuli is not None:
        flags[f"stimuli.{STIMULI.get(stimuli.suffix.lower(), 'folder')}"] = str(stimuli)
    told, base = merge_fields(given or [], flags, setting or [])
    description = packaging.parse_description(told, str(told.get("identifier", "the data set")))
    place = None if dry_run else folder or Path(description.identifier or "packaged")
    if place is None:
        with tempfile.TemporaryDirectory() as scratch:
            made = packaging.prepare(description, base, Path(scratch))
    else:
        made = packaging.package(description, base, place, replace=replace)
    print_summary(made, place, to_json=as_json)


def print_summary(made: packaging.Prepared, folder: Path | None, *, to_json: bool) -> None:
    """Print what was packaged, its notes and what to do next; as JSON as well, if that is asked for."""
    sizes = {str(dim): size for dim, size in made.measurement.sizes.items()}
    missing = float(made.measurement.isnull().mean())
    measured = ", ".join(f"{n} {d}s" for d, n in sizes.items()) + (f"; {missing:.1%} not measured" if missing else "")
    where = escape(str(folder))
    lines = [f"[bold]{escape(f'{made.card.identifier}: {measured}')}[/]"]
    lines += [f"[yellow]note[/]: {escape(note)}" for note in made.notes]
    if folder is None:
        lines.append("nothing is missing; nothing was written")
    else:
        lines += [f"written: {where}", f"next: brainmark check {where}; brainmark score MODEL -b {where}"]
    for line in lines:
        print_plain(err if to_json else out, line)
    if to_json:
        print_json({
            "identifier": made.card.identifier,
            "folder": None if folder is None else str(folder),
            "measured": sizes,
            "regions": list(made.card.regions),
            "notes": list(made.notes),
            "benchmarks": [] if folder is None else [f"{folder}:{name}" for name in names_at(folder)],
        })  # fmt: skip


def read_template(name: str) -> str:
    """Return a description to fill in."""
    folder = resources.files("brainmark.cli").joinpath("templates")
    return "".join(folder.joinpath(f"{part}.toml").read_text(encoding="utf-8") for part in ("head", name))


def merge_fields(
    given: Sequence[Path], flags: Mapping[str, Any], settings: Sequence[str]
) -> tuple[dict[str, Any], Path]:
    """Return the description that files and flags make together, and the folder that its paths start from.

    Parameters
    ----------
    given : one TOML file, or files of data.
    flags : values by the name of their field; None: not given.
    settings : ``field=value`` with the value in TOML, or a text; ``recording.field`` holds for every recording.

    Raises
    ------
    CannotPackage : no TOML, or a setting without "=".
    """
    if [p.suffix for p in given] == [".toml"]:
        fields, base = read_toml(given[0]), given[0].parent
    else:
        fields = {"recording": [{"file": [str(path)]} for path in given]} if given else {}
        base = Path()
    for field, value in flags.items():
        if value is not None:
            _put(fields, f"recording.{field}" if field in OF_RECORDINGS else field, value)
    for setting in settings:
        field, equals, text = (part.strip() for part in setting.partition("="))
        if not equals:
            raise CannotPackage(f"--set {setting}", ['say it as field=value, such as recording.stimulus="image"'])
        try:
            value = tomllib.loads(f"value = {text}")["value"]
        except (tomllib.TOMLDecodeError, RecursionError):
            value = text
        _put(fields, field, value)
    return fields, base


def _put(fields: dict[str, Any], field: str, value: Any) -> None:
    """Put a value at a dotted place; below ``recording``, into every recording."""
    head, _, rest = field.partition(".")
    if not rest:
        fields[head] = value
        return
    below = fields.setdefault(head, [{}] if head == "recording" else {})
    for one in below if isinstance(below, list) else [below]:
        if isinstance(one, dict):
            _put(one, rest, value)


def _parse_number(text: str | None) -> float | str | None:
    """Return a number where the text is one."""
    try:
        return None if text is None else float(text)
    except ValueError:
        return text
