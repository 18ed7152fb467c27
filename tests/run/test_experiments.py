"""Experiments arrive in the process of a model as they were, without a pickle and without a path of the run.

Guards against: stimuli that another process sees differently (and so other scores), and a process that has to read the
files of the run.
"""

from __future__ import annotations

import json
import pickle
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch
from PIL import Image

from brainmark.core import Choose, Decide, Experiment, InvalidStimuli, ModelError, Record, Setting, Stimuli
from brainmark.core.handout import hand_out
from brainmark.core.stimuli import ImageFiles, content_digest
from brainmark.models.subjects.observer import distinct
from brainmark.run.experiments import pack_experiment, pack_medium, unpack_experiment

IDS = ["001", "b", "ü"]
RANDOM = np.random.default_rng(0)


@dataclass(frozen=True)
class Pair:
    picture: Any
    sound: Any


def send(experiment: Experiment) -> Experiment:
    (described, body), media = pack_experiment(experiment)

    def ask(*place: int) -> tuple[Any, bytes]:
        about, content = pack_medium(media, json.loads(json.dumps(place)))
        return json.loads(json.dumps(about)), content

    return unpack_experiment((json.loads(json.dumps(described)), body), ask)


def stimuli(media: Any, modality: str = "image", **columns: Any) -> Stimuli:
    return Stimuli("toy", modality, pd.DataFrame({"stimulus_id": IDS[: len(media)], **columns}), media)


COLOURS = Image.fromarray(RANDOM.integers(0, 255, (4, 5, 3), dtype=np.uint8))
PICTURE = COLOURS.convert("P")
PICTURE.info["transparency"] = b"\x00\x7f"
MEDIA = {
    "arrays": tuple(RANDOM.integers(0, 255, (3, 4, 5, 3), dtype=np.uint8)),
    "floats": tuple(np.asfortranarray(RANDOM.normal(size=(3, 2, 4)))),
    "tensors": (torch.ones(2, 2, dtype=torch.bfloat16), torch.tensor(3.5), torch.zeros(0, 3)),
    "pictures": (PICTURE, COLOURS, COLOURS.convert("1")),
    "texts": ("don’t", "", "a\0b \ud800"),
    "parts": (Pair(np.arange(3), "x"), {"a": [1, 2.5, None], 2: (True, b"\xff")}, np.array(["a", None, 3], object)),
    "scalars": (np.float32(0.1), np.datetime64("2026-01-01"), 10**30),
}


@pytest.mark.parametrize("name", MEDIA)
def test_stimuli_arrive_as_they_were(name: str) -> None:
    sent = Experiment(stimuli(MEDIA[name]), Record("V4", ((0.0, 0.1),)), Setting(degrees=0.1, seed=3))
    found = send(hand_out(sent))
    assert [content_digest(m) for m in found.stimuli.media] == [content_digest(m) for m in MEDIA[name]]
    assert (found.key, found.ask, found.setting) == (sent.key, sent.ask, sent.setting)


def test_files_are_decoded_where_they_arrive(tmp_path: Path) -> None:
    paths = [tmp_path / f"{i}.png" for i in range(2)]
    for i, path in enumerate(paths):
        Image.fromarray(np.full((3, 4), 2**15 + i, np.uint16)).save(path)
    sent = Experiment(stimuli(ImageFiles((paths[0], paths[1], paths[0]))), Record("IT"))
    found = send(sent).stimuli.media
    np.testing.assert_array_equal(np.stack(list(found)), np.stack(list(sent.stimuli.media)))
    np.testing.assert_array_equal(distinct(found)[1], [0, 1, 0])  # what is shown twice is known to be one
    paths[1].write_bytes(b"no image")
    with pytest.raises(InvalidStimuli, match="image 1: cannot decode"):
        found[1]
    paths[1].unlink()
    with pytest.raises(InvalidStimuli, match="no file"):
        found[1]


def test_tables_and_questions_arrive_as_they_were() -> None:
    columns = {
        "label": ["x", None, "y"], "count": [1, 2, 3], "size": [0.1, np.nan, 3.0], "seen": [True, False, True],
        "kind": pd.Categorical(["a", "b", "a"]),
        "whole": pd.array([1, None, 3], "Int64"), "box": [(0, 1), (1, 2), (2, 3)],
    }  # fmt: skip
    fitting = stimuli(MEDIA["floats"], label=["p", "q", "p"])
    sent = Experiment(stimuli(MEDIA["texts"], "text", **columns), Choose(fitting=fitting))
    found = send(sent)
    pd.testing.assert_frame_equal(found.stimuli.table, sent.stimuli.table)
    assert isinstance(found.stimuli.media, tuple)
    assert found.key == sent.key
    assert send(Experiment(fitting, Decide(("a", "b"), 3.0))).ask == Decide(("a", "b"), 3.0)


def test_what_cannot_be_sent_is_named() -> None:
    with pytest.raises(InvalidStimuli, match=r"builtins\.object cannot be sent"):
        send(Experiment(stimuli((1, 2, 3), odd=[object(), 1, 2]), Record("V4")))


@pytest.mark.parametrize("place", [[0, 3], [1, 0], [0, -1], ["x"], None, [0, 0, 0], [0, 1e9]])
def test_only_stimuli_that_are_there_can_be_asked_for(place: Any) -> None:
    _, media = pack_experiment(Experiment(stimuli(MEDIA["arrays"]), Record("V4")))
    with pytest.raises(ModelError, match="which is not there"):
        pack_medium(media, place)


def test_programs_that_are_started_anew_get_the_stimuli_themselves() -> None:
    found = send(Experiment(stimuli(MEDIA["arrays"]), Record("V4"))).stimuli.media
    copied = pickle.loads(pickle.dumps(found))
    assert isinstance(copied, tuple)
    np.testing.assert_array_equal(np.stack(copied), np.stack(MEDIA["arrays"]))
