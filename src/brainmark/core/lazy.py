"""Package attributes that load their module when first used (PEP 562)."""

from __future__ import annotations

import importlib
import sys
from collections.abc import Callable, Mapping
from typing import Any

from brainmark.core.errors import saying_what_to_install


def attach(package: str, homes: Mapping[str, str]) -> tuple[Callable[[str], Any], Callable[[], list[str]], list[str]]:
    """Return ``__getattr__, __dir__, __all__`` of a package.

    `homes` maps a module, relative to the package, to the names it is home to,
    separated by white space.
    """
    home_of = {name: module for module, names in homes.items() for name in names.split()}

    def getattr_(name: str) -> Any:
        if name not in home_of:
            raise AttributeError(f"module {package!r} has no attribute {name!r}")
        home = home_of[name]
        with saying_what_to_install(f"{package}.{name}"):
            module = importlib.import_module(f"{package}.{home}")
        value = getattr(module, name)
        setattr(sys.modules[package], name, value)
        return value

    names = sorted(home_of)
    return getattr_, lambda: names, names
