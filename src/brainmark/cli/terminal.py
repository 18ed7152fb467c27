"""Where commands write: tables and JSON on standard output, the rest on standard error."""

from __future__ import annotations

import json
import logging
import os
import sys
import time
from collections.abc import Callable
from typing import Annotated, Any

import typer
from rich.console import Console, ConsoleOptions, ConsoleRenderable, RenderHook, RenderResult
from rich.logging import RichHandler
from rich.markup import escape
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn
from rich.segment import Segment

from brainmark.core.text import hide_secrets, name_commands

BROKEN_PIPE = 141
_BETWEEN_LINES = 10.0  # seconds


class _Spelling(RenderHook):
    """Spells out, in all that is printed, what would command the terminal (see `name_commands`)."""

    def process_renderables(self, renderables: list[ConsoleRenderable]) -> list[ConsoleRenderable]:
        """Return the renderables, with clean text."""
        return [_Spelt(renderable) for renderable in renderables]


class _Spelt:
    def __init__(self, shown: ConsoleRenderable) -> None:
        self._shown = shown

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        for segment in console.render(self._shown, options):
            yield segment if segment.control else Segment(name_commands(segment.text), segment.style)


class Terminal(Console):
    """A console for names and messages that others wrote; it never obeys what they hold.

    It ends the command quietly when the reader of its output has gone, as `head` does.
    """

    def __init__(self, *, stderr: bool = False, width: int | None = None) -> None:
        super().__init__(stderr=stderr, width=width, emoji=False)  # names may hold :x:
        self.push_render_hook(_Spelling())

    def on_broken_pipe(self) -> None:
        """Exit as programs do that the signal SIGPIPE ends."""
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        raise SystemExit(BROKEN_PIPE)


out = Terminal()
err = Terminal(stderr=True)
JsonFlag = Annotated[bool, typer.Option("--json", help="Print JSON instead of a table.")]
DeviceOption = Annotated[
    str, typer.Option("--device", help="Where networks and metrics compute: cpu, cuda, cuda:1, mps, or auto.")
]
PrecisionOption = Annotated[
    str, typer.Option("--precision", help="In which networks compute: float32, or bfloat16 (faster, less exact).")
]


def escape_markup(message: object) -> str:
    """Return a message as text whose brackets are no markup."""
    return escape(str(message))


def show_progress(console: Console) -> Progress:
    """Return a bar that counts finished tasks; it is disabled where there is no terminal."""
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    return Progress(*columns, console=console, transient=True, disable=not console.is_terminal)


def print_steps(what: str) -> Callable[[int, int], None]:
    """Return what prints a line (done of all) on standard error where no bar is seen: at first, at last, every 10 s."""
    last = [-_BETWEEN_LINES]

    def report(done: int, total: int) -> None:
        now = time.monotonic()
        if not err.is_terminal and (done == total or now - last[0] >= _BETWEEN_LINES):
            last[0] = now
            print_plain(err, f"{what}: {done} of {total}", markup=False)

    return report


def print_warning(message: Warning | str, *_: Any, **__: Any) -> None:
    """Print a warning as one line; stands in for `warnings.showwarning`."""
    err.print(f"[yellow]warning[/]: {escape_markup(hide_secrets(str(message)))}", soft_wrap=True)


def print_log() -> None:
    """Print what the package logs, such as plans of extractions, on standard error."""
    log = logging.getLogger("brainmark")
    log.setLevel(logging.INFO)
    log.addHandler(RichHandler(console=err, show_path=False, show_level=False))


def print_json(value: Any) -> None:
    """Write what a program reads on standard output."""
    write_out(json.dumps(value, indent=2, allow_nan=False) + "\n")


def write_out(text: str) -> None:
    """Write text on standard output as it is."""
    try:
        sys.stdout.write(text)
        sys.stdout.flush()
    except BrokenPipeError:
        out.on_broken_pipe()


def print_plain(console: Console, text: str, **options: Any) -> None:
    """Print lines as they are: not wrapped, and without colours for numbers and paths."""
    console.print(text, soft_wrap=True, highlight=False, **options)
