from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch
import xarray as xr
from torch import Tensor, nn

from brainmark import score
from brainmark.core import Benchmark, BenchmarkCard, Choose, Experiment, Record, Setting, Stimuli
from brainmark.core.errors import DataError, InvalidModel, ModelError, NotApplicable, ResourceError, UnknownName
from brainmark.metrics.regression.predictivity import ridge
from brainmark.models.subjects.vision import Readout, VisionSubject
from brainmark.run.layer_choice import choices_path, choose_layers, keep, part_of, recall_choices, with_chosen_layers

CITE = "@article{nobody2025, author = {Nobody}, title = {Nothing}, year = {2025}}"
STIMULI = 60


class Stack(nn.Module):
    """Maps, their squares, and noise that has nothing to do with the image."""

    def __init__(self, seed: int = 0) -> None:
        super().__init__()
        torch.manual_seed(seed)
        self.maps = nn.Conv2d(3, 6, 4, stride=4)
        self.same = nn.Sequential(nn.Identity())
        self.squares = nn.Threshold(-1e9, 0)
        self.head = nn.Linear(6, 3)

    def forward(self, x: Tensor) -> Tensor:
        maps = self.same(self.maps(x))
        squares = self.squares(maps**2 * torch.tensor([1.0, -1.0, 1.0, -1.0, 1.0, -1.0]).view(-1, 1, 1))
        return self.head(squares.mean((2, 3)))


def subject(**changes: Any) -> VisionSubject:
    fields: dict[str, Any] = {"network": Stack(), "regions": {"V4": "output", "IT": "output"}, "size": 16}
    return VisionSubject("stack", **fields | changes)


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("BRAINMARK_HOME", str(tmp_path))
    return tmp_path


def benchmark(seed: int = 0, region: str = "V4", name: str = "Stack.V4", **changes: Any) -> Benchmark:
    """Neurons that read out the squares, with a little noise."""
    generator = np.random.default_rng(seed)
    images = list(generator.integers(0, 256, (STIMULI, 16, 16, 3), np.uint8))
    ids = [f"{seed}-{i}" for i in range(STIMULI)]
    stimuli = Stimuli(f"noise {seed}", "image", pd.DataFrame({"stimulus_id": ids}), images)
    experiment = Experiment(stimuli, Record(region), Setting(degrees=8.0))
    truth = subject(regions={region: "squares"}).perform(experiment).values
    weights = np.random.default_rng(9).normal(size=(truth.shape[1], 12))
    rates = (truth - truth.mean(0)) @ weights
    target = xr.DataArray(
        rates / rates.std(0) + 0.1 * generator.normal(size=rates.shape),
        dims=("presentation", "neuroid"),
        coords={
            "stimulus_id": ("presentation", ids),
            "neuroid_id": ("neuroid", np.arange(12)),
            "region": ("neuroid", [region] * 12),
        },
    )
    card = BenchmarkCard(
        summary="Neurons that square.", licence="MIT", cite=CITE, domain="vision", species=("macaque",), region=region,
        parent=region, datasets=("none",), metric="ridge", simulated=True,
    )  # fmt: skip
    fields: dict[str, Any] = {"metric": ridge(resamples=50)}
    return Benchmark(name, card, experiment, target, **fields | changes)


def test_the_layer_that_the_neurons_read_is_chosen():
    choice = choose_layers(subject(), benchmark())
    assert choice.chosen.layer == "squares"
    values = {c.layer: c.value for c in choice.candidates}
    assert len(values) == len(choice.candidates)
    assert "same" not in values or "maps" not in values  # the same numbers are tried once
    assert choice.chosen.value == max(v for v in values.values() if v is not None)
    assert choice.committed is not None
    assert choice.value > 0.3 > 0.2 > choice.committed
    assert choice.split == "30 of 60 stimuli choose, 30 test (seed 0)"
    assert (choice.region, choice.model) == ("V4", "stack")


def test_the_stimuli_that_tell_are_not_those_that_choose(monkeypatch: pytest.MonkeyPatch):
    shown: list[set[str]] = []
    plain = VisionSubject.record_from

    def watched(self: VisionSubject, experiment: Experiment, readouts: Any) -> Any:
        shown.append(set(experiment.stimuli.ids))
        return plain(self, experiment, readouts)

    monkeypatch.setattr(VisionSubject, "record_from", watched)
    choose_layers(subject(), benchmark(), share=0.4, seed=3)
    assert [len(ids) for ids in shown] == [24, 36, 36]
    assert not shown[0] & shown[1]
    assert shown[1] == shown[2]


def test_another_session_may_tell():
    told = choose_layers(subject(), benchmark(), benchmark(seed=1, name="Stack.V4.second"))
    assert (told.public, told.held_out, told.split) == ("Stack.V4", "Stack.V4.second", "")
    assert told.chosen.layer == "squares"
    direct = score(subject(regions={"V4": told.chosen.layer}), benchmark(seed=1))
    assert told.value == pytest.approx(direct.value)


def test_what_shares_stimuli_or_is_of_another_region_cannot_tell():
    with pytest.raises(NotApplicable, match="share 60 stimuli"):
        choose_layers(subject(), benchmark(), benchmark(name="again"))
    with pytest.raises(NotApplicable, match="record from"):
        choose_layers(subject(), benchmark(), benchmark(seed=1, region="IT"))


def test_candidates_may_be_named():
    choice = choose_layers(subject(), benchmark(), layers=["head", "maps"])
    assert [c.layer for c in choice.candidates] == ["maps", "head"]  # as they run
    with pytest.raises(UnknownName, match="did you mean 'squares'"):
        choose_layers(subject(), benchmark(), layers=["sqares"])


def test_large_maps_are_averaged_and_the_choice_commits_to_that():
    choice = choose_layers(subject(), benchmark(), layers=["maps", "squares"], most_units=30)
    assert {(c.layer, c.pool, c.units) for c in choice.candidates} == {("maps", 2, 24), ("squares", 2, 24)}
    assert (choice.chosen.layer, choice.chosen.pool) == ("squares", 2)


def test_little_memory_takes_more_passes_and_changes_nothing(monkeypatch: pytest.MonkeyPatch):
    at_once = choose_layers(subject(), benchmark())
    passes = 0
    plain = VisionSubject.record_from

    def counted(self: VisionSubject, experiment: Experiment, readouts: Any) -> Any:
        nonlocal passes
        passes += len(readouts) == 1
        return plain(self, experiment, readouts)

    monkeypatch.setattr(VisionSubject, "record_from", counted)
    monkeypatch.setattr("brainmark.run.layer_choice._SHARE", 1e-12)
    few = choose_layers(subject(), benchmark())
    assert few.candidates == at_once.candidates
    assert passes > 3


def test_a_layer_without_a_score_says_why_and_is_not_chosen():
    class Constant(Stack):
        def __init__(self) -> None:
            super().__init__()
            self.silent = nn.Threshold(1e9, 0)

        def forward(self, x: Tensor) -> Tensor:
            return super().forward(x + 0 * self.silent(x).mean())

    choice = choose_layers(subject(network=Constant()), benchmark(), layers=["silent", "squares"])
    silent = choice.candidates[0]
    assert silent.value is None
    assert silent.reason
    assert choice.chosen.layer == "squares"
    with pytest.raises(ModelError, match="no layer has a score"):
        choose_layers(subject(network=Constant()), benchmark(), layers=["silent"])


def test_a_metric_that_fails_on_one_layer_leaves_the_others():
    plain = ridge(resamples=0)

    def fails_on_the_output(prediction: xr.DataArray, target: xr.DataArray) -> Any:
        if prediction.sizes["neuroid"] == 3:
            raise np.linalg.LinAlgError("Singular matrix")
        return plain(prediction, target)

    choice = choose_layers(subject(regions={"IT": "output"}), benchmark(metric=fails_on_the_output))
    failed = {c.layer: c.reason for c in choice.candidates if c.value is None}
    assert list(failed) == ["head"]
    assert "LinAlgError: Singular matrix" in failed["head"]
    assert choice.chosen.layer == "squares"


class Unlucky(nn.Module):
    """Fails on every image, as code of one's own may."""

    def __init__(self, error: Exception) -> None:
        super().__init__()
        self.error = error

    def forward(self, x: Tensor) -> Tensor:
        raise self.error


@pytest.mark.parametrize(
    ("error", "kind"),
    [
        (KeyError("maps"), ModelError),
        (torch.OutOfMemoryError("80 GiB"), ResourceError),
        (OSError("full"), ResourceError),
    ],
)
def test_a_network_that_fails_is_told_with_its_name(error: Exception, kind: type[Exception]):
    broken = subject(network=Unlucky(error))
    with pytest.raises(kind, match=r"stack on Stack\.V4"):
        choose_layers(broken, benchmark())
    with pytest.raises(kind, match=r"stack on Stack\.V4"):
        score(broken, benchmark())


def test_what_has_no_layers_or_records_nothing_is_not_applicable():
    class Animal:
        identifier = "animal"

        def perform(self, experiment: Experiment) -> xr.DataArray:
            raise NotImplementedError

    with pytest.raises(NotApplicable, match="animal is a Animal, which has no layers"):
        choose_layers(Animal(), benchmark())
    asked = benchmark()
    choosing = Benchmark(
        asked.identifier,
        asked.card,
        Experiment(asked.experiment.stimuli, Choose(("a", "b"))),
        asked.target,
        asked.metric,
    )
    with pytest.raises(NotApplicable, match="records no region"):
        choose_layers(subject(), choosing)


def test_too_few_stimuli_to_part():
    with pytest.raises(ValueError, match=r"share = 0\.01"):
        choose_layers(subject(), benchmark(), share=0.01)


def test_a_part_of_a_benchmark_has_its_rows():
    whole = benchmark()
    part = part_of(whole, np.array([5, 2]), "part")
    assert part.experiment.stimuli.ids.tolist() == ["0-5", "0-2"]
    np.testing.assert_array_equal(part.target.values, whole.target.values[[5, 2]])


# --- choices that are kept -------------------------------------------------------------------------------------------


def test_a_choice_is_kept_with_all_that_was_tried(home: Path):
    choice = choose_layers(subject(), benchmark())
    path = keep(choice)
    assert path == choices_path("stack")
    assert path.is_relative_to(home)
    assert recall_choices("stack") == {"V4": choice}
    other = choose_layers(subject(), benchmark(region="IT"), layers=["maps", "squares"])
    keep(other)
    assert recall_choices("stack") == {"V4": choice, "IT": other}
    assert len(json.loads(path.read_text())["V4"]["candidates"]) == len(choice.candidates)


def test_names_with_slashes_and_colons_have_files_too():
    assert choices_path("timm/resnet18:random=3").parent == choices_path("x").parent


def test_a_damaged_file_says_what_to_do():
    path = choices_path("stack")
    path.parent.mkdir(parents=True)
    path.write_text('{"V4": {"chosen": 3}}')
    with pytest.raises(DataError, match="remove it, and choose again: brainmark layers stack"):
        recall_choices("stack")


def test_scores_with_chosen_layers_use_them_and_say_so():
    keep(choose_layers(subject(), benchmark(), benchmark(seed=1, name="second")))
    third = benchmark(seed=2, name="third")
    mine, chosen = score(subject(), third), score(subject(), third, layers="chosen")
    assert chosen.value > mine.value + 0.1
    assert any(
        "V4 is recorded from layer 'squares', chosen among" in note and "Stack.V4" in note for note in chosen.notes
    )
    assert not any("too high" in note for note in chosen.notes)
    again = score(subject(), benchmark(), layers="chosen")
    assert any("on stimuli of this benchmark, so the value is too high" in note for note in again.notes)


def test_without_a_choice_there_is_no_score():
    with pytest.raises(NotApplicable, match="choose them: brainmark layers stack"):
        score(subject(), benchmark(), layers="chosen")


def test_a_choice_for_other_weights_is_refused():
    keep(choose_layers(subject(), benchmark()))
    with pytest.raises(InvalidModel, match=r"V4 was chosen for other weights.*--region V4"):
        with_chosen_layers(subject(network=Stack(seed=1)), "stack")
    unchanged = with_chosen_layers(subject(), "stack")
    assert unchanged.regions == {"V4": Readout("squares"), "IT": "output"}


def test_layers_are_compared_without_draws_for_intervals(monkeypatch: pytest.MonkeyPatch):
    drawn: list[int] = []
    plain = type(ridge()).__call__

    def counted(self: Any, prediction: xr.DataArray, target: xr.DataArray) -> Any:
        drawn.append(self.resamples)
        return plain(self, prediction, target)

    monkeypatch.setattr(type(ridge()), "__call__", counted)
    choice = choose_layers(subject(), benchmark(), layers=["maps", "squares"])
    assert drawn[: len(choice.candidates)] == [0, 0]
    assert drawn[2:] == [50, 50]  # of what is told there is an interval
