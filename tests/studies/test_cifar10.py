"""The CIFAR benchmarks on toy images: what is asked, what comes out, what the controls say."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import pandas as pd
import pytest
import xarray as xr

from brainmark.core import Benchmark, Stimuli, benchmarks, datasets
from brainmark.core.experiment import Choose, Experiment, Setting
from brainmark.data.generated.corruptions import CORRUPTIONS as IMPLEMENTED
from brainmark.data.generated.corruptions import corrupt
from brainmark.studies import cifar10, cifar10h
from brainmark.studies.cifar10 import LABELS

COUNT = 400


@pytest.fixture
def toy_images(monkeypatch: pytest.MonkeyPatch) -> np.ndarray:
    """In place of the published images: noise, with labels in turn, and people who err in a way of their own."""
    generator = np.random.default_rng(0)
    pixels = generator.integers(0, 256, (COUNT, 32, 32, 3)).astype(np.uint8)
    labels = np.arange(COUNT) % 10
    monkeypatch.setattr(cifar10, "arrays", lambda split: (pixels, labels))
    shares = generator.dirichlet(np.full(10, 0.2), COUNT)
    shares = (shares + 2 * np.eye(10)[labels]) / 3
    counts = np.stack([generator.multinomial(50, row) for row in shares])
    monkeypatch.setattr(cifar10h, "array_of", lambda path, shape: counts)
    monkeypatch.setattr(type(cifar10h.COUNTS), "fetch", lambda *_, **__: None)
    return counts


@dataclass
class Chooser:
    """Answers by a function of the stimuli."""

    answers: Callable[[Stimuli], np.ndarray]
    identifier: str = "chooser"

    def perform(self, experiment: Experiment) -> xr.DataArray:
        assert isinstance(experiment.ask, Choose)
        return xr.DataArray(
            self.answers(experiment.stimuli),
            dims=("presentation", "choice"),
            coords={"stimulus_id": ("presentation", experiment.stimuli.ids), "choice": list(experiment.ask.labels)},
        )


def truth(stimuli: Stimuli) -> np.ndarray:
    return (stimuli.table["label"].to_numpy()[:, None] == np.array(LABELS)).astype(float)


def test_a_model_that_is_right_on_three_of_four_scores_that(toy_images: np.ndarray) -> None:
    def mostly(stimuli: Stimuli) -> np.ndarray:
        right = truth(stimuli)
        right[::4] = np.roll(right[::4], 1, axis=1)
        return right

    benchmark = benchmarks["CIFAR10-top1"].load()
    score = benchmark(Chooser(mostly))
    assert score.value == pytest.approx(0.75)
    assert score.interval is not None and score.interval[0] < 0.75 < score.interval[1]
    assert score.controls["shuffled"].value == pytest.approx(0.1, abs=0.06)
    ask = benchmark.experiment.ask
    assert isinstance(ask, Choose)
    assert ask.labels == LABELS
    assert ask.fitting is None


@pytest.mark.parametrize("corruption", ["gaussian_noise", "jpeg_compression"])
def test_corrupted_images_are_shown_at_severities_in_turn(toy_images: np.ndarray, corruption: str) -> None:
    benchmark = benchmarks[f"CIFAR10C.{corruption}-top1"].load()
    shown, plain = benchmark.experiment.stimuli, benchmarks["CIFAR10-top1"].load().experiment.stimuli
    assert shown.table["severity"].tolist() == [1, 2, 3, 4, 5] * (COUNT // 5)
    assert shown.digest != plain.digest
    third = np.asarray(plain.media)[2::5]
    np.testing.assert_array_equal(np.asarray(shown.media)[2::5], corrupt(third, corruption, 3))
    assert benchmark(Chooser(truth)).value == 1


def test_all_fifteen_corruptions_are_registered() -> None:
    registered = {name.split(".")[1].split("-")[0] for name in benchmarks if name.startswith("CIFAR10C.")}
    assert registered == set(IMPLEMENTED)
    assert len(registered) == 15


ASPECTS = ["soft_labels", "entropy", "error_patterns"]


def people(benchmark: Benchmark, toy: np.ndarray) -> Chooser:
    return Chooser(lambda stimuli: toy / toy.sum(axis=1, keepdims=True))


@pytest.mark.parametrize("aspect", ASPECTS)
def test_people_reach_the_ceiling_and_labels_alone_do_not(aspect: str, toy_images: np.ndarray) -> None:
    benchmark = benchmarks[f"CIFAR10H-{aspect}"].load()
    ask = benchmark.experiment.ask
    assert isinstance(ask, Choose)
    assert ask.labels == LABELS
    assert ask.fitting is not None and "label" in ask.fitting.table.columns
    assert benchmark.experiment.setting == Setting()
    score = benchmark(people(benchmark, toy_images))
    assert score.raw == pytest.approx(1)
    assert score.ceiling is not None and 0.7 < score.ceiling < 1
    assert abs(score.controls["shuffled"].raw) < 0.2
    within = score.controls["shuffled within label"].raw
    if aspect == "soft_labels":  # the right label is right for all images of a label
        assert 0.5 < within < 0.95
    else:  # and nothing else is shared
        assert abs(within) < 0.2


def test_exchange_within_labels_keeps_what_only_depends_on_the_label(toy_images: np.ndarray) -> None:
    """A model that confuses each label with the next has the same score when its answers are exchanged."""
    benchmark = benchmarks["CIFAR10H-error_patterns"].load()
    confusing = Chooser(lambda stimuli: 0.7 * truth(stimuli) + 0.3 * np.roll(truth(stimuli), 1, axis=1))
    score = benchmark(confusing)
    assert score.controls["shuffled within label"].raw == pytest.approx(score.raw)
    assert score.controls["shuffled"].raw != pytest.approx(score.raw)


def test_tables_line_up(toy_images: np.ndarray) -> None:
    study = datasets["CIFAR10H"].load()
    assert study.stimuli is not None
    assert isinstance(study.stimuli.table, pd.DataFrame)
    assert study.measurement.coords["label"].values.tolist() == study.stimuli.table["label"].tolist()
