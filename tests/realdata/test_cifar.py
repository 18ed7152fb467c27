"""CIFAR-10 and CIFAR-10H as published: every figure that is known about them."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from brainmark.core import benchmarks
from brainmark.core.dataset import Dataset

pytestmark = pytest.mark.realdata


@pytest.mark.parametrize("name", ["CIFAR10.test", "CIFAR10.train"])
def test_each_label_has_a_thousand_images(study: Callable[[str], Dataset], name: str) -> None:
    labels = study(name).stimuli.table["label"]  # type: ignore[union-attr]
    assert labels.value_counts().to_dict() == dict.fromkeys(sorted(labels.unique()), 1000)
    assert len(labels.unique()) == 10


def test_images_are_decoded_and_in_order(study: Callable[[str], Dataset]) -> None:
    """Colours know something of the labels; in another order they would not: nearest centroid, chance 10 %."""
    centroids, names = {}, study("CIFAR10.train").measurement.coords["choice"].values
    training, test = study("CIFAR10.train").stimuli, study("CIFAR10.test").stimuli
    assert training is not None and test is not None
    for name in names:
        of_label = np.flatnonzero(training.table["label"] == name)
        centroids[name] = np.asarray(training.media)[of_label].mean(axis=0).ravel()
    shown = np.asarray(test.media).reshape(10_000, -1).astype(np.float32)
    distance = np.stack([((shown - centroids[name].astype(np.float32)) ** 2).sum(axis=1) for name in names], axis=1)
    found = names[distance.argmin(axis=1)] == test.table["label"].to_numpy()
    assert 0.25 < found.mean() < 0.32


def test_a_corrupted_set_has_every_severity_equally_often(study: Callable[[str], Dataset]) -> None:
    study("CIFAR10.test")
    shown = benchmarks["CIFAR10C.contrast-top1"].load().experiment.stimuli
    severity = shown.table["severity"].to_numpy()
    assert np.bincount(severity).tolist() == [0, 2000, 2000, 2000, 2000, 2000]
    plain = np.asarray(study("CIFAR10.test").stimuli.media)  # type: ignore[union-attr]
    spread = [np.asarray(shown.media)[severity == s].std(axis=(1, 2)).mean() for s in range(1, 6)]
    whole = plain.std(axis=(1, 2)).mean()
    np.testing.assert_allclose(np.array(spread) / whole, [0.75, 0.5, 0.4, 0.3, 0.15], atol=0.02)
