"""Models of packages of others run apart, as those of modules do; those that a program registers itself stay in it.

Guards against: an installed model that calls ``os._exit`` ends the run of all others.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from brainmark.core import Experiment, ModelError, Record, Stimuli, UnknownName
from brainmark.core.registry import models
from brainmark.run import apart, processes
from brainmark.run.apart import SETTING, choose_isolation, find_apart, isolate, isolate_command, run_apart

PACKAGE = """
import os
import numpy as np
import xarray as xr
from brainmark.core import ModelCard, models

CARD = ModelCard(summary="Toy.", licence="MIT", cite="@misc{toy, title={Toy}, author={A, B}, year={2026}}",
                 domain="vision", family="toy", regions=("V4",), degrees=8)

class Toy:
    identifier = "toy"

    def __init__(self, leave):
        self.leave = leave

    def perform(self, experiment):
        if self.leave:
            os._exit(0)
        values = np.full((len(experiment.stimuli), 1), float(os.getpid()))
        return xr.DataArray(values, dims=("presentation", "neuroid"), coords={
            "stimulus_id": ("presentation", experiment.stimuli.ids), "neuroid_id": ("neuroid", ["n"]),
            "region": ("neuroid", ["V4"])})

@models.add("toy-of-others", card=CARD)
def toy_of_others(leave=False):
    return Toy(leave)
"""
EXPERIMENT = Experiment(
    Stimuli("toy", "text", pd.DataFrame({"stimulus_id": ["a", "b"], "text": ["x", "y"]})), Record("V4")
)


@pytest.fixture
def package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """An installed package with a model, which this process has discovered."""
    (tmp_path / "toy_of_others.py").write_text(PACKAGE)
    info = tmp_path / "toy_of_others-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: toy-of-others\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text("[brainmark]\ntoy = toy_of_others\n")
    assert len(models) > 100  # all packages that are installed have been looked for
    monkeypatch.syspath_prepend(str(tmp_path))
    apart._list_plugins.cache_clear()
    __import__("toy_of_others")
    yield "toy-of-others"
    models._entries.pop("toy-of-others")
    sys.modules.pop("toy_of_others")
    apart._list_plugins.cache_clear()
    processes.stop_all()


def test_models_of_packages_run_apart(package: str) -> None:
    with run_apart():
        entry = models[package]
    assert models[package].module == "toy_of_others"
    assert entry.card == models[package].card
    assert entry.options == {"leave": False}
    assert np.all(entry.load().perform(EXPERIMENT).values != os.getpid())
    with pytest.raises(ModelError, match="toy-of-others: it ended its process"):
        entry.load(leave=True).perform(EXPERIMENT)
    with run_apart(), isolate("none"):
        assert models[package].load().perform(EXPERIMENT).values[0, 0] == os.getpid()


def test_models_of_ours_and_of_a_program_stay_in_it(monkeypatch: pytest.MonkeyPatch, make_card) -> None:
    made = models.add("toy-of-this-program", card=make_card("model"))(lambda: None)
    try:
        with run_apart():
            assert [find_apart(name) for name in ("pixels", "alexnet:random", "toy-of-this-program")] == [None] * 3
            assert models["toy-of-this-program"].factory is made
    finally:
        models._entries.pop("toy-of-this-program")


def test_where_models_run_is_chosen_by_block_command_and_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(SETTING, "none")
    assert choose_isolation() == "none"
    with isolate("process"):
        assert choose_isolation() == "process"
        with isolate(None):
            assert choose_isolation() == "process"
    with isolate_command("process"):
        assert os.environ[SETTING] == "process"
    assert os.environ[SETTING] == "none"
    monkeypatch.setenv(SETTING, "box")
    with pytest.raises(UnknownName, match="unknown BRAINMARK_ISOLATION 'box'"):
        choose_isolation()
    with pytest.raises(UnknownName, match="isolation 'sandbx'; did you mean 'sandbox'"), isolate("sandbx"):
        pass
