"""Fifteen corruptions of small photographs in five severities: noise, blur, weather, digital.

After Hendrycks & Dietterich 2019 (ICLR), with their parameters for 32 x 32 images. Frost is drawn here (veins of a
plasma), where they lay photographs of frost over the image. Images are uint8 (images, rows, columns, 3); all random
numbers come from a seed, so that a corrupted set is the same everywhere but for JPEG, which is the library's.
"""

from __future__ import annotations

import io
from collections.abc import Callable
from typing import Any, TypeAlias

from brainmark.core.libraries import Image, np, scipy

Floats: TypeAlias = "np.ndarray"
"""Images (images, rows, columns, channels), float32, 0 to 1."""


def corrupt(images: np.ndarray, corruption: str, severity: int, seed: int = 0) -> np.ndarray:
    """Return the corrupted images, uint8.

    Parameters
    ----------
    images : (images, rows, columns, 3), uint8; square.
    corruption : one of `CORRUPTIONS`.
    severity : 1 to 5.
    seed : of the random numbers.

    Raises
    ------
    ValueError : no such corruption or severity, or other images.
    """
    if corruption not in CORRUPTIONS:
        raise ValueError(f"unknown corruption {corruption!r}: use one of {', '.join(CORRUPTIONS)}")
    if severity not in range(1, 6):
        raise ValueError(f"severity is 1 to 5, not {severity}")
    if images.dtype != np.uint8 or images.ndim != 4 or images.shape[1] != images.shape[2] or images.shape[3] != 3:
        raise ValueError(f"images are uint8 (images, size, size, 3), not {images.dtype} {images.shape}")
    make, parameters = CORRUPTIONS[corruption]
    generator = np.random.default_rng([seed, severity, *corruption.encode()])
    changed = make(images.astype(np.float32) / 255, generator, parameters[severity - 1])
    return np.rint(np.clip(changed, 0, 1) * 255).astype(np.uint8)


# --- noise -----------------------------------------------------------------------------------------------------------


def _gaussian_noise(images: Floats, generator: np.random.Generator, deviation: float) -> Floats:
    return images + deviation * generator.standard_normal(images.shape, np.float32)


def _shot_noise(images: Floats, generator: np.random.Generator, photons: float) -> Floats:
    return generator.poisson(images * photons).astype(np.float32) / photons


def _impulse_noise(images: Floats, generator: np.random.Generator, share: float) -> Floats:
    """Add salt and pepper, half each, to every channel by itself."""
    drawn = generator.random(images.shape, np.float32)
    return np.where(drawn < share / 2, 0, np.where(drawn < share, 1, images))


# --- blur ------------------------------------------------------------------------------------------------------------


def _defocus_blur(images: Floats, generator: np.random.Generator, c: tuple[float, float]) -> Floats:
    """Blur by a disc of radius c[0], whose edge is softened by a 3 x 3 Gaussian of deviation c[1]."""
    radius, soft = c
    reach = int(radius) + 1
    y, x = np.mgrid[-reach : reach + 1, -reach : reach + 1]
    disc = (x**2 + y**2 <= radius**2).astype(float)
    row = np.exp(-(np.arange(-1, 2) ** 2) / (2 * soft**2))
    kernel = scipy.ndimage.convolve(disc / disc.sum(), np.outer(row, row) / row.sum() ** 2, mode="constant")
    return scipy.ndimage.convolve(images, kernel[None, :, :, None].astype(np.float32), mode="mirror")


def _glass_blur(images: Floats, generator: np.random.Generator, c: tuple[float, int, int]) -> Floats:
    """Blur, let each pixel show a neighbour up to c[1] up or left of it, c[2] times over, and blur again."""
    deviation, reach, times = c
    found = _blur(images, deviation)
    inner = np.arange(reach, images.shape[1] - reach)
    for _ in range(times):
        dy, dx = generator.integers(-reach, reach, (2, len(images), len(inner), len(inner)))
        found[:, reach:-reach, reach:-reach] = _take_pixels(found, inner[:, None] + dy, inner + dx)
    return _blur(found, deviation)


def _motion_blur(images: Floats, generator: np.random.Generator, c: tuple[int, float]) -> Floats:
    return _smear(images, c, np.deg2rad(generator.uniform(-45, 45, len(images))))


def _smear(images: Floats, c: tuple[int, float], angle: np.ndarray) -> Floats:
    """Smear each image along its own angle (images,), to one side, with the half of a Gaussian of deviation c[1]."""
    radius, deviation = c
    steps = np.arange(2 * radius + 1)
    weights = np.exp(-(steps**2) / (2 * deviation**2))
    weights /= weights.sum()
    y, x = np.mgrid[: images.shape[1], : images.shape[2]]
    found = np.zeros_like(images)
    for step, weight in zip(steps, weights, strict=True):
        if weight < 1e-4:
            break
        down, across = (np.rint(step * f(angle)).astype(int)[:, None, None] for f in (np.sin, np.cos))
        shifted = _take_pixels(images, np.clip(y + down, 0, y.max()), np.clip(x + across, 0, x.max()))
        found += np.float32(weight) * shifted
    return found


def _zoom_blur(images: Floats, generator: np.random.Generator, largest: float) -> Floats:
    """Average the image and its magnifications from 1 to `largest` in steps of 0.01."""
    factors = np.arange(1, largest + 0.005, 0.01)
    return (images + sum(_zoom(images, factor) for factor in factors)) / np.float32(len(factors) + 1)


# --- weather ---------------------------------------------------------------------------------------------------------


def _snow(images: Floats, generator: np.random.Generator, c: tuple[float, ...]) -> Floats:
    """Let flakes (mean, deviation, size, threshold) fall (radius, deviation of the smear) over a whitened image."""
    mean, deviation, zoom, threshold, radius, smear, kept = c
    flakes = mean + deviation * generator.standard_normal((*images.shape[:3], 1), np.float32)
    flakes = _zoom(flakes, zoom)
    flakes = np.clip(np.where(flakes < threshold, 0, flakes), 0, 1).astype(np.float32)
    flakes = _smear(flakes, (int(radius), smear), np.deg2rad(generator.uniform(-135, -45, len(images))))
    white = np.maximum(images, 1.5 * _grey(images) + 0.5)
    return kept * images + (1 - kept) * white + flakes + flakes[:, ::-1, ::-1]


def _frost(images: Floats, generator: np.random.Generator, c: tuple[float, float]) -> Floats:
    """Draw bright, bluish white veins where two plasmas are equal."""
    kept, amount = c
    veins = np.zeros(images.shape[:3], np.float32)
    for _ in range(2):
        difference = _plasma(images, generator, 2.0) - _plasma(images, generator, 2.0)
        veins = np.maximum(veins, np.exp(-((difference / 0.08) ** 2)))
    tint = np.array([0.85, 0.95, 1.0], np.float32)
    return kept * images + amount * (0.25 + 0.75 * veins[..., None]) * tint


def _fog(images: Floats, generator: np.random.Generator, c: tuple[float, float]) -> Floats:
    amount, decay = c
    brightest = images.max(axis=(1, 2, 3), keepdims=True)
    return (images + amount * _plasma(images, generator, decay)[..., None]) * brightest / (brightest + amount)


def _brightness(images: Floats, generator: np.random.Generator, added: float) -> Floats:
    """Add to the value (largest channel); hue and saturation stay, black becomes grey."""
    value = images.max(axis=3, keepdims=True)
    target = np.clip(value + added, 0, 1)
    return np.where(value > 0, images * target / np.where(value > 0, value, 1), target)


# --- digital ---------------------------------------------------------------------------------------------------------


def _contrast(images: Floats, generator: np.random.Generator, kept: float) -> Floats:
    mean = images.mean(axis=(1, 2), keepdims=True)
    return (images - mean) * kept + mean


def _elastic_transform(images: Floats, generator: np.random.Generator, c: tuple[float, float, float]) -> Floats:
    """Move three corners by up to c[2] (affine), and add smooth (c[1]) shifts times c[0]; all in widths."""
    count, size = images.shape[:2]
    amount, smooth, jitter = (size * value for value in c)
    half, reach = size // 2, size // 3
    corners = half + reach * np.array([[1.0, 1.0], [1.0, -1.0], [-1.0, -1.0]])
    moved = corners + generator.uniform(-jitter, jitter, (count, 3, 2))
    source = np.concatenate([moved, np.ones((count, 3, 1))], axis=2)
    affine = np.linalg.solve(source, np.broadcast_to(corners, (count, 3, 2)))  # where a pixel comes from
    y, x = np.mgrid[:size, :size].astype(float)
    place = np.stack([x, y, np.ones_like(x)], axis=-1) @ affine[:, None]
    warped = _sample(images, place[..., 1], place[..., 0])
    if not amount:
        return warped
    noise = generator.uniform(-1, 1, (2, count, size, size))
    dx, dy = amount * scipy.ndimage.gaussian_filter(noise, (0, 0, smooth, smooth), mode="reflect", truncate=3)
    return _sample(warped, y + dy, x + dx)


def _pixelate(images: Floats, generator: np.random.Generator, share: float) -> Floats:
    size = images.shape[1]
    small = int(size * share)

    def coarsen(image: Image.Image) -> Image.Image:
        return image.resize((small, small), Image.Resampling.BOX).resize((size, size), Image.Resampling.BOX)

    return _change_each(images, coarsen)


def _jpeg_compression(images: Floats, generator: np.random.Generator, quality: int) -> Floats:
    def compress(image: Image.Image) -> Image.Image:
        buffer = io.BytesIO()
        image.save(buffer, "JPEG", quality=quality)
        return Image.open(buffer)

    return _change_each(images, compress)


# --- shared ----------------------------------------------------------------------------------------------------------


def _blur(images: Floats, deviation: float) -> Floats:
    return scipy.ndimage.gaussian_filter(images, (0, deviation, deviation, 0), mode="nearest")


def _grey(images: Floats) -> Floats:
    return (images @ np.array([0.299, 0.587, 0.114], np.float32))[..., None]


def _take_pixels(images: Floats, y: np.ndarray, x: np.ndarray) -> Floats:
    """Return the pixels at integer positions (images, rows, columns)."""
    return images[np.arange(len(images))[:, None, None], y, x]


def _sample(images: Floats, y: np.ndarray, x: np.ndarray) -> Floats:
    """Sample bilinearly at positions (images, rows, columns); images are mirrored at their borders."""
    last = images.shape[1] - 1
    y, x = (last - np.abs(last - np.abs(v) % (2 * last)) for v in (y, x))
    top, left = (np.clip(np.floor(v).astype(int), 0, last - 1) for v in (y, x))
    down, across = ((v - w)[..., None].astype(np.float32) for v, w in ((y, top), (x, left)))
    upper = _take_pixels(images, top, left) * (1 - across) + _take_pixels(images, top, left + 1) * across
    lower = _take_pixels(images, top + 1, left) * (1 - across) + _take_pixels(images, top + 1, left + 1) * across
    return upper * (1 - down) + lower * down


def _zoom(images: Floats, factor: float) -> Floats:
    """Magnify around the centre, bilinearly, and cut to the same size."""
    size = images.shape[1]
    place = (np.arange(size) - (size - 1) / 2) / factor + (size - 1) / 2
    first = np.clip(np.floor(place).astype(int), 0, size - 2)
    weights = np.zeros((size, size), np.float32)
    weights[np.arange(size), first] = 1 - (place - first)
    weights[np.arange(size), first + 1] = place - first
    return np.einsum("yi,nijc,xj->nyxc", weights, images, weights, optimize=True)


def _plasma(images: Floats, generator: np.random.Generator, decay: float) -> np.ndarray:
    """Draw clouds (images, rows, columns) from 0 to 1 by the diamond-square algorithm on a torus.

    Displacements fall by `decay` from each grid to the next finer one.
    """
    count, size = images.shape[:2]
    grid = 1 << (size - 1).bit_length()
    map_ = np.zeros((count, grid, grid), np.float32)
    step, wibble = grid, 1.0

    def noise(shape: tuple[int, ...]) -> np.ndarray:
        return np.float32(wibble) * generator.uniform(-1, 1, shape).astype(np.float32)

    while step >= 2:
        half = step // 2
        corners = map_[:, ::step, ::step]
        around = corners + np.roll(corners, -1, 1)
        centre = (around + np.roll(around, -1, 2)) / 4
        map_[:, half::step, half::step] = centre + noise(centre.shape)
        centre = map_[:, half::step, half::step]
        above = (centre + np.roll(centre, 1, 1) + corners + np.roll(corners, -1, 2)) / 4
        beside = (centre + np.roll(centre, 1, 2) + corners + np.roll(corners, -1, 1)) / 4
        map_[:, ::step, half::step] = above + noise(above.shape)
        map_[:, half::step, ::step] = beside + noise(beside.shape)
        step, wibble = half, wibble / decay
    low, high = (f(map_, axis=(1, 2), keepdims=True) for f in (np.min, np.max))
    return ((map_ - low) / np.maximum(high - low, 1e-6))[:, :size, :size]


def _change_each(images: Floats, change: Callable[[Image.Image], Image.Image]) -> Floats:
    pixels = np.rint(images * 255).astype(np.uint8)
    return np.stack([np.asarray(change(Image.fromarray(one)), np.float32) for one in pixels]) / 255


CORRUPTIONS: dict[str, tuple[Callable[[Floats, np.random.Generator, Any], Floats], tuple[Any, ...]]] = {
    "gaussian_noise": (_gaussian_noise, (0.04, 0.06, 0.08, 0.09, 0.10)),
    "shot_noise": (_shot_noise, (500, 250, 100, 75, 50)),
    "impulse_noise": (_impulse_noise, (0.01, 0.02, 0.03, 0.05, 0.07)),
    "defocus_blur": (_defocus_blur, ((0.3, 0.4), (0.4, 0.5), (0.5, 0.6), (1, 0.2), (1.5, 0.1))),
    "glass_blur": (_glass_blur, ((0.05, 1, 1), (0.25, 1, 1), (0.4, 1, 1), (0.25, 1, 2), (0.4, 1, 2))),
    "motion_blur": (_motion_blur, ((6, 1), (6, 1.5), (6, 2), (8, 2), (9, 2.5))),
    "zoom_blur": (_zoom_blur, (1.05, 1.10, 1.15, 1.20, 1.25)),
    "snow": (
        _snow,
        (
            (0.1, 0.2, 1, 0.6, 8, 3, 0.95),
            (0.1, 0.2, 1, 0.5, 10, 4, 0.9),
            (0.15, 0.3, 1.75, 0.55, 10, 4, 0.9),
            (0.25, 0.3, 2.25, 0.6, 12, 6, 0.85),
            (0.3, 0.3, 1.25, 0.65, 14, 12, 0.8),
        ),
    ),
    "frost": (_frost, ((1, 0.2), (1, 0.3), (0.9, 0.4), (0.85, 0.4), (0.75, 0.45))),
    "fog": (_fog, ((0.2, 3), (0.5, 3), (0.75, 2.5), (1, 2), (1.5, 1.75))),
    "brightness": (_brightness, (0.05, 0.1, 0.15, 0.2, 0.3)),
    "contrast": (_contrast, (0.75, 0.5, 0.4, 0.3, 0.15)),
    "elastic_transform": (
        _elastic_transform,
        ((0, 0, 0.08), (0.05, 0.2, 0.07), (0.08, 0.06, 0.06), (0.1, 0.04, 0.05), (0.1, 0.03, 0.03)),
    ),
    "pixelate": (_pixelate, (0.95, 0.9, 0.85, 0.75, 0.65)),
    "jpeg_compression": (_jpeg_compression, (80, 65, 58, 50, 40)),
}
