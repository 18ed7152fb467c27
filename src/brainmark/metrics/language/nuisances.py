"""Feature spaces without any knowledge of a brain: what a model must explain more than.

Position and neighbourhood in a sequence, length and word rate, pixels, acoustic energy. Each function returns
(presentations, features) to be used in `banded.UniqueVariance`, or scored like a model.
"""

from __future__ import annotations

from collections.abc import Sequence

from brainmark.core.errors import InvalidMeasurement
from brainmark.core.libraries import np
from brainmark.metrics._arrays.shapes import Float, Integer, Real, Shaped


def position(
    groups: Sequence[object] | Shaped[np.ndarray, " presentation"], sigma: float = 1.0
) -> Float[np.ndarray, "presentation place"]:
    """Place within each group (passage, block), one smoothed indicator for each place: (n, longest group).

    Parameters
    ----------
    groups : label of each presentation, in the order in which they were presented.
    sigma : width in presentations of the Gaussian by which neighbouring places resemble each other; 0: none.
    """
    place = _places(np.asarray(groups))
    return _bumps(place[:, None] - np.arange(place.max() + 1), sigma)


def autocorrelation(
    groups: Sequence[object] | Shaped[np.ndarray, " presentation"], sigma: float = 1.0
) -> Float[np.ndarray, "presentation presentation"]:
    """Identity of each presentation blurred over its neighbours within a group: (n, n), block by block.

    The "orthogonal autocorrelated sequences model" (OASM; Feghhi et al. 2024): it knows nothing but which
    presentations were close in time, and predicts any slow signal when folds are shuffled.
    """
    groups = np.asarray(groups)
    place = _places(groups)
    codes = np.unique(groups.astype(str), return_inverse=True)[1]
    blurred = _bumps(place[:, None] - place[None, :], sigma)
    return np.where(codes[:, None] == codes[None, :], blurred, 0.0)


def text_size(texts: Sequence[str]) -> Float[np.ndarray, "text 3"]:
    """Words, characters and characters per word of each text: (n, 3)."""
    words = np.array([len(t.split()) for t in texts], float)
    characters = np.array([len(t) for t in texts], float)
    return np.stack([words, characters, characters / np.maximum(words, 1)], axis=1)


def word_rate(
    onsets: Sequence[float] | Real[np.ndarray, " word"], edges: Sequence[float] | Real[np.ndarray, " edge"]
) -> Float[np.ndarray, "bin 1"]:
    """Words that begin in each time bin, per second: (bins, 1). `onsets` and `edges` (bins + 1,) in seconds."""
    edges = np.asarray(edges, float)
    widths = np.diff(edges)
    if not (widths > 0).all():
        raise InvalidMeasurement("edges of time bins must increase")
    return (np.histogram(np.asarray(onsets, float), edges)[0] / widths)[:, None]


def pixels(images: Sequence[Real[np.ndarray, "height width 3"]], size: int = 16) -> Float[np.ndarray, "image value"]:
    """Images averaged to size x size blocks, then mean and standard deviation of each: (n, 3 size^2 + 2).

    `images` are (height, width, 3) uint8 or float in 0-1.
    """
    rows: list[np.ndarray] = []
    for image in images:
        values = np.asarray(image, float) / (255.0 if np.asarray(image).dtype == np.uint8 else 1.0)
        if values.ndim != 3 or min(values.shape[:2]) < size:
            raise InvalidMeasurement(f"an image of shape {values.shape} cannot be averaged to {size} x {size} blocks")
        small = _block_means(_block_means(values, size, 0), size, 1)
        rows.append(np.concatenate([small.reshape(-1), [values.mean(), values.std()]]))
    return np.stack(rows)


def acoustic_energy(sounds: Sequence[Real[np.ndarray, " _"]], bins: int = 10) -> Float[np.ndarray, "sound bin"]:
    """Level of each sound in `bins` equal stretches of time, in decibels of the root mean square: (n, bins).

    `sounds` are (samples,) of any rate; silence is taken as -100 dB.
    """
    rows: list[np.ndarray] = []
    for sound in sounds:
        samples = np.asarray(sound, float)
        if samples.ndim != 1 or len(samples) < bins:
            raise InvalidMeasurement(f"a sound of shape {samples.shape} cannot be cut into {bins} stretches")
        power = _block_means(samples**2, bins, 0)
        rows.append(10 * np.log10(np.maximum(power, 1e-10)))
    return np.stack(rows)


def _places(groups: Shaped[np.ndarray, " presentation"]) -> Integer[np.ndarray, " presentation"]:
    """How many presentations of the same group came before each one."""
    codes = np.unique(groups.astype(str), return_inverse=True)[1]
    order = np.argsort(codes, kind="stable")
    sizes = np.bincount(codes)
    place = np.empty(len(codes), int)
    place[order] = np.arange(len(codes)) - np.repeat(np.cumsum(sizes) - sizes, sizes)
    return place


def _bumps(distance: Real[np.ndarray, " *grid"], sigma: float) -> Float[np.ndarray, " *grid"]:
    if sigma < 0:
        raise InvalidMeasurement(f"sigma is a width in presentations, not {sigma}")
    return (distance == 0).astype(float) if sigma == 0 else np.exp(-0.5 * (distance / sigma) ** 2)


def _block_means(values: Real[np.ndarray, " ..."], blocks: int, axis: int) -> Float[np.ndarray, " ..."]:
    edges = np.linspace(0, values.shape[axis], blocks + 1).astype(int)
    sums = np.add.reduceat(values, edges[:-1], axis=axis)
    shape = [1] * values.ndim
    shape[axis] = blocks
    return sums / np.diff(edges).reshape(shape)
