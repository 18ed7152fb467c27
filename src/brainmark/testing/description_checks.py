"""Checks of the description of a lab's recordings, before anything is packaged: each problem is a failed check."""

from __future__ import annotations

import tempfile
import time
from pathlib import Path

from brainmark.core.errors import BrainmarkError
from brainmark.data.packaging import CannotPackage, parse_description, prepare
from brainmark.data.readers.text import read_toml
from brainmark.testing.suite import CheckResult

_RULE = "What the description names can be packaged."


def is_description(name: str) -> bool:
    """Return whether a name is the path of a TOML file that describes recordings. Raises DataError if it is damaged."""
    path = Path(name)
    return path.suffix.lower() == ".toml" and path.is_file() and bool({"recording", "stimuli"} & read_toml(path).keys())


def check_description(name: str) -> tuple[CheckResult, ...]:
    """Return one failed result for each problem of a description and of the files that it names; or one that passed."""
    begun, path = time.perf_counter(), Path(name)
    problems: tuple[str, ...] = ()
    try:
        with tempfile.TemporaryDirectory() as scratch:
            prepare(parse_description(read_toml(path), name), path.parent, Path(scratch))
    except CannotPackage as refusal:
        problems = refusal.problems
    except BrainmarkError as error:
        problems = (str(error),)
    seconds = time.perf_counter() - begun
    if not problems:
        return (CheckResult("description", name, _RULE, "passed", "", seconds),)
    return tuple(CheckResult("description", name, _RULE, "failed", problem, seconds) for problem in problems)
