"""Collects what is missing or wrong, so that a lab sees all problems at once."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import NoReturn, TypeVar

from brainmark.core.errors import BrainmarkError, DataError
from brainmark.core.wording import plural
from brainmark.data.readers.damage import explain_damage

T = TypeVar("T")


class CannotPackage(BrainmarkError, ValueError):
    """A data set that is incomplete or contradictory; the message lists all problems.

    Attributes
    ----------
    problems : one line each: where, what, the way out.
    """

    kind = "contract"

    def __init__(self, what: str, problems: Sequence[str]) -> None:
        self.problems = tuple(problems)
        count = f"{len(problems)} {plural('thing', len(problems))} missing or wrong"
        super().__init__(f"{what} cannot be packaged, {count}:" + "".join(f"\n  - {p}" for p in problems))


class Unusable(DataError):
    """A part that cannot be read further; the reason is among the problems."""


class Problems:
    """A list of problems that is raised as one error, and notes on decisions that users should know."""

    def __init__(self, what: str) -> None:
        self.what = what
        self.found: dict[str, None] = {}
        self._notes: dict[str, None] = {}
        self.stated: set[str] = set()  # fields that a file states, though it could not be used
        self.unread: dict[object, tuple[str, ...]] = {}  # files that were not opened -> fields that such files state

    def may_state(self, field: str) -> bool:
        """Return whether a field that is not known otherwise stands, or may stand, in a file that was not used."""
        return field in self.stated or any(field in fields for fields in self.unread.values())

    def add(self, problem: str) -> None:
        """Add a problem; the same one is kept once."""
        self.found[problem] = None

    def fail(self, problem: str) -> NoReturn:
        """Add a problem, and stop reading this part. Raises Unusable."""
        self.add(problem)
        raise Unusable

    def attempt(self, read: Callable[..., T], *arguments: object) -> T | None:
        """Return what a function reads, or None where that failed; its problem is kept, and others can be found."""
        try:
            return read(*arguments)
        except Unusable:
            return None
        except DataError as error:
            self.add(str(error))
            return None

    def attempt_file(self, read: Callable[..., T], path: Path, *arguments: object) -> T | None:
        """Do as `attempt` with a function that reads a file: any error, also of a plug-in, is a problem of the file."""

        def explain() -> T:
            with explain_damage(path, "cannot be read"):
                return read(path, *arguments)

        return self.attempt(explain)

    def note(self, text: str) -> None:
        """Add a note on a decision."""
        self._notes[text] = None

    @property
    def notes(self) -> list[str]:
        """The notes; those that say the same of many files are one."""
        return group_by_file(self._notes)

    def check(self) -> None:
        """Raise CannotPackage if there is any problem; those that many files share are told once."""
        if self.found:
            raise CannotPackage(self.what, group_by_file(self.found))


def group_by_file(lines: Iterable[str], most: int = 2) -> list[str]:
    """Return lines ``FILE: what`` so that what holds for more than `most` files (but for numbers) stands once."""
    groups: dict[str, list[str]] = {}
    for line in lines:
        place, colon, what = line.partition(": ")
        is_file = bool(colon) and "." in Path(place).name and not place.startswith(("recording", "stimuli"))
        groups.setdefault(re.sub(r"\d+", "#", what) if is_file else line, []).append(line)
    told: list[str] = []
    for alike in groups.values():
        names = [Path(line.partition(": ")[0]).name for line in alike]
        if len(alike) <= most:
            told += alike
        else:
            told.append(f"{alike[0]} (likewise in {len(alike) - 1} more files: {some(names[1:], 3)})")
    return told


def some(names: Iterable[object], most: int = 5) -> str:
    """Return the first names, and how many more there are: 'a', 'b' and 3 more."""
    listed = [repr(str(n)) for n in names]
    more = f" and {len(listed) - most} more" if len(listed) > most else ""
    return ", ".join(listed[:most]) + more
