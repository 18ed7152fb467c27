"""What makes two experiments the same: content, question and setting; not the names of the stimuli."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd
import pytest

from brainmark.core import Choose, Experiment, InvalidStimuli, Rate, Read, Record, Setting, Stimuli


def texts(words: str = "the cat sat", names: str = "abc", **columns: Any) -> Stimuli:
    table = pd.DataFrame({"text": words.split(), **columns}, index=pd.Index(list(names), name="stimulus_id"))
    return Stimuli("texts", "text", table)


def test_names_and_other_columns_are_no_part_of_the_digest_but_of_what_is_asked() -> None:
    one, other = Experiment(texts(), Read("surprisal")), Experiment(texts(names="xyz", size=1), Read("surprisal"))
    assert one.digest == other.digest
    assert one.key != other.key
    assert one.key == Experiment(texts(size=2), Read("surprisal")).key


@pytest.mark.parametrize(
    "change",
    [
        {"stimuli": texts("the dog sat")},
        {"stimuli": texts("cat the sat")},
        {"ask": Read("reading_time")},
        {"ask": Record("V1")},
        {"setting": Setting(trials=2)},
        {"setting": Setting(seed=1)},
        {"setting": Setting(degrees=8)},
    ],
)
def test_content_order_question_and_setting_are(change: dict[str, Any]) -> None:
    experiment = Experiment(texts(), Read("surprisal"))
    assert replace(experiment, **change).digest != experiment.digest


@pytest.mark.parametrize("kind", ["label", "rating"])
def test_what_is_learnt_from_examples_is(kind: str) -> None:
    def asked(values: list[Any]) -> str:
        fitting = texts("a b c", **{kind: values})
        ask = Choose(fitting=fitting) if kind == "label" else Rate("how?", 0, 1, fitting)
        return Experiment(texts(), ask).digest

    assert asked([0, 1, 1]) != asked([1, 0, 1])
    assert asked([0, 1, 1]) == asked([0, 1, 1])


def test_numbers_are_the_same_however_they_are_written() -> None:
    bins = ((50, 100), (100, 150))
    plain = Experiment(texts(), Record("V1", bins), Setting(degrees=8))
    numpy = Experiment(texts(), Record("V1", tuple(map(tuple, np.array(bins, np.int32)))), Setting(np.float64(8)))
    assert plain.digest == numpy.digest


def test_contexts_are_texts_by_their_parts_and_the_spaces_between() -> None:
    def read(context: list[int], spaces: list[bool] | None = None) -> Experiment:
        columns = {"story": context} | ({} if spaces is None else {"space_before": spaces})
        return Experiment(texts(**columns), Read("surprisal"), Setting(context="story"))

    assert read([1, 2, 1]).contexts == [[0, 2], [1]]
    assert read([1, 1, 2]).digest == read([7, 7, 3]).digest  # what a story is called is nothing
    assert len({read(c).digest for c in ([1, 1, 1], [1, 1, 2], [1, 2, 1], [1, 2, 3])}) == 4
    assert read([1, 1, 1], [True, True, True]).digest != read([1, 1, 1], [True, False, True]).digest
    alone = [Experiment(texts(space_before=s), Read("surprisal")).digest for s in ([True] * 3, [False] * 3)]
    assert alone[0] == alone[1]  # before a text that stands alone there is no space


def test_a_context_that_is_no_column_is_refused() -> None:
    with pytest.raises(InvalidStimuli, match=r"context is column 'story', which is not among \['text'\]"):
        Experiment(texts(), Read("surprisal"), Setting(context="story"))
