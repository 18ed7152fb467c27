"""What `brainmark record` writes is scored as the model is, to the bit; features are remembered by their content."""

from __future__ import annotations

import json
import warnings
from pathlib import Path

import h5py
import numpy as np
import pandas as pd
import pytest
import xarray as xr

import brainmark
from brainmark.core import NotApplicable, Stimuli
from brainmark.core.benchmark import Benchmark
from brainmark.core.experiment import Choose, Experiment, OddOneOut, Read, Record, Setting
from brainmark.models.subjects.features import features
from brainmark.run.recording import record_answers
from brainmark.run.scoring import GivenBenchmark, GivenModel, depend_on
from brainmark.store.database import close_databases

N = 12
IDS = [f"s{k}" for k in range(N)]


def stimuli(name="twelve", ids=IDS) -> Stimuli:
    return Stimuli(name, "text", pd.DataFrame({"stimulus_id": ids, "text": [f"{name} {one}" for one in ids],
                                               "story": 0}))  # fmt: skip


class Model:
    """Answers every question, with numbers that depend on the experiment; its recordings are not stored row by row."""

    identifier = "me"

    def perform(self, experiment: Experiment) -> xr.DataArray:
        rng = np.random.default_rng(int(experiment.digest[:8], 16))
        ask, ids = experiment.ask, experiment.answered_ids
        along = {"stimulus_id": ("presentation", ids)}
        if isinstance(ask, Record):
            if ask.region == "IT":
                raise NotApplicable("me has no IT")
            shape = (len(ids), 5, *((len(ask.time_bins),) if ask.time_bins else ()))
            units = {"neuroid_id": ("neuroid", [f"n{k}" for k in range(5)]), "region": ("neuroid", [ask.region] * 5),
                     "x": ("neuroid", rng.normal(size=5))}  # fmt: skip
            if ask.time_bins:
                start, end = np.array(ask.time_bins, float).T
                units |= {"time_bin_start": ("time_bin", start), "time_bin_end": ("time_bin", end)}
            values = np.asfortranarray(rng.normal(size=shape).astype(np.float32))
            return xr.DataArray(values, dims=ask.dims, coords=along | units)
        if isinstance(ask, Choose):
            odds = rng.dirichlet(np.ones(3), len(ids))
            return xr.DataArray(odds, dims=ask.dims, coords=along | {"choice": list(ask.labels)})
        values = rng.integers(0, 3, len(ids)) if isinstance(ask, OddOneOut) else rng.normal(size=len(ids))
        if isinstance(ask, Read):
            values[0] = np.nan  # of the first part of a text nothing is predicted
        return xr.DataArray(values, dims="presentation", coords=along)


def same(answer: xr.DataArray, target: xr.DataArray) -> brainmark.Comparison:
    """A metric that hears every bit: a sum in the order of the numbers."""
    values = np.nan_to_num(np.asarray(answer.values, dtype=answer.dtype))
    dims = [d for d in ("neuroid",) if d in answer.dims]
    axis = tuple(i for i, d in enumerate(answer.dims) if d not in dims)
    return brainmark.Comparison(
        xr.DataArray(np.atleast_1d(np.tanh(values).sum(axis=axis, dtype=np.float64)), dims="neuroid")
    )


def task(name, ask, make_card, shown=None) -> Benchmark:
    shown = shown or stimuli()
    experiment = Experiment(shown, ask, Setting(context="story" if isinstance(ask, Read) else None))
    ids = experiment.answered_ids
    target = xr.DataArray(
        np.arange(len(ids) * 2.0).reshape(-1, 2), dims=("presentation", "neuroid"),
        coords={"stimulus_id": ("presentation", ids), "neuroid_id": ("neuroid", [0, 1]),
                "region": ("neuroid", ["V4"] * 2)},
    )  # fmt: skip
    return Benchmark(name, make_card("benchmark"), experiment, target, same)


ASKED = {
    "Toy.V4-a": Record("V4"),
    "Toy.V4-bins": Record("V4", time_bins=((0, 50), (50, 120))),
    "Toy.V1-a": Record("V1"),
    "Toy-choice": Choose(labels=("z", "a", "m")),
    "Toy-odd": OddOneOut(),
    "Toy-read": Read("surprisal"),
}


def test_every_answer_is_scored_as_that_of_the_model_to_the_bit(tmp_path: Path, make_card) -> None:
    tasks = [task(name, ask, make_card) for name, ask in ASKED.items()]
    tasks.append(task("Toy.V4-other", Record("V4"), make_card, stimuli("others", IDS[:7])))  # the same names
    tasks.append(task("Toy.V4-again", Record("V4"), make_card))  # the same experiment as the first
    shapes = record_answers(Model(), tasks, tmp_path / "me.nc")
    assert shapes == {"V4": (12, 5), "V4_2": (12, 5, 2), "V1": (12, 5), "choose": (12, 3), "odd_one_out": (4,),
                      "read": (12,), "V4_3": (7, 5)}  # fmt: skip
    subject = features(tmp_path / "me.nc")
    for one in tasks:
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            mine, theirs = one(subject), one(Model())
        assert (mine.value, mine.subject) == (theirs.value, "me.nc"), one.identifier
        answer, before = one.answer(subject), one.answer(Model())
        xr.testing.assert_identical(answer.drop_attrs(), before.drop_attrs())


def test_a_changed_stimulus_or_question_is_not_taken_for_the_one_that_was_recorded(tmp_path: Path, make_card) -> None:
    record_answers(Model(), [task("Toy.V4-bins", ASKED["Toy.V4-bins"], make_card)], tmp_path / "me.nc")
    with pytest.raises(brainmark.BrainmarkError, match="time bins"):
        task("Toy.V4-bins", Record("V4", time_bins=((0, 50), (50, 121))), make_card)(features(tmp_path / "me.nc"))


def test_the_same_answers_are_the_same_file_and_say_what_made_them(tmp_path: Path, make_card) -> None:
    tasks = [task("Toy.V4-a", Record("V4"), make_card)]
    for name in ("one.nc", "other.nc"):
        record_answers(Model(), tasks, tmp_path / name)
    assert (tmp_path / "one.nc").read_bytes() == (tmp_path / "other.nc").read_bytes()
    with h5py.File(tmp_path / "one.nc") as file:
        stamp = json.loads(file.attrs["stamp"])
        assert file.attrs["model"] == "me"
        assert stamp["brainmark"] == brainmark.__version__
        assert file["V4"]["stimulus_id"][0] == b"s0"
        assert file["V4"]["x"].shape == (5,)


def test_what_does_not_apply_is_left_out_and_nothing_is_no_file(tmp_path: Path, make_card) -> None:
    v4, it = task("Toy.V4-a", Record("V4"), make_card), task("Toy.IT-a", Record("IT"), make_card)
    with pytest.warns(UserWarning, match=r"left out: Toy\.IT-a: me has no IT"):
        assert list(record_answers(Model(), [it, v4], tmp_path / "me.nc")) == ["V4"]
    with pytest.raises(NotApplicable, match=r"Toy\.IT-a: me has no IT"):
        record_answers(Model(), [it], tmp_path / "none.nc")
    assert [path.name for path in tmp_path.iterdir()] == ["me.nc"]


def test_scores_of_features_are_remembered_by_their_content(tmp_path, monkeypatch, registries, make_card) -> None:
    monkeypatch.setenv("BRAINMARK_HOME", str(tmp_path / "home"))
    monkeypatch.delenv("BRAINMARK_STORE", raising=False)
    calls = []
    registries["dataset"].add("toy-data", card=make_card("dataset"))(lambda: None)
    registries["metric"].add("toy-metric", card=make_card("metric"))(lambda: None)

    def make():
        made = task("Toy.V4-a", Record("V4"), make_card)
        return Benchmark(made.identifier, made.card, made.experiment, made.target,
                         lambda answer, target: calls.append(1) or same(answer, target))  # fmt: skip

    make.__module__ = "brainmark.studies.toy"
    registries["benchmark"].add("Toy.V4-a", card=make_card("benchmark"))(make)
    for name in ("toy-data", "toy-metric"):
        kind = name.removeprefix("toy-").replace("data", "dataset")
        registries[kind]._entries[name].factory.__module__ = "brainmark.studies.toy"
    x = np.random.default_rng(0).normal(size=(N, 3))
    np.savez(tmp_path / "x.npz", V4=x, ids=np.array(IDS))
    try:
        first = brainmark.score(features(tmp_path / "x.npz"), "Toy.V4-a")
        again = brainmark.score(features(tmp_path / "x.npz"), "Toy.V4-a")
        assert (first.value, first.subject, len(calls)) == (again.value, "x.npz", 1)
        assert depend_on(GivenModel(features(x, ids=IDS)), GivenBenchmark("Toy.V4-a"))
        np.savez(tmp_path / "x.npz", V4=2 * x, ids=np.array(IDS))
        with pytest.warns(UserWarning, match=r"model x\.npz: content was"):
            other = brainmark.score(features(tmp_path / "x.npz"), "Toy.V4-a")
        assert (other.value != first.value, len(calls)) == (True, 2)
        named = brainmark.score(features(tmp_path / "x.npz", name="lab/clip"), "Toy.V4-a")
        assert (named.subject, named.value, len(calls)) == ("lab/clip", other.value, 3)
    finally:
        close_databases()
