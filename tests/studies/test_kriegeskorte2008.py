"""Kriegeskorte 2008: every figure that is known about the published files."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from scipy.stats import spearmanr

from brainmark.core.dataset import Dataset

pytestmark = pytest.mark.realdata


def pairs(matrices: Any) -> np.ndarray:
    """Upper triangles (..., pair)."""
    rows, columns = np.triu_indices(92, 1)
    return np.asarray(matrices)[..., rows, columns]


def rank_correlations(rdms: np.ndarray, leave_one_out: bool) -> float:
    """Mean Spearman correlation of each subject with the mean of all, or of the others."""
    others = [np.delete(rdms, i, axis=0) if leave_one_out else rdms for i in range(len(rdms))]
    return float(np.mean([spearmanr(rdm, o.mean(axis=0)).statistic for rdm, o in zip(rdms, others, strict=True)]))


def test_human_it_noise_ceiling(study: Callable[[str], Dataset]) -> None:
    loaded = study("Kriegeskorte2008.humanIT")
    assert loaded.measurement.dims == ("subject", "repetition", "presentation", "other")
    assert loaded.measurement.shape == (4, 2, 92, 92)
    rdms = pairs(loaded.mean)
    assert rank_correlations(rdms, leave_one_out=True) == pytest.approx(0.379, abs=0.0006)
    assert rank_correlations(rdms, leave_one_out=False) == pytest.approx(0.661, abs=0.0006)


def test_judgements_leave_one_out(study: Callable[[str], Dataset]) -> None:
    judged = study("Kriegeskorte2008.judgements").measurement
    assert judged.shape == (16, 92, 92)
    assert len(set(judged.coords["subject"].values)) == 16
    assert rank_correlations(pairs(judged), leave_one_out=True) == pytest.approx(0.478, abs=0.0006)


def test_monkey_and_human_it_agree(study: Callable[[str], Dataset]) -> None:
    human = pairs(study("Kriegeskorte2008.humanIT").mean).mean(axis=0)
    monkey = pairs(study("Kriegeskorte2008.monkeyIT").measurement)
    assert spearmanr(monkey, human).statistic == pytest.approx(0.439, abs=0.0006)


def test_dissimilarities_are_symmetric_with_nothing_on_the_diagonal(study: Callable[[str], Dataset]) -> None:
    for name in ("humanIT", "monkeyIT", "judgements"):
        values = study(f"Kriegeskorte2008.{name}").measurement.values
        np.testing.assert_array_equal(values, values.swapaxes(-1, -2))
        assert not np.diagonal(values, axis1=-2, axis2=-1).any()


def test_kriegeskorte_images_and_categories(study: Callable[[str], Dataset]) -> None:
    stimuli = study("Kriegeskorte2008.monkeyIT").stimuli
    assert stimuli is not None
    assert {stimuli.media[i].shape for i in range(92)} == {(175, 175, 3)}
    table = stimuli.table
    assert {c: str(table[c].dtype) for c in ("human", "face", "animal", "natural")} == dict.fromkeys(
        ("human", "face", "animal", "natural"), "bool"
    )
    assert int(table["animal"].sum()) == 48
    assert int(table["face"].sum()) == 24
    assert not (table["face"] & ~table["animal"]).any()


def test_faces_are_alike_in_monkey_it(study: Callable[[str], Dataset]) -> None:
    """Rows and images belong together: faces form the cluster that the paper describes."""
    loaded = study("Kriegeskorte2008.monkeyIT")
    assert loaded.stimuli is not None
    face = loaded.stimuli.table["face"].to_numpy()
    values = loaded.measurement.values
    within = values[np.ix_(face, face)][np.triu_indices(face.sum(), 1)].mean()
    between = values[np.ix_(face, ~face)].mean()
    assert within < between - 0.2
