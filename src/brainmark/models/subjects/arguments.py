"""Checks of the arguments that describe a model; errors name the field, its value and the correction."""

from __future__ import annotations

import math
from collections.abc import Iterable
from numbers import Integral, Real
from typing import Any

from brainmark.core.errors import InvalidModel


def refuse(owner: str, name: str, value: object, way_out: str) -> InvalidModel:
    """Return the error that `name` of `owner` is `value`, with what it has to be."""
    shown = repr(value)
    return InvalidModel(f"{owner}: {name} is {shown if len(shown) <= 80 else shown[:77] + '...'}; {way_out}")


def check_name(owner: str, name: str, value: Any, way_out: str) -> None:
    """Refuse anything but a text that is not blank."""
    if not isinstance(value, str) or not value.strip():
        raise refuse(owner, name, value, way_out)


def check_count(owner: str, name: str, value: Any, way_out: str) -> None:
    """Refuse anything but a whole number of at least 1."""
    if not isinstance(value, Integral) or value is True or value < 1:
        raise refuse(owner, name, value, way_out)


def is_finite(value: Any) -> bool:
    """Return whether it is a real number, and neither NaN nor infinite."""
    return isinstance(value, Real) and value is not True and math.isfinite(value)


def numbers_in(values: Any) -> list[float] | None:
    """Return finite numbers as floats (also those of an array or a tensor), or None if they are something else."""
    if not isinstance(values, Iterable) or isinstance(values, str | bytes):
        return None
    try:
        numbers = [float(v) for v in values]
    except (TypeError, ValueError):
        return None
    return numbers if all(map(math.isfinite, numbers)) else None


def lacks_tokenizer(thing: object) -> str | None:
    """Return what is wrong with a network of transformers that reads and came alone; None for any other thing."""
    if isinstance(thing, type) or getattr(thing, "main_input_name", None) != "input_ids":
        return None
    return f"a {type(thing).__name__} takes tokens: pass it with its tokenizer, as (network, tokenizer)"


def a_module_of(thing: object) -> str:
    """Return a hint on how to make a module of a program of `torch.export`, or "" for other objects."""
    exported = type(thing).__name__ == "ExportedProgram"
    return "; torch.export.unflatten(program) makes one of it" if exported else ""
