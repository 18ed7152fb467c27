"""Turns the errors that libraries raise on damaged files into one kind of error."""

from __future__ import annotations

from collections.abc import Generator
from contextlib import contextmanager

from brainmark.core.errors import DataError, MissingDependency


@contextmanager
def explain_damage(where: object, failure: str) -> Generator[None]:
    """Turn any error of a library that reads a file into one line: where, what failed, and the library's reason.

    Raises
    ------
    DataError : e.g. "rates.npy: cannot be read as .npy: No data left in file".
    """
    try:
        yield
    except (DataError, MissingDependency, MemoryError):
        raise
    except Exception as error:
        reason = getattr(error, "strerror", None) or " ".join(str(error).split()) or type(error).__name__
        raise DataError(f"{where}: {failure}: {reason}") from error
