"""Running text as published."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from brainmark.core.dataset import Dataset

pytestmark = pytest.mark.realdata


@pytest.mark.parametrize(
    ("name", "words"), [("Wikitext2.test", 204_000), ("Brown.held_out", 102_000), ("ClassicBooks", 314_000)]
)
def test_running_text_comes_word_by_word(study: Callable[[str], Dataset], name: str, words: int) -> None:
    found = study(name)
    assert found.stimuli is not None
    assert found.measurement.size == pytest.approx(words, rel=0.02)
    text = found.stimuli.table["text"].to_numpy(str)
    following = found.measurement["next_word"].values
    inside = following != ""
    assert (following[inside] == text[1:][inside[:-1]]).all()
    assert int((~inside).sum()) == len(set(found.measurement["source"].values))
