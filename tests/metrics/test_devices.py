"""Metrics that compute on a device give there what they give on the CPU, whatever their options and data are."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import xarray as xr

pytest.importorskip("torch")
from brainmark.core import metrics
from brainmark.core.comparison import Comparison
from brainmark.core.devices import compute_on, gather_notes
from brainmark.core.errors import InvalidMeasurement
from brainmark.metrics.regression.predictivity import TEN_FOLDS, Predictivity
from brainmark.testing.pretended import pretend_devices

CASES: list[tuple[str, dict[str, Any]]] = [
    ("pls", {"components": 2}), ("pls", {"components": 3, "stop": "nipals"}), ("ols", {}),
    ("ridge", {}), ("ridge", {"selection": "gcv"}), ("ridge", {"per_target": False}),
    ("ridge", {"alphas": (0.1, 10.0)}),
    ("single_unit", {}), ("single_unit", {"partners": "one-to-one"}),
    ("cka", {}), ("cka", {"unbiased": False}), ("cka", {"kernel": "rbf"}),
    ("procrustes", {}), ("procrustes", {"whiten": 0.5}),
    ("rdm", {}), ("rdm", {"distance": "euclidean", "compare": "pearson"}),
    ("rdm", {"distance": "cosine", "compare": "tau-a"}),
    ("rdm", {"distance": "squared_euclidean", "compare": "whitened-cosine"}),
]  # fmt: skip


def record(units: int, seed: int, dtype: str = "f8", lacking: int = 0, trials: int = 0) -> xr.DataArray:
    """A recording of 24 presentations; the last `lacking` of them were not shown to the first neuroid."""
    rng = np.random.default_rng(seed)
    signal = np.random.default_rng(1).standard_normal((24, 5)) @ rng.standard_normal((5, units))
    values = signal + 0.5 * rng.standard_normal((trials, 24, units) if trials else (24, units))
    values[..., 24 - lacking :, 0] = np.nan
    dims = ("repetition", "presentation", "neuroid")[0 if trials else 1 :]
    return xr.DataArray(
        values.astype(dtype), dims=dims, coords={"stimulus_id": ("presentation", [f"s{i}" for i in range(24)])}
    )


def agree(one: Comparison, other: Comparison) -> None:
    np.testing.assert_allclose(one.array, other.array, rtol=0, atol=1e-6)
    assert one.notes == other.notes
    for name in ("replicates", "splits"):
        first, second = getattr(one, name), getattr(other, name)
        assert (first is None) == (second is None)
        if first is not None:
            np.testing.assert_allclose(np.asarray(first), np.asarray(second), rtol=0, atol=1e-6)


@pytest.mark.parametrize(("units", "lacking"), [(7, 8), (60, 0)], ids=["few units, gaps", "many units"])
@pytest.mark.parametrize(("name", "options"), CASES, ids=[f"{n} {o}" for n, o in CASES])
def test_numbers_on_a_device_are_those_on_the_cpu(name: str, options: dict[str, Any], units: int, lacking: int):
    """A part that stays behind on the CPU, such as the rows of a group of neuroids, ends the run on a real GPU."""
    metric = metrics[name].load(resamples=5, **options)
    prediction, target = record(units, 2), record(4, 3, lacking=lacking)
    wanted = metric(prediction, target)
    with pretend_devices() as devices, compute_on("pretended:1"):
        devices.done.clear()
        agree(metric(prediction, target), wanted)
    assert devices.done["pretended:1"] and not devices.done["pretended:0"]


@pytest.mark.parametrize("name", ["pls", "ridge", "cka", "procrustes", "rdm"])
def test_single_precision_stays_close(name: str):
    metric, target = metrics[name].load(resamples=0), record(4, 3)
    prediction = record(60, 2, "f4")
    with pretend_devices(), compute_on("pretended:1"):
        found = metric(prediction, target)
    np.testing.assert_allclose(found.array, metric(prediction, target).array, rtol=0, atol=1e-5)


@pytest.mark.parametrize(("name", "options"), [("rdm", {}), ("cka", {}), ("ridge", {})])
def test_ceilings_on_a_device_are_those_on_the_cpu(name: str, options: dict[str, Any]):
    target = record(6, 4, trials=4)
    ceiling: Any = metrics[name].ceiling(resamples=5, **options)
    wanted = ceiling(target)
    with pretend_devices(), compute_on("pretended:1"):
        agree(ceiling(target), wanted)


@pytest.mark.parametrize("name", ["ridge", "rdm", "cka"])
def test_a_device_without_double_precision_leaves_metrics_to_the_cpu(name: str):
    """Apple's devices refuse float64, and metrics would have failed, or lost digits, there."""
    metric, prediction, target = metrics[name].load(resamples=0), record(7, 2), record(4, 3)
    with pretend_devices(double=False) as devices, compute_on("pretended:3"), gather_notes() as notes:
        devices.done.clear()
        agree(metric(prediction, target), metric(prediction, target))
    assert list(notes) == ["the metric was computed on the CPU, since pretended:3 has no double precision"]


@pytest.mark.parametrize("value", [np.nan, np.inf, 1e-70])
def test_what_is_refused_on_the_cpu_is_refused_on_a_device(value: float):
    prediction, metric = record(7, 2), metrics["ridge"].load(resamples=0)
    prediction = prediction * 0 + value if value < 1 else prediction.where(prediction.neuroid > 0, value)
    with pretend_devices(), compute_on("pretended:1"), pytest.raises(InvalidMeasurement, match="features"):
        metric(prediction, record(4, 3))


def test_a_mapping_of_ones_own_that_knows_numpy_alone_gets_numpy():
    """Mappings of packages of others were written before there were devices, and must go on."""

    def predict(features: Any, y: Any, folds: Any) -> tuple[Any, tuple[str, ...]]:
        assert isinstance(features.kernel, np.ndarray) and isinstance(y, np.ndarray)
        return np.concatenate([y[f.train[: len(f.test)]] for f in folds]), ()

    metric = Predictivity(predict, TEN_FOLDS, resamples=5, dual=True)
    wanted = metric(record(7, 2), record(4, 3))
    with pretend_devices() as devices, compute_on("pretended:1"):
        devices.done.clear()
        agree(metric(record(7, 2), record(4, 3)), wanted)
    assert not devices.done["pretended:1"]
