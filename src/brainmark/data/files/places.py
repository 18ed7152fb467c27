"""Names of files in caches and mirrors: host/path of their URL.

A cache is laid out like a mirror, so a copied cache serves as one. Rules, with the names that ``wget -x`` gives:

- the path is percent-decoded, segment by segment; a segment that would leave its folder is refused;
- a port that is not the scheme's own joins the host as ``host+port`` (looked for as ``host:port`` and ``host`` too);
- a query joins the name as ``name@query`` (looked for as ``name?query`` and ``name`` too; the hash decides).
"""

from __future__ import annotations

import hashlib
from itertools import product
from pathlib import Path, PurePosixPath
from urllib.parse import quote, unquote, urlsplit
from urllib.request import url2pathname

from brainmark.core import DataError

_OWN_PORT = {"http": 80, "https": 443}
_LONGEST = 200  # bytes; file systems allow 255, and a temporary name needs some


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
        names = [short_name(f"{name}@{_safe(parts.query)}"), *others]
    else:
        names = [short_name(name)]
    return tuple(PurePosixPath(h, *folders, n) for h, n in product(hosts, names))


def local_path(url: str) -> Path | None:
    """Return the file that a ``file:`` URL names, as in the cards of packaged data sets; None for any other URL."""
    parts = urlsplit(url)
    return Path(url2pathname(parts.path)) if parts.scheme == "file" else None


def as_url(base: str, place: PurePosixPath) -> str:
    """Return the address of `place` under the base URL of a mirror."""
    return base + "/" + "/".join(quote(part, safe="+:@") for part in place.parts)


def _segment(segment: str, url: str) -> str:
    decoded = unquote(segment)
    if decoded in (".", "..") or any(c in decoded for c in "\0\\"):
        raise DataError(f"cannot fetch {url!r}: {segment!r} is no name of a file or folder")
    return segment if "/" in decoded else decoded


def _safe(query: str) -> str:
    return quote(query, safe="=&-_.~%,+")


def short_name(name: str) -> str:
    """Return a name that file systems allow: a long one is cut, and made unique by its sha256."""
    raw = name.encode()
    if len(raw) <= _LONGEST:
        return name
    suffix = PurePosixPath(name).suffix[:16]
    return raw[: _LONGEST - 60].decode(errors="ignore") + "@" + hashlib.sha256(raw).hexdigest()[:32] + suffix
