"""Figures of layers and regions stay readable, however many layers there are."""

from __future__ import annotations

import numpy as np
import pytest

from brainmark.analysis.layer_map import choose_labels, layer_figure
from brainmark.run.layer_choice import Candidate, Choice


def choice(count: int) -> Choice:
    tried = tuple(Candidate(f"layer{k}.conv", None, 10, k / count) for k in range(count))
    return Choice("mine", "0" * 64, "IT", tried[-2], tried, "this", "that", 0.5, (0.4, 0.6), None)


@pytest.mark.parametrize("count", [3, 20, 160, 900])
def test_a_figure_of_many_layers_stays_on_a_page(count: int):
    """One of 160 layers was 6,154 pixels tall."""
    figure = layer_figure({"IT": choice(count)})
    assert figure.get_size_inches()[1] < 9
    labels = [label.get_text() for label in figure.axes[0].get_yticklabels()]
    assert f"layer{count - 2}.conv" in labels and len(labels) <= 70


def test_labels_do_not_touch():
    assert choose_labels(5, [3], 1) == [0, 1, 2, 3, 4]
    written = choose_labels(100, [50, 98], 7)
    assert {50, 98} <= set(written) and np.diff(written).min() >= 7
