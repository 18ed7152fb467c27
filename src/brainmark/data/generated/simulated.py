"""A simulated brain with known responses: a small fixed network, read out by simulated neurons with trial noise.

Whatever scores models against it must give the network itself its ceiling, and nothing else.
"""

from __future__ import annotations

from itertools import pairwise

from brainmark.core.libraries import Image, np
from brainmark.core.stimuli import Media

PIXELS = 64
CHANNELS, KERNEL, STRIDE, GRID, FEATURES = 32, 9, 5, 3, 20


def network_features(media: Media, seed: int = 0) -> np.ndarray:
    """Return the features (images, 20) of the known network, float32.

    Colour-opponent random filters with contrast normalisation, rectified; pooled on a 3 x 3 grid; mixed at random
    and rectified again, so that no linear map of the pixels or of the filter energies gives them.
    Images of another size are resampled to 64 x 64 pixels.
    """
    random = np.random.default_rng([seed, 7])
    filters = random.normal(size=(KERNEL * KERNEL * 3, CHANNELS)).astype(np.float32)
    filters -= filters.mean(axis=0)
    filters /= np.linalg.norm(filters, axis=0)
    mix = random.normal(size=(GRID * GRID * CHANNELS, FEATURES)).astype(np.float32)
    mix -= mix.mean(axis=0)
    pooled = np.stack([_pool(resize(media[i]), filters) for i in range(len(media))])
    drive = (pooled - pooled.mean(axis=1, keepdims=True)) @ mix
    return np.maximum(drive, 0.0) ** 1.5


def _pool(image: np.ndarray, filters: np.ndarray) -> np.ndarray:
    windows = np.lib.stride_tricks.sliding_window_view(image, (KERNEL, KERNEL), axis=(0, 1))[::STRIDE, ::STRIDE]
    side = windows.shape[0]
    patches = windows.reshape(side * side, -1)
    patches = patches - patches.mean(axis=1, keepdims=True)
    patches /= np.linalg.norm(patches, axis=1, keepdims=True) + 0.1
    maps = np.maximum(patches @ filters, 0.0).reshape(side, side, CHANNELS)
    edges = np.linspace(0, side, GRID + 1).astype(int)
    cells = [maps[a:b, c:d].mean(axis=(0, 1)) for a, b in pairwise(edges) for c, d in pairwise(edges)]
    return np.concatenate(cells)


def resize(image: np.ndarray) -> np.ndarray:
    """Return a uint8 image as float32 (64, 64, 3), 0 to 1, resampled if it has another size."""
    if image.shape[:2] != (PIXELS, PIXELS):
        image = np.asarray(Image.fromarray(image).resize((PIXELS, PIXELS), Image.Resampling.BILINEAR))
    return image.astype(np.float32) / 255


def simulate_trials(
    features: np.ndarray, reliabilities: np.ndarray, trials: int, seed: int = 0
) -> tuple[np.ndarray, np.ndarray]:
    """Return trials (trial, image, neuroid) and the noise-free rates (image, neuroid).

    Neuroid j is a random linear readout of the features plus Gaussian trial noise whose variance is set so that the
    mean over `trials` has the reliability stated: signal variance / (signal + noise / trials) = reliabilities[j].
    """
    random = np.random.default_rng([seed, 11])
    readout = random.normal(size=(features.shape[1], len(reliabilities)))
    signal = (features - features.mean(axis=0)) / features.std(axis=0) @ readout
    signal = (signal - signal.mean(axis=0)) / signal.std(axis=0)
    noise = np.sqrt(trials * (1 - reliabilities) / reliabilities)
    rates = signal + random.normal(size=(trials, *signal.shape)) * noise
    return rates, signal
