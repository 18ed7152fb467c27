from __future__ import annotations

import sys
from dataclasses import replace
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch
import xarray as xr
from tokenizers import Tokenizer, models, pre_tokenizers

from brainmark import score
from brainmark.cli.layers import make_toml
from brainmark.core import Benchmark, BenchmarkCard, Experiment, Record, Setting, Stimuli, registry
from brainmark.core.errors import InvalidStimuli, NotApplicable, UnknownName
from brainmark.metrics.regression.predictivity import Predictivity, ridge
from brainmark.metrics.time.haemodynamics import BLOCK, CANONICAL, Haemodynamic, make_regressors
from brainmark.models.sources.torch_libraries import transformers
from brainmark.models.subjects.language import LanguageSubject
from brainmark.models.subjects.layered import LayeredSubject
from brainmark.models.subjects.readout import Readout
from brainmark.run.layer_choice import choose_layers, keep, recall_choices, with_chosen_layers

CITE = "@article{nobody2025, author = {Nobody}, title = {Nothing}, year = {2025}}"
WORDS = [f"w{i}" for i in range(60)]
READ = "transformer.h.2"


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BRAINMARK_HOME", str(tmp_path))


@pytest.fixture(scope="module")
def reader() -> LanguageSubject:
    """A random network of four blocks, whose second stands for the language system."""
    library = transformers()
    words = Tokenizer(models.WordLevel({word: i for i, word in enumerate([*WORDS, "<s>"])}, unk_token="<s>"))
    words.pre_tokenizer = pre_tokenizers.Whitespace()
    tokenizer = library.PreTrainedTokenizerFast(tokenizer_object=words, bos_token="<s>", unk_token="<s>")
    torch.manual_seed(0)
    config = library.GPT2Config(
        vocab_size=61, n_layer=4, n_embd=8, n_head=2, n_positions=600, initializer_range=0.9, bos_token_id=60,
        eos_token_id=60,
    )  # fmt: skip
    return LanguageSubject("reader", library.GPT2LMHeadModel(config), tokenizer, {"LATL": "transformer.h.0"})


def texts(count: int, per_text: int, seed: int, **columns: Any) -> Stimuli:
    """Random words, in texts of equal length."""
    drawn = np.random.default_rng(seed).choice(WORDS, count).tolist()
    table = pd.DataFrame(
        {"stimulus_id": [f"{seed}-{i}" for i in range(count)], "text": drawn, "story": np.arange(count) // per_text}
    )
    return Stimuli(f"words {seed}", "text", table.assign(**columns), drawn)


def neurons(values: np.ndarray, dim: str, **coords: Any) -> xr.DataArray:
    """Twelve neurons that read out values (n, units), with a little noise."""
    generator = np.random.default_rng(3)
    rates = (values - values.mean(0)) @ generator.normal(size=(values.shape[1], 12))
    rates = rates / rates.std(0) + 0.2 * generator.normal(size=rates.shape)
    ids = {"neuroid_id": ("neuroid", np.arange(12)), "region": ("neuroid", ["LATL"] * 12)}
    return xr.DataArray(rates, dims=(dim, "neuroid"), coords=ids | coords)


def card() -> BenchmarkCard:
    return BenchmarkCard(
        summary="Neurons of words.", licence="MIT", cite=CITE, domain="language", species=("human",), region="LATL",
        parent="LATL", datasets=("none",), metric="ridge", simulated=True,
    )  # fmt: skip


def stories(reader: LanguageSubject, count: int = 240, per_text: int = 12, seed: int = 0) -> Benchmark:
    """Words of stories, whose neurons read one block."""
    stimuli = texts(count, per_text, seed)
    experiment = Experiment(stimuli, Record("LATL"), Setting(context="story"))
    truth = reader.record_from(experiment, [READ])[0].values
    ids = ("presentation", stimuli.ids)
    return Benchmark(
        f"Stories.{seed}", card(), experiment, neurons(truth, "presentation", stimulus_id=ids), ridge(resamples=20)
    )


def run(reader: LanguageSubject) -> Benchmark:
    """One story of 500 words, one a second, as blood flow in 260 volumes of 2 s."""
    onsets = 1000.0 * np.arange(500)
    stimuli = texts(500, 500, 1, onset=onsets)
    experiment = Experiment(stimuli, Record("LATL"), Setting(context="story"))
    truth = reader.record_from(experiment, [READ])[0].values.astype(float)
    start = 2000.0 * np.arange(260)
    target = neurons(
        make_regressors(CANONICAL, truth - truth.mean(0), onsets, start, start + 2000),
        "time_bin",
        time_bin_start=("time_bin", start),
        time_bin_end=("time_bin", start + 2000),
    )
    return Benchmark("Run", card(), experiment, target, Haemodynamic(ridge(resamples=20)))


def test_the_block_that_the_neurons_read_is_chosen(reader: LanguageSubject):
    assert isinstance(reader, LayeredSubject)
    choice = choose_layers(reader, stories(reader), stories(reader, seed=1))
    assert [c.layer for c in choice.candidates] == [f"transformer.h.{i}" for i in range(4)]
    assert (choice.chosen.layer, choice.chosen.pool, choice.chosen.units) == (READ, "last", 8)
    assert choice.committed is not None
    assert choice.value > choice.committed + 0.1
    own = score(reader.with_regions({"LATL": READ}), stories(reader, seed=1))
    assert choice.value == pytest.approx(own.value)


def test_the_texts_that_tell_are_not_those_that_choose(reader: LanguageSubject, monkeypatch: pytest.MonkeyPatch):
    benchmark = stories(reader)
    shown: list[list[int]] = []
    plain = LanguageSubject.record_from

    def watched(self: LanguageSubject, experiment: Experiment, readouts: Any) -> Any:
        shown.append(experiment.stimuli.table["story"].tolist())
        return plain(self, experiment, readouts)

    monkeypatch.setattr(LanguageSubject, "record_from", watched)
    choice = choose_layers(reader, benchmark, share=0.4, seed=3)
    choosing, telling = shown[0], shown[1]
    assert not set(choosing) & set(telling)
    assert len(choosing) == 8 * 12  # whole stories, as many as come nearest to the share
    assert all(choosing.count(s) == 12 for s in set(choosing))
    assert set(choosing) != set(range(8))  # drawn, not the first
    assert choice.split == "96 of 240 stimuli choose, 144 test (seed 3)"
    assert choice.chosen.layer == READ


def test_the_only_text_is_cut_in_two(reader: LanguageSubject):
    choice = choose_layers(reader, stories(reader, count=200, per_text=200), layers=[READ], share=0.5)
    assert choice.split == "100 of 200 stimuli choose, 100 test (later in the text)"
    assert choice.public == "Stories.0 (choosing 100 of 200 stimuli)"


def test_a_run_is_parted_in_time_with_a_gap_and_all_of_the_text_is_read(
    reader: LanguageSubject, monkeypatch: pytest.MonkeyPatch
):
    benchmark = run(reader)
    volumes: list[np.ndarray] = []
    words: list[int] = []
    plain = Haemodynamic.__call__

    def watched(self: Haemodynamic, prediction: xr.DataArray, target: xr.DataArray) -> Any:
        volumes.append(target["time_bin_start"].values)
        words.append(prediction.sizes["presentation"])
        assert isinstance(self.metric, Predictivity)
        assert bool(self.metric.resamples) == (len(volumes) > 4)  # nothing is drawn for candidates
        return plain(self, prediction, target)

    monkeypatch.setattr(Haemodynamic, "__call__", watched)
    choice = choose_layers(reader, benchmark)
    assert choice.chosen.layer == READ
    assert choice.committed is not None
    assert choice.value > choice.committed
    assert choice.split == f"122 of 260 volumes choose, 122 test (later, after a gap of {BLOCK})"
    assert set(words) == {500}
    assert volumes[-1].min() - volumes[0].max() > 1000 * CANONICAL.length
    with pytest.raises(ValueError, match=r"share = 0\.999: of 260 volumes"):
        choose_layers(reader, benchmark, share=0.999)


def test_a_choice_is_kept_and_committed_to(reader: LanguageSubject):
    choice = choose_layers(reader, stories(reader))
    keep(choice)
    assert recall_choices("reader") == {"LATL": choice}
    chosen = with_chosen_layers(reader, "reader")
    readout = chosen.regions["LATL"]
    assert isinstance(readout, Readout)
    assert (readout.layers, readout.pool) == ((READ,), "last")
    third = stories(reader, seed=2)
    assert score(reader, third, layers="chosen").value == pytest.approx(score(chosen, third).value)


def test_a_choice_is_kept_under_the_name_that_is_asked_for(reader: LanguageSubject, monkeypatch: pytest.MonkeyPatch):
    module = ModuleType("readers_of_these_tests")
    module.make = lambda: reader  # pyright: ignore[reportAttributeAccessIssue]
    monkeypatch.setitem(sys.modules, module.__name__, module)
    choice = choose_layers("readers_of_these_tests:make", stories(reader))
    keep(choice)
    assert list(recall_choices("readers_of_these_tests:make")) == ["LATL"]
    assert not recall_choices("reader")
    third = stories(reader, seed=2)
    chosen = score("readers_of_these_tests:make", third, layers="chosen")
    assert chosen.value == pytest.approx(score(reader.with_regions({"LATL": READ}), third).value)


def test_a_layer_is_pooled_as_the_region_is(reader: LanguageSubject):
    mean = reader.with_regions({"LATL": Readout((READ,), "mean")})
    assert choose_layers(mean, stories(reader), layers=[READ]).chosen.pool == "mean"


def test_what_cannot_be_tried_is_said(reader: LanguageSubject):
    benchmark = stories(reader)
    with pytest.raises(UnknownName, match=r"transformer\.h\.9"):
        choose_layers(reader, benchmark, layers=["transformer.h.9"])
    image = Stimuli("image", "image", pd.DataFrame({"stimulus_id": ["a"]}), [np.zeros((4, 4, 3), np.uint8)])
    with pytest.raises(NotApplicable, match="takes texts"):
        reader.layers(Experiment(image, Record("V4"), Setting()))
    empty = Stimuli("empty", "text", pd.DataFrame({"stimulus_id": ["a"], "text": [""]}), [""])
    with pytest.raises(InvalidStimuli):
        reader.layers(Experiment(empty, Record("LATL"), Setting()))


def test_a_choice_is_written_as_a_model_with_all_that_its_other_regions_are_read_from(
    reader: LanguageSubject, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    others = {
        "LIFG": Readout((READ, "transformer.h.0"), "mean", units={READ: [7, 1], "transformer.h.0": [3]}),
        "LIPL": Readout((READ,), unit_length=True),
    }
    module = ModuleType("localized_readers_of_these_tests")
    module.make = lambda: reader.with_regions(others)  # pyright: ignore[reportAttributeAccessIssue]
    monkeypatch.setitem(sys.modules, module.__name__, module)
    name = f"{module.__name__}:make"
    keep(choose_layers(name, stories(reader)))
    file = tmp_path / "models.toml"
    file.write_text(make_toml(name), encoding="utf-8")
    written, chosen = registry.models[f"{file}#{name}-chosen"].load(), with_chosen_layers(module.make(), name)
    assert isinstance(written, LanguageSubject)
    assert set(written.regions) == {"LATL", "LIFG", "LIPL"}
    experiment = Experiment(texts(12, 6, 4), Record("LATL"), Setting(context="story"))
    for region in written.regions:
        asked = replace(experiment, ask=Record(region))
        xr.testing.assert_identical(written.perform(asked), chosen.perform(asked))


def test_what_was_chosen_on_the_same_stimuli_is_said_to_be(reader: LanguageSubject):
    keep(choose_layers(reader, stories(reader)))
    said = {
        name: score(reader, replace(stories(reader, seed=seed), identifier=name), layers="chosen").notes[-1]
        for name, seed in (("Stories.0", 0), ("Another region", 0), ("Other stories", 2))
    }
    assert "so the value is too high" in said["Stories.0"]
    assert "on the same stimuli as here, so the value can be too high" in said["Another region"]
    assert "too high" not in said["Other stories"]
