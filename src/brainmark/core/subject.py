"""Subjects: models and animals are the same to an experiment."""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import Any, Protocol, runtime_checkable

from brainmark.core.experiment import Experiment
from brainmark.core.libraries import xr


@runtime_checkable
class Subject(Protocol):
    """Anything with a name that can take part in an experiment.

    `perform` is one pure call: the answer depends on the experiment alone, nothing is remembered between calls.
    It raises `NotApplicable` with the reason if the subject cannot do what is asked; it never returns zeros.
    """

    @property
    def identifier(self) -> str:
        """Name, unique among models."""
        ...

    def perform(self, experiment: Experiment) -> xr.DataArray:
        """Return the measurement that the experiment asks for."""
        ...


def name_of(subject: Any) -> str:
    """Return the name of a subject; its type where it has none, or cannot say it."""
    try:
        name = getattr(subject, "identifier", None)
        return str(name) if name else type(subject).__name__
    except (Exception, SystemExit):  # noqa: BLE001 - code of others
        return type(subject).__name__


def is_ours(subject: Any) -> bool:
    """Return whether the code of a subject is that of this package."""
    kind = type(subject)
    return kind.__module__.startswith("brainmark.") and vars(sys.modules[kind.__module__]).get(kind.__name__) is kind


Adapter = Callable[[Any, str | None], Subject | None]
"""foreign object, name for it -> a subject, or None for what is none of its kind."""

ADAPTERS: list[Adapter] = []


def add_adapter(adapter: Adapter) -> Adapter:
    """Let objects of another package be scored: `adapter` is asked for what has no `perform` of its own."""
    if adapter not in ADAPTERS:
        ADAPTERS.append(adapter)
    return adapter
