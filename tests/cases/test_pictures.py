"""Pictures of any depth, mode and type are shown as they are, or refused."""

from __future__ import annotations

import io
import struct
import zlib
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch
from PIL import Image
from torch import Tensor, nn

from brainmark import Experiment, Record, Setting, Stimuli, VisionSubject
from brainmark.core.errors import InvalidStimuli
from brainmark.core.images import as_rgb, decode_image

GREY = 128


def draw(channels: int, seed: int = 0, size: tuple[int, int] = (5, 7)) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 65536, (*size, channels), np.uint16)


def to_png(pixels: np.ndarray, transparent: tuple[int, ...] = ()) -> io.BytesIO:
    """Write pixels of 16 bits (height, width, channels) as PNG, by the letter of its specification."""
    height, width, channels = pixels.shape

    def chunk(name: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))

    kind = {1: 0, 3: 2, 2: 4, 4: 6}[channels]
    rows = b"".join(b"\0" + row.astype(">u2").tobytes() for row in pixels)
    parts = [chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 16, kind, 0, 0, 0))]
    if transparent:
        parts.append(chunk(b"tRNS", struct.pack(f">{len(transparent)}H", *transparent)))
    parts += [chunk(b"IDAT", zlib.compress(rows)), chunk(b"IEND", b"")]
    return io.BytesIO(b"\x89PNG\r\n\x1a\n" + b"".join(parts))


def to_tiff(pixels: np.ndarray) -> io.BytesIO:
    """Write pixels of 16 bits (height, width, 3 or 4) as an uncompressed TIFF with the lower byte first."""
    height, width, channels = pixels.shape
    tags = [
        (256, 4, 1, width), (257, 4, 1, height), (258, 3, channels, 0), (259, 3, 1, 1), (262, 3, 1, 2), (273, 4, 1, 0),
        (277, 3, 1, channels), (278, 4, 1, height), (279, 4, 1, pixels.nbytes), (284, 3, 1, 1),
    ]  # fmt: skip
    tags += [(338, 3, 1, 2)] if channels == 4 else []
    bits = 8 + 2 + 12 * len(tags) + 4
    where = {258: bits, 273: bits + 2 * channels}
    entries = b"".join(struct.pack("<HHII", tag, kind, n, where.get(tag, v)) for tag, kind, n, v in tags)
    head = b"II*\0" + struct.pack("<I", 8) + struct.pack("<H", len(tags)) + entries + struct.pack("<I", 0)
    return io.BytesIO(head + struct.pack(f"<{channels}H", *[16] * channels) + pixels.astype("<u2").tobytes())


def right(pixels: np.ndarray, opaque: np.ndarray | None = None) -> np.ndarray:
    """The closed form: colours scaled by 1/257, and mid grey where they are transparent."""
    colours = np.broadcast_to(pixels, (*pixels.shape[:2], 3)) / 257
    return np.rint(colours if opaque is None else colours * opaque + GREY * (1 - opaque))


@pytest.mark.parametrize("write", [to_png, to_tiff])
@pytest.mark.parametrize("channels", [3, 4])
def test_colours_of_16_bits_are_rounded_not_cut(write: Any, channels: int):
    """Pillow gives the upper byte alone, which is one too low for half of the colours."""
    pixels = draw(channels)
    found = decode_image(write(pixels))
    opaque = pixels[..., 3:] / 65535 if channels == 4 else None
    np.testing.assert_allclose(found, right(pixels[..., :3], opaque), atol=0)


def test_grey_of_16_bits_keeps_its_transparency():
    grey, alpha = draw(1), draw(1, seed=1)
    np.testing.assert_array_equal(decode_image(to_png(grey)), right(grey))
    found = decode_image(to_png(np.concatenate([grey, alpha], 2)))
    np.testing.assert_array_equal(found, right(grey, alpha / 65535))


@pytest.mark.parametrize("channels", [1, 3])
def test_a_colour_that_stands_for_transparency_shows_the_screen(channels: int):
    pixels = draw(channels)
    pixels[2, 3] = [40_000, 300, 7][:channels]
    pixels[2, 4] = pixels[2, 3] + 1  # the same upper bytes
    found = decode_image(to_png(pixels, tuple(int(v) for v in pixels[2, 3])))
    assert (found[2, 3] == GREY).all()
    expected = right(pixels)
    expected[2, 3] = GREY
    np.testing.assert_array_equal(found, expected)


def test_files_and_streams_are_decoded_alike(tmp_path: Path):
    pixels = draw(3)
    (tmp_path / "a.png").write_bytes(to_png(pixels).getvalue())
    np.testing.assert_array_equal(decode_image(tmp_path / "a.png"), decode_image(to_png(pixels)))


def picture(mode: str) -> Image.Image:
    colours = np.random.default_rng(0).integers(0, 256, (6, 6, 4), np.uint8)
    whole = Image.fromarray(colours)
    return whole.quantize(8) if mode == "P with alpha" else whole.convert(mode)


@pytest.mark.parametrize(
    "mode", ["1", "L", "P", "P with alpha", "LA", "RGB", "RGBA", "CMYK", "YCbCr", "HSV", "La", "RGBa"]
)
def test_pillow_pictures_are_shown_in_their_colours(mode: str):
    """The numbers of colours in a palette, and cyan, magenta and yellow, were taken for red, green and blue."""
    image = picture(mode)
    straight = image.convert("LA") if mode == "La" else image
    colours = np.asarray(straight.convert("RGBA"), np.float64)
    opaque = colours[..., 3:] / 255
    expected = colours[..., :3] * opaque + GREY * (1 - opaque)
    np.testing.assert_allclose(as_rgb(image), expected, atol=1)
    if opaque.min() == 1:
        np.testing.assert_array_equal(as_rgb(image), expected)


class Shown(nn.Module):
    def forward(self, x: Tensor) -> Tensor:
        return x


def show(media: list[Any]) -> np.ndarray:
    stimuli = Stimuli("one", "image", pd.DataFrame({"stimulus_id": [f"{k}" for k in range(len(media))]}), media)
    subject = VisionSubject("shown", Shown(), {"V1": "output"}, size=6)
    return subject.perform(Experiment(stimuli, Record("V1"), Setting(degrees=None))).values.reshape(-1, 3, 6, 6)


@pytest.mark.parametrize("mode", ["P", "CMYK", "P with alpha"])
def test_a_network_sees_a_picture_in_its_colours(mode: str):
    found = show([picture(mode)])[0].transpose(1, 2, 0) * 255
    np.testing.assert_allclose(found, as_rgb(picture(mode)), atol=1e-3)


def test_arrays_of_any_byte_order_and_tensors_are_shown():
    pixels = draw(3, size=(6, 6))
    for same in (pixels, pixels.astype(">u2"), torch.from_numpy(pixels)):
        np.testing.assert_array_equal(as_rgb(same), right(pixels))


MASKED = np.ma.masked_array(np.zeros((6, 6, 3), np.uint8), mask=np.eye(6, dtype=bool)[..., None].repeat(3, 2))


@pytest.mark.parametrize(
    ("image", "message"),
    [
        (np.full((6, 6, 3), 0.5), "not float64; convert it to 0-255 first"),
        (np.full((6, 6, 3), np.nan, np.float32), "not float32"),
        (np.full((6, 6, 3), 7, np.int64), "not int64"),
        (np.full((6, 6, 3), 7, np.uint32), "not uint32"),
        (np.full((6, 6, 3), None), "not object"),
        (np.zeros((3, 6, 6), np.uint8), r"not \(3, 6, 6\); channels come last: image.transpose"),
        (torch.zeros(1, 6, 6, dtype=torch.uint8), r"channels come last"),
        (np.zeros((2, 6, 6, 3), np.uint8), r"not \(2, 6, 6, 3\)"),
        (np.zeros((0, 6, 3), np.uint8), r"not \(0, 6, 3\)"),
        (MASKED, "has a mask that hides 18 of 108 values"),
        (Image.new("F", (6, 6)), "real numbers of no known scale"),
        (Image.new("I", (6, 6)), "32-bit integers of no known scale"),
        (Path("a.png"), "give files as ImageFiles"),
    ],
)
def test_what_cannot_be_shown_rightly_is_refused(image: Any, message: str):
    with pytest.raises(InvalidStimuli, match=message):
        as_rgb(image)
    with pytest.raises(InvalidStimuli, match=message):
        show([np.zeros((6, 6, 3), np.uint8), image])


def test_how_a_camera_was_held_is_not_applied(tmp_path: Path):
    upright = Image.fromarray(np.random.default_rng(0).integers(0, 256, (4, 6, 3), np.uint8))
    exif = Image.Exif()
    exif[0x0112] = 6
    upright.save(tmp_path / "a.png", exif=exif)
    np.testing.assert_array_equal(decode_image(tmp_path / "a.png"), np.asarray(upright))
    with Image.open(tmp_path / "a.png") as opened:
        np.testing.assert_array_equal(as_rgb(opened), np.asarray(upright))
