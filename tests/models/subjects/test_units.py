from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from brainmark.core import Experiment, Record, Setting, Stimuli
from brainmark.core.measurement import check_answer
from brainmark.models.subjects.units import as_recording, near_fixation
from brainmark.models.subjects.word_models import WordSubject, lengths
from brainmark.models.subjects.word_vectors import WordVectors, vector_subject

BINS = ((0.0, 50.0), (50.0, 120.0))
WORDS = ["a", "bcd", "ef"]


def experiment(time_bins: tuple[tuple[float, float], ...] = ()) -> Experiment:
    table = pd.DataFrame({"stimulus_id": ["x", "y", "z"], "text": WORDS})
    return Experiment(Stimuli("words", "text", table, WORDS), Record("LIFG", time_bins=time_bins), Setting())


def test_values_become_the_recording_that_is_asked_for():
    values = np.arange(6.0).reshape(3, 2)
    answer = as_recording(values, {"unit": np.array(["p", "q"])}, experiment())
    assert check_answer(answer, experiment(), "it") is not None
    assert answer.dims == ("presentation", "neuroid")
    np.testing.assert_array_equal(answer.values, values)
    assert answer["unit"].values.tolist() == ["p", "q"]
    assert answer["neuroid_id"].values.tolist() == [0, 1]
    assert answer["region"].values.tolist() == ["LIFG", "LIFG"]
    assert answer["stimulus_id"].values.tolist() == ["x", "y", "z"]


def test_what_has_no_course_of_time_holds_the_same_in_every_bin():
    values = np.arange(6.0).reshape(3, 2)
    still = as_recording(values, {}, experiment(BINS))
    assert check_answer(still, experiment(BINS), "it") is not None
    for each in range(2):
        np.testing.assert_array_equal(still.isel(time_bin=each).values, values)
    assert list(zip(still["time_bin_start"].values, still["time_bin_end"].values, strict=True)) == list(BINS)
    moving = np.stack([values, values + 1], axis=2)
    dims = ("presentation", "neuroid", "time_bin")
    np.testing.assert_array_equal(as_recording(moving, {}, experiment(BINS), dims).values, moving)


@pytest.mark.parametrize("bins", [(), BINS])
def test_subjects_of_words_answer_by_it(bins: tuple[tuple[float, float], ...]):
    counted = WordSubject("length", lengths, ("characters",)).perform(experiment(bins))
    first = counted.isel(time_bin=-1) if bins else counted
    assert first.values[:, 0].tolist() == [1, 3, 2]
    assert counted["unit"].values.tolist() == ["characters"]
    assert counted.dtype == np.float32


def test_tables_of_vectors_answer_by_it():
    table = WordVectors({"a": 0, "bcd": 1}, np.array([[1.0, 2.0], [3.0, 4.0]], np.float32))
    answer = vector_subject("table", lambda: table).perform(experiment())
    np.testing.assert_array_equal(answer.values, [[1, 2], [3, 4], [2, 3]])  # of a word unknown: the mean
    assert answer["region"].values.tolist() == ["LIFG", "LIFG"]


def test_units_at_the_very_eccentricity_are_near_fixation_and_one_always_is() -> None:
    x, y = np.array([0.0, 0.09, 0.15, -0.15, 0.2]), np.array([0.0, 0.12, 0.0, 0.0, 0.0])
    assert near_fixation(x, y, 0.15).tolist() == [0, 1, 2, 3]
    assert near_fixation(x, y, 0.1499).tolist() == [0]
    assert near_fixation(x[1:], y[1:], 0.01).tolist() == [0]
