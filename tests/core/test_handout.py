"""A model is handed copies of everything that it could change."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from brainmark.core import Experiment, Record, Stimuli
from brainmark.core.experiment import Choose
from brainmark.core.handout import hand_out


@pytest.mark.parametrize(
    "medium",
    [
        np.zeros((4, 4, 3), np.uint8),
        Image.new("RGB", (4, 4)),
        [np.zeros(3), {"a": [np.zeros(2)]}],
        {"picture": np.zeros((2, 2)), "words": ["a", "b"]},
        np.array([[1, 2], "x"], dtype=object),
        pd.DataFrame({"x": [1.0, 2.0]}),
        bytearray(b"abc"),
        (np.zeros(2), np.zeros(2)),
    ],
    ids=lambda m: type(m).__name__,
)
def test_media_of_every_type_are_handed_out_as_copies(medium):
    table = pd.DataFrame({"stimulus_id": ["a"], "list": [[1, 2]]})
    whole = Experiment(Stimuli("one", "image", table, (medium,)), Record("V4"))
    handed = hand_out(whole)
    given = handed.stimuli.media[0]
    assert given is not medium
    if isinstance(given, np.ndarray) and not given.dtype.hasobject:
        assert not np.shares_memory(given, medium)
    if isinstance(given, list | tuple):
        assert not np.shares_memory(given[0], medium[0])
    handed.stimuli.table["list"].iloc[0].append(3)
    assert whole.stimuli.table["list"].iloc[0] == [1, 2]


def test_tensors_and_stimuli_to_learn_from_are_handed_out_as_copies():
    torch = pytest.importorskip("torch")
    tensor = torch.zeros(3)
    learnt = Stimuli("learnt", "image", pd.DataFrame({"stimulus_id": ["a"], "label": ["x"]}), (tensor,))
    whole = Experiment(learnt, Choose(fitting=learnt))
    handed = hand_out(whole)
    handed.stimuli.media[0].fill_(1)
    handed.ask.fitting.media[0].fill_(1)
    handed.ask.fitting.table["label"] = "y"
    assert tensor.sum() == 0
    assert learnt.table["label"].tolist() == ["x"]
    assert hand_out(whole).key == whole.key
