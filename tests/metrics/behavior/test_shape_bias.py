from __future__ import annotations

import numpy as np
import pytest
import xarray as xr

from brainmark.core.errors import InvalidMeasurement
from brainmark.metrics.behavior.answers import choices_of_people
from brainmark.metrics.behavior.shape_bias import bias, cue_decisions, shape_bias, shape_bias_ceiling

LABELS = ("bear", "car", "dog", "elk")
IMAGES = 400


def images() -> tuple[np.ndarray, np.ndarray]:
    """Shape and texture (presentation,), as positions in LABELS; they never agree."""
    random = np.random.default_rng(0)
    shape = random.integers(0, 4, IMAGES)
    return shape, (shape + random.integers(1, 4, IMAGES)) % 4


def decided(for_shape: float, neither: float = 0.0, seed: int = 1) -> np.ndarray:
    """One-hot decisions (presentation, choice) of an observer with a known bias and share of other answers."""
    random = np.random.default_rng(seed)
    shape, texture = images()
    third = np.array([next(c for c in range(4) if c not in pair) for pair in zip(shape, texture, strict=True)])
    said = np.where(random.random(IMAGES) < for_shape, shape, texture)
    return np.eye(4)[np.where(random.random(IMAGES) < neither, third, said)]


def people(*biases: float) -> xr.DataArray:
    shape, texture = images()
    return xr.DataArray(
        np.stack([decided(b, 0.2, seed) for seed, b in enumerate(biases)], axis=2),
        dims=("presentation", "choice", "subject"),
        coords={
            "stimulus_id": ("presentation", np.arange(IMAGES).astype(str)),
            "choice": ("choice", list(LABELS)),
            "label": ("presentation", np.array(LABELS)[shape]),
            "texture": ("presentation", np.array(LABELS)[texture]),
        },
    )


def model(values: np.ndarray) -> xr.DataArray:
    coords = {"stimulus_id": ("presentation", np.arange(IMAGES).astype(str)), "choice": ("choice", list(LABELS))}
    return xr.DataArray(values, dims=("presentation", "choice"), coords=coords)


@pytest.mark.parametrize("own", [0.1, 0.5, 0.9])
def test_a_known_bias_is_found_whatever_the_other_answers(own: float) -> None:
    found = shape_bias(resamples=200)(model(decided(own, 0.4)), people(0.9, 0.7))
    assert found.details["shape bias"] == pytest.approx(own, abs=0.07)
    assert found.details["share decided"] == pytest.approx(0.6, abs=0.07)
    assert found.details["shape bias of subjects"] == pytest.approx(0.8, abs=0.04)
    expected = [1 - abs(own - h) / max(h, 1 - h) for h in (0.9, 0.7)]
    np.testing.assert_allclose(found.values.values, expected, atol=0.1)
    assert found.replicates is not None
    low, high = np.percentile(found.replicates.mean(axis=1), [2.5, 97.5])
    assert low < found.aggregate() < high


def test_the_ceiling_is_how_alike_people_are() -> None:
    alike, apart = (shape_bias_ceiling(resamples=0)(people(*b)) for b in ((0.9, 0.9, 0.9), (0.9, 0.5, 0.1)))
    assert alike.aggregate() > 0.93 > 0.7 > apart.aggregate()


def test_the_ceiling_compares_each_with_the_others_alone() -> None:
    target = people(0.9, 0.5, 0.1)
    shares = [bias(cue_decisions(choices_of_people(target), target, "label", "texture"), np.ones((1, IMAGES)))[0]]
    own = shares[0]
    expected = [1 - abs(np.delete(own, s).mean() - h) / max(h, 1 - h) for s, h in enumerate(own)]
    np.testing.assert_allclose(shape_bias_ceiling(resamples=0)(target).values, expected, atol=0.01)


def test_without_a_decision_for_either_cue_there_is_no_bias() -> None:
    found = shape_bias(resamples=0)(model(decided(0.5, neither=1.0)), people(0.9, 0.7))
    assert np.isnan(found.aggregate())
    assert found.details["share decided"] == 0
    assert "shape bias" not in found.details


def test_images_whose_cues_agree_do_not_count() -> None:
    target = people(0.9, 0.7)
    agree = np.arange(IMAGES) < 100
    texture = np.where(agree, target["label"].values, target["texture"].values)
    mixed = target.assign_coords(texture=("presentation", texture))
    answers = model(decided(0.3))
    rest = {"presentation": ~agree}
    expected = shape_bias(resamples=0)(answers[rest], target[rest]).details
    assert shape_bias(resamples=0)(answers, mixed).details == pytest.approx(expected)
    with pytest.raises(InvalidMeasurement, match="conflicts"):
        shape_bias(resamples=0)(answers, target.assign_coords(texture=target["label"]))


def test_decisions_for_shape_or_texture_are_counted() -> None:
    shape, texture = (["bear", "bear", "car", "car", "car"], ["car", "car", "bear", "dog", "car"])
    said = [0, 1, 1, 0, 1]  # shape, texture, shape, neither, no conflict
    target = people(1.0).isel(presentation=slice(0, 5))
    target = target.assign_coords(label=("presentation", shape), texture=("presentation", texture))
    found = shape_bias(resamples=0)(model(np.eye(4)[np.resize(said, IMAGES)]).isel(presentation=slice(0, 5)), target)
    assert found.details["shape bias"] == pytest.approx(2 / 3)
    assert found.details["share decided"] == pytest.approx(3 / 4)
