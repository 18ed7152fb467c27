"""``brainmark fetch``: shows which files are cached, mirrored or missing, and downloads them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from fnmatch import fnmatchcase
from typing import Annotated, Any

import typer
from rich import box
from rich.console import Console, RenderableType
from rich.markup import escape
from rich.table import Table

from brainmark.cli.terminal import JsonFlag, err, out, print_json, print_plain
from brainmark.core import DatasetCard, registry
from brainmark.core.errors import UnknownName
from brainmark.core.wording import bytes_text, plural
from brainmark.data.fetch import fetch_all, where
from brainmark.run.stamp import locate_files

COLOURS = {"missing": "red", "damaged": "red", "mirror?": "yellow"}  # of states that are not fine


def fetch(
    names: Annotated[list[str] | None, typer.Argument(help="Datasets or benchmarks.")] = None,
    list_: Annotated[bool, typer.Option("--list", help="Show which files are cached, mirrored or missing.")] = False,
    as_json: JsonFlag = False,
) -> None:
    """Download registered data into the cache, with progress and licence.

    Examples: [bold]brainmark fetch Cowley2023.210325[/], [bold]brainmark fetch --list[/]
    """
    chosen = _choose_datasets(names) if names else list(registry.datasets)
    if names and not list_:
        for name in chosen:
            _fetch_dataset(name, err if as_json else out)
    if list_ or not names or as_json:
        rows = list_files(chosen)
        print_json(rows) if as_json else out.print(make_file_table(rows))


def list_files(names: Sequence[str]) -> list[dict[str, Any]]:
    """Return one row for each dataset: states of its files, number, bytes, licence."""
    cards = {name: registry.datasets[name].card for name in names}
    return [
        {
            "dataset": name, "states": locate_files(name), "files": len(card.sources), "size": _count_bytes(card),
            "licence": card.licence,
        }
        for name, card in cards.items()
    ]  # fmt: skip


def make_file_table(rows: Sequence[Mapping[str, Any]]) -> RenderableType:
    """Return the table of `brainmark fetch --list`."""
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    table.add_column("dataset", overflow="fold", min_width=20)
    table.add_column("state", no_wrap=True)
    for column, fewest in (("files", 5), ("size", max((len(bytes_text(row["size"])) for row in rows), default=4))):
        table.add_column(column, justify="right", no_wrap=True, min_width=fewest)
    table.add_column("licence", overflow="fold", min_width=12)
    for row in rows:
        state = " + ".join(f"[{COLOURS.get(s, 'green')}]{s}[/]" for s in row["states"])
        table.add_row(escape(row["dataset"]), state, str(row["files"]), bytes_text(row["size"]), escape(row["licence"]))
    return table


def _fetch_dataset(name: str, console: Console) -> None:
    """Fetch the files of a dataset, with progress and licence."""
    card = registry.datasets[name].card
    files = f"{len(card.sources)} {plural('file', len(card.sources))}, {bytes_text(_count_bytes(card))}"
    print_plain(console, f"[bold]{name}[/]: {files}; licence: {escape(card.licence)}")
    for source, path in zip(card.sources, fetch_all(card.sources, progress=True), strict=True):
        print_plain(console, f"  {where(source).state}: {escape(str(path))}")
    if "many files" in card.tags:  # the card names a table of them; loading gets those that are not at hand
        registry.datasets[name].load()


def _count_bytes(card: DatasetCard) -> int | None:
    """Return the bytes of all files; None if those of one are not known."""
    sizes = [s.size for s in card.sources if s.size is not None]
    return sum(sizes) if len(sizes) == len(card.sources) else None


def _choose_datasets(names: Sequence[str]) -> list[str]:
    """Return the datasets that names or patterns of datasets or benchmarks choose, each once."""
    chosen: dict[str, None] = {}
    for name in names:
        hits = [n for n in registry.datasets if fnmatchcase(n, name)]
        benchmarks = [b for b in registry.benchmarks if fnmatchcase(b, name)]
        if not hits and not benchmarks:
            known = [*registry.datasets, *registry.benchmarks]
            raise UnknownName("dataset or benchmark", name, known, " ('brainmark list datasets' shows all datasets)")
        chosen |= dict.fromkeys((*hits, *(d for b in benchmarks for d in registry.benchmarks[b].card.datasets)))
    return list(chosen)
