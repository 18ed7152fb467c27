"""Running the checks: one case is one check of one registered thing."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from functools import lru_cache
from importlib import import_module
from typing import Any, Literal

from brainmark.core import registry
from brainmark.core.errors import BrainmarkError, UnknownName
from brainmark.core.registry import Entry
from brainmark.studies.packaged import expand
from brainmark.testing.outcome import CheckFailed, CheckSkipped, said

Outcome = Literal["passed", "failed", "skipped"]

_UNDER_TEST = {
    "model": ("model_checks", "ModelUnderTest"),
    "dataset": ("dataset_checks", "DatasetUnderTest"),
    "metric": ("metric_checks", "MetricUnderTest"),
    "benchmark": ("benchmark_checks", "BenchmarkUnderTest"),
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
    check: Callable[[Any], None]

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
            self.check(_under_test(self.entry))
        except (CheckFailed, CheckSkipped):
            raise
        except Exception as error:
            raise CheckFailed(f"raises {said(error)}") from error

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
def _under_test(entry: Entry[Any, Any]) -> Any:
    """The thing with all that its checks share; the checks of one thing follow each other, so one is kept."""
    module, name = _UNDER_TEST[entry.kind]
    return getattr(import_module(f"brainmark.testing.{module}"), name)(entry)


def checks_of(kind: str) -> tuple[Callable[[Any], None], ...]:
    """Return the checks of a kind: "model", "dataset", "metric" or "benchmark"."""
    return import_module(f"brainmark.testing.{_UNDER_TEST[kind][0]}").CHECKS


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
    return _cases_of(_selected(selection))


def run_checks(selection: str | None = None) -> Iterator[CheckResult]:
    """Yield the result of every check of what is selected (see `cases`), one by one.

    An unknown name is an error before anything is run.
    """
    return (case.result() for case in cases(selection))


def check_model(model: str | Entry[Any, Any]) -> tuple[CheckResult, ...]:
    """Check a registered model, by name or entry; raise `ConformanceError` if a check fails."""
    return _check(registry.models[model] if isinstance(model, str) else model)


def check_dataset(dataset: str | Entry[Any, Any]) -> tuple[CheckResult, ...]:
    """Check a registered dataset, by name or entry; raise `ConformanceError` if a check fails."""
    return _check(registry.datasets[dataset] if isinstance(dataset, str) else dataset)


def check_metric(metric: str | Entry[Any, Any]) -> tuple[CheckResult, ...]:
    """Check a registered metric, by name or entry; raise `ConformanceError` if a check fails."""
    return _check(registry.metrics[metric] if isinstance(metric, str) else metric)


def check_benchmark(benchmark: str | Entry[Any, Any]) -> tuple[CheckResult, ...]:
    """Check a registered benchmark, by name or entry; raise `ConformanceError` if a check fails."""
    return _check(registry.benchmarks[benchmark] if isinstance(benchmark, str) else benchmark)


def check_package(package: str) -> tuple[CheckResult, ...]:
    """Check all that a package registers; raise `ConformanceError` if a check fails."""
    return _raise_failed(run_checks(package))


def _check(entry: Entry[Any, Any]) -> tuple[CheckResult, ...]:
    return _raise_failed(case.result() for case in _cases_of([entry]))


def _raise_failed(results: Iterable[CheckResult]) -> tuple[CheckResult, ...]:
    finished = tuple(results)
    if any(r.outcome == "failed" for r in finished):
        raise ConformanceError(finished)
    return finished


def _cases_of(entries: Iterable[Entry[Any, Any]]) -> list[Case]:
    return [Case(entry, check) for entry in entries for check in checks_of(entry.kind)]


def _selected(selection: str | None) -> list[Entry[Any, Any]]:
    found: list[Entry[Any, Any]] = [
        entry
        for of_kind in (registry.models, registry.datasets, registry.metrics, registry.benchmarks)
        for entry in of_kind.entries()
    ]
    if selection is None:
        return found
    package = selection.replace("-", "_")
    chosen = [e for e in found if e.name == selection] or [e for e in found if f"{e.module}.".startswith(f"{package}.")]
    chosen = chosen or _packaged(selection) or _found(selection)
    if chosen:
        return chosen
    for point, reason in registry.broken_plugins.items():
        if point.split(" = ")[-1].partition(":")[0].split(".")[0] == package.split(".")[0]:
            raise BrainmarkError(f"the plug-in {point} could not be loaded: {reason}")
    known = [e.name for e in found] + sorted({e.module.partition(".")[0] for e in found})
    hint = f" (a package is found through its entry points of the group {registry.ENTRY_POINT_GROUP!r})"
    raise UnknownName("name or package", selection, known, hint)


def _found(name: str) -> list[Entry[Any, Any]]:
    """Return the model of a name that nobody registered, such as ``my_module:make_model``."""
    model = registry.models.find(name)
    return [model] if model else []


def _packaged(path: str) -> list[Entry[Any, Any]]:
    """Return the packaged data set at a path with its usual benchmarks, or one of its benchmarks."""
    dataset = registry.datasets.find(path)
    if dataset is None:
        benchmark = registry.benchmarks.find(path)
        return [benchmark] if benchmark else []
    return [dataset, *(registry.benchmarks[name] for name in expand(path))]
