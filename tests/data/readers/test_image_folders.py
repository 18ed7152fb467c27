"""Folders of images are decoded once, and kept as an array."""

from __future__ import annotations

import base64
import hashlib
import io
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from brainmark.core import DataError
from brainmark.data.fetch.folders import NumberedFiles, digest_in_order
from brainmark.data.readers import image_folders
from brainmark.data.readers.image_folders import decode_folders

URL = "https://raw.example.org/set/train/cat"
PLACE = Path("raw.example.org/set/train/cat")


def png(value: int, size: int = 4) -> bytes:
    buffer = io.BytesIO()
    Image.fromarray(np.full((size, size, 3), value, np.uint8)).save(buffer, "PNG")
    return buffer.getvalue()


CONTENTS = [png(value) for value in (10, 20, 30)]


def registered(contents: list[bytes] = CONTENTS, url: str = URL) -> NumberedFiles:
    starts = "".join(base64.b64encode(hashlib.sha256(content).digest()[:3]).decode() for content in contents)
    return NumberedFiles(url, len(contents), sum(map(len, contents)), digest_in_order(contents), starts, ".png")


def lay_out(root: Path, contents: list[bytes] = CONTENTS) -> Path:
    folder = root / PLACE
    folder.mkdir(parents=True)
    for number, content in enumerate(contents):
        (folder / f"{number:04d}.png").write_bytes(content)
    return folder


def test_images_are_decoded_once(tmp_path: Path, home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    lay_out(tmp_path / "mirror")
    monkeypatch.setenv("BRAINMARK_MIRROR", str(tmp_path / "mirror"))
    pixels = decode_folders("toy", [registered(), registered()], (4, 4, 3))
    assert pixels.shape == (6, 4, 4, 3)
    assert pixels[:, 0, 0, 0].tolist() == [10, 20, 30, 10, 20, 30]
    monkeypatch.setattr(image_folders, "_decode_all", lambda *_: pytest.fail("decoded again"))
    np.testing.assert_array_equal(decode_folders("toy", [registered(), registered()], (4, 4, 3)), pixels)


def test_a_damaged_array_is_made_again(tmp_path: Path, home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    lay_out(tmp_path / "mirror")
    monkeypatch.setenv("BRAINMARK_MIRROR", str(tmp_path / "mirror"))
    pixels = decode_folders("toy", [registered()], (4, 4, 3))
    (kept,) = (home / "arrays").iterdir()
    content = bytearray(kept.read_bytes())
    content[5] ^= 1
    kept.write_bytes(bytes(content))
    np.testing.assert_array_equal(decode_folders("toy", [registered()], (4, 4, 3)), pixels)
    assert len(list((home / "arrays").iterdir())) == 1


@pytest.mark.parametrize(
    ("content", "reason"), [(b"no image", "0001.png: cannot be decoded"), (png(20, 5), r"shape \(5, 5, 3\); expected")]
)
def test_a_file_that_is_no_such_image_is_named(
    content: bytes, reason: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    contents = [CONTENTS[0], content]
    lay_out(tmp_path / "mirror", contents)
    monkeypatch.setenv("BRAINMARK_MIRROR", str(tmp_path / "mirror"))
    with pytest.raises(DataError, match=reason):
        decode_folders("toy", [registered(contents)], (4, 4, 3))


def test_a_cache_that_cannot_be_written_costs_a_warning_not_the_images(
    tmp_path: Path, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    lay_out(tmp_path / "mirror")
    monkeypatch.setenv("BRAINMARK_MIRROR", str(tmp_path / "mirror"))
    home.mkdir()
    (home / "arrays").write_text("a file in the place of the folder")
    with pytest.warns(UserWarning, match="are not kept at .* set BRAINMARK_HOME"):
        pixels = decode_folders("toy", [registered()], (4, 4, 3))
    assert pixels[:, 0, 0, 0].tolist() == [10, 20, 30]
