"""How a check ends when it does not pass."""

from __future__ import annotations

import unittest


class CheckFailed(AssertionError):
    """The thing under test breaks a rule; the message says which, where, and what would be right."""


class CheckSkipped(unittest.SkipTest):
    """The check cannot be made here; the message says why. Test runners know it as a skipped test."""


def fail_if(condition: bool, message: str) -> None:
    """Raise `CheckFailed` with `message` if `condition` holds."""
    if condition:
        raise CheckFailed(message)


def said(error: BaseException) -> str:
    """Type and text of an error, in one line."""
    return f"{type(error).__name__}: {' '.join(str(error).split())}".removesuffix(": ")
