"""How fast the store answers, and how large it is, with many outcomes: fills a database of its own and asks it.

    python bench/store_speed.py                        # 10^5 outcomes: 400 models x 250 benchmarks
    python bench/store_speed.py --models 10000 --benchmarks 300 --light    # 3 million, without a record's full length

Outcomes are simulated. With ``--light`` their records are short, so that the disk of a laptop is enough.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
from sqlalchemy import insert

from brainmark.core.score import ControlScore, Score, Stamp
from brainmark.store import queries
from brainmark.store.database import begin_writing, open_database
from brainmark.store.queries import Wanted
from brainmark.store.results import ResultStore, key_of, prepare_row
from brainmark.store.schema import scores

BATCH = 5000
STAMP = Stamp(
    created="2026-01-01T00:00:00+00:00", brainmark="0.1.0", commit="0" * 40, code="0" * 64, python="3.11.7",
    packages={f"package-{k}": "1.2.3" for k in range(12)},
    hardware={"processor": "some processor", "cores": "8", "memory": "32 GB", "system": "Linux x86_64"},
    experiment="0" * 64, target="0" * 64, model="0" * 64, seed=0, seconds=12.3, peak_memory=2 * 10**9,
    sources={f"https://example.org/data/{k}.h5": "0" * 64 for k in range(3)}, weights="0" * 64,
)  # fmt: skip
DEPENDS_ON = {f"part {k}: version": "0" * 16 for k in range(30)}


def make_rows(models: int, benchmarks: int, light: bool) -> Iterator[dict[str, Any]]:
    """Yield a row for each model on each benchmark."""
    values = np.random.default_rng(0).random((models, benchmarks))
    short = {"part": "0"} if light else DEPENDS_ON
    for m in range(models):
        for b in range(benchmarks):
            value = float(values[m, b])
            score = Score(
                f"Study{b // 10}.V4-metric{b}", f"family-{m // 20}/model-{m}", value, value * 0.8, 0.8,
                (value - 0.05, value + 0.05), controls={} if light else {"pixels": ControlScore(0.1, 0.08)},
                stamp=None if light else STAMP,
            )  # fmt: skip
            yield prepare_row(short, score, {})[0]


def fill(store: ResultStore, models: int, benchmarks: int, light: bool) -> float:
    """Add all rows; return the seconds that the database took."""
    spent, batch = 0.0, []
    for row in make_rows(models, benchmarks, light):
        batch.append(row)
        if len(batch) == BATCH:
            spent += _insert(store, batch)
            batch = []
    return spent + _insert(store, batch)


def _insert(store: ResultStore, rows: list[dict[str, Any]]) -> float:
    if not rows:
        return 0.0
    begun = time.perf_counter()
    with begin_writing(store.engine) as connection:
        connection.execute(insert(scores), rows)
    return time.perf_counter() - begun


def measure(what: str, ask: Callable[[], Any], repeats: int = 3) -> None:
    """Print the shortest of some times."""
    best, found = float("inf"), None
    for _ in range(repeats):
        begun = time.perf_counter()
        found = ask()
        best = min(best, time.perf_counter() - begun)
    count = len(found) if hasattr(found, "__len__") else 1
    print(f"| {what} | {count} | {best * 1000:.1f} ms |", flush=True)


def main() -> None:
    """Fill, measure, print a table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--models", type=int, default=400)
    parser.add_argument("--benchmarks", type=int, default=250)
    parser.add_argument("--light", action="store_true")
    parser.add_argument("--folder", type=Path, default=None)
    given = parser.parse_args()
    with tempfile.TemporaryDirectory(dir=given.folder) as folder:
        file = Path(folder) / "scores.sqlite"
        store = ResultStore(open_database(f"sqlite:///{file}"))
        count = given.models * given.benchmarks
        begun = time.perf_counter()
        spent = fill(store, given.models, given.benchmarks, given.light)
        took, size = time.perf_counter() - begun, file.stat().st_size
        print(f"{count} outcomes, made and added in {took:.0f} s, of which the database took {spent:.0f} s")
        print(f"{size / count:.0f} bytes each, {size / 1e9:.2f} GB")
        model, benchmark = f"family-{(given.models // 2) // 20}/model-{given.models // 2}", "Study0.V4-metric3"
        print("\n| question | rows | time |\n| --- | ---: | ---: |")
        measure("leaderboard of one benchmark", lambda: queries.list_latest(store, Wanted(benchmarks=(benchmark,))))
        measure("all scores of one model", lambda: queries.list_latest(store, Wanted(models=(model,))))
        measure("history of one pair", lambda: queries.list_history(store, model, benchmark))
        measure("recall of one pair", lambda: store.get(key_of(model, benchmark, "committed"), {}))
        if count <= 10**6:
            pairs = [
                (f"family-{m // 20}/model-{m}", f"Study{b // 10}.V4-metric{b}") for m in range(100) for b in range(250)
            ]
            wanted = {key_of(*pair, "committed"): DEPENDS_ON for pair in pairs}
            measure("recall of 25,000 pairs", lambda: store.get_all(wanted), 1)
            some = Wanted(models=("family-0/*", "family-1/*", "family-2/*", "family-3/*", "family-4/*"))
            measure("table of 100 models", lambda: queries.list_latest(store, some), 1)
        measure("table of all", lambda: queries.list_latest(store), 1)


if __name__ == "__main__":
    main()
