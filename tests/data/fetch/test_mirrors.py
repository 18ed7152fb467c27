from __future__ import annotations

from pathlib import Path

import pytest

from brainmark.data.fetch import places


def test_home_is_the_folder_in_the_environment(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("BRAINMARK_HOME", str(tmp_path / "here"))
    assert places.home() == tmp_path / "here"
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("BRAINMARK_HOME", "~/there")
    assert places.home() == tmp_path / "there"


@pytest.mark.parametrize("value", [None, "", "  "])
def test_home_is_the_cache_of_the_platform_otherwise(monkeypatch: pytest.MonkeyPatch, value: str | None) -> None:
    import platformdirs

    monkeypatch.delenv("BRAINMARK_HOME", raising=False)
    if value is not None:
        monkeypatch.setenv("BRAINMARK_HOME", value)
    assert places.home() == Path(platformdirs.user_cache_dir("brainmark", appauthor=False))


@pytest.mark.parametrize(
    ("given", "parts"),
    [
        ("", []),
        (" , :", []),
        ("/a", ["/a"]),
        ("/a:/b", ["/a", "/b"]),
        ("/a,/b", ["/a", "/b"]),
        ("https://host/x", ["https://host/x"]),
        ("https://host:8443/x:/b", ["https://host:8443/x", "/b"]),
        ("http://host:80:/b", ["http://host:80", "/b"]),
        ("http://host:/b", ["http://host", "/b"]),
        ("/a:http://me:secret@host:1/x,file:///y", ["/a", "http://me:secret@host:1/x", "file:///y"]),
        ("http://[::1]:9000/x:http://h2", ["http://[::1]:9000/x", "http://h2"]),
        ("s3://bucket/x, /b", ["s3://bucket/x", "/b"]),
        ("/a b: /c", ["/a b", "/c"]),
    ],
)
def test_mirrors_are_split_at_commas_and_colons(given: str, parts: list[str]) -> None:
    assert places.split(given, ":") == parts


def test_semicolons_separate_on_windows() -> None:
    given = r"C:\a;D:\b,https://host:1/x;E:\c"
    assert places.split(given, ";") == [r"C:\a", r"D:\b", "https://host:1/x", r"E:\c"]


def test_mirrors_keep_their_order_and_kind(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    spaced = tmp_path / "a folder"
    spaced.mkdir()
    monkeypatch.setenv("BRAINMARK_MIRROR", f"https://host:1/x/,{tmp_path},{spaced.as_uri()}")
    web, folder, file = places.mirrors()
    assert (web.url, web.folder, web.problem) == ("https://host:1/x", None, "")
    assert (folder.folder, folder.url, folder.problem) == (tmp_path, None, "")
    assert (file.folder, file.problem) == (spaced, "")


def test_a_folder_may_have_separators_in_its_name(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    odd = tmp_path / "a,b:c"
    odd.mkdir()
    monkeypatch.setenv("BRAINMARK_MIRROR", str(odd))
    assert [m.folder for m in places.mirrors()] == [odd]


@pytest.mark.parametrize(
    ("given", "reason"),
    [
        ("{tmp}/gone", "no such folder"),
        ("{tmp}/file", "not a folder"),
        ("s3://bucket/x", "s3:// is not understood"),
        ("file://elsewhere/x", "names no host"),
        ("http:///x", "names no host"),
    ],
)
def test_an_unusable_mirror_says_why(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, given: str, reason: str) -> None:
    (tmp_path / "file").touch()
    given = given.format(tmp=tmp_path)
    monkeypatch.setenv("BRAINMARK_MIRROR", given)
    (mirror,) = places.mirrors()
    assert mirror.given == given
    assert reason in mirror.problem
