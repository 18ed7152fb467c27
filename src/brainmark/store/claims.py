"""Claims of runs on what they compute, so that several share one store and compute nothing twice.

Whoever holds a claim counts its beats up. Another run takes a claim over if its process is gone from this machine, or
if its beats stood still for `LEASE` seconds. These are measured by the clock of the process that looks, which never
runs backwards; no two clocks are compared, so it does not matter that one is wrong or was set back.
"""

from __future__ import annotations

import contextlib
import os
import platform
import threading
import time
from collections.abc import Iterable
from pathlib import Path
from typing import Any
from uuid import uuid4

from sqlalchemy import Connection, Row, delete, insert, select, update
from sqlalchemy.exc import IntegrityError

from brainmark.core.errors import DataError
from brainmark.core.libraries import psutil
from brainmark.store.database import begin_writing
from brainmark.store.results import ResultStore
from brainmark.store.schema import claims

BEAT = 5.0
"""Seconds between two beats."""
LEASE = 60.0
"""Seconds without a beat after which a claim is taken over."""
Claimed = tuple[str, str]
"""Key of an outcome, and state of all that it depends on."""


class Claims:
    """The claims of one run; use it as a context, at whose end all are given back."""

    def __init__(self, store: ResultStore, beat: float = BEAT, lease: float = LEASE) -> None:
        self._store, self._beat, self._lease = store, beat, lease
        self._holder = uuid4().hex
        self._held: set[Claimed] = set()
        self._seen: dict[Claimed, tuple[str, int, float]] = {}  # holder, beats, when they were first seen
        self._ended = threading.Event()
        self._thread: threading.Thread | None = None

    def __enter__(self) -> Claims:
        with contextlib.suppress(DataError):
            self._sweep()
        return self

    def _sweep(self) -> None:
        """Remove what killed processes of this machine left."""
        with begin_writing(self._store.engine, lasting=False) as connection:
            for row in connection.execute(select(claims).where(claims.c.place == find_place())).all():
                if not psutil.pid_exists(row.process):
                    connection.execute(delete(claims).where(*_is((row.key, row.state)), claims.c.holder == row.holder))

    def __exit__(self, *_: object) -> None:
        self._ended.set()
        if self._thread:
            self._thread.join()
        if self._held:
            with contextlib.suppress(DataError), begin_writing(self._store.engine, lasting=False) as connection:
                connection.execute(delete(claims).where(claims.c.holder == self._holder))
        self._held.clear()

    def take(self, wanted: Claimed, finished: Iterable[Claimed] = ()) -> bool:
        """Claim what is wanted, and give back what is finished; return whether it was had. Raises DataError."""
        with begin_writing(self._store.engine, lasting=False) as connection:
            for one in finished:
                connection.execute(delete(claims).where(*_is(one), claims.c.holder == self._holder))
            had = self._take(connection, wanted)
        self._held -= set(finished)
        if had:
            self._held.add(wanted)
            self._begin_to_beat()
        return had

    def _take(self, connection: Connection, wanted: Claimed) -> bool:
        row = connection.execute(select(claims).where(*_is(wanted))).first()
        mine = {"holder": self._holder, "place": find_place(), "process": os.getpid(), "beats": 0}
        if row is None:
            try:
                with connection.begin_nested():
                    connection.execute(insert(claims).values(key=wanted[0], state=wanted[1], **mine))
            except IntegrityError:  # another one was faster
                return False
            return True
        if row.holder == self._holder:
            return True
        if not self._is_dead(row):
            return False
        as_seen = (*_is(wanted), claims.c.holder == row.holder, claims.c.beats == row.beats)
        return connection.execute(update(claims).where(*as_seen).values(**mine)).rowcount == 1

    def _is_dead(self, row: Row[Any]) -> bool:
        """Return whether nobody works on a claim any more."""
        if row.place == find_place() and not psutil.pid_exists(row.process):
            return True
        one, now = (row.key, row.state), time.monotonic()
        holder, beats, since = self._seen.get(one, ("", -1, now))
        if (holder, beats) != (row.holder, row.beats):
            self._seen[one] = (row.holder, row.beats, now)
            return False
        return now - since >= self._lease

    def _begin_to_beat(self) -> None:
        if self._thread is None:
            self._thread = threading.Thread(target=self._go_on_beating, name="claims", daemon=True)
            self._thread.start()

    def _go_on_beating(self) -> None:
        while not self._ended.wait(self._beat):
            with contextlib.suppress(DataError), begin_writing(self._store.engine, lasting=False) as connection:
                mine = update(claims).where(claims.c.holder == self._holder)
                connection.execute(mine.values(beats=claims.c.beats + 1))


def _is(one: Claimed) -> tuple[Any, Any]:
    return claims.c.key == one[0], claims.c.state == one[1]


def find_place() -> str:
    """Return where numbers of processes mean the same: the machine since it was started, and the container."""
    parts = [platform.node()]
    for path in ("/proc/sys/kernel/random/boot_id", "/proc/self/ns/pid"):
        with contextlib.suppress(OSError):
            place = Path(path)
            parts.append(os.readlink(place) if "ns" in place.parts else place.read_text().strip())  # noqa: PTH115
    return " ".join(parts)
