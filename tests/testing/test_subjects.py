"""Simulated subjects do what their names say."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from brainmark.core import (
    Choose,
    Decide,
    Experiment,
    InvalidMeasurement,
    Match,
    ModelError,
    Move,
    NextWord,
    NotApplicable,
    OddOneOut,
    Rate,
    Read,
    Record,
    Stimuli,
    Subject,
    check_answer,
)
from brainmark.testing import (
    Constant,
    Echo,
    Failing,
    Misnamed,
    Noise,
    Projection,
    Refusing,
    Truncated,
    Undefined,
    images,
    texts,
)
from brainmark.testing.examples import repeat

LABELLED = Stimuli(
    "fit", "text", pd.DataFrame({"stimulus_id": ["1", "2", "3"], "text": ["a", "b", "c"], "label": ["x", "y", "x"]})
)
QUESTIONS = [
    Record("V4"), Record("V4", ((0.0, 50.0), (50.0, 100.0))), Choose(("ant", "bee")), Choose(fitting=LABELLED),
    OddOneOut(), Match(), Read("surprisal"), NextWord(), Rate("nice?", 1, 7), Move(("hand", "eye"), "mm"),
    Decide(("left", "right")),
]  # fmt: skip


@pytest.mark.parametrize("ask", QUESTIONS, ids=lambda ask: type(ask).__name__)
@pytest.mark.parametrize("subject", [Noise(), Constant(0.5)], ids=lambda s: s.identifier)
def test_noise_and_constant_answer_every_question(subject, ask):
    experiment = Experiment(images(6), ask)
    answer = check_answer(subject.perform(experiment), experiment, subject.identifier)
    assert answer.identical(subject.perform(experiment))
    if isinstance(ask, Choose | Match) and isinstance(subject, Noise):
        np.testing.assert_allclose(answer.sum("choice"), 1.0)


def test_choose_without_labels_is_refused():
    with pytest.raises(NotApplicable, match="neither labels nor fitting stimuli"):
        Noise().perform(Experiment(images(), Choose()))


def test_noise_depends_on_names_and_seed_alone():
    experiment = Experiment(images(4), Record("V4"))
    first = Noise().perform(experiment)
    assert np.array_equal(Noise().perform(Experiment(images(4, seed=9), Record("V4"))), first)
    assert not np.array_equal(Noise(seed=1).perform(experiment), first)
    order = [3, 1, 0, 2]
    assert np.array_equal(Noise().perform(Experiment(images(4).take(order), Record("V4"))), first[order])


@pytest.mark.parametrize("stimuli", [images(4), texts(4)], ids=["images", "texts"])
def test_projection_depends_on_content_alone(stimuli):
    first = Projection().perform(Experiment(stimuli, Record("IT")))
    again = Projection().perform(Experiment(repeat(stimuli, [3, 3, 0]), Record("IT")))
    assert np.array_equal(again, first[[3, 3, 0]])
    assert not np.array_equal(Projection().perform(Experiment(stimuli, Record("V1"))), first)


@pytest.mark.parametrize(
    ("experiment", "reason"),
    [
        (Experiment(images(), Record("V4")), "has no region 'V4'; it has V1, IT"),
        (Experiment(images(), NextWord()), "answers Record, not NextWord"),
        (Experiment(Stimuli("a", "audio", LABELLED.table, (b"1", b"2", b"3")), Record("V1")), "not audio"),
    ],
)
def test_projection_refuses_with_a_reason(experiment, reason):
    with pytest.raises(NotApplicable, match=reason):
        Projection().perform(experiment)


def test_echo_gives_back_the_mean_over_repetitions_in_the_order_asked():
    stimuli = images(3)
    measured = Noise().perform(Experiment(stimuli, Record("V4"))).expand_dims(repetition=2).copy()
    measured[1] += 2.0
    answer = Echo(measured).perform(Experiment(stimuli.take([2, 0]), Record("V4")))
    np.testing.assert_allclose(answer, measured.mean("repetition")[[2, 0]])
    with pytest.raises(NotApplicable, match="not measured with stimulus 'image-3'"):
        Echo(measured).perform(Experiment(images(4), Record("V4")))


@pytest.mark.parametrize(
    ("subject", "error", "message"),
    [
        (Truncated(), InvalidMeasurement, "has 4 entries; 5 stimuli were presented"),
        (Truncated(missing=3), InvalidMeasurement, "has 2 entries; 5 stimuli were presented"),
        (Misnamed(), InvalidMeasurement, "'stimulus_id' is 'image-4' at presentation 0, where 'image-0'"),
        (Undefined(), ModelError, "1 of 100 values are NaN or infinite, the first at presentation 4"),
        (Undefined(value=np.inf), ModelError, "1 of 100 values are NaN or infinite"),
        (Failing(), ValueError, "this subject always fails"),
        (Failing(MemoryError("32 GB")), MemoryError, "32 GB"),
        (Refusing("asleep"), NotApplicable, "refusing: asleep"),
    ],
    ids=lambda value: getattr(value, "identifier", None),
)
def test_subjects_that_break_the_contract(subject, error, message):
    experiment = Experiment(images(5), Record("V4"))
    assert isinstance(subject, Subject)
    with pytest.raises(error, match=message):
        check_answer(subject.perform(experiment), experiment, subject.identifier)


def test_noise_takes_one_of_three_for_the_odd_one() -> None:
    answer = Noise().perform(Experiment(images(300), OddOneOut()))
    assert set(answer.values.tolist()) == {0, 1, 2}
