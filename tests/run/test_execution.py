"""Many models on many benchmarks: nothing is lost, nothing is computed twice, whatever ends in the middle.

Guards against: a run that is killed begins again from the start, or leaves two rows for one pair; two runs at once
compute the same; a worker that crashes, hangs or eats all memory takes the jobs of others with it, or is tried for
ever.
"""

from __future__ import annotations

import importlib.util
import itertools
import multiprocessing
import os
import signal
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import select

from brainmark.core import DataError, Failure, Score, registry
from brainmark.core.errors import ResourceError
from brainmark.core.score import Outcome
from brainmark.run import execution
from brainmark.run.clusters import open_cluster
from brainmark.run.costs import Estimate
from brainmark.run.execution import Progress, RunLimits, execute, score_all
from brainmark.run.executors import Borrowed, OwnProcess, make_processes
from brainmark.run.plan import make_plan
from brainmark.store.claims import Claims, find_place
from brainmark.store.database import begin_writing, close_databases
from brainmark.store.results import ResultStore
from brainmark.store.schema import claims, scores

FORK = multiprocessing.get_context("fork")


@pytest.fixture
def lab(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    """The package of `toy_lab.py`, installed for this process and those that it starts, with an empty store."""
    (tmp_path / "toy_lab.py").write_text((Path(__file__).parent / "toy_lab.py").read_text())
    info = tmp_path / "toy_lab-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: toy-lab\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text("[brainmark]\ntoy = toy_lab\n")
    (info / "top_level.txt").write_text("toy_lab\n")
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.setenv("PYTHONPATH", f"{tmp_path}{os.pathsep}{os.environ.get('PYTHONPATH', '')}")
    monkeypatch.setenv("BRAINMARK_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("BRAINMARK_ISOLATION", "none")  # a worker itself has to end
    monkeypatch.setenv("TOY_LOG", str(tmp_path / "log"))
    registry.discover()
    for kind in (registry.models, registry.benchmarks):
        monkeypatch.setattr(kind, "_entries", dict(kind._entries))
    monkeypatch.delitem(sys.modules, "toy_lab", raising=False)
    yield importlib.import_module("toy_lab")
    sys.modules.pop("toy_lab", None)
    close_databases()


def list_asked(tmp_path: Path) -> Counter[str]:
    """How often each pair was computed."""
    log = tmp_path / "log"
    return Counter(log.read_text().splitlines()) if log.exists() else Counter()


def read_table() -> dict[tuple[str, str], tuple[str, float | None]]:
    """What is kept, without what differs between two runs; a pair that is kept twice ends the test."""
    with ResultStore.open().engine.connect() as connection:
        rows = connection.execute(select(scores)).all()
    assert len({(r.model, r.benchmark) for r in rows}) == len(rows), "double rows"
    return {(r.model, r.benchmark): (r.status, r.value) for r in rows}


def finish(lab: Any, models: list[str] | None = None, places: Any = (), **options: Any) -> list[Outcome]:
    return list(execute(make_plan(models or lab.FINE, lab.TOYS), places, **options))


def in_child(work: Callable[[], object]) -> Any:
    """Start work in a fork of this process."""

    def alone() -> None:
        close_databases()
        work()
        os._exit(0)

    child = FORK.Process(target=alone)
    child.start()
    return child


def test_a_run_that_is_killed_at_any_moment_goes_on_and_repeats_nothing(lab, tmp_path, monkeypatch):
    monkeypatch.setenv("BRAINMARK_HOME", str(tmp_path / "whole"))
    finish(lab)
    whole = read_table()
    asked_once = list_asked(tmp_path)
    (tmp_path / "log").unlink()
    monkeypatch.setenv("BRAINMARK_HOME", str(tmp_path / "killed"))
    monkeypatch.setenv("TOY_SECONDS", "0.03")
    kills = 0
    for more, delay in itertools.cycle([(2, 0.0), (1, 0.004), (3, 0.011), (2, 0.017), (4, 0.002)]):
        wanted = sum(list_asked(tmp_path).values()) + more
        child = in_child(lambda: finish(lab))
        while child.is_alive() and sum(list_asked(tmp_path).values()) < wanted:
            time.sleep(0.002)
        time.sleep(delay)
        if not child.is_alive():
            break
        os.kill(child.pid, signal.SIGKILL)
        child.join()
        kills += 1
        assert kills < 60
    assert kills > 1
    assert read_table() == whole
    assert set(list_asked(tmp_path)) == set(asked_once)
    assert sum(list_asked(tmp_path).values()) <= sum(asked_once.values()) + kills, "no more than what ran was lost"
    with ResultStore.open().engine.connect() as connection:
        assert connection.execute(select(claims)).all() == []
    left = {path.name for path in (tmp_path / "killed").rglob("*") if path.is_file()}
    assert left <= {"scores.sqlite", "scores.sqlite-wal", "scores.sqlite-shm", "scores.sqlite.lock"}


def test_two_runs_at_once_share_the_work(lab, tmp_path, monkeypatch):
    monkeypatch.setattr(execution, "LOOK", 0.1)
    monkeypatch.setenv("TOY_SECONDS", "0.02")
    ResultStore.open()
    children = [in_child(lambda: finish(lab)) for _ in range(2)]
    for child in children:
        child.join(60)
        assert child.exitcode == 0
    assert len(read_table()) == len(lab.FINE) * len(lab.TOYS)
    assert set(list_asked(tmp_path).values()) == {1}


def test_a_claim_of_a_dead_process_is_taken_over_and_one_of_another_machine_when_it_stands_still(lab):
    store = ResultStore.open()
    wanted = ("k" * 64, "s" * 64)

    def leave(place: str, process: int, beats: int) -> None:
        row = {"key": wanted[0], "state": wanted[1], "holder": "other", "place": place, "process": process}
        with begin_writing(store.engine) as connection:
            connection.execute(claims.delete())
            connection.execute(claims.insert().values(**row, beats=beats))

    dead = FORK.Process(target=int)
    dead.start()
    dead.join()
    leave(find_place(), dead.pid, 3)
    with Claims(store) as mine:
        assert mine.take(wanted)
    with Claims(store, lease=0.2) as mine:
        leave("elsewhere", 1, 3)
        assert not mine.take(wanted)
        time.sleep(0.25)
        leave("elsewhere", 1, 4)  # it lives
        assert not mine.take(wanted)
        time.sleep(0.25)
        assert mine.take(wanted)
        with Claims(store) as other:
            assert not other.take(wanted)


def test_a_clock_that_is_set_back_changes_nothing(lab, tmp_path, monkeypatch):
    finish(lab, lab.FINE[:2])
    monkeypatch.setattr(time, "time", lambda: 1e9)
    outcomes = finish(lab)
    assert all(isinstance(one, Score) for one in outcomes)
    assert set(list_asked(tmp_path).values()) == {1}


def test_failures_of_models_are_remembered_until_they_are_to_be_tried_again(lab, tmp_path):
    for _ in range(2):
        outcomes = finish(lab, ["breaks", "declines", "toy-0"])
        kinds = Counter(getattr(one, "kind", "score") for one in outcomes)
        assert kinds == {"model": 5, "not_applicable": 5, "score": 5}
    assert set(list_asked(tmp_path).values()) == {1}
    list(execute(make_plan(["breaks", "toy-0"], lab.TOYS, retry_failed=True)))
    assert {asked: n for asked, n in list_asked(tmp_path).items() if n > 1} == {f"breaks {b}": 2 for b in lab.TOYS}
    assert len(read_table()) == 15


def test_a_failure_is_tried_again_once_the_code_has_changed(lab, tmp_path, monkeypatch):
    finish(lab, ["breaks"])
    monkeypatch.setattr("brainmark.run.scoring.code_digest", lambda: "another")
    assert all(job.state == "to do" for job in make_plan(["breaks"], lab.TOYS).jobs)


def test_a_worker_that_crashes_loses_its_job_alone(lab, tmp_path):
    plan = make_plan(["crashes", "toy-0"], lab.TOYS[:1])
    progress = Progress()
    outcomes = {one.subject: one for one in execute(plan, make_processes(1, plan.to_do), progress=progress)}
    assert isinstance(outcomes["toy-0"], Score)
    assert outcomes["crashes"].kind == "resource"
    assert "the process that computed it ended (signal SIGSEGV)" in outcomes["crashes"].reason
    assert "(tried twice)" in outcomes["crashes"].reason
    assert list_asked(tmp_path) == {f"crashes {lab.TOYS[0]}": 2, f"toy-0 {lab.TOYS[0]}": 1}
    assert (progress.scored, progress.failed, len(progress.left), progress.running) == (1, 1, 0, {})


def test_a_worker_that_does_not_even_start_ends_the_run_and_no_job_is_blamed(lab, monkeypatch):
    plan = make_plan(["toy-0"], lab.TOYS)
    place = OwnProcess(1, ["toy_lab"])
    monkeypatch.setattr("brainmark.run.executors.set_up_worker", os.abort)  # which takes no modules, and fails
    with pytest.raises(ResourceError, match="a process that should work could not be started"):
        list(execute(plan, [place]))
    assert read_table() == {}


def test_a_job_that_hangs_or_eats_memory_is_ended_and_remembered(lab, tmp_path, monkeypatch):
    monkeypatch.setattr(execution, "RETRIED", ())
    plan = make_plan(["hangs", "eats"], lab.TOYS[:1])
    places = make_processes(2, plan.to_do)
    outcomes = {one.subject: one for one in execute(plan, places, limits=RunLimits(seconds=4, memory=600 * 10**6))}
    assert {one.kind for one in outcomes.values()} == {"resource"}
    assert "it took longer than the limit of 4.0 s for a job (--time-limit)" in outcomes["hangs"].reason
    assert "of memory, and there were 600 MB" in outcomes["eats"].reason
    assert [job.state for job in make_plan(["hangs", "toy-0"], lab.TOYS[:1]).jobs] == ["failed", "to do"]


def test_workers_of_dask_return_outcomes_and_a_killed_one_loses_none(lab, tmp_path):
    pytest.importorskip("distributed")
    with open_cluster("local", 2) as shares:
        outcomes = finish(lab, ["toy-0", lab.ONCE], shares)
    assert all(isinstance(one, Score) for one in outcomes)
    assert len(read_table()) == 2 * len(lab.TOYS)
    assert max(list_asked(tmp_path).values()) == 2, "one was killed, and done again"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("clustre = 'x.Y'", "unknown field 'clustre'"),
        ("cluster = 'Y'", "names no class"),
        ("cluster = 'distributed.Nothing'", "cannot be started"),
        ("cluster = 'distributed.LocalCluster'\nworkers = 'many'", "workers is 'many', not of type int"),
    ],
)
def test_a_wrong_description_of_a_cluster_names_the_field(tmp_path, text, message):
    pytest.importorskip("distributed")
    (tmp_path / "cluster.toml").write_text(text)
    with pytest.raises(DataError, match=message), open_cluster(str(tmp_path / "cluster.toml")):
        pass


def test_any_executor_will_do(lab):
    from concurrent.futures import ThreadPoolExecutor

    with ThreadPoolExecutor(2) as executor:
        outcomes = finish(lab, None, [Borrowed(executor), Borrowed(executor)])
    assert len(outcomes) == len(read_table()) == len(lab.FINE) * len(lab.TOYS)


def test_a_job_that_is_known_to_need_more_than_there_is_fails_before_it_begins(lab, tmp_path):
    plan = make_plan(["toy-0"], lab.TOYS[:1])
    large = replace(plan.jobs[0], estimate=Estimate(1.0, 10**15, "this pair"))
    (outcome,) = execute(replace(plan, jobs=(large,)), [OwnProcess(1)])
    assert isinstance(outcome, Failure) and outcome.kind == "resource"
    assert "needs 1000 TB of memory, as it did before, and" in outcome.reason
    assert not list_asked(tmp_path)
    assert read_table() == {}, "another machine may have room"


def test_a_full_disk_ends_the_run_and_what_was_kept_stays(lab, monkeypatch):
    done: list[Outcome] = []
    kept = execution.keep

    def full(*given: Any) -> None:
        if len(done) >= 3:
            raise DataError("the store of scores: database or disk is full; free some space")
        kept(*given)

    monkeypatch.setattr(execution, "keep", full)
    with pytest.raises(DataError, match="disk is full"):
        for one in execute(make_plan(lab.FINE, lab.TOYS)):
            done.append(one)  # noqa: PERF402 - what came before the error is looked at
    monkeypatch.setattr(execution, "keep", kept)
    assert len(read_table()) == 3
    assert len(finish(lab)) == len(lab.FINE) * len(lab.TOYS)


def test_models_and_benchmarks_are_loaded_once_and_not_all_held(lab, tmp_path, monkeypatch):
    made: list[str] = []
    for kind in (registry.models, registry.benchmarks):
        for name in (*lab.FINE, *lab.TOYS):
            if entry := kind._entries.get(name):

                def make(factory=entry.factory, name=name):
                    made.append(name)
                    return factory()

                make.__module__ = "toy_lab"
                monkeypatch.setitem(kind._entries, name, type(entry)(entry.kind, name, make, entry.card))
    assert len(list(score_all(lab.FINE, lab.TOYS))) == 20
    assert Counter(made) == dict.fromkeys([*lab.FINE, *lab.TOYS], 1)


def test_estimates_learn_from_what_is_finished(lab):
    first = make_plan(lab.FINE, lab.TOYS)
    assert first.seconds is None
    assert {job.estimate.basis for job in first.jobs} == {"size of files"}
    list(execute(make_plan(lab.FINE[:2], lab.TOYS[:2])))
    later = {(job.job.model, job.job.benchmark): job for job in make_plan(lab.FINE, lab.TOYS).jobs}
    assert later[lab.FINE[0], lab.TOYS[0]].state == "scored"
    assert later[lab.FINE[0], lab.TOYS[4]].estimate.basis == "model"
    assert later[lab.FINE[3], lab.TOYS[0]].estimate.basis == "benchmark"
    assert later[lab.FINE[3], lab.TOYS[4]].estimate.seconds is None
    assert make_plan(lab.FINE[:1], lab.TOYS[:1], retry_failed=True).to_do == []
