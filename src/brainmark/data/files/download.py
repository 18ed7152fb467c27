"""One download over HTTP, through pooch; what goes wrong becomes one sentence."""

from __future__ import annotations

import errno
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Protocol

from brainmark.core.libraries import pooch, requests

CONNECT, READ = 6.0, 60.0  # seconds until a connection stands, and between two pieces of the answer
_CHUNK = 1 << 16


class Bar(Protocol):
    """What pooch drives as it downloads: the interface of tqdm, as far as it is used."""

    total: int

    def update(self, amount: int, /) -> None:
        """Add bytes."""
        ...

    def reset(self) -> None:
        """Start from zero."""
        ...

    def close(self) -> None:
        """Show the end."""
        ...


class Unavailable(Exception):
    """One origin does not give the file; the message says why. Another origin may."""


def download(url: str, target: Path, bar: Bar | None = None) -> None:
    """Download `url` to `target`, which exists afterwards only if the answer was complete.

    Raises
    ------
    Unavailable : no connection, time out, an HTTP error, an answer that was cut off.
    OSError : the file cannot be written (the disk is full, ...).
    """
    shown: Any = bar or False  # pooch types it as a bool, and documents an object like this
    answers: list[Any] = []  # pooch leaves an answer open when it is cut off
    hooks = {"response": lambda answer, **_: answers.append(answer)}
    fetch = pooch.HTTPDownloader(progressbar=shown, chunk_size=_CHUNK, timeout=(CONNECT, READ), hooks=hooks)
    complete = False
    try:
        with target.open("w+b") as file, _reasons():
            fetch(url, file, None)
            complete = True
    finally:
        for answer in answers:
            answer.close()
        if not complete:
            target.unlink(missing_ok=True)


def offered(url: str, seconds: float = 3.0) -> bool:
    """Ask, without downloading, whether `url` is there."""
    try:
        return requests.head(url, timeout=seconds, allow_redirects=True).status_code == 200
    except requests.RequestException:
        return False


@contextmanager
def _reasons() -> Generator[None]:
    """Turn the errors of requests into `Unavailable`; those of the disk pass."""
    try:
        yield
    except requests.exceptions.HTTPError as error:
        raise Unavailable(_status(error)) from error
    except requests.exceptions.Timeout as error:
        kind = "no connection" if isinstance(error, requests.exceptions.ConnectTimeout) else "no answer"
        limit = CONNECT if isinstance(error, requests.exceptions.ConnectTimeout) else READ
        raise Unavailable(f"{kind} within {limit:g} s") from error
    except (requests.exceptions.ChunkedEncodingError, requests.exceptions.ContentDecodingError) as error:
        raise Unavailable(f"the answer was cut off ({_root(error)})") from error
    except requests.exceptions.ConnectionError as error:
        raise Unavailable(f"no connection ({_root(error)})") from error
    except requests.exceptions.RequestException as error:
        raise Unavailable(_root(error)) from error
    except ValueError as error:  # a header that is no number
        raise Unavailable(f"the answer cannot be understood ({error})") from error


def _status(error: object) -> str:
    response = getattr(error, "response", None)
    code = getattr(response, "status_code", None)
    meaning = {
        401: "it asks for a login",
        403: "it refuses to give the file",
        404: "it has no such file",
        410: "the file was removed",
        429: "too many requests; try again later",
    }.get(code or 0, str(getattr(response, "reason", "")) or "the server failed")
    return f"HTTP {code}: {meaning}"


def _root(error: BaseException) -> str:
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


def cannot_write(error: OSError) -> str:
    """Say why a file cannot be written, with the way out."""
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        return "the disk is full: free some space, or set BRAINMARK_HOME to a folder on another disk"
    reason = error.strerror or str(error)
    return f"{reason}: set BRAINMARK_HOME to a folder that can be written"
