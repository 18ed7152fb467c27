"""Folders of numbered files with one hash: found, downloaded, verified, decoded once."""

from __future__ import annotations

import base64
import hashlib
import io
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from brainmark.core import DataError
from brainmark.data.fetch.folders import NumberedFiles, digest_in_order

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


def test_the_digest_is_the_one_of_digests() -> None:
    joined = b"".join(hashlib.sha256(content).digest() for content in CONTENTS)
    assert digest_in_order(CONTENTS) == hashlib.sha256(joined).hexdigest()
    assert digest_in_order([b"ab", b"c"]) != digest_in_order([b"a", b"bc"])


def test_a_mirror_is_read_in_place(tmp_path: Path, home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    lay_out(tmp_path / "mirror")
    monkeypatch.setenv("BRAINMARK_MIRROR", str(tmp_path / "mirror"))
    calls: list[int] = []
    assert registered().read(calls.append) == CONTENTS
    assert len(calls) == 3
    assert not (home / "files").exists()


@pytest.mark.parametrize("change", ["other", "swapped", "gone"])
def test_a_changed_mirror_is_refused_and_named(
    change: str, tmp_path: Path, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = lay_out(tmp_path / "mirror")
    if change == "other":
        (folder / "0001.png").write_bytes(png(99))
    elif change == "swapped":
        (folder / "0000.png").write_bytes(CONTENTS[1])
        (folder / "0001.png").write_bytes(CONTENTS[0])
    else:
        (folder / "0002.png").unlink()
    monkeypatch.setenv("BRAINMARK_MIRROR", str(tmp_path / "mirror"))
    monkeypatch.setattr("brainmark.data.fetch.files.download", no_network)
    with pytest.raises(DataError, match=r"set BRAINMARK_MIRROR|wrong content"):
        registered().read()


def no_network(url: str, target: Path, **_: object) -> None:
    from brainmark.data.fetch.download import Unavailable

    raise Unavailable("no connection")


def test_what_is_missing_is_downloaded_once(server, home: Path) -> None:
    for number, content in enumerate(CONTENTS):
        server.add(f"/set/{number:04d}.png", content)
    files = registered(url=f"{server.base}/set")
    assert files.read() == CONTENTS
    assert files.read() == CONTENTS
    assert sum(server.gets.values()) == 3
    kept = sorted(p.name for p in (home / "files").rglob("*") if p.is_file())
    assert kept == ["0000.png", "0001.png", "0002.png"]


def test_an_interrupted_download_goes_on(server, home: Path) -> None:
    for number, content in enumerate(CONTENTS):
        server.add(f"/set/{number:04d}.png", content, server.cut_off if number == 2 else None)
    files = registered(url=f"{server.base}/set")
    with pytest.raises(DataError, match=r"3 of 3 files of \S+/set are not at hand: cannot get '0002\.png'"):
        files.read()
    del server.how["/set/0002.png"]
    server.gets.clear()
    assert files.read() == CONTENTS
    assert [path for path, count in server.gets.items() if count] == ["/set/0002.png"]


def test_a_wrong_answer_is_not_kept_and_the_next_origin_is_asked(server, home: Path, monkeypatch) -> None:
    """A page that says "too many requests" in the place of one image made every later try fail."""
    for number, content in enumerate(CONTENTS):
        server.add(f"/set/{number:04d}.png", b"<html>" if number == 1 else content)
    files = registered(url=f"{server.base}/set")
    with pytest.raises(DataError, match=r"0001\.png: wrong content: its sha256 starts"):
        files.read()
    assert {p.name for p in (home / "files").rglob("*.png")} <= {"0000.png", "0002.png"}
    place = f"/mirror/127.0.0.1+{server.base.rsplit(':', 1)[1]}/set/0001.png"
    server.add(place, CONTENTS[1])
    monkeypatch.setenv("BRAINMARK_MIRROR", f"{server.base}/mirror")
    assert files.read() == CONTENTS
    assert server.gets[place] == 1


def test_files_of_several_places_make_one_set(tmp_path: Path, server, monkeypatch: pytest.MonkeyPatch) -> None:
    first, second = lay_out(tmp_path / "first"), lay_out(tmp_path / "second")
    (first / "0001.png").write_bytes(b"damaged")
    (second / "0002.png").unlink()
    monkeypatch.setenv("BRAINMARK_MIRROR", f"{tmp_path / 'first'},{tmp_path / 'second'}")
    assert registered().read() == CONTENTS


def test_files_that_start_alike_but_are_others_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = lay_out(tmp_path / "mirror")
    right = registered()
    monkeypatch.setattr(
        NumberedFiles, "_find_fault", lambda _, __, path: "" if path.is_file() else "no"
    )  # as if 24 bits agreed by chance
    (folder / "0001.png").write_bytes(png(99))
    monkeypatch.setenv("BRAINMARK_MIRROR", str(tmp_path / "mirror"))
    with pytest.raises(DataError, match=r"wrong content: expected sha256 .* over 3 files"):
        right.read()


def test_threads_that_want_one_folder_download_it_once(server, home: Path) -> None:
    for number, content in enumerate(CONTENTS):
        server.add(f"/set/{number:04d}.png", content)
    files = registered(url=f"{server.base}/set")
    with ThreadPoolExecutor(4) as pool:
        assert list(pool.map(lambda _: files.read(), range(4))) == [CONTENTS] * 4
    assert sum(server.gets.values()) == 3


def test_processes_that_want_one_folder_download_it_once(server, home: Path) -> None:
    for number, content in enumerate(CONTENTS):
        server.add(f"/set/{number:04d}.png", content)
    files = registered(url=f"{server.base}/set")
    code = f"from brainmark.data.fetch.folders import NumberedFiles as N; print(len(N{files_as_text(files)}.read()))"
    started = [subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True) for _ in range(4)]
    assert [process.communicate(timeout=60)[0].strip() for process in started] == ["3"] * 4
    assert sum(server.gets.values()) == 3


def files_as_text(files: NumberedFiles) -> str:
    return repr((files.url, files.count, files.size, files.sha256, files.starts, files.suffix))
