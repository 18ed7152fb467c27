"""Which kept outcomes are of an older state: of what they depend on, or of the code and libraries that made them.

An outcome whose dependencies have changed is history, and is computed anew when it is asked for. One that older code or
other libraries made still holds, as no version was raised since; it can be listed and computed anew to compare.
"""

from __future__ import annotations

import functools
from collections.abc import Iterable, Mapping
from typing import Any, get_args

from sqlalchemy import Row

from brainmark.core import registry
from brainmark.core.devices import Precision
from brainmark.core.errors import BrainmarkError
from brainmark.run.declared import Declared
from brainmark.run.scoring import GivenBenchmark, GivenModel, add_code, depend_on
from brainmark.run.stamp import code_digest, versions
from brainmark.store.results import digest_lines, list_differences, list_lines, read_record
from brainmark.store.schema import MEASURED

PRECISION = "recording: precision"
"""What a user chooses for a run: scores of another precision are no older."""


class Present:
    """What outcomes would depend on if they were computed now; found once for each model and each benchmark."""

    def __init__(self) -> None:
        self._lines: dict[tuple[str, ...], list[str] | None] = {}

    def is_older(self, row: Row[Any]) -> bool | None:
        """Return whether a row depends on what has changed; None where that is not known.

        It is not of scores that others published, of names that are not registered here, and of foreign code, which is
        not imported for it.
        """
        if row.source != MEASURED:
            return None
        model = self._find(("model", row.model, row.layers), functools.partial(_declare_model, row.model, row.layers))
        benchmark = self._find(("benchmark", row.benchmark), functools.partial(_declare_benchmark, row.benchmark))
        if model is None or benchmark is None:
            return None
        together = {*model, *benchmark, *list_lines(_add_code(row, {}))}
        found = {digest_lines({*together, *list_lines({PRECISION: one})}) for one in _precisions()}
        return row.state not in found

    def explain(self, row: Row[Any]) -> tuple[str, ...]:
        """Return in words what has changed of what a row with its record depends on."""
        plain = read_record(row, silent=True)
        if plain is None or not self.is_older(row):
            return ()
        now = _add_code(row, depend_on(GivenModel(row.model, row.layers), GivenBenchmark(row.benchmark)) or {})
        used = plain["depends_on"]
        return list_differences(used, {**now, PRECISION: used.get(PRECISION, now.get(PRECISION, ""))})

    def _find(self, key: tuple[str, ...], declare: Any) -> list[str] | None:
        if key not in self._lines:
            try:
                declared: Declared | None = declare()
            except BrainmarkError:  # what cannot be made has no present state
                declared = None
            self._lines[key] = None if declared is None else list_lines(declared)
        return self._lines[key]


def _add_code(row: Row[Any], depends_on: Mapping[str, str]) -> Mapping[str, str]:
    """Return what an outcome depends on: failures, also on the code and the libraries."""
    return depends_on if row.status == "scored" else add_code(depends_on)


def _declare_model(name: str, layers: Any) -> Declared | None:
    known = name.partition(":random")[0] in registry.models
    return GivenModel(name, layers).declared if known else None


def _declare_benchmark(name: str) -> Declared | None:
    return GivenBenchmark(name).declared if name in registry.benchmarks else None


def _precisions() -> Iterable[str]:
    return get_args(Precision)


def explain_stamp(row: Row[Any]) -> tuple[str, ...]:
    """Return in words which code and libraries made the score of a row with its record, where others are here now."""
    plain = read_record(row, silent=True)
    stamp: Mapping[str, Any] = (plain or {}).get("outcome", {}).get("stamp") or {}
    if not stamp:
        return ()
    was = {"code of brainmark": stamp["code"], **stamp["packages"]}
    now = {"code of brainmark": code_digest(), **versions()}
    return list_differences(was, {name: value for name, value in now.items() if name in was})
