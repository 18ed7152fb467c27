"""CIFAR-10H as published."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from brainmark.core.dataset import Dataset
from brainmark.metrics.behavior.soft_labels import entropy, halve

pytestmark = pytest.mark.realdata


def spearman_brown(values: list[tuple[np.ndarray, np.ndarray]]) -> float:
    r = np.mean([np.corrcoef(one, other)[0, 1] for one, other in values])
    return float(2 * r / (1 + r))


def test_people_agree_with_the_labels_on_99_percent(study: Callable[[str], Dataset]) -> None:
    counts = study("CIFAR10H").measurement
    assert int(counts.sum()) == 511_000
    named = counts.coords["choice"].values[counts.values.argmax(axis=1)]
    assert (named == counts.coords["label"].values).mean() == pytest.approx(0.992, abs=0.0005)


def test_reliability_of_entropy_and_error_patterns(study: Callable[[str], Dataset]) -> None:
    counts = study("CIFAR10H").measurement
    wrong = counts.coords["label"].values[:, None] != counts.coords["choice"].values
    generator = np.random.default_rng(0)
    entropies, errors = [], []
    for _ in range(10):
        shares = [half / half.sum(axis=1, keepdims=True) for half in halve(counts.values.astype(float), generator)]
        entropies.append(tuple(map(entropy, shares)))
        errors.append(tuple(half[wrong] for half in shares))
    assert spearman_brown(entropies) == pytest.approx(0.875, abs=0.005)
    assert spearman_brown(errors) == pytest.approx(0.90, abs=0.005)
