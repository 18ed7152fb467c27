"""Claims of several runs on one store, on SQLite and on PostgreSQL alike."""

from __future__ import annotations

import threading

from brainmark.store.claims import Claims
from brainmark.store.results import ResultStore

ONE, TWO = ("a" * 64, "s" * 64), ("b" * 64, "s" * 64)


def test_what_one_run_claims_no_other_gets_until_it_is_given_back(store: ResultStore) -> None:
    with Claims(store) as mine, Claims(store) as other:
        assert mine.take(ONE) and mine.take(ONE)
        assert not other.take(ONE)
        assert other.take(TWO)
        assert not mine.take(TWO)
        assert other.take(TWO, finished=[ONE]) and not other.take(ONE), "only one's own is given back"
        assert mine.take(("c" * 64, "s" * 64), finished=[ONE])
        assert other.take(ONE)
    with Claims(store) as later:
        assert later.take(ONE) and later.take(TWO)


def test_of_many_that_claim_at_once_one_gets_it(store: ResultStore) -> None:
    had: list[bool] = []
    gate = threading.Barrier(6)

    def claim() -> None:
        mine = Claims(store)
        gate.wait()
        had.append(mine.take(ONE))

    threads = [threading.Thread(target=claim) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(had) == [False] * 5 + [True]


def test_a_run_that_lives_keeps_its_claim_however_long_it_takes(store: ResultStore) -> None:
    with Claims(store, beat=0.02) as mine, Claims(store, lease=0.5) as other:
        assert mine.take(ONE)
        ended = threading.Event()
        for _ in range(4):
            assert not other.take(ONE)
            ended.wait(0.2)
