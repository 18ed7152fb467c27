from __future__ import annotations

import re
import sys
import tomllib
import traceback
import warnings
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import xarray as xr

import brainmark
from brainmark.core import (
    Benchmark,
    BenchmarkCard,
    Comparison,
    Experiment,
    Failure,
    MissingData,
    ModelCard,
    NotApplicable,
    Record,
    Score,
    Stimuli,
    UnknownName,
    registry,
)  # fmt: skip
from brainmark.run import scoring, stamp
from brainmark.run.execution import score_all
from brainmark.run.scoring import score

CITE = "@misc{a, title={b}}"


def recording(values: np.ndarray) -> xr.DataArray:
    return xr.DataArray(
        values,
        dims=("presentation", "neuroid"),
        coords={
            "stimulus_id": ("presentation", [str(i) for i in range(values.shape[0])]),
            "neuroid_id": ("neuroid", np.arange(values.shape[1])),
            "region": ("neuroid", ["V4"] * values.shape[1]),
        },
    )


class Answers:
    """A subject that counts how often it is asked."""

    def __init__(self, identifier: str, error: Exception | None = None) -> None:
        self.identifier, self.error, self.asked = identifier, error, 0

    def perform(self, experiment):
        self.asked += 1
        if self.error:
            raise self.error
        return recording(np.arange(12.0).reshape(6, 2) % 5)


def make_benchmark(identifier: str = "Toy.V4-mean") -> Benchmark:
    media = tuple(np.full((4, 4, 3), i, np.uint8) for i in range(6))
    stimuli = Stimuli("toy", "image", pd.DataFrame({"stimulus_id": [str(i) for i in range(6)]}), media)
    card = BenchmarkCard(
        summary="toy", licence="MIT", cite=CITE, domain="vision", species=("toy",), region="V4", parent="V4",
        datasets=("Simulated.IT",), metric="mean",
    )  # fmt: skip

    def metric(prediction, target):
        return Comparison(prediction.mean("presentation"))

    return Benchmark(identifier, card, Experiment(stimuli, Record("V4")), recording(np.ones((6, 2))), metric)


@pytest.fixture
def registered(monkeypatch, tmp_path):
    """A model and a benchmark that exist for one test, and a cache of its own."""
    monkeypatch.setenv("BRAINMARK_HOME", str(tmp_path / "home"))
    registry.discover()
    model_card = ModelCard(summary="toy", licence="MIT", cite=CITE, domain="vision", family="toy", regions=("V4",))
    subject = Answers("toy")
    for kind in (registry.models, registry.benchmarks):
        monkeypatch.setattr(kind, "_entries", dict(kind._entries))

    def toy():
        return subject

    def toy_benchmark():
        return make_benchmark()

    registry.models.add("toy", card=model_card)(toy)
    registry.benchmarks.add("Toy.V4-mean", card=make_benchmark().card)(toy_benchmark)
    return subject


def test_a_registered_score_is_remembered_and_identical(registered):
    first = score("toy", "Toy.V4-mean")
    second = score("toy", "Toy.V4-mean")
    assert registered.asked == 1
    assert second.to_dict() == first.to_dict()
    assert first.stamp is not None
    assert first.stamp.seconds >= 0
    assert len(first.stamp.experiment) == 64
    score("toy", "Toy.V4-mean", cache=False)
    assert registered.asked == 2


def test_finished_scores_are_given_and_nothing_is_computed(registered):
    other = Answers("other")
    registry.models.add("other", card=registry.models["toy"].card)(lambda: other)
    assert list(score_all(["toy", "other"], ["Toy.V4-mean"], finished=True)) == []
    first = score("toy", "Toy.V4-mean")
    (found,) = score_all(["other", "toy"], ["Toy.V4-mean"], finished=True)
    assert found.to_dict() == first.to_dict()
    assert other.asked == 0


@pytest.mark.parametrize("name", ["broken", "broken_networks_here:make"])
def test_a_model_that_cannot_be_made_is_a_failure_and_the_next_is_scored(registered, monkeypatch, tmp_path, name):
    def broken():
        raise KeyError("weights")

    registry.models.add("broken", card=registry.models["toy"].card)(broken)
    (tmp_path / "broken_networks_here.py").write_text("def make():\n    raise KeyError('weights')\n")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("sys.path", list(sys.path))
    monkeypatch.delitem(sys.modules, "broken_networks_here", raising=False)
    failed, scored = score_all([name, "toy"], ["Toy.V4-mean"])
    assert isinstance(failed, Failure)
    assert failed.kind == "model"
    assert name in failed.reason
    assert "KeyError: 'weights'" in failed.reason
    assert isinstance(scored, Score)
    assert [s.subject for s in score_all([name, "toy"], ["Toy.V4-mean"], finished=True)] == ["toy"]


def change(monkeypatch, kind, name, **fields):
    """Change fields of the card of something registered."""
    entry = kind[name]
    monkeypatch.setitem(kind._entries, name, replace(entry, card=entry.card.model_copy(update=fields)))


def test_texts_of_cards_forget_no_score(registered, monkeypatch):
    """A better summary made every score of a model be computed anew."""
    first = score("toy", "Toy.V4-mean")
    texts = {"summary": "Better words.", "licence": "BSD", "cite": "@misc{b, title={c}}", "tags": ("new",)}
    change(monkeypatch, registry.models, "toy", **texts)
    change(monkeypatch, registry.benchmarks, "Toy.V4-mean", **texts, visibility="private", parent="IT")
    change(monkeypatch, registry.datasets, "Simulated.IT", **texts)
    assert score("toy", "Toy.V4-mean").to_dict() == first.to_dict()
    assert registered.asked == 1


@pytest.mark.parametrize(
    ("kind", "name", "fields", "told"),
    [
        ("models", "toy", {"version": 2}, "model toy: version was 1, now 2"),
        ("models", "toy", {"degrees": 4.0}, "model toy: degrees was absent, now 4.0"),
        ("benchmarks", "Toy.V4-mean", {"version": 3}, "benchmark Toy.V4-mean: version was 1, now 3"),
        ("datasets", "Simulated.IT", {"version": 2}, "dataset Simulated.IT: version was 1, now 2"),
        ("metrics", "ridge", {"version": 9}, r"metric ridge: version was \d, now 9"),
    ],
)
def test_a_version_that_was_raised_is_another_result_and_is_told(registered, monkeypatch, kind, name, fields, told):
    change(monkeypatch, registry.benchmarks, "Toy.V4-mean", metric="ridge")
    score("toy", "Toy.V4-mean")
    change(monkeypatch, getattr(registry, kind), name, **fields)
    with pytest.warns(UserWarning, match=rf"scores are kept that no longer hold: {told} \(1 score\)"):
        assert list(score_all(["toy"], ["Toy.V4-mean"], finished=True)) == []
    assert registered.asked == 1
    with pytest.warns(UserWarning, match=f"no longer hold, and are computed anew: {told}"):
        score("toy", "Toy.V4-mean")
    assert registered.asked == 2


def test_code_of_our_own_and_libraries_forget_no_score(registered, monkeypatch):
    """An edited docstring forgot all scores, and so did a release of NumPy; both stand in the stamp."""
    first = score("toy", "Toy.V4-mean")
    known = stamp.versions
    monkeypatch.setattr(stamp, "versions", lambda loaded=False: {**known(loaded), "numpy": "99"})
    monkeypatch.setattr(stamp, "code_digest", lambda: "0" * 64)
    assert score("toy", "Toy.V4-mean").to_dict() == first.to_dict()
    assert registered.asked == 1
    anew = score("toy", "Toy.V4-mean", cache=False)
    assert (anew.stamp.packages["numpy"], anew.stamp.code) == ("99", "0" * 64)


def test_objects_are_scored_and_not_remembered(registered):
    mine = Answers("mine")
    for _ in range(2):
        assert isinstance(brainmark.score(mine, make_benchmark()), Score)
    assert mine.asked == 2


def test_a_cache_that_cannot_be_written_costs_a_warning_not_the_score(registered, monkeypatch, tmp_path):
    blocked = tmp_path / "blocked"
    blocked.write_text("a file in place of the folder")
    monkeypatch.setenv("BRAINMARK_HOME", str(blocked))
    with pytest.warns(UserWarning, match="not remembered.*BRAINMARK_HOME"):
        assert score("toy", "Toy.V4-mean").raw == pytest.approx(score_of_toy())


def score_of_toy() -> float:
    return float(np.median((np.arange(12.0).reshape(6, 2) % 5).mean(axis=0)))


def test_failures_are_typed_and_do_not_stop_the_rest(registered):
    subjects = [
        Answers("declines", NotApplicable("declines: it has no eyes")),
        Answers("breaks", KeyError("weights")),
        Answers("fine"),
    ]
    outcomes = list(score_all(subjects, [make_benchmark()]))
    assert [getattr(o, "kind", "score") for o in outcomes] == ["not_applicable", "model", "score"]
    assert isinstance(outcomes[1], Failure)
    assert "KeyError" in outcomes[1].reason
    assert outcomes[0].reason == "declines: it has no eyes"


def test_misspelled_names_are_found_before_anything_is_computed(registered):
    mine = Answers("mine")
    with pytest.raises(UnknownName, match=r"unknown benchmark 'Toy.V4-maen'; did you mean 'Toy.V4-mean'"):
        score_all([mine], [make_benchmark(), "Toy.V4-maen"])
    assert mine.asked == 0


def test_data_that_cannot_be_had_are_asked_for_once(registered, monkeypatch):
    tried = []

    def broken():
        tried.append(1)
        raise MissingData("no mirror has it")

    registry.benchmarks.add("Gone.V4-mean", card=make_benchmark().card)(broken)
    outcomes = list(score_all([Answers("a"), Answers("b"), "toy"], ["Gone.V4-mean"]))
    assert [o.kind for o in outcomes] == ["no_data"] * 3
    assert len(tried) == 1


def test_a_subject_without_perform_is_refused(registered):
    with warnings.catch_warnings(), pytest.raises(TypeError, match="perform"):
        score(object(), make_benchmark())


def test_one_experiment_is_put_to_a_subject_once_for_all_benchmarks(registered):
    mine, twin = Answers("mine"), Answers("mine")
    outcomes = list(score_all([mine, twin], [make_benchmark("A.V4-mean"), make_benchmark("B.V4-mean")]))
    assert len(outcomes) == 4
    assert (mine.asked, twin.asked) == (1, 1)


def test_any_object_that_performs_is_scored_under_its_type_name():
    class Nameless:
        def perform(self, experiment):
            return recording(np.arange(12.0).reshape(6, 2))

    assert score(Nameless(), make_benchmark()).subject == "Nameless"


def test_an_answer_that_is_no_array_is_refused_with_its_type():
    class Listing:
        def perform(self, experiment):
            return [1, 2, 3]

    with pytest.raises(brainmark.BrainmarkError, match=r"is a list, not an xarray\.DataArray"):
        score(Listing(), make_benchmark())


def test_the_stamp_says_what_is_needed_to_get_the_number_again(registered):
    torch = pytest.importorskip("torch")

    class Net(torch.nn.Module):
        def __init__(self, value: float) -> None:
            super().__init__()
            self.layer = torch.nn.Linear(1, 1)
            torch.nn.init.constant_(self.layer.weight, value)

        def forward(self, images):
            return self.layer(images.mean((1, 2, 3))[:, None])

    stamps = []
    for value in (1.0, 1.0, 2.0):
        torch.manual_seed(0)
        stamps.append(score(Net(value), make_benchmark()).stamp)
    assert stamps[0].weights == stamps[1].weights != stamps[2].weights
    assert stamps[0].sources == {}
    assert stamps[0].packages["numpy"] == np.__version__
    assert stamps[0].peak_memory > 10_000_000
    assert {"processor", "cores", "memory"} <= set(stamps[0].hardware)


def test_the_stamp_names_the_data_files_and_their_sha256():
    from brainmark.run.stamp import source_digests

    digests = source_digests(["Cowley2023.210325"])
    assert {url.rsplit("/", 1)[-1] for url in digests} == {"responses_210325.npy", "images_210325.zip"}
    assert all(len(value) == 64 for value in digests.values())


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda a: a.assign_coords(region=("neuroid", ["V1"] * 2)), "'region' is 'V1' at neuroid 0; 'V4' was asked"),
        (lambda a: a.astype(complex), "values are complex128, not numbers"),
        (lambda a: a.astype(str), "not numbers"),
        (lambda a: a * 1e200, "cannot be compared in double precision"),
    ],
)  # fmt: skip
def test_an_answer_that_cannot_be_compared_is_refused_before_the_metric(change, message):
    class Odd:
        def perform(self, experiment):
            return change(recording(np.arange(1.0, 13.0).reshape(6, 2)))

    with pytest.raises(brainmark.BrainmarkError, match=message):
        score(Odd(), make_benchmark())


def test_trials_of_a_subject_are_averaged():
    class Trials:
        def perform(self, experiment):
            one = recording(np.arange(12.0).reshape(6, 2))
            return xr.concat([one, one + 2], "repetition")

    class Mean:
        def perform(self, experiment):
            return recording(np.arange(12.0).reshape(6, 2) + 1)

    assert score(Trials(), make_benchmark()).raw == score(Mean(), make_benchmark()).raw


def test_a_metric_that_fails_ends_one_cell_of_a_table():
    from dataclasses import replace

    def broken(prediction, target):
        raise IndexError("fold 3")

    failing = replace(make_benchmark("Broken.V4-mean"), metric=broken)
    outcomes = list(score_all([Answers("mine")], [failing, make_benchmark()]))
    assert isinstance(outcomes[0], Failure)
    assert outcomes[0].kind == "contract"
    assert "the metric 'mean' failed: IndexError: fold 3" in outcomes[0].reason
    assert isinstance(outcomes[1], Score)


def test_a_class_in_place_of_an_object_and_other_slips_are_named():
    with pytest.raises(TypeError, match="call it first"):
        score(Answers, make_benchmark())
    with pytest.raises(TypeError, match="a benchmark is a registered name or a Benchmark, not a int"):
        score(Answers("mine"), 42)
    with pytest.raises(TypeError, match="takes lists"):
        score_all("pixels", ["Toy.V4-mean"])


def test_code_that_scoring_cannot_import_is_no_part_of_a_result(tmp_path, monkeypatch):
    for room in ("metrics", "analysis"):
        (tmp_path / room).mkdir()
        (tmp_path / room / "one.py").write_text("1")
    monkeypatch.setattr(stamp, "PACKAGE_FOLDER", tmp_path)
    digest = stamp.code_digest.__wrapped__
    before = digest()
    (tmp_path / "analysis" / "one.py").write_text("2")
    assert digest() == before
    (tmp_path / "metrics" / "one.py").write_text("2")
    assert digest() != before


def test_the_rooms_left_out_of_the_digest_are_those_above_scoring():
    """The contract of the rooms, which CI enforces, is what makes it safe to leave them out."""
    root = stamp.PACKAGE_FOLDER.parents[1]
    contracts = tomllib.loads((root / "pyproject.toml").read_text())["tool"]["importlinter"]["contracts"]
    layers = next(c["layers"] for c in contracts if c["type"] == "layers")
    above = layers[: layers.index("run")]
    assert {name for layer in above for name in re.findall(r"\w+", layer)} == stamp.ABOVE


def test_any_change_in_an_outside_package_is_another_result(tmp_path, monkeypatch):
    """Also in a helper module, for models and for the datasets and metrics of a benchmark."""
    import importlib
    import sys

    from brainmark.run.declared import digest_entry

    package = tmp_path / "outside_lab"
    package.mkdir()
    (package / "__init__.py").write_text("")
    (package / "helper.py").write_text("FACTOR = 1\n")
    (package / "things.py").write_text("def toy():\n    return None\n")
    monkeypatch.syspath_prepend(tmp_path)
    things = importlib.import_module("outside_lab.things")
    card = ModelCard(summary="toy", licence="MIT", cite=CITE, domain="vision", family="toy", regions=("V4",))
    entry = registry.Entry("model", "toy", things.toy, card)
    before = digest_entry(entry)
    (package / "helper.py").write_text("FACTOR = 2\n")
    assert digest_entry(entry) != before
    for name in [m for m in sys.modules if m.startswith("outside_lab")]:
        monkeypatch.delitem(sys.modules, name)


def test_equal_stimuli_under_other_names_are_another_experiment(registered):
    """What a subject said is kept with the names of the stimuli, which stand in the answer."""

    class Named(Answers):
        def perform(self, experiment):
            return super().perform(experiment).assign_coords(stimulus_id=("presentation", experiment.stimuli.ids))

    subject, first = Named("mine"), make_benchmark("A.V4-mean")
    names = [f"other-{i}" for i in range(6)]
    renamed = Stimuli("toy", "image", pd.DataFrame({"stimulus_id": names}), first.experiment.stimuli.media)
    second = replace(
        first,
        identifier="B.V4-mean",
        experiment=Experiment(renamed, Record("V4")),
        target=first.target.assign_coords(stimulus_id=("presentation", names)),
    )
    outcomes = list(score_all([subject], [first, second, replace(first, identifier="C.V4-mean")]))
    assert [type(o) for o in outcomes] == [Score, Score, Score]
    assert subject.asked == 2


@pytest.mark.parametrize(("error", "kind"), [(KeyError("column"), "contract"), (MemoryError("1 TB"), "resource")])
def test_a_benchmark_that_cannot_be_made_is_a_failure_and_the_next_is_scored(registered, error, kind):
    def broken():
        raise error

    registry.benchmarks.add("Broken.V4-mean", card=make_benchmark().card)(broken)
    failed, scored = score_all(["toy"], ["Broken.V4-mean", "Toy.V4-mean"])
    assert (failed.kind, scored.subject) == (kind, "toy")
    assert str(error.args[0]) in failed.reason


def test_a_factory_that_makes_no_benchmark_is_told(registered):
    registry.benchmarks.add("Nothing.V4-mean", card=make_benchmark().card)(lambda: None)
    (failed,) = score_all(["toy"], ["Nothing.V4-mean"])
    assert failed.reason == "Nothing.V4-mean: its factory makes a NoneType, not a Benchmark"


def test_content_that_cannot_be_read_is_a_failure_of_that_model_alone(registered, monkeypatch):
    def content():
        raise ValueError("half a file")

    entry = replace(registry.models["toy"], name="cut/short", content=content)
    monkeypatch.setattr(registry.models, "_finders", [lambda name: entry if name == "cut/short" else None])
    failed, scored = score_all(["cut/short", "toy"], ["Toy.V4-mean"])
    assert (failed.kind, failed.reason) == ("model", "cut/short cannot be read: ValueError: half a file")
    assert isinstance(scored, Score)


def test_a_detail_that_is_no_number_does_not_cost_the_score(registered):
    def toy_with_details():
        def metric(prediction, target):
            return Comparison(prediction.mean("presentation"), details={"r": np.nan, "known": 0.5})

        return replace(make_benchmark("Detailed.V4-mean"), metric=metric)

    registry.benchmarks.add("Detailed.V4-mean", card=make_benchmark().card)(toy_with_details)
    first = score("toy", "Detailed.V4-mean")
    again = score("toy", "Detailed.V4-mean")
    assert registered.asked == 1
    assert first.to_dict()["details"] == {"r": None, "known": 0.5}
    assert again.to_dict() == first.to_dict()
    assert np.isnan(again.details["r"])


@pytest.mark.parametrize("name", ["tuned.png", "weights.safetensors", "code.py"])
def test_any_file_of_the_package_that_scoring_reads_is_part_of_a_result(tmp_path, monkeypatch, name):
    (tmp_path / "models" / "__pycache__").mkdir(parents=True)
    (tmp_path / "models" / name).write_bytes(b"1")
    monkeypatch.setattr(stamp, "PACKAGE_FOLDER", tmp_path)
    digest = stamp.code_digest.__wrapped__
    before = digest()
    (tmp_path / "models" / "__pycache__" / "code.pyc").write_bytes(b"1")
    assert digest() == before
    (tmp_path / "models" / name).write_bytes(b"2")
    assert digest() != before


def test_of_answers_that_are_kept_the_one_not_asked_for_longest_goes_first(registered):
    answer = recording(np.zeros((6, 2)))
    store = scoring.Answers(budget=2 * answer.nbytes)
    first, second, third = ((1, f"experiment {k}", ()) for k in range(3))
    store.keep(first, answer)
    store.keep(second, answer)
    assert store.get(first) is answer
    store.keep(third, answer)
    assert [store.get(key) is answer for key in (first, second, third)] == [True, False, True]


def frames_of_our_own() -> list[str]:
    """Rooms of this package through which the caller was called, from the outermost inwards."""
    root = Path(brainmark.__file__).parent
    places = (Path(frame.filename) for frame in traceback.extract_stack())
    return [place.relative_to(root).parts[0] for place in places if place.is_relative_to(root)]


def test_an_experiment_reaches_the_subject_without_detours():
    walks = []

    class Watching(Answers):
        def perform(self, experiment):
            walks.append(frames_of_our_own())
            return super().perform(experiment)

    score(Watching("watching"), make_benchmark())
    assert walks == [["run", "run", "core"]]  # which hands it out


def test_an_experiment_reaches_the_network_in_few_calls_and_never_climbs_back():
    import torch

    walks = []

    class Watching(torch.nn.Module):
        def forward(self, images):
            walks.append(frames_of_our_own())
            return images.mean((2, 3)) + torch.arange(3.0)

    score(Watching(), replace(make_benchmark(), ceiling=None), cache=False)
    walk = walks[-1]  # the first ones look at the shapes of the layers
    assert len(walk) <= 8
    assert walk == sorted(walk, key=["run", "core", "models"].index)
