"""The digest of foreign code: what Python files do, without what they say to people.

Docstrings, comments, layout and quotes do not count, so that only a changed line of code is another digest.
"""

from __future__ import annotations

import ast
import functools
import hashlib
import importlib.util
import sys
from collections.abc import Iterable
from pathlib import Path

PACKAGE = __name__.partition(".")[0]


def is_our_code(module: str) -> bool:
    """Return whether a module belongs to this package."""
    return module.partition(".")[0] == PACKAGE


def digest_code(module: str) -> str | None:
    """Return the sha256 over the code of a foreign module, or None where it has no file, as in a notebook.

    Of a package these are all of its Python files; of a lone file, itself and what it imports from its folder, and so
    on. A lone file among installed packages stands for itself.
    """
    parts = module.split(".")
    names = [".".join(parts[: i + 1]) for i in range(len(parts))]
    files = [file for name in names if (file := _find_file(name))]
    if not files:
        return None
    path = Path(files[0])
    found = sorted(path.parent.rglob("*.py")) if path.name == "__init__.py" else follow_imports(path)
    return digest_files(found)


def _find_file(module: str) -> str | None:
    """Return the file of a module, which need not be imported yet."""
    if module in sys.modules:
        return getattr(sys.modules[module], "__file__", None)
    try:
        found = importlib.util.find_spec(module)
    except (ImportError, ValueError, AttributeError):
        return None
    return found.origin if found and found.has_location else None


def digest_files(files: Iterable[Path]) -> str:
    """Return the sha256 over the code of some files of Python, in the order given."""
    whole = hashlib.sha256()
    for file in files:
        status = file.stat()
        whole.update(f"{file.name}\n{_digest_file(file, status.st_mtime_ns, status.st_size, status.st_ino)}\n".encode())
    return whole.hexdigest()


@functools.lru_cache(4096)
def _digest_file(file: Path, *state: int) -> str:
    """Return the sha256 over the code of a file, which is read again when its state has changed."""
    del state
    return hashlib.sha256(normalize_code(file.read_bytes()).encode()).hexdigest()


def normalize_code(content: bytes) -> str:
    """Return code without docstrings and other texts that stand alone, comments and layout; what is none as it is."""
    try:
        tree = ast.parse(content)
    except (SyntaxError, ValueError, RecursionError):
        return content.hex()
    for node in ast.walk(tree):
        for field, value in ast.iter_fields(node):
            if isinstance(value, list):
                setattr(node, field, [each for each in value if not _is_lone_text(each)])
    return ast.dump(tree, annotate_fields=False)


def _is_lone_text(node: object) -> bool:
    return isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant) and isinstance(node.value.value, str)


def follow_imports(path: Path) -> list[Path]:
    """Return a file of Python, and the files of its folder that it imports, as do these, and so on.

    Of an installed file it is the file alone: its folder holds all packages, whose versions are known.
    """
    if any(path.parent.glob("*.dist-info")):
        return [path]
    found: set[Path] = set()
    todo = [path]
    while todo:
        file = todo.pop()
        if file in found:
            continue
        found.add(file)
        for name in _list_imports(file):
            lone, package = path.parent / f"{name}.py", path.parent / name
            todo += [lone] if lone.is_file() else package.rglob("*.py") if (package / "__init__.py").is_file() else []
    return sorted(found)


def _list_imports(file: Path) -> set[str]:
    """Return the first parts of the names of the modules that a file imports."""
    try:
        tree = ast.parse(file.read_bytes())
    except (OSError, SyntaxError, ValueError):
        return set()
    nodes = list(ast.walk(tree))
    names = {alias.name for node in nodes if isinstance(node, ast.Import) for alias in node.names}
    names |= {node.module for node in nodes if isinstance(node, ast.ImportFrom) and node.module}
    return {name.split(".")[0] for name in names}
