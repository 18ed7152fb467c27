"""The commands of ``brainmark``, and how their errors are shown."""

from __future__ import annotations

import sys
import warnings
from typing import Annotated

import typer

import brainmark
from brainmark.cli.check import check
from brainmark.cli.demo import demo
from brainmark.cli.doctor import doctor
from brainmark.cli.fetch import fetch
from brainmark.cli.layers import layers
from brainmark.cli.list import list_
from brainmark.cli.package import package
from brainmark.cli.relate import relate
from brainmark.cli.score import score
from brainmark.cli.show import show
from brainmark.cli.terminal import err, escape_markup, out, print_warning
from brainmark.cli.train import train
from brainmark.core.errors import BrainmarkError, UnknownName, say_what_to_install

app = typer.Typer(
    name="brainmark",
    help="Scores models of natural intelligence against brains and behaviour.",
    no_args_is_help=True,
    rich_markup_mode="rich",
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
for _command in (list_, show, score, relate, layers, demo, fetch, check, package, train, doctor):  # in this order
    app.command(_command.__name__.rstrip("_"))(_command)

INTERRUPTED = 130  # typer exits with this code after Ctrl-C


def _print_version(wanted: bool) -> None:
    if wanted:
        out.print(brainmark.__version__, highlight=False)
        raise typer.Exit


@app.callback()
def _options(
    version: Annotated[
        bool, typer.Option("--version", callback=_print_version, is_eager=True, help="Print the version and stop.")
    ] = False,
) -> None: ...


def run() -> None:
    """Run the app; an error made on purpose becomes one line and an exit code, never a traceback."""
    warnings.showwarning = print_warning
    try:
        with say_what_to_install("this command"):
            app()
    except BrainmarkError as error:
        err.print(f"[bold red]error[/]: {escape_markup(error)}", soft_wrap=True)
        sys.exit(2 if isinstance(error, UnknownName) else 1)
    except OSError as error:
        err.print(
            f"[bold red]error[/]: {escape_markup(error.filename or '')}: {escape_markup(error.strerror or error)}"
        )
        sys.exit(1)
    except SystemExit as stop:
        if stop.code == INTERRUPTED:
            err.print("interrupted: finished scores and files are kept, nothing is half-written; "
                      "the same command continues")  # fmt: skip
        raise
