"""A model of somebody's module runs in a process of its own, which it cannot leave.

Guards against: `os._exit(0)` in one model ends the run, which then looks complete; a patched NumPy changes the score of
the model itself and of all others; a question on standard input stops the run.
"""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import xarray as xr

from brainmark.core import Benchmark, Comparison, Experiment, Failure, Record, Score, Stimuli, UnknownName
from brainmark.run import apart, processes
from brainmark.run.apart import is_foreign, run_apart
from brainmark.run.execution import score_all
from brainmark.run.scoring import score

COUNT = 12
CODE = """
import os
import numpy as np
import xarray as xr

class Model:
    domain, degrees, regions = "vision", 8.0, ("V4",)
    identifier = "inside"
    weights_digest = "ab" * 32

    def __init__(self, act=lambda: None):
        self.act = act

    def perform(self, experiment):
        done = self.act()
        media = experiment.stimuli.media
        values = np.stack([np.asarray(media[i], float).reshape(-1)[:6] for i in range(len(media))])
        if done is not None:
            values = done
        return xr.DataArray(values, dims=("presentation", "neuroid"), coords={
            "stimulus_id": ("presentation", experiment.stimuli.ids), "neuroid_id": ("neuroid", np.arange(6)),
            "region": ("neuroid", ["V4"] * 6)})

def honest():
    return Model(lambda: print("a line on standard output"))

def leaves():
    return Model(lambda: os._exit(0))

def asks():
    return Model(lambda: np.full((12, 6), float(len(input("trust? ")))))

def patches():
    np.corrcoef = lambda *_, **__: np.ones((2, 2))
    return Model()
"""


@pytest.fixture
def module(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    (tmp_path / "foreign_models_here.py").write_text(CODE)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("BRAINMARK_HOME", str(tmp_path / "home"))
    yield "foreign_models_here"
    processes.stop_all()


@pytest.fixture
def bench(make_card) -> Benchmark:
    pictures = np.random.default_rng(0).integers(0, 255, (COUNT, 8, 8, 3), dtype=np.uint8)
    ids = [str(i) for i in range(COUNT)]
    target = xr.DataArray(
        pictures.reshape(COUNT, -1)[:, :4].astype(float), dims=("presentation", "neuroid"),
        coords={
            "stimulus_id": ("presentation", ids), "neuroid_id": ("neuroid", range(4)),
            "region": ("neuroid", ["V4"] * 4),
        },
    )  # fmt: skip

    def metric(prediction: xr.DataArray, measured: xr.DataArray) -> Comparison:
        a, b = prediction.values, measured.values
        return Comparison(xr.DataArray([np.corrcoef(a[:, 1], b[:, i])[0, 1] for i in range(4)], dims="neuroid"))

    stimuli = Stimuli("toy", "image", pd.DataFrame({"stimulus_id": ids}), tuple(pictures))
    return Benchmark("Toy.V4-m", make_card("benchmark"), Experiment(stimuli, Record("V4")), target, metric)


@pytest.mark.slow
def test_what_ends_a_process_ends_only_that_of_its_model(module, bench, capfd):
    names = [f"{module}:{name}" for name in ("leaves", "asks", "patches", "honest")]
    outcomes = list(score_all(names, [bench]))
    reasons = [o.reason if isinstance(o, Failure) else "" for o in outcomes]
    assert "ended its process (exit status 0)" in reasons[0]
    assert "EOF" in reasons[1]
    assert "it replaced numpy.corrcoef" in reasons[2]
    honest = outcomes[3]
    assert isinstance(honest, Score)
    assert honest.value < 0.99
    assert honest.stamp is not None
    assert honest.stamp.weights == "ab" * 32
    assert module not in sys.modules
    assert capfd.readouterr().out == ""


def test_a_function_that_is_not_there_is_an_unknown_name(module, bench):
    with pytest.raises(UnknownName, match="unknown function of foreign_models_here 'honst'; did you mean 'honest'"):
        score(f"{module}:honst", bench)


def test_which_names_are_those_of_foreign_code(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    Path("net.pt2").write_bytes(b"")
    Path("models.toml").write_text(
        '[plain]\nsource = "torchvision/resnet18"\n[code]\nsource = "lab.nets:make"\n[program]\nsource = "net.pt2"\n'
        '[mended]\nsource = "torchvision/resnet18"\nweights = { file = "a.pth", mend = "lab.nets:mend" }\n'
    )
    yes = ["lab:make", "lab.nets:make", "lab:make:random=3", "net.pt2", "models.toml#code", "models.toml#program"]
    no = [
        "pixels",
        "alexnet:random",
        "brainmark.models.zoo:make",
        "timm/resnet18",
        "hf/a/b",
        "models.toml#plain",
        "x.pt2",
    ]
    assert [name for name in [*yes, "models.toml#mended"] if not is_foreign(name)] == []
    assert [name for name in [*no, f"{__name__}_of_a_notebook"] if is_foreign(name)] == []


def test_a_model_of_this_process_alone_stays_in_it(monkeypatch):
    notebook = type(sys)("a_notebook_here")
    monkeypatch.setitem(sys.modules, "a_notebook_here", notebook)
    assert not is_foreign("a_notebook_here:make")
    with run_apart():
        assert apart.find_apart("a_notebook_here:make") is None
