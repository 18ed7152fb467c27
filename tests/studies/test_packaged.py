"""Benchmarks on packaged data sets, by path: a model that is the recorded brain reaches the ceiling, others do not."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import xarray as xr
from PIL import Image

import brainmark
from brainmark.core import NotApplicable, benchmarks
from brainmark.core.errors import InvalidMeasurement, UnknownName
from brainmark.core.experiment import Choose, Experiment, Rate, Record
from brainmark.core.score import Score
from brainmark.data.packaging import package, parse_description
from brainmark.run.scoring import GivenBenchmark, GivenModel, depend_on
from brainmark.studies.packaged import expand, names_at, usual_at
from brainmark.testing.suite import run_checks

COUNT, UNITS = 60, 6
SAID: dict[str, Any] = {
    "identifier": "Lovelace2026", "summary": "Six units.", "licence": "CC0-1.0", "species": "macaque", "degrees": 8,
    "cite": "@misc{lovelace2026, title = {Rates}, author = {Lovelace, Ada}, year = {2026}}", "duration": 100,
    "stimuli": {"folder": "images"},
}  # fmt: skip
ARRAYS: dict[str, Any] = {"file": "r.npz", "coords": {"stimulus_id": "ids"}, "units": "spikes/s", "subject": "Ada"}


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BRAINMARK_HOME", str(tmp_path / "home"))


def responses() -> np.ndarray:
    """What each unit truly answers to each image, (image, unit)."""
    return np.random.default_rng(0).normal(size=(COUNT, UNITS))


class Brain:
    """Answers with the true responses, whatever the region; `noise` turns it into another animal."""

    def __init__(self, identifier: str = "brain", noise: float = 0.0) -> None:
        self.identifier, self.noise = identifier, noise

    def perform(self, experiment: Experiment) -> xr.DataArray:
        ids = experiment.stimuli.ids
        rows = [int(i[2:]) for i in ids]
        ask, shown = experiment.ask, ("presentation", ids)
        values = responses()[rows] + self.noise * np.random.default_rng(9).normal(size=(len(ids), UNITS))
        if isinstance(ask, Rate):
            return xr.DataArray(values[:, 0], dims="presentation", coords={"stimulus_id": shown})
        if isinstance(ask, Choose):
            shares = np.exp(values[:, : len(ask.labels)])
            coords = {"stimulus_id": shown, "choice": list(ask.labels)}
            return xr.DataArray(shares / shares.sum(1, keepdims=True), dims=("presentation", "choice"), coords=coords)
        if not isinstance(ask, Record):
            raise NotApplicable("only records")
        units = {
            "neuroid_id": ("neuroid", [f"m{k}" for k in range(UNITS)]),
            "region": ("neuroid", [ask.region] * UNITS),
        }
        if not ask.time_bins:
            return xr.DataArray(values, dims=("presentation", "neuroid"), coords={"stimulus_id": shown, **units})
        edges = {f"time_bin_{e}": ("time_bin", [b[k] for b in ask.time_bins]) for k, e in enumerate(("start", "end"))}
        timed = np.repeat(values[..., None], len(ask.time_bins), axis=2)
        dims = ("presentation", "neuroid", "time_bin")
        return xr.DataArray(timed, dims=dims, coords={"stimulus_id": shown, **units, **edges})


@pytest.fixture
def lab(tmp_path: Path) -> Path:
    """A folder with images."""
    generator = np.random.default_rng(1)
    (tmp_path / "images").mkdir()
    for k in range(COUNT):
        pixels = generator.integers(0, 255, (8, 8, 3), dtype=np.uint8)
        Image.fromarray(pixels).save(tmp_path / "images" / f"im{k:02d}.png")
    return tmp_path


def packaged(lab: Path, *sources: dict[str, Any], **changes: Any) -> str:
    """Package and return the path."""
    told = {k: v for k, v in {**SAID, **changes, "recording": list(sources)}.items() if v is not None}
    package(parse_description(told, "lab.toml"), lab, lab / "out")
    return str(lab / "out")


def recording(lab: Path, trials: int = 6, noise: float = 1.0, hole: bool = False, **changes: Any) -> str:
    generator = np.random.default_rng(2)
    values = responses()[..., None] + noise * generator.normal(size=(COUNT, UNITS, trials))
    if hole:
        values[40:, 4:] = np.nan  # the last two units never saw the last twenty images
    regions = ["V4"] * 3 + ["IT"] * 3
    np.savez(lab / "r.npz", values=values, ids=[f"im{k:02d}" for k in range(COUNT)], region=regions)
    coords = {"stimulus_id": "ids", "region": "region"}
    source = {**ARRAYS, "coords": coords, "dims": ["presentation", "neuroid", "repetition"]}
    return packaged(lab, source, **changes)


# --- recordings ------------------------------------------------------------------------------------------------------


def test_a_path_stands_for_its_regions_and_the_usual_metrics(lab: Path) -> None:
    path = recording(lab)
    assert usual_at(Path(path)) == ["V4-ridge", "V4-pls", "IT-ridge", "IT-pls"]
    assert expand(path) == [f"{path}:{n}" for n in usual_at(Path(path))]
    assert expand("Cowley2023.V4-pls") == ["Cowley2023.V4-pls"]
    assert {"V4-rdm", "IT-cka", "V4-ols"} <= set(names_at(Path(path)))


@pytest.mark.parametrize("name", ["V4-ridge", "IT-pls", "V4-ols", "IT-rdm", "V4-cka"])
def test_the_recorded_brain_reaches_the_ceiling_of_its_trials(lab: Path, name: str) -> None:
    benchmark = brainmark.load_benchmark(f"{recording(lab)}:{name}")
    region = name.partition("-")[0]

    class Own(Brain):
        def perform(self, experiment: Experiment) -> xr.DataArray:
            answer = super().perform(experiment)
            return answer.isel(neuroid=slice(0, 3) if region == "V4" else slice(3, 6))

    score, wrong = benchmark(Own()), benchmark(Brain("other", noise=30.0))
    assert score.ceiling is not None and 0.7 < score.ceiling < 1.0
    assert 0.9 < score.value < 1.1, score
    assert wrong.value < 0.5 and {"pixels", "shuffled"} <= set(score.controls)
    assert benchmark.target.coords["region"].values.tolist() == [region] * 3


def test_one_trial_allows_no_ceiling(lab: Path) -> None:
    np.savez(lab / "r.npz", values=responses(), ids=[f"im{k:02d}" for k in range(COUNT)])
    path = packaged(lab, {**ARRAYS, "dims": ["presentation", "neuroid"], "region": "V4"})
    score = brainmark.load_benchmark(f"{path}:ridge")(Brain())
    assert score.ceiling is None and score.raw > 0.99


def test_images_that_some_neuroids_never_saw(lab: Path) -> None:
    path = recording(lab, hole=True)
    ridge, rdm = (brainmark.load_benchmark(f"{path}:IT-{m}") for m in ("ridge", "rdm"))
    assert ridge.target.sizes["presentation"] == 60, "a neuroid is fitted on what it saw"
    assert rdm.target.sizes["presentation"] == 40, "a population is compared on what all saw"
    assert rdm(Brain()).ceiling is not None
    comparison = ridge.metric(ridge.answer(Brain()), ridge.mean_target)
    assert np.isfinite(comparison.values).all() and comparison.values.size == 3


def test_animals_that_share_no_image_are_no_population(lab: Path) -> None:
    ids = [f"im{k:02d}" for k in range(COUNT)]
    for name, part in (("a", slice(0, 30)), ("b", slice(30, 60))):
        np.savez(lab / f"{name}.npz", values=responses()[part], ids=ids[part])
    source = {**ARRAYS, "dims": ["presentation", "neuroid"], "region": "V4"}
    path = packaged(lab, {**source, "file": "a.npz"}, {**source, "file": "b.npz", "subject": "Grace"})
    with pytest.raises(InvalidMeasurement, match="0 of 60 stimuli were shown to all 12 neuroids"):
        brainmark.load_benchmark(f"{path}:rdm")
    assert brainmark.load_benchmark(f"{path}:ridge")(Brain()).raw > 0.9


def test_time_bins_are_compared_one_by_one(lab: Path) -> None:
    values = responses()[..., None, None] + np.random.default_rng(3).normal(size=(COUNT, UNITS, 3, 4))
    np.savez(lab / "r.npz", values=values, ids=[f"im{k:02d}" for k in range(COUNT)])
    dims = ["presentation", "neuroid", "time_bin", "repetition"]
    path = packaged(lab, {**ARRAYS, "dims": dims, "time_bins": [[0, 50], [50, 100], [100, 150]], "region": "IT"})
    benchmark = brainmark.load_benchmark(f"{path}:IT-ridge")
    assert benchmark.experiment.ask == Record("IT", ((0.0, 50.0), (50.0, 100.0), (100.0, 150.0)))
    assert 0.8 < benchmark(Brain()).value < 1.1


# --- other kinds -----------------------------------------------------------------------------------------------------


def test_dissimilarities_of_people(lab: Path) -> None:
    generator = np.random.default_rng(4)
    rdms = [1 - np.corrcoef(responses() + 0.5 * generator.normal(size=(COUNT, UNITS))) for _ in range(4)]
    np.savez(lab / "d.npz", values=np.stack(rdms), ids=[f"im{k:02d}" for k in range(COUNT)])
    source = {"file": "d.npz", "kind": "dissimilarity", "coords": {"stimulus_id": "ids"}, "region": "IT"}
    path = packaged(lab, source, species="human")
    assert expand(path) == [f"{path}:IT-rdm"]
    score = brainmark.load_benchmark(path)(Brain())
    assert score.ceiling is not None and 0.9 < score.value < 1.1


def answers(lab: Path, label: bool) -> str:
    """Four people who mostly choose what the brain finds likeliest."""
    generator, ids = np.random.default_rng(5), [f"im{k:02d}" for k in range(COUNT)]
    best = responses()[:, :3].argmax(axis=1)
    said = np.where(generator.random((COUNT, 4)) < 0.8, best[:, None], generator.integers(0, 3, (COUNT, 4)))
    rows = [
        {"stimulus_id": one, "subject": f"p{p}", "choice": "abc"[said[k, p]]}
        for k, one in enumerate(ids)
        for p in range(4)
    ]
    pd.DataFrame(rows).to_csv(lab / "answers.csv", index=False)
    table = {"stimulus_id": ids, "filename": [f"{i}.png" for i in ids]}
    truth = ["abc"[(b + (k % 3 == 0)) % 3] for k, b in enumerate(best)]  # often not what is chosen
    pd.DataFrame(table | ({"label": truth} if label else {})).to_csv(lab / "stimuli.csv", index=False)
    stimuli = {"table": "stimuli.csv", "folder": "images"}
    return packaged(lab, {"file": "answers.csv", "kind": "choices"}, species="human", stimuli=stimuli)


def test_choices_are_compared_person_by_person(lab: Path) -> None:
    path = answers(lab, label=True)
    benchmark = brainmark.load_benchmark(f"{path}:behavior-error_consistency")
    assert isinstance(benchmark.experiment.ask, Choose) and benchmark.experiment.ask.labels == ("a", "b", "c")
    good, bad = benchmark(Brain()), benchmark(Brain("other", noise=30.0))
    assert good.ceiling is not None and good.value > 0.8 > 0.4 > bad.value
    for metric in ("confusion_similarity", "accuracy_distance"):
        assert brainmark.load_benchmark(f"{path}:{metric}")(Brain()).ceiling is not None


def test_counted_choices_are_compared_as_distributions(lab: Path) -> None:
    path = answers(lab, label=False)
    assert names_at(Path(path)) == ["behavior-soft_labels"]
    benchmark = brainmark.load_benchmark(path)
    assert benchmark(Brain()).value > 0.7 > 0.3 > benchmark(Brain("other", noise=30.0)).value


def test_ratings(lab: Path) -> None:
    generator, ids = np.random.default_rng(6), [f"im{k:02d}" for k in range(COUNT)]
    liking = responses()[:, 0]
    rows = [
        {"stimulus_id": one, "subject": f"p{p}", "value": float(np.clip(4 + liking[k] + generator.normal(), 1, 7))}
        for k, one in enumerate(ids)
        for p in range(6)
    ]
    pd.DataFrame(rows).to_csv(lab / "answers.csv", index=False)
    table = {"stimulus_id": ids[:9], "filename": [f"{i}.png" for i in ids[:9]], "rating": range(9)}
    pd.DataFrame(table).to_csv(lab / "fit.csv", index=False)
    stimuli = {"folder": "images", "fitting": "fit.csv"}
    changes = {"species": "human", "stimuli": stimuli, "question": "Pleasant?", "scale": [1, 7]}
    path = packaged(lab, {"file": "answers.csv", "kind": "ratings"}, **changes)
    benchmark = brainmark.load_benchmark(path)
    ask = benchmark.experiment.ask
    assert isinstance(ask, Rate) and (ask.question, ask.low, ask.high) == ("Pleasant?", 1, 7)
    assert ask.fitting is not None and ask.fitting.table["rating"].tolist() == list(range(9))
    assert 0.85 < benchmark(Brain()).value < 1.1


# --- names and checks ------------------------------------------------------------------------------------------------


def test_names_that_lead_nowhere(lab: Path) -> None:
    path = recording(lab)
    with pytest.raises(UnknownName, match="V4-ridge"):
        benchmarks[f"{path}:V4-rigde"]
    with pytest.raises(UnknownName, match=r"IT-pls"):
        benchmarks[path]  # four are meant: say which
    with pytest.raises(UnknownName):
        benchmarks[f"{path}:ridge"]  # of two regions
    with pytest.raises(UnknownName, match="unknown benchmark"):
        benchmarks[f"{lab}:V4-ridge"]  # no package


def test_a_folder_may_have_a_colon_and_a_slash_at_its_end(lab: Path) -> None:
    path = Path(recording(lab)).rename(lab / "a:b")
    assert benchmarks[f"{path}:V4-ridge"].card.datasets == (str(path),)
    assert expand(f"{path}/")[0] == f"{path}:V4-ridge"


@pytest.mark.slow
def test_the_conformance_suite_passes(lab: Path) -> None:
    results = list(run_checks(recording(lab)))
    assert {r.name.rpartition(":")[2] for r in results} >= {"V4-ridge", "IT-pls"} and len(results) > 50
    assert [r for r in results if r.outcome != "passed"] == []


def test_scores_are_remembered_by_content(lab: Path) -> None:
    path = recording(lab)
    key = depend_on(GivenModel("pixels"), GivenBenchmark(f"{path}:V4-ridge"))
    assert key is not None and key == depend_on(GivenModel("pixels"), GivenBenchmark(f"{path}:V4-ridge"))
    score = brainmark.score("pixels", f"{path}:V4-ridge")
    assert isinstance(score, Score) and score.stamp is not None
    assert score.stamp.data == "local" and len(score.stamp.sources) == 3
    package(parse_description({**SAID, "recording": [_again(lab)]}, "lab.toml"), lab, lab / "out", replace=True)
    assert depend_on(GivenModel("pixels"), GivenBenchmark(f"{path}:V4-ridge")) != key


def _again(lab: Path) -> dict[str, Any]:
    """The same recording with other values."""
    with np.load(lab / "r.npz") as old:
        np.savez(lab / "s.npz", **{**old, "values": old["values"] + 1})
    coords = {"stimulus_id": "ids", "region": "region"}
    return {**ARRAYS, "file": "s.npz", "coords": coords, "dims": ["presentation", "neuroid", "repetition"]}
