"""Cowley 2023: every figure that is known about the published files."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
import xarray as xr

from brainmark.core.dataset import Dataset
from brainmark.data.fetch import GitFolder, where
from brainmark.studies import cowley2023

pytestmark = pytest.mark.realdata


def spearman_brown(trials: xr.DataArray, splits: int = 100, seed: int = 0) -> np.ndarray:
    """Reliability (neuroid,) of the mean over trials: correlate halves drawn anew for each image, over images."""
    values = trials.transpose("presentation", "repetition", "neuroid").values
    made = ~np.isnan(values[:, :, 0])
    generator = np.random.default_rng(seed)

    def half_mean(chosen: np.ndarray) -> np.ndarray:
        mean = np.where(chosen[..., None], values, 0).sum(axis=1) / chosen.sum(axis=1)[:, None]
        return (mean - mean.mean(axis=0)) / mean.std(axis=0)

    r = np.zeros(values.shape[2])
    for _ in range(splits):
        rank = np.where(made, generator.random(made.shape), 2).argsort(axis=1).argsort(axis=1)
        first = rank < made.sum(axis=1, keepdims=True) // 2
        r += (half_mean(first) * half_mean(made & ~first)).mean(axis=0) / splits
    return 2 * r / (1 + r)


def test_cowley_trials(study: Callable[[str], Dataset]) -> None:
    loaded = study("Cowley2023.210325")
    trials = loaded.measurement
    assert dict(trials.sizes) == {"presentation": 640, "neuroid": 50, "repetition": 10}
    made = trials.notnull().sum("repetition")
    assert (int(made.min()), int(made.max())) == (6, 10)
    assert bool((made == made.isel(neuroid=0)).all())  # the neurons were recorded together
    assert float(trials.min()) == 0
    assert bool((trials.fillna(0) % 1 == 0).all())  # counts
    assert set(trials.coords["subject"].values) == {"PE"}
    assert loaded.setting.duration == 100


def test_cowley_split_half_reliability(study: Callable[[str], Dataset]) -> None:
    reliability = spearman_brown(study("Cowley2023.210325").measurement)
    assert np.median(reliability) == pytest.approx(0.764, abs=0.01)
    assert reliability.min() == pytest.approx(0.53, abs=0.015)
    assert reliability.max() == pytest.approx(0.93, abs=0.005)


def test_cowley_means_are_the_published_averages(study: Callable[[str], Dataset]) -> None:
    mean = study("Cowley2023.210325").mean
    files = cowley2023.FILES
    name = "responses_repeat_averaged/responses_210325.npy"
    sha256 = "555e67037182611969ab90da291dcc39601de4411f651a64ad60e90572cf59d3"
    folder = GitFolder(files.address, {name: (sha256, 256128)})
    if where(folder.source(name)).path is None:
        pytest.skip(f"neither a mirror (BRAINMARK_MIRROR) nor the cache has {name}")
    np.testing.assert_array_equal(mean.values.T, np.load(folder.fetch(name)))


def test_cowley_averages(study: Callable[[str], Dataset]) -> None:
    loaded = study("Cowley2023.201025")
    assert dict(loaded.measurement.sizes) == {"presentation": 1200, "neuroid": 89}
    assert not loaded.measurement.isnull().any()
    assert loaded.mean is loaded.measurement


@pytest.mark.parametrize("session", ["210325", "201025"])
def test_cowley_images(study: Callable[[str], Dataset], session: str) -> None:
    stimuli = study(f"Cowley2023.{session}").stimuli
    assert stimuli is not None
    numbers = [int("".join(c for c in name.rsplit("/")[-1] if c.isdigit())) for name in stimuli.table["file"]]
    assert numbers == list(range(1, len(stimuli) + 1))
    for i in (0, len(stimuli) // 2, len(stimuli) - 1):
        assert stimuli.media[i].shape == (112, 112, 3)
        assert stimuli.media[i].dtype == np.uint8
        assert stimuli.media[i].std() > 5


def held_out_correlation(features: np.ndarray, rates: np.ndarray) -> float:
    """Ridge from the first three quarters of the images; mean over neurons of r on the last quarter."""
    cut = len(features) * 3 // 4
    train, test = features[:cut], features[cut:]
    gram = train.T @ train + 10 * len(features) * np.eye(train.shape[1])
    predicted = test @ np.linalg.solve(gram, train.T @ rates[:cut])
    columns = range(rates.shape[1])
    return float(np.mean([np.corrcoef(predicted[:, j], rates[cut:, j])[0, 1] for j in columns]))


@pytest.mark.parametrize("session", ["210325", "201025"])
def test_images_belong_to_the_responses(study: Callable[[str], Dataset], session: str) -> None:
    """Colour and contrast of patches predict the responses; those of the image before or after do not."""
    loaded = study(f"Cowley2023.{session}")
    assert loaded.stimuli is not None
    images = np.array([loaded.stimuli.media[i] for i in range(640)], dtype=np.float32)
    patches = images.reshape(-1, 14, 8, 14, 8, 3)
    features = [patches.mean(axis=(2, 4)), patches.mean(axis=5).std(axis=(2, 4))]
    x = np.hstack([f.reshape(len(images), -1) for f in features])
    x = (x - x.mean(axis=0)) / (x.std(axis=0) + 1e-9)
    rates = loaded.mean.values[:640] - loaded.mean.values[:640].mean(axis=0)
    assert held_out_correlation(x, rates) > 0.25
    for shift in (-1, 1):
        assert abs(held_out_correlation(np.roll(x, shift, axis=0), rates)) < 0.05
