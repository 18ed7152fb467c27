"""Conventions of the published scores that no other library states: order, aggregation, signs, failures."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import xarray as xr

from brainmark.brainscore import metrics as bs
from brainmark.brainscore.metrics.assemblies import single
from brainmark.brainscore.metrics.conventions import BOUNDED_RATIO, EXPLAINED_VARIANCE, PLAIN, RATIO
from brainmark.brainscore.metrics.mappings import single_mapping
from brainmark.core import Comparison
from brainmark.core.errors import InvalidMeasurement

REFERENCE = json.loads((Path(__file__).parent / "reference.json").read_text())


def recording(values: np.ndarray, ids: np.ndarray | None = None, **along: object) -> xr.DataArray:
    numbers = np.arange(len(values)) if ids is None else ids
    labels = np.array([f"stimulus{i:03d}" for i in numbers])
    neuroids = np.array([f"n{k}" for k in range(values.shape[1])])
    coords = {"stimulus_id": ("presentation", labels), "neuroid_id": ("neuroid", neuroids)}
    return xr.DataArray(values, dims=("presentation", "neuroid"), coords=coords | along)


@pytest.fixture
def pair() -> tuple[xr.DataArray, xr.DataArray]:
    rng = np.random.default_rng(0)
    latent = rng.standard_normal((80, 5))
    x = latent @ rng.standard_normal((5, 30)) + 0.2 * rng.standard_normal((80, 30))
    names = ("presentation", np.array(["cat", "dog", "ape", "bee"])[np.arange(80) % 4])
    return recording(x), recording(
        latent @ rng.standard_normal((5, 7)) + rng.standard_normal((80, 7)), object_name=names
    )


def reference_population() -> tuple[xr.DataArray, xr.DataArray]:
    """Exact integers, so that every platform has the same data: rows of a linear congruence, shuffled labels."""
    state, numbers = 12345, np.empty(90 * 90)
    for k in range(numbers.size):
        state = (1103515245 * state + 12345) % 2**31
        numbers[k] = (state >> 16) % 2001 - 1000
    numbers = numbers.reshape(90, 90)
    x, noise = numbers[:, :60], numbers[:, 60:]
    y = x[:, :30] - x[:, 30:] + 2 * noise
    names = np.array(["ape", "Bee", "cat", "10", "9"])[np.arange(90) * 7 % 5]
    return recording(x), recording(y, object_name=("presentation", names))


@pytest.mark.parametrize("name", sorted(REFERENCE["scores"]))
def test_recorded_scores_of_the_published_packages(name: str) -> None:
    x, y = reference_population()
    make = {
        "pls": bs.pls,
        "pls, not stratified": lambda: bs.pls(stratify=None),
        "reverse_pls": lambda: bs.reverse_pls(stratify=None),
        "ridge": bs.ridge,
        "linear_predictivity": bs.linear_predictivity,
        "neuron_to_neuron": bs.neuron_to_neuron,
        "rdm": bs.rdm,
        "rdm_cv": bs.rdm_cv,
        "cka": bs.cka,
        "cka_biased": lambda: bs.cka(unbiased=False),
        "cka_cv": bs.cka_cv,
        "linear_pearsonr": bs.linear_pearsonr,
        "ridge_pearsonr": bs.ridge_pearsonr,
    }[name]
    found, expected = bs.aggregate(make()(x, y)), REFERENCE["scores"][name]
    assert found.value == pytest.approx(expected["score"], abs=1e-7)
    if expected["error"] is not None:
        assert found.error == pytest.approx(expected["error"], abs=1e-7)


@pytest.mark.parametrize("make", [bs.pls, bs.ridge, bs.neuron_to_neuron, bs.linear_predictivity, bs.rdm, bs.cka_cv])
def test_the_order_of_the_prediction_does_not_matter(make, pair) -> None:
    x, y = pair
    order = np.random.default_rng(1).permutation(80)
    straight, mixed = (make()(p, y) for p in (x, x.isel(presentation=order)))
    np.testing.assert_allclose(mixed.values.values, straight.values.values, atol=1e-10)


def test_the_order_of_the_target_decides_the_splits(pair) -> None:
    x, y = pair
    straight, mixed = (bs.ridge()(x, v).values.values for v in (y, y.isel(presentation=slice(None, None, -1))))
    assert np.abs(straight - mixed).max() > 1e-3


def test_splits_hold_equal_shares_of_object_names_where_there_are_any(pair) -> None:
    x, y = pair
    assert bs.ridge()(x, y).splits.equals(bs.ridge(stratify="object_name")(x, y).splits)
    unlabelled = bs.ridge()(x, y.drop_vars("object_name"))
    np.testing.assert_array_equal(unlabelled.splits, bs.ridge(stratify=None)(x, y).splits)
    assert np.abs(unlabelled.splits.values - bs.ridge()(x, y).splits.values).max() > 1e-3


def test_arrays_and_labelled_recordings_give_the_same(pair) -> None:
    x, y = pair
    labelled, plain = bs.pls(stratify=None)(x, y), bs.pls()(x.values, y.values)
    np.testing.assert_array_equal(labelled.values.values, plain.values.values)
    assert labelled.values.coords["neuroid_id"].values.tolist() == y.coords["neuroid_id"].values.tolist()


def test_the_median_is_taken_in_each_split_before_the_mean() -> None:
    splits = np.array([[0.0, 1.0, 0.2], [0.9, 0.1, 0.3], [0.4, 0.4, np.nan]])
    values = xr.DataArray(splits.mean(0), dims="neuroid")
    made = Comparison(values, xr.DataArray(splits, dims=("split", "neuroid")), details={"error": 0.1})
    assert bs.aggregate(made) == pytest.approx((np.mean([0.2, 0.3, 0.4]), 0.1))


def test_signs_are_lost_where_published() -> None:
    score, ceiling = single(-0.3), single(0.9)
    assert EXPLAINED_VARIANCE.normalize(score, ceiling) == pytest.approx(0.1)
    assert RATIO.normalize(score, ceiling) == pytest.approx(-1 / 3)
    assert BOUNDED_RATIO.normalize(score, ceiling) == 0
    assert PLAIN.normalize(score, None) == pytest.approx(-0.3)
    one, other = np.array([1.0, 2, 3, 4]), np.array([4.0, 3, 2, 1])
    assert bs.pearsonr(one, other).aggregate() == pytest.approx(1)
    assert bs.pearsonr(one, other).details["r"] == pytest.approx(-1)


def test_neuron_to_neuron_keeps_the_sign_and_never_takes_a_constant_unit() -> None:
    rng = np.random.default_rng(2)
    y = rng.standard_normal((60, 3))
    x = np.column_stack([np.ones(60), -y[:, 0], y[:, 1] + 0.1 * rng.standard_normal(60), y[:, 2], rng.random(60)])
    mapped = single_mapping(x, y, bs.shuffle_splits(60))[0]
    for predicted, fold in zip(mapped, bs.shuffle_splits(60), strict=True):
        np.testing.assert_array_equal(predicted[:, 1], x[fold.test, 2])
        np.testing.assert_array_equal(predicted[:, 2], x[fold.test, 3])
        assert not (predicted[:, 0] == -y[fold.test, 0]).all()
    with pytest.raises(InvalidMeasurement, match="no unit varies"):
        bs.neuron_to_neuron()(np.ones((60, 4)), y)


def test_pls_says_when_there_are_fewer_units_than_components(pair) -> None:
    x, y = pair
    assert bs.pls()(x.isel(neuroid=slice(4)), y).notes == ("PLS used 4 of 25 components: the data do not carry more",)


def test_float32_in_blocks_agrees_with_float64(pair) -> None:
    rng = np.random.default_rng(3)
    x = rng.standard_normal((90, 3000)).astype(np.float32)
    y = x[:, :6] + rng.standard_normal((90, 6))
    for make in (bs.pls, bs.ridge, bs.neuron_to_neuron):
        wide, narrow = (bs.aggregate(make()(v, y)).value for v in (x.astype(float), x))
        assert wide == pytest.approx(narrow, abs=1e-5)


@pytest.mark.parametrize(
    ("break_it", "message"),
    [
        (lambda x, y: (x.where(x > 0), y), "prediction: .* values are NaN"),
        (lambda x, y: (x, y.where(y > 0)), "target: .* values are NaN"),
        (lambda x, y: (x.isel(presentation=slice(60)), y), "60 and 80, 60 of the target"),
        (lambda x, y: (x, y.isel(presentation=np.arange(80) // 2)), "'stimulus000' stands several times"),
        (lambda x, y: (x.drop_vars("stimulus_id"), y), "prediction has no coordinate 'stimulus_id'"),
        (lambda x, y: (x.expand_dims(time_bin=2), y), "expected \\(presentation, neuroid\\)"),
        (lambda x, y: (x.values[:50], y.values), "prediction has 50 presentations, target 80"),
        (lambda x, y: (x.values[:, 0], y.values), "prediction has 1 dimensions"),
        (lambda x, y: (x.values[:1], y.values[:1]), "1 rows cannot be split"),
        (lambda x, y: (x, y.assign_coords(object_name=("presentation", ["one", *["many"] * 79]))), "'one' stands once"),
        (
            lambda x, y: (x, y.assign_coords(object_name=("presentation", np.arange(80) // 2))),
            "cannot hold all 40 labels",
        ),
    ],
)
def test_bad_recordings_are_refused(break_it, message: str, pair) -> None:
    with pytest.raises(InvalidMeasurement, match=message):
        bs.ridge()(*break_it(*pair))


def test_distributions_against_a_loop() -> None:
    rng = np.random.default_rng(9)
    model, data, bins = rng.normal(0.2, 0.4, 70), rng.normal(0.5, 0.3, 45), np.linspace(0, 1, 9)
    model[3] = np.nan
    np.random.seed(4)  # noqa: NPY002 - as one would seed the published code
    counts = np.histogram(np.clip(data, 0, 1), bins)[0]
    shares, values = counts / counts.sum(), []
    inside = np.where(np.isnan(model), np.nan, np.clip(model, 0, 1))
    for _ in range(50):
        drawn = np.random.choice(inside, 45)  # noqa: NPY002
        histogram = np.histogram(drawn[np.isfinite(drawn)], bins)[0]
        gap = np.abs(np.cumsum(histogram / histogram.sum()) - np.cumsum(shares)).max()
        values.append(1 - gap / max(1 - shares[0], shares[:-1].sum()))
    found = bs.aggregate(bs.property_similarity(model, data, bins, 50, seed=4))
    assert found == pytest.approx((np.mean(values), np.std(values)))


def test_reverse_splits_by_labels_that_only_the_recording_has(pair: tuple[xr.DataArray, xr.DataArray]) -> None:
    x, y = pair
    shuffled = x.isel(presentation=np.random.default_rng(1).permutation(80))
    order = [list(y.stimulus_id.values).index(i) for i in shuffled.stimulus_id.values]
    named = shuffled.assign_coords(object_name=("presentation", y.object_name.values[order]))
    found = bs.reverse_pls(5)(shuffled, y)
    np.testing.assert_array_equal(found.splits, bs.reverse_pls(5)(named, y).splits)
    assert not np.array_equal(found.splits, bs.reverse_pls(5, stratify=None)(shuffled, y).splits)
