"""Frank 2013 and 2015: readers of single sentences, as published."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
import xarray as xr

from brainmark.core import benchmarks, datasets
from brainmark.core.dataset import Dataset
from brainmark.core.experiment import Experiment

pytestmark = pytest.mark.realdata


PUBLISHED = {"go_past": 0.631, "first_pass": 0.624, "P600": 0.318, "self_paced": 0.259, "N400": 0.076}


class Published:
    """Answers with the published surprisals of GPT-2, in bits; silent at the first word of a sentence."""

    identifier = "published-gpt2"

    def perform(self, experiment: Experiment) -> xr.DataArray:
        known = datasets["Frank2015.N400"].load().measurement
        values = dict(zip(known["stimulus_id"].values.tolist(), known["surprisal_GPT2"].values, strict=True))
        ids = experiment.stimuli.ids
        bits = np.array([values[i] for i in ids.tolist()]) / np.log(2)
        return xr.DataArray(bits, dims="presentation", coords={"stimulus_id": ("presentation", ids)})


@pytest.mark.parametrize("measure", PUBLISHED)
def test_published_correlations_come_back(study: Callable[[str], Dataset], measure: str) -> None:
    found = study(f"Frank2015.{measure}")
    assert found.stimuli is not None
    assert len(found.stimuli) == 1726 + 205
    assert int(np.isfinite(found.measurement.values).sum()) == 1726
    assert found.stimuli.table["sentence"].nunique() == 205
    benchmark = benchmarks[f"Frank2015.{measure}-correlation"].load()
    score = benchmark(Published())
    assert score.details["r"] == pytest.approx(PUBLISHED[measure], abs=5e-4)
    assert score.raw == pytest.approx(-score.details["r"] if measure == "N400" else score.details["r"])
    assert score.interval is not None


def test_unexpected_words_are_more_negative_when_sentence_ends_are_left_out(study: Callable[[str], Dataset]) -> None:
    study("Frank2015.N400")
    score = benchmarks["Frank2015.N400-partial"].load()(Published())
    assert score.details["words"] == 1726 - 205
    assert score.interval is not None
    assert score.interval[0] > 0
