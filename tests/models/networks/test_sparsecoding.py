from __future__ import annotations

from dataclasses import replace
from typing import Any, cast

import numpy as np
import pandas as pd
import pytest
import torch
from scipy.stats import kurtosis
from sklearn.decomposition import sparse_encode

from brainmark.core import Experiment, Record, Setting, Stimuli, check_answer, models
from brainmark.data.generated.leaves import dead_leaves
from brainmark.models.networks.sparsecoding import (
    PENALTY,
    SparseCoding,
    learnt_dictionary,
    random_dictionary,
    sparse_codes,
    whiten,
)
from brainmark.models.subjects.vision import VisionSubject


@pytest.fixture(scope="module")
def leaves() -> list[np.ndarray]:
    images = dead_leaves(3, 128, 0, discs=2000, radii=(0.02, 0.5))
    return [image.mean(axis=2) / 255 for image in images]


@pytest.fixture(scope="module")
def scrambled(leaves: list[np.ndarray]) -> list[np.ndarray]:
    """Gaussian noise with the spectra of the leaves."""
    random = np.random.default_rng(0)
    noise = [np.angle(np.fft.fft2(random.normal(size=image.shape))) for image in leaves]
    return [np.fft.ifft2(np.abs(np.fft.fft2(i)) * np.exp(1j * n)).real for i, n in zip(leaves, noise, strict=True)]


def patches_of(images: list[np.ndarray], count: int, seed: int = 0, side: int = 12) -> np.ndarray:
    """Patches (count, side * side) of the whitened images, each of mean 0."""
    random, patches = np.random.default_rng(seed), []
    for image in images:
        flat = whiten(torch.from_numpy(np.asarray(image, np.float32))[None])[0].numpy()
        windows = np.lib.stride_tricks.sliding_window_view(flat, (side, side))
        rows, columns = (random.integers(n, size=count // len(images)) for n in windows.shape[:2])
        patches.append(windows[rows, columns].reshape(-1, side * side))
    found = np.concatenate(patches).astype(float)
    return found - found.mean(1, keepdims=True)


@pytest.fixture(scope="module")
def fits(fit_gabors: Any) -> Any:
    return fit_gabors(learnt_dictionary()[::3])


def test_learnt_elements_are_gabors(fits: Any):
    assert (fits.explained > 0.5).mean() > 0.9
    assert np.median(fits.explained) > 0.85


def test_learnt_elements_are_localised(fits: Any):
    """Half of them are narrower along their modulation than a quarter of the patch."""
    assert np.median(fits.along) < 3
    power = learnt_dictionary() ** 2
    within = power.reshape(len(power), -1)
    fewest = (np.cumsum(np.sort(within, axis=1)[:, ::-1], axis=1) < 0.8).sum(axis=1) / within.shape[1]
    assert np.median(fewest) < 0.25  # of the pixels hold 80 % of the power


def test_learnt_elements_are_oriented(fits: Any):
    assert 10 < np.median(fits.degrees) < 60  # macaque V1: about 40 degrees (De Valois et al. 1982)
    orientations = np.histogram(fits.orientation, bins=np.arange(0, 181, 45))[0]
    assert (orientations >= 5).all()


def test_learnt_elements_are_bandpass(fits: Any):
    finite = np.isfinite(fits.octaves)
    assert finite.mean() > 0.6
    assert 0.8 < np.median(fits.octaves[finite]) < 2.2  # macaque V1: about 1.4 octaves (De Valois et al. 1982)


def test_random_patterns_are_nothing_of_this(fit_gabors: Any):
    assert (fit_gabors(random_dictionary(0)[:24]).explained > 0.5).mean() < 0.1


def test_elements_have_mean_zero_and_norm_one():
    for atoms in (learnt_dictionary(), random_dictionary(3)):
        assert atoms.shape == (192, 12, 12)
        np.testing.assert_allclose(atoms.mean((1, 2)), 0, atol=1e-12)
        np.testing.assert_allclose(np.linalg.norm(atoms, axis=(1, 2)), 1)
    assert not np.allclose(random_dictionary(3), random_dictionary(4))


def test_natural_structure_not_the_code_makes_responses_sparse(leaves: list[np.ndarray], scrambled: list[np.ndarray]):
    atoms = learnt_dictionary().reshape(192, -1)
    seen, noise = (patches_of(images, 3000) @ atoms.T for images in (leaves, scrambled))
    assert kurtosis(seen.ravel()) > 5
    assert abs(kurtosis(noise.ravel())) < 1.5


@pytest.mark.parametrize("seed", [0, 1])
def test_codes_are_those_of_scikit_learn(seed: int):
    patches = patches_of([i.mean(axis=2) / 255 for i in dead_leaves(2, 96, seed, 800)], 200, seed)
    atoms = learnt_dictionary().reshape(192, -1)
    expected = sparse_encode(patches, atoms, algorithm="lasso_lars", alpha=PENALTY)
    found = sparse_codes(torch.from_numpy(patches), torch.from_numpy(atoms.copy()), PENALTY).numpy()

    def objective(codes: np.ndarray) -> np.ndarray:
        return ((patches - codes @ atoms) ** 2).sum(1) / 2 + PENALTY * np.abs(codes).sum(1)

    assert (objective(found).sum() / objective(expected).sum()) < 1.01
    assert np.corrcoef(found.ravel(), expected.ravel())[0, 1] > 0.99
    assert (found != 0).mean() < 0.2


def test_whitening_flattens_the_spectrum_of_natural_images():
    """Amplitudes that fall as 1/f come out equal at low and middle frequencies."""
    random, size = np.random.default_rng(0), 256
    frequency = np.hypot(np.fft.fftfreq(size)[:, None], np.fft.fftfreq(size)[None])
    falling = np.fft.ifft2(np.fft.fft2(random.normal(size=(size, size))) / np.maximum(frequency, 1 / size)).real
    flat = whiten(torch.from_numpy(falling[None].astype(np.float32)))[0].numpy()
    amplitude = np.abs(np.fft.fft2(flat))
    low, middle, high = (
        amplitude[(frequency > a) & (frequency < b)].mean() for a, b in ((0.03, 0.08), (0.15, 0.2), (0.45, 0.5))
    )
    assert middle / low == pytest.approx(1, abs=0.15)
    assert high / low < 0.35
    assert flat.std() == pytest.approx(1, rel=1e-3)


def test_an_even_image_has_no_code():
    with torch.inference_mode():
        answer = SparseCoding(learnt_dictionary(), steps=3)(torch.full((1, 3, 64, 64), 0.5))
    assert answer.shape == (1, 384, 16, 16) and not answer.any()


def test_cells_follow_what_they_see():
    """What moves by four pixels moves one place in the map; darkness and light change places with the picture."""
    image = torch.full((1, 3, 96, 96), 0.5)
    image[:, :, 40:56, 40:56] = 0.9
    network = SparseCoding(learnt_dictionary(), steps=30)
    with torch.inference_mode():
        here, there, negative = network(image), network(image.roll(4, 3)), network(1 - image)
    torch.testing.assert_close(there[..., 6:18, 7:19], here[..., 6:18, 6:18], atol=2e-2, rtol=1e-2)
    torch.testing.assert_close(negative, torch.cat(here.split(192, 1)[::-1], 1), atol=2e-2, rtol=1e-2)


def test_gabors_are_recovered(fit_gabors: Any):
    down, right = np.mgrid[:12, :12]
    angle = np.radians(30)  # of the bars
    u, v = (
        (right - 5) * np.sin(angle) + (down - 6) * np.cos(angle),
        (right - 5) * np.cos(angle) - (down - 6) * np.sin(angle),
    )
    gabor = np.exp(-0.5 * ((u / 1.5) ** 2 + (v / 2.5) ** 2)) * np.cos(2 * np.pi * 0.2 * u + np.radians(70))
    fit = fit_gabors(gabor[None])
    found = [float(v[0]) for v in (fit.explained, fit.x, fit.y, fit.orientation, fit.frequency, fit.along, fit.across)]
    assert found == pytest.approx([1, 5, 6, 30, 0.2, 1.5, 2.5], rel=0.01)
    assert float(fit.phase[0]) == pytest.approx(70, abs=1)


@pytest.mark.parametrize("weights", ["published", "random"])
def test_the_subject_answers_for_every_region(weights: str):
    images = np.random.default_rng(0).integers(0, 256, (1, 30, 30, 3), np.uint8)
    stimuli = Stimuli("one", "image", pd.DataFrame({"stimulus_id": ["a"]}), list(images))
    subject = replace(cast(VisionSubject, models["sparse-coding"].load(weights=weights)), size=64)
    for region in ("V1", "IT"):
        experiment = Experiment(stimuli, Record(region), Setting(degrees=8.0))
        answer = check_answer(subject.perform(experiment), experiment, "sparse-coding")
        assert 1000 < answer.sizes["neuroid"] <= 50_000
