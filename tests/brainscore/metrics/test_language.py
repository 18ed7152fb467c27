"""The published metrics of language."""

from __future__ import annotations

import numpy as np
import pytest
import xarray as xr

from brainmark.brainscore import metrics as bs
from brainmark.brainscore.metrics.language import reading_ceiling
from brainmark.brainscore.metrics.mappings import ALPHAS


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


def test_singular_values_above_a_millionth_count_in_language(pair: tuple[xr.DataArray, xr.DataArray]) -> None:
    rng = np.random.default_rng(5)
    left, right = (np.linalg.qr(rng.standard_normal((80, 12)))[0] for _ in range(2))
    x = left * np.r_[np.ones(10), 1e-4, 1e-8] @ right.T  # a unit more or less: of no matter to the rest
    y = left[:, 8:12] + 0.1 * rng.standard_normal((80, 4))
    found = bs.linear_pearsonr()(recording(x), recording(y))
    kept = bs.linear_pearsonr()(recording(left[:, :11] @ right[:, :11].T), recording(y))
    np.testing.assert_allclose(found.values.values, kept.values.values, atol=1e-4)
    assert found.values.values[2] > 0.5  # what the direction of 1e-4 knows
    assert abs(found.values.values[3]) < 0.5  # what that of 1e-8 would


def test_the_ceiling_of_reading_times_is_that_of_all_readers() -> None:
    """r of two halves of 10 readers, corrected to 20: known from the noise that each has."""
    rng = np.random.default_rng(6)
    times = rng.standard_normal((4000, 1)) + 2 * rng.standard_normal((4000, 20))
    target = xr.DataArray(times, dims=("presentation", "subject"))
    assert reading_ceiling(target).aggregate() == pytest.approx(1 / (1 + 4 / 20), abs=0.01)


def test_the_penalties_are_the_published_ones() -> None:
    """Four below 10, four from 10, 18 a decade from 100 to a million, 19 from there to ten millions."""
    published = [0.01, 0.1, 0.5, 1, 10, 32.5, 55, 77.5]
    published += [10.0**k * (1 + j / 2) for k in range(2, 6) for j in range(18)] + [
        1e6 * (1 + j / 2) for j in range(19)
    ]
    np.testing.assert_allclose(ALPHAS, published, rtol=1e-12)
