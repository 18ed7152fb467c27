"""A bar for one download, on a terminal; silence elsewhere."""

from __future__ import annotations

from collections.abc import Generator
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from rich.progress import Progress, TaskID


class RichBar:
    """What pooch drives, shown by rich. pooch counts whole chunks, so the last one is cut to the size."""

    def __init__(self, progress: Progress, task: TaskID, total: int) -> None:
        self._progress, self._task = progress, task
        self._done = 0
        self.total = total

    def update(self, amount: int, /) -> None:
        """Add bytes."""
        self._done = min(self._done + amount, self.total) if self.total else self._done + amount
        self._progress.update(self._task, completed=self._done, total=self.total or None)

    def reset(self) -> None:
        """Start from zero."""
        self._done = 0

    def close(self) -> None:
        """Show the end; the bar itself closes with its context."""
        self._progress.refresh()


@contextmanager
def bar(name: str, size: int) -> Generator[RichBar | None]:
    """Show a bar for a file of `size` bytes on standard error; yield None where there is no terminal."""
    from rich.console import Console

    console = Console(stderr=True)
    if not console.is_terminal:
        yield None
        return
    from rich import progress as p

    columns = (p.TextColumn("{task.description}"), p.BarColumn(), p.DownloadColumn(), p.TransferSpeedColumn())
    with p.Progress(*columns, console=console) as progress:
        yield RichBar(progress, progress.add_task(name, total=size), size)
