"""What must hold for every registered metric, those to come included.

A metric that is not invariant to something says so here, with the reason; that it is not is checked too.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from importlib import import_module

import numpy as np
import pytest
import xarray as xr

from brainmark.core import InvalidMeasurement, metrics
from brainmark.core.comparison import Comparison
from brainmark.core.devices import compute_on
from brainmark.testing.metric_checks import MetricUnderTest

Change = Callable[[xr.DataArray], xr.DataArray]

NAMES = sorted(metrics)
FIXED = "the penalty is a fixed number, in the units of the features"
ONE_TO_ONE = "single units are compared"
ANSWERS = (
    "choices", "shares", "words", "surprisals", "distributions", "triplets", "object labels", "object trials",
    "cell properties", "solution times", "object solution times",
)  # fmt: skip  # numbers with a meaning of their own

NOT_BLIND_TO: dict[str, dict[str, str]] = {
    "order of presentations": {"brainscore-pearsonr": "two vectors are compared as they stand, as published"},
    "scale of the model": {"brainscore-ridge": FIXED, "brainscore-ridgecv": FIXED, "brainscore-ridge-pearsonr": FIXED},
    "rotation of the model": {
        "brainscore-neuron-to-neuron": ONE_TO_ONE,
        "single_unit": ONE_TO_ONE,
        "soft_matching": ONE_TO_ONE,
        "rdm": "the mean over units is taken off each pattern",
        "brainscore-rdm": "the mean over units is taken off each pattern",
        "brainscore-rdm-cv": "the mean over units is taken off each pattern",
    },
}

BLOCKS = {  # how much is done at a time
    "_arrays.backend": {"_BLOCK": 2**9, "_WIDE": 5, "_LEAF": 4},
    "statistics.ceilings": {"_CACHED": 3, "_TOGETHER": 2},
    "regression.matching": {"_CACHED": 64},
    "_arrays.products": {"_FEATURES": 5, "_STIMULI": 7},
    "statistics.ranks": {"_BLOCK": 17, "_FEW": 10},
    "statistics.resampling": {"_TOGETHER": 2**9},
    "similarity.rdm": {"_CACHED": 50},
    "regression.spectrum": {"_TOGETHER": 64},
}


@cache
def under_test(name: str) -> MetricUnderTest:
    return MetricUnderTest(metrics[name])


@cache
def expected(name: str) -> Comparison:
    case = under_test(name)
    return case.compare(case.noisy_prediction)


def values_of(found: Comparison) -> np.ndarray:
    """Values in the order of the names of their units."""
    unit = found.unit
    names = next((found.values.coords[c].values for c in (f"{unit}_id", unit) if c in found.values.coords), None)
    values = np.asarray(found.values.values, float)
    return values if names is None else values[np.argsort(names.astype(str), kind="stable")]


def compared(name: str, model: Change | None = None, brain: Change | None = None) -> np.ndarray:
    case = under_test(name)
    prediction, target = case.noisy_prediction.copy(deep=True), case.example.target.copy(deep=True)
    found = case.metric(model(prediction) if model else prediction, brain(target) if brain else target)
    return values_of(found)


def same(name: str, found: np.ndarray, tolerance: float) -> bool:
    return np.allclose(found, values_of(expected(name)), rtol=0, atol=tolerance, equal_nan=True)


def check(name: str, what: str, found: np.ndarray, tolerance: float) -> None:
    why = NOT_BLIND_TO.get(what, {}).get(name)
    if why is None:
        wanted = np.broadcast_to(values_of(expected(name)), found.shape)
        np.testing.assert_allclose(found, wanted, rtol=0, atol=tolerance)
    else:
        assert not same(name, found, tolerance), f"{name} is blind to the {what} after all"


def numbers(name: str) -> None:
    if under_test(name).card.compares in ANSWERS:
        pytest.skip("these numbers mean something")


def per_neuroid(name: str) -> None:
    if "neuroid" not in under_test(name).noisy_prediction.dims or not under_test(name).example.paired:
        pytest.skip("the model has no units that mix")


@pytest.mark.parametrize("name", NAMES)
def test_values_are_bounded(name: str) -> None:
    found = expected(name)
    values = values_of(found)
    known = values[np.isfinite(values)]
    assert len(known)
    assert (np.abs(known) <= 1 + 1e-9).all()
    if found.splits is not None:
        assert np.nanmax(np.abs(found.splits.values)) <= 1 + 1e-9


@pytest.mark.parametrize("name", NAMES)
def test_presentations_are_matched_by_their_names_or_refused(name: str) -> None:
    case = under_test(name)
    if "stimulus_id" not in case.noisy_prediction.coords or not case.example.paired:
        pytest.skip("presentations have no names")
    order = np.random.default_rng(3).permutation(case.noisy_prediction.sizes["presentation"])
    try:
        found = compared(name, lambda a: a.isel(presentation=order))
    except InvalidMeasurement as refused:
        assert "stimulus" in str(refused)
        return
    check(name, "order of presentations", found, 1e-6)


@pytest.mark.parametrize("name", NAMES)
def test_neuroids_keep_their_values_in_another_order(name: str) -> None:
    target = under_test(name).example.target
    if "neuroid" not in target.dims or "neuroid_id" not in target.coords:
        pytest.skip("the target has no neuroids")
    order = np.random.default_rng(4).permutation(target.sizes["neuroid"])
    check(name, "order of neuroids", compared(name, brain=lambda a: a.isel(neuroid=order)), 1e-3)


@pytest.mark.parametrize("name", NAMES)
def test_scale_of_the_model_does_not_matter(name: str) -> None:
    numbers(name)
    found = [compared(name, lambda a, by=scale: a * by) for scale in (0.01, 300.0)]
    check(name, "scale of the model", np.stack(found), 1e-6)


@pytest.mark.parametrize("name", NAMES)
def test_scale_of_the_recording_does_not_matter(name: str) -> None:
    numbers(name)
    check(name, "scale of the recording", compared(name, brain=lambda a: a * 7.0), 1e-6)


@pytest.mark.parametrize("name", NAMES)
def test_rotation_of_the_model_does_not_matter(name: str) -> None:
    numbers(name)
    per_neuroid(name)
    width = under_test(name).noisy_prediction.sizes["neuroid"]
    rotation = np.linalg.qr(np.random.default_rng(5).standard_normal((width, width)))[0]

    def rotated(array: xr.DataArray) -> xr.DataArray:
        array = array.transpose(..., "neuroid")
        return array.copy(data=array.values @ rotation)

    check(name, "rotation of the model", compared(name, rotated), 1e-6)


@pytest.mark.parametrize("name", NAMES)
def test_single_precision_is_close(name: str) -> None:
    if under_test(name).card.compares in ("words", "object labels", "object trials"):
        pytest.skip("words have no precision")
    check(name, "precision", compared(name, lambda a: a.astype(np.float32), lambda a: a.astype(np.float32)), 2e-4)


@pytest.mark.parametrize("name", NAMES)
def test_blocks_give_what_the_whole_gives(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    values = values_of(expected(name))
    for module, sizes in BLOCKS.items():
        for constant, size in sizes.items():
            monkeypatch.setattr(import_module(f"brainmark.metrics.{module}"), constant, size)
    np.testing.assert_allclose(compared(name), values, rtol=0, atol=1e-7)


@pytest.mark.parametrize("name", NAMES)
def test_a_device_gives_what_the_cpu_gives(name: str) -> None:
    """Metrics ran on the CPU whatever device was said; on one, a part that was left behind must be found."""
    pytest.importorskip("torch")
    from brainmark.testing.pretended import pretend_devices

    wanted, case = expected(name), under_test(name)
    with pretend_devices() as devices, compute_on("pretended:1"):
        devices.done.clear()  # what it took to find the device
        found = case.compare(case.noisy_prediction)
    np.testing.assert_allclose(values_of(found), values_of(wanted), rtol=0, atol=1e-6)
    if wanted.replicates is not None and found.replicates is not None:
        np.testing.assert_allclose(found.replicates, wanted.replicates, rtol=0, atol=1e-6)
    assert bool(devices.done["pretended:1"]) == case.card.on_device, "its card says where it computes"
