"""A simulated IT with known time course: the fainter an object, the later it is distinguished from others.

Two parts add up in every unit. One responds at once, to noise and contrast; the other says which object it is, and
grows once enough contrast has been gathered. A model without dynamics may have either part, but not their course.
"""

from __future__ import annotations

from functools import cache

from brainmark.core.experiment import TimeBin
from brainmark.core.libraries import np
from brainmark.core.stimuli import Media
from brainmark.data.generated.leaves import dead_leaves
from brainmark.data.generated.simulated import FEATURES, PIXELS, network_features, resize

OBJECTS = ("bear", "car", "dog", "elk", "fox")
BINS: tuple[TimeBin, ...] = tuple((float(t), float(t + 10)) for t in range(70, 250, 10))
WIDE: tuple[TimeBin, ...] = tuple((float(t), float(t + 30)) for t in range(70, 250, 30))
GREY, FULL, SPECKLE = 127.5, 45.0, 4.0  # grey levels: mean, standard deviation of an object at contrast 1, of noise
FAINTEST = 0.3
LATENCY, GATHERING, ENOUGH = 50.0, 16.0, 2.5  # ms; ms; of contrast x time / GATHERING


@cache
def _objects() -> np.ndarray:
    """Return the patterns (object, pixel, pixel, colour) with mean 0 and standard deviation 1."""
    patterns = dead_leaves(len(OBJECTS), PIXELS, seed=1).astype(float)
    patterns = patterns - patterns.mean(axis=(1, 2, 3), keepdims=True)
    return patterns / patterns.std(axis=(1, 2, 3), keepdims=True)


def faint_objects(count: int, seed: int = 0) -> tuple[tuple[np.ndarray, ...], np.ndarray]:
    """Return images (64, 64, 3) uint8 of the objects in turn, in contrasts from .3 to 1, with noise; their labels."""
    random = np.random.default_rng([seed, 13])
    which = np.arange(count) % len(OBJECTS)
    contrast = random.uniform(FAINTEST, 1.0, count)[:, None, None, None]
    patterns = _objects()[which]
    images = GREY + FULL * contrast * patterns + SPECKLE * random.normal(size=patterns.shape)
    return tuple(np.clip(np.rint(images), 0, 255).astype(np.uint8)), np.array(OBJECTS)[which]


def solution_times(media: Media) -> np.ndarray:
    """Return the time (image,) in ms at which what says the object has half its strength."""
    return LATENCY + GATHERING * (ENOUGH + 0.5) / _contrast(media)


def units_over_time(media: Media, bins: tuple[TimeBin, ...] = BINS) -> np.ndarray:
    """Return responses (image, 20, time_bin) at the middle of each bin."""
    middle = np.mean(bins, axis=1)
    contrast = _contrast(media)[:, None]
    strength = np.clip(contrast * (middle - LATENCY) / GATHERING - ENOUGH, 0, 1)
    return _identity(media)[:, :, None] * strength[:, None] + _fast(media)[:, :, None] * (middle > LATENCY)


def _contrast(media: Media) -> np.ndarray:
    spread = np.array([np.asarray(media[i], float).std() for i in range(len(media))])
    return np.sqrt(np.maximum(spread**2 - SPECKLE**2, 1.0)) / FULL


def _identity(media: Media) -> np.ndarray:
    """Return features (image, 20) of the known network, in units of their spread over the objects at full contrast."""
    full = network_features(tuple(np.clip(GREY + FULL * _objects(), 0, 255).astype(np.uint8)))
    return (network_features(media) - full.mean(axis=0)) / (full.std(axis=0) + 0.1 * full.std())


@cache
def _blind() -> np.ndarray:
    """Return random weights (pixels x colours, 20) that see none of the objects.

    An image's noise gives them variance 1/4.
    """
    objects = _objects().reshape(len(OBJECTS), -1)
    weights = np.random.default_rng(17).normal(size=(objects.shape[1], FEATURES))
    weights -= weights.mean(axis=0)
    weights -= np.linalg.pinv(objects) @ (objects @ weights)
    return weights / np.linalg.norm(weights, axis=0) / SPECKLE / 2


def _fast(media: Media) -> np.ndarray:
    """Return what the noise of an image, and its contrast, drive, (image, 20)."""
    seen = np.stack([255.0 * resize(media[i]).reshape(-1) for i in range(len(media))])
    return (seen - GREY) @ _blind() + _contrast(media)[:, None]
