"""Brennan 2016: listeners to Alice, as published."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
import xarray as xr

from brainmark.core.dataset import Dataset
from brainmark.metrics.statistics.ceilings import split_half
from brainmark.metrics.statistics.subjects import leave_one_subject_out
from brainmark.metrics.time.haemodynamics import as_presentations, delay
from brainmark.studies import brennan2016

pytestmark = pytest.mark.realdata


RELIABILITY = {"LATL": 0.786, "RATL": 0.655, "LPTL": 0.857, "LIPL": 0.755, "LPreM": 0.678, "LIFG": 0.514}


def test_people_hear_alice_alike(study: Callable[[str], Dataset]) -> None:
    bold = study("Brennan2016").measurement
    assert dict(bold.sizes) == {"time_bin": 362, "neuroid": 6, "repetition": 27}
    assert "s33" not in bold.coords["subject"].values
    found = split_half(halvings=100, resamples=0)(as_presentations(bold)).values
    reliability = dict(zip(bold.coords["region"].values.tolist(), found.values**2, strict=True))
    assert reliability == pytest.approx(RELIABILITY, abs=0.025)


def test_words_and_volumes_are_on_one_clock(study: Callable[[str], Dataset]) -> None:
    alice = study("Brennan2016")
    assert alice.stimuli is not None
    table = alice.stimuli.table
    assert len(table) == 2127
    assert table["text"].tolist()[:6] == ["Alice", "was", "beginning", "to", "get", "very"]
    assert table["onset"].iloc[0] == pytest.approx(58.9, abs=0.1)  # 20.06 s into the recording
    assert table["onset"].is_monotonic_increasing
    assert table["onset"].iloc[-1] < 362 * 2000
    coords = {"stimulus_id": ("presentation", alice.stimuli.ids), "onset": ("presentation", table["onset"])}
    counted = xr.DataArray(np.ones(len(table)), dims="presentation", coords=coords)
    published, rate = (alice.measurement.coords[c].values for c in ("published_rate", "word_rate"))

    def agreement(volumes: int) -> float:
        shifted = counted.assign_coords(onset=counted["onset"] + 2000.0 * volumes)
        return float(np.corrcoef(delay(shifted, alice.measurement)[:, 0], published)[0, 1])

    assert agreement(0) > 0.97
    assert agreement(0) > max(agreement(-1), agreement(1)) + 0.05  # row k of the recording is row k + 10 of theirs
    assert np.corrcoef(published, rate)[0, 1] > 0.97


def test_one_person_resembles_the_others(study: Callable[[str], Dataset]) -> None:
    bold = study("Brennan2016").measurement
    person = brennan2016.by_person(bold, "LPTL")
    assert person.sizes == {"time_bin": 362, "neuroid": 27}
    people = as_presentations(person).drop_vars(["neuroid_id", "region", "subject"]).rename(neuroid="subject")
    bounds = leave_one_subject_out(resamples=0)(people).bounds
    assert bounds is not None
    assert 0.3 < bounds[0] < bounds[1] < 0.6
