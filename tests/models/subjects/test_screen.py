from __future__ import annotations

import numpy as np
import pytest

from brainmark.core.errors import InvalidStimuli
from brainmark.core.images import MID_GREY, as_rgb
from brainmark.models.subjects.screen import Screen


def noise(height: int, width: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 256, (height, width, 3), np.uint8)


def test_same_resolution_is_copied_without_resampling():
    image = noise(64, 64)
    assert (Screen(8, 64).show(image, 8) == image).all()
    assert (Screen(8, 64).show(image, None) == image).all()


def test_a_smaller_stimulus_stands_on_mid_grey_at_its_visual_angle():
    image = noise(32, 32)
    seen = Screen(8, 64).show(image, 4)
    assert (seen[16:48, 16:48] == image).all()
    surround = np.ones((64, 64), bool)
    surround[16:48, 16:48] = False
    assert (seen[surround] == MID_GREY).all()


def test_a_larger_stimulus_is_cut_at_its_centre():
    image = noise(128, 128)
    assert (Screen(8, 64).show(image, 16) == image[32:96, 32:96]).all()


def test_degrees_are_the_width_and_pixels_stay_square():
    white = np.full((40, 80, 3), 255, np.uint8)
    seen = Screen(8, 64).show(white, 4)[..., 0] == 255
    assert seen.any(0).sum() == 32 and seen.any(1).sum() == 16


def test_none_fills_the_field_with_the_shorter_side():
    wide = np.zeros((50, 150, 3), np.uint8)
    wide[:, 50:100] = 255
    assert (Screen(8, 64).show(wide, None) == 255).mean() > 0.9


@pytest.mark.parametrize("degrees", [3.0, 3.37, 5.0, 7.9, 9.1, 20.0])
@pytest.mark.parametrize("pixels", [50, 101, 333])
def test_visual_angle_is_exact_to_a_fraction_of_a_pixel(degrees: float, pixels: int):
    across = np.linspace(0, 255, pixels)
    image = np.broadcast_to(across.astype(np.uint8)[None, :, None], (pixels, pixels, 3))
    screen = Screen(8, 64)
    seen = screen.show(image, degrees)[32, :, 0].astype(float)
    x = (np.arange(64) + 0.5 - 32) / screen.pixels_per_degree
    inside = np.abs(x) < degrees / 2 - 0.4
    expected = ((x / degrees + 0.5) * pixels - 0.5) / (pixels - 1) * 255
    assert np.abs(seen - expected)[inside].max() < 2.5
    assert (seen[np.abs(x) > degrees / 2 + 0.15] == MID_GREY).all()


def test_edges_between_pixels_show_the_covered_share():
    seen = Screen(8, 8).show(np.full((10, 10, 3), 255, np.uint8), 2.8)
    assert (seen[..., 0].astype(float) - MID_GREY).sum() == pytest.approx(2.8**2 * (255 - MID_GREY), rel=0.05)


def test_downsampling_is_antialiased():
    stripes = np.zeros((512, 512, 3), np.uint8)
    stripes[:, ::2] = 255
    assert np.ptp(Screen(8, 64).show(stripes, None)[8:-8, 8:-8].astype(int)) <= 2


def test_grey_transparent_sixteen_bit_and_boolean_images():
    grey = noise(8, 9)[..., 0]
    expected = np.stack([grey] * 3, -1)
    assert (as_rgb(grey) == expected).all()
    assert (as_rgb(grey[..., None]) == expected).all()
    assert (as_rgb(grey.astype(np.uint16) * 257) == expected).all()
    assert (as_rgb(grey > 100) == (expected > 100) * 255).all()
    opaque = np.concatenate([expected, np.full((8, 9, 1), 255, np.uint8)], -1)
    assert (as_rgb(opaque) == expected).all()
    opaque[..., 3] = 0
    assert (as_rgb(opaque) == MID_GREY).all()
    assert (as_rgb(np.stack([grey, np.zeros_like(grey)], -1)) == MID_GREY).all()


@pytest.mark.parametrize("image", [np.zeros((4, 4, 3)), np.zeros((4, 4, 5), np.uint8), np.zeros((0, 4), np.uint8)])
def test_what_is_no_image_is_refused(image: np.ndarray):
    with pytest.raises(InvalidStimuli, match=r"an image"):
        as_rgb(image)


@pytest.mark.parametrize("degrees", [0.0, -1.0, float("nan")])
def test_impossible_degrees_are_refused(degrees: float):
    with pytest.raises(InvalidStimuli, match="degrees wide"):
        Screen(8, 64).show(noise(8, 8), degrees)
    with pytest.raises(ValueError, match="field of view"):
        Screen(degrees, 64)


def test_a_stimulus_smaller_than_a_pixel_is_refused():
    with pytest.raises(
        InvalidStimuli, match=r"1e-06 degrees wide does not fill a pixel of the model \(0.125 degrees\)"
    ):
        Screen(8, 64).show(noise(8, 8), 1e-6)


def test_rounding_of_degrees_never_resamples_an_image_at_the_resolution_of_the_screen(monkeypatch):
    """Widths in degrees are off by rounding for some of these images, and so are the edges of what is seen."""
    monkeypatch.setattr("PIL.Image.Image.resize", lambda *_, **__: pytest.fail("resampled"))
    for size, field in ((224, 8.0), (96, 3.0), (299, 8.0)):
        screen = Screen(field, size)
        for width in range(2 + size % 2, 600, 2):  # their middle is that of the screen
            image = np.zeros((2 + size % 2, width, 3), np.uint8)
            screen.show(image, width / screen.pixels_per_degree)
