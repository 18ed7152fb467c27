"""Dead-leaves images: occluding discs, the simplest generated images with the statistics of natural ones."""

from __future__ import annotations

import functools

from brainmark.core.libraries import np


@functools.lru_cache(maxsize=2)
def dead_leaves(
    count: int, pixels: int = 64, seed: int = 0, discs: int = 400, radii: tuple[float, float] = (0.02, 0.5)
) -> np.ndarray:
    """Return uint8 (count, pixels, pixels, 3), read-only.

    Discs of random grey-colour cover each other; the density of radii falls as r^-3 between `radii` (fractions of
    the width), which makes images scale invariant (Lee, Mumford & Huang 2001, doi:10.1023/A:1011109015675).
    """
    random = np.random.default_rng(seed)
    axis = (np.arange(pixels, dtype=np.float32) + 0.5) / pixels
    low, high = (r**-2.0 for r in radii)
    images = np.empty((count, pixels, pixels, 3), np.uint8)
    for image in images:
        radius = (low + random.random(discs) * (high - low)) ** -0.5
        middle = random.random((discs, 2))
        grey = random.normal(127, 50, (discs, 1)) + random.normal(0, 15, (discs, 3))
        colour = np.clip(grey, 0, 255).astype(np.uint8)
        image[:] = colour[0]
        for r, (x, y), c in zip(radius[1:], middle[1:], colour[1:], strict=True):
            rows = slice(*np.searchsorted(axis, [y - r, y + r]))
            columns = slice(*np.searchsorted(axis, [x - r, x + r]))
            inside = (axis[rows, None] - y) ** 2 + (axis[None, columns] - x) ** 2 < r * r
            image[rows, columns][inside] = c
    images.flags.writeable = False  # kept for the next call
    return images
