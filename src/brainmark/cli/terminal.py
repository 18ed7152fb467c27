"""Where commands write: tables and JSON on standard output, the rest on standard error."""

from __future__ import annotations

import json
import os
import sys
from typing import Annotated, Any

import typer
from rich.console import Console


class Terminal(Console):
    """A console that ends the command quietly when the reader of its output has gone, as `head` does."""

    def on_broken_pipe(self) -> None:
        """Exit as programs do that the signal SIGPIPE ends."""
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        raise SystemExit(BROKEN_PIPE)


BROKEN_PIPE = 141
out = Terminal(emoji=False)  # names may hold :x:
err = Console(stderr=True, emoji=False)
JsonFlag = Annotated[bool, typer.Option("--json", help="Print JSON instead of a table.")]


def whole() -> Console:
    """Return the console for tables that a program may read: as wide as they are where there is no terminal."""
    return out if out.is_terminal else Terminal(width=10_000, emoji=False)


def escaped(message: object) -> str:
    """Return a message whose brackets are no markup."""
    from rich.markup import escape

    return escape(str(message))


def show_warning(message: Warning | str, *_: Any, **__: Any) -> None:
    """Print a warning as one line; stands in for `warnings.showwarning`."""
    err.print(f"[yellow]warning[/]: {escaped(message)}", soft_wrap=True)


def announce() -> None:
    """Print what the package logs, such as plans of extractions, on standard error."""
    import logging

    from rich.logging import RichHandler

    log = logging.getLogger("brainmark")
    log.setLevel(logging.INFO)
    log.addHandler(RichHandler(console=err, show_path=False, show_level=False))


def print_json(value: Any) -> None:
    """Write what a program reads on standard output."""
    try:
        sys.stdout.write(json.dumps(value, indent=2, allow_nan=False) + "\n")
        sys.stdout.flush()
    except BrokenPipeError:
        out.on_broken_pipe()


__all__ = ["JsonFlag", "Terminal", "announce", "err", "escaped", "out", "print_json", "show_warning", "whole"]
