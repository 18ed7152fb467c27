"""Checks during tests that arrays have their annotated shapes (`brainmark.metrics._arrays.shapes`).

In the `conftest.py` of a test suite, before anything of the package is imported::

    from brainmark.testing.shapes import check_shapes

    check_shapes("my_package.metrics")

A call is checked when it has returned: arguments and result together, so that one axis name is one length in all of
them. A function that refuses wrong input with an error of its own is right; one that takes it and returns is not.
"""

from __future__ import annotations

import functools
import inspect
import re
import sys
from collections.abc import Callable, Sequence
from importlib.abc import MetaPathFinder
from importlib.machinery import ModuleSpec, PathFinder, SourceFileLoader
from types import FunctionType, ModuleType, UnionType
from typing import Any, Union, get_args, get_origin

import jaxtyping
from beartype import BeartypeConf
from beartype.door import is_bearable

from brainmark.testing.outcome import CheckFailed

_KINDS = ("Bool", "Float", "Integer", "Real", "Shaped")
_SHAPED = re.compile(rf"\b({'|'.join(_KINDS)})\[")


class ShapeError(CheckFailed):
    """An array that is not as annotated was accepted or returned."""


def check_shapes(package: str) -> None:
    """Check every call of the functions and methods of `package` and its modules that are imported from now on.

    Needs jaxtyping and beartype. Annotations are those of source files (``from __future__ import annotations``).

    Raises
    ------
    RuntimeError : a module of it is imported already, whose functions would not be checked.
    """
    loaded = sorted(name for name in sys.modules if _within(name, package))
    if loaded:
        raise RuntimeError(f"check_shapes({package!r}) must be called earlier: {loaded[0]} is imported already")
    sys.meta_path.insert(0, _Finder(package))


def check_calls(function: Callable[..., Any]) -> Callable[..., Any]:
    """Return `function`, checked at every call; as it is where no annotation says a shape.

    Raises
    ------
    ShapeError : (when called) it returned, and an argument or the result is not as annotated.
    """
    shapes = _shapes(function)
    if not shapes:
        return function
    signature = inspect.signature(function)

    @functools.wraps(function)
    def call(*args: Any, **kwargs: Any) -> Any:
        result = function(*args, **kwargs)
        bound = signature.bind(*args, **kwargs)
        _check(function, shapes, {**bound.arguments, "return": result})
        return result

    return call


def _shapes(function: Callable[..., Any]) -> dict[str, str]:
    """Return the annotations of shapes by name of the argument."""
    annotations = function.__annotations__.items()
    return {name: text for name, text in annotations if isinstance(text, str) and _SHAPED.search(text)}


def _check(function: Callable[..., Any], shapes: dict[str, str], values: dict[str, Any]) -> None:
    """Raise unless all values have their `shapes`, in the order of the signature, the result last."""
    hints = _hints(function)
    with jaxtyping.jaxtyped("context"):
        for name, value in values.items():
            if name in shapes and not _fits(value, hints[name]):
                sizes = ", ".join(f"{other} {_size(it)}" for other, it in values.items() if other in shapes)
                where = f"{function.__module__}.{function.__qualname__}"
                raise ShapeError(f"{where}: {name} is no {shapes[name]}; there are {sizes}")


def _fits(value: Any, hint: Any) -> bool:
    """Return whether a value is as annotated.

    Every entry of a list, tuple or dictionary is looked at (beartype looks at one of them).
    """
    origin, of = get_origin(hint), get_args(hint)
    if origin in (Union, UnionType):
        return any(_fits(value, one) for one in of)
    if origin is tuple and isinstance(value, tuple) and Ellipsis not in of:
        return len(value) == len(of) and all(map(_fits, value, of))
    if isinstance(value, dict) and isinstance(origin, type) and issubclass(dict, origin):
        return all(_fits(entry, of[-1]) for entry in value.values())
    if isinstance(value, list | tuple) and isinstance(origin, type) and isinstance(value, origin):
        return all(_fits(entry, of[0]) for entry in value)
    return is_bearable(value, hint, conf=BeartypeConf(is_pep484_tower=True))  # an int is a float, as type checkers say


@functools.cache
def _hints(function: Callable[..., Any]) -> dict[str, Any]:
    names = {**function.__globals__, **{kind: getattr(jaxtyping, kind) for kind in _KINDS}}
    hints = {name: eval(text, names) for name, text in _shapes(function).items()}
    several = inspect.getfullargspec(function).varargs
    return {name: tuple[hint, ...] if name == several else hint for name, hint in hints.items()}


def _size(value: Any) -> str:
    """Return the shape and kind of numbers of an array; else the type."""
    if isinstance(getattr(value, "shape", None), tuple):
        return f"{type(value).__name__} {tuple(value.shape)} {value.dtype}"
    return type(value).__name__


def _within(module: str, package: str) -> bool:
    return module == package or module.startswith(f"{package}.")


class _Finder(MetaPathFinder):
    def __init__(self, package: str) -> None:
        self.package = package

    def find_spec(
        self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        if not _within(fullname, self.package):
            return None
        spec = PathFinder.find_spec(fullname, path, target)
        if spec is not None and type(spec.loader) is SourceFileLoader:
            spec.loader = _Loader(spec.loader.name, spec.loader.path)
        return spec


class _Loader(SourceFileLoader):
    """Wraps the functions of a module before they can be imported from it."""

    def exec_module(self, module: ModuleType) -> None:
        super().exec_module(module)
        for owner in (module, *(it for it in vars(module).values() if isinstance(it, type))):
            for name, it in list(vars(owner).items()):
                if isinstance(it, FunctionType) and it.__module__ == module.__name__:
                    setattr(owner, name, check_calls(it))
                elif isinstance(it, property) and it.fget and it.fget.__module__ == module.__name__:
                    setattr(owner, name, it.getter(check_calls(it.fget)))
