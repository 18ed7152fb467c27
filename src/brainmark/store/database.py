"""Opens the database of scores: SQLite in ``BRAINMARK_HOME``, or any that ``BRAINMARK_STORE`` names as a URL."""

from __future__ import annotations

import os
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, Engine, create_engine, event, inspect, make_url, text
from sqlalchemy.exc import ArgumentError, NoSuchModuleError, SQLAlchemyError

from brainmark.core.errors import DataError, MissingDependency
from brainmark.core.libraries import alembic_command, alembic_config, alembic_util, filelock
from brainmark.data.fetch.places import home

STORE = "BRAINMARK_STORE"
FILE = "scores.sqlite"
REVISION = "0002"
"""Of the tables that this version of the package reads and writes; the newest file in ``migrations/versions``."""
_opened: dict[tuple[str, int], Engine] = {}  # by URL and process
_LOCK = 0x6272616E  # of PostgreSQL, any number that nobody else takes
_PATIENCE = 60.0  # seconds to wait for another process that writes


def store_url() -> str:
    """Return the URL of the database of scores."""
    return os.environ.get(STORE, "").strip() or f"sqlite:///{home() / FILE}"


def open_database(url: str | None = None) -> Engine:
    """Return the database, with its tables; those of an older version are migrated.

    Raises
    ------
    DataError : it cannot be opened or made, is damaged, or was made by a newer version; says the way out.
    MissingDependency : the driver is not installed.
    """
    place = url or store_url(), os.getpid()  # a connection must not be shared with a forked process
    if place not in _opened:
        _opened[place] = _open(place[0])
    return _opened[place]


def close_databases() -> None:
    """Close all connections of this process."""
    while _opened:
        _opened.popitem()[1].dispose()


def _open(url: str) -> Engine:
    engine = _connect(url)
    try:
        with explain_database_errors(show_url(engine)):
            _prepare(engine)
    except BaseException:
        engine.dispose()
        raise
    return engine


def _prepare(engine: Engine) -> None:
    """Make the tables, or bring those of an older version up to date."""
    if _is_sqlite(engine) and engine.url.database:
        Path(engine.url.database).parent.mkdir(parents=True, exist_ok=True)
    with engine.connect() as connection:
        found = _find_revision(connection)
    if found != REVISION:
        with one_at_a_time(engine), engine.execution_options(writes=True).begin() as connection:
            _migrate(connection, _find_revision(connection), show_url(engine))


def _connect(url: str) -> Engine:
    try:
        parsed = make_url(url)
        if parsed.get_backend_name() != "sqlite":
            return create_engine(parsed, pool_pre_ping=True)
        engine = create_engine(parsed, connect_args={"timeout": _PATIENCE, "isolation_level": None})
    except (ArgumentError, NoSuchModuleError) as error:
        raise DataError(
            f"{STORE} names no database ({error}); say sqlite:///FILE or postgresql+psycopg://USER:PASSWORD@HOST/NAME"
        ) from None
    except ModuleNotFoundError as error:
        raise MissingDependency(str(error.name), "postgresql", f"the database of {STORE}") from error
    event.listen(engine, "connect", _set_up_sqlite)
    event.listen(engine, "begin", _begin_sqlite)
    return engine


def _set_up_sqlite(connection: Any, _: object) -> None:
    """Let readers and one writer work beside each other, and lose nothing when the power goes."""
    for pragma in ("journal_mode=WAL", "synchronous=FULL", "foreign_keys=ON"):
        connection.execute(f"PRAGMA {pragma}")


def _begin_sqlite(connection: Connection) -> None:
    """Begin a transaction; one that writes takes its place in the queue at once, so that it cannot fail half-way."""
    options = connection.get_execution_options()
    writes = options.get("writes")
    if writes:  # without waiting for the disk, a loss of power may undo it, as a whole
        connection.exec_driver_sql(f"PRAGMA synchronous={'FULL' if options.get('lasting', True) else 'NORMAL'}")
    connection.exec_driver_sql("BEGIN IMMEDIATE" if writes else "BEGIN")


@contextmanager
def begin_writing(engine: Engine, *, lasting: bool = True) -> Generator[Connection]:
    """Yield a connection in a transaction that writes: all that is done with it is kept, or nothing.

    Parameters
    ----------
    lasting : whether it must survive a loss of power, which takes SQLite some milliseconds.

    Raises
    ------
    DataError : see `explain_database_errors`.
    """
    chosen = engine.execution_options(writes=True, lasting=lasting)
    with explain_database_errors(show_url(engine)), chosen.begin() as connection:
        yield connection


@contextmanager
def begin_reading(engine: Engine) -> Generator[Connection]:
    """Yield a connection that sees the database as it is now. Errors: see `explain_database_errors`."""
    with explain_database_errors(show_url(engine)), engine.connect() as connection:
        yield connection


def show_url(engine: Engine) -> str:
    """Return where a database is, without a password."""
    return engine.url.database or "" if _is_sqlite(engine) else engine.url.render_as_string(hide_password=True)


@contextmanager
def explain_database_errors(where: str) -> Generator[None]:
    """Turn what SQLAlchemy raises into one line.

    Raises
    ------
    DataError : the database is locked for long, damaged, full, read-only, or not there; says the way out.
    """
    try:
        yield
    except (SQLAlchemyError, UnicodeDecodeError) as error:  # the latter of a message of SQLite with damaged text
        reason = " ".join(str(getattr(error, "orig", None) or error).split())
        raise DataError(f"the store of scores, {where}: {reason}; {_find_way_out(reason)}") from error
    except OSError as error:
        reason = error.strerror or str(error)
        raise DataError(f"the store of scores, {where}: {reason}; {_find_way_out(reason)}") from error


def _find_way_out(reason: str) -> str:
    ways = {
        "locked": "another process has been writing for a minute; try again",
        "malformed": "put a backup in its place, or move it away, and scores are computed anew",
        "not a database": "put a backup in its place, or move it away, and scores are computed anew",
        "full": "free some space, or set BRAINMARK_HOME to a folder on another disk",
        "No space": "free some space, or set BRAINMARK_HOME to a folder on another disk",
    }
    return next(
        (way for sign, way in ways.items() if sign in reason),
        f"set {STORE} or BRAINMARK_HOME to a place that can be written",
    )


def _is_sqlite(engine: Engine) -> bool:
    return engine.dialect.name == "sqlite"


@contextmanager
def one_at_a_time(engine: Engine) -> Generator[None]:
    """Let one process at a time make or migrate the tables, or do what has to be done once."""
    if _is_sqlite(engine) and engine.url.database:
        with filelock.FileLock(f"{engine.url.database}.lock"):
            yield
    elif _is_sqlite(engine):
        yield
    else:
        with engine.connect() as connection:  # the lock goes with its transaction
            connection.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": _LOCK})
            yield


def _find_revision(connection: Connection) -> str | None:
    """Return the revision of the tables; None where there are none yet."""
    if not inspect(connection).has_table("alembic_version"):
        return None
    return connection.execute(text("SELECT version_num FROM alembic_version")).scalar()


def _migrate(connection: Connection, found: str | None, where: str) -> None:
    """Make the tables, or bring them from the revision that was found to that of this package."""
    if found == REVISION:  # another process was faster
        return
    config = alembic_config.Config()
    config.set_main_option("script_location", str(Path(__file__).parent / "migrations"))
    config.attributes["connection"] = connection
    try:
        alembic_command.upgrade(config, "head")
    except alembic_util.CommandError as error:
        raise DataError(
            f"the store of scores, {where}, has tables of revision {found!r}, which this version of brainmark does "
            f"not know ({error}); upgrade brainmark"
        ) from None
