"""Opening, making and migrating the database; every failure is one line with the way out."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import text

from brainmark.core import DataError
from brainmark.core.score import Failure
from brainmark.store import database
from brainmark.store.database import REVISION, close_databases, open_database, show_url
from brainmark.store.results import ResultStore
from brainmark.store.schema import metadata


def test_the_migrations_make_the_tables_that_the_code_knows(url: str) -> None:
    with open_database(url).connect() as connection:
        assert compare_metadata(MigrationContext.configure(connection), metadata) == []


def test_the_revision_of_the_code_is_the_newest_migration() -> None:
    scripts = ScriptDirectory(str(Path(database.__file__).parent / "migrations"))
    assert scripts.get_current_head() == REVISION


def test_the_home_holds_the_store_unless_another_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BRAINMARK_HOME", str(tmp_path / "home"))
    monkeypatch.delenv("BRAINMARK_STORE", raising=False)
    assert show_url(open_database()) == str(tmp_path / "home" / "scores.sqlite")
    monkeypatch.setenv("BRAINMARK_STORE", f"sqlite:///{tmp_path / 'other.sqlite'}")
    assert show_url(open_database()) == str(tmp_path / "other.sqlite")


def test_a_newer_database_is_left_alone(url: str) -> None:
    engine = open_database(url)
    with engine.begin() as connection:
        connection.execute(text("UPDATE alembic_version SET version_num = '9999'"))
    close_databases()
    with pytest.raises(DataError, match=r"has tables of revision '9999', which this version .* upgrade brainmark"):
        open_database(url)
    with engine.connect() as connection:
        assert connection.execute(text("SELECT version_num FROM alembic_version")).scalar() == "9999"
    engine.dispose()


@pytest.mark.parametrize(
    ("content", "reason"), [(b"no database at all" * 400, "not a database"), (b"SQLite format 3\0" + bytes(5000), "")]
)
def test_a_damaged_file_is_named_with_the_way_out(tmp_path: Path, content: bytes, reason: str) -> None:
    path = tmp_path / "scores.sqlite"
    path.write_bytes(content)
    with pytest.raises(DataError, match=rf"the store of scores, {path}: .*{reason}.*; "):
        ResultStore.open(f"sqlite:///{path}").get("0" * 64, {})
    assert path.read_bytes() == content


def test_a_place_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(DataError, match=r"file/scores\.sqlite: .*; set BRAINMARK_STORE or BRAINMARK_HOME"):
        open_database(f"sqlite:///{tmp_path / 'file' / 'scores.sqlite'}")


@pytest.mark.parametrize("wrong", ["scores.sqlite", "nosuch://x/y", "postgresql+nodriver://me:secret@x/y"])
def test_what_names_no_database_is_refused_without_secrets(wrong: str) -> None:
    with pytest.raises(DataError, match="BRAINMARK_STORE names no database") as error:
        open_database(wrong)
    assert "secret" not in str(error.value)


def test_a_server_that_is_not_there_is_named_without_its_password() -> None:
    pytest.importorskip("psycopg")
    with pytest.raises(DataError, match="the store of scores, postgresql") as error:
        open_database("postgresql+psycopg://me:secret@127.0.0.1:9/none?connect_timeout=2")
    assert "secret" not in str(error.value)


def test_a_store_that_is_locked_for_long_says_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(database, "_PATIENCE", 0.2)
    store = ResultStore.open(f"sqlite:///{tmp_path / 'scores.sqlite'}")
    with store.engine.execution_options(writes=True).begin(), pytest.raises(DataError, match="another process"):
        store.put({}, Failure("X", "me", "model", "no"))


def test_processes_that_open_a_new_store_make_it_once(url: str) -> None:
    code = "import sys; from brainmark.store.database import open_database; open_database(sys.argv[1])"
    started = [subprocess.Popen([sys.executable, "-c", code, url], stderr=subprocess.PIPE, text=True) for _ in range(4)]
    assert [(process.communicate(timeout=120)[1], process.returncode) for process in started] == [("", 0)] * 4
