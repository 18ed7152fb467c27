"""The command line, a thin layer over the functions that Python users call."""

from __future__ import annotations

import os


def main() -> None:
    """Run the command line."""
    os.environ.setdefault("PYDANTIC_DISABLE_PLUGINS", "__all__")  # it would look through all that is installed
    from brainmark.cli.app import run  # all commands are loaded only when one is run

    run()
