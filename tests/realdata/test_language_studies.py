"""Readers and listeners: every figure that is known about the published recordings, texts and judgements."""

from __future__ import annotations

import numpy as np
import pytest
import xarray as xr

from brainmark.core import benchmarks, datasets
from brainmark.core.dataset import Dataset
from brainmark.core.experiment import Experiment
from brainmark.data.fetch import where
from brainmark.metrics.language.formulas import Formula, parse_formula
from brainmark.metrics.language.reading import reliability_ceiling
from brainmark.metrics.statistics.ceilings import split_half
from brainmark.metrics.statistics.subjects import leave_one_subject_out
from brainmark.metrics.time.haemodynamics import as_presentations, delay
from brainmark.studies import brennan2016, hu2020, warstadt2020

pytestmark = pytest.mark.realdata


def study(name: str) -> Dataset:
    lost = [found for found in map(where, datasets[name].card.sources) if found.path is None]
    if lost:
        pytest.skip(f"neither a mirror (BRAINMARK_MIRROR) nor the cache has {lost[0].source.url}")
    return datasets[name].load()


# --- Alice -----------------------------------------------------------------------------------------------------------

RELIABILITY = {"LATL": 0.786, "RATL": 0.655, "LPTL": 0.857, "LIPL": 0.755, "LPreM": 0.678, "LIFG": 0.514}


def test_people_hear_alice_alike() -> None:
    bold = study("Brennan2016").measurement
    assert dict(bold.sizes) == {"time_bin": 362, "neuroid": 6, "repetition": 27}
    assert "s33" not in bold.coords["subject"].values
    found = split_half(halvings=100, resamples=0)(as_presentations(bold)).values
    reliability = dict(zip(bold.coords["region"].values.tolist(), found.values**2, strict=True))
    assert reliability == pytest.approx(RELIABILITY, abs=0.025)


def test_words_and_volumes_are_on_one_clock() -> None:
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


def test_one_person_resembles_the_others() -> None:
    bold = study("Brennan2016").measurement
    person = brennan2016.by_person(bold, "LPTL")
    assert person.sizes == {"time_bin": 362, "neuroid": 27}
    people = as_presentations(person).drop_vars(["neuroid_id", "region", "subject"]).rename(neuroid="subject")
    bounds = leave_one_subject_out(resamples=0)(people).bounds
    assert bounds is not None
    assert 0.3 < bounds[0] < bounds[1] < 0.6


# --- reading ---------------------------------------------------------------------------------------------------------


def test_natural_stories_are_complete() -> None:
    found = study("Futrell2018.natural_stories")
    assert found.measurement.size == 10256
    assert np.isfinite(found.measurement.values).all()
    assert len(set(found.measurement["story"].values)) == 10
    readers = found.measurement["readers"].values
    assert (readers.min(), readers.max()) == (62, 97)
    assert reliability_ceiling()(found.measurement).details["reliability"] == pytest.approx(0.83, abs=0.005)


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
def test_published_correlations_come_back(measure: str) -> None:
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


def test_unexpected_words_are_more_negative_when_sentence_ends_are_left_out() -> None:
    study("Frank2015.N400")
    score = benchmarks["Frank2015.N400-partial"].load()(Published())
    assert score.details["words"] == 1726 - 205
    assert score.interval is not None
    assert score.interval[0] > 0


# --- grammar ---------------------------------------------------------------------------------------------------------


def test_blimp_is_complete() -> None:
    found = study("BLiMP").measurement
    assert found.size == 134_000
    assert len(set(found["paradigm"].values)) == 67
    assert set(found["phenomenon"].values) == set(warstadt2020.PHENOMENA)
    assert set(found["field"].values) == set(warstadt2020.FIELDS)
    assert (found.values.reshape(-1, 2).sum(1) == 1).all()
    assert found.values[::2].mean() == pytest.approx(0.5, abs=0.01)  # which of a pair comes first tells nothing
    people = dict(zip(found["paradigm"].values.tolist(), found["people"].values.tolist(), strict=True))
    assert np.mean(list(people.values())) == pytest.approx(0.886, abs=5e-4)


def test_the_sample_has_fifty_pairs_of_each_paradigm() -> None:
    study("BLiMP")
    benchmark = benchmarks["BLiMP.sample-accuracy"].load()
    assert len(benchmark.experiment.stimuli) == 2 * 67 * 50
    pairs = benchmark.experiment.stimuli.table["pair"].to_numpy()
    assert (pairs[::2] == pairs[1::2]).all()
    assert len(set(pairs)) == 67 * 50


@pytest.mark.parametrize("suite", hu2020.SUITES)
def test_every_suite_reads_and_is_obeyed_by_who_knows(suite: str) -> None:
    """Surprisals that are made to obey a prediction fulfil it; those of a reader without expectations do not."""
    found = study(f"SyntaxGym.{suite}")
    assert found.stimuli is not None
    formulas = [parse_formula(text) for text in hu2020.predictions(suite)]
    cells = {cell for formula in formulas for cell in formula.cells}
    table = found.stimuli.table
    named = set(zip(table["region_number"], table["condition"], strict=True))
    assert cells <= named
    assert int(table["critical"].sum()) == len(cells) * table["item"].nunique()

    benchmark = benchmarks[f"SyntaxGym.{suite}"].load()
    for k, formula in enumerate(formulas):
        costs = obedient(formula)
        bits = [costs.get((n, c), 1.0) for n, c in zip(table["region_number"], table["condition"], strict=True)]
        known = benchmark.metric(found.measurement.copy(data=np.array(bits)), benchmark.target)
        assert known.values.values[k] == 1.0
    flat = benchmark.metric(found.measurement.copy(data=np.ones(len(table))), benchmark.target)
    assert flat.aggregate() == (0.5 if suite == "fgd_hierarchy" else 0.0)  # its second prediction is an equality


def obedient(formula: Formula) -> dict[tuple[int, str], float]:
    """Search for surprisals of 1 to 5 bits that fulfil a prediction."""
    generator = np.random.default_rng(0)
    tried = {cell: generator.integers(1, 6, 100_000).astype(float) for cell in formula.cells}
    holds = formula(tried)
    assert holds.any(), f"nothing fulfils {formula.text}"
    return {cell: float(values[holds.argmax()]) for cell, values in tried.items()}


# --- running text ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "words"), [("Wikitext2.test", 204_000), ("Brown.held_out", 102_000), ("ClassicBooks", 314_000)]
)
def test_running_text_comes_word_by_word(name: str, words: int) -> None:
    found = study(name)
    assert found.stimuli is not None
    assert found.measurement.size == pytest.approx(words, rel=0.02)
    text = found.stimuli.table["text"].to_numpy(str)
    following = found.measurement["next_word"].values
    inside = following != ""
    assert (following[inside] == text[1:][inside[:-1]]).all()
    assert int((~inside).sum()) == len(set(found.measurement["source"].values))
