"""Outcomes of checks: passed, failed or skipped, also when other code raises an error."""

from __future__ import annotations

import unittest
from collections.abc import Callable
from functools import cached_property
from typing import Any, Generic, TypeVar

from brainmark.core.cards import Card
from brainmark.core.errors import BrainmarkError, DataError
from brainmark.core.registry import Entry

Made = TypeVar("Made")
T = TypeVar("T")
C = TypeVar("C", bound=Card)


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


class UnderTest(Generic[T, C]):
    """A registered thing that is made once for all checks."""

    def __init__(self, entry: Entry[T, C]) -> None:
        self.entry = entry
        self.card = entry.card

    @cached_property
    def product(self) -> Any:
        """What the factory makes, or the error that it raises; skipped where it cannot be made on this machine."""
        return attempt_here(self.entry.load)


class DataUnderTest(UnderTest[T, C]):
    """A registered thing that needs data, which may be missing on this machine."""

    @cached_property
    def missing(self) -> str | DataError:
        """Which data are not on this machine (empty if all are there), or what is wrong with their addresses."""
        return ""

    @cached_property
    def product(self) -> Any:
        """What the factory makes, or the error that it raises."""
        if self.missing:
            raise CheckSkipped("data are not at hand")
        return attempt(self.entry.load)
