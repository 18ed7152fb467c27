"""Downloads a file over HTTP; every failure becomes an error of one sentence."""

from __future__ import annotations

import errno
from collections.abc import Callable, Generator
from contextlib import contextmanager
from pathlib import Path

from brainmark.core.libraries import requests, rich_console
from brainmark.core.libraries import rich_progress as rich

CONNECT, READ = 6.0, 60.0  # seconds until a connection stands, and between two pieces of the answer
_CHUNK = 1 << 16
_MEANINGS = {
    401: "it asks for a login",
    403: "it refuses to give the file",
    404: "it has no such file",
    410: "the file was removed",
    429: "too many requests; try again later",
}


class Unavailable(Exception):
    """One origin does not give the file; the message says why. Another origin may."""


def download(url: str, target: Path, advance: Callable[[int], None] | None = None) -> None:
    """Download `url` to `target`, which exists afterwards only if the answer was complete.

    Parameters
    ----------
    advance : called with the number of bytes of each piece.

    Raises
    ------
    Unavailable : no connection, time out, an HTTP error, an answer that was cut off.
    OSError : the file cannot be written (the disk is full, ...).
    """
    complete = False
    try:
        with (
            target.open("wb") as file,
            _explain_failure(),
            requests.get(url, stream=True, timeout=(CONNECT, READ)) as answer,
        ):
            answer.raise_for_status()
            for piece in answer.iter_content(_CHUNK):
                file.write(piece)
                if advance:
                    advance(len(piece))
            complete = True
    finally:
        if not complete:
            target.unlink(missing_ok=True)


def is_offered(url: str, seconds: float = 3.0) -> bool:
    """Ask, without downloading, whether `url` is there."""
    try:
        return requests.head(url, timeout=seconds, allow_redirects=True).status_code == 200
    except requests.RequestException:
        return False


@contextmanager
def show_bar(title: str, total: int | None, *, in_bytes: bool = True) -> Generator[Callable[[int], None] | None]:
    """Show a bar on standard error, of bytes or of files; yield what advances it, or None where there is no terminal.

    Parameters
    ----------
    total : where the bar ends; None: it is not known.
    """
    console = rich_console.Console(stderr=True)
    if not console.is_terminal:
        yield None
        return
    counts = (rich.DownloadColumn(), rich.TransferSpeedColumn()) if in_bytes else (rich.MofNCompleteColumn(),)
    columns = (rich.TextColumn("{task.description}"), rich.BarColumn(), *counts)
    with rich.Progress(*columns, console=console, transient=not in_bytes) as shown:
        task = shown.add_task(title, total=total)
        yield lambda amount: shown.advance(task, amount)


@contextmanager
def _explain_failure() -> Generator[None]:
    """Turn the errors of requests into `Unavailable`; those of the disk pass."""
    failures = requests.exceptions
    try:
        yield
    except failures.HTTPError as error:
        code = getattr(error.response, "status_code", 0)
        meaning = _MEANINGS.get(code) or getattr(error.response, "reason", "") or "the server failed"
        raise Unavailable(f"HTTP {code}: {meaning}") from error
    except failures.ConnectTimeout as error:
        raise Unavailable(f"no connection within {CONNECT:g} s") from error
    except failures.Timeout as error:
        raise Unavailable(f"no answer within {READ:g} s") from error
    except (failures.ChunkedEncodingError, failures.ContentDecodingError) as error:
        raise Unavailable(f"the answer was cut off ({_find_root(error)})") from error
    except failures.ConnectionError as error:
        raise Unavailable(f"no connection ({_find_root(error)})") from error
    except failures.RequestException as error:
        raise Unavailable(_find_root(error)) from error
    except ValueError as error:  # a header that is no number
        raise Unavailable(f"the answer cannot be understood ({error})") from error


def _find_root(error: BaseException) -> str:
    """Return the innermost reason of a nested error, in one line."""
    seen: BaseException = error
    for _ in range(12):
        inner = getattr(seen, "reason", None) or seen.__cause__ or seen.__context__
        if not inner and seen.args and isinstance(seen.args[0], BaseException):
            inner = seen.args[0]
        if not isinstance(inner, BaseException) or inner is seen:
            break
        seen = inner
    if isinstance(seen, OSError) and seen.strerror:
        return seen.strerror
    text = " ".join(str(seen).split())
    return text[:200] or type(seen).__name__


def explain_write_error(error: OSError) -> str:
    """Say why a file cannot be written, with the way out."""
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        return "the disk is full: free some space, or set BRAINMARK_HOME to a folder on another disk"
    reason = error.strerror or str(error)
    return f"{reason}: set BRAINMARK_HOME to a folder that can be written"
