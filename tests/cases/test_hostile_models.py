"""One model changes no other model's score, and ends no run, whatever its code does.

Guards against: a model that edits the stimuli lowers the scores of all that come after it, for good; one that calls
`sys.exit(0)` ends the run as if all were done; one that changes a seed, a default type, a folder or a metric changes
what others answer; what one prints is taken for the scores.
"""

from __future__ import annotations

import gc
import signal
import sys
import threading
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd
import pytest
import xarray as xr

from brainmark.core import (
    Benchmark,
    BrainmarkError,
    Comparison,
    Experiment,
    Failure,
    Record,
    Score,
    Setting,
    Stimuli,
    registry,
)
from brainmark.metrics.similarity import rdm
from brainmark.run.execution import score_all
from brainmark.run.scoring import score

COUNT = 12


def recording(values: np.ndarray, ids: Any = None) -> xr.DataArray:
    names = [str(i) for i in range(values.shape[0])] if ids is None else ids
    return xr.DataArray(
        values, dims=("presentation", "neuroid"),
        coords={
            "stimulus_id": ("presentation", names), "neuroid_id": ("neuroid", np.arange(values.shape[1])),
            "region": ("neuroid", ["V4"] * values.shape[1]),
        },
    )  # fmt: skip


def pixel_answer(experiment: Experiment) -> xr.DataArray:
    media = experiment.stimuli.media
    return recording(np.stack([np.asarray(media[i], float).reshape(-1)[:6] for i in range(COUNT)]))


@pytest.fixture
def bench(make_card) -> Benchmark:
    pictures = np.random.default_rng(0).integers(0, 255, (COUNT, 8, 8, 3), dtype=np.uint8)
    table = pd.DataFrame({"stimulus_id": [str(i) for i in range(COUNT)], "size": range(COUNT)})
    stimuli = Stimuli("toy", "image", table, tuple(pictures.copy()))
    target = recording(pictures.reshape(COUNT, -1)[:, :4].astype(float))

    def metric(prediction: xr.DataArray, measured: xr.DataArray) -> Comparison:
        a, b = prediction.values, measured.values
        r = [np.corrcoef(a[:, 0], b[:, i])[0, 1] for i in range(b.shape[1])]
        return Comparison(xr.DataArray(r, dims="neuroid"))

    return Benchmark("Toy.V4-m", make_card("benchmark"), Experiment(stimuli, Record("V4")), target, metric)


class Model:
    """Answers with pixels, after `act` did something; `identifier` is its name."""

    def __init__(self, name: str, act: Callable[[Experiment], Any] = lambda _: None) -> None:
        self.identifier, self.act = name, act

    def perform(self, experiment: Experiment) -> Any:
        done = self.act(experiment)
        return pixel_answer(experiment) if done is None else done


def run(bench: Benchmark, act: Callable[[Experiment], Any]) -> tuple[Score | Failure, Score]:
    """The outcome of a model that acts, and that of an honest one after it, which is as it always was."""
    alone = score(Model("honest"), bench)
    hostile, honest = score_all([Model("hostile", act), Model("honest")], [bench])
    assert isinstance(honest, Score)
    assert honest.to_dict() | {"stamp": None} == alone.to_dict() | {"stamp": None}
    return hostile, honest


# --- stimuli and targets ---------------------------------------------------------------------------------------------


def edit_pictures(experiment: Experiment) -> None:
    for i in range(COUNT):
        experiment.stimuli.media[i][:] = 0


def edit_table(experiment: Experiment) -> None:
    experiment.stimuli.table["size"] = 7
    experiment.stimuli.table.index = [f"x{i}" for i in range(COUNT)]


def edit_ids(experiment: Experiment) -> None:
    experiment.stimuli.ids[:] = "0"
    experiment.answered_ids[:] = "0"


def edit_object(experiment: Experiment) -> None:
    object.__setattr__(experiment, "stimuli", None)


@pytest.mark.parametrize("act", [edit_pictures, edit_table, edit_ids])
def test_a_model_that_edits_what_it_is_handed_changes_nothing_for_others(bench, act):
    run(bench, act)
    first = score(Model("honest"), bench)
    second = score(Model("edits", act), bench) if act is not edit_ids else first
    assert second.value == first.value


def test_a_model_that_breaks_the_experiment_breaks_its_own(bench):
    hostile, _ = run(bench, edit_object)
    assert isinstance(hostile, Failure)


def test_one_that_finds_the_originals_is_told_and_others_get_no_score_from_them(bench):
    def reach(experiment: Experiment) -> None:
        experiment.stimuli.media.media[0][:] = 0

    hostile, next_one = score_all([Model("hostile", reach), Model("honest")], [bench])
    assert isinstance(hostile, Failure)
    assert (hostile.kind, hostile.reason) == ("model", "hostile changed the stimuli or the target of Toy.V4-m")
    assert isinstance(next_one, Failure)
    assert "were changed in memory" in next_one.reason


def test_a_registered_benchmark_is_loaded_anew_after_it_was_changed(bench, registries, monkeypatch, tmp_path):
    monkeypatch.setenv("BRAINMARK_HOME", str(tmp_path))
    held = bench.target.copy(deep=True), [m.copy() for m in bench.experiment.stimuli.media]

    def toy_benchmark():
        stimuli = replace(bench.experiment.stimuli, media=tuple(m.copy() for m in held[1]))
        return replace(bench, experiment=replace(bench.experiment, stimuli=stimuli), target=held[0].copy(deep=True))

    registries["benchmark"].add("Toy.V4-m", card=bench.card.model_copy(update={"datasets": ()}))(toy_benchmark)

    def reach_target(_: Experiment) -> None:
        for thing in gc.get_objects():
            if type(thing) is Benchmark and thing.identifier == "Toy.V4-m" and thing is not bench:
                thing.target.values[:] = 0

    alone = score(Model("honest"), "Toy.V4-m")
    hostile, honest = score_all([Model("hostile", reach_target), Model("honest")], ["Toy.V4-m"])
    assert isinstance(hostile, Failure)
    assert isinstance(honest, Score)
    assert honest.value == alone.value


# --- what is answered ------------------------------------------------------------------------------------------------


def test_an_answer_that_is_edited_later_keeps_its_score(bench):
    kept: list[np.ndarray] = []

    class Later(Model):
        def perform(self, experiment: Experiment) -> xr.DataArray:
            for values in kept:
                values[:] = 0
            answer = pixel_answer(experiment)
            kept.append(answer.values)
            return answer

    second = replace(bench, identifier="Toy2.V4-m", experiment=replace(bench.experiment, setting=Setting(trials=2)))
    third = replace(bench, identifier="Toy3.V4-m")  # asks the same as the first
    values = [one.value for one in score_all([Later("later")], [bench, second, third])]
    assert values[0] == values[2]


def test_an_answer_that_a_thread_edits_while_it_is_compared_is_a_copy(bench):
    stop = threading.Event()

    def act(experiment: Experiment) -> xr.DataArray:
        answer = pixel_answer(experiment)

        def work() -> None:
            while not stop.wait(0.0005):
                answer.values[:] = np.random.default_rng().normal(size=answer.shape)

        threading.Thread(target=work, daemon=True).start()
        return answer.copy(deep=True) if stop.is_set() else xr.DataArray(answer)

    try:
        hostile, _ = run(bench, act)
    finally:
        stop.set()
    assert isinstance(hostile, Score | Failure)


class Odd(np.ndarray):
    def __array__(self, *_: Any, **__: Any) -> np.ndarray:
        raise SystemExit(0)

    def __array_ufunc__(self, *_: Any, **__: Any) -> Any:
        raise SystemExit(0)


class Says:
    def __str__(self) -> str:
        raise SystemExit(0)

    __repr__ = __str__


def claim(*shape: int) -> Callable[[Experiment], Any]:
    return lambda _: xr.DataArray(np.broadcast_to(1.0, shape), dims=("presentation", "neuroid"))


def many(ids: Any) -> Callable[[Experiment], Any]:
    return lambda e: pixel_answer(e).assign_coords(stimulus_id=("presentation", ids))


@pytest.mark.parametrize(
    ("act", "kind", "message"),
    [
        (lambda e: {float("nan"): 1, "values": 2}, "contract", "is a dict, not an xarray.DataArray"),
        (lambda e: (x for x in range(12)), "contract", "is a generator, not an xarray.DataArray"),
        (lambda e: pixel_answer(e).to_dataset(name="a"), "contract", "is a Dataset, not"),
        (many([f"other-{i}" for i in range(COUNT)]), "contract", "'stimulus_id' is 'other-0' at presentation 0"),
        (many(["0"] * COUNT), "contract", "'stimulus_id' is '0' at presentation 1"),
        (many([Says() for _ in range(COUNT)]), "contract", "hold a Says, which is no number and no text"),
        (lambda e: recording(np.broadcast_to(np.float32(1), (10**9, 4))[:0]), "contract", "0 entries; 12 stimuli"),
        (
            lambda e: xr.DataArray(np.broadcast_to(1.0, (10**9, 4)), dims=("presentation", "neuroid")),
            "contract",
            "12 st",
        ),
        (
            lambda e: xr.DataArray(np.broadcast_to(1.0, (COUNT, 10**11)), dims=("presentation", "neuroid")),
            "resource",
            "GB",
        ),
        (lambda e: recording(np.full((COUNT, 2), np.nan)), "model", "values are NaN or infinite"),
        (lambda e: recording(np.array([[Says()] * 2] * COUNT, dtype=object)), "contract", "which is no number"),
    ],
)
def test_an_answer_that_is_none_is_a_failure_of_its_model(bench, act, kind, message):
    hostile, _ = run(bench, act)
    assert isinstance(hostile, Failure)
    assert hostile.kind == kind
    assert message in hostile.reason


def test_arrays_of_odd_types_are_read_once_and_become_plain(bench):
    def act(experiment: Experiment) -> xr.DataArray:
        answer = pixel_answer(experiment)
        answer.variable._data = answer.values.view(Odd)
        return answer

    hostile, _ = run(bench, act)
    assert isinstance(hostile, Failure | Score)


# --- ends and errors -------------------------------------------------------------------------------------------------


class Private(BaseException):
    pass


class Unsayable(Exception):
    def __str__(self) -> str:
        raise SystemExit(0)


class Kindless(BrainmarkError):
    kind = "success"  # pyright: ignore[reportAssignmentType]

    def __str__(self) -> str:
        raise ValueError


def fail(error: BaseException) -> Callable[[Experiment], Any]:
    def act(_: Experiment) -> None:
        raise error

    return act


def ring(_: Experiment) -> None:
    signal.signal(signal.SIGALRM, _alarm)
    signal.raise_signal(signal.SIGALRM)


def recurse(_: Experiment) -> None:
    recurse(_)


@pytest.mark.parametrize(
    ("act", "message"),
    [
        (lambda e: sys.exit(0), "ended the program (SystemExit: 0)"),
        (lambda e: sys.exit("all done"), "ended the program (SystemExit: all done)"),
        (fail(KeyboardInterrupt()), "ended the program (KeyboardInterrupt)"),
        (fail(GeneratorExit()), "ended the program (GeneratorExit)"),
        (fail(StopIteration(3)), "StopIteration: 3"),
        (fail(Private("x")), "Private: x"),
        (fail(BaseExceptionGroup("two", [SystemExit(0), ValueError("a")])), "BaseExceptionGroup: two"),
        (fail(Unsayable()), "Unsayable: its message cannot be read"),
        (fail(Kindless()), "its message cannot be read"),
        (recurse, "RecursionError"),
        (ring, "rung"),
    ],
)
def test_whatever_a_model_raises_is_its_failure_and_the_next_is_scored(bench, act, message):
    hostile, _ = run(bench, act)
    assert isinstance(hostile, Failure)
    assert hostile.kind == "model"
    assert message in hostile.reason


def _alarm(*_: Any) -> None:
    raise RuntimeError("rung")


@pytest.mark.parametrize("field", ["identifier", "weights_digest"])
def test_a_property_that_ends_the_program_is_a_failure_at_most(bench, field):
    def leave(_: Any) -> Any:
        sys.exit(0)

    kind = type("Leaves", (Model,), {field: property(leave, lambda *_: None)})
    _, honest = score_all([kind("x"), Model("honest")], [bench])
    assert isinstance(honest, Score)


def test_a_model_that_ends_the_program_when_it_is_made_is_a_failure(bench, registries, make_card):
    registries["model"].add("leaves", card=make_card("model"))(lambda: sys.exit(0))
    failed, honest = score_all(["leaves", Model("honest")], [bench])
    assert isinstance(failed, Failure)
    assert failed.reason == "leaves cannot be made: it ended the program (SystemExit: 0)"
    assert isinstance(honest, Score)


def test_a_thread_that_is_left_running_is_a_failure(bench):
    stop = threading.Event()
    try:
        hostile, _ = run(bench, lambda e: threading.Thread(target=stop.wait, name="mine").start())
    finally:
        stop.set()
    assert isinstance(hostile, Failure)
    assert "it left the thread 'mine' running" in hostile.reason


# --- the process -----------------------------------------------------------------------------------------------------


def patch(holder: Any, name: str, value: Any) -> Callable[[Experiment], None]:
    return lambda _: setattr(holder, name, value)


@pytest.mark.parametrize(
    ("act", "name"),
    [
        (patch(np, "corrcoef", lambda *_, **__: np.ones((2, 2))), "numpy.corrcoef"),
        (patch(np.linalg, "svd", None), "numpy.linalg.svd"),
        (patch(Benchmark, "score_answer", lambda *_: None), "brainmark.core.benchmark.Benchmark.score_answer"),
        (patch(Stimuli, "digest", "0"), "brainmark.core.stimuli.Stimuli.digest"),
        (patch(rdm, "np", None), ""),
        (patch(sys.modules["builtins"], "sum", lambda _: 1), "builtins.sum"),
        (lambda e: registry.metrics._entries.__setitem__("rdm", None), "the registry.rdm"),
        (lambda e: registry.benchmarks._entries.clear(), "the registry."),
    ],
)
def test_a_function_that_a_model_replaced_is_put_back_and_reported(bench, act, name):
    registry.discover()
    hostile, _ = run(bench, act)
    assert isinstance(hostile, Failure)
    assert "it replaced" in hostile.reason
    assert name in hostile.reason
    assert registry.metrics["rdm"] is not None
    assert len(registry.benchmarks) > 10


def test_what_a_model_prints_is_no_part_of_what_a_command_prints(bench, capfd):
    def talk(_: Experiment) -> None:
        sys.stdout.write('{"value": 1.0}')

    run(bench, talk)
    printed = capfd.readouterr()
    assert printed.out == ""
    assert '{"value": 1.0}' in printed.err
