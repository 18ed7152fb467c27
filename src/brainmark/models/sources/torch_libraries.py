"""Imports torchvision, timm and transformers; no other module imports them."""

from __future__ import annotations

import importlib
import importlib.util
import sys
import threading
import warnings
from collections.abc import Callable, Iterator
from functools import cache
from types import ModuleType
from typing import Any, TypeVar

from brainmark.core.errors import BrainmarkError, MissingDependency
from brainmark.core.libraries import torch

T = TypeVar("T")
EXTRA = "vision"
_DETECTION_OPERATORS = {  # names and signatures as torchvision's compiled part declares them
    "nms": "(Tensor dets, Tensor scores, float iou_threshold) -> Tensor",
    "qnms": "(Tensor dets, Tensor scores, float iou_threshold) -> Tensor",
}
_lock = threading.RLock()
_declared: list[Any] = []  # a torch.library.Library takes its operators along when it is collected


class UnusableLibrary(BrainmarkError, ImportError):
    """A library is installed, but cannot be imported beside the torch that is installed."""

    kind = "environment"


def need_torch() -> None:
    """Raise ModuleNotFoundError if torch is missing; the registry adds which model needs it, and how to install it."""
    importlib.import_module("torch")


@cache
def torchvision() -> ModuleType:
    """Return the module, or raise MissingDependency, UnusableLibrary.

    Its compiled operators detect objects and are of no use here; but it cannot be imported where they do not load, as
    with a torch for CPU beside a torchvision for CUDA. There their names are declared, without code.
    """
    with _lock, warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="Failed to load image Python extension")
        try:
            return _import("torchvision")
        except RuntimeError as error:
            if "torchvision::" not in str(error):
                raise UnusableLibrary(_unusable("torchvision", error)) from error
        for name in [n for n in sys.modules if n.split(".")[0] == "torchvision"]:
            del sys.modules[name]  # half imported
        _declare_detection_operators()
        try:
            return _import("torchvision")
        except RuntimeError as error:
            raise UnusableLibrary(_unusable("torchvision", error)) from error


@cache
def timm() -> ModuleType:
    """Return the module, or raise MissingDependency, UnusableLibrary."""
    torchvision()
    return _import("timm")


@cache
def transformers() -> ModuleType:
    """Return the module, or raise MissingDependency, UnusableLibrary."""
    if importlib.util.find_spec("torchvision"):
        torchvision()  # its image models import it, where it is
    return _import("transformers")


def with_torchvision(call: Callable[[], T]) -> T:
    """Call a function that imports torchvision itself; call it again after the failure described in `torchvision`."""
    try:
        return call()
    except Exception as error:
        if not any("torchvision::" in str(e) for e in _chain(error)):
            raise
    torchvision()
    return call()


def _chain(error: BaseException | None) -> Iterator[BaseException]:
    """Yield an error and what led to it, innermost last: transformers wraps what torchvision raises."""
    while error is not None:
        yield error
        error = error.__cause__ or error.__context__


def _import(name: str) -> ModuleType:
    try:
        return importlib.import_module(name)
    except ModuleNotFoundError as error:
        if (error.name or "").split(".")[0] in (name, "torch"):
            raise MissingDependency(error.name or name, EXTRA, f"a model of {name}") from error
        raise UnusableLibrary(_unusable(name, error)) from error


def _declare_detection_operators() -> None:

    if _declared:
        return
    library = torch.library.Library("torchvision", "FRAGMENT")
    for name, signature in _DETECTION_OPERATORS.items():
        if not hasattr(torch.ops.torchvision, name):
            library.define(name + signature)
    _declared.append(library)


def _unusable(name: str, error: BaseException) -> str:
    return (
        f"{name} is installed, but cannot be imported: {type(error).__name__}: {error}; "
        f"install versions of torch and {name} that belong together: pip install -U 'brainmark[{EXTRA}]'"
    )
