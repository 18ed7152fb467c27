"""``brainmark cache``: shows, checks and removes the activations that are kept on disk."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated

import typer
from rich.table import Table

from brainmark.cli.terminal import JsonFlag, err, escape_markup, out, print_json
from brainmark.core.errors import DataError, UnknownName
from brainmark.core.wording import bytes_text, plural, read_bytes
from brainmark.models.activations.inventory import KeptLayer, list_kept, prune, verify
from brainmark.models.activations.kept import LIMIT, folder, limit


class Action(StrEnum):
    """What is done with what is kept."""

    SHOW = "show"
    VERIFY = "verify"
    PRUNE = "prune"


def cache(
    action: Annotated[Action, typer.Argument(help="show what is kept; verify every checksum; prune.")] = Action.SHOW,
    to: Annotated[str, typer.Option(help="prune: bytes to leave, such as 5GB; what was used last stays.")] = "",
    model: Annotated[str, typer.Option(help="prune: the model whose activations go, by the name shown.")] = "",
    everything: Annotated[bool, typer.Option("--all", help="prune: all activations go.")] = False,
    as_json: JsonFlag = False,
) -> None:
    """Show the activations that are kept, check them, or remove some; scores are not touched.

    Example: [bold]brainmark cache prune --to 5GB[/]

    What is removed is computed anew when it is needed. BRAINMARK_ACTIVATIONS sets how much is kept.
    """
    if action is not Action.PRUNE and (to or model or everything):
        raise DataError(f"--to, --model and --all belong to: brainmark cache {Action.PRUNE.value}")
    if action is Action.SHOW:
        _show(list_kept(folder()), as_json)
    elif action is Action.VERIFY:
        _verify(as_json)
    else:
        _prune(to, model, everything, as_json)


def _show(kept: list[KeptLayer], as_json: bool) -> None:
    total = sum(one.bytes for one in kept)
    if as_json:
        layers = [one.as_table() for one in kept]
        print_json({"folder": str(folder()), "limit": limit(), "bytes": total, "layers": layers})
        return
    table = Table(box=None, pad_edge=False)
    for name in ("model", "layer"):
        table.add_column(name, overflow="fold")
    for name in ("units", "stimuli", "bytes"):
        table.add_column(name, justify="right")
    for one in kept:
        cells = (one.model, one.layer, str(one.units), str(one.stimuli), bytes_text(one.bytes))
        table.add_row(*map(escape_markup, cells))
    if kept:
        out.print(table)
    room = f"of {bytes_text(limit())} ({LIMIT})" if limit() else f"and none are kept any more: {LIMIT} is 0"
    err.print(f"{bytes_text(total)} of activations are kept in {folder()}, {room}", soft_wrap=True, markup=False)


def _verify(as_json: bool) -> None:
    right, damaged = verify(folder())
    if as_json:
        print_json({"rows": right, "damaged": [{"file": str(path), "reason": why} for path, why in damaged]})
    for path, why in damaged if not as_json else ():
        err.print(f"{path}: {why}; removed", soft_wrap=True, markup=False)
    if not as_json:
        err.print(f"{right} {plural('row', right)} are what was written", markup=False)
    if damaged:
        raise typer.Exit(1)


def _prune(to: str, model: str, everything: bool, as_json: bool) -> None:
    if bool(to) + bool(model) + everything != 1:
        raise DataError("brainmark cache prune: say one of --to 5GB, --model NAME and --all")
    if model and model not in (names := sorted({one.model for one in list_kept(folder())})):
        raise UnknownName("model of kept activations", model, names)
    try:
        removed = prune(folder(), 0 if everything else read_bytes(to) if to else None, model or None)
    except ValueError as error:
        raise DataError(f"--to: {error}") from None
    if as_json:
        print_json({"removed": removed})
    else:
        err.print(f"{bytes_text(removed)} of activations removed", markup=False)
