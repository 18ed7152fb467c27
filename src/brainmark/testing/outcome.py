"""Outcomes of checks: passed, failed or skipped, also when other code raises an error."""

from __future__ import annotations

import unittest
from collections.abc import Callable
from typing import TypeVar

from brainmark.core.errors import BrainmarkError

Made = TypeVar("Made")


class CheckFailed(AssertionError):
    """The thing under test breaks a rule; the message says which, where, and what would be right."""


class CheckSkipped(unittest.SkipTest):
    """The check cannot be made here; the message says why. Test runners report it as a skipped test."""


def fail_if(condition: bool, message: str) -> None:
    """Raise `CheckFailed` with `message` if `condition` holds."""
    if condition:
        raise CheckFailed(message)


def describe(error: BaseException) -> str:
    """Return the type and text of an error, in one line."""
    return f"{type(error).__name__}: {' '.join(str(error).split())}".removesuffix(": ")


def attempt(make: Callable[[], Made]) -> Made | Exception:
    """Return what foreign code makes, or the error that it raises, which may be any."""
    try:
        return make()
    except Exception as error:  # noqa: BLE001 - the check that asks for it reports it
        return error


def attempt_here(make: Callable[[], Made]) -> Made | Exception:
    """Call as `attempt` does. Raises CheckSkipped: what it needs is not on this machine."""
    made = attempt(make)
    if isinstance(made, BrainmarkError) and made.kind == "environment":
        raise CheckSkipped(f"cannot be made here: {made}")
    return made
