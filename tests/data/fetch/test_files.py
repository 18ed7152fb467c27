from __future__ import annotations

import hashlib
import os
from collections.abc import Callable
from pathlib import Path

import pytest

from brainmark.core import Source
from brainmark.data.fetch import cache_place, fetch, fetch_all, files, where
from brainmark.data.fetch.places import TABLES

CONTENT = bytes(range(256)) * 64
URL = "https://nowhere.invalid/a/b.bin"


def source_of(url: str, content: bytes = CONTENT) -> Source:
    return Source(url=url, sha256=hashlib.sha256(content).hexdigest(), size=len(content))


def put(folder: Path, relative: str, content: bytes = CONTENT) -> Path:
    path = folder / relative
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)
    return path


@pytest.fixture
def mirror(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = tmp_path / "mirror"
    folder.mkdir()
    monkeypatch.setenv("BRAINMARK_MIRROR", str(folder))
    return folder


def test_a_mirror_folder_is_used_in_place(mirror: Path, home: Path) -> None:
    copy = put(mirror, "nowhere.invalid/a/b.bin")
    assert fetch(source_of(URL)) == copy
    assert not home.exists()
    found = where(source_of(URL))
    assert (found.state, found.path) == ("mirrored", copy)


def test_the_cache_comes_before_mirrors_and_a_copied_cache_is_a_mirror(
    mirror: Path, home: Path, server: object, monkeypatch: pytest.MonkeyPatch
) -> None:
    source = source_of(URL)
    put(mirror, "nowhere.invalid/a/b.bin")
    cached = put(home / "files", "nowhere.invalid/a/b.bin")
    assert fetch(source) == cached == cache_place(source.url)
    monkeypatch.setenv("BRAINMARK_HOME", str(mirror / "other"))
    monkeypatch.setenv("BRAINMARK_MIRROR", str(home / "files"))
    assert fetch(source) == cached


def test_a_file_url_is_a_mirror_folder(mirror: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    copy = put(mirror, "nowhere.invalid/a/b.bin")
    monkeypatch.setenv("BRAINMARK_MIRROR", mirror.as_uri())
    assert fetch(source_of(URL)) == copy


@pytest.mark.parametrize("name", ["b.bin@v=1", "b.bin?v=1", "b.bin"])
def test_a_query_is_part_of_the_name_or_left_out_as_the_hash_decides(mirror: Path, name: str) -> None:
    copy = put(mirror, f"nowhere.invalid/a/{name}")
    assert fetch(source_of(URL + "?v=1")) == copy


def test_of_two_versions_in_a_mirror_the_hash_picks_the_right_one(mirror: Path) -> None:
    put(mirror, "nowhere.invalid/a/b.bin?v=1", b"other version")
    right = put(mirror, "nowhere.invalid/a/b.bin")
    assert fetch(source_of(URL + "?v=1")) == right


def test_percent_signs_are_decoded_in_a_mirror(mirror: Path) -> None:
    copy = put(mirror, "nowhere.invalid/a b/ü.bin")
    assert fetch(source_of("https://nowhere.invalid/a%20b/%C3%BC.bin")) == copy


def test_a_good_mirror_stands_in_for_a_bad_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    put(tmp_path / "bad", "nowhere.invalid/a/b.bin", b"wrong")
    good = put(tmp_path / "good", "nowhere.invalid/a/b.bin")
    monkeypatch.setenv("BRAINMARK_MIRROR", f"{tmp_path / 'bad'},{tmp_path / 'good'}")
    assert fetch(source_of(URL)) == good


def test_an_unusable_mirror_is_named_and_the_others_are_used(mirror: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    copy = put(mirror, "nowhere.invalid/a/b.bin")
    monkeypatch.setenv("BRAINMARK_MIRROR", f"/not/there,{mirror}")
    with pytest.warns(UserWarning, match="BRAINMARK_MIRROR: '/not/there' is left out: there is no such folder"):
        assert fetch(source_of(URL)) == copy


def test_a_download_is_kept_under_host_and_path(server, home: Path) -> None:
    source = server.add("/a/b.bin", CONTENT)
    path = fetch(source)
    assert path.read_bytes() == CONTENT
    port = server.base.rsplit(":", 1)[1]
    assert path == home / "files" / f"127.0.0.1+{port}" / "a" / "b.bin"
    assert fetch(source) == path
    assert server.gets["/a/b.bin"] == 1
    assert where(source).state == "cached"


def test_versions_that_differ_in_the_query_are_kept_apart(server) -> None:
    sources = [server.add(f"/a?v={i}", f"version {i}".encode()) for i in (1, 2)]
    paths = fetch_all(sources)
    assert [p.read_text() for p in paths] == ["version 1", "version 2"]


def test_a_mirror_url_is_downloaded_into_the_cache(server, home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    server.add("/base/nowhere.invalid/a b/c.bin", CONTENT)
    source = source_of("https://nowhere.invalid/a%20b/c.bin")
    monkeypatch.setenv("BRAINMARK_MIRROR", server.base + "/base/")
    assert where(source).state == "mirror?"
    assert where(source, ask=True).state == "mirrored"
    assert fetch(source) == home / "files" / "nowhere.invalid" / "a b" / "c.bin"
    assert where(source).state == "cached"


def test_asking_where_downloads_nothing(server, home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    source = server.add("/a.bin", CONTENT)
    monkeypatch.setenv("BRAINMARK_MIRROR", server.base)
    assert where(source).state == "mirror?"
    assert not server.heads
    assert where(source, ask=True).state == "missing"  # nothing lies under host/path there
    assert not server.gets
    assert not home.exists()


def test_a_missing_file_is_missing_and_a_damaged_one_damaged(home: Path) -> None:
    source = source_of(URL)
    assert where(source).state == "missing"
    put(home / "files", "nowhere.invalid/a/b.bin", b"x")
    found = where(source)
    assert found.state == "damaged"
    assert hashlib.sha256(b"x").hexdigest() in found.note


def test_a_shipped_table_needs_no_cache(home: Path) -> None:
    table = TABLES / "devalois1982_orientation.csv"
    source = source_of("https://doi.org/10.1016/0042-6989(82)90112-2", table.read_bytes())
    assert fetch(source) == table
    assert where(source).state == "shipped"
    assert not home.exists()


def test_a_damaged_cached_file_is_replaced_from_a_good_origin(server) -> None:
    source = server.add("/a.bin", CONTENT)
    path = fetch(source)
    state = path.stat()
    path.write_bytes(CONTENT[:-1] + b"x")  # same size
    os.utime(path, ns=(state.st_atime_ns, state.st_mtime_ns + 1))
    assert fetch(source).read_bytes() == CONTENT
    assert server.gets["/a.bin"] == 2


def test_a_verified_file_is_not_hashed_again(mirror: Path, count_hashes: list[str]) -> None:
    put(mirror, "nowhere.invalid/a/b.bin")
    source = source_of(URL)
    for _ in range(5):
        fetch(source)
    assert len(count_hashes) == 1


@pytest.fixture
def count_hashes(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    calls: list[str] = []
    original: Callable[..., object] = hashlib.file_digest

    def counted(file: object, name: str) -> object:
        calls.append(name)
        return original(file, name)

    monkeypatch.setattr(files.hashlib, "file_digest", counted)
    return calls


def test_progress_is_silent_without_a_terminal(server, capfd: pytest.CaptureFixture[str]) -> None:
    fetch(server.add("/a.bin", CONTENT), progress=True)
    assert capfd.readouterr() == ("", "")


def test_progress_ends_at_the_size_of_the_file(
    server, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("FORCE_COLOR", "1")  # rich takes this for a terminal
    fetch(server.add("/a.bin", CONTENT), progress=True)
    shown = capfd.readouterr()
    assert shown.out == ""
    assert "a.bin" in shown.err
    assert "16.4/16.4 kB" in shown.err
