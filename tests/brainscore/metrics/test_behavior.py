"""Choices of objects by image, against dictionaries."""

from __future__ import annotations

import numpy as np
import pytest
import xarray as xr

from brainmark.brainscore import metrics as bs
from brainmark.brainscore.metrics.conventions import IMAGE_LEVEL
from brainmark.core.errors import InvalidMeasurement


@pytest.fixture
def choices() -> tuple[xr.DataArray, xr.DataArray]:
    """Probabilities of a model, and trials of people, for 24 images of 4 objects."""
    rng = np.random.default_rng(8)
    objects = np.array(["ant", "bee", "cat", "dog"])
    truth = np.arange(24) % 4
    evidence = rng.standard_normal((24, 4)) + 1.5 * np.eye(4)[truth]
    image = np.repeat(np.arange(24), 60)
    other = (truth[image] + 1 + rng.integers(3, size=len(image))) % 4
    right = rng.random(len(image)) < 1 / (1 + np.exp(evidence[image, other] - evidence[image, truth[image]]))
    chosen = objects[np.where(right, truth[image], other)]
    ids = np.array([f"image{i:02d}" for i in range(24)])
    trials = xr.DataArray(
        chosen,
        dims="presentation",
        coords={
            "stimulus_id": ("presentation", ids[image]),
            "truth": ("presentation", objects[truth[image]]),
            "sample_obj": ("presentation", objects[truth[image]]),
            "dist_obj": ("presentation", objects[other]),
        },
    )
    shares = np.exp(evidence) / np.exp(evidence).sum(1, keepdims=True)
    coords = {"stimulus_id": ("presentation", ids), "choice": objects}
    return xr.DataArray(shares, dims=("presentation", "choice"), coords=coords), trials


def slow_i2n(model: xr.DataArray, trials: xr.DataArray) -> list[float]:
    """Image by image and choice by choice, with dictionaries."""
    from scipy.stats import norm, pearsonr

    objects = model.coords["choice"].values.tolist()
    truth = dict(zip(trials.coords["stimulus_id"].values, trials.coords["truth"].values, strict=True))
    images = sorted(truth)

    def normalised(p: dict) -> np.ndarray:
        d = np.full((len(images), len(objects)), np.nan)
        for i, image in enumerate(images):
            for j, choice in enumerate(objects):
                back = [p[other, truth[image]] for other in images if truth[other] == choice]
                if choice != truth[image] and not np.isnan(p[image, choice]):
                    d[i, j] = np.clip(norm.ppf(1 - p[image, choice]) - norm.ppf(np.nanmean(back)), -5, 5)
        of = np.array([truth[image] for image in images])
        for name in objects:
            for j, choice in enumerate(objects):
                if choice != name:
                    d[of == name, j] -= np.nanmean(d[of == name, j])
        return d

    own = {}
    for image in images:
        row = model.values[model.coords["stimulus_id"].values.tolist().index(image)]
        for choice, share in zip(objects, row, strict=True):
            own[image, choice] = share / (share + row[objects.index(truth[image])])
    generator, result = np.random.RandomState(0), []
    for _ in range(2):
        order = list(range(trials.size))
        generator.shuffle(order)
        half = order[: trials.size // 2]
        image, offered = trials.coords["stimulus_id"].values[half], trials.coords["dist_obj"].values[half]
        shares = {}
        for name in images:
            for choice in objects:
                asked = (image == name) & (offered == choice)
                shares[name, choice] = np.mean(trials.values[half][asked] == choice) if asked.any() else np.nan
        one, two = normalised(own), normalised(shares)
        known = np.isfinite(one) & np.isfinite(two)
        result.append(float(pearsonr(one[known], two[known])[0]))
    return result


def test_i2n_against_dictionaries(choices) -> None:
    model, trials = choices
    found = bs.image_level("i2n")(model.isel(choice=[2, 0, 3, 1], presentation=slice(None, None, -1)), trials)
    assert found.splits is not None
    np.testing.assert_allclose(found.splits.values[:, 0], slow_i2n(model, trials), atol=1e-12)
    assert bs.aggregate(found) == pytest.approx((found.splits.values.mean(), found.splits.values.std()))


def test_behaviour_is_divided_by_the_root_of_its_ceiling(choices) -> None:
    model, trials = choices
    score, ceiling = bs.image_level("i2n")(model, trials), bs.image_level("i2n").ceiling(trials)
    expected = score.splits.values[:, 0] / np.sqrt(ceiling.splits.values[:, 0])
    assert IMAGE_LEVEL.normalize(score, ceiling) == pytest.approx(expected.mean())
    assert bs.image_level("i1")(model, trials).aggregate() > 0.5


def test_behaviour_of_other_images_is_refused(choices) -> None:
    model, trials = choices
    with pytest.raises(InvalidMeasurement, match="the images or choices"):
        bs.image_level("i2n")(model.isel(presentation=slice(20)), trials)
    with pytest.raises(InvalidMeasurement, match="lack dist_obj"):
        bs.image_level("i2n")(model, trials.drop_vars("dist_obj"))
    with pytest.raises(InvalidMeasurement, match="half of the trials lacks"):
        bs.image_level("i2n")(model, trials.isel(presentation=slice(0, None, 60)))


def test_objects_are_compared_though_a_half_lacks_an_image(choices) -> None:
    """One trial of an image is in one half only; o1 and o2 average over images, i1 does not."""
    model, trials = choices
    single = np.flatnonzero(trials.coords["stimulus_id"].values == "image00")
    few = trials.drop_isel(presentation=single[1:])
    for metric in (bs.image_level("o1"), bs.image_level("o2")):
        assert np.isfinite(metric.ceiling(few).splits.values).all()
        assert metric(model, few).aggregate() == pytest.approx(metric(model, trials).aggregate(), abs=0.1)
    with pytest.raises(InvalidMeasurement, match="half of the trials lacks"):
        bs.image_level("i1").ceiling(few)
