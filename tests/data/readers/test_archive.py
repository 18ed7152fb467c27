from __future__ import annotations

import io
import multiprocessing
import pickle
import zipfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from brainmark.core import DataError, Stimuli
from brainmark.data.readers.archive import LARGEST_MEMBER, ZipImages

COUNT = 12


def pixels(i: int) -> np.ndarray:
    return np.random.default_rng(i).integers(0, 256, (6, 8, 3), dtype=np.uint8)


def encoded(image: np.ndarray, form: str = "PNG", mode: str | None = None) -> bytes:
    buffer = io.BytesIO()
    picture = Image.fromarray(image)
    (picture.convert(mode) if mode else picture).save(buffer, form)
    return buffer.getvalue()


@pytest.fixture
def archive(tmp_path: Path) -> Path:
    """Images 1 to 12, written in another order, beside what is no image."""
    path = tmp_path / "images.zip"
    with zipfile.ZipFile(path, "w") as z:
        z.writestr("readme.txt", "no image 99")
        z.writestr("__MACOSX/._im3.png", b"no image")
        z.writestr("set2/.hidden7.png", b"no image")
        for i in np.random.default_rng(0).permutation(COUNT):
            z.writestr(f"set2/im{i + 1}.png", encoded(pixels(i)))
    return path


def test_images_come_by_number_as_rgb(archive: Path) -> None:
    images = ZipImages(archive)
    assert images.members == tuple(f"set2/im{i + 1}.png" for i in range(COUNT))
    for i in range(COUNT):
        np.testing.assert_array_equal(images[i], pixels(i))
    assert images[0].dtype == np.uint8
    np.testing.assert_array_equal(images[-1], pixels(COUNT - 1))
    with pytest.raises(IndexError):
        images[COUNT]


def test_leading_zeros_and_folders_do_not_change_the_order(tmp_path: Path) -> None:
    path = tmp_path / "a.zip"
    with zipfile.ZipFile(path, "w") as z:
        for name in ("b9/x10.png", "a1/x0009.png", "c/3.PNG"):
            z.writestr(name, encoded(pixels(0)))
    assert ZipImages(path).members == ("c/3.PNG", "a1/x0009.png", "b9/x10.png")


@pytest.mark.parametrize("mode", ["L", "RGBA", "P", "1"])
def test_every_mode_becomes_rgb(tmp_path: Path, mode: str) -> None:
    path = tmp_path / "a.zip"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as z:
        z.writestr("1.png", encoded(pixels(0), mode=mode))
    assert ZipImages(path)[0].shape == (6, 8, 3)


def test_named_members_keep_their_order(archive: Path) -> None:
    images = ZipImages(archive, ("set2/im5.png", "set2/im2.png"))
    np.testing.assert_array_equal(images[1], pixels(1))
    with pytest.raises(DataError, match=r"no member 'set2/im99\.png' \(1 of 2 are missing\)"):
        ZipImages(archive, ("set2/im5.png", "set2/im99.png"))


def test_threads_read_at_the_same_time(archive: Path) -> None:
    images = ZipImages(archive)
    order = list(range(COUNT)) * 20
    with ThreadPoolExecutor(8) as pool:
        for i, image in zip(order, pool.map(images.__getitem__, order), strict=True):
            np.testing.assert_array_equal(image, pixels(i))


def test_pickled_copies_read_the_same(archive: Path) -> None:
    images = ZipImages(archive)
    images[0]
    again = pickle.loads(pickle.dumps(images))
    assert again.members == images.members
    np.testing.assert_array_equal(again[3], images[3])


def test_the_last_number_of_a_name_counts(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "n.zip", "w") as z:
        for name in ("9_im2.png", "8_im10.png", "7_im1.png"):
            z.writestr(name, encoded(pixels(0)))
    assert ZipImages(tmp_path / "n.zip").members == ("7_im1.png", "9_im2.png", "8_im10.png")


@pytest.mark.skipif("fork" not in multiprocessing.get_all_start_methods(), reason="no fork here")
def test_forked_workers_do_not_share_a_position(archive: Path) -> None:
    """Reading in turn might hide that they do: what counts is that each has opened the file for itself."""
    images = ZipImages(archive)
    images[0]
    mine = images._open()  # pyright: ignore[reportPrivateUsage]
    context = multiprocessing.get_context("fork")
    answers = context.SimpleQueue()

    def read() -> None:
        own = images._open() is not mine  # pyright: ignore[reportPrivateUsage]
        answers.put(own and all((images[i] == pixels(i)).all() for i in range(COUNT)))

    workers = [context.Process(target=read) for _ in range(3)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    assert [answers.get() for worker in workers if worker.exitcode == 0] == [True] * 3
    assert images._open() is mine  # pyright: ignore[reportPrivateUsage]


def test_stimuli_hash_the_content_of_images(archive: Path) -> None:
    table = pd.DataFrame({"stimulus_id": [str(i) for i in range(COUNT)]})
    packed = Stimuli("packed", "image", table, ZipImages(archive))
    loose = Stimuli("loose", "image", table, tuple(pixels(i) for i in range(COUNT)))
    assert packed.digest == loose.digest


def test_what_cannot_be_put_in_order_is_named(tmp_path: Path) -> None:
    for name, members, message in (
        ("none", ["readme.txt"], "holds no images"),
        ("word", ["1.png", "cat.png"], "'cat.png' has no number"),
        ("twice", ["a/1.png", "b/01.png"], "'a/1.png' and 'b/01.png' have the same number"),
    ):
        path = tmp_path / f"{name}.zip"
        with zipfile.ZipFile(path, "w") as z:
            for member in members:
                z.writestr(member, b"")
        with pytest.raises(DataError) as error:
            ZipImages(path)
        assert message in str(error.value)
        assert str(path) in str(error.value)


def test_damage_is_named(archive: Path, tmp_path: Path) -> None:
    (tmp_path / "text.zip").write_text("no zip")
    with pytest.raises(DataError, match=r"text\.zip: cannot be read as a zip file"):
        ZipImages(tmp_path / "text.zip")
    with pytest.raises(DataError, match=r"gone\.zip: cannot be read"):
        ZipImages(tmp_path / "gone.zip")
    with zipfile.ZipFile(tmp_path / "bad.zip", "w") as z:
        z.writestr("1.png", b"no picture")
        z.writestr("2.png", encoded(pixels(0))[:60])
    images = ZipImages(tmp_path / "bad.zip")
    for i in range(2):
        with pytest.raises(DataError, match=rf"bad\.zip: cannot read image '{i + 1}\.png'"):
            images[i]
    content = archive.read_bytes()
    start = content.index(encoded(pixels(4))) + 50
    archive.write_bytes(content[:start] + b"damage" + content[start + 6 :])
    with pytest.raises(DataError, match=r"cannot read image 'set2/im5\.png': Bad CRC"):
        ZipImages(archive)[4]


def test_an_encrypted_image_is_named(archive: Path) -> None:
    content = bytearray(archive.read_bytes())
    for mark, flags in ((b"PK\x03\x04", 6), (b"PK\x01\x02", 8)):  # in the header of each member, and in the directory
        place = content.find(mark)
        while place >= 0:
            content[place + flags] |= 1
            place = content.find(mark, place + 4)
    archive.write_bytes(bytes(content))
    with pytest.raises(DataError, match=r"cannot read image 'set2/im1\.png': .*encrypted"):
        ZipImages(archive)[0]


def test_a_member_that_unpacks_to_gigabytes_is_refused_before_it_is_read(tmp_path: Path) -> None:
    path = tmp_path / "bomb.zip"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as file, file.open("00.bmp", "w") as member:
        for _ in range(LARGEST_MEMBER >> 24):
            member.write(bytes(1 << 24))
        member.write(b"1")
    with pytest.raises(DataError, match=r"bomb\.zip: member '00\.bmp' unpacks to 537 MB; an image has at most"):
        ZipImages(path)
