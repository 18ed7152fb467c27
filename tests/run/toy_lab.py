"""A package with tiny benchmarks and models that crash, hang, eat memory or end the run, for tests of executions.

Every model writes a line to the file that ``TOY_LOG`` names when it is asked, so that a test can count.
"""

from __future__ import annotations

import os
import signal
import time
from pathlib import Path

import numpy as np
import pandas as pd
import xarray as xr

from brainmark.core import Benchmark, BenchmarkCard, Comparison, Experiment, ModelCard, NotApplicable, Record, Stimuli
from brainmark.core.registry import benchmarks, models

COMMON = {"summary": "toy", "licence": "MIT", "cite": "@misc{a, title={b}}", "domain": "vision"}
ONCE = "crashes-once"


def recording(values: np.ndarray) -> xr.DataArray:
    return xr.DataArray(
        values,
        dims=("presentation", "neuroid"),
        coords={
            "stimulus_id": ("presentation", [str(i) for i in range(values.shape[0])]),
            "neuroid_id": ("neuroid", np.arange(values.shape[1])),
            "region": ("neuroid", ["V4"] * values.shape[1]),
        },
    )


class Toy:
    def __init__(self, identifier: str) -> None:
        self.identifier = identifier

    def perform(self, experiment: Experiment) -> xr.DataArray:
        log = Path(os.environ["TOY_LOG"])
        with log.open("a") as file:
            file.write(f"{self.identifier} {experiment.stimuli.identifier}\n")
        act = getattr(self, f"_{self.identifier.replace('-', '_')}", None)
        if act:
            act(log)
        time.sleep(float(os.environ.get("TOY_SECONDS", "0")))
        seed = sum(map(ord, self.identifier + experiment.stimuli.identifier))
        return recording(np.random.default_rng(seed).random((6, 2)))

    def _crashes(self, log: Path) -> None:
        os.kill(os.getpid(), signal.SIGSEGV)

    def _crashes_once(self, log: Path) -> None:
        if log.read_text().count(f"{self.identifier} ") == 1:
            os.kill(os.getpid(), signal.SIGKILL)

    def _hangs(self, log: Path) -> None:
        time.sleep(1000)

    def _eats(self, log: Path) -> None:
        self.food = []
        while True:
            self.food.append(np.ones(8_000_000))
            time.sleep(0.02)

    def _declines(self, log: Path) -> None:
        raise NotApplicable("declines: it has no eyes")

    def _breaks(self, log: Path) -> None:
        raise KeyError("weights")


def add_model(name: str) -> None:
    card = ModelCard(**COMMON, family="toy", regions=("V4",))

    def make() -> Toy:
        return Toy(name)

    models.add(name, card=card)(make)


def add_benchmark(name: str, data: str) -> None:
    card = BenchmarkCard(
        **COMMON, species=("toy",), region="V4", parent="V4", datasets=("Simulated.IT",), metric="mean"
    )

    def make() -> Benchmark:
        media = tuple(np.full((4, 4, 3), i, np.uint8) for i in range(6))
        stimuli = Stimuli(name, "image", pd.DataFrame({"stimulus_id": [str(i) for i in range(6)]}), media)
        target = recording(np.ones((6, 2)))
        return Benchmark(name, card, Experiment(stimuli, Record("V4")), target, compare)

    benchmarks.add(name, card=card)(make)


def compare(prediction: xr.DataArray, target: xr.DataArray) -> Comparison:
    return Comparison(prediction.mean("presentation"))


FINE = [f"toy-{i}" for i in range(4)]
TOYS = [f"Toy{i}.V4-mean" for i in range(5)]
for one in (*FINE, "crashes", ONCE, "hangs", "eats", "declines", "breaks"):
    add_model(one)
for one in TOYS:
    add_benchmark(one, one)
