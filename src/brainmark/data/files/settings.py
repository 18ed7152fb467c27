"""Where files are kept and where copies of them may be found: two environment variables.

``BRAINMARK_HOME``
    the folder of the cache; the platform's cache folder when it is not set.
``BRAINMARK_MIRROR``
    folders or base URLs (http, https, file) under which files lie at host/path of their URL, separated by commas
    or by the separator of PATH (":" on Unix, ";" on Windows). A ":" inside the path of a URL is written ``%3A``.
"""

from __future__ import annotations

import os
import re
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit
from urllib.request import url2pathname

HOME = "BRAINMARK_HOME"
MIRROR = "BRAINMARK_MIRROR"

_URL = re.compile(
    r"""[A-Za-z][A-Za-z0-9+.-]+://    # scheme
        (?:[^,/@\s]*@)?               # user
        (?:\[[^\]]*\]|[^,:;/\[\s]*)   # host, or an IPv6 address in brackets
        (?::\d+)?                     # port
        (?:/[^,:;]*)?                 # path""",
    re.VERBOSE,
)


@dataclass(frozen=True)
class Mirror:
    """One place that holds copies of files, at host/path of their URL.

    Attributes
    ----------
    given : as it was written in the environment.
    folder : where it is, for a folder or a ``file:`` URL.
    url : without trailing slash, for a base URL.
    problem : why it cannot be used; empty if it can.
    """

    given: str
    folder: Path | None = None
    url: str | None = None
    problem: str = ""


def home() -> Path:
    """Return the folder of the cache; it need not exist yet."""
    given = os.environ.get(HOME, "").strip()
    if given:
        return Path(given).expanduser().absolute()
    import platformdirs

    return platformdirs.user_cache_path("brainmark", appauthor=False)


def mirrors() -> tuple[Mirror, ...]:
    """Return the mirrors in the order given; those that cannot be used say why in `problem`."""
    given = os.environ.get(MIRROR, "").strip()
    if given and Path(given).expanduser().is_dir():  # a folder whose name holds a separator
        return (_mirror(given),)
    return tuple(_mirror(part) for part in split(given))


def split(given: str, separator: str = os.pathsep) -> list[str]:
    """Split a list of folders and URLs at commas and at `separator`; the colons of a URL survive."""
    parts: list[str] = []
    for piece in given.split(","):
        rest = piece.strip()
        while rest:
            url = _URL.match(rest)
            end = url.end() if url else rest.find(separator)
            end = len(rest) if end < 0 else end
            parts.append(rest[:end].strip())
            rest = rest[end:].lstrip().removeprefix(separator).lstrip()
    return [part for part in parts if part]


def _mirror(given: str) -> Mirror:
    if "://" not in given:
        folder = Path(given).expanduser().absolute()
        return Mirror(given, folder=folder, problem=_no_folder(folder))
    parts = urlsplit(given)
    if parts.scheme == "file":
        if parts.netloc not in ("", "localhost"):
            return Mirror(given, problem=f"a file URL names no host, but this one names {parts.netloc!r}")
        folder = Path(url2pathname(parts.path))
        return Mirror(given, folder=folder, problem=_no_folder(folder))
    if parts.scheme not in ("http", "https"):
        return Mirror(given, problem=f"{parts.scheme}:// is not understood; use a folder, http, https or file")
    if not parts.hostname:
        return Mirror(given, problem="the URL names no host")
    return Mirror(given, url=given.rstrip("/"))


def _no_folder(folder: Path) -> str:
    if folder.is_dir():
        return ""
    return "it is a file, not a folder" if folder.exists() else "there is no such folder"
