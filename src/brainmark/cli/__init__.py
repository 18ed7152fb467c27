"""The command line, a thin layer over the functions that Python users call."""

from __future__ import annotations


def main() -> None:
    """Run the command line."""
    from brainmark.cli.app import run  # all commands are loaded only when one is run

    run()
