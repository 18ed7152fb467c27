"""Words of running text are packaged with what people read before them, and models are given just that.

A packaged word stood alone, words without a measurement were dropped from their sentence, and a word that came again
was merged with the first.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import xarray as xr

import brainmark
from brainmark.core import InvalidMeasurement, NotApplicable
from brainmark.data.packaging import CannotPackage, package, parse_description
from brainmark.metrics.language.reading import partial_correlations
from brainmark.models.networks.kneser_ney import KneserNey
from brainmark.models.subjects.word_models import ngram_subject

TEXT = """the old dog saw the cat . the cat ran and the dog did not see it run over the hill"""
STORIES = {f"s{k}": TEXT.split()[k:] for k in range(6)}
ABOUT = {
    "identifier": "Reader2026",
    "summary": "Words in stories.",
    "licence": "CC-BY-4.0",
    "cite": "@misc{reader2026, title = {Times}, author = {Reader, Rita}, year = {2026}}",
    "species": ["human"],
    "domain": "language",
    "modality": "text",
    "stimuli": {"table": "words.csv", "context": "story"},
}


def words(stories: dict[str, list[str]] = STORIES) -> pd.DataFrame:
    rows = [(f"{name}.{k}", word, name) for name, text in stories.items() for k, word in enumerate(text)]
    return pd.DataFrame(rows, columns=["stimulus_id", "text", "story"])


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    words().to_csv(tmp_path / "words.csv", index=False)
    generator = np.random.default_rng(0)
    read = words().query("text != '.' and story != 's5'")
    cost = dict(zip(read["stimulus_id"], 300 + 40 * generator.normal(size=len(read)), strict=True))
    rows = [(i, r, cost[i] + 30 * generator.normal()) for i in read["stimulus_id"] for r in ("a", "b", "c")]
    pd.DataFrame(rows, columns=["stimulus_id", "subject", "value"]).to_csv(tmp_path / "times.csv", index=False)
    read = read.assign(**{f"e{k}": generator.normal(size=len(read)) for k in range(3)})
    read.drop(columns=["text", "story"]).sample(frac=1, random_state=0).to_csv(tmp_path / "ecog.csv", index=False)
    return tmp_path


def make(folder: Path, recording: dict[str, Any], **stimuli: Any) -> Path:
    table = {**ABOUT, "stimuli": {**ABOUT["stimuli"], **stimuli}, "recording": recording}
    package(parse_description(table, "lab.toml"), folder, folder / "out", replace=True)
    return folder / "out"


TIMES = {"file": "times.csv", "kind": "reading_times"}
ECOG = {"file": "ecog.csv", "neuroids": "e*", "units": "z", "region": "STG", "subject": "p1"}


class Listener:
    """Notes which texts it is given, and answers with the number of words before each."""

    identifier = "listener"

    def perform(self, experiment: Any) -> xr.DataArray:
        texts = experiment.stimuli.table["text"].tolist()
        self.heard = [[texts[i] for i in context] for context in experiment.contexts]
        self.ask = experiment.ask
        raise NotApplicable("only listens")


@pytest.mark.parametrize(("recording", "benchmark"), [(TIMES, "behavior-reading_fit"), (ECOG, "STG-ridge")])
def test_models_are_given_the_words_that_people_were_given(folder: Path, recording: dict[str, Any], benchmark: str):
    out = make(folder, recording)
    data = brainmark.load_dataset(str(out))
    assert data.setting.context == "story"
    listener = Listener()
    with pytest.raises(NotApplicable):
        brainmark.load_benchmark(f"{out}:{benchmark}").answer(listener)
    assert listener.heard == [text for name, text in STORIES.items() if name != "s5"]  # the last was not measured
    measured = data.measurement
    unmeasured = measured.isnull().all([d for d in measured.dims if d != "presentation"]).values
    assert (data.shown.table["text"].to_numpy()[unmeasured] == ".").all()
    assert unmeasured.sum() == sum(STORIES[f"s{k}"].count(".") for k in range(5))


def test_language_models_are_asked_for_what_they_have(folder: Path):
    """A region that no language model names was refused by all of them."""
    out = make(folder, ECOG)
    listener = Listener()
    with pytest.raises(NotApplicable):
        brainmark.load_benchmark(f"{out}:STG-ridge").answer(listener)
    assert listener.ask.region == "language_system"


def test_folds_are_whole_texts(folder: Path):
    out = make(folder, ECOG)
    benchmark = brainmark.load_benchmark(f"{out}:STG-ridge")
    text = benchmark.mean_target.coords["story"].values
    folds = benchmark.metric.splits(len(text), {"story": text})
    assert len(folds) == 5
    assert all(not set(text[train]) & set(text[test]) for train, test in folds)


def test_reading_times_are_compared_with_surprisal(folder: Path):
    """By hand: means over readers, and length, frequency and position of a word and the one before taken out."""
    out = make(folder, TIMES)
    benchmark = brainmark.load_benchmark(f"{out}:behavior-reading_fit")
    model = ngram_subject("counts", lambda: KneserNey(list(STORIES.values()), 2))
    score = benchmark(model)
    data = brainmark.load_dataset(str(out))
    table, times = data.shown.table, data.measurement.values
    bits = np.concatenate(KneserNey(list(STORIES.values()), 2).surprisals([STORIES[f"s{k}"] for k in range(5)]))
    target = benchmark.mean_target
    np.testing.assert_allclose(target.values, times.mean(axis=1))
    np.testing.assert_allclose(target.coords["error_variance"].values, times.var(axis=1, ddof=1) / 3)
    story = table["story"].to_numpy()
    np.testing.assert_array_equal(target.coords["position"].values, table.groupby("story").cumcount())
    first = np.append(True, story[1:] != story[:-1])
    before = [np.where(first, np.nan, np.roll(c, 1)) for c in (bits, *_costs(target))]
    columns = [*_costs(target), *before]
    known = np.isfinite(np.stack([bits, target.values, *columns])).all(axis=0)
    removed = [c[known] for c in columns]
    expected = partial_correlations(
        removed, bits[known], target.values[known], np.zeros(known.sum(), int), np.ones((1, 1))
    )
    assert score.raw == pytest.approx(float(expected.squeeze()), abs=1e-9)


def _costs(target: xr.DataArray) -> list[np.ndarray]:
    return [target.coords[name].values.astype(float) for name in ("length", "log_frequency", "position")]


@pytest.mark.parametrize("metric", ["STG-ridge", "STG-pls"])
def test_recordings_are_scored(folder: Path, metric: str):
    """Words without a measurement are context; populations are compared over texts that were measured as a whole."""
    out = make(folder, ECOG)
    score = brainmark.load_benchmark(f"{out}:{metric}")(brainmark.load_model("random-embedding"))
    assert np.isfinite(score.raw)
    assert set(score.controls) >= {"word-length", "random-embedding"}


def test_populations_are_compared_over_whole_texts(folder: Path):
    with pytest.raises(InvalidMeasurement, match="it needs texts in which every word was measured, or use ridge"):
        brainmark.load_benchmark(f"{make(folder, ECOG)}:STG-rdm")
    words().query("text != '.'").to_csv(folder / "words.csv", index=False)
    benchmark = brainmark.load_benchmark(f"{make(folder, ECOG)}:STG-rdm")
    assert np.isfinite(benchmark(brainmark.load_model("random-embedding")).raw)


@pytest.mark.parametrize(
    ("change", "recording", "reason"),
    [
        (lambda t: t.assign(stimulus_id=t["text"]), TIMES, "stand for several words: .* also where a word comes again"),
        (lambda t: t.assign(story=t["story"].where(t.index != 3)), TIMES, "words are in no text: nothing stands in"),
        (lambda t: t.drop(columns="story"), TIMES, "no column 'story'"),
    ],
)
def test_what_is_no_running_text_is_refused(folder: Path, change: Any, recording: dict[str, Any], reason: str):
    change(words()).to_csv(folder / "words.csv", index=False)
    with pytest.raises(CannotPackage, match=reason):
        make(folder, recording)


@pytest.mark.parametrize(
    ("factor", "reason"), [(0.001, "look like seconds"), (1000, "look like microseconds"), (-1, "negative")]
)
def test_times_that_nobody_reads_in_are_refused(folder: Path, factor: float, reason: str):
    times = pd.read_csv(folder / "times.csv")
    times.assign(value=times["value"] * factor).to_csv(folder / "times.csv", index=False)
    with pytest.raises(CannotPackage, match=reason):
        make(folder, TIMES)
    if factor == 0.001:
        data = brainmark.load_dataset(str(make(folder, {**TIMES, "time_unit": "s"})))
        assert 250 < float(data.measurement.mean()) < 350
