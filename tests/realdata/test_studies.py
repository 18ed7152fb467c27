"""What the loaders make of the published files: every figure that is known about them."""

from __future__ import annotations

from functools import cache
from typing import Any

import numpy as np
import pytest
import xarray as xr
from scipy.stats import spearmanr

from brainmark.core import datasets
from brainmark.core.dataset import Dataset
from brainmark.data.fetch import GitFolder, where
from brainmark.studies import cowley2023, ringach2002

pytestmark = pytest.mark.realdata


@cache
def study(name: str) -> Dataset:
    """The dataset; the test is skipped if its files are neither in a mirror nor in the cache."""
    lost = [found for found in map(where, datasets[name].card.sources) if found.path is None]
    if lost:
        pytest.skip(f"neither a mirror (BRAINMARK_MIRROR) nor the cache has {lost[0].source.url}")
    return datasets[name].load()


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


def test_cowley_trials() -> None:
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


def test_cowley_split_half_reliability() -> None:
    reliability = spearman_brown(study("Cowley2023.210325").measurement)
    assert np.median(reliability) == pytest.approx(0.764, abs=0.01)
    assert reliability.min() == pytest.approx(0.53, abs=0.015)
    assert reliability.max() == pytest.approx(0.93, abs=0.005)


def test_cowley_means_are_the_published_averages() -> None:
    mean = study("Cowley2023.210325").mean
    files = cowley2023.FILES
    name = "responses_repeat_averaged/responses_210325.npy"
    sha256 = "555e67037182611969ab90da291dcc39601de4411f651a64ad60e90572cf59d3"
    folder = GitFolder(files.address, {name: (sha256, 256128)})
    if where(folder.source(name)).path is None:
        pytest.skip(f"neither a mirror (BRAINMARK_MIRROR) nor the cache has {name}")
    np.testing.assert_array_equal(mean.values.T, np.load(folder.fetch(name)))


def test_cowley_averages() -> None:
    loaded = study("Cowley2023.201025")
    assert dict(loaded.measurement.sizes) == {"presentation": 1200, "neuroid": 89}
    assert not loaded.measurement.isnull().any()
    assert loaded.mean is loaded.measurement


@pytest.mark.parametrize("session", ["210325", "201025"])
def test_cowley_images(session: str) -> None:
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
def test_images_belong_to_the_responses(session: str) -> None:
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


def test_ringach_cells_and_medians() -> None:
    measured = {name: study(f"Ringach2002.{name}").measurement for name in ringach2002.PROPERTIES}
    assert {cells.sizes["neuroid"] for cells in measured.values()} == {304}
    expected = {"max_dc": 33.80, "spontaneous": 0.816, "modulation_ratio": 0.571, "circular_variance": 0.599}
    for name, value in expected.items():
        assert float(measured[name].median()) == pytest.approx(value, abs=0.0051 if name == "max_dc" else 0.00051)


def test_ringach_properties_are_in_their_range_and_related() -> None:
    variance = study("Ringach2002.circular_variance").measurement
    ratio = study("Ringach2002.orthogonal_preferred").measurement
    bandwidth = study("Ringach2002.orientation_bandwidth").measurement
    assert 0 <= float(variance.min()) <= float(variance.max()) <= 1
    assert 0 < float(bandwidth.min()) <= float(bandwidth.max()) <= 180
    np.testing.assert_array_equal(variance.coords["neuroid_id"], ratio.coords["neuroid_id"])
    assert spearmanr(variance, ratio).statistic == pytest.approx(0.942, abs=0.001)
    np.testing.assert_allclose(study("Ringach2002.orthogonal_less_variance").measurement, ratio - variance)
    simple = study("Ringach2002.modulation_ratio").measurement > 1
    assert float(simple.mean()) == pytest.approx(0.398, abs=0.0005)


@pytest.mark.parametrize("name", ["circular_variance", "modulation_ratio"])
def test_the_shipped_summary_is_that_of_the_cells(name: str) -> None:
    summary = study(f"Ringach2002.summary.{name}").measurement
    edges = np.append(summary.coords["bin_start"].values, summary.coords["bin_end"].values[-1])
    counts, _ = np.histogram(study(f"Ringach2002.{name}").measurement, edges)
    np.testing.assert_array_equal(summary.values, counts)


def pairs(matrices: Any) -> np.ndarray:
    """Upper triangles (..., pair)."""
    rows, columns = np.triu_indices(92, 1)
    return np.asarray(matrices)[..., rows, columns]


def rank_correlations(rdms: np.ndarray, leave_one_out: bool) -> float:
    """Mean Spearman correlation of each subject with the mean of all, or of the others."""
    others = [np.delete(rdms, i, axis=0) if leave_one_out else rdms for i in range(len(rdms))]
    return float(np.mean([spearmanr(rdm, o.mean(axis=0)).statistic for rdm, o in zip(rdms, others, strict=True)]))


def test_human_it_noise_ceiling() -> None:
    loaded = study("Kriegeskorte2008.humanIT")
    assert loaded.measurement.dims == ("subject", "repetition", "presentation", "other")
    assert loaded.measurement.shape == (4, 2, 92, 92)
    rdms = pairs(loaded.mean)
    assert rank_correlations(rdms, leave_one_out=True) == pytest.approx(0.379, abs=0.0006)
    assert rank_correlations(rdms, leave_one_out=False) == pytest.approx(0.661, abs=0.0006)


def test_judgements_leave_one_out() -> None:
    judged = study("Kriegeskorte2008.judgements").measurement
    assert judged.shape == (16, 92, 92)
    assert len(set(judged.coords["subject"].values)) == 16
    assert rank_correlations(pairs(judged), leave_one_out=True) == pytest.approx(0.478, abs=0.0006)


def test_monkey_and_human_it_agree() -> None:
    human = pairs(study("Kriegeskorte2008.humanIT").mean).mean(axis=0)
    monkey = pairs(study("Kriegeskorte2008.monkeyIT").measurement)
    assert spearmanr(monkey, human).statistic == pytest.approx(0.439, abs=0.0006)


def test_dissimilarities_are_symmetric_with_nothing_on_the_diagonal() -> None:
    for name in ("humanIT", "monkeyIT", "judgements"):
        values = study(f"Kriegeskorte2008.{name}").measurement.values
        np.testing.assert_array_equal(values, values.swapaxes(-1, -2))
        assert not np.diagonal(values, axis1=-2, axis2=-1).any()


def test_kriegeskorte_images_and_categories() -> None:
    stimuli = study("Kriegeskorte2008.monkeyIT").stimuli
    assert stimuli is not None
    assert {stimuli.media[i].shape for i in range(92)} == {(175, 175, 3)}
    table = stimuli.table
    assert {c: str(table[c].dtype) for c in ("human", "face", "animal", "natural")} == dict.fromkeys(
        ("human", "face", "animal", "natural"), "bool"
    )
    assert int(table["animal"].sum()) == 48
    assert int(table["face"].sum()) == 24
    assert not (table["face"] & ~table["animal"]).any()


def test_faces_are_alike_in_monkey_it() -> None:
    """Rows and images belong together: faces form the cluster that the paper describes."""
    loaded = study("Kriegeskorte2008.monkeyIT")
    assert loaded.stimuli is not None
    face = loaded.stimuli.table["face"].to_numpy()
    values = loaded.measurement.values
    within = values[np.ix_(face, face)][np.triu_indices(face.sum(), 1)].mean()
    between = values[np.ix_(face, ~face)].mean()
    assert within < between - 0.2
