"""A cache of its own for every test, and a server on this machine that can misbehave."""

from __future__ import annotations

import hashlib
import shutil
import socket
import struct
import subprocess
import threading
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import unquote

import pytest

from brainmark.core import Source


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty cache; no mirror; no proxy between this machine and itself."""
    folder = tmp_path / "home"
    monkeypatch.setenv("BRAINMARK_HOME", str(folder))
    monkeypatch.delenv("BRAINMARK_MIRROR", raising=False)
    monkeypatch.setenv("NO_PROXY", "*")
    return folder


Answer = Callable[[BaseHTTPRequestHandler, bytes], None]


@dataclass
class Server:
    """Serves `files`; paths in `how` are answered in another way."""

    base: str
    files: dict[str, bytes] = field(default_factory=dict)
    how: dict[str, Callable[[BaseHTTPRequestHandler, bytes], None]] = field(default_factory=dict)
    gets: Counter[str] = field(default_factory=Counter)
    heads: Counter[str] = field(default_factory=Counter)
    started: threading.Event = field(default_factory=threading.Event)
    go_on: threading.Event = field(default_factory=threading.Event)

    def add(self, path: str, content: bytes, how: Answer | None = None) -> Source:
        """Serve `content` at `path`, in the way `how`; return it as a registered file."""
        self.files[path] = content
        if how:
            self.how[path] = how
        return Source(url=self.base + path, sha256=hashlib.sha256(content).hexdigest(), size=len(content))

    def cut_off(self, handler: BaseHTTPRequestHandler, content: bytes) -> None:
        """Promise everything, send half, hang up."""
        _head(handler, len(content))
        handler.wfile.write(content[: len(content) // 2])

    def half_then_wait(self, handler: BaseHTTPRequestHandler, content: bytes) -> None:
        """Send half, say so, and send the rest when told to go on."""
        _head(handler, len(content))
        handler.wfile.write(content[: len(content) // 2])
        handler.wfile.flush()
        self.started.set()
        self.go_on.wait(60)
        handler.wfile.write(content[len(content) // 2 :])

    def hang_up(self, handler: BaseHTTPRequestHandler, content: bytes) -> None:
        """Send half, then reset the connection."""
        _head(handler, len(content))
        handler.wfile.write(content[: len(content) // 2])
        handler.wfile.flush()
        handler.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        handler.connection.close()

    def redirect_to(self, path: str) -> Answer:
        def answer(handler: BaseHTTPRequestHandler, _: bytes) -> None:
            handler.send_response(302)
            handler.send_header("Location", path)
            handler.send_header("Content-Length", "0")
            handler.end_headers()

        return answer

    def refuse(self, status: int) -> Answer:
        return lambda handler, _: handler.send_error(status)


@pytest.fixture
def server() -> Iterator[Server]:
    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            path = unquote(self.path)
            mine.gets[path] += 1
            if path in mine.how:
                mine.how[path](self, mine.files.get(path, b""))
            elif path in mine.files:
                _head(self, len(mine.files[path]))
                self.wfile.write(mine.files[path])
            else:
                self.send_error(404)

        def do_HEAD(self) -> None:
            path = unquote(self.path)
            mine.heads[path] += 1
            self.send_response(200 if path in mine.files else 404)
            self.end_headers()

        def log_message(self, *_: object) -> None:
            pass

    class Quiet(ThreadingHTTPServer):
        daemon_threads = True

        def handle_error(self, request: object, client_address: object) -> None:
            """A client that hangs up is part of the tests."""

    with Quiet(("127.0.0.1", 0), Handler) as http:
        mine = Server(f"http://127.0.0.1:{http.server_address[1]}")
        thread = threading.Thread(target=http.serve_forever, kwargs={"poll_interval": 0.02})
        thread.start()
        yield mine
        mine.go_on.set()
        http.shutdown()
        thread.join()


def _head(handler: BaseHTTPRequestHandler, length: int) -> None:
    handler.send_response(200)
    handler.send_header("Content-Length", str(length))
    handler.end_headers()


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of one MB; skipped where mounting is not allowed."""
    yield from _mounted(tmp_path / "disk", "size=1m")


@pytest.fixture
def read_only_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system that cannot be written to, whoever tries; skipped where mounting is not allowed."""
    yield from _mounted(tmp_path / "disk", "size=1m,ro")


def _mounted(folder: Path, options: str) -> Iterator[Path]:
    folder.mkdir()
    mount, umount = shutil.which("mount"), shutil.which("umount")
    if not mount or not umount:
        pytest.skip("there is no mount command")
    done = subprocess.run([mount, "-t", "tmpfs", "-o", options, "tmpfs", str(folder)], capture_output=True, check=False)
    if done.returncode:
        pytest.skip(f"mounting is not allowed: {done.stderr.decode().strip()}")
    try:
        yield folder
    finally:
        subprocess.run([umount, str(folder)], check=True)
