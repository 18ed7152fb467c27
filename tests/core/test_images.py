from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from brainmark.core.errors import InvalidStimuli
from brainmark.core.images import as_rgb, decode_image
from brainmark.core.stimuli import ImageFiles

GREY = np.arange(0, 240, 10, dtype=np.uint8).reshape(4, 6)


def read(image: Image.Image, path: Path) -> np.ndarray:
    image.save(path)
    return ImageFiles((path,))[0]


def test_grey_images_have_three_equal_channels(tmp_path: Path):
    assert (read(Image.fromarray(GREY), tmp_path / "grey.png") == GREY[..., None]).all()


def test_sixteen_bits_are_scaled_not_cut(tmp_path: Path):
    deep = Image.fromarray(GREY.astype(np.uint16) * 257)
    assert (read(deep, tmp_path / "deep.png") == GREY[..., None]).all()


def test_sixteen_bits_are_rounded_to_the_nearest_of_eight(tmp_path: Path):
    values = np.array([[0, 128, 129, 257 * 7 - 129, 257 * 7 - 128, 257 * 7 + 128, 65535]], np.uint16)
    assert read(Image.fromarray(values), tmp_path / "deep.png")[0, :, 0].tolist() == [0, 0, 1, 6, 7, 7, 255]


def test_transparency_shows_the_mid_grey_screen(tmp_path: Path):
    colours = np.zeros((4, 6, 4), np.uint8)
    colours[..., 0] = 200
    colours[:2, :, 3] = 255
    seen = read(Image.fromarray(colours), tmp_path / "rgba.png")
    assert (seen[:2] == (200, 0, 0)).all() and (seen[2:] == 128).all()
    palette = Image.fromarray(GREY).convert("P")
    palette.info["transparency"] = palette.getpixel((0, 0))
    assert (read(palette, tmp_path / "palette.png")[0, 0] == 128).all()


def test_cmyk_is_converted(tmp_path: Path):
    red = read(Image.new("CMYK", (8, 8), (0, 255, 255, 0)), tmp_path / "cmyk.jpg")
    assert red.shape == (8, 8, 3) and red[4, 4, 0] > 240 and red[4, 4, 1] < 15


def test_one_bit_palette_and_grey_with_alpha_are_converted(tmp_path: Path):
    grey = Image.fromarray(GREY)
    bits = read(grey.point(lambda v: 255 * (v > 100), "1"), tmp_path / "bits.png")
    np.testing.assert_array_equal(bits[..., 0], np.where(GREY > 100, 255, 0))
    assert (read(grey.convert("P"), tmp_path / "palette.gif") == GREY[..., None]).all()
    shaded = Image.merge("LA", (grey, Image.new("L", grey.size, 0)))
    assert (read(shaded, tmp_path / "shaded.png") == 128).all()


def test_pixels_stay_as_they_lie_in_the_file_however_the_camera_was_held(tmp_path: Path):
    turned = Image.Exif()
    turned[0x0112] = 6  # a quarter turn
    path = tmp_path / "turned.png"
    Image.fromarray(GREY).save(path, exif=turned)
    assert ImageFiles((path,))[0].shape == (4, 6, 3)


def test_real_numbers_are_refused_as_their_scale_is_not_known(tmp_path: Path):
    path = tmp_path / "real.tif"
    Image.fromarray(GREY.astype(np.float32) / 255).save(path)
    with pytest.raises(InvalidStimuli, match=r"real.tif: .*real numbers of no known scale; save them as 8 or 16 bits"):
        _ = ImageFiles((path,))[0]


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("kind", ["PNG", "JPEG", "TIFF", "GIF", "BMP", "WEBP"])
def test_whatever_the_damage_an_image_or_a_typed_error_comes(kind: str):
    random = np.random.default_rng(0)
    whole = io.BytesIO()
    Image.fromarray(random.integers(0, 256, (48, 40, 3), np.uint8)).save(whole, kind)
    refused = 0
    for _ in range(150):
        damaged = np.frombuffer(whole.getvalue(), np.uint8).copy()
        damaged[random.integers(0, min(len(damaged), 300), random.integers(1, 20))] = random.integers(256)
        if random.random() < 0.3:
            damaged = damaged[: random.integers(1, len(damaged))]
        try:
            image = decode_image(io.BytesIO(damaged.tobytes()))
        except InvalidStimuli:
            refused += 1
        else:
            assert image.dtype == np.uint8 and image.ndim == 3 and image.shape[2] == 3
    assert refused > 10


def test_a_damaged_file_is_named(tmp_path: Path):
    path = tmp_path / "broken.jpg"
    Image.fromarray(np.random.default_rng(0).integers(0, 256, (64, 64, 3), np.uint8)).save(path)
    path.write_bytes(path.read_bytes()[:400])
    with pytest.raises(InvalidStimuli, match=r"image 0: cannot decode .*broken.jpg"):
        _ = ImageFiles((path,))[0]


def test_integers_of_no_known_scale_are_refused(tmp_path: Path):
    with pytest.raises(InvalidStimuli, match="32-bit integers of no known scale"):
        read(Image.fromarray(GREY.astype(np.int32) * 1000), tmp_path / "deep.tif")


def test_paths_are_no_images(tmp_path: Path):
    forms: tuple[Any, ...] = (tmp_path / "a.png", "a.png", b"bytes of a file")
    for given in forms:
        with pytest.raises(InvalidStimuli, match=r"give files as ImageFiles\(paths\)"):
            as_rgb(given)
