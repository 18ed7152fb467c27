"""Which files a model sees in the sandbox: interpreter, packages, its own folder, weights that were downloaded."""

from __future__ import annotations

import importlib.util
import os
import sys
import tempfile
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from brainmark.core.errors import BrainmarkError
from brainmark.core.registry import models
from brainmark.core.source_code import follow_imports
from brainmark.data.fetch.places import HOME, MIRROR, home, mirror_folders
from brainmark.models.described.description import ModelDescription
from brainmark.models.described.toml_files import read_models
from brainmark.models.sources.names import CHECKPOINT, FUNCTION
from brainmark.run.stamp import PACKAGE_FOLDER
from brainmark.store.database import store_url

_PARTS = ("bin", "lib", "lib64", "include", "share", "pyvenv.cfg")
_WEIGHTS = {".pth", ".pt", ".pt2", ".bin", ".ckpt", ".safetensors", ".npz", ".npy"}


@dataclass(frozen=True)
class View:
    """What a model sees in the sandbox.

    Attributes
    ----------
    shown : files and folders, read-only, at their places.
    hidden : what is empty there although the folder around it is shown.
    environment : where libraries find weights that were downloaded before.
    """

    shown: tuple[Path, ...]
    hidden: tuple[Path, ...]
    environment: Mapping[str, str]


def view_for(name: str, show: Iterable[str] = ()) -> View:
    """Return what the model of this name sees; `show` names more.

    Its own folder is that of its module, file or description, and the current folder if it lies below that. Of a folder
    that holds much else (the home folder, that of temporary files, one around these) it sees its own files only. Files
    and folders of its folder whose names begin with a dot are hidden, as are caches, mirrors and stores.
    """
    weights, environment = _find_weights()
    own = [p for p in _list_own(name) if p.exists()]
    given = [Path(p).expanduser().absolute() for p in show if p]
    system = [p for p in [*_list_interpreter(), *_list_packages()] if p.exists()]
    shown = tuple(dict.fromkeys([*system, *weights, *own, *given]))
    dotted = [child for folder in own if folder.is_dir() for child in folder.iterdir() if child.name.startswith(".")]
    kept = [p for p in _list_kept() if p.exists() and any(p.is_relative_to(folder) for folder in shown)]
    hidden = [p for p in (*dotted, *kept) if not p.is_symlink() and p not in shown]
    return View(shown, tuple(dict.fromkeys(hidden)), environment)


def _list_kept() -> list[Path]:
    """Return the caches, mirrors and stores of Brainmark, in which data and scores lie."""
    scheme, _, database = store_url().partition(":///")
    places = [home(), *mirror_folders(), *([Path(database)] if database and scheme.startswith("sqlite") else [])]
    return [form for place in places for form in dict.fromkeys((place.absolute(), place.resolve()))]


def _is_wide(folder: Path) -> bool:
    """Return whether a folder holds much else: homes or temporary files of the user, or all data."""
    crowds = [Path.home(), Path(tempfile.gettempdir()), Path("/tmp"), Path("/home")]
    forms = {form for place in crowds for form in (place.absolute(), place.resolve())}
    real = folder.resolve()
    return any(place.is_relative_to(real) for place in forms) or real in {p.resolve() for p in _list_kept()}


def _list_interpreter() -> Iterator[Path]:
    for prefix in dict.fromkeys((sys.prefix, sys.exec_prefix, sys.base_prefix, sys.base_exec_prefix)):
        folder = Path(prefix)
        yield from (folder / part for part in _PARTS) if _is_wide(folder) else [folder]
    for store in ("/nix/store", "/gnu/store"):
        if Path(sys.executable).resolve().is_relative_to(store):
            yield Path(store)


def _list_packages() -> Iterator[Path]:
    """Yield the places of packages and libraries; the current folder is none of them."""
    yield PACKAGE_FOLDER
    for entry in [*sys.path, *os.environ.get("LD_LIBRARY_PATH", "").split(os.pathsep)]:
        path = Path(entry).absolute()
        if entry and path != Path.cwd() and not _is_wide(path):
            yield path


def _find_weights() -> tuple[list[Path], dict[str, str]]:
    """Return the folders of weights that libraries have downloaded, and the variables that name these and ours."""
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    torch = Path(os.environ.get("TORCH_HOME") or cache / "torch").expanduser().absolute()
    hugging = Path(os.environ.get("HF_HOME") or cache / "huggingface").expanduser().absolute()
    hub = Path(os.environ.get("HF_HUB_CACHE") or hugging / "hub").expanduser().absolute()
    names = {"TORCH_HOME": torch, "HF_HUB_CACHE": hub, HOME: home()}
    found = [p for p in (torch / "hub", hub) if p.is_dir()]  # and no more: beside the hub lies the token of the user
    mirrors = {MIRROR: ",".join(map(str, mirror_folders()))}
    return found, {name: str(place) for name, place in names.items()} | mirrors


def _list_own(name: str) -> Iterator[Path]:
    """Yield the files and folders that belong to a model."""
    base = name.partition(":random")[0]
    path, _, member = base.partition("#")
    if path.endswith((".pt2", ".toml")):
        yield from _list_beside(Path(path).absolute())
    if path.endswith(".toml"):
        yield from _list_described(Path(path).absolute(), member)
    elif registered := models.find_registered(base):
        yield from _list_module(registered.module)
    elif match := FUNCTION.fullmatch(base):
        yield from _list_module(match["module"])


def _list_module(module: str) -> Iterator[Path]:
    """Yield the folder of a module, which is not imported for that."""
    top = module.partition(".")[0]
    for folder in [str(Path.cwd()), *sys.path]:
        for place in (Path(folder) / top, Path(folder) / f"{top}.py"):
            if place.exists():
                yield from _list_beside(place.absolute())
                return
    try:
        found = importlib.util.find_spec(top)  # of a package that is installed in another way
    except (ImportError, ValueError):
        return
    places = [*(found.submodule_search_locations or ()), found.origin] if found else []
    for place in [Path(p) for p in places if p][:1]:
        yield from _list_beside(place.absolute())


def _list_beside(path: Path) -> Iterator[Path]:
    """Yield the folder in which something lies; of one that holds much else, what belongs to it."""
    folder, here = path.parent, Path.cwd()
    if _is_wide(folder):
        yield from (path, path.with_suffix(".toml"))
        yield from follow_imports(path) if path.suffix == ".py" else ()
        return
    yield folder
    if folder.is_relative_to(here) and not _is_wide(here):
        yield here


def _list_described(path: Path, member: str) -> Iterator[Path]:
    """Yield the weights and modules that a model of a file names; published weights are downloaded for that."""
    try:
        found = read_models(path)
        spec = found[member] if member else next(iter(found.values()))
        weights = [spec.weights.locate(path.parent).path()] if spec.weights else []
    except (BrainmarkError, LookupError):  # told where it is read for good
        return
    yield from (place for place in [*weights, *_list_files(spec, path.parent)] if _looks_like_weights(place))
    for text in (spec.source, (spec.weights and spec.weights.mend) or ""):
        if match := FUNCTION.fullmatch(text):
            yield from _list_module(match["module"])


def _list_files(spec: ModelDescription, folder: Path) -> list[Path]:
    text = spec.source.removeprefix(CHECKPOINT).removeprefix("hf/")
    return [folder / Path(text).expanduser()] if "/" in text or text.endswith(".pt2") else []


def _looks_like_weights(place: Path) -> bool:
    """Return whether this is a file of weights or a folder of a network, and no secret by another name."""
    real = place.resolve()
    if any(part.startswith(".") for part in real.parts) and not real.is_relative_to(home().resolve()):
        return False
    return real.suffix in _WEIGHTS if real.is_file() else real.is_dir() and not _is_wide(real)
