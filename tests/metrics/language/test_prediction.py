"""Prediction of text: bits per character and word, words named before they come."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import xarray as xr

from brainmark.core import InvalidMeasurement
from brainmark.metrics.language.prediction import next_word_accuracy, text_probability

WORDS = ["The", "cat", "sat.", "It", "slept."]
COORDS: dict[str, Any] = {
    "stimulus_id": ("presentation", [f"w{k}" for k in range(5)]),
    "characters": ("presentation", [3, 4, 5, 2, 7]),
    "source": ("presentation", ["a", "a", "a", "b", "b"]),
    "next_word": ("presentation", ["cat", "sat.", "", "slept.", ""]),
}
TARGET = xr.DataArray(np.array([1.0, 1.0, 0.0, 1.0, 0.0]), dims="presentation", coords=COORDS)


def answer(values: list[Any]) -> xr.DataArray:
    return xr.DataArray(np.array(values), dims="presentation", coords={"stimulus_id": COORDS["stimulus_id"]})


def test_bits_are_spread_over_characters() -> None:
    found = text_probability()(answer([6.0, 8.0, 10.0, 4.0, 14.0]), TARGET)
    assert found.aggregate() == pytest.approx(0.25)  # two bits a character
    assert found.details["bits per character"] == 2.0
    assert found.details["bits per word"] == pytest.approx(8.4)
    assert found.details["perplexity of a word"] == pytest.approx(2**8.4)


def test_a_first_word_without_context_counts_for_nothing() -> None:
    found = text_probability()(answer([np.nan, 8.0, 10.0, np.nan, 14.0]), TARGET)
    assert found.aggregate() == pytest.approx(0.25)
    assert found.details["words"] == 3


def test_texts_are_drawn_as_a_whole() -> None:
    found = text_probability(context="source", resamples=200)(answer([3.0, 4.0, 5.0, 6.0, 21.0]), TARGET)
    assert found.replicates is not None
    values = {0.5: "a, a", 0.125: "b, b", 2 ** -(39 / 21): "a, b"}
    assert all(min(abs(v - known) for known in values) < 1e-6 for v in found.replicates[:, 0])
    assert len(set(found.replicates[:, 0].round(6))) == 3


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ([-1.0, 1, 1, 1, 1], "not negative; the lowest is -1"),
        ([np.inf, 1, 1, 1, 1], "finite"),
        ([np.nan] * 5, "no word has a surprisal"),
    ],
)
def test_what_is_no_surprisal_is_refused(given: list[float], message: str) -> None:
    with pytest.raises(InvalidMeasurement, match=message):
        text_probability()(answer(given), TARGET)


def test_words_that_were_named_count() -> None:
    found = next_word_accuracy()(answer([" cat ", "Sat", "anything", "slept.", "at all"]), TARGET)
    assert found.aggregate() == pytest.approx(2 / 3)
    assert found.details["without punctuation and case"] == pytest.approx(1.0)


def test_numbers_are_no_words() -> None:
    with pytest.raises(InvalidMeasurement, match="next words are words"):
        next_word_accuracy()(answer([1.0, 2.0, 3.0, 4.0, 5.0]), TARGET)
    with pytest.raises(InvalidMeasurement, match="names no word"):
        next_word_accuracy()(answer(WORDS), TARGET.assign_coords(next_word=("presentation", [""] * 5)))
