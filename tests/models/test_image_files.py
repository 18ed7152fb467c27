from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from brainmark.core.errors import InvalidStimuli
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


def test_a_damaged_file_is_named(tmp_path: Path):
    path = tmp_path / "broken.jpg"
    Image.fromarray(np.random.default_rng(0).integers(0, 256, (64, 64, 3), np.uint8)).save(path)
    path.write_bytes(path.read_bytes()[:400])
    with pytest.raises(InvalidStimuli, match=r"image 0: cannot decode .*broken.jpg"):
        _ = ImageFiles((path,))[0]
