"""Write the registration of a Git folder from a local copy of it: ``python -m brainmark.data.files.register FOLDER``.

FOLDER lies in a mirror, so that its path says where it comes from:
``.../raw.githubusercontent.com/<owner>/<repo>/<commit>[/<folder>]``. A few files become Python; many become a list
(``--list``) that is kept beside the study and read by `brainmark.data.files.git.read_list`.
"""

from __future__ import annotations

import argparse
import re
import sys
from collections.abc import Sequence
from fnmatch import fnmatch
from pathlib import Path
from urllib.parse import urlsplit

from brainmark.core import DataError
from brainmark.data.files.git import HOST, GitFolder
from brainmark.data.files.verify import sha256_of


def folder_of(path: Path, patterns: Sequence[str] = ("*",)) -> GitFolder:
    """Return the Git folder that a local copy in a mirror stands for, with the files that match a pattern.

    Parameters
    ----------
    path : of the copy; its parents name host, owner, repository and commit.
    patterns : like ``*.png`` or ``images/*``; ``*`` matches across folders. Hidden files are left out.

    Raises
    ------
    DataError : the path is no such folder, or no file matches.
    """
    path = path.absolute()
    host = str(urlsplit(HOST).hostname)
    match = re.search(rf"/{re.escape(host)}/([^/]+)/([^/]+)/([0-9a-f]{{40}})(?:/(.+))?$", path.as_posix())
    if not match or not path.is_dir():
        raise DataError(f"{path}: not a folder .../{host}/<owner>/<repo>/<commit of 40 digits>[/<folder>]")
    names = sorted(p.relative_to(path) for p in path.rglob("*") if p.is_file())
    names = [n for n in names if not any(part.startswith(".") for part in n.parts)]
    names = [n for n in names if any(fnmatch(n.as_posix(), pattern) for pattern in patterns)]
    if not names:
        raise DataError(f"{path}: no file matches {' or '.join(patterns)}")
    files = {n.as_posix(): (sha256_of(path / n), (path / n).stat().st_size) for n in names}
    return GitFolder(match[1], match[2], match[3], match[4] or "", files)


def as_python(folder: GitFolder) -> str:
    """Return the registration as Python."""
    lines = [
        "FILES = GitFolder(",
        f'    owner="{folder.owner}",',
        f'    repo="{folder.repo}",',
        f'    commit="{folder.commit}",',
        f'    folder="{folder.folder}",',
        "    files={",
        *(f'        "{name}": ("{sha256}", {size}),' for name, (sha256, size) in folder.files.items()),
        "    },",
        ")",
    ]
    return "\n".join(lines) + "\n"


def as_list(folder: GitFolder) -> str:
    """Return the files as lines of sha256, bytes and path, separated by tabs."""
    head = f"# {folder.owner}/{folder.repo} at {folder.commit}, folder {folder.folder or '/'}\n"
    return head + "".join(f"{sha256}\t{size}\t{name}\n" for name, (sha256, size) in folder.files.items())


def main(arguments: Sequence[str] | None = None) -> int:
    """Write the registration to standard output."""
    parser = argparse.ArgumentParser(prog="python -m brainmark.data.files.register", description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--match", action="append", metavar="PATTERN", help="which files (all; may be repeated)")
    parser.add_argument("--list", action="store_true", help="a list for a file beside the study, instead of Python")
    given = parser.parse_args(arguments)
    try:
        folder = folder_of(given.folder, given.match or ("*",))
    except DataError as error:
        sys.stderr.write(f"{error}\n")
        return 1
    sys.stdout.write(as_list(folder) if given.list else as_python(folder))
    return 0


if __name__ == "__main__":
    sys.exit(main())
