"""Fixtures that several rooms use."""

from __future__ import annotations

import hashlib
import os
import socket
import struct
import threading
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from functools import lru_cache
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import unquote

import numpy as np
import pandas as pd
import pytest
from hypothesis import settings
from PIL import Image

from brainmark.core import BenchmarkCard, DatasetCard, MetricCard, ModelCard, Source, datasets, registry
from brainmark.core.dataset import Dataset
from brainmark.data.fetch import where
from brainmark.data.packaging import CannotPackage, Prepared, parse_description, prepare
from brainmark.testing.shapes import check_shapes

for package in ("brainmark.metrics", "brainmark.brainscore.metrics"):  # before any of their modules is imported
    check_shapes(package)

settings.register_profile("default", deadline=None)  # how busy the machine is, is no property of the code
settings.load_profile("default")

_COMMON = {"summary": "toy", "licence": "MIT", "cite": "@misc{toy, title = {Toy}, year = {2001}}"}
_OWN: dict[str, dict[str, Any]] = {
    "model": {"domain": "vision", "family": "toy", "regions": ("V1", "IT"), "degrees": 8.0},
    "dataset": {
        "domain": "vision", "species": ("none",), "regions": ("V1",), "modality": "image", "sources": (),
        "simulated": True,
    },
    "metric": {"compares": "recordings"},
    "benchmark": {
        "domain": "vision", "species": ("none",), "region": "V1", "parent": "V1", "datasets": ("toy-data",),
        "metric": "toy-metric", "simulated": True,
    },
}  # fmt: skip
_TYPES = {"model": ModelCard, "dataset": DatasetCard, "metric": MetricCard, "benchmark": BenchmarkCard}


@pytest.fixture
def make_card() -> Callable[..., Any]:
    """make_card("model", regions=("V4",)) -> a valid card with these fields changed."""
    return lambda kind, **changes: _TYPES[kind](**{**_COMMON, **_OWN[kind], **changes})


@pytest.fixture
def registries(monkeypatch: pytest.MonkeyPatch) -> dict[str, registry.Registry[Any, Any]]:
    """The four registries by kind, empty; what a test adds is forgotten after it."""
    registry.discover()  # what is first imported into the empty registries would be lost after the test
    monkeypatch.setattr(registry, "_discovered", True)
    monkeypatch.setattr(registry, "broken_plugins", {})
    four = (registry.models, registry.datasets, registry.metrics, registry.benchmarks)
    for one in four:
        monkeypatch.setattr(one, "_entries", {})
        monkeypatch.setattr(one, "_finders", [])
    return {one.kind: one for one in four}


Answer = Callable[[BaseHTTPRequestHandler, bytes], None]


@dataclass
class Server:
    """A server on this machine that can misbehave. Serves `files`; paths in `how` are answered in another way."""

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


# --- a lab with images and two monkeys, and what is said of them ---

CITE = "@misc{lovelace2026, title = {Rates}, author = {Lovelace, Ada}, year = {2026}}"
SAID: dict[str, Any] = {
    "identifier": "Lovelace2026",
    "summary": "Four units of two monkeys.",
    "licence": "CC0-1.0",
    "cite": CITE,
    "species": "macaque",
    "degrees": 8,
    "duration": 100,
    "stimuli": {"folder": "images"},
}
COUNT = 12


class Lab:
    """A folder with images ``im00.png`` ...; `said` describes all but the recordings."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.said = dict(SAID)
        self.ids = [f"im{k:02d}" for k in range(COUNT)]
        for number, name in enumerate(self.ids):
            self.image(f"{name}.png", seed=number)

    def image(self, name: str, size: tuple[int, int] = (16, 16), seed: int = 0) -> Path:
        """Write an image of noise, size (width, height)."""
        path = self.folder / "images" / name
        path.parent.mkdir(exist_ok=True)
        pixels = np.random.default_rng(seed).integers(0, 255, (size[1], size[0], 3), dtype=np.uint8)
        Image.fromarray(pixels).save(path)
        return path

    def table(self, name: str, rows: Any) -> Path:
        """Write a CSV table."""
        path = self.folder / name
        pd.DataFrame(rows).to_csv(path, index=False)
        return path

    def trials(self, name: str = "rates.csv", repetitions: int = 3, neuroids: int = 4, seed: int = 0) -> pd.DataFrame:
        """Write a wide table of trials, and return it."""
        noise = np.random.default_rng(seed).normal
        signal = noise(size=(COUNT, neuroids))
        rows = [
            {"stimulus_id": one, **{f"u{n}": signal[k, n] + 0.3 * noise() for n in range(neuroids)}}
            for k, one in enumerate(self.ids)
            for _ in range(repetitions)
        ]
        self.table(name, rows)
        return pd.DataFrame(rows)

    def describe(self, *recordings: dict[str, Any], **changes: Any) -> dict[str, Any]:
        """Return the whole description; a change to None leaves a field out."""
        told = {**self.said, **changes, "recording": list(recordings)}
        return {k: v for k, v in told.items() if v is not None}

    def prepared(self, *recordings: dict[str, Any], **changes: Any) -> Prepared:
        """Read, check and put together."""
        told = parse_description(self.describe(*recordings, **changes), "lab.toml")
        return prepare(told, self.folder, self.folder / "scratch")

    def refused(self, *recordings: dict[str, Any], **changes: Any) -> tuple[str, ...]:
        """Return the problems for which it is refused."""
        with pytest.raises(CannotPackage) as refusal:
            self.prepared(*recordings, **changes)
        assert all(problem in str(refusal.value) for problem in refusal.value.problems)
        return refusal.value.problems


WIDE: dict[str, Any] = {
    "file": "rates.csv", "neuroids": "u*", "region": "V4", "subject": "Ada", "units": "spikes/s",
}  # fmt: skip


@pytest.fixture
def lab(tmp_path: Path) -> Lab:
    """A lab in a folder of its own."""
    return Lab(tmp_path)


@pytest.fixture
def wide() -> dict[str, Any]:
    """The description of a wide table."""
    return dict(WIDE)


@pytest.fixture
def inside(lab: Lab):
    """The lab's folder as the current one."""
    before = Path.cwd()
    os.chdir(lab.folder)
    yield lab
    os.chdir(before)


@pytest.fixture(scope="session")
def study() -> Callable[[str], Dataset]:
    """Loads a registered data set once; the test is skipped if its files are neither in a mirror nor in the cache."""

    @lru_cache(maxsize=4)
    def load(name: str) -> Dataset:
        lost = [found for found in map(where, datasets[name].card.sources) if found.path is None]
        if lost:
            pytest.skip(f"neither a mirror (BRAINMARK_MIRROR) nor the cache has {lost[0].source.url}")
        return datasets[name].load()

    return load
