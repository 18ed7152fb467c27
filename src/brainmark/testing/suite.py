"""Runs the conformance checks; each case is one check of one registered name."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Literal

from brainmark.core import registry
from brainmark.core.errors import BrainmarkError, UnknownName
from brainmark.core.registry import Entry
from brainmark.studies.packaged import expand
from brainmark.testing import benchmark_checks, dataset_checks, metric_checks, model_checks
from brainmark.testing.outcome import CheckFailed, CheckSkipped, describe

Check = Callable[[Any], None]
Outcome = Literal["passed", "failed", "skipped"]
Selected = list[Entry[Any, Any]]

_KINDS: dict[str, tuple[Callable[[Any], Any], tuple[Check, ...]]] = {
    "model": (model_checks.ModelUnderTest, model_checks.CHECKS),
    "dataset": (dataset_checks.DatasetUnderTest, dataset_checks.CHECKS),
    "metric": (metric_checks.MetricUnderTest, metric_checks.CHECKS),
    "benchmark": (benchmark_checks.BenchmarkUnderTest, benchmark_checks.CHECKS),
}


@dataclass(frozen=True)
class CheckResult:
    """How one check ended.

    Attributes
    ----------
    kind, name : what was checked: "model", "dataset", "metric" or "benchmark", and its registered name.
    check : the rule, in words.
    outcome : "passed", "failed", or "skipped" (cannot be checked here).
    message : why it failed or was skipped; empty if passed.
    seconds : wall time.
    """

    kind: str
    name: str
    check: str
    outcome: Outcome
    message: str
    seconds: float


class ConformanceError(AssertionError):
    """Some checks failed; `results` holds all of them."""

    def __init__(self, results: tuple[CheckResult, ...]) -> None:
        self.results = results
        failed = [r for r in results if r.outcome == "failed"]
        lines = [f"  {r.kind} {r.name!r}: {r.check}\n    {r.message}" for r in failed]
        super().__init__(f"{len(failed)} of {len(results)} checks failed\n" + "\n".join(lines))


@dataclass(frozen=True)
class Case:
    """One check of one registered thing; `str` of it is a readable test id."""

    entry: Entry[Any, Any]
    check: Check

    def __str__(self) -> str:
        return f"{self.entry.kind}-{self.entry.name}-{self.check.__name__}"

    @property
    def rule(self) -> str:
        """What is checked, in one sentence."""
        return (self.check.__doc__ or self.check.__name__).strip().splitlines()[0]

    def run(self) -> None:
        """Make the check.

        Raises
        ------
        CheckFailed : an AssertionError.
        CheckSkipped : a unittest.SkipTest, which pytest shows as skipped.
        """
        try:
            self.check(_prepare(self.entry))
        except (CheckFailed, CheckSkipped):
            raise
        except Exception as error:
            raise CheckFailed(f"raises {describe(error)}") from error

    def result(self) -> CheckResult:
        """Make the check and say how it ended."""
        outcome, message, begun = "passed", "", time.perf_counter()
        try:
            self.run()
        except CheckFailed as failure:
            outcome, message = "failed", str(failure)
        except CheckSkipped as skip:
            outcome, message = "skipped", str(skip)
        seconds = time.perf_counter() - begun
        return CheckResult(self.entry.kind, self.entry.name, self.rule, outcome, message, seconds)


@lru_cache(maxsize=1)
def _prepare(entry: Entry[Any, Any]) -> Any:
    """Return the thing with all that its checks share; the checks of one thing follow each other, so one is kept."""
    return _KINDS[entry.kind][0](entry)


def checks_of(kind: str) -> tuple[Check, ...]:
    """Return the checks of a kind: "model", "dataset", "metric" or "benchmark"."""
    return _KINDS[kind][1]


def cases(selection: str | None = None) -> list[Case]:
    """Return every check of every registered thing that is selected.

    Parameters
    ----------
    selection : name of a registered thing, of the package (or module) that registered it, the path of a packaged
        data set, or a model by any name, such as ``my_module:make_model``; None: everything.

    Raises
    ------
    UnknownName : nothing of that name is registered; a plug-in that could not be loaded is named with its reason.
    """
    return [Case(entry, check) for entry in _select(selection) for check in checks_of(entry.kind)]


def run_checks(selection: str | None = None) -> Iterator[CheckResult]:
    """Yield the result of every check of what is selected (see `cases`), one by one.

    An unknown name is an error before anything is run.
    """
    return (case.result() for case in cases(selection))


def check_model(model: str | Entry[Any, Any]) -> tuple[CheckResult, ...]:
    """Check a registered model, by name or entry; raise `ConformanceError` if a check fails."""
    return _check(registry.models, model)


def check_dataset(dataset: str | Entry[Any, Any]) -> tuple[CheckResult, ...]:
    """Check a registered dataset, by name or entry; raise `ConformanceError` if a check fails."""
    return _check(registry.datasets, dataset)


def check_metric(metric: str | Entry[Any, Any]) -> tuple[CheckResult, ...]:
    """Check a registered metric, by name or entry; raise `ConformanceError` if a check fails."""
    return _check(registry.metrics, metric)


def check_benchmark(benchmark: str | Entry[Any, Any]) -> tuple[CheckResult, ...]:
    """Check a registered benchmark, by name or entry; raise `ConformanceError` if a check fails."""
    return _check(registry.benchmarks, benchmark)


def check_package(package: str) -> tuple[CheckResult, ...]:
    """Check all that a package registers; raise `ConformanceError` if a check fails."""
    return _raise_failed(run_checks(package))


def _check(registered: registry.Registry[Any, Any], thing: str | Entry[Any, Any]) -> tuple[CheckResult, ...]:
    entry = registered[thing] if isinstance(thing, str) else thing
    return _raise_failed(Case(entry, check).result() for check in checks_of(entry.kind))


def _raise_failed(results: Iterable[CheckResult]) -> tuple[CheckResult, ...]:
    finished = tuple(results)
    if any(r.outcome == "failed" for r in finished):
        raise ConformanceError(finished)
    return finished


def _select(selection: str | None) -> Selected:
    four = (registry.models, registry.datasets, registry.metrics, registry.benchmarks)
    everything: Selected = [entry for registered in four for entry in registered.entries()]
    if selection is None:
        return everything
    package = selection.replace("-", "_")
    of_name = [e for e in everything if e.name == selection]
    of_package = [e for e in everything if f"{e.module}.".startswith(f"{package}.")]
    if selected := of_name or of_package or _find(selection):
        return selected
    for point, reason in registry.broken_plugins.items():
        if point.split(" = ")[-1].partition(":")[0].split(".")[0] == package.split(".")[0]:
            raise BrainmarkError(f"the plug-in {point} could not be loaded: {reason}")
    known = [e.name for e in everything] + sorted({e.module.partition(".")[0] for e in everything})
    hint = f" (a package is found through its entry points of the group {registry.ENTRY_POINT_GROUP!r})"
    raise UnknownName("name or package", selection, known, hint)


def _find(name: str) -> Selected:
    """Return what an unregistered name means: a packaged data set with its benchmarks, one of them, or a model."""
    if dataset := registry.datasets.find(name):
        return [dataset, *(registry.benchmarks[benchmark] for benchmark in expand(name))]
    found = registry.benchmarks.find(name) or registry.models.find(name)
    return [found] if found else []
