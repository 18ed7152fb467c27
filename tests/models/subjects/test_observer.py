from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch
from torch import Tensor, nn

from brainmark.core.errors import InvalidModel, InvalidStimuli, NotApplicable
from brainmark.core.experiment import Ask, Choose, Experiment, Match, OddOneOut, Rate, Record, Setting
from brainmark.core.measurement import check_answer
from brainmark.core.stimuli import ImageFiles, Selected, Stimuli
from brainmark.models.readouts.logistic import softmax
from brainmark.models.subjects.observer import distinct
from brainmark.models.subjects.vision import Head, VisionSubject

COLOURS = {"red": (250, 30, 30), "green": (30, 250, 30), "blue": (30, 30, 250)}


def patches(colours: Sequence[str], seed: int = 0, **columns: Any) -> Stimuli:
    """Noisy patches of these colours."""
    noise = np.random.default_rng(seed).integers(-30, 31, (len(colours), 16, 16, 3))
    images = [np.clip(np.array(COLOURS[c]) + n, 0, 255).astype(np.uint8) for c, n in zip(colours, noise, strict=True)]
    table = pd.DataFrame({"stimulus_id": [f"{seed}-{i}" for i in range(len(colours))], **columns})
    return Stimuli("patches", "image", table, images)


class Colours(nn.Module):
    """Means of the channels, and logits that are 20 times those."""

    def __init__(self) -> None:
        super().__init__()
        self.means = nn.Sequential(nn.AdaptiveAvgPool2d(1), nn.Flatten())

    def forward(self, x: Tensor) -> Tensor:
        return 20 * self.means(x)


def subject(**changes: Any) -> VisionSubject:
    fields: dict[str, Any] = {
        "identifier": "colours",
        "network": Colours(),
        "regions": {"IT": "means"},
        "size": 16,
        "head": Head(classes=("red", "green", "blue")),
    }
    return VisionSubject(**fields | changes)


def answered(ask: Ask, stimuli: Stimuli, who: VisionSubject | None = None, **setting: Any) -> Any:
    experiment = Experiment(stimuli, ask, Setting(**setting))
    return check_answer((who or subject()).perform(experiment), experiment, "colours")


def test_named_labels_are_chosen_from_logits():
    shown = ["blue", "red", "green", "red"]
    answer = answered(Choose(("green", "red")), patches(shown))
    assert answer.choice.values.tolist() == ["green", "red"]
    np.testing.assert_allclose(answer.sum("choice"), 1)
    assert answer.values[1:].argmax(1).tolist() == [1, 0, 1]
    means = np.stack([image.mean((0, 1)) / 255 for image in patches(shown).media])
    np.testing.assert_allclose(answer.values, softmax(20 * means[:, [1, 0]]), atol=1e-5)


def test_the_logits_may_be_a_layer_inside():
    class Wrapped(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.logits = Colours()

        def forward(self, x: Tensor) -> Tensor:
            return self.logits(x).softmax(1)

    inside = subject(network=Wrapped(), head=Head("logits", ("red", "green", "blue")))
    np.testing.assert_array_equal(
        answered(Choose(("red", "blue")), patches(["red"]), inside), answered(Choose(("red", "blue")), patches(["red"]))
    )


@pytest.mark.parametrize(
    ("changes", "ask", "error", "message"),
    [
        ({"head": None}, Choose(("red", "blue")), NotApplicable, "no head that names classes.*'red', 'blue'"),
        ({}, Choose(("red", "pink")), NotApplicable, "cannot choose 'pink': its head names red, green, blue"),
        ({"head": Head()}, Choose(("dog", "cat")), InvalidModel, "puts out 3 numbers for a stimulus, but names 1000"),
        ({}, Choose(), NotApplicable, "needs labels or fitting stimuli"),
        ({}, Rate("How red?", 0, 1), NotApplicable, "cannot answer 'How red\\?' without fitting stimuli"),
        ({"regions": {"V1": "means"}}, OddOneOut(), NotApplicable, "no layer that behaviour is recorded from"),
        ({}, Match(4), InvalidStimuli, "3 make no whole groups of 4, which Match asks about"),
        ({}, Choose(fitting=patches(["red", "blue"])), InvalidStimuli, r"no column 'label' among \[\]"),
        ({}, Choose(fitting=patches(["red"], label=["red"])), InvalidStimuli, "at least two labels"),
        ({}, Choose(("a", "b"), patches(["red", "blue"], label=["a", "c"])), InvalidStimuli, "'c' is not among those"),
        ({}, Choose(("a", "b", "d"), patches(["red", "blue"], label=["a", "b"])), InvalidStimuli, "no example of 'd'"),
        ({}, Choose(fitting=patches(["red", "blue"], label=["a", None])), InvalidStimuli, "column 'label' has 1 gaps"),
    ],
)  # fmt: skip
def test_what_cannot_be_answered_says_why(changes: dict[str, Any], ask: Ask, error: type[Exception], message: str):
    with pytest.raises(error, match=message):
        answered(ask, patches(["red", "green", "blue"]), subject(**changes))


def test_labels_are_learnt_from_fitting_stimuli():
    words = {"red": "warm", "green": "cold", "blue": "cold"}
    shown = ["red", "green", "blue"] * 20
    fitting = patches(shown, 1, label=[words[c] for c in shown])
    answer = answered(Choose(fitting=fitting), patches(["blue", "red"], 2))
    assert answer.choice.values.tolist() == ["cold", "warm"]
    np.testing.assert_allclose(answer.sum("choice"), 1)
    blue, red = answer.sel(choice="warm").values
    assert red > blue + 0.01
    turned = answered(Choose(("warm", "cold"), fitting), patches(["blue", "red"], 2))
    assert turned.choice.values.tolist() == ["warm", "cold"]
    np.testing.assert_array_equal(turned.values, answer.values[:, ::-1])


def test_learnt_probabilities_are_those_of_scikit_learn():
    pytest.importorskip("sklearn")
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    shown = ["red", "green", "blue"] * 10
    fitting, others = patches(shown, 1, label=shown), patches(["red", "blue"], 2)
    ours = answered(Choose(fitting=fitting), others)
    x, y = (answered(Record("IT"), s).values.astype(float) for s in (fitting, others))
    theirs = make_pipeline(StandardScaler(), LogisticRegression(C=1e-3, tol=1e-10, max_iter=1000)).fit(x, shown)
    np.testing.assert_allclose(ours.values, theirs.predict_proba(y), atol=1e-6)


def test_matches_and_odd_ones():
    triplets = patches(["red", "blue", "red", "green", "green", "blue"])
    matched = answered(Match(3), triplets)
    assert matched.values.tolist() == [[0, 1], [1, 0]]
    assert matched.stimulus_id.values.tolist() == ["0-0", "0-3"]
    assert answered(OddOneOut(), triplets).values.tolist() == [1, 2]


def test_how_stimuli_are_compared_is_a_commitment():
    bright = {"dim": 40, "same": 60, "brighter": 255}
    images = [np.full((16, 16, 3), v, np.uint8) for v in bright.values()]
    images[2][..., 0] = 200
    group = Stimuli("greys", "image", pd.DataFrame({"stimulus_id": list(bright)}), images)
    assert answered(Match(3), group, subject(similarity="cosine")).values.tolist() == [[1, 0]]
    assert answered(Match(3), group, subject(similarity="dot")).values.tolist() == [[0, 1]]


def test_ratings():
    shown = ["red", "green", "blue"] * 10
    fitting = patches(shown, 1, rating=[{"red": 7.0, "green": 2.0, "blue": 1.0}[c] for c in shown])
    answer = answered(Rate("How warm?", 1, 7, fitting), patches(["green", "red", "blue"], 2))
    np.testing.assert_allclose(answer, [2, 7, 1], atol=0.2)
    pairs = answered(Rate("How alike?", 1, 7, group=2), patches(["green", "green", "green", "red"], 2))
    assert pairs.sizes["presentation"] == 2
    assert pairs.values[0] > 6.9 > 5 > pairs.values[1]


def test_another_layer_may_be_read_for_behaviour():
    class Mirror(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.means, self.sizes = nn.Sequential(nn.AdaptiveAvgPool2d(1), nn.Flatten()), nn.Identity()

        def forward(self, x: Tensor) -> Tensor:
            means = self.means(x)
            return self.sizes(torch.stack([means.sum(1), torch.ones(len(x))], 1)) + means.mean()

    odd = patches(["red", "blue", "red"])
    assert answered(OddOneOut(), odd, subject(network=Mirror())).values.tolist() == [1]
    dark = [np.full((16, 16, 3), v, np.uint8) for v in (10, 200, 210)]
    triplet = Stimuli("greys", "image", pd.DataFrame({"stimulus_id": list("abc")}), dark)
    assert answered(OddOneOut(), triplet, subject(network=Mirror(), behavior="sizes")).values.tolist() == [0]


def test_trials_of_a_stochastic_network_are_choices_of_their_own():
    class Noisy(Colours):
        def forward(self, x: Tensor) -> Tensor:
            return super().forward(x) + torch.randn(len(x), 3)

    answer = answered(
        Choose(("red", "green")), patches(["red", "green"]), subject(network=Noisy(), stochastic=True), trials=3
    )
    assert answer.dims == ("presentation", "choice", "repetition")
    assert len(np.unique(answer.values[0, 0])) == 3


def test_stimuli_that_come_again_are_taken_once(tmp_path: Path):
    a, b = np.zeros((2, 2, 3), np.uint8), np.ones((2, 2, 3), np.uint8)
    files = ImageFiles((tmp_path / "a.png", tmp_path / "b.png", tmp_path / "a.png"))
    for media, expected in (
        ([a, b, a, a], [0, 1, 0, 0]),
        (Selected([a, b], (1, 0, 1)), [0, 1, 0]),
        (files, [0, 1, 0]),
    ):
        once, rows = distinct(media)
        assert len(once) == 2
        assert rows.tolist() == expected
    once, _ = distinct(Selected([a, b], (1, 0, 1)))
    assert once[0] is b
    assert once[1] is a


def test_media_of_another_kind_are_left_as_they_are():
    class Generated:
        def __len__(self) -> int:
            return 3

        def __getitem__(self, index: int) -> np.ndarray:
            return np.zeros((2, 2, 3), np.uint8)

    media = Generated()
    once, rows = distinct(media)
    assert once is media
    assert rows.tolist() == [0, 1, 2]
