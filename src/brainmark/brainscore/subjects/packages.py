"""Modules of the Brain-Score packages, imported when they are needed."""

from __future__ import annotations

import importlib
from typing import Any

from brainmark.core.errors import MissingDependency


def theirs(module: str) -> Any:
    """Return a module of brainscore-core about data: ``assemblies``, ``stimuli``. Raises MissingDependency."""
    return brainscore(f"brainscore_core.supported_data_standards.brainio.{module}")


def brainscore(module: str) -> Any:
    """Return a module of theirs by its whole name. Raises MissingDependency."""
    try:
        return importlib.import_module(module)
    except ImportError as error:
        package = module.partition(".")[0].replace("_", "-")
        raise MissingDependency(package, None, "a subject of Brain-Score") from error
