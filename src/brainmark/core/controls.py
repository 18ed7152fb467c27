"""Controls: models and manipulations that should score badly, run on the data of a benchmark."""

from __future__ import annotations

from typing import Any

from brainmark.core.benchmark import Benchmark, Control
from brainmark.core.comparison import Comparison
from brainmark.core.devices import in_use
from brainmark.core.errors import NotApplicable
from brainmark.core.libraries import np, xr
from brainmark.core.registry import models


def shuffled(seed: int = 0) -> Control:
    """Return the control in which the model's answers are paired with the wrong stimuli."""

    def compare(benchmark: Benchmark, answer: xr.DataArray) -> Comparison:
        order = np.random.default_rng(seed).permutation(answer.sizes["presentation"])
        wrong = answer.isel(presentation=order)
        columns: dict[str, Any] = {str(k): v for k, v in answer.coords.items() if v.dims == ("presentation",)}
        return benchmark.metric(wrong.assign_coords(columns), benchmark.mean_target)

    return Control("shuffled", compare, per_model=True)


def control_model(name: str) -> Control:
    """Return the control in which a simple registered model stands in for the one that is scored."""

    def compare(benchmark: Benchmark, _: xr.DataArray) -> Comparison:
        return benchmark.metric(benchmark.answer(models[name].load()), benchmark.mean_target)

    return Control(name, compare)


def untrained_twin() -> Control:
    """Return the control in which the model's twin with random weights (``<name>:random``) stands in for it.

    Left out where the model has no such twin, or is one. The answers of the last twins are kept, since several
    benchmarks may ask them the same.
    """

    def compare(benchmark: Benchmark, answer: xr.DataArray) -> Comparison:
        name = str(answer.attrs.get("subject", ""))
        twin = models.get(f"{name}:random") if name else None  # a twin has none
        if twin is None:
            raise NotApplicable(f"{name or 'this subject'} has no untrained twin")
        key = (twin.name, in_use().precision, *benchmark.experiment.key)
        if key not in _TWINS:
            _TWINS[key] = benchmark.answer(twin.load())
            while len(_TWINS) > _TWINS_KEPT:
                del _TWINS[next(iter(_TWINS))]
        return benchmark.metric(_TWINS[key], benchmark.mean_target)

    return Control(UNTRAINED_TWIN, compare, per_model=True)


UNTRAINED_TWIN = "untrained twin"
"""Name of that control."""

_TWINS: dict[tuple[str, str, str, tuple[str, ...]], xr.DataArray] = {}
_TWINS_KEPT = 4
