"""Turns the errors that libraries raise on damaged files into one kind of error."""

from __future__ import annotations

from collections.abc import Generator
from contextlib import contextmanager

from brainmark.core.errors import DataError, MissingDependency


@contextmanager
def explain_damage(where: object, failure: str) -> Generator[None]:
    """Turn any error of a library that reads a file into one line: where, what failed, and the library's reason.

    Every call of a library that reads files stands in such a block; ``tests/cases`` looks for calls that do not.

    Raises
    ------
    DataError : e.g. "rates.npy: cannot be read as .npy: No data left in file".
    """
    try:
        yield
    except (DataError, MissingDependency):
        raise
    except MemoryError as error:
        raise DataError(f"{where}: {failure}: it asks for more memory than there is") from error
    except RecursionError as error:
        raise DataError(f"{where}: {failure}: it is nested too deeply") from error
    except Exception as error:
        reason = getattr(error, "strerror", None) or " ".join(str(error).split()) or type(error).__name__
        raise DataError(f"{where}: {failure}: {reason[:300]}") from error
