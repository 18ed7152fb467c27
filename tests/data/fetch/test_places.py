from __future__ import annotations

from pathlib import PurePosixPath

import pytest

from brainmark.core import DataError
from brainmark.data.fetch.places import as_url, places


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("https://Host.org/a/b.nc", ["host.org/a/b.nc"]),
        ("https://host.org:443/a", ["host.org/a"]),
        ("http://host.org:8000/a", ["host.org+8000/a", "host.org:8000/a", "host.org/a"]),
        ("https://me:secret@host.org/a", ["host.org/a"]),
        ("https://host.org//a///b", ["host.org/a/b"]),
        ("https://host.org/a%20b/%C3%A9.nc", ["host.org/a b/é.nc"]),
        ("https://host.org/a%2Fb", ["host.org/a%2Fb"]),
        ("https://host.org/a.nc?v=1", ["host.org/a.nc@v=1", "host.org/a.nc?v=1", "host.org/a.nc"]),
        ("https://host.org/a?x=/../b", ["host.org/a@x=%2F..%2Fb", "host.org/a?x=/../b", "host.org/a"]),
        ("https://host.org/a#part", ["host.org/a"]),
    ],
)
def test_a_file_lies_at_host_and_path_of_its_url(url: str, expected: list[str]) -> None:
    assert [str(p) for p in places(url)] == expected


@pytest.mark.parametrize(
    "url",
    [
        "ftp://host/a", "host/a", "file:///a", "https://", "https://host", "https://host/", "https://host/folder/",
        "https://host/../a", "https://host/%2e%2e/a", "https://host/a/%2E", "https://host/a%5C..%5Cb",
        "https://host/a%00b", "https://host:port/a",
    ],
)  # fmt: skip
def test_urls_that_name_no_file_or_leave_the_folder_are_refused(url: str) -> None:
    with pytest.raises(DataError, match=r"cannot (fetch|read)"):
        places(url)


def test_what_the_cache_uses_never_leaves_it_even_through_the_query() -> None:
    first = places("https://host/a?q=/../../../etc/passwd")[0]
    assert first.parts[:-1] == ("host",)


def test_long_names_are_shortened_but_stay_apart() -> None:
    one, other = (places(f"https://host/{'n' * 400}{end}.nc")[0] for end in "12")
    assert one != other
    assert len(one.name.encode()) <= 200
    assert one.suffix == ".nc"


def test_a_place_under_a_mirror_url_is_quoted() -> None:
    assert as_url("http://m:1/x", PurePosixPath("host/a b/c?d")) == "http://m:1/x/host/a%20b/c%3Fd"


def test_no_place_has_a_name_that_file_systems_refuse() -> None:
    """Asking for a longer one is an error of the system, not a file that is missing."""
    long = places(f"https://example.org/folder/f.nc?{'x' * 400}")
    assert [place.name for place in long][1:] == ["f.nc"]
    assert all(len(place.name.encode()) <= 200 for place in long)
    assert [place.name for place in places("https://example.org/f.nc?v=1")] == ["f.nc@v=1", "f.nc?v=1", "f.nc"]
