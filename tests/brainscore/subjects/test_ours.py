"""Our subjects behind the interfaces of Brain-Score."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest
import xarray as xr
from PIL import Image

from brainmark.brainscore.subjects import from_brainscore, to_brainscore_language, to_brainscore_vision
from brainmark.core import (
    Choose,
    Experiment,
    NextWord,
    OddOneOut,
    Read,
    Record,
    Stimuli,
)

rng = np.random.default_rng(0)

PICTURES = tuple(rng.integers(0, 256, (20, 30, 3), dtype=np.uint8) for _ in range(6))


def images(count: int = 6, **columns: Any) -> Stimuli:
    table = pd.DataFrame({"stimulus_id": [f"s{i}" for i in range(count)], **columns})
    return Stimuli("pictures", "image", table, PICTURES[:count])


WORDS = ["Once", "there", "was", "The", "end"]


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


@pytest.mark.skipif(not installed("brainscore_vision"), reason="needs brainscore-vision, in an environment of its own")
def test_our_subjects_are_models_of_theirs(tmp_path):
    from brainscore_core.supported_data_standards.brainio.stimuli import StimulusSet

    paths = {f"s{i}": tmp_path / f"{i}.png" for i in range(6)}
    for path, picture in zip(paths.values(), PICTURES, strict=True):
        Image.fromarray(picture).save(path)
    shown = StimulusSet({"stimulus_id": list(paths), "object_name": list("aabbcc"), "image_label": list("xyxyxy")})
    shown.stimulus_paths, shown.identifier = paths, "pictures"
    model = to_brainscore_vision(Ours())
    assert (model.identifier, model.visual_degrees()) == ("ours", 8)
    model.start_recording("IT", time_bins=[(70, 170)])
    recorded = model.look_at(shown, number_of_trials=2)
    np.testing.assert_allclose(recorded.values[:, :, 0], [p.mean((0, 1)) for p in PICTURES])
    assert recorded["object_name"].values.tolist() == list("aabbcc")
    model.start_task("label", ["red", "green", "blue"])
    labels = model.look_at(shown)
    assert labels.dims == ("choice", "presentation")
    model.start_task("probabilities", shown)
    chosen = model.look_at(shown)
    assert chosen["choice"].values.tolist() == ["x", "y"]
    model.start_task("odd_one_out")
    assert model.look_at(shown).values.ravel().tolist() == ["s1", "s4"]
    model.start_task("passive")
    assert model.look_at(shown) is None
    again = from_brainscore(model)  # and back
    experiment = Experiment(images(), Record("IT"))
    np.testing.assert_allclose(again.perform(experiment).values, Ours().perform(experiment).values, rtol=1e-6)


@pytest.mark.skipif(
    not installed("brainscore_language"), reason="needs brainscore-language, in an environment of its own"
)
def test_our_subjects_are_subjects_of_theirs():
    reader = to_brainscore_language(Ours())
    assert reader.identifier() == "ours"
    reader.start_neural_recording("language_system", "fMRI")
    reader.start_behavioral_task("reading_times")
    said = reader.digest_text(WORDS)
    assert said["neural"].values[:, 0].tolist() == [len(w) for w in WORDS]
    assert said["behavior"]["stimulus"].values.tolist() == WORDS
    assert reader.digest_text("one")["behavior"].values.tolist() == [3.0]
