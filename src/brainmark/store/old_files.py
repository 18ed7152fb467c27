"""Scores that earlier versions kept as files: taken into the store once, as history.

Under ``<home>/results`` (or ``scores``) stood ``.score`` records with a checksum, and before these a ``.json`` file
with a ``.nc`` file of units and draws. They were computed by code whose digest was their key, so none of them holds
today; they tell what a score was, and stand before all that was computed since. The files are left as they are.
"""

from __future__ import annotations

import hashlib
import io
import json
from pathlib import Path
from typing import Any

from sqlalchemy import func, insert, select

from brainmark.core import registry
from brainmark.core.errors import BrainmarkError, DataError, warn
from brainmark.core.libraries import np, xr
from brainmark.core.score import Score
from brainmark.core.wording import plural
from brainmark.data.fetch import home
from brainmark.store.database import begin_reading, begin_writing, one_at_a_time
from brainmark.store.results import DRAWS, UNDECLARED, KeptCard, KeptFacts, ResultStore, add_row, prepare_row
from brainmark.store.schema import cards, scores

FOLDERS = ("results", "scores")
TAKEN = "folder"
"""Kind of the card that says that a folder was taken in, and what was found there."""
DAMAGED = (
    BrainmarkError, OSError, ValueError, TypeError, KeyError, AttributeError, RecursionError, RuntimeError,
)  # fmt: skip
_FORMAT = b"brainmark-score-2"


def open_store() -> ResultStore:
    """Return the store of the user, with what earlier versions kept as files. Raises DataError."""
    store = ResultStore.open()
    take_old_files(store)
    return store


def take_old_files(store: ResultStore, place: Path | None = None) -> None:
    """Take the scores of old folders below a place (by default the home) into the store, once for each folder.

    A warning says how many there were, and names what is damaged and left out. Where the store cannot be written to, a
    warning says so, and the next opening tries again.
    """
    for folder in [(place or home()) / name for name in FOLDERS]:
        if folder.is_dir():
            try:
                _take_folder(store, folder.resolve())
            except DataError as error:
                warn(f"the scores in {folder} are not taken into the store: {error}")


def _take_folder(store: ResultStore, folder: Path) -> None:
    if _was_taken(store, folder):
        return
    with one_at_a_time(store.engine):
        if _was_taken(store, folder):  # by another process, in the meantime
            return
        found: list[tuple[dict[str, Any], bytes]] = []
        damaged: list[str] = []
        for path in sorted((*folder.rglob("*.score"), *folder.rglob("*.json"))):
            try:
                found.append(_read(path))
            except DAMAGED:
                damaged.append(str(path.relative_to(folder)))
        found.sort(key=lambda one: one[0]["created"])
        added = _add_before(store, found, KeptCard(TAKEN, str(folder), json.dumps({"damaged": damaged})))
    if found or damaged:
        count = f"{len(damaged)} damaged {plural('file', len(damaged))}"
        left = f"; {count} left out, such as {damaged[0]}" if damaged else ""
        told = f"{added} {plural('score', added)} of an earlier version, in {folder}"
        warn(f"{told}, taken into the store as history{left}; the folder is not used any more")


def _was_taken(store: ResultStore, folder: Path) -> bool:
    with begin_reading(store.engine) as connection:
        asked = select(cards.c.digest).where(cards.c.kind == TAKEN, cards.c.name == str(folder))
        return connection.execute(asked).first() is not None


def _add_before(store: ResultStore, found: list[tuple[dict[str, Any], bytes]], mark: KeptCard) -> int:
    """Add rows before all that there are, in the order of their time; return how many were not there."""
    with begin_writing(store.engine) as connection:
        first = connection.execute(select(func.min(scores.c.id))).scalar()
        number = min(1 if first is None else first, 1) - len(found)
        added = 0
        for place, (row, content) in enumerate(found):
            added += add_row(connection, {**row, "id": number + place}, content, ())
        connection.execute(insert(cards).values(digest=mark.digest, kind=mark.kind, name=mark.name, card=mark.text))
    return added


def _read(path: Path) -> tuple[dict[str, Any], bytes]:
    """Return the row of a file, and its arrays. Raises many errors: it is damaged."""
    plain, content, depends_on = _read_record(path) if path.suffix == ".score" else _read_json(path)
    score = Score.from_dict(plain, *_unpack(content))
    chosen = any(name.startswith("layer of ") for name in depends_on)
    entry = registry.benchmarks.get(score.benchmark)
    facts: KeptFacts = {
        "layers": "chosen" if chosen else "committed",
        "convention": entry.card.tree if entry else "",
    }
    row, packed, _ = prepare_row({UNDECLARED: path.stem, **depends_on}, score, facts)
    return row, packed


def _read_record(path: Path) -> tuple[Any, bytes, dict[str, str]]:
    head, _, body = path.read_bytes().partition(b"\n")
    if head != b"%s %s" % (_FORMAT, hashlib.sha256(body).hexdigest().encode()):
        raise DataError(f"{path}: its checksum is another")
    facts, plain, content = body.split(b"\n", 2)
    depends_on = {str(name): str(version) for name, version in json.loads(facts)["depends_on"].items()}
    return json.loads(plain), content, depends_on


def _read_json(path: Path) -> tuple[Any, bytes, dict[str, str]]:
    beside = path.with_suffix(".nc")
    return json.loads(path.read_text("utf-8")), beside.read_bytes() if beside.exists() else b"", {}


def _unpack(content: bytes) -> tuple[xr.Dataset | None, np.ndarray | None]:
    """Return units and draws."""
    if not content:
        return None, None
    held = xr.load_dataset(io.BytesIO(content), engine="h5netcdf")
    return held.drop_vars(DRAWS, errors="ignore"), held[DRAWS].values if DRAWS in held else None
