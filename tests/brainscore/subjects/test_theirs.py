"""Subjects of Brain-Score as subjects of ours, and the other way round.

What needs their packages runs where they are installed, which is an environment of its own."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import xarray as xr
from PIL import Image

from brainmark.brainscore.subjects import from_brainscore, to_brainscore_vision
from brainmark.core import (
    Choose,
    Experiment,
    Match,
    MissingDependency,
    ModelError,
    NextWord,
    NotApplicable,
    OddOneOut,
    Read,
    Record,
    Setting,
    Stimuli,
    check_answer,
)
from brainmark.models.subjects.classes import imagenet_classes
from brainmark.models.subjects.coerce import as_subject

rng = np.random.default_rng(0)

PICTURES = tuple(rng.integers(0, 256, (20, 30, 3), dtype=np.uint8) for _ in range(6))


def images(count: int = 6, **columns: Any) -> Stimuli:
    table = pd.DataFrame({"stimulus_id": [f"s{i}" for i in range(count)], **columns})
    return Stimuli("pictures", "image", table, PICTURES[:count])


class Looker:
    """Mean colour of what it sees, kept in the state that their interface wants."""

    identifier = "looker"

    def __init__(self, shuffle: bool = False, drop: bool = False) -> None:
        self.shuffle, self.drop, self.sizes = shuffle, drop, []

    def visual_degrees(self) -> int:
        return 8

    def start_task(self, task: str, *args: Any) -> None:
        self.task, self.args = task, args

    def start_recording(self, region: str, time_bins: list[tuple[int, int]]) -> None:
        self.region, self.bins = region, time_bins

    def look_at(self, stimuli: Any, number_of_trials: int = 1) -> xr.DataArray:
        ids = list(stimuli["stimulus_id"])
        seen = [np.asarray(Image.open(stimuli.get_stimulus(i))) for i in ids]
        self.sizes = [s.shape[:2] for s in seen]
        colours = np.stack([s.mean((0, 1)) for s in seen])
        if self.task == "label":
            labels = self.args[0]
            return self._behaviour([[labels[int(c.argmax())] for c in colours]], ids, ["choice", "presentation"])
        if self.task == "probabilities":
            labels = sorted(set(self.args[0]["image_label"]))
            assert Path(self.args[0].get_stimulus(self.args[0]["stimulus_id"].iloc[0])).is_file()
            even = np.full((len(ids), len(labels)), 1 / len(labels))
            return self._behaviour(even, ids, ["presentation", "choice"]).assign_coords(choice=("choice", labels))
        if self.task == "odd_one_out":
            odd = [3 * i + i % 3 for i in range(len(ids) // 3)]
            odd = [ids[i] for i in odd] if self.shuffle else [i % 3 for i in odd]
            return xr.DataArray([odd], dims=["choice", "presentation"])
        values = np.repeat(colours[:, :, None], len(self.bins), axis=2)
        order = np.arange(len(ids))[::-1] if self.shuffle else np.arange(len(ids))
        starts, ends = zip(*self.bins, strict=True)
        found = xr.DataArray(
            values,
            dims=["presentation", "neuroid", "time_bin"],
            coords={
                "stimulus_id": ("presentation", ids),
                "object_name": ("presentation", ["x"] * len(ids)),
                "neuroid_id": ("neuroid", ["r", "g", "b"]),
                "time_bin_start": ("time_bin", list(starts)),
                "time_bin_end": ("time_bin", list(ends)),
            },
        ).set_index(presentation=["stimulus_id", "object_name"], time_bin=["time_bin_start", "time_bin_end"])
        return found.isel(presentation=order[1:] if self.drop else order)

    def _behaviour(self, values: Any, ids: list[str], dims: list[str]) -> xr.DataArray:
        return xr.DataArray(np.asarray(values), dims=dims, coords={"stimulus_id": ("presentation", ids)})


@pytest.mark.parametrize("shuffle", [False, True])
def test_recordings_come_back_in_our_order_with_flat_coordinates(shuffle):
    subject = from_brainscore(Looker(shuffle))
    experiment = Experiment(images(), Record("IT", ((70.0, 90.0), (90.0, 110.0))))
    answer = check_answer(subject.perform(experiment), experiment, subject.identifier)
    assert answer.dims == ("presentation", "neuroid", "time_bin")
    np.testing.assert_allclose(answer.values[:, :, 0], [p.mean((0, 1)) for p in PICTURES], rtol=1e-6)
    assert not set(answer.indexes)


def test_without_time_bins_there_is_none():
    experiment = Experiment(images(), Record("V4"))
    model = Looker()
    answer = check_answer(from_brainscore(model).perform(experiment), experiment, "looker")
    assert answer.dims == ("presentation", "neuroid")
    assert model.bins == [(70, 170)]


@pytest.mark.parametrize(("degrees", "size"), [(None, (20, 30)), (8.0, (20, 30)), (4.0, (40, 60)), (16.0, (10, 15))])
def test_stimuli_are_framed_to_the_field_of_view_of_the_model(degrees, size):
    model = Looker()
    answer = from_brainscore(model).perform(Experiment(images(1), Record("IT"), Setting(degrees=degrees)))
    assert model.sizes == [size]
    picture = PICTURES[0].astype(float)
    if degrees == 4.0:
        picture = np.pad(picture, ((10, 10), (15, 15), (0, 0)), constant_values=128)
    if degrees == 16.0:
        picture = picture[5:15, 8:23]
    np.testing.assert_allclose(answer.values[0], picture.mean((0, 1)), atol=1e-3)


def test_a_label_becomes_a_certain_choice():
    experiment = Experiment(images(), Choose(("red", "green", "blue")))
    answer = check_answer(from_brainscore(Looker()).perform(experiment), experiment, "looker")
    assert answer.values.argmax(1).tolist() == [int(p.mean((0, 1)).argmax()) for p in PICTURES]
    assert (answer.values.sum(1) == 1).all()


def test_probabilities_are_learnt_from_fitting_stimuli():
    fitting = images(4, label=["dog", "cat", "dog", "cat"])
    experiment = Experiment(images(), Choose(fitting=fitting))
    answer = check_answer(from_brainscore(Looker()).perform(experiment), experiment, "looker")
    assert answer.coords["choice"].values.tolist() == ["cat", "dog"]
    with pytest.raises(ModelError, match="'label'"):
        from_brainscore(Looker()).perform(Experiment(images(), Choose(fitting=images())))


@pytest.mark.parametrize("by_name", [False, True])
def test_odd_ones_are_positions_in_triplets(by_name):
    experiment = Experiment(images(), OddOneOut())
    answer = check_answer(from_brainscore(Looker(by_name)).perform(experiment), experiment, "looker")
    assert answer.values.tolist() == [0, 1]


def test_what_they_cannot_do_is_said():
    subject = from_brainscore(Looker())
    with pytest.raises(NotApplicable, match="Match"):
        subject.perform(Experiment(images(), Match()))
    with pytest.raises(NotApplicable, match="receptive fields"):
        subject.perform(Experiment(images(), Record("V1", eccentricity=1.0)))
    with pytest.raises(NotApplicable, match="'text'"):
        subject.perform(texts(Record("IT")))
    with pytest.raises(ModelError, match="5 presentations answer 6 stimuli; none of stimulus"):
        from_brainscore(Looker(drop=True)).perform(Experiment(images(), Record("IT")))
    with pytest.raises(TypeError, match="neither look_at nor digest_text"):
        from_brainscore(object())


WORDS = ["Once", "there", "was", "The", "end"]


def texts(ask: Any, context: str | None = "story") -> Experiment:
    table = pd.DataFrame({"stimulus_id": list("abcde"), "text": WORDS, "story": [1, 2, 1, 2, 1]})
    return Experiment(Stimuli("story", "text", table), ask, Setting(context=context))


class Reader:
    """Counts the letters read so far; the first part of a text takes no time that could be predicted."""

    def __init__(self) -> None:
        self.behaviour, self.neural_recordings = None, []

    def identifier(self) -> str:
        return "reader"

    def start_behavioral_task(self, task: str) -> None:
        self.behaviour = task

    def start_neural_recording(self, recording_target: str, recording_type: str) -> None:
        self.neural_recordings.append((recording_target, recording_type))

    def digest_text(self, text: list[str]) -> dict[str, xr.DataArray]:
        read = np.cumsum([len(t) for t in text]).astype(float)
        if self.behaviour == "next_word":
            return {"behavior": xr.DataArray([t.upper() for t in text], dims="presentation")}
        if self.behaviour == "reading_times":
            return {"behavior": xr.DataArray([np.nan, *read[1:]], dims="presentation")}
        neuroids = {"neuroid_id": ("neuroid", [1, 2]), "layer": ("neuroid", ["h", "h"])}
        assert len(self.neural_recordings) == 1
        return {"neural": xr.DataArray(np.outer(read, [1, -1]), dims=["presentation", "neuroid"], coords=neuroids)}


def test_parts_of_a_text_are_read_with_their_context():
    experiment = texts(Record("language_system"))
    model = Reader()
    for _ in range(2):
        answer = check_answer(from_brainscore(model).perform(experiment), experiment, "reader")
        assert answer.values[:, 0].tolist() == [4, 5, 7, 8, 10]
    alone = texts(Record("language"), context=None)
    assert from_brainscore(Reader()).perform(alone).values[:, 0].tolist() == [4, 5, 3, 3, 3]


def test_reading_times_and_next_words():
    experiment = texts(Read("reading_time"))
    times = check_answer(from_brainscore(Reader()).perform(experiment), experiment, "reader")
    np.testing.assert_equal(times.values, [np.nan, np.nan, 7, 8, 10])
    words = texts(NextWord())
    answer = check_answer(from_brainscore(Reader()).perform(words), words, "reader")
    assert answer.values.tolist() == [w.upper() for w in WORDS]
    with pytest.raises(NotApplicable, match="surprisal"):
        from_brainscore(Reader()).perform(texts(Read("surprisal")))
    with pytest.raises(NotApplicable, match="'image'"):
        from_brainscore(Reader()).perform(Experiment(images(), Record("IT")))


def installed(package: str) -> bool:
    import importlib.util

    return importlib.util.find_spec(package) is not None


class Ours:
    """A subject of ours that sees mean colours, and reads lengths."""

    identifier = "ours"
    degrees = 8.0

    def perform(self, experiment: Experiment) -> xr.DataArray:
        stimuli, ask = experiment.stimuli, experiment.ask
        ids = ("presentation", stimuli.ids)
        if isinstance(ask, NextWord | Read):
            lengths = [float(len(stimuli.media[i])) for i in range(len(stimuli))]
            return xr.DataArray(lengths, dims="presentation", coords={"stimulus_id": ids})
        if stimuli.modality == "text":
            values = np.array([[len(stimuli.media[i])] for i in range(len(stimuli))], float)
        else:
            values = np.stack([np.asarray(stimuli.media[i]).mean((0, 1)) for i in range(len(stimuli))])
        if isinstance(ask, OddOneOut):
            return xr.DataArray(np.ones(len(stimuli) // 3), dims="presentation")
        if isinstance(ask, Choose):
            fitting = () if ask.fitting is None else ask.fitting.table["label"]
            labels = ask.labels or tuple(sorted(set(fitting)))
            chosen = np.eye(len(labels))[values.argmax(1) % len(labels)]
            coords = {"stimulus_id": ids, "choice": ("choice", list(labels))}
            return xr.DataArray(chosen, dims=("presentation", "choice"), coords=coords)
        dims = ["presentation", "neuroid"]
        coords: dict[str, Any] = {"stimulus_id": ids, "neuroid_id": ("neuroid", np.arange(values.shape[1]))}
        if ask.time_bins:
            values = np.repeat(values[:, :, None], len(ask.time_bins), 2)
            dims.append("time_bin")
            starts, ends = zip(*ask.time_bins, strict=True)
            coords |= {"time_bin_start": ("time_bin", list(starts)), "time_bin_end": ("time_bin", list(ends))}
        return xr.DataArray(values, dims=dims, coords=coords)


@pytest.mark.skipif(installed("brainscore_vision"), reason="brainscore-vision is installed")
def test_without_their_package_the_error_says_so():
    with pytest.raises(MissingDependency, match=r"needs brainscore-core|needs brainscore-vision"):
        to_brainscore_vision(Ours())


def test_a_model_of_theirs_is_scored_as_it_is():
    for model in (Looker(), Reader()):
        subject = as_subject(model, "theirs")
        assert subject.identifier == "theirs"
    assert as_subject(Looker()).perform(Experiment(images(), Record("IT"))).sizes["neuroid"] == 3
    with pytest.raises(TypeError, match="the class Looker is not a subject"):
        as_subject(Looker)


def test_the_labels_of_imagenet_are_asked_for_by_their_wordnet_ids(tmp_path, monkeypatch):
    """With stand-ins for the packages: their interface says ``imagenet`` for all of its 1000 classes."""
    from types import ModuleType

    data, interface = ModuleType("assemblies"), ModuleType("model_interface")
    data.BehavioralAssembly, interface.BrainModel = xr.DataArray, object
    standards = "brainscore_core.supported_data_standards.brainio"
    for name, module in ((f"{standards}.assemblies", data), ("brainscore_vision.model_interface", interface)):
        for parent in [name.rsplit(".", k)[0] for k in range(1, name.count(".") + 1)]:
            monkeypatch.setitem(sys.modules, parent, ModuleType(parent))
        monkeypatch.setitem(sys.modules, name, module)
    Image.fromarray(PICTURES[0]).save(tmp_path / "a.png")
    model = to_brainscore_vision(Ours())
    model.start_task("label", "imagenet")
    said = model.look_at([tmp_path / "a.png"])
    place = int(PICTURES[0].mean((0, 1)).argmax()) % 1000
    assert said.values.tolist() == [[imagenet_classes()[place].wnid]]
