from __future__ import annotations

import hashlib
from pathlib import Path

import pytest

from brainmark.core import DataError
from brainmark.data.fetch import Checkpoint, files
from brainmark.data.fetch.download import Unavailable

URL = "https://weights.example.org/nets/small.pth"
PLACE = "weights.example.org/nets/small.pth"


@pytest.fixture(autouse=True)
def alone(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("BRAINMARK_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("BRAINMARK_MIRROR", "")
    monkeypatch.setattr(files, "download", unreachable)


def unreachable(url: str, target: Path, **_: object) -> None:
    raise Unavailable("no network")


@pytest.fixture
def published(tmp_path: Path) -> Path:
    path = tmp_path / "mirror" / PLACE
    path.parent.mkdir(parents=True)
    path.write_bytes(b"weights")
    return path


def first_digits(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()[:8]


def test_a_mirror_is_used_in_place(published: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path):
    monkeypatch.setenv("BRAINMARK_MIRROR", str(tmp_path / "mirror"))
    assert Checkpoint(URL, first_digits(published)).path() == published


def test_a_download_is_kept(published: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path):
    asked: list[str] = []

    def give(url: str, target: Path, **_: object) -> None:
        asked.append(url)
        target.write_bytes(published.read_bytes())

    monkeypatch.setattr(files, "download", give)
    checkpoint = Checkpoint(URL, first_digits(published))
    assert checkpoint.path() == checkpoint.path() == tmp_path / "home" / "files" / PLACE
    assert asked == [URL]
    assert [p.name for p in checkpoint.path().parent.glob("*.part")] == []


def test_other_bytes_are_refused_wherever_they_come_from(
    published: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
):
    monkeypatch.setenv("BRAINMARK_MIRROR", str(tmp_path / "mirror"))
    monkeypatch.setattr(files, "download", lambda url, target, **_: target.write_bytes(b"a page, not weights"))
    with pytest.raises(
        DataError, match=r"(?s)mirror/.*does not begin with 0{8}.*example\.org.*does not begin with 0{8}"
    ):
        Checkpoint(URL, "00000000").path()
    assert not (tmp_path / "home" / "files" / PLACE).exists()


def test_without_network_the_way_out_is_said():
    with pytest.raises(DataError, match=r"(?s)small\.pth.*no network.*BRAINMARK_MIRROR.*:random.*--random-weights"):
        Checkpoint(URL).path()


def test_a_cache_that_cannot_be_written_is_told(tmp_path: Path):
    (tmp_path / "home").write_text("a file in the place of the folder")
    with pytest.raises(DataError, match=r"cannot keep 'small\.pth' in the cache, at .*home.*: set BRAINMARK_HOME"):
        Checkpoint(URL).path()


def test_the_cache_holds_published_files_alone(published: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path):
    """It is laid out like a mirror: locks and parts of files have no place in it."""
    monkeypatch.setattr(files, "download", lambda url, target, **_: target.write_bytes(b"weights"))
    Checkpoint(URL, first_digits(published)).path()
    assert [p.name for p in (tmp_path / "home" / "files").rglob("*") if p.is_file()] == ["small.pth"]
