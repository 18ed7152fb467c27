"""What metrics of recordings take: labelled arrays, plain ones, any real numbers at any scale; and nothing else."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
import torch
import xarray as xr

from brainmark.brainscore import metrics as brainscore
from brainmark.core import InvalidMeasurement, metrics
from brainmark.metrics.regression.banded import UniqueVariance
from brainmark.metrics.statistics import ceilings

NAMES = ["pls", "ridge", "ols", "single_unit", "soft_matching", "rdm", "cka", "procrustes"]
PUBLISHED = {
    "pls": brainscore.pls,
    "ridge": brainscore.ridge,
    "linear_predictivity": brainscore.linear_predictivity,
    "neuron_to_neuron": brainscore.neuron_to_neuron,
    "rdm": brainscore.rdm,
    "cka": brainscore.cka,
}


def as_labelled(values: np.ndarray) -> xr.DataArray:
    coords = {"stimulus_id": ("presentation", [f"s{i}" for i in range(len(values))])}
    return xr.DataArray(values, dims=("presentation", "neuroid"), coords=coords)


@pytest.fixture
def pair() -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(0)
    latent = rng.standard_normal((40, 6))
    return latent @ rng.standard_normal((6, 12)), latent @ rng.standard_normal((6, 5)) + rng.standard_normal((40, 5))


def metric(name: str) -> Callable:
    return metrics[name].load(resamples=10)


@pytest.mark.parametrize("name", NAMES)
def test_plain_arrays_and_tensors_score_as_labelled_ones(name: str, pair: tuple[np.ndarray, np.ndarray]) -> None:
    expected = metric(name)(*map(as_labelled, pair))
    for sides in (pair, tuple(map(torch.from_numpy, pair)), (pair[0], as_labelled(pair[1]))):
        found = metric(name)(*sides)
        np.testing.assert_allclose(found.values, expected.values, rtol=0, atol=1e-12)
        np.testing.assert_allclose(found.replicates, expected.replicates, rtol=0, atol=1e-12)


def test_plain_arrays_do_for_unique_variance_as_well(pair: tuple[np.ndarray, np.ndarray]) -> None:
    x, y = pair
    unique = UniqueVariance({"first": x[:, :3]}, resamples=0, candidates=3)
    assert unique(x[:, 3:], y).aggregate() == unique(as_labelled(x[:, 3:]), as_labelled(y)).aggregate()


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize(
    ("given", "words"),
    [
        (lambda x: x.tolist(), "prediction is a list; expected a labelled array"),
        (lambda x: x[None], r"prediction is a ndarray of shape \(1, 40, 12\); expected"),
        (lambda x: as_labelled(x).to_dataset(name="x"), "prediction is a Dataset; expected"),
        (lambda x: as_labelled(x + 1j), "prediction holds values of type complex128; expected real numbers"),
        (lambda x: as_labelled(x.astype(object)), "prediction holds values of type object"),
        (lambda x: as_labelled(x.astype(str)), "prediction holds values of type <U32"),
        (lambda x: as_labelled(np.zeros(x.shape, "M8[s]")), "prediction holds values of type datetime64"),
    ],
)
def test_what_is_no_array_of_numbers_is_refused(
    name: str, given: Callable, words: str, pair: tuple[np.ndarray, np.ndarray]
) -> None:
    with pytest.raises(InvalidMeasurement, match=words):
        metric(name)(given(pair[0]), as_labelled(pair[1]))


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("scale", [1e-55, 1e-30, 1e30, 1e55])
def test_numbers_of_any_size_score_alike(name: str, scale: float, pair: tuple[np.ndarray, np.ndarray]) -> None:
    expected = metric(name)(*pair).aggregate()
    assert metric(name)(pair[0] * scale, pair[1]).aggregate() == pytest.approx(expected, abs=1e-6)
    assert metric(name)(pair[0], pair[1] * scale).aggregate() == pytest.approx(expected, abs=1e-6)


@pytest.mark.parametrize("name", [*NAMES, *(f"published {name}" for name in PUBLISHED)])
@pytest.mark.parametrize(
    ("scale", "words"), [(1e-90, "whose square overflows or underflows: rescale"), (1e90, r"beyond 1e\+60")]
)
def test_numbers_whose_squares_run_out_of_double_precision_are_refused(
    name: str, scale: float, words: str, pair: tuple[np.ndarray, np.ndarray]
) -> None:
    published = name.removeprefix("published ")
    compare = PUBLISHED[published]() if name != published else metric(name)
    for sides in ((pair[0] * scale, pair[1]), (pair[0], pair[1] * scale)):
        with pytest.raises(InvalidMeasurement, match=words):
            compare(*sides)


def test_ceilings_say_what_they_need(pair: tuple[np.ndarray, np.ndarray]) -> None:
    with pytest.raises(
        InvalidMeasurement, match=r"target is a ndarray of shape \(40, 5, 3\); expected a labelled array"
    ):
        ceilings.split_half()(np.repeat(pair[1][..., None], 3, axis=2))  # pyright: ignore[reportArgumentType]
