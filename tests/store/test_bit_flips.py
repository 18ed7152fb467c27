"""A bit that flips anywhere in the database never becomes a score."""

from __future__ import annotations

import random
import warnings
from pathlib import Path

from sqlalchemy import text

from brainmark.core import DataError
from brainmark.core.score import Score
from brainmark.store.database import close_databases
from brainmark.store.queries import list_latest
from brainmark.store.results import ResultStore, key_of

RECORDS = 60
ON = {"numpy": "2.1"}


def test_a_flipped_bit_is_never_served(tmp_path: Path) -> None:
    """Each record has one flipped bit, at any place of the columns that a score is read from."""
    rng = random.Random(0)
    path = tmp_path / "scores.sqlite"
    store = ResultStore.open(f"sqlite:///{path}")
    kept = [Score("X.V4-m", f"model-{k}", 0.5 + k / 1000, 0.4, 0.8, (0.4, 0.7)) for k in range(RECORDS)]
    store.put_all((ON, score, {}) for score in kept)
    assert len(list_latest(store)) == RECORDS
    columns = ["record", "value", "raw", "low", "status", "benchmark", "checksum", "record_digest", "state"]
    with store.engine.execution_options(writes=True).begin() as connection:
        connection.execute(text("PRAGMA ignore_check_constraints = ON"))
        for k in range(RECORDS):
            column = columns[k % len(columns)]
            held = connection.execute(text(f"SELECT {column} FROM scores WHERE model = 'model-{k}'")).scalar()
            if isinstance(held, float):
                changed: object = held + 2.0 ** rng.randint(-40, 3)
            else:
                place, bit = rng.randrange(len(held)), 1 << rng.randrange(3)
                changed = held[:place] + chr(ord(held[place]) ^ bit) + held[place + 1 :]
            connection.execute(text(f"UPDATE scores SET {column} = :v WHERE model = 'model-{k}'"), {"v": changed})
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        assert [store.get(key_of(score.subject, "X.V4-m", "committed"), ON) for score in kept] == [None] * RECORDS
        assert list_latest(store, records=True) == []


def test_flipped_bits_of_the_file_are_an_error_or_a_gap(tmp_path: Path) -> None:
    path = tmp_path / "scores.sqlite"
    store = ResultStore.open(f"sqlite:///{path}")
    kept = [Score("X.V4-m", f"model-{k}", 0.5 + k / 1000, 0.4, 0.8, (0.4, 0.7)) for k in range(20)]
    store.put_all((ON, score, {}) for score in kept)
    with store.engine.connect() as connection:
        connection.execute(text("PRAGMA wal_checkpoint(TRUNCATE)"))
    close_databases()
    whole = path.read_bytes()
    rng = random.Random(1)
    right = {score.subject: score.to_dict() for score in kept}
    for _ in range(40):
        content = bytearray(whole)
        content[rng.randrange(len(content))] ^= 1 << rng.randrange(8)
        path.write_bytes(content)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            try:
                again = ResultStore.open(f"sqlite:///{path}")
                found = again.get_all({key_of(name, "X.V4-m", "committed"): ON for name in right})
                assert all(one.to_dict() == right[one.subject] for one in found.values())
            except DataError:
                pass
            finally:
                close_databases()
