"""The commands of ``brainmark``, and how their errors are shown."""

from __future__ import annotations

import importlib
import keyword
import os
import sys
import threading
import warnings
from typing import Annotated, Any

import typer
from typer.core import TyperCommand, TyperGroup

import brainmark
from brainmark.cli.terminal import err, escape_markup, out, print_warning
from brainmark.core.errors import BrainmarkError, UnknownName, say_what_to_install

COMMANDS = {  # in the order of the help; each is a function in the module of its name; what its help begins with
    "list": "List what is registered, here and in installed packages.",
    "show": "Show what is known of a name: its card, and for data at hand what was measured and its ceiling.",
    "score": "Score models on benchmarks.",
    "run": "Score many models on many benchmarks; interrupted or killed, the same command finishes what is missing.",
    "record": "Write what a model answers to benchmarks to a file, from which others score it without the model.",
    "suites": "Show the frozen suites of benchmarks, whose scores compare; or the members of one.",
    "results": "Show the scores that are kept; nothing is computed.",
    "import": "Add scores that others published to the store; all of the table, or nothing.",
    "relate": "Relate scores to each other over models: r with interval and p, and a figure.",
    "layers": "Choose the layer that stands for a region on some recordings, and test it on others.",
    "demo": "Score four models on all benchmarks that need no download, and on real recordings if they can be had.",
    "cache": "Show the activations that are kept, check them, or remove some; scores are not touched.",
    "fetch": "Download registered data into the cache, with progress and licence.",
    "check": "Test whether models, data sets, metrics and benchmarks keep the rules that scoring relies on.",
    "package": "Package a lab's own recordings: one folder that is checked, shown and scored by its path.",
    "train": "Train a small network; interrupted or killed, the same command goes on where it was.",
    "doctor": "Say which versions, threads, devices, cache and mirrors are used, what is broken and how to repair it.",
}
SETTINGS: dict[str, Any] = {
    "rich_markup_mode": "rich",
    "pretty_exceptions_enable": False,
    "context_settings": {"help_option_names": ["-h", "--help"]},
}


def load_command(name: str) -> Any:
    """Import a command, with all that stands behind it."""
    module = importlib.import_module(f"brainmark.cli.{name}{'_' if keyword.iskeyword(name) else ''}")
    alone = typer.Typer(add_completion=False, **SETTINGS)
    alone.command(name)(getattr(module, f"{name}_", None) or getattr(module, name))
    return typer.main.get_command(alone)


class Commands(TyperGroup):
    """All commands: their names and first lines for the help, and each itself when it is called."""

    def __init__(self, **settings: Any) -> None:
        super().__init__(**settings)
        for name, line in COMMANDS.items():
            self.add_command(TyperCommand(name, help=line))

    def resolve_command(self, ctx: Any, args: list[str]) -> Any:
        """Return name, command and remaining arguments, as the base class does; the command is imported."""
        name, command, rest = super().resolve_command(ctx, args)
        return name, command and load_command(command.name or ""), rest


app = typer.Typer(
    name="brainmark",
    cls=Commands,
    help="Scores models of natural intelligence against brains and behaviour.",
    no_args_is_help=True,
    **SETTINGS,
)

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
    finally:
        _leave_threads(sys.exc_info()[1])


def _leave_threads(stop: BaseException | None) -> None:
    """End the program now if a model left a thread that would keep it from ending."""
    stuck = [t for t in threading.enumerate() if t is not threading.main_thread() and not t.daemon]
    for thread in stuck:
        thread.join(1.0)
    code = stop.code if isinstance(stop, SystemExit) else 0 if stop is None else 1
    if any(thread.is_alive() for thread in stuck) and (stop is None or isinstance(stop, SystemExit)):
        err.print("a thread of a model still runs; it is left")
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code if isinstance(code, int) else 1)
