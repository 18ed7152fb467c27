"""Libraries that load slowly or belong to an extra; each is loaded when it is first used.

Modules that are imported to list what is registered take these libraries from here, so that listing stays quick::

    from brainmark.core.libraries import np, xr

Modules that derive classes from those of a library import that library itself, and are imported when they are used.
"""

from __future__ import annotations

import builtins
import importlib
from collections.abc import Generator
from contextlib import contextmanager
from typing import Any

from brainmark.core.errors import say_what_to_install

_declaring = False


class _Library:
    """A placeholder for a module, which is imported when it is first used."""

    def __init__(self, name: str) -> None:
        self._name = name
        self._module: Any = None

    def __getattr__(self, attribute: str) -> Any:
        if attribute in ("_name", "_module"):  # of a copy, before it has them
            raise AttributeError(attribute)
        if _declaring:  # ``from scipy import linalg`` below
            return _Library(f"{self._name}.{attribute}")
        if self._module is None:
            with say_what_to_install():
                self._module = importlib.import_module(self._name)
        return getattr(self._module, attribute)

    def __repr__(self) -> str:
        return f"<library {self._name}>"


@contextmanager
def _promise_imports() -> Generator[None]:
    """Make the import statements of the block, which name modules only, promises."""
    global _declaring
    usual = builtins.__import__

    def promise(name: str, variables: Any = None, *rest: Any) -> Any:
        if variables is not globals():
            return usual(name, variables, *rest)
        return _Library(name if rest[1] else name.partition(".")[0])

    builtins.__import__, _declaring = promise, True
    try:
        yield
    finally:
        builtins.__import__, _declaring = usual, False


with _promise_imports():
    from urllib import request as urllib_request

    import distributed
    import filelock
    import h5netcdf
    import h5py
    import jinja2
    import markupsafe
    import matplotlib as mpl
    import nibabel
    import numpy as np
    import pandas as pd
    import platformdirs
    import psutil
    import pynwb
    import requests
    import scipy
    import torch
    import urllib3
    import xarray as xr
    from alembic import command as alembic_command
    from alembic import config as alembic_config
    from alembic import util as alembic_util
    from dask import config as dask_config
    from matplotlib import axes as mpl_axes
    from matplotlib import figure as mpl_figure
    from matplotlib import lines as mpl_lines
    from matplotlib import patches as mpl_patches
    from matplotlib import ticker as mpl_ticker
    from PIL import Image
    from requests import adapters as requests_adapters
    from rich import console as rich_console
    from rich import progress as rich_progress
    from torch import nn

__all__ = [
    "Image", "alembic_command", "alembic_config", "alembic_util", "dask_config", "distributed", "filelock", "h5netcdf",
    "h5py", "jinja2", "markupsafe", "mpl", "mpl_axes", "mpl_figure", "mpl_lines", "mpl_patches", "mpl_ticker",
    "nibabel", "nn", "np", "pd", "platformdirs", "psutil", "pynwb", "requests", "requests_adapters", "rich_console",
    "rich_progress", "scipy", "torch", "urllib3", "urllib_request", "xr",
]  # fmt: skip
