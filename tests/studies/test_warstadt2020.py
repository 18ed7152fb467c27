"""BLiMP as published."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from brainmark.core import benchmarks
from brainmark.core.dataset import Dataset
from brainmark.studies import warstadt2020

pytestmark = pytest.mark.realdata


def test_blimp_is_complete(study: Callable[[str], Dataset]) -> None:
    found = study("BLiMP").measurement
    assert found.size == 134_000
    assert len(set(found["paradigm"].values)) == 67
    assert set(found["phenomenon"].values) == set(warstadt2020.PHENOMENA)
    assert set(found["field"].values) == set(warstadt2020.FIELDS)
    assert (found.values.reshape(-1, 2).sum(1) == 1).all()
    assert found.values[::2].mean() == pytest.approx(0.5, abs=0.01)  # which of a pair comes first tells nothing
    people = dict(zip(found["paradigm"].values.tolist(), found["people"].values.tolist(), strict=True))
    assert np.mean(list(people.values())) == pytest.approx(0.886, abs=5e-4)


def test_the_sample_has_fifty_pairs_of_each_paradigm(study: Callable[[str], Dataset]) -> None:
    study("BLiMP")
    benchmark = benchmarks["BLiMP.sample-accuracy"].load()
    assert len(benchmark.experiment.stimuli) == 2 * 67 * 50
    pairs = benchmark.experiment.stimuli.table["pair"].to_numpy()
    assert (pairs[::2] == pairs[1::2]).all()
    assert len(set(pairs)) == 67 * 50
