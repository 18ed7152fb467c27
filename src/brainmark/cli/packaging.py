"""``brainmark package``: from a description, or from flags, to a folder that is scored by its path."""

from __future__ import annotations

import tempfile
import tomllib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.markup import escape

from brainmark.cli.packaging_templates import TEMPLATES
from brainmark.core.errors import UnknownName
from brainmark.data.packaging import Prepared, package, parse_description, prepare
from brainmark.data.packaging.description import read_toml
from brainmark.data.packaging.problems import CannotPackage
from brainmark.studies.packaged import names_at

_OF_RECORDINGS = frozenset({"region", "subject", "session", "units", "time_unit", "kind"})


def template(name: str) -> str:
    """Return a description to fill in. Raises UnknownName."""
    if name not in TEMPLATES:
        raise UnknownName("template", name, TEMPLATES, f" (templates: {', '.join(TEMPLATES)})")
    return TEMPLATES[name]


def table_of(given: Sequence[Path], said: Mapping[str, Any], settings: Sequence[str]) -> tuple[dict[str, Any], Path]:
    """Return the description that files and flags make together, and the folder that its paths start from.

    Parameters
    ----------
    given : one TOML file, or files of data.
    said : flags by the name of their field; None: not given.
    settings : ``field=value`` with the value in TOML, or a text; ``recording.field`` is said of every recording.

    Raises
    ------
    CannotPackage : no TOML, or a setting without "=".
    """
    if [p.suffix for p in given] == [".toml"]:
        told, base = read_toml(given[0]), given[0].parent
    else:
        told = {"recording": [{"file": [str(path)]} for path in given]} if given else {}
        base = Path()
    for field, value in said.items():
        if value is not None:
            _put(told, f"recording.{field}" if field in _OF_RECORDINGS else field, value)
    for setting in settings:
        field, equals, value = setting.partition("=")
        if not equals:
            raise CannotPackage(f"--set {setting}", ['say it as field=value, such as recording.stimulus="image"'])
        _put(told, field.strip(), _value(value.strip()))
    return told, base


def _put(told: dict[str, Any], field: str, value: Any) -> None:
    """Put a value at a dotted place; below ``recording``, into every recording."""
    head, _, rest = field.partition(".")
    if not rest:
        told[head] = value
        return
    below = told.setdefault(head, [{}] if head == "recording" else {})
    for one in below if isinstance(below, list) else [below]:
        if isinstance(one, dict):
            _put(one, rest, value)


def _value(text: str) -> Any:
    try:
        return tomllib.loads(f"value = {text}")["value"]
    except tomllib.TOMLDecodeError:
        return text


def stimuli_flag(path: Path | None) -> dict[str, Any]:
    """Return what ``--stimuli`` says: a folder, a table or an archive."""
    if path is None:
        return {}
    kind = {".csv": "table", ".tsv": "table", ".zip": "archive"}.get(path.suffix.lower(), "folder")
    return {f"stimuli.{kind}": str(path)}


def cite_flag(text: str | None) -> dict[str, Any]:
    """Return what ``--cite`` says: BibTeX, or the file that holds it."""
    return {} if text is None else {"cite" if text.lstrip().startswith("@") else "cite_file": text}


def package_and_show(
    told: Mapping[str, Any], base: Path, out: Path | None, console: Console, *, replace: bool, dry_run: bool
) -> dict[str, Any]:
    """Package, say what was made, and return it ready for JSON.

    Raises
    ------
    CannotPackage : lists what is missing or wrong.
    DataError : the folder cannot be written.
    """
    description = parse_description(dict(told), str(told.get("identifier", "the data set")))
    if dry_run:
        with tempfile.TemporaryDirectory() as scratch:
            prepared = prepare(description, base, Path(scratch))
        folder = None
    else:
        folder = out or Path(description.identifier or "packaged")
        prepared = package(description, base, folder, replace=replace)
    summary = _summary(prepared, folder)
    for line in _lines(prepared, folder):
        console.print(line, highlight=False, soft_wrap=True)
    return summary


def _summary(prepared: Prepared, folder: Path | None) -> dict[str, Any]:
    sizes = {str(dim): size for dim, size in prepared.measurement.sizes.items()}
    return {
        "identifier": prepared.card.identifier,
        "folder": None if folder is None else str(folder),
        "measured": sizes,
        "regions": list(prepared.card.regions),
        "notes": list(prepared.notes),
        "benchmarks": _benchmarks(folder),
    }


def _benchmarks(folder: Path | None) -> list[str]:

    return [] if folder is None else [f"{folder}:{name}" for name in names_at(folder)]


def _lines(prepared: Prepared, folder: Path | None) -> list[str]:
    measured = ", ".join(f"{n} {d}s" for d, n in prepared.measurement.sizes.items())
    missing = float(prepared.measurement.isnull().mean())
    told = f"{prepared.card.identifier}: {measured}" + (f"; {missing:.1%} not measured" if missing else "")
    lines = [f"[bold]{escape(told)}[/]", *(f"[yellow]note[/]: {escape(note)}" for note in prepared.notes)]
    if folder is None:
        return [*lines, "nothing is missing; nothing was written"]
    return [
        *lines,
        f"written: {escape(str(folder))}",
        f"next: brainmark check {escape(str(folder))}; brainmark score MODEL -b {escape(str(folder))}",
    ]
