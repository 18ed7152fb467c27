"""Everything that can go wrong on the way to a file: a clear error, and nothing half-written."""

from __future__ import annotations

import gzip
import hashlib
import os
import signal
import socket
import subprocess
import sys
import threading
import time
import tracemalloc
from collections.abc import Callable, Iterator
from contextlib import suppress
from http.server import BaseHTTPRequestHandler
from pathlib import Path

import pytest

from brainmark.core import DataError, Source
from brainmark.data.fetch import Checkpoint, cache_place, download, fetch, where

CONTENT = os.urandom(1 << 18)


def source_of(url: str, content: bytes = CONTENT) -> Source:
    return Source(url=url, sha256=hashlib.sha256(content).hexdigest(), size=len(content))


def failure(source: Source) -> str:
    with pytest.raises(DataError) as error:
        fetch(source)
    return str(error.value)


def kept(home: Path) -> list[str]:
    """The files in the cache, complete or not."""
    return sorted(p.name for p in (home / "files").rglob("*") if p.is_file())


def until(condition: Callable[[], bool], seconds: float = 20) -> bool:
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if condition():
            return True
        time.sleep(0.02)
    return False


@pytest.fixture
def in_another_process() -> Iterator[Callable[[Source], subprocess.Popen[str]]]:
    """Fetch in a process of its own, which prints the path; none of them outlives the test."""
    code = (
        "import signal, sys; signal.signal(signal.SIGINT, signal.default_int_handler);"  # a background job ignores it
        "from brainmark.core import Source; from brainmark.data.fetch import fetch;"
        "print(fetch(Source(url=sys.argv[1], sha256=sys.argv[2], size=int(sys.argv[3]))))"
    )
    started: list[subprocess.Popen[str]] = []

    def start(source: Source) -> subprocess.Popen[str]:
        command = [sys.executable, "-c", code, source.url, source.sha256, str(source.size)]
        started.append(subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True))
        return started[-1]

    yield start
    for process in started:
        process.kill()
        process.communicate()


@pytest.mark.parametrize(("status", "meaning"), [(403, "refuses"), (404, "no such file"), (500, "HTTP 500")])
def test_http_errors(server, home: Path, status: int, meaning: str) -> None:
    source = server.add("/a.bin", CONTENT, server.refuse(status))
    message = failure(source)
    assert f"{source.url}: HTTP {status}" in message
    assert meaning in message
    assert "set BRAINMARK_MIRROR" in message
    assert kept(home) == []


def test_a_truncated_answer(server, home: Path) -> None:
    source = server.add("/a.bin", CONTENT, server.cut_off)
    assert "the answer was cut off" in failure(source)
    assert kept(home) == []
    server.how.clear()
    assert fetch(source).read_bytes() == CONTENT


def test_a_connection_that_is_reset(server, home: Path) -> None:
    source = server.add("/a.bin", CONTENT, server.hang_up)
    message = failure(source)
    assert "cut off" in message or "Connection reset" in message
    assert kept(home) == []


def test_a_wrong_hash_names_file_expected_and_found(server, home: Path) -> None:
    server.add("/a.bin", b"other")
    source = source_of(server.base + "/a.bin")
    message = failure(source)
    assert "'a.bin'" in message
    assert f"{source.url}: wrong content: expected sha256 {source.sha256}" in message
    assert f"found {hashlib.sha256(b'other').hexdigest()}" in message
    assert f"expected {len(CONTENT)} bytes, found 5" in message
    assert kept(home) == []


def test_redirects_are_followed(server) -> None:
    server.add("/there.bin", CONTENT)
    source = server.add("/a.bin", CONTENT, server.redirect_to("/there.bin"))
    assert fetch(source).name == "a.bin"


def test_redirects_without_end(server, home: Path) -> None:
    source = server.add("/a.bin", CONTENT, server.redirect_to("/a.bin"))
    assert "redirects" in failure(source)
    assert kept(home) == []


def test_a_server_that_falls_silent(server, home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(download, "READ", 0.3)
    source = server.add("/a.bin", CONTENT, server.half_then_wait)
    assert "no answer within 0.3 s" in failure(source)
    assert kept(home) == []


def test_a_server_that_never_answers(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(download, "READ", 0.3)
    with socket.create_server(("127.0.0.1", 0)) as silent:
        message = failure(source_of(f"http://127.0.0.1:{silent.getsockname()[1]}/a.bin"))
    assert "no answer within 0.3 s" in message


def test_offline_machines_fail_in_seconds() -> None:
    assert download.CONNECT <= 10


def test_no_network(home: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as closed:
        port = closed.getsockname()[1]
    message = failure(source_of(f"http://127.0.0.1:{port}/a.bin"))
    assert "no connection (Connection refused)" in message
    assert "Connect to the network, or set BRAINMARK_MIRROR" in message
    assert f"127.0.0.1+{port}/a.bin" in message
    message = failure(source_of("https://nowhere.invalid/a.bin"))
    assert "https://nowhere.invalid/a.bin: no connection" in message
    assert kept(home) == []


def test_every_origin_is_listed_with_its_reason(
    server, home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    source = server.add("/a.bin", CONTENT, server.refuse(404))
    bad = tmp_path / "bad" / "127.0.0.1" / "a.bin"
    bad.parent.mkdir(parents=True)
    bad.write_bytes(b"wrong")
    (tmp_path / "empty").mkdir()
    cache_place(source.url).parent.mkdir(parents=True)
    cache_place(source.url).write_bytes(b"damaged")
    given = f"{tmp_path / 'bad'},{tmp_path / 'empty'},{server.base}/mirror"
    monkeypatch.setenv("BRAINMARK_MIRROR", given)
    lines = failure(source).splitlines()
    origins = [line for line in lines if line.startswith("  - ")]
    expected = [f"cache {cache_place(source.url)}: wrong content", f"mirror {bad}: wrong content", "no such file"]
    for line, part in zip(origins, expected, strict=False):
        assert part in line
    assert f"{server.base}/mirror/" in origins[3]
    assert origins[-1].startswith(f"  - {source.url}: HTTP 404")


def test_a_mirror_without_the_file_is_named(home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BRAINMARK_MIRROR", str(tmp_path))
    message = failure(source_of("https://nowhere.invalid/a/b.bin"))
    assert f"mirror {tmp_path}/nowhere.invalid/a/b.bin: no such file" in message


def test_a_damaged_cached_file_offline(home: Path) -> None:
    source = source_of("https://nowhere.invalid/a.bin")
    path = cache_place(source.url)
    path.parent.mkdir(parents=True)
    path.write_bytes(CONTENT[:-1])
    message = failure(source)
    assert f"cache {path}: wrong content: expected sha256 {source.sha256}" in message
    assert path.exists()  # it is not thrown away before there is something better


def test_a_folder_in_place_of_the_cached_file(server) -> None:
    source = server.add("/a.bin", CONTENT)
    cache_place(source.url).mkdir(parents=True)
    message = failure(source)
    assert "cannot keep 'a.bin'" in message
    assert "Is a directory" in message


@pytest.mark.parametrize("part", ["", "files", "locks"])
def test_a_file_in_place_of_the_cache(server, home: Path, part: str) -> None:
    blocked = home / part
    blocked.parent.mkdir(parents=True, exist_ok=True)
    blocked.write_text("not a folder")
    message = failure(server.add("/a.bin", CONTENT))
    assert "cannot keep 'a.bin'" in message
    assert str(blocked) in message
    assert "set BRAINMARK_HOME to a folder that can be written" in message
    assert not server.gets


def test_a_read_only_cache(server, read_only_disk: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BRAINMARK_HOME", str(read_only_disk / "home"))
    source = server.add("/a.bin", CONTENT)
    message = failure(source)
    assert f"in the cache, at {read_only_disk}" in message
    assert "Read-only file system: set BRAINMARK_HOME to a folder that can be written" in message
    assert where(source).state == "missing"


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() == 0, reason="permissions do not bind this user")
def test_a_cache_without_permission(server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    locked = tmp_path / "locked"
    locked.mkdir(mode=0o500)
    monkeypatch.setenv("BRAINMARK_HOME", str(locked / "home"))
    assert "Permission denied: set BRAINMARK_HOME" in failure(server.add("/a.bin", CONTENT))


def test_what_does_not_fit_is_refused_before_it_is_downloaded(
    server, small_disk: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("BRAINMARK_HOME", str(small_disk))
    message = failure(server.add("/a.bin", os.urandom(2_000_000)))
    assert "it has 2.0 MB, the disk has 1.0 MB left" in message
    assert "set BRAINMARK_HOME to a folder on another disk" in message
    assert not server.gets


def test_a_disk_that_fills_up_during_the_download(server, small_disk: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BRAINMARK_HOME", str(small_disk))
    content = os.urandom(2_000_000)
    large = server.add("/a.bin", content)
    with pytest.raises(DataError) as error:
        Checkpoint(large.url, large.sha256[:8]).path()  # its size is not known before
    message = str(error.value)
    assert "the disk is full: free some space, or set BRAINMARK_HOME" in message
    assert kept(small_disk) == []


def test_processes_share_one_download(server, home: Path, in_another_process) -> None:
    source = server.add("/a.bin", CONTENT, server.half_then_wait)
    processes = [in_another_process(source) for _ in range(3)]
    assert server.started.wait(60)
    time.sleep(0.3)  # let the others reach the lock
    server.go_on.set()
    paths = {p.communicate(timeout=60)[0].strip() for p in processes}
    assert [p.returncode for p in processes] == [0, 0, 0]
    assert server.gets["/a.bin"] == 1
    assert [Path(p).read_bytes() for p in paths] == [CONTENT]
    assert kept(home) == ["a.bin"]


def test_threads_share_one_download(server, home: Path) -> None:
    source = server.add("/a.bin", CONTENT, server.half_then_wait)
    paths: list[Path] = []
    threads = [threading.Thread(target=lambda: paths.append(fetch(source))) for _ in range(6)]
    for thread in threads:
        thread.start()
    assert server.started.wait(10)
    server.go_on.set()
    for thread in threads:
        thread.join(30)
    assert paths == [cache_place(source.url)] * 6
    assert server.gets["/a.bin"] == 1


@pytest.mark.skipif(sys.platform == "win32", reason="no SIGINT for another process")
def test_an_interruption_leaves_nothing(server, home: Path, in_another_process) -> None:
    source = server.add("/a.bin", CONTENT, server.half_then_wait)
    process = in_another_process(source)
    assert server.started.wait(60)
    assert until(lambda: kept(home) != [])
    process.send_signal(signal.SIGINT)
    _, errors = process.communicate(timeout=60)
    assert process.returncode != 0
    assert "KeyboardInterrupt" in errors
    assert kept(home) == []


@pytest.mark.skipif(sys.platform == "win32", reason="no SIGKILL")
def test_what_a_killed_process_leaves_is_removed_by_the_next(server, home: Path, in_another_process) -> None:
    source = server.add("/a.bin", CONTENT, server.half_then_wait)
    process = in_another_process(source)
    assert server.started.wait(60)
    assert until(lambda: kept(home) != [])
    process.kill()
    process.communicate(timeout=60)
    assert kept(home) == ["a.bin"]
    assert where(source).state == "missing"
    other = server.add("/b.bin", CONTENT)
    assert fetch(other).read_bytes() == CONTENT
    assert kept(home) == ["b.bin"]


def test_an_answer_without_end_is_given_up(server, home: Path) -> None:
    def pour(handler: BaseHTTPRequestHandler, _: bytes) -> None:
        handler.send_response(200)
        handler.end_headers()
        with suppress(OSError):
            while True:
                handler.wfile.write(bytes(1 << 16))

    source = server.add("/a.bin", CONTENT, pour)
    assert "the answer is longer than the file, which has 262 kB" in failure(source)
    assert kept(home) == []


def test_an_answer_that_unpacks_to_more_than_the_file_is_given_up(server, home: Path) -> None:
    packed = gzip.compress(bytes(1 << 28), 1)

    def swell(handler: BaseHTTPRequestHandler, _: bytes) -> None:
        handler.send_response(200)
        handler.send_header("Content-Encoding", "gzip")
        handler.send_header("Content-Length", str(len(packed)))
        handler.end_headers()
        with suppress(OSError):
            handler.wfile.write(packed)

    tracemalloc.start()
    assert "the answer is longer than the file" in failure(server.add("/a.bin", CONTENT, swell))
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 40e6  # the server's own 1.2 MB, and pieces of the answer
    assert kept(home) == []


def test_an_answer_that_says_it_is_too_long_is_not_begun(server, home: Path) -> None:
    def boast(handler: BaseHTTPRequestHandler, content: bytes) -> None:
        handler.send_response(200)
        handler.send_header("Content-Length", str(7 << 40))
        handler.end_headers()

    assert "the answer has 7.7 TB, the file has 262 kB" in failure(server.add("/a.bin", CONTENT, boast))


def test_a_server_that_trickles_is_given_up(server, home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def trickle(handler: BaseHTTPRequestHandler, content: bytes) -> None:
        handler.send_response(200)
        handler.send_header("Content-Length", str(len(content)))
        handler.end_headers()
        with suppress(OSError):
            for byte in content[:400]:
                handler.wfile.write(bytes([byte]))
                handler.wfile.flush()
                time.sleep(0.02)

    monkeypatch.setattr(download, "PATIENCE", 0.3)
    assert "the answer comes too slowly" in failure(server.add("/a.bin", CONTENT, trickle))
    assert kept(home) == []


@pytest.mark.parametrize("status", [429, 503])
def test_a_busy_server_is_asked_again(server, status: int) -> None:
    def busy_twice(handler: BaseHTTPRequestHandler, content: bytes) -> None:
        refused = server.gets["/a.bin"] <= 2
        handler.send_response(status if refused else 200)
        handler.send_header("Retry-After", "0")
        handler.send_header("Content-Length", str(0 if refused else len(content)))
        handler.end_headers()
        handler.wfile.write(b"" if refused else content)

    assert fetch(server.add("/a.bin", CONTENT, busy_twice)).read_bytes() == CONTENT
    assert server.gets["/a.bin"] == 3


def test_a_server_that_stays_busy_is_left_for_the_next(server, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(download, "_LONGEST_WAIT", 0.01)

    def busy(handler: BaseHTTPRequestHandler, _: bytes) -> None:
        handler.send_response(503)
        handler.send_header("Retry-After", "3600")
        handler.send_header("Content-Length", "0")
        handler.end_headers()

    place = f"/mirror/127.0.0.1+{server.base.rsplit(':', 1)[1]}/a.bin"
    server.add(place, CONTENT, busy)
    monkeypatch.setenv("BRAINMARK_MIRROR", f"{server.base}/mirror")
    assert fetch(server.add("/a.bin", CONTENT)).read_bytes() == CONTENT
    assert server.gets[place] == 4


def test_a_download_that_is_cut_off_leaves_no_file_of_its_own(server, tmp_path: Path) -> None:
    source = server.add("/a.bin", CONTENT, server.cut_off)
    with pytest.raises(download.Unavailable, match="the answer was cut off"):
        download.download(source.url, tmp_path / "a.bin")
    assert list(tmp_path.iterdir()) == []
