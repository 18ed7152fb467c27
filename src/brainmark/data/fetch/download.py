"""Downloads a file over HTTP; every failure becomes an error of one sentence."""

from __future__ import annotations

import errno
import time
from collections.abc import Callable, Generator
from contextlib import contextmanager
from pathlib import Path

from brainmark.core.libraries import requests, requests_adapters, rich_console, urllib3
from brainmark.core.libraries import rich_progress as rich
from brainmark.core.wording import bytes_text

CONNECT, READ = 6.0, 60.0  # seconds until a connection stands, and between two pieces of the answer
SLOW, PATIENCE = 1000, 30.0  # bytes a second that an answer must have, in every so many seconds
MOST = 20 << 30  # bytes of a file whose size nobody states
_CHUNK = 1 << 16
_AGAIN = (429, 502, 503, 504)  # the server is busy, and may answer soon
_TRIES, _LONGEST_WAIT = 3, 10  # further tries then, and seconds before each, whatever the server asks for
_MEANINGS = {
    401: "it asks for a login",
    403: "it refuses to give the file",
    404: "it has no such file",
    410: "the file was removed",
    429: "too many requests; try again later",
}


class Unavailable(Exception):
    """One origin does not give the file; the message says why. Another origin may."""


def download(url: str, target: Path, size: int | None = None, advance: Callable[[int], None] | None = None) -> None:
    """Download `url` to `target`, which exists afterwards only if the answer was complete.

    A server that is busy is asked again a few times. An answer that is longer than it should be, or that comes more
    slowly than `SLOW`, is given up, so that no server can hold a process or fill a disk.

    Parameters
    ----------
    size : bytes that the file has; None: nobody states it, and `MOST` is allowed.
    advance : called with the number of bytes of each piece.

    Raises
    ------
    Unavailable : no connection, time out, an HTTP error, an answer that was cut off, is too long or too slow.
    OSError : the file cannot be written (the disk is full, ...).
    """
    complete = False
    try:
        with target.open("wb") as file, _explain_failure(), _ask(url) as answer:
            answer.raise_for_status()
            for piece in _pieces(answer, MOST if size is None else size):
                file.write(piece)
                if advance:
                    advance(len(piece))
            complete = True
    finally:
        if not complete:
            target.unlink(missing_ok=True)


def _ask(url: str) -> requests.Response:
    again = urllib3.Retry(
        total=None, connect=0, read=False, other=0, status=_TRIES, status_forcelist=_AGAIN, raise_on_status=False,
        backoff_factor=0.5, backoff_max=_LONGEST_WAIT, retry_after_max=_LONGEST_WAIT,
    )  # fmt: skip
    session = requests.Session()
    for scheme in ("http://", "https://"):
        session.mount(scheme, requests_adapters.HTTPAdapter(max_retries=again))
    return session.get(url, stream=True, timeout=(CONNECT, READ))


def _pieces(answer: requests.Response, most: int) -> Generator[bytes]:
    """Yield the content of an answer as it comes. Raises Unavailable where it is longer than `most` or too slow."""
    declared = answer.headers.get("Content-Length", "")
    if declared.isdecimal() and int(declared) > most and "Content-Encoding" not in answer.headers:
        raise Unavailable(f"the answer has {bytes_text(int(declared))}, the file has {bytes_text(most)}")
    received, since, before = 0, time.monotonic(), 0
    while piece := answer.raw.read1(_CHUNK, decode_content=True):
        received += len(piece)
        if received > most:
            raise Unavailable(f"the answer is longer than the file, which has {bytes_text(most)}")
        now = time.monotonic()
        if now - since > PATIENCE:
            if received - before < SLOW * (now - since):
                raise Unavailable(f"the answer comes too slowly (less than {bytes_text(SLOW)} a second)")
            since, before = now, received
        yield piece


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
    """Turn the errors of requests, and of urllib3 below it, into `Unavailable`; those of the disk pass."""
    failures = requests.exceptions
    try:
        yield
    except failures.HTTPError as error:
        code = getattr(error.response, "status_code", 0)
        meaning = _MEANINGS.get(code) or getattr(error.response, "reason", "") or "the server failed"
        raise Unavailable(f"HTTP {code}: {meaning}") from error
    except failures.ConnectTimeout as error:
        raise Unavailable(f"no connection within {CONNECT:g} s") from error
    except (failures.Timeout, urllib3.exceptions.ReadTimeoutError) as error:
        raise Unavailable(f"no answer within {READ:g} s") from error
    except (urllib3.exceptions.ProtocolError, urllib3.exceptions.DecodeError) as error:
        raise Unavailable(f"the answer was cut off ({_find_root(error)})") from error
    except failures.ConnectionError as error:
        raise Unavailable(f"no connection ({_find_root(error)})") from error
    except (failures.RequestException, urllib3.exceptions.HTTPError) as error:
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
