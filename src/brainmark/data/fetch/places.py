"""The places of files in caches and mirrors, and their names there.

``BRAINMARK_HOME``
    the folder of the cache; the platform's cache folder when it is not set.
``BRAINMARK_MIRROR``
    folders or base URLs (http, https, file) under which files lie at host/path of their URL, separated by commas
    or by the separator of PATH (":" on Unix, ";" on Windows). A ":" inside the path of a URL is written ``%3A``.

A cache is laid out like a mirror, so a copied cache serves as one. The names are those that ``wget -x`` gives:

- the path is percent-decoded, segment by segment; a segment that would leave its folder is refused;
- a port that is not the scheme's own joins the host as ``host+port`` (looked for as ``host:port`` and ``host`` too);
- a query joins the name as ``name@query`` (looked for as ``name?query`` and ``name`` too; the hash decides).
"""

from __future__ import annotations

import hashlib
import os
import re
from dataclasses import dataclass
from itertools import product
from pathlib import Path, PurePosixPath
from urllib.parse import quote, unquote, urlsplit

from brainmark.core import DataError
from brainmark.core.errors import warn
from brainmark.core.libraries import platformdirs, urllib_request
from brainmark.core.text import show_url

HOME = "BRAINMARK_HOME"
MIRROR = "BRAINMARK_MIRROR"

TABLES = Path(__file__).parents[2] / "studies" / "tables"
"""Small published tables that ship with the package."""
_OWN_PORT = {"http": 80, "https": 443}
_LONGEST = 200  # bytes of a name; file systems allow 255, and a temporary name needs some

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
    given : as it was written in the environment, without its password.
    folder : where it is, for a folder or a ``file:`` URL.
    url : without trailing slash, for a base URL.
    problem : why it cannot be used; empty if it can.
    """

    given: str
    folder: Path | None = None
    url: str | None = None
    problem: str = ""


def expand(given: str) -> Path:
    """Return a path with the folder of a user in the place of ``~``; as it is where there is no such user."""
    try:
        return Path(given).expanduser()
    except RuntimeError:
        return Path(given)


def home() -> Path:
    """Return the folder of the cache; it need not exist yet."""
    given = os.environ.get(HOME, "").strip()
    if given:
        return expand(given).absolute()
    return platformdirs.user_cache_path("brainmark", appauthor=False)


def mirrors() -> tuple[Mirror, ...]:
    """Return the mirrors in the order given; those that cannot be used say why in `problem`."""
    given = os.environ.get(MIRROR, "").strip()
    if given and expand(given).is_dir():  # a folder whose name holds a separator
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
    shown = show_url(given)
    if "://" not in given:
        folder = expand(given).absolute()
        return Mirror(shown, folder=folder, problem=_no_folder(folder))
    parts = urlsplit(given)
    if parts.scheme == "file":
        if parts.netloc not in ("", "localhost"):
            return Mirror(shown, problem=f"a file URL names no host, but this one names {parts.hostname!r}")
        folder = Path(urllib_request.url2pathname(parts.path))
        return Mirror(shown, folder=folder, problem=_no_folder(folder))
    if parts.scheme not in ("http", "https"):
        return Mirror(shown, problem=f"{parts.scheme}:// is not understood; use a folder, http, https or file")
    if not parts.hostname:
        return Mirror(shown, problem="the URL names no host")
    return Mirror(shown, url=given.rstrip("/"))


def _no_folder(folder: Path) -> str:
    if folder.is_dir():
        return ""
    return "it is a file, not a folder" if folder.exists() else "there is no such folder"


def mirror_folders() -> list[Path]:
    """Return the folders among the mirrors, and warn of the mirrors that cannot be used."""
    given = mirrors()
    for mirror in given:
        if mirror.problem:
            warn(f"{MIRROR}: {mirror.given!r} is left out: {mirror.problem}")
    return [mirror.folder for mirror in given if mirror.folder and not mirror.problem]


def mirror_urls() -> list[str]:
    """Return the base URLs among the mirrors."""
    return [mirror.url for mirror in mirrors() if mirror.url and not mirror.problem]


def origins(url: str) -> list[str]:
    """Return the addresses to download a file from: those of the mirror URLs, then its own."""
    return [as_url(base, place) for base in mirror_urls() for place in places(url)] + [url]


def places(url: str) -> tuple[PurePosixPath, ...]:
    """Return the relative places in which a copy of `url` may lie; the first is the one the cache uses.

    Raises
    ------
    DataError : the URL is neither http nor https, names no file, or would leave the folder.
    """
    try:
        parts = urlsplit(url)
        host, port = parts.hostname, parts.port
    except ValueError as error:
        raise DataError(f"cannot read the URL {url!r}: {error}") from None
    if parts.scheme not in _OWN_PORT or not host:
        raise DataError(f"cannot fetch {url!r}: a registered URL starts with http:// or https:// and a host")
    segments = [_segment(s, url) for s in parts.path.split("/") if s]
    if not segments or parts.path.endswith("/"):
        raise DataError(f"cannot fetch {url!r}: it names a folder, not a file")
    own_port = port in (None, _OWN_PORT[parts.scheme])
    host = host.replace(":", "_")  # IPv6
    hosts = [host] if own_port else [f"{host}+{port}", f"{host}:{port}", host]
    *folders, name = segments
    if parts.query:
        others = [n for n in (f"{name}?{parts.query}", name) if len(n.encode()) <= _LONGEST]
        names = [short_name(f"{name}@{quote(parts.query, safe='=&-_.~%,+')}"), *others]
    else:
        names = [short_name(name)]
    return tuple(PurePosixPath(h, *folders, n) for h, n in product(hosts, names))


def local_path(url: str) -> Path | None:
    """Return the file that a ``file:`` URL names, as in the cards of packaged data sets; None for any other URL."""
    parts = urlsplit(url)
    return Path(urllib_request.url2pathname(parts.path)) if parts.scheme == "file" else None


def as_url(base: str, place: PurePosixPath) -> str:
    """Return the address of `place` under the base URL of a mirror."""
    return base + "/" + "/".join(quote(part, safe="+:@") for part in place.parts)


def _segment(segment: str, url: str) -> str:
    decoded = unquote(segment)
    if decoded in (".", "..") or any(c in decoded for c in "\0\\"):
        raise DataError(f"cannot fetch {url!r}: {segment!r} is not a name of a file or folder")
    return segment if "/" in decoded else decoded


def short_name(name: str) -> str:
    """Return a name that file systems allow: a long one is cut, and made unique by its sha256."""
    raw = name.encode()
    if len(raw) <= _LONGEST:
        return name
    suffix = PurePosixPath(name).suffix[:16]
    return raw[: _LONGEST - 60].decode(errors="ignore") + "@" + hashlib.sha256(raw).hexdigest()[:32] + suffix
