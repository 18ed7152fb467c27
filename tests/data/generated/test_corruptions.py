"""Corruptions of images: what each may do, and what it must not."""

from __future__ import annotations

import io

import numpy as np
import pytest
from PIL import Image
from scipy import ndimage

from brainmark.data.generated.corruptions import CORRUPTIONS, _plasma, _sample, _smear, _zoom, corrupt


def photographs(count: int = 12, size: int = 32, seed: int = 0) -> np.ndarray:
    """Smooth coloured noise over the whole range."""
    values = np.random.default_rng(seed).standard_normal((count, size, size, 3))
    smooth = ndimage.gaussian_filter(values, (0, 2, 2, 0))
    return np.clip(128 + 400 * smooth, 0, 255).astype(np.uint8)


PHOTOGRAPHS = photographs()


def change(corruption: str, severity: int) -> float:
    return float(((corrupt(PHOTOGRAPHS, corruption, severity).astype(float) - PHOTOGRAPHS) ** 2).mean())


@pytest.mark.parametrize("corruption", CORRUPTIONS)
def test_corrupted_images_are_images_and_repeat(corruption: str) -> None:
    for severity in (1, 5):
        made = corrupt(PHOTOGRAPHS, corruption, severity, seed=1)
        assert (made.shape, made.dtype) == (PHOTOGRAPHS.shape, np.uint8)
        assert (made != PHOTOGRAPHS).any(axis=(1, 2, 3)).all()
        np.testing.assert_array_equal(made, corrupt(PHOTOGRAPHS, corruption, severity, seed=1))


@pytest.mark.parametrize("corruption", sorted(set(CORRUPTIONS) - {"elastic_transform", "glass_blur", "frost"}))
def test_severity_five_changes_more_than_one(corruption: str) -> None:
    assert change(corruption, 5) > 1.3 * change(corruption, 1)


@pytest.mark.parametrize(
    "corruption", ["gaussian_noise", "shot_noise", "impulse_noise", "glass_blur", "motion_blur", "snow", "frost", "fog",
                   "elastic_transform"]
)  # fmt: skip
def test_random_corruptions_follow_their_seed(corruption: str) -> None:
    assert (corrupt(PHOTOGRAPHS, corruption, 3, 0) != corrupt(PHOTOGRAPHS, corruption, 3, 1)).any()


def test_noise_has_the_deviation_that_is_stated() -> None:
    grey = np.full((40, 32, 32, 3), 128, np.uint8)
    for severity, deviation in enumerate(CORRUPTIONS["gaussian_noise"][1], 1):
        assert corrupt(grey, "gaussian_noise", severity).std() / 255 == pytest.approx(deviation, rel=0.03)
    for severity, photons in enumerate(CORRUPTIONS["shot_noise"][1], 1):
        expected = np.sqrt(128 / 255 / photons)
        assert corrupt(grey, "shot_noise", severity).std() / 255 == pytest.approx(expected, rel=0.03)
    for severity, share in enumerate(CORRUPTIONS["impulse_noise"][1], 1):
        made = corrupt(grey, "impulse_noise", severity)
        assert (made == 0).mean() == pytest.approx(share / 2, rel=0.1)
        assert (made == 255).mean() == pytest.approx(share / 2, rel=0.1)


@pytest.mark.parametrize("corruption", ["defocus_blur", "glass_blur", "motion_blur", "zoom_blur"])
def test_blurs_leave_an_even_image_alone_and_smooth_others(corruption: str) -> None:
    even = np.full((2, 32, 32, 3), 77, np.uint8)
    np.testing.assert_array_equal(corrupt(even, corruption, 5), even)
    rough = np.random.default_rng(0).integers(0, 256, (4, 32, 32, 3)).astype(np.uint8)
    edges = [np.abs(np.diff(v.astype(float), axis=2)).mean() for v in (rough, corrupt(rough, corruption, 5))]
    assert edges[1] < 0.8 * edges[0]


def test_motion_smears_along_its_angle() -> None:
    point = np.zeros((2, 33, 33, 1), np.float32)
    point[:, 16, 16] = 1
    along, across = _smear(point, (6, 2.0), np.deg2rad([0.0, 90.0]))
    assert (along[..., 0].sum(1) > 0).sum() == 1
    assert (across[..., 0].sum(0) > 0).sum() == 1
    assert (along > 0).sum() > 3
    assert along.sum() == pytest.approx(1, abs=1e-3)


def test_brightness_keeps_hue_and_saturation() -> None:
    import colorsys

    image = np.array([[[90, 60, 30], [0, 0, 0]], [[200, 10, 10], [255, 255, 255]]], np.uint8)[None]
    made = corrupt(np.repeat(image, 1, axis=0), "brightness", 3).astype(float) / 255
    for before, after in zip(image.reshape(-1, 3) / 255, made.reshape(-1, 3), strict=True):
        one, other = colorsys.rgb_to_hsv(*before), colorsys.rgb_to_hsv(*after)
        assert other[2] == pytest.approx(min(1, one[2] + 0.15), abs=0.003)
        if one[2] > 0:
            assert other[:2] == pytest.approx(one[:2], abs=0.02)


def test_contrast_keeps_the_mean_colour_and_scales_the_rest() -> None:
    made = corrupt(PHOTOGRAPHS, "contrast", 5).astype(float)
    means = PHOTOGRAPHS.mean(axis=(1, 2), keepdims=True)
    np.testing.assert_allclose(made, means + 0.15 * (PHOTOGRAPHS - means), atol=0.51)


def test_digital_corruptions_are_those_of_the_image_library() -> None:
    buffer = io.BytesIO()
    Image.fromarray(PHOTOGRAPHS[0]).save(buffer, "JPEG", quality=40)
    np.testing.assert_array_equal(corrupt(PHOTOGRAPHS, "jpeg_compression", 5)[0], np.asarray(Image.open(buffer)))
    box = Image.Resampling.BOX
    coarse = np.asarray(Image.fromarray(PHOTOGRAPHS[0]).resize((20, 20), box).resize((32, 32), box))
    np.testing.assert_array_equal(corrupt(PHOTOGRAPHS, "pixelate", 5)[0], coarse)


def test_magnification_and_samples_are_bilinear() -> None:
    images = PHOTOGRAPHS.astype(np.float32) / 255
    place = (np.arange(32) - 15.5) / 1.2 + 15.5
    y, x = np.meshgrid(place, place, indexing="ij")
    expected = np.stack(
        [[ndimage.map_coordinates(image[..., c], [y, x], order=1) for c in range(3)] for image in images]
    ).transpose(0, 2, 3, 1)
    np.testing.assert_allclose(_zoom(images, 1.2), expected, atol=1e-5)
    generator = np.random.default_rng(0)
    y, x = generator.uniform(-20, 50, (2, 12, 32, 32))
    expected = np.stack(
        [
            [ndimage.map_coordinates(image[..., c], [v, u], order=1, mode="mirror") for c in range(3)]
            for image, v, u in zip(images, y, x, strict=True)
        ]
    ).transpose(0, 2, 3, 1)
    np.testing.assert_allclose(_sample(images, y, x), expected, atol=1e-5)


def test_plasma_is_rougher_when_it_decays_less() -> None:
    images = np.zeros((50, 32, 32, 3), np.float32)
    rough, smooth = (_plasma(images, np.random.default_rng(0), decay) for decay in (1.75, 3.0))
    assert rough.shape == (50, 32, 32)
    assert rough.min() == 0
    assert rough.max() == pytest.approx(1)
    steps = [np.abs(np.diff(clouds, axis=1)).mean() for clouds in (smooth, rough)]
    assert steps[0] < 0.6 * steps[1]


@pytest.mark.parametrize(
    ("arguments", "reason"),
    [
        ((PHOTOGRAPHS, "fogg", 1), "unknown corruption 'fogg'"),
        ((PHOTOGRAPHS, "fog", 6), "severity is 1 to 5"),
        ((PHOTOGRAPHS.astype(float), "fog", 1), "uint8"),
        ((PHOTOGRAPHS[:, :20], "fog", 1), "size, size"),
    ],
)
def test_what_cannot_be_corrupted_is_refused(arguments: tuple, reason: str) -> None:
    with pytest.raises(ValueError, match=reason):
        corrupt(*arguments)


def test_each_corruption_and_severity_has_draws_of_its_own() -> None:
    grey = np.full((2, 16, 16, 3), 128, np.uint8)
    for severity, deviation in ((1, 0.04), (3, 0.08)):
        drawn = np.random.default_rng([5, severity, *b"gaussian_noise"]).standard_normal(grey.shape, np.float32)
        expected = np.rint(np.clip(np.float32(128 / 255) + np.float32(deviation) * drawn, 0, 1) * 255)
        found = corrupt(grey, "gaussian_noise", severity, seed=5)
        assert np.abs(found.astype(int) - expected).max() <= 1  # of rounding
        assert (found == expected).mean() > 0.99
