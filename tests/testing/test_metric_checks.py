"""Every check of metrics is failed, alone, by a metric that breaks its rule."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import get_args

import numpy as np
import pytest
import xarray as xr

from brainmark.core import Comparison, InvalidMeasurement, MetricCard, MissingDependency
from brainmark.core.registry import Entry
from brainmark.testing import Case, MetricExample, check_metric, checks_of, metric_example

DRAWS = 60


def correlations(predicted: np.ndarray, measured: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """Weighted Pearson correlations (draw, neuroid) of two (presentation, neuroid) arrays."""
    weights = weights / weights.sum(1, keepdims=True)
    means = weights @ predicted, weights @ measured
    cross = weights @ (predicted * measured) - means[0] * means[1]
    spread = (weights @ predicted**2 - means[0] ** 2) * (weights @ measured**2 - means[1] ** 2)
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.where(spread > 1e-12, cross / np.sqrt(np.maximum(spread, 0.0)), np.nan)


def out_of_fold(features: np.ndarray, measured: np.ndarray, folds: int) -> tuple[np.ndarray, np.ndarray]:
    """Predicted and measured values, both centred within each test fold."""
    predicted, centred = np.empty_like(measured), np.empty_like(measured)
    for fold in range(folds):
        test = np.arange(len(features)) % folds == fold
        train = ~test if folds > 1 else test
        x, y = features[train] - features[train].mean(0), measured[train] - measured[train].mean(0)
        weights = np.linalg.lstsq(x, y, rcond=1e-8)[0]
        predicted[test] = (features[test] - features[test].mean(0)) @ weights
        centred[test] = measured[test] - measured[test].mean(0)
    return predicted, centred


def linear(prediction: xr.DataArray, target: xr.DataArray, folds: int = 8) -> Comparison:
    """Out-of-fold correlation of a linear map: a small metric that keeps all rules."""
    measured = target.transpose("presentation", "neuroid").values
    if np.isnan(measured).any():
        raise InvalidMeasurement("linear: the target has missing values")
    predicted, centred = out_of_fold(prediction.transpose("presentation", "neuroid").values, measured, folds)
    counts = np.random.default_rng(5).multinomial(len(measured), np.full(len(measured), 1 / len(measured)), DRAWS)
    values = correlations(predicted, centred, np.ones((1, len(measured))))[0]
    named = xr.DataArray(values, dims="neuroid", coords={"neuroid_id": ("neuroid", target.neuroid_id.values)})
    return Comparison(named, replicates=correlations(predicted, centred, counts.astype(float)))


def with_values(change: Callable[[np.ndarray], np.ndarray]) -> Callable[[], Callable[..., Comparison]]:
    def metric(prediction: xr.DataArray, target: xr.DataArray) -> Comparison:
        found = linear(prediction, target)
        return replace(found, values=found.values.copy(data=change(found.values.values)))

    return lambda: metric


def good() -> Callable[..., Comparison]:
    return linear


def raising(prediction, target):
    raise RuntimeError("never works")


def of_first_units(prediction, target):
    return linear(prediction.isel(neuroid=slice(0, 12)), target)


def without_names(prediction, target):
    found = linear(prediction, target)
    return replace(found, values=found.values.drop_vars("neuroid_id"))


def changes_target(prediction, target):
    target.values[:] -= 1.0
    return linear(prediction, target)


def fails_on_nan(prediction, target):
    if target.isnull().any():
        raise ValueError("Input contains NaN")
    return linear(prediction, target)


def without_resampling(prediction, target):
    found = linear(prediction, target)
    return replace(found, replicates=np.tile(found.values.values, (DRAWS, 1)))


unseeded = np.random.default_rng()

BROKEN = {
    "card_is_complete": (good, {"cite": "@misc{toy, title = {Toy}}"}),
    "compares": (lambda: raising, {}),
    "perfect_prediction_scores_best": (with_values(lambda r: np.where(r > 0.999, 0.9 * r, r)), {}),
    "wrong_pairing_scores_chance": (lambda: lambda p, t: linear(p, t, folds=1), {}),
    "order_of_units_does_not_matter": (lambda: of_first_units, {}),
    "values_name_their_units": (lambda: without_names, {}),
    "same_numbers_twice": (with_values(lambda r: r - 1e-9 * unseeded.uniform(1, 2)), {}),
    "input_is_left_untouched": (lambda: changes_target, {}),
    "missing_values_are_handled_or_refused": (lambda: fails_on_nan, {}),
    "constant_prediction_gets_no_value": (with_values(np.nan_to_num), {}),
    "replicates_surround_the_value": (lambda: without_resampling, {}),
}


def failed(entry: Entry) -> dict[str, str]:
    found = {check.__name__: Case(entry, check).result() for check in checks_of("metric")}
    return {name: r.message for name, r in found.items() if r.outcome == "failed"}


def test_every_check_has_a_metric_that_breaks_it():
    assert list(BROKEN) == [check.__name__ for check in checks_of("metric")]


@pytest.mark.parametrize("check", BROKEN)
def test_a_broken_metric_fails_exactly_its_check(check, make_card):
    factory, changes = BROKEN[check]
    messages = failed(Entry("metric", "toy", factory, make_card("metric", **changes)))
    assert list(messages) == [check]
    assert messages[check]


def test_a_good_metric_passes_all(make_card):
    assert {r.outcome for r in check_metric(Entry("metric", "toy", good, make_card("metric")))} == {"passed"}


def handles_nan(prediction, target):
    """Predict each neuroid from the presentations in which it was measured."""
    values = np.full(target.sizes["neuroid"], np.nan)
    for i in range(len(values)):
        rows = np.flatnonzero(target.notnull().values[:, i])
        if len(rows):
            values[i] = linear(prediction[rows], target[rows, [i]]).values.values[0]
    return Comparison(
        xr.DataArray(values, dims="neuroid", coords={"neuroid_id": ("neuroid", target.neuroid_id.values)})
    )


@pytest.mark.parametrize(
    ("filled", "message"),
    [
        (None, None),
        (lambda p, t: handles_nan(p, t.fillna(0.0)), None),
        (lambda p, t: replace(c := handles_nan(p, t), values=c.values.fillna(0.0)), "gets the value 0.000, not NaN"),
        (lambda p, t: handles_nan(p, t.dropna("neuroid")), "changes the number of values"),
        (lambda p, t: handles_nan(p, t if t.notnull().all() else t[:, ::-1].assign_coords(t.coords)), "a neuroid"),
    ],
)
def test_missing_values_in_the_target(filled, message, make_card):
    metric = filled or handles_nan
    found = failed(Entry("metric", "toy", lambda: metric, make_card("metric")))
    if message is None:
        assert "missing_values_are_handled_or_refused" not in found
    else:
        assert message in found["missing_values_are_handled_or_refused"]


@pytest.mark.parametrize(
    ("factory", "check", "message"),
    [
        (lambda: 1 / 0, "compares", "the factory raises ZeroDivisionError"),
        (lambda: raising, "compares", "comparing recordings raises RuntimeError: never works"),
        (lambda: lambda p, t: 0.5, "compares", "returns a float, not a Comparison"),
        (with_values(lambda r: r * np.nan), "compares", "no unit has a finite value"),
        (
            with_values(lambda r: -r),
            "perfect_prediction_scores_best",
            "the right prediction scores -1.0000, with noise",
        ),
        (with_values(lambda r: 0 * r + 0.5), "perfect_prediction_scores_best", "as much noise as signal score 0.5000"),
        (with_values(lambda r: np.maximum(r, 0.3)), "wrong_pairing_scores_chance", "the card says chance is 0"),
    ],
)
def test_messages_say_what_is_wrong(factory, check, message, make_card):
    assert message in failed(Entry("metric", "toy", factory, make_card("metric")))[check]


def test_a_metric_whose_library_is_missing_is_skipped(make_card):
    def needs_torch():
        raise MissingDependency("torch", "vision", "the toy metric")

    found = check_metric(Entry("metric", "toy", needs_torch, make_card("metric")))
    assert {r.outcome for r in found[1:]} == {"skipped"}


KINDS = get_args(MetricCard.model_fields["compares"].annotation)


def test_words_are_an_example_though_no_measurement():
    first, again, other = metric_example("words"), metric_example("words"), metric_example("words", seed=1)
    assert first.prediction.identical(again.prediction)
    assert first.prediction.values.tolist() == first.target.coords["next_word"].values.tolist()
    assert first.prediction.values.tolist() != other.prediction.values.tolist()


@pytest.mark.parametrize("compares", [kind for kind in KINDS if kind != "words"])
def test_examples_are_valid_measurements_and_seeded(compares):
    from brainmark.core import check_measurement

    first, again, other = metric_example(compares), metric_example(compares), metric_example(compares, seed=1)
    assert isinstance(first, MetricExample)
    for part in ("prediction", "target"):
        check_measurement(getattr(first, part), part)
        assert getattr(first, part).identical(getattr(again, part))
        assert not np.array_equal(getattr(first, part), getattr(other, part))
